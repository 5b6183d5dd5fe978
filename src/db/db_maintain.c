/* edb_maintain, and what a commit does beside itself, for maintenance_ms at most.
 *
 *   1 db_hand_over          hits and uses, for everybody to know
 *   2 db_evict              what is over a budget
 *   3 db_count_expired      some rows at a time: what is over counts as dead
 *   4 db_compaction_step    when much of the file is dead, and the limits ask for it: behind the
 *                           locks, for it needs them at its end only */
#include "db/db_budget.h"
#include "db/db_compact.h"

static const uint64_t compaction_bytes_min = 1u << 20; /* a smaller file is left alone */

enum {
    DEAD_SHARE = 10,     /* a file that has reached its size is compacted when a tenth is dead */
    URGENT_SHARE = 8,    /* past its size by one eighth it is compacted at once */
    RETRY_SHARE = 8,     /* after a failure it grows by an eighth before the next try */
    LOOK_SHARE = 128,    /* and by so much when others are at it, before they are looked for
                            again */
    EXPIRED_LOOKS = 256, /* at rows of a space, at each commit */
};

/* -------------------------------------------------------------------------------- what is due */

static uint64_t dead_bytes(const edb *db)
{
    uint64_t live = 0;
    uint64_t used = db->store->end.offset;
    for (uint32_t i = 0; i < db->space_count; i++) {
        uint64_t bytes = db_live_bytes(db->spaces[i]);
        uint64_t expired = db_expired_bytes(db->spaces[i]);
        live += bytes - (expired < bytes ? expired : bytes);
    }
    return used > live ? used - live : 0;
}

/* With the view held still. */
static bool is_compaction_due(const edb *db)
{
    uint64_t used = db->store->end.offset;
    const struct limits *limits = &db->limits;
    if (used < compaction_bytes_min || used < db->compaction_from)
        return false;
    if (limits->dead_percent > 0 && dead_bytes(db) / limits->dead_percent >= used / 100)
        return true;
    return limits->max_bytes > 0 && used > limits->max_bytes && dead_bytes(db) >= used / DEAD_SHARE;
}

/* Whether the limits of the file can ask for a compaction at all. */
static bool may_ask(const edb *db)
{
    return db->limits.max_bytes > 0 || db->limits.dead_percent > 0;
}

/* What the limits of the file ask for: looked at by every commit. */
struct demand {
    bool due;
    bool urgent;
    bool too_early; /* to begin in steps: others were at it just now */
};

/* False: they cannot ask for a compaction at all. */
static bool look_at_limits(edb *db, struct demand *out)
{
    os_rwlock_read(&db->view_lock);
    uint64_t max_bytes = db->limits.max_bytes;
    uint64_t used = db->store->end.offset;
    bool asked = may_ask(db);
    out->due = asked && is_compaction_due(db);
    out->urgent = max_bytes > 0 && used > max_bytes && used - max_bytes > max_bytes / URGENT_SHARE;
    out->too_early = used < db->steps_from;
    os_rwlock_unlock(&db->view_lock);
    return asked;
}

/* ---------------------------------------------------------------------------- after a commit */

void db_begin_fresh(struct db_change *changes, size_t count)
{
    for (size_t i = count; i-- > 0;) /* the first row of a space stays in the end */
        if (changes[i].operation == RECORD_PUT)
            changes[i].space->fresh_from = changes[i].row;
}

void db_end_fresh(struct db_change *changes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        changes[i].space->fresh_from = ROW_NONE;
}

struct counting {
    edb *db;
    uint64_t looks; /* at rows of a space */
};

/* A step, with the view held still. */
static edb_status count_expired(void *arg)
{
    const struct counting *counting = arg;
    edb *db = counting->db;
    edb_status status = EDB_OK;
    for (uint32_t i = 0; i < db->space_count && may_ask(db) && status == EDB_OK; i++)
        status = db_count_expired(db->spaces[i], counting->looks);
    return status;
}

static void tell(const edb *db, const char *what, edb_status status)
{
    if (status != EDB_OK && status != EDB_BUSY)
        log_event(EDB_LOG_WARNING, "%s: %s: %s", db->path, what, edb_error_detail());
}

void db_look_after(edb *db)
{
    if (db->maintenance_ms == EDB_MAINTENANCE_OFF)
        return;
    db_hand_over(db, false);
    struct counting counting = {db, EXPIRED_LOOKS};
    edb_status status = db_evict(db, db->store->io->monotonic_ms() + db->maintenance_ms);
    if (status == EDB_OK)
        status = db_with_view(db, count_expired, &counting);
    tell(db, "the budget is not kept", status);
}

/* What failed is not tried at every commit. */
static void note_failure(edb *db, edb_status status)
{
    os_rwlock_write(&db->view_lock);
    uint64_t used = db->store->end.offset;
    db->compaction_from = used + used / RETRY_SHARE;
    os_rwlock_unlock(&db->view_lock);
    tell(db, "it is not compacted", status);
}

/* Where another process is at it already it is given time: else who writes would always be ahead of
 * who copies. */
static edb_status compact_now(edb *db)
{
    edb_status status = edb_compact(db, NULL, NULL);
    if (status == EDB_BUSY)
        os_current()->sleep_ms(db->maintenance_ms);
    return status;
}

/* Who is at it is looked for in the folder: not at every commit. */
static edb_status begin_in_steps(edb *db)
{
    edb_status status = db_compaction_begin(db);
    if (status != EDB_BUSY)
        return status;
    os_rwlock_write(&db->view_lock);
    uint64_t used = db->store->end.offset;
    db->steps_from = used + used / LOOK_SHARE;
    os_rwlock_unlock(&db->view_lock);
    return status;
}

void db_go_on_compacting(edb *db)
{
    struct demand demand;
    bool done = false;
    if (db->maintenance_ms == EDB_MAINTENANCE_OFF || !look_at_limits(db, &demand))
        return;
    uint64_t until_ms = os_current()->monotonic_ms() + db->maintenance_ms;
    bool is_open = db_compaction_is_open(db);
    edb_status status = EDB_OK;
    if (!is_open && (!demand.due || (demand.too_early && !demand.urgent)))
        return;
    if (demand.urgent)
        status = compact_now(db);
    else if (!is_open)
        status = begin_in_steps(db);
    if (status == EDB_OK && !demand.urgent)
        status = db_compaction_step(db, until_ms, &done);
    /* EDB_INVALID: another thread has finished it meanwhile. */
    if (status != EDB_OK && status != EDB_BUSY && status != EDB_INVALID)
        note_failure(db, status);
}

/* -------------------------------------------------------------------------------------- at once */

static edb_status evict_at_once(edb *db, uint32_t wait_ms)
{
    edb_status status = db_write_begin_within(db, false, wait_ms);
    if (status != EDB_OK)
        return status;
    struct counting counting = {db, UINT64_MAX};
    db_hand_over(db, true);
    status = db_evict(db, UINT64_MAX);
    if (status == EDB_OK)
        status = db_with_view(db, count_expired, &counting);
    if (status == EDB_OK)
        db_flush(db, true);
    db_write_end(db);
    return status;
}

edb_status db_maintain(edb *db, uint32_t wait_ms)
{
    struct demand demand;
    edb_status status = evict_at_once(db, wait_ms);
    if (status == EDB_OK && look_at_limits(db, &demand) && demand.due)
        status = edb_compact(db, NULL, NULL);
    return status;
}

void db_maintain_last(edb *db)
{
    struct demand demand;
    os_rwlock_read(&db->view_lock);
    bool over = !db->lost && db_over_budget(db);
    os_rwlock_unlock(&db->view_lock);
    if (!over && !(look_at_limits(db, &demand) && demand.due))
        return;
    if (db->store->writer.poisoned || atomic_load(&db->store->damaged))
        return;
    tell(db, "what was due at its close is not done", db_maintain(db, db->busy_wait_ms));
}

edb_status edb_maintain(edb *db)
{
    if (db == NULL)
        return fail(EDB_INVALID, "edb_maintain: db is NULL");
    return db_maintain(db, 0);
}
