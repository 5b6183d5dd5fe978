/* The table of claimed numbers: chains in buckets, whose links are in the memory of the claims. A
 * number is in the table exactly as long as its lock on the file is wanted: both change under the
 * table's lock, so that no thread gives back on the file what another has just taken. */
#include "db/db_claimed.h"

#include <assert.h>
#include <string.h>

#include "base/memory.h"

enum { BUCKETS_FIRST = 64 };

static const uint64_t all_numbers = (uint64_t)UINT32_MAX + 1;

edb_status db_claimed_open(struct db_claimed *claimed)
{
    edb_status status = os_mutex_open(&claimed->lock);
    if (status != EDB_OK)
        return status;
    status = os_cond_open(&claimed->given_back);
    if (status != EDB_OK)
        os_mutex_close(&claimed->lock);
    return status;
}

void db_claimed_close(struct db_claimed *claimed)
{
    memory_free(claimed->buckets);
    os_cond_close(&claimed->given_back);
    os_mutex_close(&claimed->lock);
}

bool db_claimed_is_at_rest(struct db_claimed *claimed)
{
    if (!os_mutex_lock_within(&claimed->lock, 0))
        return false;
    bool rests = claimed->waiters == 0;
    os_mutex_unlock(&claimed->lock);
    return rests;
}

/* -------------------------------------------------------------------------------------- buckets */

/* Numbers come from hashes: their low bits are as good as any. */
static struct claim_lock **bucket_of(const struct db_claimed *claimed, uint32_t number)
{
    return &claimed->buckets[number & (claimed->bucket_count - 1)];
}

static void insert(struct db_claimed *claimed, struct claim_lock *lock)
{
    struct claim_lock **bucket = bucket_of(claimed, lock->number);
    lock->next = *bucket;
    *bucket = lock;
}

/* Keeps the chains short. */
static edb_status make_room(struct db_claimed *claimed)
{
    if (claimed->count < claimed->bucket_count)
        return EDB_OK;
    struct db_claimed grown = {.bucket_count = claimed->bucket_count > 0 ? 2 * claimed->bucket_count
                                                                         : BUCKETS_FIRST};
    grown.buckets = memory_zeroed(grown.bucket_count, sizeof(struct claim_lock *));
    if (grown.buckets == NULL)
        return memory_failed(grown.bucket_count * sizeof(struct claim_lock *));
    for (size_t i = 0; i < claimed->bucket_count; i++)
        for (struct claim_lock *lock = claimed->buckets[i], *next; lock != NULL; lock = next) {
            next = lock->next;
            insert(&grown, lock);
        }
    memory_free(claimed->buckets);
    claimed->buckets = grown.buckets;
    claimed->bucket_count = grown.bucket_count;
    return EDB_OK;
}

static bool is_taken(const struct db_claimed *claimed, uint32_t number)
{
    if (claimed->count == 0)
        return false;
    const struct claim_lock *lock = *bucket_of(claimed, number);
    while (lock != NULL && lock->number != number)
        lock = lock->next;
    return lock != NULL;
}

/* ------------------------------------------------------------------------------ take, give back */

static edb_status take(struct db_claimed *claimed, struct store *store, struct claim_lock *lock,
                       bool *taken_out)
{
    if (is_taken(claimed, lock->number))
        return EDB_OK;
    edb_status status = make_room(claimed);
    if (status == EDB_OK)
        status = store->io->try_claim(store->file, lock->number, taken_out);
    if (*taken_out) {
        insert(claimed, lock);
        claimed->count++;
    }
    return status;
}

edb_status db_claimed_take(struct db_claimed *claimed, struct store *store, struct claim_lock *lock,
                           bool *taken_out)
{
    *taken_out = false;
    os_mutex_lock(&claimed->lock);
    edb_status status = take(claimed, store, lock, taken_out);
    os_mutex_unlock(&claimed->lock);
    return status;
}

void db_claimed_give(struct db_claimed *claimed, struct store *store, struct claim_lock *lock)
{
    os_mutex_lock(&claimed->lock);
    struct claim_lock **link = bucket_of(claimed, lock->number);
    while (*link != lock) {
        assert(*link != NULL);
        link = &(*link)->next;
    }
    *link = lock->next;
    claimed->count--;
    store->io->give_claims(store->file, lock->number, 1);
    os_mutex_unlock(&claimed->lock);
}

bool db_claimed_give_all(struct db_claimed *claimed, struct store *store, size_t count)
{
    os_mutex_lock(&claimed->lock);
    bool alone = claimed->count == count;
    if (alone && count > 0) {
        memset(claimed->buckets, 0, claimed->bucket_count * sizeof(struct claim_lock *));
        claimed->count = 0;
        store->io->give_claims(store->file, 0, all_numbers);
    }
    os_mutex_unlock(&claimed->lock);
    return alone;
}

/* -------------------------------------------------------------------------------------- waiting */

void db_claimed_wake(struct db_claimed *claimed)
{
    os_mutex_lock(&claimed->lock);
    claimed->gifts++;
    os_cond_wake_all(&claimed->given_back);
    os_mutex_unlock(&claimed->lock);
}

uint64_t db_claimed_gifts(struct db_claimed *claimed)
{
    os_mutex_lock(&claimed->lock);
    uint64_t gifts = claimed->gifts;
    os_mutex_unlock(&claimed->lock);
    return gifts;
}

void db_claimed_wait(struct db_claimed *claimed, uint64_t gifts, uint32_t wait_ms)
{
    struct os_deadline deadline = os_deadline_in(wait_ms);
    os_mutex_lock(&claimed->lock);
    claimed->waiters++;
    while (claimed->gifts == gifts && os_deadline_left_ms(&deadline) > 0)
        os_cond_wait(&claimed->given_back, &claimed->lock, &deadline);
    claimed->waiters--;
    os_mutex_unlock(&claimed->lock);
}

/* --------------------------------------------------------------------------------- another file */

void db_claimed_move(struct db_claimed *claimed, struct store *next)
{
    bool taken;
    os_mutex_lock(&claimed->lock);
    for (size_t i = 0; i < claimed->bucket_count; i++)
        for (const struct claim_lock *lock = claimed->buckets[i]; lock != NULL; lock = lock->next)
            (void)next->io->try_claim(next->file, lock->number, &taken);
    os_mutex_unlock(&claimed->lock);
}
