/* A handle does not survive fork(): in the child every call says so, closing frees memory, opening
 * anew works; the parent goes on undisturbed; and a child keeps no lock alive for its dead
 * parent. */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "db/db.h"
#include "embedcache.h"
#include "multiproc/run_worker.h"
#include "support/stamped_row.h"

#include <cmocka.h>

enum { FORKS_UNDER_LOAD = 200, CHILD_LIFE_S = 20 };

static char place[PLACE_BYTES];
static char path[PLACE_BYTES + 16];

/* Everything a child may have inherited. */
struct open_things {
    edb *db;
    edb_space *spaces[2];
    edb_txn *txn;
    edb_iterator *iterator;
    edb_view view;
    float vector[STAMPED_DIMS];
};

static edb *open_spaces(edb_space *spaces[2])
{
    edb *db;
    assert_int_equal(edb_open(path, NULL, &db), EDB_OK);
    assert_int_equal(stamped_spaces(db, spaces), EDB_OK);
    return db;
}

static edb_status put_number(edb_space *space, uint64_t n)
{
    char key[STAMPED_KEY_BYTES];
    float vector[STAMPED_DIMS];
    stamped_vector(ADDED, 0, n, vector);
    return edb_put(space, key, stamped_key(ADDED, 0, n, key), vector, NULL);
}

static bool has_number(edb_space *space, uint64_t n)
{
    char key[STAMPED_KEY_BYTES];
    float vector[STAMPED_DIMS];
    uint64_t stamp;
    return edb_get(space, key, stamped_key(ADDED, 0, n, key), vector) == EDB_OK &&
           stamped_vector_read(ADDED, 0, vector, &stamp) && stamp == n;
}

static void open_all(struct open_things *t)
{
    memset(t, 0, sizeof *t);
    t->db = open_spaces(t->spaces);
    stamped_vector(ADDED, 0, 1, t->vector);
    assert_int_equal(put_number(t->spaces[1], 1), EDB_OK);
    assert_int_equal(put_number(t->spaces[1], 2), EDB_OK);
    assert_int_equal(edb_view_row(t->spaces[1], 0, &t->view), EDB_OK);
    assert_int_equal(edb_iterate(t->spaces[1], &t->iterator), EDB_OK);
    assert_int_equal(edb_begin(t->db, &t->txn), EDB_OK);
    assert_int_equal(edb_txn_put(t->txn, t->spaces[1], "k", 1, t->vector, NULL), EDB_OK);
}

/* Runs in the child: 0 when all is as it should be, else the line that is not. */
#define child_expects(condition)                                                                   \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "child, line %d: " #condition ": %s\n", __LINE__, edb_error_detail()); \
            return __LINE__ % 250 + 1;                                                             \
        }                                                                                          \
    } while (0)

#define child_is_told(call) child_expects((call) == EDB_FORKED)

static int ask_spaces(struct open_things *t)
{
    edb_space *space;
    edb_space_spec spec = EDB_SPACE_SPEC_INIT;
    edb_stats stats = {.struct_size = sizeof stats};
    edb_space_stats space_stats = {.struct_size = sizeof space_stats};
    spec.dims = 4;
    spec.name = "new";
    child_is_told(edb_space_open(t->db, &spec, &space));
    child_is_told(edb_space_find(t->db, "added", &space));
    child_is_told(edb_space_at(t->db, 0, &space));
    child_is_told(edb_stats_get(t->db, &stats));
    child_is_told(edb_space_stats_get(t->spaces[0], &space_stats));
    child_is_told(edb_space_describe(t->spaces[0], &spec));
    child_is_told(edb_verify(t->db, NULL, NULL, NULL));
    return 0;
}

static int ask_reading(struct open_things *t)
{
    edb_view view;
    edb_iterator *iterator;
    edb_result *result;
    edb_key key = {"k", 1};
    uint64_t row = 0;
    uint8_t found;
    float vector[STAMPED_DIMS];
    edb_space *space = t->spaces[1];
    child_is_told(edb_get(space, "k", 1, vector));
    child_is_told(edb_contains(space, "k", 1));
    child_is_told(edb_view_key(space, "k", 1, &view));
    child_is_told(edb_view_row(space, 0, &view));
    child_is_told(edb_get_many(space, &key, 1, vector, &found));
    child_is_told(edb_get_rows(space, &row, 1, vector, &found));
    child_is_told(edb_iterate(space, &iterator));
    child_is_told(edb_next(t->iterator, &view));
    child_is_told(edb_search(space, t->vector, 1, NULL, &result));
    return 0;
}

static int ask_writing(struct open_things *t)
{
    edb_txn *txn;
    edb_key key = {"k", 1};
    edb_space *space = t->spaces[1];
    child_is_told(edb_put(space, "k", 1, t->vector, NULL));
    child_is_told(edb_put_many(space, &key, 1, t->vector, NULL, NULL));
    child_is_told(edb_put_many(space, NULL, 0, NULL, NULL, NULL));
    child_is_told(edb_delete(space, "k", 1));
    child_is_told(edb_begin(t->db, &txn));
    child_is_told(edb_txn_put(t->txn, space, "k", 1, t->vector, NULL));
    child_is_told(edb_txn_delete(t->txn, space, "k", 1));
    child_is_told(edb_commit(t->txn, EDB_DURABLE));
    t->txn = NULL;
    child_is_told(edb_sync(t->db));
    return 0;
}

/* What the child holds is still its own memory: views are readable, all can be freed. */
static int free_all(struct open_things *t)
{
    uint64_t stamp;
    child_expects(stamped_vector_read(ADDED, 0, t->view.vector, &stamp) && stamp == 1);
    edb_view_release(&t->view);
    edb_iterator_close(t->iterator);
    edb_abort(t->txn);
    child_expects(edb_close(t->db) == EDB_OK);
    return 0;
}

static int open_anew(uint64_t n)
{
    edb_space *spaces[2];
    edb *db;
    child_expects(edb_open(path, NULL, &db) == EDB_OK);
    child_expects(stamped_spaces(db, spaces) == EDB_OK);
    child_expects(has_number(spaces[1], 1) && has_number(spaces[1], 2));
    child_expects(put_number(spaces[1], n) == EDB_OK);
    child_expects(has_number(spaces[1], n));
    child_expects(edb_close(db) == EDB_OK);
    return 0;
}

static int live_as_child(struct open_things *t)
{
    int line = ask_spaces(t);
    if (line == 0)
        line = ask_reading(t);
    if (line == 0)
        line = ask_writing(t);
    if (line == 0)
        line = free_all(t);
    return line != 0 ? line : open_anew(3);
}

static void expect_good_child(pid_t child)
{
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFSIGNALED(status))
        fail_msg("the child died of signal %d", WTERMSIG(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static int begin(void **state)
{
    edb_space *spaces[2];
    (void)state;
    place_open(place);
    snprintf(path, sizeof path, "%s/fork.edb", place);
    assert_int_equal(edb_close(open_spaces(spaces)), EDB_OK);
    return 0;
}

static int end(void **state)
{
    (void)state;
    place_close(place);
    return 0;
}

static void test_child_is_told_and_opens_anew(void **state)
{
    struct open_things t;
    (void)state;
    open_all(&t);
    pid_t child = fork();
    if (child == 0)
        _exit(live_as_child(&t));
    assert_int_equal(put_number(t.spaces[1], 4), EDB_OK);
    expect_good_child(child);
    assert_true(has_number(t.spaces[1], 3)); /* the child's own */
    assert_int_equal(edb_commit(t.txn, EDB_DURABLE), EDB_OK);
    assert_int_equal(edb_contains(t.spaces[1], "k", 1), EDB_OK);
    edb_view_release(&t.view);
    edb_iterator_close(t.iterator);
    assert_int_equal(edb_verify(t.db, NULL, NULL, NULL), EDB_OK);
    assert_int_equal(edb_close(t.db), EDB_OK);
}

/* A child's child is told as well, by the handle of its grandfather and by that of its father. */
static int live_as_father(struct open_things *t)
{
    edb_space *spaces[2];
    edb *db;
    int status;
    child_expects(edb_open(path, NULL, &db) == EDB_OK);
    child_expects(stamped_spaces(db, spaces) == EDB_OK);
    pid_t grandchild = fork();
    if (grandchild == 0) {
        child_is_told(put_number(spaces[1], 5));
        child_is_told(put_number(t->spaces[1], 5));
        child_expects(edb_close(db) == EDB_OK);
        _exit(open_anew(6));
    }
    child_expects(put_number(spaces[1], 7) == EDB_OK);
    child_expects(waitpid(grandchild, &status, 0) == grandchild && status == 0);
    child_expects(has_number(spaces[1], 6));
    child_expects(edb_close(db) == EDB_OK);
    return free_all(t);
}

static void test_grandchild(void **state)
{
    struct open_things t;
    (void)state;
    open_all(&t);
    pid_t child = fork();
    if (child == 0)
        _exit(live_as_father(&t));
    expect_good_child(child);
    assert_true(has_number(t.spaces[1], 6) && has_number(t.spaces[1], 7));
    free_all(&t);
}

/* The parent dies with the lock in its hands, its child lives on: the lock is free. */
static void test_child_keeps_no_lock_alive(void **state)
{
    int told[2];
    pid_t child;
    edb_space *spaces[2];
    edb *db;
    (void)state;
    assert_int_equal(pipe(told), 0);
    pid_t parent = fork();
    if (parent == 0) {
        db = open_spaces(spaces);
        if (db_write_begin(db, false) != EDB_OK)
            _exit(1);
        child = fork();
        if (child == 0)
            _exit((int)sleep(CHILD_LIFE_S));
        if (write(told[1], &child, sizeof child) != sizeof child)
            _exit(1);
        for (;;)
            pause();
    }
    assert_int_equal(read(told[0], &child, sizeof child), sizeof child);
    edb_open_options options = EDB_OPEN_OPTIONS_INIT;
    options.busy_wait_ms = 300;
    assert_int_equal(edb_open(path, &options, &db), EDB_OK);
    assert_int_equal(stamped_spaces(db, spaces), EDB_OK);
    assert_int_equal(put_number(spaces[1], 8), EDB_BUSY);
    kill(parent, SIGKILL);
    waitpid(parent, NULL, 0);
    assert_int_equal(kill(child, 0), 0); /* it lives */
    assert_int_equal(put_number(spaces[1], 8), EDB_OK);
    assert_int_equal(edb_close(db), EDB_OK);
    kill(child, SIGKILL);
    close(told[0]);
    close(told[1]);
}

/* ------------------------------------------------------------------------ fork in full activity */

struct activity {
    edb_space *space;
    _Atomic bool over;
    uint64_t put;
};

static void *keep_putting(void *arg)
{
    struct activity *activity = arg;
    while (!atomic_load(&activity->over)) {
        if (put_number(activity->space, activity->put) != EDB_OK)
            break;
        activity->put++;
    }
    return NULL;
}

/* Forked while another thread is anywhere inside a commit. */
static int live_briefly(edb *db, edb_space *space)
{
    float vector[STAMPED_DIMS];
    child_is_told(edb_get(space, "k", 1, vector));
    child_is_told(put_number(space, 1));
    child_expects(edb_close(db) == EDB_OK);
    return 0;
}

static void test_fork_while_a_thread_writes(void **state)
{
    static struct activity activity;
    edb_space *spaces[2];
    pthread_t thread;
    (void)state;
    edb *db = open_spaces(spaces);
    activity.space = spaces[1];
    assert_int_equal(pthread_create(&thread, NULL, keep_putting, &activity), 0);
    for (int i = 0; i < FORKS_UNDER_LOAD; i++) {
        pid_t child = fork();
        if (child == 0)
            _exit(live_briefly(db, spaces[1]));
        expect_good_child(child);
    }
    atomic_store(&activity.over, true);
    pthread_join(thread, NULL);
    printf("%d forks during %" PRIu64 " puts\n", FORKS_UNDER_LOAD, activity.put);
    assert_true(activity.put > FORKS_UNDER_LOAD / 10);
    for (uint64_t n = 0; n < activity.put; n++)
        assert_true(has_number(spaces[1], n));
    assert_int_equal(edb_close(db), EDB_OK);
}

#define fresh(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        fresh(test_child_is_told_and_opens_anew),
        fresh(test_grandchild),
        fresh(test_child_keeps_no_lock_alive),
        fresh(test_fork_while_a_thread_writes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
