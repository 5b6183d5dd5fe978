/* Threads and fork: the locks a handle needs, behind names of our own. */
#ifndef EDB_OS_OS_THREAD_H
#define EDB_OS_OS_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "base/status.h"

/* A mutex that can be waited for with a limit. */
struct os_mutex {
    pthread_mutex_t mutex;
};
edb_status os_mutex_open(struct os_mutex *mutex);
void os_mutex_close(struct os_mutex *mutex);
void os_mutex_lock(struct os_mutex *mutex);
/* False when `wait_ms` went by. */
bool os_mutex_lock_within(struct os_mutex *mutex, uint32_t wait_ms);
void os_mutex_unlock(struct os_mutex *mutex);

/* A moment on the monotonic clock. */
struct os_deadline {
    struct timespec at;
};
struct os_deadline os_deadline_in(uint32_t wait_ms);
/* Rounded up: 0 only when it has passed. */
uint64_t os_deadline_left_ms(const struct os_deadline *deadline);

/* Where threads wait for a change of what a mutex guards. */
struct os_cond {
    pthread_cond_t cond;
};
edb_status os_cond_open(struct os_cond *cond);
void os_cond_close(struct os_cond *cond);
void os_cond_wake_all(struct os_cond *cond);
/* Lets go of the mutex until it is woken, by chance too, or the deadline has passed. */
void os_cond_wait(struct os_cond *cond, struct os_mutex *mutex, const struct os_deadline *deadline);

/* Many readers or one writer. */
struct os_rwlock {
    pthread_rwlock_t lock;
};
edb_status os_rwlock_open(struct os_rwlock *lock);
void os_rwlock_close(struct os_rwlock *lock);
void os_rwlock_read(struct os_rwlock *lock);
void os_rwlock_write(struct os_rwlock *lock);
/* False when it is held. */
bool os_rwlock_try_write(struct os_rwlock *lock);
void os_rwlock_unlock(struct os_rwlock *lock);

/* A value that no other running thread has. */
const void *os_thread_mark(void);

/* A small number of this thread: 0 for the first that asks, then one more each. */
uint32_t os_thread_number(void);

/* How many times this process image has been forked off: differs between a parent and its child. */
uint32_t os_fork_generation(void);

/* A descriptor that the child of a fork closes by itself; the child's `descriptor` is -1 from then
 * on. It lives in its owner and stays where it is while registered. */
struct os_fork_entry {
    int descriptor;
    struct os_fork_entry *previous;
    struct os_fork_entry *next;
};

/* Take a ticket before opening a descriptor and register with it afterwards. False: a fork has come
 * between, so a child may hold a copy that nobody closes; nothing was registered, close the
 * descriptor and open it again. EDB_NO_MEMORY: the system refused to watch forks. */
edb_status os_fork_ticket(uint64_t *ticket_out);
bool os_fork_register(struct os_fork_entry *entry, uint64_t ticket);

/* Takes the descriptor back and returns it (-1 in a child, where it is closed already). Close it
 * after this. */
int os_fork_forget(struct os_fork_entry *entry);

#endif
