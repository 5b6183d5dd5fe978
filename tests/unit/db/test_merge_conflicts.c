/* edb_merge: the union of two files, whichever record of a key counts; what is refused writes
 * nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "os/os_sim.h"
#include "support/kept_cache.h"

/* Last: it makes a macro of the name fail. */
#include <cmocka.h>

static edb *into;
static edb *from;

static edb *open_file(const char *name)
{
    edb *db;
    assert_int_equal(edb_open(name, NULL, &db), EDB_OK);
    return db;
}

static edb_space *space_of(edb *db, const char *name, uint32_t dims)
{
    edb_space_spec spec = EDB_SPACE_SPEC_INIT;
    edb_space *space;
    spec.name = name;
    spec.dims = dims;
    assert_int_equal(edb_space_open(db, &spec, &space), EDB_OK);
    return space;
}

/* At a time of the calendar. */
static void put_at(edb *db, uint64_t seconds, const char *key, float value)
{
    os_sim_set_calendar(OS_SIM_CALENDAR_S + seconds);
    assert_int_equal(edb_put(space_of(db, "docs", 1), key, strlen(key), &value, NULL), EDB_OK);
}

static float value_of(edb *db, const char *key)
{
    float value = -1;
    edb_status status = edb_get(space_of(db, "docs", 1), key, strlen(key), &value);
    assert_true(status == EDB_OK || status == EDB_NOT_FOUND);
    return status == EDB_OK ? value : -1;
}

static edb_merge_report merge(uint32_t on_conflict, uint32_t dry_run)
{
    edb_merge_options options = EDB_MERGE_OPTIONS_INIT;
    edb_merge_report report = {.struct_size = sizeof report};
    options.on_conflict = on_conflict;
    options.dry_run = dry_run;
    edb_status status = edb_merge(into, from, &options, &report);
    if (status != EDB_OK)
        fail_msg("%s: %s", edb_status_name(status), edb_error_detail());
    assert_int_equal(edb_verify(into, NULL, NULL, NULL), EDB_OK);
    return report;
}

static void make_conflicts(void)
{
    put_at(into, 10, "ours", 1);
    put_at(into, 10, "same", 2);
    put_at(into, 20, "older there", 3);
    put_at(into, 10, "newer there", 4);
    put_at(into, 30, "same time", 5);
    put_at(from, 15, "theirs", 11);
    put_at(from, 15, "same", 2);
    put_at(from, 15, "older there", 13);
    put_at(from, 15, "newer there", 14);
    put_at(from, 30, "same time", 15);
}

static void test_newest(void **state)
{
    (void)state;
    make_conflicts();
    edb_merge_report dry = merge(EDB_CONFLICT_NEWEST, 1);
    assert_true(value_of(into, "theirs") == -1);
    edb_merge_report report = merge(EDB_CONFLICT_NEWEST, 0);
    assert_memory_equal(&dry, &report, sizeof report);
    assert_int_equal(report.added, 1);
    assert_int_equal(report.replaced, 2);
    assert_int_equal(report.kept, 1);
    assert_int_equal(report.equal, 1);
    assert_true(value_of(into, "ours") == 1 && value_of(into, "theirs") == 11);
    assert_true(value_of(into, "older there") == 3 && value_of(into, "newer there") == 14);
    assert_true(value_of(into, "same time") == 15 && value_of(into, "same") == 2);
    report = merge(EDB_CONFLICT_NEWEST, 0);
    assert_int_equal(report.added + report.replaced, 0);
    assert_int_equal(report.equal, 4);
}

/* An older record that went in keeps its time: who comes with a newer one wins. */
static void test_the_time_of_the_put_comes_along(void **state)
{
    (void)state;
    edb_view view;
    put_at(from, 100, "key", 1);
    os_sim_set_calendar(OS_SIM_CALENDAR_S + 5000);
    (void)merge(EDB_CONFLICT_NEWEST, 0);
    assert_int_equal(edb_view_key(space_of(into, "docs", 1), "key", 3, &view), EDB_OK);
    assert_true(view.put_s >= OS_SIM_CALENDAR_S + 100 && view.put_s < OS_SIM_CALENDAR_S + 200);
    edb_view_release(&view);
}

static void test_keep(void **state)
{
    (void)state;
    make_conflicts();
    edb_merge_report report = merge(EDB_CONFLICT_KEEP, 0);
    assert_int_equal(report.added, 1);
    assert_int_equal(report.kept, 3);
    assert_true(value_of(into, "newer there") == 4 && value_of(into, "theirs") == 11);
}

static void unchanged_by(edb *other, uint32_t on_conflict, edb_status wanted, const char *sentence)
{
    edb_merge_options options = EDB_MERGE_OPTIONS_INIT;
    edb_stats before = {.struct_size = sizeof before};
    edb_stats after = {.struct_size = sizeof after};
    options.on_conflict = on_conflict;
    assert_int_equal(edb_stats_get(into, &before), EDB_OK);
    assert_int_equal(edb_merge(into, other, &options, NULL), wanted);
    if (strstr(edb_error_detail(), sentence) == NULL)
        fail_msg("'%s' lacks '%s'", edb_error_detail(), sentence);
    assert_int_equal(edb_stats_get(into, &after), EDB_OK);
    assert_int_equal(after.sequence, before.sequence);
}

static void test_refuse(void **state)
{
    (void)state;
    make_conflicts();
    (void)space_of(from, "absent", 2);
    unchanged_by(from, EDB_CONFLICT_REFUSE, EDB_MISMATCH, "key 'older there' of space 'docs'");
    unchanged_by(into, EDB_CONFLICT_NEWEST, EDB_INVALID, "are the same file");
    unchanged_by(from, 3, EDB_INVALID, "on_conflict 3");
    edb *again = open_file("into.edb");
    unchanged_by(again, EDB_CONFLICT_NEWEST, EDB_INVALID, "are the same file");
    assert_int_equal(edb_close(again), EDB_OK);
    assert_int_equal(edb_delete(space_of(from, "docs", 1), "older there", 11), EDB_OK);
    assert_int_equal(edb_delete(space_of(from, "docs", 1), "newer there", 11), EDB_OK);
    assert_int_equal(edb_delete(space_of(from, "docs", 1), "same time", 9), EDB_OK);
    edb_merge_report report = merge(EDB_CONFLICT_REFUSE, 0);
    assert_int_equal(report.added, 1);
    assert_int_equal(report.spaces, 1);
}

static void test_another_spec(void **state)
{
    (void)state;
    put_at(from, 1, "key", 1);
    (void)space_of(from, "same name", 3);
    (void)space_of(into, "same name", 4);
    unchanged_by(from, EDB_CONFLICT_NEWEST, EDB_MISMATCH,
                 "space 'same name' has 4 dimensions, not 3");
    assert_int_equal(edb_space_find(into, "docs", &(edb_space *){NULL}), EDB_NOT_FOUND);
}

static void test_what_stands_beside_a_vector(void **state)
{
    (void)state;
    edb_put_options options = EDB_PUT_OPTIONS_INIT;
    edb_view view;
    char *json;
    const float value = 3;
    options.text = "a text";
    options.metadata_json = "{\"n\":[1,2]}";
    options.expiry_s = OS_SIM_CALENDAR_S + 100000;
    options.cost = 77;
    options.pinned = 1;
    edb_space *space = space_of(from, "docs", 1);
    assert_int_equal(edb_put(space, "key", 3, &value, &options), EDB_OK);
    options.expiry_s = OS_SIM_CALENDAR_S + 10;
    assert_int_equal(edb_put(space, "gone", 4, &value, &options), EDB_OK);
    assert_int_equal(edb_put(space_of(into, "docs", 1), "old", 3, &value, &options), EDB_OK);
    put_at(from, 1, "old", 8);
    os_sim_set_calendar(OS_SIM_CALENDAR_S + 1000);
    edb_merge_report report = merge(EDB_CONFLICT_KEEP, 0);
    assert_int_equal(report.added, 2); /* over an expired one, too */
    assert_true(value_of(into, "old") == 8 && value_of(into, "gone") == -1);
    assert_int_equal(edb_view_key(space_of(into, "docs", 1), "key", 3, &view), EDB_OK);
    assert_string_equal(view.text, "a text");
    assert_int_equal(view.expiry_s, OS_SIM_CALENDAR_S + 100000);
    assert_int_equal(view.cost, 77);
    assert_int_equal(view.pinned, 1);
    assert_int_equal(edb_view_metadata_json(&view, &json), EDB_OK);
    assert_string_equal(json, "{\"n\":[1,2]}");
    edb_free(json);
    edb_view_release(&view);
}

/* Digests of two kinds, opaque values, many keys: all of it is found by its key, also in batches
 * that are cut by their number. */
static void test_spaces_of_every_kind(void **state)
{
    (void)state;
    static struct kept_cache kept;
    struct random_source random = {3};
    memset(&kept, 0, sizeof kept);
    kept_cache_begin(&kept, from);
    kept_cache_fill(&kept, from, &random);
    edb_space *many = space_of(from, "many", 1);
    for (int i = 0; i < 10000; i++) {
        float value = (float)i;
        assert_int_equal(edb_put(many, &i, sizeof i, &value, NULL), EDB_OK);
    }
    edb_merge_report report = merge(EDB_CONFLICT_NEWEST, 0);
    uint64_t live = 10000;
    for (int space = 0; space < KEPT_SPACES; space++)
        live += kept_cache_live(&kept, space);
    assert_int_equal(report.added, live);
    assert_int_equal(report.spaces, KEPT_SPACES + 1);
    edb *kept_from = from;
    from = into;
    into = kept_from;
    report = merge(EDB_CONFLICT_REFUSE, 0); /* the other way: nothing differs */
    assert_int_equal(report.equal, live);
    assert_int_equal(report.added + report.spaces, 0);
}

static int stop(void *arg, uint64_t done, uint64_t total)
{
    *(uint64_t *)arg = done;
    assert_true(done <= total);
    return 1;
}

static void test_cancelled(void **state)
{
    (void)state;
    edb_merge_options options = EDB_MERGE_OPTIONS_INIT;
    uint64_t done = 0;
    put_at(from, 1, "key", 1);
    options.progress = stop;
    options.arg = &done;
    assert_int_equal(edb_merge(into, from, &options, NULL), EDB_CANCELLED);
    assert_int_equal(done, 1);
    assert_true(value_of(into, "key") == 1);
}

static void test_marks_of_imports_stay_out(void **state)
{
    (void)state;
    (void)space_of(from, "embedcache.imports", 0);
    edb_merge_report report = merge(EDB_CONFLICT_NEWEST, 0);
    assert_int_equal(report.spaces, 0);
}

static int begin(void **state)
{
    (void)state;
    os_use(&os_sim);
    os_sim_begin(1);
    into = open_file("into.edb");
    from = open_file("from.edb");
    return 0;
}

static int end(void **state)
{
    (void)state;
    int failed = edb_close(into) != EDB_OK || edb_close(from) != EDB_OK;
    os_use(&os_posix);
    os_sim_end();
    return failed;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_newest, begin, end),
        cmocka_unit_test_setup_teardown(test_the_time_of_the_put_comes_along, begin, end),
        cmocka_unit_test_setup_teardown(test_keep, begin, end),
        cmocka_unit_test_setup_teardown(test_refuse, begin, end),
        cmocka_unit_test_setup_teardown(test_another_spec, begin, end),
        cmocka_unit_test_setup_teardown(test_what_stands_beside_a_vector, begin, end),
        cmocka_unit_test_setup_teardown(test_spaces_of_every_kind, begin, end),
        cmocka_unit_test_setup_teardown(test_cancelled, begin, end),
        cmocka_unit_test_setup_teardown(test_marks_of_imports_stay_out, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
