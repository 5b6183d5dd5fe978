/* The right to write, and appending under it. Every writing call of the API goes through here. */
#include "db/db.h"

/* Says why a handle cannot write, before anything is tried. */
static edb_status check_may_write(const edb *db)
{
    edb_status status = db_check_fork(db);
    if (status != EDB_OK)
        return status;
    if (!db->store->writable)
        return fail(EDB_READ_ONLY, "%s was opened read-only", db->store->path);
    return EDB_OK;
}

edb_status db_write_begin(edb *db)
{
    edb_status status = check_may_write(db);
    if (status != EDB_OK)
        return status;
    if (!os_mutex_lock_within(&db->write_lock, db->busy_wait_ms))
        return fail(EDB_BUSY,
                    "%s: another thread of this process wrote for the whole wait of %u ms",
                    db->store->path, db->busy_wait_ms);
    status = store_lock(db->store, db->busy_wait_ms);
    if (status != EDB_OK) {
        os_mutex_unlock(&db->write_lock);
        return status;
    }
    status = db_refresh(db); /* (21) */
    if (status == EDB_OK)
        status = store_check_end(db->store);
    if (status != EDB_OK)
        db_write_end(db);
    return status;
}

void db_write_end(edb *db)
{
    store_unlock(db->store);
    os_mutex_unlock(&db->write_lock);
}

edb_status db_append(edb *db, struct frame_draft *drafts, size_t count, bool durable)
{
    edb_status status = store_append(db->store, drafts, count, durable);
    if (status == EDB_OK)
        db->wrote = true;
    uint64_t expected = db->store->end.sequence + count;
    edb_status seen = db_refresh(db);
    if (status != EDB_OK)
        return status;
    if (seen != EDB_OK || db->store->end.sequence != expected) {
        db->store->writer.poisoned = true;
        return fail(EDB_IO, "%s: what was appended does not read back: %s", db->store->path,
                    edb_error_detail());
    }
    return EDB_OK;
}

edb_status db_make_durable(edb *db)
{
    bool appended;
    edb_status status = store_seal(db->store, &appended);
    if (appended) {
        edb_status seen = db_refresh(db);
        if (status == EDB_OK)
            status = seen;
    }
    if (status == EDB_OK)
        status = store_sync(db->store);
    if (status == EDB_OK && store_slot_due(db->store))
        status = store_slot_write(db->store);
    return status;
}

edb_status edb_sync(edb *db)
{
    if (db == NULL)
        return fail(EDB_INVALID, "edb_sync: db is NULL");
    edb_status status = db_write_begin(db);
    if (status != EDB_OK)
        return status;
    status = db_make_durable(db);
    db_write_end(db);
    return status;
}
