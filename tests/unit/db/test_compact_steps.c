/* A compaction in steps, driven by the calls of a writer: whatever is written between any two steps
 * comes along, each step is small, and one that is left, given up, taken over or overtaken leaves a
 * cache in which all goes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "db/db_compact.h"
#include "os/os_sim.h"
#include "support/kept_cache.h"
#include "support/temporary_place.h"
#include "unit/base/seeded_random.h"

/* Last: it makes a macro of the name fail. */
#include <cmocka.h>

enum {
    STEPS_MAX = 10000,
    LARGE_ROWS = 30000,
    LARGE_AT_ONCE = 1000,
    LARGE_DIMS = 256,
    STEP_MS = 50,
    WRITTEN_IN_A_MS = 256 << 10, /* a batch takes 16 */
    STEP_BYTES_MAX = 10 << 20, /* that a step writes: a batch of 4 MiB, twice that and its index */
};

static const char path[] = "steps.edb";
static struct random_source source;
static struct kept_cache kept;
static struct os_io watched; /* os_sim, but for what is counted */
static char temporary[OS_SIM_NAME_BYTES];
static uint64_t written; /* bytes, since it was set to zero */
static uint64_t all_written;
static char place[PLACE_BYTES];
static char real_path[PLACE_BYTES + 16];
static edb *db;

static edb_status count_write(struct os_file *file, uint64_t offset, const struct os_span *spans,
                              size_t count)
{
    for (size_t i = 0; i < count; i++) {
        written += spans[i].count;
        all_written += spans[i].count;
    }
    return os_sim.write(file, offset, spans, count);
}

static edb_status note_temporary(const char *beside, uint32_t mode, struct os_file **file_out,
                                 char **name_out)
{
    edb_status status = os_sim.create_temporary(beside, mode, file_out, name_out);
    if (status == EDB_OK)
        snprintf(temporary, sizeof temporary, "%s", *name_out);
    return status;
}

static int begin(void **state)
{
    (void)state;
    os_sim_begin(11);
    os_sim_record(false);
    watched = os_sim;
    watched.write = count_write;
    watched.create_temporary = note_temporary;
    os_use(&watched);
    assert_int_equal(edb_open(path, NULL, &db), EDB_OK);
    kept_cache_begin(&kept, db);
    kept_cache_fill(&kept, db, &source);
    temporary[0] = '\0';
    return 0;
}

static int end(void **state)
{
    (void)state;
    assert_int_equal(edb_close(db), EDB_OK);
    bool all_closed = os_sim_open_files() == 0;
    os_use(&os_posix);
    os_sim_end();
    return all_closed ? 0 : -1;
}

static void check_ok(const char *what, edb_status status)
{
    if (status != EDB_OK)
        fail_msg("%s: %s: %s", what, edb_status_name(status), edb_error_detail());
}

/* One piece. */
static bool step(edb *by)
{
    bool done;
    check_ok("step", db_compaction_step(by, 0, &done));
    return done;
}

/* At most `count` pieces; how many there were until it was done. */
static int step_on(edb *by, int count)
{
    for (int i = 0; i < count; i++)
        if (step(by))
            return i + 1;
    return count;
}

static bool temporary_is_there(void)
{
    uint64_t count;
    return temporary[0] != '\0' && os_sim_file(temporary, &count) != NULL;
}

/* ---------------------------------------------------------------------------------- all the way */

/* A change, a check by a reader, and now and then a sync or a space's first row, between all
 * steps. */
static void test_commits_between_all_steps(void **state)
{
    (void)state;
    edb *other;
    assert_int_equal(edb_open(path, NULL, &other), EDB_OK);
    for (uint64_t round = 1; round <= 3; round++) {
        int steps = 0;
        check_ok("begin", db_compaction_begin(db));
        for (bool done = false; !done; steps++) {
            kept_cache_change(&kept, steps % 3 == 0 ? other : db, &source, 2);
            if (steps == 3)
                kept_cache_put(&kept, db, KEPT_EMPTY, 5);
            if (steps % 4 == 0)
                check_ok("sync", edb_sync(db));
            assert_true(steps < STEPS_MAX);
            done = step(db);
            kept_cache_check(&kept, steps % 2 == 0 ? other : db);
        }
        assert_true(steps > 20);
        assert_false(db_compaction_is_open(db));
        kept_cache_check(&kept, db);
        kept_cache_check(&kept, other);
        assert_int_equal(db->store->genesis.edition, round);
    }
    assert_int_equal(edb_close(other), EDB_OK);
    assert_int_equal(edb_close(db), EDB_OK);
    assert_int_equal(edb_open(path, NULL, &db), EDB_OK);
    kept_cache_check(&kept, db);
}

/* With time enough one step does everything. */
static void test_a_step_goes_on_until_its_time(void **state)
{
    bool done;
    (void)state;
    check_ok("begin", db_compaction_begin(db));
    check_ok("step", db_compaction_step(db, UINT64_MAX, &done));
    assert_true(done);
    kept_cache_check(&kept, db);
}

static void put_large(edb_space *space)
{
    static float vectors[LARGE_AT_ONCE][LARGE_DIMS];
    static char names[LARGE_AT_ONCE][8];
    static edb_key keys[LARGE_AT_ONCE];
    for (int first = 0; first < LARGE_ROWS; first += LARGE_AT_ONCE) {
        for (int i = 0; i < LARGE_AT_ONCE; i++) {
            snprintf(names[i], sizeof names[i], "%06d", first + i);
            keys[i] = (edb_key){names[i], 6};
            vectors[i][0] = (float)(first + i);
        }
        check_ok("put", edb_put_many(space, keys, LARGE_AT_ONCE, vectors[0], NULL, NULL));
    }
}

/* How long a step takes is the machine's; how much it writes is not. */
static void test_each_step_is_small(void **state)
{
    edb_space *space;
    edb_space_spec spec = EDB_SPACE_SPEC_INIT;
    uint64_t most = 0;
    uint64_t all = 0;
    (void)state;
    spec.name = "large";
    spec.dims = LARGE_DIMS;
    check_ok("space", edb_space_open(db, &spec, &space));
    put_large(space);
    check_ok("begin", db_compaction_begin(db));
    for (bool done = false; !done; all += written) {
        written = 0;
        done = step(db);
        most = written > most ? written : most;
    }
    assert_true(all > (uint64_t)LARGE_ROWS * LARGE_DIMS * 4);
    assert_true(most <= STEP_BYTES_MAX);
    kept_cache_check(&kept, db);
}

/* A machine on which nothing takes time but writing. */
static uint64_t time_of_writing(void)
{
    return all_written / WRITTEN_IN_A_MS;
}

/* A step has an end: what would go past it by more than is usual is not begun. */
static void test_a_step_ends_in_time(void **state)
{
    edb_space *space;
    edb_space_spec spec = EDB_SPACE_SPEC_INIT;
    int full = 0;
    bool done = false;
    (void)state;
    spec.name = "large";
    spec.dims = LARGE_DIMS;
    check_ok("space", edb_space_open(db, &spec, &space));
    put_large(space);
    watched.monotonic_ms = time_of_writing;
    check_ok("begin", db_compaction_begin(db));
    while (!done) {
        uint64_t began = time_of_writing();
        check_ok("step", db_compaction_step(db, began + STEP_MS, &done));
        uint64_t took = time_of_writing() - began;
        assert_true(took <= STEP_MS + STEP_MS / 10);
        full += took >= STEP_MS / 2;
    }
    assert_true(full >= 2); /* nor does it end long before */
    kept_cache_check(&kept, db);
}

/* ------------------------------------------------------------------------------- not to its end */

/* Given up after any number of steps. */
static void test_given_up(void **state)
{
    (void)state;
    bool went_through = false;
    for (int count = 0; !went_through; count++) {
        check_ok("begin", db_compaction_begin(db));
        went_through = step_on(db, count) < count;
        db_compaction_abandon(db);
        assert_false(db_compaction_is_open(db));
        assert_false(!went_through && temporary_is_there());
        assert_int_equal(os_sim_open_files(), 1);
        kept_cache_change(&kept, db, &source, 3);
        kept_cache_check(&kept, db);
        assert_true(count < STEPS_MAX);
    }
    check_ok("compact", edb_compact(db, NULL, NULL));
    kept_cache_check(&kept, db);
}

/* The handle is closed meanwhile. */
static void test_closed(void **state)
{
    (void)state;
    for (int count = 0; count < 40; count += 3) {
        check_ok("begin", db_compaction_begin(db));
        (void)step_on(db, count);
        kept_cache_change(&kept, db, &source, 3);
        assert_int_equal(edb_close(db), EDB_OK);
        assert_false(count < 10 && temporary_is_there());
        assert_int_equal(os_sim_open_files(), 0);
        assert_int_equal(edb_open(path, NULL, &db), EDB_OK);
        kept_cache_check(&kept, db);
    }
}

/* edb_compact goes on where the steps stopped. */
static void test_taken_over_by_a_whole_one(void **state)
{
    (void)state;
    uint64_t edition = 0;
    for (int count = 0; count < 40; count += 3) {
        edb_compact_report report = {.struct_size = sizeof report};
        check_ok("begin", db_compaction_begin(db));
        if (step_on(db, count) < count) {
            edition++;
            continue;
        }
        kept_cache_change(&kept, db, &source, 3);
        written = 0;
        check_ok("compact", edb_compact(db, NULL, &report));
        assert_int_equal(db->store->genesis.edition, ++edition);
        assert_false(db_compaction_is_open(db));
        assert_true(report.rows > 0 && report.bytes_after > 0);
        kept_cache_check(&kept, db);
    }
}

/* ---------------------------------------------------------------------------- who is in the way */

static void test_one_of_a_handle(void **state)
{
    bool done;
    edb *other;
    (void)state;
    assert_int_equal(edb_open(path, NULL, &other), EDB_OK);
    assert_int_equal(db_compaction_step(db, 0, &done), EDB_INVALID);
    check_ok("begin", db_compaction_begin(db));
    assert_int_equal(db_compaction_begin(db), EDB_BUSY);
    assert_true(db_compaction_is_open(db));
    assert_false(db_compaction_is_open(other));
    (void)step_on(db, 5);
    db_compaction_abandon(db);
    check_ok("begin", db_compaction_begin(other));
    db_compaction_abandon(other);
    check_ok("compact", edb_compact(other, NULL, NULL));
    kept_cache_check(&kept, db);
    assert_int_equal(edb_close(other), EDB_OK);
}

/* Nobody waits for who holds the writer lock; the last step comes when it is free. */
static void test_a_writer_is_not_waited_for(void **state)
{
    edb *other;
    (void)state;
    assert_int_equal(edb_open(path, NULL, &other), EDB_OK);
    check_ok("lock", db_write_begin(other, false));
    uint64_t began = os_sim.monotonic_ms();
    assert_int_equal(db_compaction_begin(db), EDB_BUSY);
    db_write_end(other);
    check_ok("begin", db_compaction_begin(db));
    check_ok("lock", db_write_begin(other, false));
    assert_int_equal(step_on(db, 200), 200);
    assert_true(os_sim.monotonic_ms() - began < 100);
    db_write_end(other);
    kept_cache_change(&kept, other, &source, 5);
    assert_true(step_on(db, 10) < 10);
    kept_cache_check(&kept, db);
    kept_cache_check(&kept, other);
    assert_int_equal(edb_close(other), EDB_OK);
}

/* Another cache took the name, by hand. */
static void test_another_file_at_the_path(void **state)
{
    bool done;
    edb *stranger;
    (void)state;
    check_ok("begin", db_compaction_begin(db));
    (void)step_on(db, 8);
    assert_int_equal(edb_open("stranger.edb", NULL, &stranger), EDB_OK);
    assert_int_equal(edb_close(stranger), EDB_OK);
    assert_int_equal(os_sim.replace("stranger.edb", path), EDB_OK);
    edb_status status = EDB_OK;
    for (int i = 0; i < STEPS_MAX && status == EDB_OK; i++)
        status = db_compaction_step(db, 0, &done);
    assert_int_equal(status, EDB_STALE);
    assert_false(db_compaction_is_open(db));
    assert_false(temporary_is_there());
    assert_int_equal(edb_compact(db, NULL, NULL), EDB_STALE);
    assert_int_equal(edb_close(db), EDB_STALE);
    assert_int_equal(edb_open(path, NULL, &db), EDB_OK);
}

/* In real files, for those of the simulated machine are small. */
static int begin_real(void **state)
{
    (void)state;
    os_use(&os_posix);
    place_open(place);
    snprintf(real_path, sizeof real_path, "%s/real.edb", place);
    assert_int_equal(edb_open(real_path, NULL, &db), EDB_OK);
    kept_cache_begin(&kept, db);
    kept_cache_fill(&kept, db, &source);
    return 0;
}

static int end_real(void **state)
{
    (void)state;
    assert_int_equal(edb_close(db), EDB_OK);
    os_use(&os_posix);
    place_close(place);
    return 0;
}

/* Another handle puts a value again and again, as long as it is told to. */
static struct flood {
    edb *other;
    edb_space *space;
    char *value;
    size_t bytes;
    bool pours;
    int puts;
} flood;

enum {
    FLOOD_MAX = 600,
    MORE_THAN_A_ROUND_LEAVES = 5 << 18,   /* when the lock is asked for */
    MORE_THAN_THE_LOCK_IS_FOR = 17 << 20, /* when it has come */
};

static int pour(void *arg, uint64_t rows, uint64_t total)
{
    edb_put_options options = EDB_PUT_OPTIONS_INIT;
    (void)arg;
    (void)rows;
    (void)total;
    if (flood.space == NULL)
        return 0;
    flood.pours = true;
    options.value_bytes = flood.bytes;
    check_ok("put", edb_put(flood.space, "flood", 5, flood.value, &options));
    flood.pours = false;
    return ++flood.puts > FLOOD_MAX;
}

/* While a round is synced, and before the lock is asked for. */
static void pour_in_between(void)
{
    if (atomic_load(&db->compacting) && atomic_load(&db->writer) == NULL && !flood.pours)
        (void)pour(NULL, 0, 0);
}

static edb_status pour_and_sync(struct os_file *file)
{
    pour_in_between();
    return os_posix.sync(file);
}

static edb_status pour_and_lock(struct os_file *file, enum os_lock lock)
{
    if (lock == OS_LOCK_WRITER)
        pour_in_between();
    return os_posix.try_lock(file, lock);
}

static void begin_flood(size_t bytes)
{
    edb_space *space;
    edb_space_spec spec = EDB_SPACE_SPEC_INIT;
    assert_int_equal(edb_open(real_path, NULL, &flood.other), EDB_OK);
    spec.name = "flood";
    check_ok("space", edb_space_open(flood.other, &spec, &space));
    flood.value = calloc(bytes, 1);
    flood.bytes = bytes;
    flood.puts = 0;
    flood.space = space;
}

static void check_refused(edb_status status)
{
    edb_space *space;
    assert_int_equal(status, EDB_BUSY);
    assert_non_null(strstr(edb_error_detail(), "faster than the copy"));
    assert_true(flood.puts < FLOOD_MAX);
    check_ok("delete", edb_delete(flood.space, "flood", 5));
    flood.space = NULL;
    assert_int_equal(edb_close(flood.other), EDB_OK);
    free(flood.value);
    check_ok("compact", edb_compact(db, NULL, NULL));
    check_ok("space", edb_space_find(db, "flood", &space));
    assert_int_equal(edb_contains(space, "flood", 5), EDB_NOT_FOUND);
    assert_int_equal(db->store->genesis.edition, 1);
}

static void watch_real(void)
{
    assert_int_equal(edb_close(db), EDB_OK);
    os_use(&watched);
    assert_int_equal(edb_open(real_path, NULL, &db), EDB_OK);
}

/* Each round leaves what came while it was copied, and while it was synced. */
static void test_writers_that_are_faster(void **state)
{
    edb_compact_options options = EDB_COMPACT_OPTIONS_INIT;
    (void)state;
    watched = os_posix;
    watched.sync = pour_and_sync;
    watch_real();
    begin_flood(MORE_THAN_A_ROUND_LEAVES);
    options.progress = pour;
    check_refused(edb_compact(db, &options, NULL));
    assert_true(flood.puts > 50);
}

static void test_writers_that_are_faster_at_the_end(void **state)
{
    (void)state;
    watched = os_posix;
    watched.try_lock = pour_and_lock;
    watch_real();
    begin_flood(MORE_THAN_THE_LOCK_IS_FOR);
    check_refused(edb_compact(db, NULL, NULL));
    assert_true(flood.puts > 5);
}

/* ----------------------------------------------------------------------------------------- fork */

/* The child of a fork closes its copy of the handle: the parent's compaction goes on. */
static void test_fork(void **state)
{
    bool done;
    int child_status;
    edb *other;
    (void)state;
    check_ok("begin", db_compaction_begin(db));
    (void)step_on(db, 15);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        bool refused =
            db_compaction_step(db, 0, &done) == EDB_FORKED && db_compaction_begin(db) == EDB_FORKED;
        _exit(refused && edb_close(db) == EDB_OK ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &child_status, 0), child);
    assert_true(WIFEXITED(child_status) && WEXITSTATUS(child_status) == 0);
    assert_int_equal(edb_open(real_path, NULL, &other), EDB_OK);
    assert_int_equal(db_compaction_begin(other), EDB_BUSY); /* its file is the parent's still */
    assert_int_equal(edb_close(other), EDB_OK);
    check_ok("step", db_compaction_step(db, UINT64_MAX, &done));
    assert_true(done);
    kept_cache_check(&kept, db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_commits_between_all_steps, begin, end),
        cmocka_unit_test_setup_teardown(test_a_step_goes_on_until_its_time, begin, end),
        cmocka_unit_test_setup_teardown(test_each_step_is_small, begin, end),
        cmocka_unit_test_setup_teardown(test_a_step_ends_in_time, begin, end),
        cmocka_unit_test_setup_teardown(test_given_up, begin, end),
        cmocka_unit_test_setup_teardown(test_closed, begin, end),
        cmocka_unit_test_setup_teardown(test_taken_over_by_a_whole_one, begin, end),
        cmocka_unit_test_setup_teardown(test_one_of_a_handle, begin, end),
        cmocka_unit_test_setup_teardown(test_a_writer_is_not_waited_for, begin, end),
        cmocka_unit_test_setup_teardown(test_another_file_at_the_path, begin, end),
        cmocka_unit_test_setup_teardown(test_writers_that_are_faster, begin_real, end_real),
        cmocka_unit_test_setup_teardown(test_writers_that_are_faster_at_the_end, begin_real,
                                        end_real),
        cmocka_unit_test_setup_teardown(test_fork, begin_real, end_real),
    };
    source = seeded_random("test_compact_steps");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
