/* A compaction in steps that stands idle holds nobody up: others compact the file meanwhile, and it
 * is given up at its next step, with its temporary file and nothing else. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
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
    STRIDE = 5, /* of the places where it is left idle, in steps */
};

static const char path[] = "idle.edb";
static struct random_source source;
static struct kept_cache kept;
static struct os_io watched;             /* os_sim, but for what is noted */
static char newest[OS_SIM_NAME_BYTES];   /* temporary file */
static char idle_one[OS_SIM_NAME_BYTES]; /* that of the idle compaction; "": it has none yet */
static edb *db;
static edb *other;
static const struct os_file *moving_from; /* that `db` is about to leave */

static edb_status note_temporary(const char *beside, uint32_t mode, struct os_file **file_out,
                                 char **name_out)
{
    edb_status status = os_sim.create_temporary(beside, mode, file_out, name_out);
    if (status == EDB_OK)
        snprintf(newest, sizeof newest, "%s", *name_out);
    return status;
}

static int begin(void **state)
{
    (void)state;
    os_sim_begin(12);
    os_sim_record(false);
    watched = os_sim;
    os_use(&watched);
    assert_int_equal(edb_open(path, NULL, &db), EDB_OK);
    assert_int_equal(edb_open(path, NULL, &other), EDB_OK);
    kept_cache_begin(&kept, db);
    kept_cache_fill(&kept, db, &source);
    watched.create_temporary = note_temporary;
    newest[0] = '\0';
    return 0;
}

static int end(void **state)
{
    (void)state;
    assert_int_equal(edb_close(db), EDB_OK);
    assert_int_equal(edb_close(other), EDB_OK);
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

static void check_both(void)
{
    kept_cache_check(&kept, db);
    kept_cache_check(&kept, other);
}

static bool is_there(const char *name)
{
    uint64_t count;
    return name[0] != '\0' && os_sim_file(name, &count) != NULL;
}

static bool step_once(edb *by)
{
    bool done;
    check_ok("step", db_compaction_step(by, 0, &done));
    return done;
}

/* Begins one, does `count` steps, and leaves it; false: it came to its end before. */
static bool leave_idle(edb *by, int count)
{
    newest[0] = '\0';
    check_ok("begin", db_compaction_begin(by));
    for (int i = 0; i < count; i++)
        if (step_once(by))
            return false;
    snprintf(idle_one, sizeof idle_one, "%s", newest);
    return true;
}

static void leave_idle_with_a_file(edb *by)
{
    assert_true(leave_idle(by, 0));
    for (int i = 0; !is_there(newest); i++) {
        assert_true(i < STEPS_MAX);
        assert_false(step_once(by));
    }
    snprintf(idle_one, sizeof idle_one, "%s", newest);
}

static void go_to_the_end(edb *by)
{
    for (int i = 0; !step_once(by); i++)
        assert_true(i < STEPS_MAX);
}

/* It was begun by `db` and is given up at this step. */
static void check_given_up(edb_status wanted, const char *why)
{
    bool done;
    edb_status status = db_compaction_step(db, 0, &done);
    if (status != wanted || strstr(edb_error_detail(), why) == NULL)
        fail_msg("%s: %s", edb_status_name(status), edb_error_detail());
    assert_false(done);
    assert_false(db_compaction_is_open(db));
}

/* ------------------------------------------------------------------------- others are faster */

static void test_the_lock_is_free_between_steps(void **state)
{
    (void)state;
    check_ok("begin", db_compaction_begin(db));
    for (bool done = false; !done; done = step_once(db)) {
        struct os_file *file = other->store->file;
        check_ok("lock", os_sim.try_lock(file, OS_LOCK_COMPACTION));
        os_sim.unlock(file, OS_LOCK_COMPACTION);
    }
    check_both();
}

/* Another handle compacts the file, whatever the idle one has done, and all write on. */
static void test_compacted_by_another_meanwhile(void **state)
{
    (void)state;
    uint64_t edition = 0;
    for (int count = 0; leave_idle(db, count); count += STRIDE) {
        bool had_one = is_there(idle_one);
        kept_cache_change(&kept, count % 2 == 0 ? other : db, &source, 3);
        check_ok("compact", edb_compact(other, NULL, NULL));
        assert_int_equal(other->store->genesis.edition, ++edition);
        assert_int_equal(is_there(idle_one), had_one);
        kept_cache_change(&kept, other, &source, 3);
        if (count % 3 == 0) /* which takes the handle over to the new file */
            kept_cache_change(&kept, db, &source, 3);
        check_given_up(EDB_BUSY, "another compaction");
        assert_false(is_there(idle_one));
        assert_int_equal(os_sim_open_files(), 2);
        check_both();
    }
    assert_true(edition > 4);
    check_both();
}

static int closed_beside_writers;

/* On a device the last one to close a large file waits for its bytes to be given back. */
static void close_while_others_write(struct os_file *file)
{
    if (file == moving_from) {
        bool is_free = os_mutex_lock_within(&db->write_lock, 1);
        closed_beside_writers += is_free;
        if (is_free)
            os_mutex_unlock(&db->write_lock);
    }
    os_sim.close(file);
}

/* A reader that moves over to the new file, and closes the old one, keeps no writer waiting. */
static void test_the_old_file_is_closed_beside_writers(void **state)
{
    (void)state;
    closed_beside_writers = 0;
    moving_from = db->store->file;
    watched.close = close_while_others_write;
    check_ok("compact", edb_compact(other, NULL, NULL));
    kept_cache_check(&kept, db);
    assert_int_equal(closed_beside_writers, 1);
    watched.close = os_sim.close;
}

/* The handle's own edb_compact makes another one then. */
static void test_compacted_anew_by_its_own_handle(void **state)
{
    (void)state;
    leave_idle_with_a_file(db);
    check_ok("compact", edb_compact(other, NULL, NULL));
    kept_cache_change(&kept, other, &source, 3);
    check_ok("compact", edb_compact(db, NULL, NULL));
    assert_int_equal(db->store->genesis.edition, 2);
    assert_false(is_there(idle_one));
    assert_int_equal(os_sim_open_files(), 2);
    check_both();
}

static edb_status refuse_replace(const char *from, const char *to)
{
    (void)from;
    (void)to;
    return EDB_IO;
}

/* The other one fails at its very end, behind the mark: the idle one goes on in the same file. */
static void test_another_did_not_come_to_its_end(void **state)
{
    (void)state;
    for (int count = 0; leave_idle(db, count); count += STRIDE) {
        kept_cache_change(&kept, other, &source, 3);
        watched.replace = refuse_replace;
        assert_int_equal(edb_compact(other, NULL, NULL), EDB_IO);
        watched.replace = os_sim.replace;
        kept_cache_change(&kept, count % 2 == 0 ? other : db, &source, 3);
        go_to_the_end(db);
        check_both();
    }
    check_both();
}

static int step_of_the_idle_one(void *arg, uint64_t rows, uint64_t total)
{
    int *calls = arg;
    (void)rows;
    (void)total;
    if (++*calls == 4)
        check_given_up(EDB_BUSY, "");
    return 0;
}

static void test_a_step_while_another_is_at_work(void **state)
{
    int calls = 0;
    edb_compact_options options = EDB_COMPACT_OPTIONS_INIT;
    (void)state;
    options.progress = step_of_the_idle_one;
    options.arg = &calls;
    leave_idle_with_a_file(db);
    check_ok("compact", edb_compact(other, &options, NULL));
    assert_true(calls > 4);
    assert_false(is_there(idle_one));
    assert_int_equal(os_sim_open_files(), 2);
    check_both();
}

/* A file that is far over its size is compacted beside it, within a put. */
static void test_a_budget_is_kept_meanwhile(void **state)
{
    static char value[64 << 10];
    enum { SIZE = 2 << 20, URGENT = SIZE + SIZE / 8, SLACK = 4 * sizeof value };
    edb_put_options options = EDB_PUT_OPTIONS_INIT;
    edb_limits limits = EDB_LIMITS_INIT;
    edb_space *space = kept_cache_space(other, KEPT_VALUES);
    (void)state;
    limits.max_bytes = SIZE;
    check_ok("limits", edb_limits_set(other, NULL, &limits));
    leave_idle_with_a_file(db);
    options.value_bytes = sizeof value;
    for (int i = 0; i < 100; i++) {
        check_ok("put", edb_put(space, "large", 5, value, &options));
        kept.next_row[KEPT_VALUES]++;
        assert_true(other->store->end.offset <= URGENT + SLACK);
    }
    assert_true(other->store->genesis.edition > 1);
    check_ok("delete", edb_delete(space, "large", 5));
    assert_true(is_there(idle_one));
    kept_cache_change(&kept, db, &source, 1);
    assert_false(is_there(idle_one)); /* its own commit has found it out */
    assert_false(db_compaction_is_open(db));
    check_both();
}

/* ---------------------------------------------------------------------- two of them in steps */

/* While one has a file, nobody begins another in steps. */
static void test_not_begun_beside_a_living_one(void **state)
{
    (void)state;
    leave_idle_with_a_file(db);
    assert_int_equal(db_compaction_begin(other), EDB_BUSY);
    assert_non_null(strstr(edb_error_detail(), "another compaction"));
    assert_true(is_there(idle_one));
    go_to_the_end(db);
    check_both();
    check_ok("begin", db_compaction_begin(other));
    go_to_the_end(other);
    check_both();
}

/* Both have begun before either had a file: the second that wants one is given up. */
static void test_begun_at_the_same_time(void **state)
{
    bool done;
    edb_status status = EDB_OK;
    (void)state;
    check_ok("begin", db_compaction_begin(db));
    leave_idle_with_a_file(other);
    for (int i = 0; i < STEPS_MAX && status == EDB_OK; i++)
        status = db_compaction_step(db, 0, &done);
    assert_int_equal(status, EDB_BUSY);
    assert_false(db_compaction_is_open(db));
    assert_string_equal(newest, idle_one);
    assert_true(is_there(idle_one));
    go_to_the_end(other);
    check_both();
}

/* -------------------------------------------------------------------------- its temporary file */

static void test_its_file_was_removed(void **state)
{
    (void)state;
    leave_idle_with_a_file(db);
    assert_int_equal(os_sim.remove(idle_one), EDB_OK);
    check_given_up(EDB_STALE, idle_one);
    assert_int_equal(os_sim_open_files(), 2);
    check_both();
    check_ok("compact", edb_compact(db, NULL, NULL));
    check_both();
}

/* What stands there now is not its own, and stays. */
static void test_its_file_was_replaced(void **state)
{
    edb *stranger;
    (void)state;
    leave_idle_with_a_file(db);
    check_ok("open", edb_open("stranger.edb", NULL, &stranger));
    check_ok("close", edb_close(stranger));
    check_ok("replace", os_sim.replace("stranger.edb", idle_one));
    check_given_up(EDB_STALE, idle_one);
    assert_true(is_there(idle_one));
    assert_int_equal(os_sim_open_files(), 2);
    check_both();
}

/* -------------------------------------------------------------------------- another process */

/* What both processes know, and where each goes on. */
struct shared {
    struct kept_cache kept;
    struct random_source source;
};

static char place[PLACE_BYTES];
static char real_path[PLACE_BYTES + 16];
static struct shared *shared;

static int begin_real(void **state)
{
    (void)state;
    os_use(&os_posix);
    place_open(place);
    snprintf(real_path, sizeof real_path, "%s/real.edb", place);
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(shared, MAP_FAILED);
    shared->source = source;
    assert_int_equal(edb_open(real_path, NULL, &db), EDB_OK);
    kept_cache_begin(&shared->kept, db);
    kept_cache_fill(&shared->kept, db, &shared->source);
    return 0;
}

static int end_real(void **state)
{
    (void)state;
    assert_int_equal(edb_close(db), EDB_OK);
    assert_int_equal(munmap(shared, sizeof *shared), 0);
    place_close(place);
    return 0;
}

static int count_files(void)
{
    int count = 0;
    DIR *folder = opendir(place);
    assert_non_null(folder);
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;)
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(folder);
    return count;
}

/* Ends the process. */
static void commit_and_compact(void)
{
    edb *own;
    if (edb_open(real_path, NULL, &own) != EDB_OK)
        _exit(1);
    kept_cache_change(&shared->kept, own, &shared->source, 4);
    if (edb_compact(own, NULL, NULL) != EDB_OK) {
        fprintf(stderr, "compact: %s\n", edb_error_detail());
        _exit(2);
    }
    kept_cache_change(&shared->kept, own, &shared->source, 4);
    _exit(edb_close(own) == EDB_OK ? 0 : 3);
}

static void let_another_process_compact(void)
{
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        commit_and_compact();
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_compacted_by_another_process(void **state)
{
    uint64_t edition = 0;
    (void)state;
    for (int count = 0; leave_idle(db, count); count += STRIDE) {
        int files = count_files();
        let_another_process_compact();
        assert_int_equal(count_files(), files); /* its own is gone, that of the idle one is not */
        if (count % 2 == 0)
            kept_cache_change(&shared->kept, db, &shared->source, 2);
        check_given_up(EDB_BUSY, "another compaction");
        assert_int_equal(count_files(), 1);
        assert_int_equal(db->store->genesis.edition, ++edition);
        kept_cache_change(&shared->kept, db, &shared->source, 2);
        kept_cache_check(&shared->kept, db);
    }
    assert_true(edition > 4);
    assert_int_equal(count_files(), 1);
    kept_cache_check(&shared->kept, db);
    assert_int_equal(edb_close(db), EDB_OK);
    assert_int_equal(edb_open(real_path, NULL, &db), EDB_OK);
    kept_cache_check(&shared->kept, db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_lock_is_free_between_steps, begin, end),
        cmocka_unit_test_setup_teardown(test_compacted_by_another_meanwhile, begin, end),
        cmocka_unit_test_setup_teardown(test_compacted_anew_by_its_own_handle, begin, end),
        cmocka_unit_test_setup_teardown(test_the_old_file_is_closed_beside_writers, begin, end),
        cmocka_unit_test_setup_teardown(test_another_did_not_come_to_its_end, begin, end),
        cmocka_unit_test_setup_teardown(test_a_step_while_another_is_at_work, begin, end),
        cmocka_unit_test_setup_teardown(test_a_budget_is_kept_meanwhile, begin, end),
        cmocka_unit_test_setup_teardown(test_not_begun_beside_a_living_one, begin, end),
        cmocka_unit_test_setup_teardown(test_begun_at_the_same_time, begin, end),
        cmocka_unit_test_setup_teardown(test_its_file_was_removed, begin, end),
        cmocka_unit_test_setup_teardown(test_its_file_was_replaced, begin, end),
        cmocka_unit_test_setup_teardown(test_compacted_by_another_process, begin_real, end_real),
    };
    source = seeded_random("test_compact_idle");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
