/* Every call of the system, and every allocation, fails in a repair and in a merge, once and for
 * ever. A repair that says EDB_OK has made the whole file, any other none, or all of it (EDB_IO at
 * the very end); the source is as it was. After a merge that failed the file is good, and merging
 * again gives the union. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "os/os_fault.h"
#include "os/os_sim.h"
#include "support/watch_case.h"

/* Last: it makes a macro of the name fail. */
#include <cmocka.h>

enum { KEYS = 90, BYTES_MAX = 1 << 20, CASE_SECONDS = 60 };

static const char *const old_name = "old.edb";
static const char *const new_name = "new.edb";
static uint8_t damaged[BYTES_MAX];
static size_t damaged_count;
static uint8_t other[BYTES_MAX];
static size_t other_count;

static edb *open_file(const char *name)
{
    edb *db;
    assert_int_equal(edb_open(name, NULL, &db), EDB_OK);
    return db;
}

/* Keys [first, last) of one space. */
static void fill(const char *name, int first, int last)
{
    edb_space_spec spec = EDB_SPACE_SPEC_INIT;
    edb_space *space;
    edb *db = open_file(name);
    spec.dims = 1;
    assert_int_equal(edb_space_open(db, &spec, &space), EDB_OK);
    for (int key = first; key < last; key++) {
        float value = (float)key;
        assert_int_equal(edb_put(space, &key, sizeof key, &value, NULL), EDB_OK);
    }
    assert_int_equal(edb_close(db), EDB_OK);
}

static size_t take(const char *name, uint8_t *out)
{
    uint64_t count;
    const uint8_t *bytes = os_sim_file(name, &count);
    assert_true(bytes != NULL && count <= BYTES_MAX);
    memcpy(out, bytes, (size_t)count);
    return (size_t)count;
}

/* How many of keys [0, KEYS) are there, each with its own value; the file verifies. */
static int count_keys(const char *name)
{
    edb *db = open_file(name);
    edb_space *space;
    int found = 0;
    if (edb_space_find(db, NULL, &space) == EDB_OK)
        for (int key = 0; key < KEYS; key++) {
            float value;
            edb_status status = edb_get(space, &key, sizeof key, &value);
            assert_true(status == EDB_NOT_FOUND || (status == EDB_OK && value == (float)key));
            found += status == EDB_OK;
        }
    assert_int_equal(edb_verify(db, NULL, NULL, NULL), EDB_OK);
    assert_int_equal(edb_close(db), EDB_OK);
    return found;
}

static void begin_machine(void)
{
    os_sim_begin(5);
    os_sim_record(false);
    os_sim_load(old_name, damaged, damaged_count);
    os_fault_begin(&os_sim);
    os_use(&os_fault);
}

/* Without faults from now on. */
static void end_faults(void)
{
    assert_int_equal(os_fault_open_files(), 0);
    assert_int_equal(os_sim_open_files(), 0);
    os_use(&os_sim);
}

/* --------------------------------------------------------------------------------------- repair */

static void judge_repair(edb_status status)
{
    uint64_t count;
    const uint8_t *bytes = os_sim_file(old_name, &count);
    assert_true(count == damaged_count && memcmp(bytes, damaged, damaged_count) == 0);
    bool made = os_sim_file(new_name, &count) != NULL;
    if (status == EDB_OK)
        assert_true(made);
    else
        assert_true(!made || status == EDB_IO);
    if (made)
        assert_int_equal(count_keys(new_name), KEYS - 1);
}

static uint64_t play_repair(const struct os_fault_plan *plan, size_t allocation)
{
    begin_machine();
    os_fault_arm(plan);
    (void)memory_fail_at(allocation, plan->for_ever);
    edb_status status = edb_repair(old_name, new_name, NULL, NULL);
    uint64_t made = memory_fail_at(0, 0);
    uint64_t strikes = plan->number > 0 ? os_fault_strikes() : made >= allocation;
    end_faults();
    judge_repair(status);
    return strikes;
}

/* ---------------------------------------------------------------------------------------- merge */

static uint64_t play_merge(const struct os_fault_plan *plan, size_t allocation)
{
    edb *into;
    edb *from;
    begin_machine();
    os_sim_load("into.edb", other, other_count);
    assert_int_equal(edb_repair(old_name, "from.edb", NULL, NULL), EDB_OK);
    into = open_file("into.edb");
    from = open_file("from.edb");
    os_fault_arm(plan);
    (void)memory_fail_at(allocation, plan->for_ever);
    edb_status status = edb_merge(into, from, NULL, NULL);
    uint64_t made = memory_fail_at(0, 0);
    uint64_t strikes = plan->number > 0 ? os_fault_strikes() : made >= allocation;
    os_fault_arm(&(struct os_fault_plan){OS_FAULT_ANY, OS_FAULT_IO, 0, false});
    (void)edb_close(into);
    (void)edb_close(from);
    end_faults();
    int before = count_keys("into.edb");
    assert_true(status != EDB_OK || before == KEYS - 1);
    into = open_file("into.edb");
    from = open_file("from.edb");
    assert_int_equal(edb_merge(into, from, NULL, NULL), EDB_OK);
    assert_int_equal(edb_close(into), EDB_OK);
    assert_int_equal(edb_close(from), EDB_OK);
    assert_int_equal(count_keys("into.edb"), KEYS - 1);
    return strikes;
}

/* -------------------------------------------------------------------------------------- playing */

typedef uint64_t play(const struct os_fault_plan *plan, size_t allocation);

static void fail_each(play *play_once, const char *what)
{
    uint64_t plays = 0;
    watch_case_begin(what, CASE_SECONDS);
    for (int kind = 0; kind < OS_FAULT_KINDS; kind++)
        for (int for_ever = 0; for_ever < 2; for_ever++) {
            struct os_fault_plan plan = {OS_FAULT_ANY, (enum os_fault_kind)kind, 1, for_ever != 0};
            for (uint64_t strikes = 1; strikes > 0; plan.number++, plays++) {
                watch_case("call", plan.number, (unsigned)(2 * kind + for_ever));
                strikes = play_once(&plan, 0);
            }
        }
    for (int for_ever = 0; for_ever < 2; for_ever++) {
        struct os_fault_plan none = {OS_FAULT_ANY, OS_FAULT_IO, 0, for_ever != 0};
        uint64_t strikes = 1;
        for (size_t allocation = 1; strikes > 0; allocation++, plays++) {
            watch_case("allocation", allocation, (unsigned)for_ever);
            strikes = play_once(&none, allocation);
        }
    }
    watch_case_end();
    printf("%s: %llu plays\n", what, (unsigned long long)plays);
    assert_true(plays > 100);
}

static void test_repair_fails_everywhere(void **state)
{
    (void)state;
    fail_each(play_repair, "repair");
}

static void test_merge_fails_everywhere(void **state)
{
    (void)state;
    fail_each(play_merge, "merge");
}

/* One vector of the file is damaged; the other file has a part of the keys. */
static int begin(void **state)
{
    (void)state;
    os_use(&os_sim);
    os_sim_begin(1);
    fill(old_name, 0, KEYS);
    fill("into.edb", 0, KEYS / 3);
    damaged_count = take(old_name, damaged);
    other_count = take("into.edb", other);
    const float last = (float)(KEYS - 1);
    for (size_t at = 0; at + sizeof last <= damaged_count; at += sizeof last)
        if (memcmp(damaged + at, &last, sizeof last) == 0) {
            damaged[at] ^= 1;
            return 0;
        }
    return -1;
}

static int end(void **state)
{
    (void)state;
    os_use(&os_posix);
    os_sim_end();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_repair_fails_everywhere),
        cmocka_unit_test(test_merge_fails_everywhere),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
