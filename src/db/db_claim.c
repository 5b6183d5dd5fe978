/* edb_claim, edb_claim_wait, edb_claim_release: of all who miss a key, one computes it.
 *
 *   1 db_make_key       each key, copied; the number of its lock
 *   2 look              what is in the cache is a hit
 *   3 db_claimed_take   for the rest: a place in the handle's table, then a lock on the file
 *   4 look              again, at what was got: who had it before may have put it in between
 *   5 db_claimed_wait   for another thread of the handle; for other processes, pauses that grow
 *
 * A claim is a lock on the byte whose number is 32 bits of the key's hash and the space's id. Two
 * keys with one number cannot be told apart: the second waits for the first, which costs time and
 * nothing else. So it goes for one key that was asked for twice. What holds:
 *
 *   a  A key is MINE to at most one of all claims on the file, as long as all who claim have the
 *      same file open.
 *   b  When a key becomes MINE it was not in the cache after its lock was taken: whoever had the
 *      lock before has put nothing, or it is gone again.
 *   c  Who waits holds nothing: everything is given back first. So no circle of waiting can be.
 *   d  Nothing is written to the file, and no lock of writers is asked for.
 *
 * A compaction puts another file in the place of the one on which the locks are. Who moves to it
 * takes his locks there (db_claimed_move); somebody else may have been faster, and then both
 * compute (a does not hold). Locks on a file of their own would not have that, but a cache is one
 * file. */
#include <string.h>

#include "base/memory.h"
#include "db/db.h"

/* The system keeps the locks of a file in a list and goes through it for each: 3.8 us a key where
 * 1,000 are held, 85 where 10,000 are. So nobody holds more than MINE_MAX; what is left waits for
 * its turn, and others may take it. */
enum {
    KEYS_AT_ONCE = 256, /* under one look at the view */
    MINE_MAX = EDB_CLAIM_MINE_MAX,
    PAUSE_MS_MAX = 50,
};

struct claim {
    struct db_key key;
    struct claim_lock lock;
};

/* `lent` is what the caller has. */
struct claims {
    edb_claims lent;
    edb_space *space;
    uint8_t *states;
    struct claim *each;
    uint8_t *bytes; /* of the keys that are stored as they are */
};

/* Keys [from, to). */
struct portion {
    struct claims *claims;
    size_t from;
    size_t to;
};

static edb_status go_round(struct claims *claims);
static void give_back(struct claims *claims);

static void set_state(struct claims *claims, size_t i, edb_claim_state state)
{
    uint8_t before = claims->states[i];
    claims->lent.mine += (state == EDB_CLAIM_MINE) - (size_t)(before == EDB_CLAIM_MINE);
    claims->lent.waiting += (state == EDB_CLAIM_WAIT) - (size_t)(before == EDB_CLAIM_WAIT);
    claims->states[i] = (uint8_t)state;
}

/* --------------------------------------------------------------------------------------- making */

static uint32_t lock_number(const edb_space *space, const struct db_key *key)
{
    return (uint32_t)key->hash ^ space->id * 0x9e3779b1u; /* 2^32 / golden ratio: ids are small */
}

static edb_status make_keys(struct claims *claims, const edb_key *keys, size_t *bytes_out)
{
    *bytes_out = 0;
    for (size_t i = 0; i < claims->lent.n; i++) {
        struct claim *claim = &claims->each[i];
        if (keys[i].data == NULL && keys[i].bytes > 0)
            return fail(EDB_INVALID, "key %zu is NULL but has %zu bytes", i, keys[i].bytes);
        edb_status status = db_make_key(claims->space, keys[i].data, keys[i].bytes, &claim->key);
        if (status != EDB_OK)
            return status;
        claim->lock.number = lock_number(claims->space, &claim->key);
        if (claim->key.bytes != NULL)
            *bytes_out += claim->key.count;
        set_state(claims, i, EDB_CLAIM_WAIT);
    }
    return EDB_OK;
}

/* The caller may free his keys. */
static edb_status copy_keys(struct claims *claims, size_t bytes)
{
    claims->bytes = memory_zeroed(bytes + 1, 1);
    if (claims->bytes == NULL)
        return memory_failed(bytes);
    uint8_t *at = claims->bytes;
    for (size_t i = 0; i < claims->lent.n; i++) {
        struct db_key *key = &claims->each[i].key;
        if (key->bytes == NULL)
            continue;
        memcpy(at, key->bytes, key->count);
        key->bytes = at;
        at += key->count;
    }
    return EDB_OK;
}

static edb_status make_claims(edb_space *space, const edb_key *keys, size_t n,
                              struct claims **claims_out)
{
    struct claims *claims = memory_zeroed(1, sizeof *claims);
    *claims_out = claims;
    if (claims == NULL)
        return memory_failed(sizeof *claims);
    claims->space = space;
    claims->states = memory_zeroed(n + 1, 1);
    claims->each = memory_zeroed(n + 1, sizeof *claims->each);
    if (claims->states == NULL || claims->each == NULL)
        return memory_failed(n * sizeof *claims->each);
    claims->lent.states = claims->states;
    claims->lent.n = n;
    size_t bytes;
    edb_status status = make_keys(claims, keys, &bytes);
    return status == EDB_OK ? copy_keys(claims, bytes) : status;
}

static void free_claims(struct claims *claims)
{
    memory_free(claims->bytes);
    memory_free(claims->each);
    memory_free(claims->states);
    memory_free(claims);
}

edb_status edb_claim(edb_space *space, const edb_key *keys, size_t n, edb_claims **claims_out)
{
    struct claims *claims = NULL;
    if (claims_out != NULL)
        *claims_out = NULL;
    if (space == NULL || (keys == NULL && n > 0) || claims_out == NULL)
        return fail(EDB_INVALID, "edb_claim: an argument is NULL");
    if (n > SIZE_MAX / 2 / sizeof *claims->each)
        return fail(EDB_INVALID, "edb_claim: %zu keys are more than there can be", n);
    edb_status status = db_check_may_write(space->db);
    if (status == EDB_OK)
        status = make_claims(space, keys, n, &claims);
    if (status == EDB_OK)
        status = go_round(claims);
    if (status == EDB_OK)
        *claims_out = &claims->lent;
    else if (claims != NULL)
        edb_claim_release(&claims->lent);
    return status;
}

/* ----------------------------------------------------------------------------------- one round */

/* A step, with the view held still. */
static edb_status look(void *arg)
{
    const struct portion *portion = arg;
    struct claims *claims = portion->claims;
    edb *db = claims->space->db;
    for (size_t i = portion->from; i < portion->to; i++) {
        struct db_found found;
        struct claim *claim = &claims->each[i];
        if (claims->states[i] == EDB_CLAIM_HIT)
            continue;
        edb_status status = db_locate(claims->space, &claim->key, &found);
        if (status == EDB_NOT_FOUND)
            continue;
        if (status != EDB_OK)
            return status;
        if (claims->states[i] == EDB_CLAIM_MINE)
            db_claimed_give(&db->claimed, db->store, &claim->lock);
        set_state(claims, i, EDB_CLAIM_HIT);
    }
    return EDB_OK;
}

/* The view is held for one key at a time: a writer may be waiting for it. */
static edb_status take(const struct portion *portion)
{
    struct claims *claims = portion->claims;
    edb *db = claims->space->db;
    edb_status status = EDB_OK;
    for (size_t i = portion->from; i < portion->to && status == EDB_OK; i++) {
        bool taken;
        if (claims->states[i] != EDB_CLAIM_WAIT || claims->lent.mine == MINE_MAX)
            continue;
        os_rwlock_read(&db->view_lock);
        status = db_claimed_take(&db->claimed, db->store, &claims->each[i].lock, &taken);
        os_rwlock_unlock(&db->view_lock);
        if (taken)
            set_state(claims, i, EDB_CLAIM_MINE);
    }
    return status;
}

/* Hits are found, and what nobody computes is taken. */
static edb_status go_round(struct claims *claims)
{
    edb *db = claims->space->db;
    struct portion portion = {claims, 0, 0};
    edb_status status = EDB_OK;
    for (; portion.from < claims->lent.n && status == EDB_OK; portion.from = portion.to) {
        size_t left = claims->lent.n - portion.from;
        portion.to = portion.from + (left < KEYS_AT_ONCE ? left : KEYS_AT_ONCE);
        size_t mine = claims->lent.mine;
        status = db_with_view(db, look, &portion);
        if (status == EDB_OK)
            status = take(&portion);
        if (status == EDB_OK && claims->lent.mine > mine)
            status = db_with_view(db, look, &portion);
    }
    return status;
}

/* -------------------------------------------------------------------------------------- waiting */

static edb_status still_waiting(const struct claims *claims, uint32_t wait_ms)
{
    return fail(EDB_BUSY,
                "space '%s': %zu of %zu keys were being computed by others for the whole wait of "
                "%u ms",
                claims->space->spec.name, claims->lent.waiting, claims->lent.n, wait_ms);
}

static uint32_t shorter(uint64_t left_ms, uint32_t pause_ms)
{
    return left_ms < pause_ms ? (uint32_t)left_ms : pause_ms;
}

edb_status edb_claim_wait(edb_claims *lent, uint32_t wait_ms)
{
    struct claims *claims = (struct claims *)lent;
    if (claims == NULL)
        return fail(EDB_INVALID, "edb_claim_wait: claims is NULL");
    edb *db = claims->space->db;
    edb_status status = db_check_may_write(db);
    if (status != EDB_OK)
        return status;
    give_back(claims);
    size_t waiting = lent->waiting;
    struct os_deadline deadline = os_deadline_in(wait_ms);
    for (uint32_t pause = 1;; pause = pause < PAUSE_MS_MAX / 2 ? 2 * pause : PAUSE_MS_MAX) {
        uint64_t gifts = db_claimed_gifts(&db->claimed);
        status = go_round(claims);
        if (status != EDB_OK || waiting == 0 || lent->waiting < waiting)
            return status;
        uint64_t left_ms = os_deadline_left_ms(&deadline);
        if (left_ms == 0)
            return still_waiting(claims, wait_ms);
        db_claimed_wait(&db->claimed, gifts, shorter(left_ms, pause));
    }
}

/* ---------------------------------------------------------------------------------- giving back */

static void give_one(edb *db, struct claim *claim)
{
    os_rwlock_read(&db->view_lock);
    db_claimed_give(&db->claimed, db->store, &claim->lock);
    os_rwlock_unlock(&db->view_lock);
}

static void give_back(struct claims *claims)
{
    edb *db = claims->space->db;
    if (claims->lent.mine == 0)
        return;
    os_rwlock_read(&db->view_lock);
    bool all = db_claimed_give_all(&db->claimed, db->store, claims->lent.mine);
    os_rwlock_unlock(&db->view_lock);
    for (size_t i = 0; i < claims->lent.n; i++)
        if (claims->states[i] == EDB_CLAIM_MINE) {
            if (!all)
                give_one(db, &claims->each[i]);
            set_state(claims, i, EDB_CLAIM_NONE);
        }
    db_claimed_wake(&db->claimed);
}

/* In the child of a fork only the memory is its own. */
void edb_claim_release(edb_claims *lent)
{
    struct claims *claims = (struct claims *)lent;
    if (claims == NULL)
        return;
    if (claims->space->db->fork_generation == os_fork_generation())
        give_back(claims);
    free_claims(claims);
}
