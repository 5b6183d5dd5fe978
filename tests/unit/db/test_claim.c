/* Of all who miss a key one computes it: what edb_claim says of each key, who takes over when
 * somebody gives up or dies, and that nobody waits for ever. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "embedcache.h"
#include "os/os.h"
#include "support/temporary_place.h"

#include <cmocka.h>

enum { HANDLES = 2, WAIT_MS = 20000, SHORT_WAIT_MS = 120, SLACK_MS = 2000 };

#define MINE EDB_CLAIM_MINE
#define WAIT EDB_CLAIM_WAIT
#define HIT EDB_CLAIM_HIT
#define NONE EDB_CLAIM_NONE

static char place[PLACE_BYTES];
static char path[PLACE_BYTES + 16];
static edb *dbs[HANDLES];
static edb_space *spaces[HANDLES];
static struct os_io watched;
static atomic_uint locks_tried;

/* What another handle puts just before the next lock is taken. */
static const char *put_when_tried;
static edb_space *put_there;

static void put(edb_space *space, const char *key)
{
    float vector = 1;
    assert_int_equal(edb_put(space, key, strlen(key), &vector, NULL), EDB_OK);
}

static edb_status try_claim(struct os_file *file, uint32_t number, bool *taken_out)
{
    const char *key = put_when_tried;
    put_when_tried = NULL;
    atomic_fetch_add(&locks_tried, 1);
    if (key != NULL)
        put(put_there, key);
    return os_posix.try_claim(file, number, taken_out);
}

static void open_handle(int handle)
{
    edb_space_spec spec = EDB_SPACE_SPEC_INIT;
    spec.dims = 1;
    assert_int_equal(edb_open(path, NULL, &dbs[handle]), EDB_OK);
    assert_int_equal(edb_space_open(dbs[handle], &spec, &spaces[handle]), EDB_OK);
}

static int begin(void **state)
{
    (void)state;
    place_open(place);
    snprintf(path, sizeof path, "%s/claim.edb", place);
    watched = os_posix;
    watched.try_claim = try_claim;
    os_use(&watched);
    for (int i = 0; i < HANDLES; i++)
        open_handle(i);
    return 0;
}

static int end(void **state)
{
    (void)state;
    for (int i = 0; i < HANDLES; i++)
        assert_int_equal(edb_close(dbs[i]), EDB_OK);
    os_use(&os_posix);
    place_close(place);
    return 0;
}

/* Keys of one letter each. */
static edb_claims *claim(edb_space *space, const char *letters)
{
    edb_key keys[16];
    edb_claims *claims;
    size_t n = strlen(letters);
    for (size_t i = 0; i < n; i++)
        keys[i] = (edb_key){letters + i, 1};
    assert_int_equal(edb_claim(space, keys, n, &claims), EDB_OK);
    assert_int_equal(claims->n, n);
    return claims;
}

static void assert_states(const edb_claims *claims, size_t n, const uint8_t *states)
{
    size_t mine = 0, waiting = 0;
    assert_int_equal(claims->n, n);
    for (size_t i = 0; i < n; i++) {
        if (claims->states[i] != states[i])
            fail_msg("key %zu is %d, not %d", i, claims->states[i], states[i]);
        mine += states[i] == MINE;
        waiting += states[i] == WAIT;
    }
    assert_int_equal(claims->mine, mine);
    assert_int_equal(claims->waiting, waiting);
}

#define STATES(claims, ...)                                                                        \
    assert_states((claims), sizeof((uint8_t[]){__VA_ARGS__}), (uint8_t[]){__VA_ARGS__})

/* --------------------------------------------------------------------------------------- states */

static void test_each_key_has_one_owner(void **state)
{
    (void)state;
    put(spaces[1], "h");
    edb_claims *first = claim(spaces[0], "xhy");
    edb_claims *second = claim(spaces[1], "hyxz"); /* as another process would */
    edb_claims *third = claim(spaces[0], "xz");    /* as another thread of the first */
    STATES(first, MINE, HIT, MINE);
    STATES(second, HIT, WAIT, WAIT, MINE);
    STATES(third, WAIT, WAIT);

    put(spaces[0], "x");
    put(spaces[0], "y");
    assert_int_equal(edb_claim_wait(first, 0), EDB_OK);
    STATES(first, HIT, HIT, HIT);
    put(spaces[1], "z");
    assert_int_equal(edb_claim_wait(second, 0), EDB_OK);
    STATES(second, HIT, HIT, HIT, HIT);
    assert_int_equal(edb_claim_wait(third, 0), EDB_OK);
    STATES(third, HIT, HIT);
    edb_claim_release(first);
    edb_claim_release(second);
    edb_claim_release(third);
    edb_claim_release(NULL);
}

static void test_hits_take_no_lock(void **state)
{
    (void)state;
    put(spaces[0], "x");
    put(spaces[0], "y");
    atomic_store(&locks_tried, 0);
    edb_claims *claims = claim(spaces[1], "xyxy");
    STATES(claims, HIT, HIT, HIT, HIT);
    assert_int_equal(edb_claim_wait(claims, WAIT_MS), EDB_OK);
    assert_int_equal(atomic_load(&locks_tried), 0);
    edb_claim_release(claims);
    claims = claim(spaces[0], "");
    assert_int_equal(edb_claim_wait(claims, WAIT_MS), EDB_OK);
    edb_claim_release(claims);
}

static void test_a_key_that_comes_twice_is_computed_once(void **state)
{
    (void)state;
    edb_claims *claims = claim(spaces[0], "xyx");
    STATES(claims, MINE, MINE, WAIT);
    put(spaces[0], "x");
    assert_int_equal(edb_claim_wait(claims, 0), EDB_OK);
    STATES(claims, HIT, NONE, HIT);
    edb_claim_release(claims);

    claims = claim(spaces[0], "zz");
    assert_int_equal(edb_claim_wait(claims, 0), EDB_OK);
    STATES(claims, NONE, MINE); /* the first was given up */
    edb_claim_release(claims);
}

static void test_spaces_are_apart(void **state)
{
    (void)state;
    edb_space *other;
    edb_space_spec spec = EDB_SPACE_SPEC_INIT;
    spec.name = "other";
    spec.dims = 1;
    assert_int_equal(edb_space_open(dbs[0], &spec, &other), EDB_OK);
    edb_claims *first = claim(spaces[0], "x"), *second = claim(other, "x");
    STATES(first, MINE);
    STATES(second, MINE);
    edb_claim_release(first);
    edb_claim_release(second);
}

static void test_an_expired_record_is_no_hit(void **state)
{
    (void)state;
    float vector = 1;
    edb_put_options options = EDB_PUT_OPTIONS_INIT;
    options.expiry_s = 1;
    assert_int_equal(edb_put(spaces[0], "x", 1, &vector, &options), EDB_OK);
    edb_claims *claims = claim(spaces[1], "x");
    STATES(claims, MINE);
    edb_claim_release(claims);
}

/* Who puts without a claim is not held up, and is found. */
static void test_a_put_between_look_and_lock_is_seen(void **state)
{
    (void)state;
    put_when_tried = "x";
    put_there = spaces[1];
    edb_claims *claims = claim(spaces[0], "xy");
    STATES(claims, HIT, MINE);
    edb_claims *other = claim(spaces[1], "xy");
    STATES(other, HIT, WAIT);
    edb_claim_release(claims);

    put_when_tried = "y";
    put_there = spaces[0];
    assert_int_equal(edb_claim_wait(other, 0), EDB_OK);
    STATES(other, HIT, HIT);
    claims = claim(spaces[0], "z"); /* no lock has stayed */
    STATES(claims, MINE);
    edb_claim_release(claims);
    edb_claim_release(other);
}

static void test_keys_may_be_freed(void **state)
{
    (void)state;
    char long_key[70000], short_key[8] = "short";
    memset(long_key, 'l', sizeof long_key);
    edb_key keys[3] = {{long_key, sizeof long_key}, {short_key, 5}, {NULL, 0}};
    float vector = 1;
    edb_claims *claims;
    assert_int_equal(edb_claim(spaces[0], keys, 3, &claims), EDB_OK);
    STATES(claims, MINE, MINE, MINE);
    for (int i = 0; i < 3; i++)
        assert_int_equal(edb_put(spaces[1], keys[i].data, keys[i].bytes, &vector, NULL), EDB_OK);
    memset(long_key, '-', sizeof long_key);
    memset(short_key, '-', sizeof short_key);
    assert_int_equal(edb_claim_wait(claims, 0), EDB_OK);
    STATES(claims, HIT, HIT, HIT);
    edb_claim_release(claims);
}

/* Of a long list a part is MINE at a time, and the rest is for whoever comes. */
static void test_long_lists_are_shared(void **state)
{
    (void)state;
    enum { MANY = 2 * EDB_CLAIM_MINE_MAX + 100 };
    static int numbers[MANY];
    static edb_key keys[MANY];
    edb_claims *first, *second;
    const float vector = 1;
    for (int i = 0; i < MANY; i++) {
        numbers[i] = i;
        keys[i] = (edb_key){&numbers[i], sizeof numbers[i]};
    }
    assert_int_equal(edb_claim(spaces[0], keys, MANY, &first), EDB_OK);
    assert_int_equal(edb_claim(spaces[1], keys, MANY, &second), EDB_OK);
    assert_int_equal(first->mine, EDB_CLAIM_MINE_MAX);
    assert_int_equal(second->mine, EDB_CLAIM_MINE_MAX);
    for (int i = 0; i < MANY; i++)
        assert_false(first->states[i] == MINE && second->states[i] == MINE);
    edb_claim_release(second);
    size_t put_in_all = 0;
    for (; first->mine > 0; assert_int_equal(edb_claim_wait(first, 0), EDB_OK)) {
        for (int i = 0; i < MANY; i++)
            if (first->states[i] == MINE)
                assert_int_equal(edb_put(spaces[0], &numbers[i], sizeof i, &vector, NULL), EDB_OK);
        put_in_all += first->mine;
    }
    assert_int_equal(put_in_all, MANY);
    assert_int_equal(first->waiting, 0);
    edb_claim_release(first);
}

/* ------------------------------------------------------------------------------------ take over */

static void test_what_is_given_back_is_taken_over(void **state)
{
    (void)state;
    for (int other = 0; other < HANDLES; other++) {
        edb_claims *first = claim(spaces[0], "xy"), *second = claim(spaces[other], "yx");
        STATES(second, WAIT, WAIT);
        edb_claim_release(first);
        assert_int_equal(edb_claim_wait(second, 0), EDB_OK);
        STATES(second, MINE, MINE);
        first = claim(spaces[0], "x");
        STATES(first, WAIT);
        edb_claim_release(second);
        edb_claim_release(first);
    }
}

struct waiting {
    edb_claims *claims;
    edb_status status;
};

static void *wait_long(void *arg)
{
    struct waiting *waiting = arg;
    waiting->status = edb_claim_wait(waiting->claims, WAIT_MS);
    return NULL;
}

static uint64_t wait_while(struct waiting *waiting, void (*go_on)(void *), void *arg)
{
    pthread_t thread;
    uint64_t from = os_posix.monotonic_ms();
    assert_int_equal(pthread_create(&thread, NULL, wait_long, waiting), 0);
    usleep(SHORT_WAIT_MS * 1000);
    go_on(arg);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(waiting->status, EDB_OK);
    return os_posix.monotonic_ms() - from;
}

static void release_now(void *claims)
{
    edb_claim_release(claims);
}

static void put_now(void *space)
{
    put(space, "x");
}

static void test_who_waits_is_told(void **state)
{
    (void)state;
    for (int other = 0; other < HANDLES; other++) {
        edb_claims *first = claim(spaces[0], "x");
        struct waiting waiting = {claim(spaces[other], "x"), EDB_OK};
        uint64_t waited = wait_while(&waiting, release_now, first);
        assert_in_range(waited, SHORT_WAIT_MS, SHORT_WAIT_MS + SLACK_MS);
        STATES(waiting.claims, MINE);
        edb_claim_release(waiting.claims);
    }
    edb_claims *first = claim(spaces[0], "x");
    struct waiting waiting = {claim(spaces[1], "x"), EDB_OK};
    wait_while(&waiting, put_now, spaces[0]);
    STATES(waiting.claims, HIT);
    edb_claim_release(waiting.claims);
    edb_claim_release(first);
}

/* One has x and wants y, the other has y and wants x. */
static void test_nobody_waits_in_a_circle(void **state)
{
    (void)state;
    edb_claims *x = claim(spaces[0], "x"), *y = claim(spaces[1], "y");
    edb_claims *first = claim(spaces[0], "zy"), *second = claim(spaces[1], "ux");
    STATES(first, MINE, WAIT);
    STATES(second, MINE, WAIT);
    edb_claim_release(x);
    edb_claim_release(y);
    edb_claims *third = claim(spaces[1], "z"), *fourth = claim(spaces[0], "u");
    STATES(third, WAIT);
    STATES(fourth, WAIT);
    /* Nothing was put. Whoever waits has let go of what he had, for the others to take over. */
    assert_int_equal(edb_claim_wait(first, WAIT_MS), EDB_OK);
    STATES(first, NONE, MINE);
    assert_int_equal(edb_claim_wait(second, WAIT_MS), EDB_OK);
    STATES(second, NONE, MINE);
    assert_int_equal(edb_claim_wait(third, WAIT_MS), EDB_OK);
    STATES(third, MINE);
    assert_int_equal(edb_claim_wait(fourth, WAIT_MS), EDB_OK);
    STATES(fourth, MINE);
    edb_claim_release(first);
    edb_claim_release(second);
    edb_claim_release(third);
    edb_claim_release(fourth);
}

static void test_a_wait_ends(void **state)
{
    (void)state;
    for (int other = 0; other < HANDLES; other++) {
        edb_claims *first = claim(spaces[0], "xy"), *second = claim(spaces[other], "zyx");
        uint64_t from = os_posix.monotonic_ms();
        assert_int_equal(edb_claim_wait(second, SHORT_WAIT_MS), EDB_BUSY);
        assert_in_range(os_posix.monotonic_ms() - from, SHORT_WAIT_MS, SHORT_WAIT_MS + SLACK_MS);
        assert_non_null(strstr(edb_error_detail(), "2 of 3 keys"));
        STATES(second, NONE, WAIT, WAIT);
        STATES(first, MINE, MINE);
        assert_int_equal(edb_claim_wait(second, 0), EDB_BUSY);
        edb_claim_release(first);
        assert_int_equal(edb_claim_wait(second, 0), EDB_OK);
        STATES(second, NONE, MINE, MINE);
        edb_claim_release(second);
    }
}

/* ------------------------------------------------------------------------------ processes, fork */

/* Runs in a child of its own; gives its exit status, or 1000 + the signal that ended it. */
static int in_child(int (*what)(void *), void *arg)
{
    int status;
    pid_t child = fork();
    if (child == 0)
        _exit(what(arg));
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int claim_and_die(void *arg)
{
    edb *db;
    edb_space *space;
    edb_claims *claims;
    edb_key keys[2] = {{"x", 1}, {"y", 1}};
    float vector = 1;
    (void)arg;
    if (edb_open(path, NULL, &db) != EDB_OK || edb_space_find(db, NULL, &space) != EDB_OK ||
        edb_claim(space, keys, 2, &claims) != EDB_OK || claims->mine != 2 ||
        edb_put(space, "x", 1, &vector, NULL) != EDB_OK)
        return 1;
    raise(SIGKILL);
    return 2;
}

static void test_claims_die_with_their_process(void **state)
{
    (void)state;
    assert_int_equal(in_child(claim_and_die, NULL), 1000 + SIGKILL);
    edb_claims *claims = claim(spaces[0], "xy");
    STATES(claims, HIT, MINE);
    edb_claim_release(claims);
}

static int use_claims_of_parent(void *claims)
{
    edb_claims *made = claims;
    edb_key key = {"z", 1};
    if (edb_claim(spaces[0], &key, 1, &made) != EDB_FORKED || made != NULL)
        return 1;
    if (edb_claim_wait(claims, 0) != EDB_FORKED)
        return 2;
    edb_claim_release(claims);
    return edb_close(dbs[0]) == EDB_OK ? 0 : 3;
}

static void test_a_fork_takes_nothing_away(void **state)
{
    (void)state;
    edb_claims *claims = claim(spaces[0], "xy");
    assert_int_equal(in_child(use_claims_of_parent, claims), 0);
    edb_claims *other = claim(spaces[1], "xy");
    STATES(other, WAIT, WAIT);
    STATES(claims, MINE, MINE);
    edb_claim_release(claims);
    assert_int_equal(edb_claim_wait(other, 0), EDB_OK);
    STATES(other, MINE, MINE);
    edb_claim_release(other);
}

static int keep_open(void *arg)
{
    const int *until = arg;
    char byte;
    return read(*until, &byte, 1) == 0 ? 0 : 1;
}

/* A child that was forked while there were claims does not keep them. */
static void test_a_child_keeps_no_claim(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    edb_claims *claims = claim(spaces[0], "x");
    pid_t child = fork();
    if (child == 0) {
        close(ends[1]);
        _exit(keep_open(&ends[0]));
    }
    edb_claim_release(claims);
    assert_int_equal(edb_close(dbs[0]), EDB_OK);
    claims = claim(spaces[1], "x");
    STATES(claims, MINE);
    edb_claim_release(claims);
    open_handle(0);
    close(ends[0]);
    close(ends[1]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static int close_both(void *arg)
{
    (void)arg;
    alarm(10);
    return edb_close(dbs[0]) == EDB_OK && edb_close(dbs[1]) == EDB_OK ? 0 : 1;
}

static void fork_now(void *claims)
{
    assert_int_equal(in_child(close_both, NULL), 0);
    edb_claim_release(claims);
}

/* Closing in the child waits for no thread of the parent. */
static void test_a_child_closes_while_a_thread_waits(void **state)
{
    (void)state;
    edb_claims *first = claim(spaces[0], "x");
    struct waiting waiting = {claim(spaces[0], "x"), EDB_OK};
    wait_while(&waiting, fork_now, first);
    STATES(waiting.claims, MINE);
    edb_claim_release(waiting.claims);
}

/* -------------------------------------------------------------------------------- other handles */

static void test_who_cannot_write_cannot_claim(void **state)
{
    (void)state;
    static const uint32_t flags[] = {EDB_OPEN_READ_ONLY, EDB_OPEN_SNAPSHOT};
    for (int i = 0; i < 2; i++) {
        edb *db;
        edb_space *space;
        edb_key key = {"x", 1};
        edb_claims *claims = (edb_claims *)&key;
        edb_open_options options = EDB_OPEN_OPTIONS_INIT;
        options.flags = flags[i];
        assert_int_equal(edb_open(path, &options, &db), EDB_OK);
        assert_int_equal(edb_space_find(db, NULL, &space), EDB_OK);
        assert_int_equal(edb_claim(space, &key, 1, &claims), EDB_READ_ONLY);
        assert_null(claims);
        assert_int_equal(edb_close(db), EDB_OK);
    }
}

/* Claims go with their handle to the file that a compaction has made. */
static void test_claims_follow_a_compaction(void **state)
{
    (void)state;
    put(spaces[0], "a");
    edb_claims *first = claim(spaces[0], "xy"), *second = claim(spaces[1], "yx");
    assert_int_equal(edb_compact(dbs[1], NULL, NULL), EDB_OK);
    put(spaces[0], "x"); /* the first handle moves */
    assert_int_equal(edb_claim_wait(second, 0), EDB_OK);
    STATES(second, WAIT, HIT);
    assert_int_equal(edb_claim_wait(second, 0), EDB_BUSY);
    edb_claim_release(first);
    assert_int_equal(edb_claim_wait(second, 0), EDB_OK);
    STATES(second, MINE, HIT);
    edb_claim_release(second);
}

static void test_two_that_moved_apart_are_no_harm(void **state)
{
    (void)state;
    put(spaces[0], "a");
    edb_claims *first = claim(spaces[0], "x");
    assert_int_equal(edb_compact(dbs[1], NULL, NULL), EDB_OK);
    edb_claims *second = claim(spaces[1], "x"); /* on the new file, before the first comes there */
    STATES(second, MINE);
    STATES(first, MINE);
    put(spaces[0], "x");
    put(spaces[1], "x");
    edb_claim_release(first);
    assert_int_equal(edb_claim_wait(second, 0), EDB_OK);
    STATES(second, HIT);
    edb_claim_release(second);
    second = claim(spaces[1], "z");
    STATES(second, MINE);
    edb_claim_release(second);
}

/* Claims are no writer's lock, and a writer's lock is no claim. */
static void test_claims_and_writers_let_each_other_be(void **state)
{
    (void)state;
    struct os_file *writer;
    edb_claims *claims = claim(spaces[0], "x");
    assert_int_equal(os_posix.open(path, true, &writer), EDB_OK);
    assert_int_equal(os_posix.try_lock(writer, OS_LOCK_WRITER), EDB_OK);
    assert_int_equal(os_posix.try_lock(writer, OS_LOCK_COMPACTION), EDB_OK);
    edb_claims *more = claim(spaces[1], "xy");
    STATES(more, WAIT, MINE);
    edb_claim_release(claims);
    assert_int_equal(edb_claim_wait(more, 0), EDB_OK);
    STATES(more, MINE, NONE);
    os_posix.close(writer);
    put(spaces[1], "x");
    edb_claim_release(more);
}

#define FRESH(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FRESH(test_each_key_has_one_owner),
        FRESH(test_hits_take_no_lock),
        FRESH(test_a_key_that_comes_twice_is_computed_once),
        FRESH(test_spaces_are_apart),
        FRESH(test_an_expired_record_is_no_hit),
        FRESH(test_a_put_between_look_and_lock_is_seen),
        FRESH(test_keys_may_be_freed),
        FRESH(test_long_lists_are_shared),
        FRESH(test_what_is_given_back_is_taken_over),
        FRESH(test_who_waits_is_told),
        FRESH(test_nobody_waits_in_a_circle),
        FRESH(test_a_wait_ends),
        FRESH(test_claims_die_with_their_process),
        FRESH(test_a_fork_takes_nothing_away),
        FRESH(test_a_child_keeps_no_claim),
        FRESH(test_a_child_closes_while_a_thread_waits),
        FRESH(test_who_cannot_write_cannot_claim),
        FRESH(test_claims_follow_a_compaction),
        FRESH(test_two_that_moved_apart_are_no_harm),
        FRESH(test_claims_and_writers_let_each_other_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
