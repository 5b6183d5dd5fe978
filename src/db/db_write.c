/* The right to write, and appending under it. Every writing call of the API goes through here. */
#include "db/db.h"

/* A sync of more than this is begun before the file's lock is taken. */
static const uint64_t sync_ahead_bytes = 16u << 20;

edb_status db_check_may_write(const edb *db)
{
    edb_status status = db_check_fork(db);
    if (status != EDB_OK)
        return status;
    if (!db->writable)
        return fail(EDB_READ_ONLY, "%s was opened read-only", db->path);
    return EDB_OK;
}

/* What lazy commits have left for a sync to write may take long: it is written while others can
 * write, so that the file's lock is held for the rest only (19). No position moves by it: what it
 * covers is durable after the sync under the lock. */
static edb_status sync_ahead(edb *db, struct store *store)
{
    os_rwlock_read(&db->view_lock);
    uint64_t end = store->end.offset;
    os_rwlock_unlock(&db->view_lock);
    if (end < atomic_load(&store->synced_to) + sync_ahead_bytes)
        return EDB_OK;
    edb_status status = store_check_writable(store);
    return status == EDB_OK ? store_sync_file(store) : status;
}

static struct store *share_store(edb *db)
{
    os_rwlock_read(&db->view_lock);
    struct store *store = store_share(db->store);
    os_rwlock_unlock(&db->view_lock);
    return store;
}

/* The lock of one file, then the view's end. Not taken when the handle turns out to have, or to
 * need, another file. */
static edb_status try_store(edb *db, struct store *store, uint32_t wait_ms, bool *taken_out)
{
    bool elsewhere;
    *taken_out = false;
    edb_status status = store_lock(store, wait_ms, &elsewhere);
    if (status != EDB_OK)
        return status;
    if (elsewhere)
        return db_move(db);
    os_mutex_lock(&db->write_lock);
    *taken_out = db->store == store;
    if (!*taken_out) {
        os_mutex_unlock(&db->write_lock);
        store_unlock(store);
    }
    return EDB_OK;
}

/* With the turn. */
static edb_status take_file(edb *db, bool durable, uint64_t begin, uint32_t wait_ms)
{
    for (;;) {
        struct store *store = share_store(db);
        uint64_t waited = store->io->monotonic_ms() - begin;
        uint32_t left = waited < wait_ms ? wait_ms - (uint32_t)waited : 0;
        bool taken = false;
        edb_status status = durable ? sync_ahead(db, store) : EDB_OK;
        if (status == EDB_OK)
            status = try_store(db, store, left, &taken);
        if (taken) {
            db->locked = store;
            return EDB_OK;
        }
        store_close(store);
        if (status != EDB_OK)
            return status;
    }
}

/* The thread's turn, then the file, then the view's end: waiting for the first two is bounded; the
 * third is held by others only while they build the view anew. */
static edb_status take_locks(edb *db, bool durable, uint32_t wait_ms)
{
    uint64_t begin = os_current()->monotonic_ms();
    if (!os_mutex_lock_within(&db->turn_lock, wait_ms))
        return fail(EDB_BUSY,
                    "%s: another thread of this process wrote for the whole wait of %u ms",
                    db->path, wait_ms);
    edb_status status = take_file(db, durable, begin, wait_ms);
    if (status != EDB_OK) {
        os_mutex_unlock(&db->turn_lock);
        return status;
    }
    atomic_store(&db->writer, os_thread_mark());
    return EDB_OK;
}

edb_status db_write_begin_within(edb *db, bool durable, uint32_t wait_ms)
{
    edb_status status = db_check_may_write(db);
    if (status == EDB_OK)
        status = take_locks(db, durable, wait_ms);
    if (status != EDB_OK)
        return status;
    status = db_refresh(db); /* (21) */
    if (status == EDB_OK)
        status = store_check_end(db->store);
    if (status != EDB_OK)
        db_write_end(db);
    return status;
}

edb_status db_write_begin(edb *db, bool durable)
{
    return db_write_begin_within(db, durable, db->busy_wait_ms);
}

void db_write_end(edb *db)
{
    struct store *store = db->locked;
    db->locked = NULL;
    atomic_store(&db->writer, NULL);
    os_mutex_unlock(&db->write_lock);
    store_unlock(store);
    store_close(store);
    os_mutex_unlock(&db->turn_lock);
}

/* Behind a frame: a PAD, and the header after that. */
enum { ROOM_BEHIND_BYTES = 2 * PAGE_BYTES };

/* What is written must be readable, by this handle too: address space for it comes before its first
 * byte. */
static edb_status map_range(edb *db, uint64_t offset, uint64_t bytes)
{
    if (store_is_mapped(db->store, offset, bytes))
        return EDB_OK;
    os_rwlock_write(&db->view_lock);
    edb_status status = store_map_range(db->store, offset, bytes);
    os_rwlock_unlock(&db->view_lock);
    return status;
}

static edb_status map_drafts(edb *db, const struct frame_draft *drafts, size_t count)
{
    edb_status status = EDB_OK;
    for (size_t i = 0; i < count && status == EDB_OK; i++)
        status = map_range(db, drafts[i].offset, drafts[i].frame_bytes);
    const struct frame_draft *last = &drafts[count - 1];
    if (status == EDB_OK)
        status = map_range(db, last->offset + last->frame_bytes, ROOM_BEHIND_BYTES);
    return status;
}

/* What stands in the file cannot be called back: any failure from here on leaves the outcome
 * open. */
static edb_status outcome_unknown(edb *db, edb_status status)
{
    if (status == EDB_OK || status == EDB_IO)
        return status;
    db->store->writer.poisoned = true;
    return fail(EDB_IO, "%s: what was written is in the file, but not known to be good: %s",
                db->store->path, edb_error_detail());
}

edb_status db_append(edb *db, struct frame_draft *drafts, size_t count, bool durable)
{
    uint64_t expected = db->store->end.sequence + count;
    edb_status status = map_drafts(db, drafts, count);
    if (status != EDB_OK)
        return status;
    status = store_append(db->store, drafts, count, durable);
    if (status == EDB_OK)
        db->wrote = true;
    edb_status seen = db_refresh(db);
    if (status != EDB_OK)
        return status;
    if (seen == EDB_OK && db->store->end.sequence != expected)
        seen = fail(EDB_CORRUPT, "what was appended does not read back");
    return outcome_unknown(db, seen);
}

void db_move_anchors(edb *db)
{
    if (store_slot_due(db->store) && store_slot_write(db->store) != EDB_OK)
        log_event(EDB_LOG_WARNING, "%s: an anchor was not moved: %s", db->store->path,
                  edb_error_detail());
}

edb_status db_make_durable(edb *db)
{
    bool appended = false;
    /* Behind a sealed commit this much is mapped already: it cannot fail when something is in the
     * file. A segment ends with a page, and so does a sealed frame. */
    edb_status status = map_range(db, db->store->end.offset, ROOM_BEHIND_BYTES);
    if (status == EDB_OK)
        status = store_seal(db->store, &appended);
    edb_status seen = appended ? db_refresh(db) : EDB_OK;
    if (status != EDB_OK)
        return status; /* nothing of it is in the file */
    status = seen == EDB_OK ? store_sync(db->store) : seen;
    if (status == EDB_OK)
        db_move_anchors(db);
    return outcome_unknown(db, status);
}

edb_status edb_sync(edb *db)
{
    if (db == NULL)
        return fail(EDB_INVALID, "edb_sync: db is NULL");
    edb_status status = db_write_begin(db, true);
    if (status != EDB_OK)
        return status;
    status = db_make_durable(db);
    db_write_end(db);
    return status;
}
