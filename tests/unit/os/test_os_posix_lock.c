/* One writer at a time, whoever closes, dies or forks; and a wait that ends. */
#include <fcntl.h>
#include <signal.h>

#include "os/os_thread.h"
#include "unit/os/posix_ground.h"

/* ---------------------------------------------------------------------------------------- locks */

static void lock_excludes_a_second_descriptor_of_this_process(void **state)
{
    (void)state;
    struct os_file *first = make_file("x"), *second = open_again(true);
    assert_int_equal(os_posix.try_lock(first, OS_LOCK_WRITER), EDB_OK);
    assert_int_equal(os_posix.try_lock(second, OS_LOCK_WRITER), EDB_BUSY);
    os_posix.unlock(first, OS_LOCK_WRITER);
    assert_int_equal(os_posix.try_lock(second, OS_LOCK_WRITER), EDB_OK);
    assert_int_equal(os_posix.try_lock(first, OS_LOCK_WRITER), EDB_BUSY);
    os_posix.close(second);
    assert_int_equal(os_posix.try_lock(first, OS_LOCK_WRITER), EDB_OK);
    os_posix.close(first);
}

static void lock_survives_an_unrelated_close(void **state)
{
    (void)state;
    struct os_file *holder = make_file("x"), *other = open_again(true);
    assert_int_equal(os_posix.try_lock(holder, OS_LOCK_WRITER), EDB_OK);
    int stranger = open(path, O_RDWR);
    assert_true(stranger >= 0);
    close(stranger);
    assert_int_equal(os_posix.try_lock(other, OS_LOCK_WRITER), EDB_BUSY);
    os_posix.close(other);
    os_posix.close(holder);
}

static int lock_and_die(void *arg)
{
    (void)arg;
    struct os_file *file;
    if (os_posix.open(path, true, &file) != EDB_OK ||
        os_posix.try_lock(file, OS_LOCK_WRITER) != EDB_OK)
        return 1;
    raise(SIGKILL);
    return 2;
}

static void lock_dies_with_its_holder(void **state)
{
    (void)state;
    struct os_file *file = make_file("x");
    assert_int_equal(in_child(lock_and_die, NULL), 1000 + SIGKILL);
    assert_int_equal(os_posix.try_lock(file, OS_LOCK_WRITER), EDB_OK);
    os_posix.close(file);
}

/* One of the locks on a number. */
static bool takes(struct os_file *file, uint32_t number)
{
    bool taken;
    assert_int_equal(os_posix.try_claim(file, number, &taken), EDB_OK);
    return taken;
}

static void take_many(struct os_file *file, uint32_t first)
{
    for (uint32_t i = 0; i < 100; i++)
        assert_true(takes(file, first + 10 * i));
}

/* A process that holds the lock, and a hundred claims, until its pipe is closed. */
static pid_t start_holder(int *release_out)
{
    int ready[2], release[2];
    assert_int_equal(pipe(ready) | pipe(release), 0);
    pid_t child = fork();
    if (child == 0) {
        char byte = 'x';
        close(release[1]);
        struct os_file *file;
        if (os_posix.open(path, true, &file) != EDB_OK ||
            os_posix.try_lock(file, OS_LOCK_WRITER) != EDB_OK)
            _exit(1);
        take_many(file, 5);
        _exit(write(ready[1], &byte, 1) == 1 ? (int)read(release[0], &byte, 1) : 1);
    }
    char byte;
    close(ready[1]);
    close(release[0]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    *release_out = release[1];
    return child;
}

static void busy_names_the_holder(void **state)
{
    (void)state;
    struct os_file *file = make_file("x");
    int release;
    pid_t holder = start_holder(&release);
    char text[128], wanted[32];
    assert_int_equal(os_posix.try_lock(file, OS_LOCK_WRITER), EDB_BUSY);
    os_posix.describe_writers(file, text, sizeof text);
    snprintf(wanted, sizeof wanted, "pid %d (", (int)holder);
    assert_memory_equal(text, wanted, strlen(wanted));
    assert_null(strchr(text, ','));
    close(release);
    waitpid(holder, NULL, 0);

    os_posix.describe_writers(file, text, sizeof text);
    assert_string_equal(text, "");
    struct os_file *second = open_again(true);
    os_posix.describe_writers(file, text, sizeof text);
    assert_string_equal(text, "another handle of this process");
    os_posix.close(second);
    os_posix.close(file);
}

/* --------------------------------------------------------------------------------------- claims */

static void claims_are_locks_of_their_own(void **state)
{
    (void)state;
    struct os_file *first = make_file("x"), *second = open_again(true);
    static const uint32_t numbers[] = {0, 1, 2, 77, UINT32_MAX - 1, UINT32_MAX};
    assert_int_equal(os_posix.try_lock(second, OS_LOCK_WRITER), EDB_OK);
    assert_int_equal(os_posix.try_lock(second, OS_LOCK_COMPACTION), EDB_OK);
    for (int i = 0; i < 6; i++)
        assert_true(takes(first, numbers[i]));
    for (int i = 0; i < 6; i++)
        assert_false(takes(second, numbers[i]));
    os_posix.give_claims(first, 1, 1);
    assert_true(takes(second, 1));
    assert_false(takes(second, 0) || takes(second, 2) || takes(first, 1));
    os_posix.give_claims(first, 0, (uint64_t)UINT32_MAX + 1);
    assert_false(takes(first, 1));
    for (int i = 0; i < 6; i++)
        assert_true(takes(second, numbers[i]));
    os_posix.give_claims(second, 0, (uint64_t)UINT32_MAX + 1);
    assert_int_equal(os_posix.try_lock(first, OS_LOCK_WRITER), EDB_BUSY);
    assert_int_equal(os_posix.try_lock(first, OS_LOCK_COMPACTION), EDB_BUSY);
    os_posix.close(second);
    os_posix.close(first);
}

/* Who has claims is not taken for the writer. */
static void busy_names_the_writer_among_claims(void **state)
{
    (void)state;
    struct os_file *file = make_file("x");
    int release;
    pid_t holder = start_holder(&release);
    struct os_file *claimer = open_again(true);
    take_many(claimer, 0);
    char text[128], wanted[32];
    os_posix.describe_writers(file, text, sizeof text);
    snprintf(wanted, sizeof wanted, "pid %d (", (int)holder);
    assert_memory_equal(text, wanted, strlen(wanted));
    assert_null(strchr(text, ','));
    close(release);
    waitpid(holder, NULL, 0);
    os_posix.close(claimer);
    os_posix.close(file);
}

/* ----------------------------------------------------------------------------------------- fork */

/* In the child every registered descriptor is closed; a number that is used anew there stays
 * open over close(). */
static int look_around_in_child(void *arg)
{
    struct os_file *const *files = arg;
    char byte;
    if (os_fork_generation() != 1)
        return 1;
    if (os_read(files[0], 0, &byte, 1) != EDB_IO || os_posix.sync(files[1]) != EDB_IO)
        return 2;
    int strangers[8];
    for (int i = 0; i < 8; i++)
        strangers[i] = open("/dev/null", O_RDONLY);
    os_posix.close(files[0]);
    os_posix.close(files[1]);
    for (int i = 0; i < 8; i++)
        if (fcntl(strangers[i], F_GETFD) < 0)
            return 3;
    struct os_file *own;
    if (os_posix.open(path, true, &own) != EDB_OK ||
        os_posix.try_lock(own, OS_LOCK_WRITER) != EDB_BUSY)
        return 4;
    os_posix.close(own);
    return 0;
}

static void a_child_holds_nothing(void **state)
{
    (void)state;
    struct os_file *files[2];
    files[0] = make_file("x");
    files[1] = open_again(true);
    assert_int_equal(os_posix.try_lock(files[1], OS_LOCK_WRITER), EDB_OK);
    assert_int_equal(os_fork_generation(), 0);
    assert_int_equal(in_child(look_around_in_child, files), 0);
    assert_int_equal(os_fork_generation(), 0);
    char byte;
    assert_int_equal(os_read(files[0], 0, &byte, 1), EDB_OK);
    os_posix.close(files[0]);
    os_posix.close(files[1]);
}

/* The parent is killed while the child lives on: the lock is free all the same, as soon as
 * fork() has returned in the child. */
static int lock_fork_and_die(void *arg)
{
    struct os_file *file;
    if (os_posix.open(path, true, &file) != EDB_OK ||
        os_posix.try_lock(file, OS_LOCK_WRITER) != EDB_OK)
        return 1;
    const int *release = arg;
    if (fork() == 0) {
        char byte;
        close(release[1]);
        _exit(read(release[0], &byte, 1) == 0 ? 0 : 1);
    }
    raise(SIGKILL);
    return 2;
}

static void a_child_does_not_keep_the_lock(void **state)
{
    (void)state;
    int release[2];
    struct os_file *file = make_file("x");
    assert_int_equal(pipe2(release, O_CLOEXEC), 0);
    assert_int_equal(in_child(lock_fork_and_die, release), 1000 + SIGKILL);
    edb_status status = EDB_BUSY;
    for (int tries = 0; status == EDB_BUSY && tries < 5000; tries++) {
        status = os_posix.try_lock(file, OS_LOCK_WRITER);
        os_posix.sleep_ms(1);
    }
    assert_int_equal(status, EDB_OK);
    close(release[1]);
    close(release[0]);
    os_posix.close(file);
}

static int exit_at_once(void *arg)
{
    (void)arg;
    return 0;
}

static void a_fork_between_open_and_register_is_noticed(void **state)
{
    (void)state;
    uint64_t ticket;
    struct os_fork_entry entry = {-1, NULL, NULL};
    assert_int_equal(os_fork_ticket(&ticket), EDB_OK);
    assert_int_equal(in_child(exit_at_once, NULL), 0);
    assert_false(os_fork_register(&entry, ticket));
    assert_int_equal(os_fork_ticket(&ticket), EDB_OK);
    assert_true(os_fork_register(&entry, ticket));
    assert_int_equal(os_fork_forget(&entry), -1);
}

/* ------------------------------------------------------------------------------------ the wait */

static void *hold_for_a_while(void *arg)
{
    struct os_mutex *mutex = arg;
    os_mutex_lock(mutex);
    os_posix.sleep_ms(300);
    os_mutex_unlock(mutex);
    return NULL;
}

static void mutex_waits_within_its_limit(void **state)
{
    (void)state;
    struct os_mutex mutex;
    pthread_t holder;
    assert_int_equal(os_mutex_open(&mutex), EDB_OK);
    assert_true(os_mutex_lock_within(&mutex, 0));
    os_mutex_unlock(&mutex);
    assert_int_equal(pthread_create(&holder, NULL, hold_for_a_while, &mutex), 0);
    os_posix.sleep_ms(50);
    uint64_t begin = os_posix.monotonic_ms();
    assert_false(os_mutex_lock_within(&mutex, 0));
    assert_false(os_mutex_lock_within(&mutex, 20));
    assert_true(os_posix.monotonic_ms() - begin >= 19);
    assert_true(os_mutex_lock_within(&mutex, 60000));
    os_mutex_unlock(&mutex);
    pthread_join(holder, NULL);
    os_mutex_close(&mutex);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(lock_excludes_a_second_descriptor_of_this_process),
        CASE(lock_survives_an_unrelated_close),
        CASE(lock_dies_with_its_holder),
        CASE(busy_names_the_holder),
        CASE(claims_are_locks_of_their_own),
        CASE(busy_names_the_writer_among_claims),
        CASE(a_child_holds_nothing),
        CASE(a_child_does_not_keep_the_lock),
        CASE(a_fork_between_open_and_register_is_noticed),
        CASE(mutex_waits_within_its_limit),
    };
    return cmocka_run_group_tests_name("os_posix_lock", tests, make_root, remove_root);
}
