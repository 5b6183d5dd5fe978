/* How long a compaction keeps other writers out: what it does while it holds the writer lock is
 * counted in bytes and syncs, beside a thread that writes all the time. The time is printed; it
 * fails the test only when the machine does the same work by itself in a fraction of it. */
#include <inttypes.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "embedcache.h"
#include "os/os.h"
#include "support/temporary_place.h"
#include "support/under_sanitizer.h"

/* Last: it makes a macro of the name fail. */
#include <cmocka.h>

enum {
    ROWS = 16000, /* 100 MB */
    AT_ONCE = 500,
    DIMS = 1536,
    BESIDE_ROWS = 20,
    HOLDS_MAX = 64,
    BYTES_MAX = 18 << 20, /* 16 MiB that others wrote last, and what goes around them */
    SYNCS_MAX = 4,
    MS_MAX = 1000,
};

/* One hold of the writer lock by the thread that compacts. */
struct hold {
    uint64_t begin_ms;
    uint64_t took_ms;
    uint64_t bytes;
    int syncs;
};

static char place[PLACE_BYTES];
static char path[PLACE_BYTES + 16];
static struct os_io watched; /* os_posix, but for what is counted */
static struct hold holds[HOLDS_MAX];
static int hold_count;
static _Thread_local bool compacts; /* this is the thread */
static _Thread_local struct hold *held;

/* ------------------------------------------------------------------------------------- counting */

static edb_status note_lock(struct os_file *file, enum os_lock lock)
{
    edb_status status = os_posix.try_lock(file, lock);
    if (compacts && status == EDB_OK && lock == OS_LOCK_WRITER && hold_count < HOLDS_MAX) {
        held = &holds[hold_count++];
        *held = (struct hold){.begin_ms = os_posix.monotonic_ms()};
    }
    return status;
}

static void note_unlock(struct os_file *file, enum os_lock lock)
{
    if (held != NULL && lock == OS_LOCK_WRITER) {
        held->took_ms = os_posix.monotonic_ms() - held->begin_ms;
        held = NULL;
    }
    os_posix.unlock(file, lock);
}

static edb_status count_write(struct os_file *file, uint64_t offset, const struct os_span *spans,
                              size_t count)
{
    for (size_t i = 0; i < count && held != NULL; i++)
        held->bytes += spans[i].count;
    return os_posix.write(file, offset, spans, count);
}

static edb_status count_sync(struct os_file *file)
{
    if (held != NULL)
        held->syncs++;
    return os_posix.sync(file);
}

/* ---------------------------------------------------------------------------------- the writers */

static void expect_ok(edb_status status)
{
    if (status != EDB_OK)
        fail_msg("%s: %s", edb_status_name(status), edb_error_detail());
}

static void put_rows(edb_space *space, int first, int count)
{
    static _Thread_local float vectors[AT_ONCE][DIMS];
    static _Thread_local edb_key keys[AT_ONCE];
    static _Thread_local int names[AT_ONCE];
    for (int i = 0; i < count; i++) {
        names[i] = first + i;
        keys[i] = (edb_key){&names[i], sizeof names[i]};
        vectors[i][0] = (float)names[i];
    }
    expect_ok(edb_put_many(space, keys, (size_t)count, vectors, NULL, NULL));
}

static _Atomic bool over;
static int put_beside; /* rows */

static void *write_beside(void *arg)
{
    edb *db;
    edb_space *space;
    (void)arg;
    expect_ok(edb_open(path, NULL, &db));
    expect_ok(edb_space_find(db, NULL, &space));
    while (!atomic_load(&over)) {
        put_rows(space, ROWS + put_beside, BESIDE_ROWS);
        put_beside += BESIDE_ROWS;
        os_posix.sleep_ms(2);
    }
    expect_ok(edb_close(db));
    return NULL;
}

/* How long the system takes to write and sync so many bytes. */
static uint64_t bare_ms(uint64_t bytes)
{
    enum { PIECE = 1 << 20 };
    struct os_file *file;
    char *name;
    uint8_t *piece = calloc(1, PIECE);
    struct os_span span = {piece, PIECE};
    expect_ok(os_posix.create_temporary(path, 0600, &file, &name));
    uint64_t began = os_posix.monotonic_ms();
    for (uint64_t at = 0; at <= bytes; at += PIECE)
        expect_ok(os_posix.write(file, at, &span, 1));
    expect_ok(os_posix.sync(file));
    uint64_t took = os_posix.monotonic_ms() - began;
    expect_ok(os_posix.remove(name));
    os_posix.close(file);
    edb_free(name);
    free(piece);
    return took;
}

/* ----------------------------------------------------------------------------------------- test */

static void check_holds(void)
{
    uint64_t longest = 0;
    uint64_t most = 0;
    assert_true(hold_count > 1 && hold_count < HOLDS_MAX);
    for (int i = 0; i < hold_count; i++) {
        assert_true(holds[i].bytes <= BYTES_MAX);
        assert_true(holds[i].syncs <= SYNCS_MAX);
        longest = holds[i].took_ms > longest ? holds[i].took_ms : longest;
        most = holds[i].bytes > most ? holds[i].bytes : most;
    }
    uint64_t bare = bare_ms(most);
    printf("%d rows beside; the lock was held %d times, %" PRIu64 " ms at most, %" PRIu64
           " bytes at most, for which the system takes %" PRIu64 " ms\n",
           put_beside, hold_count, longest, most, bare);
    assert_true(longest <= MS_MAX || longest <= 8 * bare);
}

static void test_the_lock_is_held_for_little(void **state)
{
    edb *db;
    edb_space *space;
    pthread_t beside;
    edb_space_stats stats = {.struct_size = sizeof stats};
    edb_space_spec spec = EDB_SPACE_SPEC_INIT;
    (void)state;
    spec.dims = DIMS;
    expect_ok(edb_open(path, NULL, &db));
    expect_ok(edb_space_open(db, &spec, &space));
    for (int first = 0; first < ROWS; first += AT_ONCE)
        put_rows(space, first, AT_ONCE);
    assert_int_equal(pthread_create(&beside, NULL, write_beside, NULL), 0);
    compacts = true;
    expect_ok(edb_compact(db, NULL, NULL));
    compacts = false;
    atomic_store(&over, true);
    assert_int_equal(pthread_join(beside, NULL), 0);
    assert_true(put_beside > BESIDE_ROWS);
    expect_ok(edb_space_stats_get(space, &stats));
    assert_int_equal(stats.live, (uint64_t)ROWS + (uint64_t)put_beside);
    check_holds();
    expect_ok(edb_close(db));
}

static int begin(void **state)
{
    (void)state;
    place_open(place);
    snprintf(path, sizeof path, "%s/lock.edb", place);
    watched = os_posix;
    watched.try_lock = note_lock;
    watched.unlock = note_unlock;
    watched.write = count_write;
    watched.sync = count_sync;
    os_use(&watched);
    return 0;
}

static int end(void **state)
{
    (void)state;
    os_use(&os_posix);
    place_close(place);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_the_lock_is_held_for_little)};
    if (UNDER_SANITIZER)
        return 77;
    return cmocka_run_group_tests(tests, begin, end);
}
