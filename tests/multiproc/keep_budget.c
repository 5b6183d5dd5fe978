/* Several processes put into one file with a budget of bytes, as fast as they can; some are killed
 * on the way. The file keeps its size, about; what a process reads is what was put under that key,
 * or it is a miss; pinned records stay. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "embedcache.h"
#include "support/temporary_place.h"

#include <cmocka.h>

enum {
    DIMS = 512,
    WRITERS = 3,
    KEYS = 60000,
    PINNED = 20,
    BUDGET = 8 << 20,
    SECONDS = 6,
    LIVES = 4 /* of a writer; all but the last end with a kill */
};

static char place[PLACE_BYTES];
static char path[PLACE_BYTES + 20];

static void fill(float vector[DIMS], uint32_t key)
{
    for (uint32_t i = 0; i < DIMS; i++)
        vector[i] = (float)((key + 31 * i) % 1009);
}

static edb_space *open_space(edb *db)
{
    edb_space *space;
    edb_space_spec spec = EDB_SPACE_SPEC_INIT;
    spec.dims = DIMS;
    return edb_space_open(db, &spec, &space) == EDB_OK ? space : NULL;
}

/* A hit is right, or there is none. */
static bool is_right(edb_space *space, uint32_t key, edb_status *status_out)
{
    float there[DIMS];
    float wanted[DIMS];
    *status_out = edb_get(space, &key, sizeof key, there);
    fill(wanted, key);
    return *status_out == EDB_NOT_FOUND ||
           (*status_out == EDB_OK && memcmp(there, wanted, sizeof wanted) == 0);
}

static int put_and_ask(edb_space *space, uint32_t seed, const struct timespec *until)
{
    float vector[DIMS];
    struct timespec now;
    uint32_t state = seed;
    edb_status status;
    do {
        state = state * 1664525u + 1013904223u;
        uint32_t key = PINNED + (state >> 8) % KEYS;
        fill(vector, key);
        status = edb_put(space, &key, sizeof key, vector, NULL);
        if (status == EDB_BUSY) /* a slow machine: others had the lock for five seconds */
            continue;
        if (status != EDB_OK || !is_right(space, (state >> 4) % KEYS, &status)) {
            fprintf(stderr, "key %u: %s\n", key, edb_error_detail());
            return 1;
        }
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while (now.tv_sec < until->tv_sec);
    return 0;
}

/* In a process of its own. */
static int live(uint32_t seed, int seconds)
{
    edb *db;
    struct timespec until;
    edb_space *space = NULL;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += seconds;
    if (edb_open(path, NULL, &db) == EDB_OK)
        space = open_space(db);
    if (space == NULL) {
        fprintf(stderr, "a writer cannot open: %s\n", edb_error_detail());
        return 1;
    }
    int code = put_and_ask(space, seed, &until);
    return edb_close(db) == EDB_OK ? code : 1;
}

static pid_t begin_life(uint32_t seed, int seconds)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(live(seed, seconds));
    return child;
}

static void nap(long ms)
{
    const struct timespec time = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&time, NULL);
}

static uint64_t file_bytes(void)
{
    struct stat seen;
    assert_int_equal(stat(path, &seen), 0);
    return (uint64_t)seen.st_size;
}

static void make_cache(void)
{
    edb *db;
    float vector[DIMS];
    edb_limits limits = EDB_LIMITS_INIT;
    edb_put_options pinned = EDB_PUT_OPTIONS_INIT;
    place_open(place);
    snprintf(path, sizeof path, "%s/budget.edb", place);
    assert_int_equal(edb_open(path, NULL, &db), EDB_OK);
    edb_space *space = open_space(db);
    assert_non_null(space);
    limits.max_bytes = BUDGET;
    assert_int_equal(edb_limits_set(db, NULL, &limits), EDB_OK);
    pinned.pinned = 1;
    for (uint32_t key = 0; key < PINNED; key++) {
        fill(vector, key);
        assert_int_equal(edb_put(space, &key, sizeof key, vector, &pinned), EDB_OK);
    }
    assert_int_equal(edb_close(db), EDB_OK);
}

static void check_cache(void)
{
    edb *db;
    edb_space_stats stats = {.struct_size = sizeof stats};
    assert_int_equal(edb_open(path, NULL, &db), EDB_OK);
    edb_space *space = open_space(db);
    for (uint32_t key = 0; key < PINNED + KEYS; key++) {
        edb_status status;
        if (!is_right(space, key, &status) || (key < PINNED && status != EDB_OK))
            fail_msg("key %u: %s", key, edb_error_detail());
    }
    assert_int_equal(edb_verify(db, NULL, NULL, NULL), EDB_OK);
    assert_int_equal(edb_space_stats_get(space, &stats), EDB_OK);
    printf("%llu of %llu rows live, %llu evicted\n", (unsigned long long)stats.live,
           (unsigned long long)stats.rows, (unsigned long long)stats.evictions);
    assert_true(stats.evictions > 0 && stats.live_bytes > BUDGET / 2);
    assert_int_equal(edb_close(db), EDB_OK);
}

/* What a process that is killed in the middle of a compaction does not do others have to begin
 * anew: then the file may be larger for a while. In the end it is not. */
static void test_size_is_kept(void **state)
{
    (void)state;
    uint64_t most = 0;
    make_cache();
    for (uint32_t round = 0; round < LIVES; round++) {
        pid_t writers[WRITERS];
        bool last = round == LIVES - 1;
        for (uint32_t i = 0; i < WRITERS; i++)
            writers[i] = begin_life(100 * round + i + 1, last ? SECONDS : 60);
        for (int look = 0; look < 10 && !last; look++) {
            nap(150);
            most = file_bytes() > most ? file_bytes() : most;
        }
        for (uint32_t i = 0; i < WRITERS; i++) {
            int code;
            if (!last)
                kill(writers[i], SIGKILL);
            assert_int_equal(waitpid(writers[i], &code, 0), writers[i]);
            assert_true(!last || (WIFEXITED(code) && WEXITSTATUS(code) == 0));
        }
    }
    printf("at most %llu bytes while it was written to, %llu in the end, of %d\n",
           (unsigned long long)most, (unsigned long long)file_bytes(), BUDGET);
    assert_true(most < 3 * (uint64_t)BUDGET);
    assert_true(file_bytes() <= BUDGET + BUDGET / 8);
    check_cache();
    place_close(place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_size_is_kept)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
