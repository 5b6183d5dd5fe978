/* One handle in many threads, and a second handle on the same file beside it: readers of every kind
 * and writers at once. All that is read is checked by content; what was acknowledged is visible to
 * everybody at once; a batch is seen whole. EDB_SECONDS makes it longer. */
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
#include <time.h>
#include <unistd.h>

#include "embedcache.h"
#include "support/stamped_row.h"
#include "support/temporary_place.h"
#include "unit/base/seeded_random.h"

#include <cmocka.h>

enum { READERS = 4, WRITERS = 2, OTHERS = 2, SECONDS = 4, HELD_MAX = 16, BUSY_WAIT_MS = 60000 };

/* Writers of the first handle and of the second have the registers of their number. */
enum { WRITERS_ALL = WRITERS + 1 };

static char place[PLACE_BYTES];
static char path[PLACE_BYTES + 16];
static _Atomic bool over;
static _Atomic uint64_t next_stamp = 1;
static _Atomic uint64_t faults;

/* The newest stamp that is acknowledged, by register; only its own writer changes it. */
static _Atomic uint64_t acknowledged[REGISTERS];

struct worker_thread {
    pthread_t thread;
    struct random_source random;
    edb *db;
    edb_space *spaces[2];
    uint32_t number; /* of a writer */
    uint64_t done;
    uint64_t longest_ns; /* that one of its commits took */
};

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void blame(int line, const char *what)
{
    if (atomic_fetch_add(&faults, 1) < 10)
        fprintf(stderr, "line %d: %s: %s\n", line, what, edb_error_detail());
    atomic_store(&over, true);
}

/* Assertions of cmocka belong to the main thread. */
#define check(condition) ((condition) ? (void)0 : blame(__LINE__, #condition))

/* ------------------------------------------------------------------------------------- writers */

struct batch {
    char names[REGISTER_KEYS_MAX][STAMPED_KEY_BYTES];
    edb_key keys[REGISTER_KEYS_MAX];
    float vectors[REGISTER_KEYS_MAX][STAMPED_DIMS];
    char texts[REGISTER_KEYS_MAX][STAMPED_TEXT_BYTES];
    char metadata[STAMPED_TEXT_BYTES];
    edb_put_options options[REGISTER_KEYS_MAX];
    uint32_t count;
};

static void fill(struct batch *batch, uint32_t reg, uint64_t stamp)
{
    batch->count = register_keys(reg);
    stamped_metadata(stamp, batch->metadata);
    for (uint32_t slot = 0; slot < batch->count; slot++) {
        edb_put_options options = EDB_PUT_OPTIONS_INIT;
        batch->keys[slot] =
            (edb_key){batch->names[slot], stamped_key(reg, slot, stamp, batch->names[slot])};
        stamped_vector(reg, slot, stamp, batch->vectors[slot]);
        stamped_text(reg, slot, stamp, batch->texts[slot]);
        options.text = batch->texts[slot];
        options.metadata_json = stamped_has_metadata(stamp) ? batch->metadata : NULL;
        batch->options[slot] = options;
    }
}

static edb_status write_transaction(struct worker_thread *w, const struct batch *batch)
{
    edb_txn *txn;
    edb_status status = edb_begin(w->db, &txn);
    for (uint32_t slot = 0; slot < batch->count && status == EDB_OK; slot++)
        status = edb_txn_put(txn, w->spaces[0], batch->keys[slot].data, batch->keys[slot].bytes,
                             batch->vectors[slot], &batch->options[slot]);
    bool durable = random_below(&w->random, 10) == 0;
    return status == EDB_OK ? edb_commit(txn, durable ? EDB_DURABLE : EDB_LAZY) : status;
}

static void write_one(struct worker_thread *w)
{
    struct batch batch;
    uint32_t reg;
    do
        reg = (uint32_t)random_below(&w->random, REGISTERS);
    while (register_owner(reg, WRITERS_ALL) != w->number);
    uint64_t stamp = atomic_fetch_add(&next_stamp, 1);
    fill(&batch, reg, stamp);
    edb_status status;
    uint64_t from_ns = now_ns();
    if (random_below(&w->random, 2) == 0)
        status =
            edb_put_many(w->spaces[0], batch.keys, batch.count, batch.vectors, batch.options, NULL);
    else
        status = write_transaction(w, &batch);
    check(status == EDB_OK);
    uint64_t took_ns = now_ns() - from_ns;
    w->longest_ns = took_ns > w->longest_ns ? took_ns : w->longest_ns;
    atomic_store(&acknowledged[reg], stamp);
    w->done++;
}

/* A key of the other space comes and goes; nobody else touches it. */
static void come_and_go(struct worker_thread *w)
{
    char key[STAMPED_KEY_BYTES];
    float vector[STAMPED_DIMS], found[STAMPED_DIMS];
    uint64_t stamp = atomic_fetch_add(&next_stamp, 1);
    size_t bytes = stamped_key(ADDED, 0, stamp, key);
    stamped_vector(ADDED, 0, stamp, vector);
    check(edb_put(w->spaces[1], key, bytes, vector, NULL) == EDB_OK);
    check(edb_get(w->spaces[1], key, bytes, found) == EDB_OK &&
          memcmp(found, vector, sizeof vector) == 0);
    check(edb_delete(w->spaces[1], key, bytes) == EDB_OK);
    check(edb_contains(w->spaces[1], key, bytes) == EDB_NOT_FOUND);
}

static void *keep_writing(void *arg)
{
    struct worker_thread *w = arg;
    while (!atomic_load(&over)) {
        write_one(w);
        if (w->done % 16 == 0)
            come_and_go(w);
    }
    return NULL;
}

/* ------------------------------------------------------------------------------------- readers */

static void try_get(struct worker_thread *r, uint32_t reg, uint32_t slot)
{
    char key[STAMPED_KEY_BYTES];
    float vector[STAMPED_DIMS];
    uint64_t stamp = 0;
    uint64_t least = atomic_load(&acknowledged[reg]);
    size_t bytes = stamped_key(reg, slot, 0, key);
    edb_status status = edb_get(r->spaces[0], key, bytes, vector);
    check(status == EDB_OK || (status == EDB_NOT_FOUND && least == 0));
    if (status == EDB_OK)
        check(stamped_vector_read(reg, slot, vector, &stamp) && stamp >= least);
    check(least == 0 || edb_contains(r->spaces[0], key, bytes) == EDB_OK);
}

/* Views are held while others are taken and the file changes. */
static void try_views(struct worker_thread *r)
{
    edb_view views[HELD_MAX];
    uint64_t stamps[HELD_MAX];
    size_t held = 0;
    for (size_t i = 0; i < HELD_MAX; i++) {
        char key[STAMPED_KEY_BYTES];
        uint32_t reg = (uint32_t)random_below(&r->random, REGISTERS), found, slot;
        size_t bytes = stamped_key(reg, 0, 0, key);
        if (edb_view_key(r->spaces[0], key, bytes, &views[held]) != EDB_OK)
            continue;
        check(stamped_view_read(&views[held], &found, &slot, &stamps[held]) && found == reg);
        held++;
    }
    for (size_t i = 0; i < held; i++) {
        uint32_t reg, slot;
        uint64_t stamp;
        check(stamped_view_read(&views[i], &reg, &slot, &stamp) && stamp == stamps[i]);
        edb_view_release(&views[i]);
    }
}

static void try_get_many(struct worker_thread *r, uint32_t reg)
{
    struct batch asked;
    uint8_t found[REGISTER_KEYS_MAX];
    uint64_t first = 0, stamp = 0;
    uint64_t least = atomic_load(&acknowledged[reg]);
    fill(&asked, reg, 0);
    check(edb_get_many(r->spaces[0], asked.keys, asked.count, asked.vectors[0], found) == EDB_OK);
    for (uint32_t slot = 0; slot < asked.count; slot++) {
        check(found[slot] == found[0] && (found[slot] || least == 0));
        if (!found[slot])
            continue;
        check(stamped_vector_read(reg, slot, asked.vectors[slot], &stamp) && stamp >= least);
        check(slot == 0 || stamp == first);
        first = stamp;
    }
}

static void try_iterate(struct worker_thread *r)
{
    static _Thread_local uint64_t least[REGISTERS], seen[REGISTERS][REGISTER_KEYS_MAX];
    edb_iterator *iterator;
    edb_view view;
    for (uint32_t reg = 0; reg < REGISTERS; reg++)
        least[reg] = atomic_load(&acknowledged[reg]);
    memset(seen, 0, sizeof seen);
    edb_status status = edb_iterate(r->spaces[0], &iterator);
    check(status == EDB_OK);
    while (status == EDB_OK && (status = edb_next(iterator, &view)) == EDB_OK) {
        uint32_t reg = 0, slot = 0;
        uint64_t stamp = 0;
        check(stamped_view_read(&view, &reg, &slot, &stamp) && seen[reg][slot] == 0);
        seen[reg][slot] = stamp;
        edb_view_release(&view);
    }
    check(status == EDB_NOT_FOUND);
    edb_iterator_close(iterator);
    for (uint32_t reg = 0; reg < REGISTERS; reg++)
        for (uint32_t slot = 0; slot < register_keys(reg); slot++)
            check(seen[reg][slot] == seen[reg][0] && seen[reg][slot] >= least[reg]);
}

/* A row that is there before and after the search is the best hit for its own vector. */
static void try_search(struct worker_thread *r, uint32_t reg)
{
    char key[STAMPED_KEY_BYTES];
    edb_view view, again;
    edb_result *result;
    edb_search_options options = EDB_SEARCH_OPTIONS_INIT;
    options.k = 2;
    if (edb_view_key(r->spaces[0], key, stamped_key(reg, 0, 0, key), &view) != EDB_OK)
        return;
    edb_status status = edb_search(r->spaces[0], view.vector, 1, &options, &result);
    check(status == EDB_OK);
    if (status == EDB_OK && edb_view_row(r->spaces[0], view.row, &again) == EDB_OK) {
        check(result->count > 0 && result->hits[0].row == view.row && result->complete);
        edb_view_release(&again);
    }
    edb_free(result);
    edb_view_release(&view);
}

static void *keep_reading(void *arg)
{
    struct worker_thread *r = arg;
    for (; !atomic_load(&over); r->done++) {
        uint32_t reg = (uint32_t)random_below(&r->random, REGISTERS);
        uint32_t slot = (uint32_t)random_below(&r->random, register_keys(reg));
        uint64_t choice = random_below(&r->random, 64);
        if (choice == 0)
            try_iterate(r);
        else if (choice < 3)
            try_search(r, reg);
        else if (choice < 10)
            try_get_many(r, reg);
        else if (choice < 15)
            try_views(r);
        else
            try_get(r, reg, slot);
    }
    return NULL;
}

/* --------------------------------------------------------------------------------------- tests */

static void start(struct worker_thread *worker, const struct worker_thread *like, uint32_t number)
{
    *worker = *like;
    worker->number = number;
    worker->random.state += number;
    bool writes = number < WRITERS_ALL;
    assert_int_equal(
        pthread_create(&worker->thread, NULL, writes ? keep_writing : keep_reading, worker), 0);
}

static struct worker_thread open_handle(void)
{
    edb_open_options options = EDB_OPEN_OPTIONS_INIT;
    options.busy_wait_ms = BUSY_WAIT_MS;
    struct worker_thread like = {.random = seeded_random("handle")};
    assert_int_equal(edb_open(path, &options, &like.db), EDB_OK);
    assert_int_equal(stamped_spaces(like.db, like.spaces), EDB_OK);
    return like;
}

static void check_end(struct worker_thread *fresh)
{
    for (uint32_t reg = 0; reg < REGISTERS; reg++)
        for (uint32_t slot = 0; slot < register_keys(reg); slot++)
            try_get(fresh, reg, slot);
    try_iterate(fresh);
    assert_int_equal(edb_verify(fresh->db, NULL, NULL, NULL), EDB_OK);
    assert_int_equal(edb_close(fresh->db), EDB_OK);
}

static void test_threads_on_one_handle_and_on_another(void **state)
{
    static struct worker_thread workers[WRITERS + READERS + OTHERS];
    const char *seconds = getenv("EDB_SECONDS");
    uint64_t written = 0, read = 0, longest_ns = 0;
    size_t count = 0;
    (void)state;
    place_open(place);
    snprintf(path, sizeof path, "%s/threads.edb", place);
    struct worker_thread one = open_handle(), other = open_handle();
    for (uint32_t i = 0; i < WRITERS; i++)
        start(&workers[count++], &one, i);
    for (uint32_t i = 0; i < READERS; i++)
        start(&workers[count++], &one, WRITERS_ALL + i);
    start(&workers[count++], &other, WRITERS);
    start(&workers[count++], &other, WRITERS_ALL + READERS);
    for (unsigned ms = 0;
         ms < 1000 * (seconds ? strtoul(seconds, NULL, 10) : SECONDS) && !atomic_load(&over);
         ms += 20)
        usleep(20000);
    atomic_store(&over, true);
    for (size_t i = 0; i < count; i++) {
        pthread_join(workers[i].thread, NULL);
        assert_true(workers[i].done > 0);
        *(workers[i].number < WRITERS_ALL ? &written : &read) += workers[i].done;
        if (workers[i].longest_ns > longest_ns)
            longest_ns = workers[i].longest_ns;
    }
    printf("%" PRIu64 " commits, the longest %.1f ms; %" PRIu64 " reads\n", written,
           (double)longest_ns / 1e6, read);
    assert_int_equal(edb_close(one.db), EDB_OK);
    assert_int_equal(edb_close(other.db), EDB_OK);
    struct worker_thread fresh = open_handle();
    check_end(&fresh);
    assert_int_equal(atomic_load(&faults), 0);
    place_close(place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads_on_one_handle_and_on_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
