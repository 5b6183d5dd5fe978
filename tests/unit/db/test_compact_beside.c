/* Whoever has a cache open while it is written anew: handles follow to the new file by themselves
 * and see what is written there; views, iterators and snapshots stay with the old one (13); what is
 * written meanwhile comes along. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "embedcache.h"
#include "os/os_sim.h"
#include "support/kept_cache.h"
#include "unit/base/seeded_random.h"

/* Last: it makes a macro of the name fail. */
#include <cmocka.h>

enum { OTHERS = 4 };

static const char path[] = "beside.edb";
static struct random_source source;
static struct kept_cache kept;
static edb *db;

static edb *open_with(uint32_t flags)
{
    edb *opened;
    edb_open_options options = EDB_OPEN_OPTIONS_INIT;
    options.flags = flags;
    assert_int_equal(edb_open(path, &options, &opened), EDB_OK);
    return opened;
}

static int begin(void **state)
{
    (void)state;
    os_sim_begin(7);
    os_sim_record(false);
    os_use(&os_sim);
    db = open_with(0);
    kept_cache_begin(&kept, db);
    kept_cache_fill(&kept, db, &source);
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

static void compact(edb *by)
{
    edb_status status = edb_compact(by, NULL, NULL);
    if (status != EDB_OK)
        fail_msg("compact: %s: %s", edb_status_name(status), edb_error_detail());
}

static void close_all(edb *others[OTHERS])
{
    for (int i = 0; i < OTHERS; i++)
        assert_int_equal(edb_close(others[i]), EDB_OK);
}

/* ---------------------------------------------------------------------------------- who follows */

static void test_handles_follow(void **state)
{
    (void)state;
    edb *others[OTHERS] = {open_with(0), open_with(EDB_OPEN_READ_ONLY), open_with(0),
                           open_with(EDB_OPEN_READ_ONLY)};
    kept_cache_put(&kept, others[0], KEPT_DOCS, 1); /* it has a session on the old file */
    kept_cache_check(&kept, others[1]);
    compact(db);
    kept_cache_put(&kept, db, KEPT_DOCS, 2);
    for (int i = 0; i < OTHERS; i++)
        kept_cache_check(&kept, others[i]);
    assert_int_equal(os_sim_open_files(), 1 + OTHERS);
    for (int i = 0; i < OTHERS; i += 2) {
        kept_cache_change(&kept, others[i], &source, 10);
        kept_cache_check(&kept, db);
    }
    close_all(others);
}

/* The first call after a compaction is a write. */
static void test_writer_follows_at_its_lock(void **state)
{
    (void)state;
    edb *others[OTHERS] = {open_with(0), open_with(0), open_with(0), open_with(0)};
    for (int i = 0; i < OTHERS; i++) {
        compact(db);
        compact(db);
        kept_cache_put(&kept, others[i], KEPT_SHA, i);
        kept_cache_check(&kept, db);
    }
    assert_int_equal(edb_sync(others[0]), EDB_OK);
    kept_cache_check(&kept, others[0]);
    close_all(others);
    kept_cache_check(&kept, db);
}

static void test_everybody_compacts(void **state)
{
    (void)state;
    edb *others[OTHERS] = {open_with(0), open_with(0), open_with(0), open_with(0)};
    for (int i = 0; i < 3 * OTHERS; i++) {
        compact(others[i % OTHERS]);
        kept_cache_change(&kept, others[(i + 1) % OTHERS], &source, 5);
        kept_cache_check(&kept, others[(i + 2) % OTHERS]);
    }
    close_all(others);
}

static void test_a_snapshot_stays(void **state)
{
    (void)state;
    struct kept_cache then = kept;
    edb *snapshot = open_with(EDB_OPEN_SNAPSHOT);
    for (int i = 0; i < 2; i++) {
        kept_cache_change(&kept, db, &source, 30);
        compact(db);
    }
    kept_cache_check(&then, snapshot);
    kept_cache_check(&kept, db);
    assert_int_equal(edb_close(snapshot), EDB_OK);
}

/* A transaction that was begun before is committed to the new file. */
static void test_a_transaction_goes_on(void **state)
{
    (void)state;
    edb_txn *txn;
    edb_view view;
    edb_put_options options = EDB_PUT_OPTIONS_INIT;
    options.value_bytes = 5;
    edb *other = open_with(0);
    assert_int_equal(edb_begin(other, &txn), EDB_OK);
    edb_space *space = kept_cache_space(other, KEPT_VALUES);
    assert_int_equal(edb_txn_put(txn, space, "early", 5, "early", &options), EDB_OK);
    compact(db);
    assert_int_equal(edb_txn_put(txn, space, "late", 4, "later", &options), EDB_OK);
    assert_int_equal(edb_commit(txn, EDB_DURABLE), EDB_OK);
    space = kept_cache_space(db, KEPT_VALUES);
    assert_int_equal(edb_view_key(space, "early", 5, &view), EDB_OK);
    assert_memory_equal(view.vector, "early", 5);
    edb_view_release(&view);
    assert_int_equal(edb_contains(space, "late", 4), EDB_OK);
    assert_int_equal(edb_close(other), EDB_OK);
}

/* ------------------------------------------------------------------ what was lent stays with us */

static void test_a_view_stays(void **state)
{
    (void)state;
    edb_view view;
    char vector[256];
    kept_cache_put(&kept, db, KEPT_DOCS, 9);
    edb *other = open_with(0);
    edb_space *space = kept_cache_space(other, KEPT_DOCS);
    assert_int_equal(edb_view_row(space, kept.rows[KEPT_DOCS][9], &view), EDB_OK);
    assert_true(view.vector_bytes <= sizeof vector);
    memcpy(vector, view.vector, view.vector_bytes);
    kept_cache_delete(&kept, db, KEPT_DOCS, 9);
    compact(other);
    compact(db);
    assert_int_equal(edb_close(other), EDB_OK);
    assert_memory_equal(view.vector, vector, view.vector_bytes);
    assert_memory_equal(view.key, "key 009", 7);
    edb_view_release(&view);
}

/* It shows what was there when it began, whatever happens. */
static void test_an_iterator_goes_on(void **state)
{
    (void)state;
    edb_iterator *iterator;
    edb_view view;
    uint64_t live = kept_cache_live(&kept, KEPT_DOCS);
    uint64_t count = 0;
    uint64_t next = 0;
    assert_true(live > 20);
    assert_int_equal(edb_iterate(kept_cache_space(db, KEPT_DOCS), &iterator), EDB_OK);
    while (edb_next(iterator, &view) == EDB_OK) {
        assert_true(view.row >= next);
        next = view.row + 1;
        assert_memory_equal(view.key, "key ", 4);
        long key = strtol((const char *)view.key + 4, NULL, 10);
        assert_true(((const float *)view.vector)[0] == (float)(key + 1));
        edb_view_release(&view);
        if (count % 10 == 3)
            for (int gone = 0; gone < KEPT_KEYS; gone++)
                kept_cache_delete(&kept, db, KEPT_DOCS, gone);
        if (count % 10 == 3 || count % 10 == 4)
            compact(db);
        count++;
    }
    assert_int_equal(count, live);
    edb_iterator_close(iterator);
    kept_cache_check(&kept, db);
}

/* ------------------------------------------------------------------- what is written meanwhile */

struct meanwhile {
    edb *other;
    int calls;
};

/* Into the old file, by another handle, while it is copied. */
static int write_meanwhile(void *arg, uint64_t done, uint64_t total)
{
    struct meanwhile *meanwhile = arg;
    assert_true(done <= total);
    if (meanwhile->calls++ > 20)
        return 0;
    kept_cache_change(&kept, meanwhile->other, &source, 3);
    kept_cache_delete(&kept, meanwhile->other, KEPT_DOCS, meanwhile->calls);
    if (meanwhile->calls % 3 == 0)
        assert_int_equal(edb_sync(meanwhile->other), EDB_OK);
    if (meanwhile->calls == 5)
        kept_cache_put(&kept, meanwhile->other, KEPT_EMPTY, 5);
    if (meanwhile->calls == 7)
        kept_cache_put(&kept, meanwhile->other, KEPT_GONE, 5);
    return 0;
}

static void test_what_is_written_meanwhile_comes_along(void **state)
{
    (void)state;
    struct meanwhile meanwhile = {.other = open_with(0)};
    edb_compact_options options = EDB_COMPACT_OPTIONS_INIT;
    options.progress = write_meanwhile;
    options.arg = &meanwhile;
    for (int round = 0; round < 3; round++) {
        meanwhile.calls = 0;
        edb_status status = edb_compact(db, &options, NULL);
        if (status != EDB_OK)
            fail_msg("compact: %s: %s", edb_status_name(status), edb_error_detail());
        assert_true(meanwhile.calls > 10);
        kept_cache_check(&kept, db);
        kept_cache_check(&kept, meanwhile.other);
    }
    assert_int_equal(edb_close(meanwhile.other), EDB_OK);
    assert_int_equal(edb_close(db), EDB_OK);
    db = open_with(0);
    kept_cache_check(&kept, db);
}

/* A new space, and a transaction over two spaces in several frames. */
static int write_spaces(void *arg, uint64_t done, uint64_t total)
{
    struct meanwhile *meanwhile = arg;
    edb_txn *txn;
    edb_space *made;
    (void)done;
    (void)total;
    if (meanwhile->calls++ != 2)
        return 0;
    edb_space_spec spec = EDB_SPACE_SPEC_INIT;
    edb_put_options options = EDB_PUT_OPTIONS_INIT;
    spec.name = "made meanwhile";
    options.value_bytes = 4;
    assert_int_equal(edb_space_open(meanwhile->other, &spec, &made), EDB_OK);
    edb_space *there = kept_cache_space(meanwhile->other, KEPT_VALUES);
    assert_int_equal(edb_begin(meanwhile->other, &txn), EDB_OK);
    assert_int_equal(edb_txn_put(txn, made, "one", 3, "1111", &options), EDB_OK);
    assert_int_equal(edb_txn_put(txn, there, "two", 3, "2222", &options), EDB_OK);
    assert_int_equal(edb_txn_put(txn, made, "one", 3, "3333", &options), EDB_OK);
    assert_int_equal(edb_commit(txn, EDB_LAZY), EDB_OK);
    return 0;
}

static void test_a_space_made_meanwhile(void **state)
{
    (void)state;
    edb_view view;
    edb_space *space;
    struct meanwhile meanwhile = {.other = open_with(0)};
    edb_compact_options options = EDB_COMPACT_OPTIONS_INIT;
    options.progress = write_spaces;
    options.arg = &meanwhile;
    assert_int_equal(edb_compact(db, &options, NULL), EDB_OK);
    assert_int_equal(edb_close(meanwhile.other), EDB_OK);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(edb_space_find(db, "made meanwhile", &space), EDB_OK);
        assert_int_equal(edb_view_key(space, "one", 3, &view), EDB_OK);
        assert_int_equal(view.row, 1);
        assert_memory_equal(view.vector, "3333", 4);
        edb_view_release(&view);
        assert_int_equal(edb_contains(kept_cache_space(db, KEPT_VALUES), "two", 3), EDB_OK);
        compact(db);
    }
}

/* ------------------------------------------------------------------------------ the last moment */

static struct os_io watched;
static edb *late;        /* writes when the compaction asks for the writer lock for the second
                            time */
static int writer_locks; /* that were asked for since then */
static int sync_to_fail; /* of the directory: the n-th from now on; 0 = none */
static int syncs;        /* of it that were made */

static edb_status write_before_lock(struct os_file *file, enum os_lock lock)
{
    if (late != NULL && lock == OS_LOCK_WRITER && ++writer_locks == 2) {
        edb *other = late;
        late = NULL;
        kept_cache_put(&kept, other, KEPT_DOCS, 7);
        kept_cache_delete(&kept, other, KEPT_DOCS, 8);
    }
    return os_sim.try_lock(file, lock);
}

static edb_status sync_directory(const char *name)
{
    if (sync_to_fail > 0 && --sync_to_fail == 0)
        return EDB_IO;
    syncs++;
    return os_sim.sync_directory(name);
}

static int begin_watched(void **state)
{
    assert_int_equal(begin(state), 0);
    assert_int_equal(edb_close(db), EDB_OK);
    watched = os_sim;
    watched.try_lock = write_before_lock;
    watched.sync_directory = sync_directory;
    os_use(&watched);
    db = open_with(0);
    return 0;
}

/* What comes between the last round of catching up and the lock is copied under the lock. */
static void test_written_before_the_lock(void **state)
{
    (void)state;
    edb *other = open_with(0);
    kept_cache_put(&kept, db, KEPT_DOCS, 8);
    writer_locks = 0;
    late = other;
    compact(db);
    assert_null(late);
    kept_cache_check(&kept, db);
    kept_cache_check(&kept, other);
    assert_int_equal(edb_close(other), EDB_OK);
}

/* Who compacted died before the new name was on the device. Another handle that wrote before says
 * at its close that all is durable: so it sees to the name. */
static void test_a_close_syncs_the_name(void **state)
{
    (void)state;
    edb *other = open_with(0);
    kept_cache_put(&kept, other, KEPT_DOCS, 9);
    sync_to_fail = 2; /* the first is for the temporary name */
    assert_int_equal(edb_compact(db, NULL, NULL), EDB_IO);
    assert_int_equal(sync_to_fail, 0);
    kept_cache_check(&kept, other);
    syncs = 0;
    assert_int_equal(edb_close(other), EDB_OK);
    assert_true(syncs > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_handles_follow, begin, end),
        cmocka_unit_test_setup_teardown(test_writer_follows_at_its_lock, begin, end),
        cmocka_unit_test_setup_teardown(test_everybody_compacts, begin, end),
        cmocka_unit_test_setup_teardown(test_a_snapshot_stays, begin, end),
        cmocka_unit_test_setup_teardown(test_a_transaction_goes_on, begin, end),
        cmocka_unit_test_setup_teardown(test_a_view_stays, begin, end),
        cmocka_unit_test_setup_teardown(test_an_iterator_goes_on, begin, end),
        cmocka_unit_test_setup_teardown(test_what_is_written_meanwhile_comes_along, begin, end),
        cmocka_unit_test_setup_teardown(test_a_space_made_meanwhile, begin, end),
        cmocka_unit_test_setup_teardown(test_written_before_the_lock, begin_watched, end),
        cmocka_unit_test_setup_teardown(test_a_close_syncs_the_name, begin_watched, end),
    };
    source = seeded_random("test_compact_beside");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
