/* Threads of several handles embed overlapping lists; now and then one gives up what it has. Every
 * key is embedded once, also where half of all keys have one lock.
 *
 *   claim_threads [KEYS]    EDB_SEED chooses the lists */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "embedcache.h"
#include "support/temporary_place.h"
#include "unit/base/seeded_random.h"

#include <cmocka.h>

enum { HANDLES = 2, THREADS_OF_HANDLE = 4, LIST = 24, GIVES_UP_ONE_IN = 8, WAIT_MS = 30000 };

struct embedder {
    pthread_t thread;
    edb_space *space;
    struct random_source random;
};

static uint32_t key_count = 2000;
static _Atomic uint32_t *embedded; /* by key, how often */
static _Atomic uint64_t gave_up, waited;
static atomic_bool failed;

static edb_key key_of(const uint32_t *number)
{
    return (edb_key){number, sizeof *number};
}

static void must(edb_status status)
{
    if (status != EDB_OK) {
        fprintf(stderr, "%s: %s\n", edb_status_name(status), edb_error_detail());
        atomic_store(&failed, true);
    }
}

/* Embeds and puts what is the caller's; or, as if the embedder had failed, nothing of it. */
static void embed(edb_space *space, const edb_claims *claims, const uint32_t *numbers)
{
    for (size_t i = 0; i < claims->n; i++) {
        float vector = (float)numbers[i];
        if (claims->states[i] != EDB_CLAIM_MINE)
            continue;
        atomic_fetch_add(&embedded[numbers[i]], 1);
        must(edb_put(space, &numbers[i], sizeof numbers[i], &vector, NULL));
    }
}

static void embed_list(struct embedder *embedder, const uint32_t *numbers, size_t n)
{
    edb_key keys[LIST];
    edb_claims *claims;
    for (size_t i = 0; i < n; i++)
        keys[i] = key_of(&numbers[i]);
    for (;;) {
        edb_status status = edb_claim(embedder->space, keys, n, &claims);
        bool gives_up = random_below(&embedder->random, GIVES_UP_ONE_IN) == 0;
        while (status == EDB_OK && !gives_up && claims->mine + claims->waiting > 0) {
            embed(embedder->space, claims, numbers);
            atomic_fetch_add(&waited, claims->waiting);
            status = edb_claim_wait(claims, WAIT_MS);
        }
        must(status);
        edb_claim_release(claims);
        if (!gives_up || status != EDB_OK)
            return;
        atomic_fetch_add(&gave_up, 1);
    }
}

/* All keys, in an order of its own. */
static void *embed_all(void *arg)
{
    struct embedder *embedder = arg;
    uint32_t *order = malloc(key_count * sizeof *order);
    for (uint32_t i = 0; i < key_count; i++)
        order[i] = i;
    for (uint32_t i = key_count; i > 1; i--) {
        uint32_t other = (uint32_t)random_below(&embedder->random, i), kept = order[i - 1];
        order[i - 1] = order[other];
        order[other] = kept;
    }
    for (uint32_t at = 0; at < key_count && !atomic_load(&failed); at += LIST)
        embed_list(embedder, order + at, key_count - at < LIST ? key_count - at : LIST);
    free(order);
    return NULL;
}

static void test_every_key_is_embedded_once(void **state)
{
    char place[PLACE_BYTES], path[PLACE_BYTES + 16];
    edb *dbs[HANDLES];
    struct embedder embedders[HANDLES * THREADS_OF_HANDLE];
    edb_space_spec spec = EDB_SPACE_SPEC_INIT;
    (void)state;
    spec.dims = 1;
    place_open(place);
    snprintf(path, sizeof path, "%s/claims.edb", place);
    embedded = calloc(key_count, sizeof *embedded);
    struct random_source seeds = seeded_random("claim_threads");
    for (int i = 0; i < HANDLES * THREADS_OF_HANDLE; i++) {
        int handle = i / THREADS_OF_HANDLE;
        if (i % THREADS_OF_HANDLE == 0)
            assert_int_equal(edb_open(path, NULL, &dbs[handle]), EDB_OK);
        assert_int_equal(edb_space_open(dbs[handle], &spec, &embedders[i].space), EDB_OK);
        embedders[i].random.state = random_u64(&seeds);
    }
    for (int i = 0; i < HANDLES * THREADS_OF_HANDLE; i++)
        assert_int_equal(pthread_create(&embedders[i].thread, NULL, embed_all, &embedders[i]), 0);
    for (int i = 0; i < HANDLES * THREADS_OF_HANDLE; i++)
        assert_int_equal(pthread_join(embedders[i].thread, NULL), 0);
    assert_false(atomic_load(&failed));
    for (uint32_t i = 0; i < key_count; i++)
        if (atomic_load(&embedded[i]) != 1)
            fail_msg("key %u was embedded %u times", i, atomic_load(&embedded[i]));
    printf("%u keys, waited for %llu, given up %llu times\n", key_count, (unsigned long long)waited,
           (unsigned long long)gave_up);
    assert_true(waited > 0 && gave_up > 0);
    for (int i = 0; i < HANDLES; i++)
        assert_int_equal(edb_close(dbs[i]), EDB_OK);
    free(embedded);
    place_close(place);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        key_count = (uint32_t)strtoul(argv[1], NULL, 10);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_key_is_embedded_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
