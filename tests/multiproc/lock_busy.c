/* Who may write, and who waits: EDB_BUSY comes within the wait that was asked for and says who is
 * writing; a killed writer frees the file at once; a stopped one holds up writers, never readers;
 * two writers take turns and see each other's rows. */
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "db/db.h"
#include "embedcache.h"
#include "multiproc/judge_history.h"
#include "multiproc/run_worker.h"
#include "multiproc/write_load.h"
#include "support/stamped_row.h"
#include "unit/base/seeded_random.h"

#include <cmocka.h>

enum { WAIT_MS = 300, SLACK_MS = 700, TURNS = 200, STOPS = 60 };

static char place[PLACE_BYTES];
static char path[PLACE_BYTES + 16];

static edb *open_waiting(uint32_t wait_ms, edb_space *spaces[2])
{
    edb *db;
    edb_open_options options = EDB_OPEN_OPTIONS_INIT;
    options.busy_wait_ms = wait_ms;
    if (edb_open(path, &options, &db) != EDB_OK || stamped_spaces(db, spaces) != EDB_OK)
        report_fault("%s", edb_error_detail());
    return db;
}

static edb_status put_stamped(edb_space *space, uint64_t stamp)
{
    char key[STAMPED_KEY_BYTES];
    float vector[STAMPED_DIMS];
    stamped_vector(ADDED, 0, stamp, vector);
    return edb_put(space, key, stamped_key(ADDED, 0, stamp, key), vector, NULL);
}

static bool is_there(edb_space *space, uint64_t stamp)
{
    char key[STAMPED_KEY_BYTES];
    float vector[STAMPED_DIMS];
    uint64_t found;
    edb_status status = edb_get(space, key, stamped_key(ADDED, 0, stamp, key), vector);
    if (status != EDB_OK && status != EDB_NOT_FOUND)
        report_fault("edb_get: %s", edb_error_detail());
    if (status == EDB_OK && (!stamped_vector_read(ADDED, 0, vector, &found) || found != stamp))
        report_fault("row %" PRIu64 " is wrong", stamp);
    return status == EDB_OK;
}

/* ------------------------------------------------------------------------------------- workers */

/* Takes the right to write, says so, and keeps it for so long (0: for ever). */
static void hold(uint32_t hold_ms)
{
    edb_space *spaces[2];
    struct report ready = {.kind = REPORT_READY};
    edb *db = open_waiting(0, spaces);
    if (db_write_begin(db, false) != EDB_OK)
        report_fault("%s", edb_error_detail());
    report_send(NULL, &ready);
    while (hold_ms == 0)
        pause();
    usleep(hold_ms * 1000);
    db_write_end(db);
    if (put_stamped(spaces[1], 1) != EDB_OK || edb_close(db) != EDB_OK)
        report_fault("%s", edb_error_detail());
}

/* Puts every other number, each when the one before, the other writer's, has become visible. */
static void take_turns(uint64_t first)
{
    edb_space *spaces[2];
    edb *db = open_waiting(0, spaces);
    edb_txn *txn;
    for (uint64_t n = first; n < TURNS; n += 2) {
        char key[STAMPED_KEY_BYTES];
        float vector[STAMPED_DIMS];
        while (n > 0 && !is_there(spaces[1], n - 1))
            usleep(50);
        stamped_vector(ADDED, 0, n, vector);
        if (edb_begin(db, &txn) != EDB_OK ||
            edb_txn_put(txn, spaces[1], key, stamped_key(ADDED, 0, n, key), vector, NULL) !=
                EDB_OK ||
            edb_commit(txn, EDB_DURABLE) != EDB_OK)
            report_fault("%s", edb_error_detail());
    }
    for (uint64_t n = 0; n + 1 < TURNS; n++)
        if (!is_there(spaces[1], n))
            report_fault("row %" PRIu64 " is not there", n);
    if (edb_close(db) != EDB_OK)
        report_fault("%s", edb_error_detail());
}

/* Puts its numbers as fast as it can while another does the same. */
static void compete(uint64_t first)
{
    edb_space *spaces[2];
    edb *db = open_waiting(0, spaces);
    for (uint64_t n = first; n < 10 * TURNS; n += 2)
        if (put_stamped(spaces[1], n) != EDB_OK)
            report_fault("%s", edb_error_detail());
    if (edb_close(db) != EDB_OK)
        report_fault("%s", edb_error_detail());
}

static int work(char **argv)
{
    uint64_t number = strtoull(argv[3], NULL, 10);
    worker_begin();
    snprintf(path, sizeof path, "%s", argv[2]);
    if (strcmp(argv[1], "hold") == 0)
        hold((uint32_t)number);
    else if (strcmp(argv[1], "turns") == 0)
        take_turns(number);
    else
        compete(number);
    return 0;
}

/* --------------------------------------------------------------------------------------- tests */

static void ignore(void *arg, const struct report *report)
{
    (void)arg;
    (void)report;
}

static void start(struct worker *worker, const char *what, const char *number)
{
    const char *const arguments[] = {what, path, number, NULL};
    worker_start(worker, NULL, arguments);
}

static void start_holder(struct worker *worker, const char *hold_ms)
{
    struct report report;
    start(worker, "hold", hold_ms);
    assert_true(worker_hear(worker, &report) && report.kind == REPORT_READY);
}

static void expect_good_end(struct worker *worker)
{
    int status = worker_wait(worker, ignore, NULL);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static uint64_t ms_since(uint64_t from_ns)
{
    return (report_now() - from_ns) / 1000000;
}

/* A put that must be refused, in time and in words. */
static void expect_busy(edb_space *space, const char *who)
{
    char number[16];
    uint64_t from = report_now();
    assert_int_equal(put_stamped(space, 7), EDB_BUSY);
    uint64_t waited = ms_since(from);
    assert_in_range(waited, WAIT_MS - 1, WAIT_MS + SLACK_MS);
    const char *detail = edb_error_detail();
    const char *said = strstr(detail, " ms");
    assert_non_null(strstr(detail, path));
    assert_non_null(strstr(detail, who));
    assert_non_null(said);
    snprintf(number, sizeof number, "%.*s", 3, said - 3);
    assert_in_range(strtoul(number, NULL, 10), WAIT_MS, WAIT_MS + SLACK_MS);
    assert_false(is_there(space, 7));
}

static int begin(void **state)
{
    edb_space *spaces[2];
    (void)state;
    place_open(place);
    snprintf(path, sizeof path, "%s/busy.edb", place);
    assert_int_equal(edb_close(open_waiting(0, spaces)), EDB_OK);
    return 0;
}

static int end(void **state)
{
    (void)state;
    place_close(place);
    return 0;
}

static void test_busy_names_file_wait_and_process(void **state)
{
    struct worker holder;
    edb_space *spaces[2];
    char who[32];
    (void)state;
    edb *db = open_waiting(WAIT_MS, spaces);
    start_holder(&holder, "0");
    snprintf(who, sizeof who, "pid %ld (", (long)holder.pid);
    expect_busy(spaces[1], who);
    uint64_t from = report_now();
    assert_true(worker_kill(&holder, ignore, NULL));
    assert_int_equal(put_stamped(spaces[1], 8), EDB_OK);
    printf("a put after the holder was killed: %" PRIu64 " ms\n", ms_since(from));
    assert_true(ms_since(from) < 1000);
    assert_int_equal(edb_close(db), EDB_OK);
}

static void test_waiting_is_rewarded(void **state)
{
    struct worker holder;
    edb_space *spaces[2];
    (void)state;
    edb *db = open_waiting(5000, spaces);
    start_holder(&holder, "200");
    uint64_t from = report_now();
    assert_int_equal(put_stamped(spaces[1], 9), EDB_OK);
    assert_in_range(ms_since(from), 100, 200 + 1000);
    expect_good_end(&holder);
    assert_true(is_there(spaces[1], 1));
    assert_int_equal(edb_close(db), EDB_OK);
}

static void test_two_handles_of_one_process(void **state)
{
    edb_space *spaces[2], *others[2];
    (void)state;
    edb *db = open_waiting(WAIT_MS, spaces);
    edb *other = open_waiting(WAIT_MS, others);
    assert_int_equal(db_write_begin(db, false), EDB_OK);
    expect_busy(others[1], "another handle of this process");
    expect_busy(spaces[1], "another thread of this process");
    db_write_end(db);
    assert_int_equal(put_stamped(others[1], 10), EDB_OK);
    assert_int_equal(put_stamped(spaces[1], 11), EDB_OK);
    assert_true(is_there(spaces[1], 10) && is_there(others[1], 11));
    assert_int_equal(edb_close(other), EDB_OK);
    assert_int_equal(put_stamped(spaces[1], 12), EDB_OK);
    assert_int_equal(edb_close(db), EDB_OK);
}

static void test_stopped_holder_holds_up_no_reader(void **state)
{
    struct worker holder;
    edb_space *spaces[2];
    (void)state;
    edb *db = open_waiting(WAIT_MS, spaces);
    assert_int_equal(put_stamped(spaces[1], 13), EDB_OK);
    start_holder(&holder, "1500");
    kill(holder.pid, SIGSTOP);
    expect_busy(spaces[1], "pid ");
    uint64_t from = report_now();
    edb *reader = open_waiting(WAIT_MS, spaces);
    assert_true(is_there(spaces[1], 13));
    assert_true(ms_since(from) < 200);
    assert_int_equal(edb_close(reader), EDB_OK);
    kill(holder.pid, SIGCONT);
    expect_good_end(&holder);
    assert_int_equal(edb_close(db), EDB_OK);
}

/* Stopped anywhere in the middle of its commits, a writer is waited for by no reader. */
static void test_stopped_writer_holds_up_no_reader(void **state)
{
    struct worker writer;
    edb_space *spaces[2];
    struct random_source random = seeded_random(__func__);
    size_t busy = 0;
    (void)state;
    struct history *history = history_open();
    edb *db = open_waiting(1, spaces);
    worker_start_writer(&writer, path, STAMPS_A_PROCESS, 0);
    for (int i = 0; i < STOPS; i++) {
        char key[STAMPED_KEY_BYTES];
        float vector[STAMPED_DIMS];
        usleep((useconds_t)(2000 + random_below(&random, 20000)));
        kill(writer.pid, SIGSTOP);
        uint64_t from = report_now();
        size_t bytes = stamped_key((uint32_t)random_below(&random, REGISTERS), 0, 0, key);
        edb_status status = edb_get(spaces[0], key, bytes, vector);
        assert_true(status == EDB_OK || status == EDB_NOT_FOUND);
        assert_true(ms_since(from) < 200);
        busy += edb_sync(db) == EDB_BUSY;
        kill(writer.pid, SIGCONT);
        assert_true(worker_listen(&writer, history_note, history));
    }
    assert_true(worker_kill(&writer, history_note, history));
    printf("stopped %d times, %zu times inside a commit\n", STOPS, busy);
    assert_true(busy > 0);
    assert_int_equal(edb_close(db), EDB_OK);
    history_close(history);
}

static void test_turns(void **state)
{
    struct worker a, b;
    edb_space *spaces[2];
    (void)state;
    uint64_t from = report_now();
    start(&a, "turns", "0");
    start(&b, "turns", "1");
    expect_good_end(&a);
    expect_good_end(&b);
    printf("%d durable commits in turn: %" PRIu64 " ms\n", TURNS, ms_since(from));
    edb *db = open_waiting(0, spaces);
    for (uint64_t n = 0; n < TURNS; n++)
        assert_true(is_there(spaces[1], n));
    assert_int_equal(edb_verify(db, NULL, NULL, NULL), EDB_OK);
    assert_int_equal(edb_close(db), EDB_OK);
}

static void test_competition(void **state)
{
    struct worker a, b;
    edb_space *spaces[2];
    edb_space_stats stats = {.struct_size = sizeof stats};
    (void)state;
    start(&a, "compete", "0");
    start(&b, "compete", "1");
    expect_good_end(&a);
    expect_good_end(&b);
    edb *db = open_waiting(0, spaces);
    for (uint64_t n = 0; n < 10 * TURNS; n++)
        assert_true(is_there(spaces[1], n));
    assert_int_equal(edb_space_stats_get(spaces[1], &stats), EDB_OK);
    assert_int_equal(stats.rows, 10 * TURNS);
    assert_int_equal(edb_close(db), EDB_OK);
}

#define fresh(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        fresh(test_busy_names_file_wait_and_process),
        fresh(test_waiting_is_rewarded),
        fresh(test_two_handles_of_one_process),
        fresh(test_stopped_holder_holds_up_no_reader),
        fresh(test_stopped_writer_holds_up_no_reader),
        fresh(test_turns),
        fresh(test_competition),
    };
    return argc == 4 ? work(argv) : cmocka_run_group_tests(tests, NULL, NULL);
}
