/* Locks over POSIX threads, and what a fork does to open files.
 *
 * A forked child shares the parent's open file descriptions, and an OFD lock belongs to the
 * description: a child that kept one would keep the writer lock after its parent has died. So the
 * child closes every registered descriptor before fork() returns in it. The list is intrusive,
 * because a child handler must not allocate.
 *
 * Called by os_posix.c (descriptors) and db/ (locks, generation). Holds no lock while it calls
 * anybody. */
#include "os/os_thread.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <time.h>
#include <unistd.h>

#ifdef __has_feature
#define UNDER_TSAN __has_feature(thread_sanitizer)
#elif defined(__SANITIZE_THREAD__)
#define UNDER_TSAN 1
#else
#define UNDER_TSAN 0
#endif

/* ThreadSanitizer of Clang 14 does not know the call and would report every mutex that it
 * locked. */
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 30) && !UNDER_TSAN
#define HAVE_CLOCKLOCK 1
#else
#define HAVE_CLOCKLOCK 0
#endif

/* A pthread call that can only fail through a mistake of ours. */
static void expect_zero(int result)
{
    assert(result == 0);
    (void)result;
}

/* ---------------------------------------------------------------------------------------- mutex */

edb_status os_mutex_open(struct os_mutex *mutex)
{
    int error = pthread_mutex_init(&mutex->mutex, NULL);
    return error ? fail(EDB_NO_MEMORY, "the system refused a mutex (errno %d)", error) : EDB_OK;
}

void os_mutex_close(struct os_mutex *mutex)
{
    expect_zero(pthread_mutex_destroy(&mutex->mutex));
}

void os_mutex_lock(struct os_mutex *mutex)
{
    expect_zero(pthread_mutex_lock(&mutex->mutex));
}

void os_mutex_unlock(struct os_mutex *mutex)
{
    expect_zero(pthread_mutex_unlock(&mutex->mutex));
}

static struct timespec deadline_in(uint32_t wait_ms)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += wait_ms / 1000;
    at.tv_nsec += (long)(wait_ms % 1000) * 1000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_nsec -= 1000000000;
        at.tv_sec++;
    }
    return at;
}

#if HAVE_CLOCKLOCK
static int lock_before(pthread_mutex_t *mutex, const struct timespec *deadline)
{
    return pthread_mutex_clocklock(mutex, CLOCK_MONOTONIC, deadline);
}
#else
/* pthread_mutex_timedlock would follow the wall clock, which jumps: so this one asks every
 * millisecond. */
static int lock_before(pthread_mutex_t *mutex, const struct timespec *deadline)
{
    const struct timespec pause = {0, 1000000};
    int error = pthread_mutex_trylock(mutex);
    while (error == EBUSY) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        if (now.tv_sec > deadline->tv_sec ||
            (now.tv_sec == deadline->tv_sec && now.tv_nsec >= deadline->tv_nsec))
            return ETIMEDOUT;
        nanosleep(&pause, NULL);
        error = pthread_mutex_trylock(mutex);
    }
    return error;
}
#endif

bool os_mutex_lock_within(struct os_mutex *mutex, uint32_t wait_ms)
{
    int error = pthread_mutex_trylock(&mutex->mutex);
    if (error == EBUSY && wait_ms > 0) {
        struct timespec deadline = deadline_in(wait_ms);
        error = lock_before(&mutex->mutex, &deadline);
    }
    assert(error == 0 || error == EBUSY || error == ETIMEDOUT);
    return error == 0;
}

/* ------------------------------------------------------------------------------------ condition */

struct os_deadline os_deadline_in(uint32_t wait_ms)
{
    return (struct os_deadline){deadline_in(wait_ms)};
}

uint64_t os_deadline_left_ms(const struct os_deadline *deadline)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t left_ns = ((int64_t)deadline->at.tv_sec - now.tv_sec) * 1000000000 +
                      (deadline->at.tv_nsec - now.tv_nsec);
    return left_ns > 0 ? ((uint64_t)left_ns + 999999) / 1000000 : 0;
}

/* By the monotonic clock: the other one jumps. */
edb_status os_cond_open(struct os_cond *cond)
{
    pthread_condattr_t attributes;
    int error = pthread_condattr_init(&attributes);
    if (error == 0) {
        error = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        if (error == 0)
            error = pthread_cond_init(&cond->cond, &attributes);
        pthread_condattr_destroy(&attributes);
    }
    return error ? fail(EDB_NO_MEMORY, "the system refused a condition (errno %d)", error) : EDB_OK;
}

void os_cond_close(struct os_cond *cond)
{
    expect_zero(pthread_cond_destroy(&cond->cond));
}

void os_cond_wake_all(struct os_cond *cond)
{
    expect_zero(pthread_cond_broadcast(&cond->cond));
}

void os_cond_wait(struct os_cond *cond, struct os_mutex *mutex, const struct os_deadline *deadline)
{
    int error = pthread_cond_timedwait(&cond->cond, &mutex->mutex, &deadline->at);
    assert(error == 0 || error == ETIMEDOUT);
    (void)error;
}

/* --------------------------------------------------------------------------------------- rwlock */

edb_status os_rwlock_open(struct os_rwlock *lock)
{
    pthread_rwlockattr_t attributes;
    int error = pthread_rwlockattr_init(&attributes);
    if (error == 0) {
        /* A stream of readers must not keep a writer out; no reader takes the lock twice. */
        pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
        error = pthread_rwlock_init(&lock->lock, &attributes);
        pthread_rwlockattr_destroy(&attributes);
    }
    return error ? fail(EDB_NO_MEMORY, "the system refused a lock (errno %d)", error) : EDB_OK;
}

void os_rwlock_close(struct os_rwlock *lock)
{
    expect_zero(pthread_rwlock_destroy(&lock->lock));
}

void os_rwlock_read(struct os_rwlock *lock)
{
    expect_zero(pthread_rwlock_rdlock(&lock->lock));
}

void os_rwlock_write(struct os_rwlock *lock)
{
    expect_zero(pthread_rwlock_wrlock(&lock->lock));
}

bool os_rwlock_try_write(struct os_rwlock *lock)
{
    return pthread_rwlock_trywrlock(&lock->lock) == 0;
}

void os_rwlock_unlock(struct os_rwlock *lock)
{
    expect_zero(pthread_rwlock_unlock(&lock->lock));
}

/* ----------------------------------------------------------------------------------------- fork */

/* Under list_lock: the list and `forks`. The lock is taken before a fork and released after it
 * on both sides, so that the child finds the list whole. */
static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static struct os_fork_entry list = {-1, &list, &list};
static uint64_t forks;

static _Atomic uint32_t generation;
static pthread_once_t watch_once = PTHREAD_ONCE_INIT;
static int watch_error;

static void before_fork(void)
{
    expect_zero(pthread_mutex_lock(&list_lock));
    forks++;
}

static void after_fork_in_parent(void)
{
    expect_zero(pthread_mutex_unlock(&list_lock));
}

/* Only this thread lives on in the child; close() and plain stores are all that is done here. */
static void after_fork_in_child(void)
{
    atomic_fetch_add(&generation, 1);
    for (struct os_fork_entry *entry = list.next; entry != &list; entry = entry->next) {
        if (entry->descriptor >= 0)
            close(entry->descriptor);
        entry->descriptor = -1;
    }
    expect_zero(pthread_mutex_unlock(&list_lock));
}

static void watch_forks(void)
{
    watch_error = pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

uint32_t os_thread_number(void)
{
    static _Atomic uint32_t threads;
    static _Thread_local uint32_t number; /* + 1 */
    if (number == 0)
        number = atomic_fetch_add(&threads, 1) + 1;
    return number - 1;
}

const void *os_thread_mark(void)
{
    static _Thread_local char mark;
    return &mark;
}

uint32_t os_fork_generation(void)
{
    expect_zero(pthread_once(&watch_once, watch_forks));
    return atomic_load(&generation);
}

edb_status os_fork_ticket(uint64_t *ticket_out)
{
    expect_zero(pthread_once(&watch_once, watch_forks));
    if (watch_error != 0)
        return fail(EDB_NO_MEMORY, "the system refused a fork handler (errno %d)", watch_error);
    expect_zero(pthread_mutex_lock(&list_lock));
    *ticket_out = forks;
    expect_zero(pthread_mutex_unlock(&list_lock));
    return EDB_OK;
}

bool os_fork_register(struct os_fork_entry *entry, uint64_t ticket)
{
    expect_zero(pthread_mutex_lock(&list_lock));
    bool untouched = forks == ticket;
    if (untouched) {
        entry->previous = &list;
        entry->next = list.next;
        list.next->previous = entry;
        list.next = entry;
    }
    expect_zero(pthread_mutex_unlock(&list_lock));
    return untouched;
}

int os_fork_forget(struct os_fork_entry *entry)
{
    expect_zero(pthread_mutex_lock(&list_lock));
    entry->previous->next = entry->next;
    entry->next->previous = entry->previous;
    int descriptor = entry->descriptor;
    expect_zero(pthread_mutex_unlock(&list_lock));
    return descriptor;
}
