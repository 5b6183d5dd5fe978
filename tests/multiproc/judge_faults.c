/* The judge of histories finds what it is there to find: a good history has no fault, and each way
 * of spoiling it has one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "multiproc/judge_history.h"
#include "multiproc/write_load.h"
#include "support/stamped_row.h"

#include <cmocka.h>

/* Register 0 is one key, 4 a group, both of one writer; 7 is a shared group. */
enum { SINGLE = 0, GROUP = 4, SHARED = 7 };

#define UNKNOWN REPORT_ROW_UNKNOWN

static struct history *history;

static void begin(uint64_t stamp, uint32_t reg, uint32_t operation, uint64_t ns)
{
    struct report report = {
        .kind = REPORT_BEGIN, .operation = operation, .reg = reg, .stamp = stamp, .from_ns = ns};
    history_note(history, &report);
}

static void ack(uint64_t stamp, uint64_t row, uint64_t ns)
{
    struct report report = {.kind = REPORT_ACK, .stamp = stamp, .row = row, .to_ns = ns};
    history_note(history, &report);
}

static void see(uint64_t stamp, uint32_t reg, uint64_t row, uint64_t from_ns)
{
    struct report report = {.kind = REPORT_SEEN,
                            .reg = reg,
                            .stamp = stamp,
                            .row = row,
                            .from_ns = from_ns,
                            .to_ns = from_ns + 5};
    history_note(history, &report);
}

static void miss(uint32_t reg, uint64_t from_ns)
{
    struct report report = {
        .kind = REPORT_ABSENT, .reg = reg, .from_ns = from_ns, .to_ns = from_ns + 5};
    history_note(history, &report);
}

static void audit(uint64_t from_ns)
{
    struct report report = {.kind = REPORT_AUDIT, .from_ns = from_ns, .to_ns = from_ns + 5};
    history_note(history, &report);
}

/* Writes 10 and 11, deletes with 12, a group with 13, shared with 14 and 15; dies in 16. */
static void good_history(void)
{
    history = history_open();
    miss(SINGLE, 50);
    begin(10, SINGLE, 0, 100);
    see(10, SINGLE, 0, 102);
    ack(10, UNKNOWN, 110);
    see(10, SINGLE, 0, 120);
    begin(11, SINGLE, OPERATION_DURABLE, 200);
    see(10, SINGLE, 0, 203);
    ack(11, UNKNOWN, 210);
    see(11, SINGLE, 1, 220);
    begin(12, SINGLE, OPERATION_DELETE, 300);
    see(11, SINGLE, 1, 303);
    ack(12, UNKNOWN, 310);
    miss(SINGLE, 320);
    begin(13, GROUP, OPERATION_ADDS, 400);
    ack(13, UNKNOWN, 410);
    see(13, GROUP, 2, 420);
    begin(14, SHARED, 0, 500);
    ack(14, 6, 510);
    begin(15, SHARED, 0, 600);
    ack(15, 10, 610);
    see(15, SHARED, UNKNOWN, 620);
    begin(16, GROUP, OPERATION_ADDS, 700);
    history_note_death(history, 10, 750);
    audit(800);
    see(13, ADDED, 0, 800);
}

static size_t faults(void)
{
    size_t count = history_judge(history).faults;
    history_close(history);
    return count;
}

#define spoiled_by(report)                                                                         \
    do {                                                                                           \
        good_history();                                                                            \
        report;                                                                                    \
        assert_int_equal(faults(), 1);                                                             \
    } while (0)

static void test_a_good_history_has_no_fault(void **state)
{
    (void)state;
    good_history();
    struct verdict verdict = history_judge(history);
    assert_int_equal(verdict.faults, 0);
    assert_int_equal(verdict.acknowledged, 6);
    assert_int_equal(verdict.durable, 1);
    assert_int_equal(verdict.unknown, 1);
    assert_int_equal(verdict.unknown_there, 0);
    assert_int_equal(verdict.audits, 1);
    assert_int_equal(verdict.added, 1);
    assert_int_equal(history_ack_after(history, 410), 510);
    history_close(history);
}

static void test_acknowledged_and_not_visible(void **state)
{
    (void)state;
    spoiled_by(miss(SINGLE, 130));
    spoiled_by(see(10, SINGLE, 0, 215));
    spoiled_by(see(11, SINGLE, 1, 330));
    spoiled_by(miss(GROUP, 430));
    spoiled_by(see(14, SHARED, 6, 630));
    spoiled_by(miss(SHARED, 630));
}

static void test_seen_and_gone_again(void **state)
{
    (void)state;
    spoiled_by(miss(SINGLE, 108)); /* one read has seen 10 already */
    spoiled_by((see(10, SINGLE, 0, 201), see(11, SINGLE, 1, 201), see(10, SINGLE, 0, 207)));
}

static void test_true_after_its_writer_died(void **state)
{
    (void)state;
    good_history();
    begin(20, SINGLE, 0, 900); /* by the writer's successor, which dies too */
    history_note_death(history, 20, 950);
    miss(SINGLE, 960);
    assert_int_equal(history_judge(history).faults, 0);
    see(20, SINGLE, 20, 970);
    assert_int_equal(faults(), 1);
}

static void test_seen_and_never_begun(void **state)
{
    (void)state;
    spoiled_by(see(99, SINGLE, UNKNOWN, 900));
    spoiled_by(see(11, SINGLE, UNKNOWN, 150));
    spoiled_by(see(12, SINGLE, UNKNOWN, 305)); /* a delete shows nothing */
}

static void test_half_a_transaction(void **state)
{
    (void)state;
    spoiled_by((see(16, ADDED, 1, 800), see(13, GROUP, 2, 810)));
    spoiled_by(audit(900)); /* the added row of 13 is not there */
}

static void test_added_row_is_there_twice(void **state)
{
    (void)state;
    spoiled_by(see(13, ADDED, 7, 800));
}

static void test_rows_change_hands(void **state)
{
    (void)state;
    spoiled_by(see(13, GROUP, 1, 430)); /* it had row 2 */
    good_history();
    begin(17, SHARED, 0, 900);
    ack(17, 12, 910); /* 15 has rows 10 to 13 */
    assert_int_equal(faults(), 1);
}

static void test_acknowledged_and_never_begun(void **state)
{
    (void)state;
    spoiled_by(ack(98, UNKNOWN, 900));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_good_history_has_no_fault),
        cmocka_unit_test(test_acknowledged_and_not_visible),
        cmocka_unit_test(test_seen_and_gone_again),
        cmocka_unit_test(test_true_after_its_writer_died),
        cmocka_unit_test(test_seen_and_never_begun),
        cmocka_unit_test(test_half_a_transaction),
        cmocka_unit_test(test_added_row_is_there_twice),
        cmocka_unit_test(test_rows_change_hands),
        cmocka_unit_test(test_acknowledged_and_never_begun),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
