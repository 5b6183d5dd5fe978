/* What a handle has claimed to compute: numbers of locks on the file, and which of them its threads
 * have. All threads of a handle share one open file, so the system cannot tell them apart: the
 * table does.
 *
 * The table's lock is taken last, also inside of the view lock; nobody waits for anything else
 * while holding it. Called by db_claim.c, and by who moves the handle to another file. */
#ifndef EDB_DB_DB_CLAIMED_H
#define EDB_DB_DB_CLAIMED_H

#include <stdbool.h>
#include <stddef.h>

#include "os/os_thread.h"
#include "store/store.h"

/* A number, in the memory of who has it; it stays where it is while it is taken. */
struct claim_lock {
    uint32_t number;
    struct claim_lock *next; /* of the same bucket, while it is taken */
};

struct db_claimed {
    struct os_mutex lock; /* guards all the rest */
    struct os_cond given_back;
    struct claim_lock **buckets;
    size_t bucket_count; /* a power of two; 0 before the first claim */
    size_t count;        /* of numbers that are taken */
    uint64_t gifts;      /* how often some were given back */
    uint32_t waiters;
};

edb_status db_claimed_open(struct db_claimed *claimed);
void db_claimed_close(struct db_claimed *claimed);

/* In the child of a fork: whether no thread was at work on it. */
bool db_claimed_is_at_rest(struct db_claimed *claimed);

/* Tries to take a number for the calling thread, in the table and on the file. `store` is the
 * handle's: needs the view lock, shared. EDB_IO, EDB_NO_MEMORY: not taken. */
edb_status db_claimed_take(struct db_claimed *claimed, struct store *store, struct claim_lock *lock,
                           bool *taken_out);

/* Gives one back that was taken. Needs the view lock, shared. */
void db_claimed_give(struct db_claimed *claimed, struct store *store, struct claim_lock *lock);

/* Gives all back with one call of the system when these `count` are all that the handle has. False:
 * other threads have some, and nothing was given. Needs the view lock, shared. */
bool db_claimed_give_all(struct db_claimed *claimed, struct store *store, size_t count);

/* Wakes who waits, after something was given back. */
void db_claimed_wake(struct db_claimed *claimed);

/* How often that was done. */
uint64_t db_claimed_gifts(struct db_claimed *claimed);

/* Waits until it is done once more than `gifts` times, but no longer than `wait_ms`. */
void db_claimed_wait(struct db_claimed *claimed, uint64_t gifts, uint32_t wait_ms);

/* Takes on another file what was taken on the one of before. What somebody has taken there is left
 * to both. Needs the view lock, exclusive. */
void db_claimed_move(struct db_claimed *claimed, struct store *next);

#endif
