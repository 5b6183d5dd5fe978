/* edb_open and edb_close.
 *
 *   1 store_create   when the file is absent and may be made: whole, synced, then named
 *   2 store_open     identity, mapping
 *   3 db_load        the newest catalog that a slot names, then a walk over the short tail
 *
 *   close: what is in memory only goes into sections when that is worth it; everything is synced;
 *   anchors move. */
#include <string.h>

#include "base/memory.h"
#include "db/db_budget.h"
#include "db/db_compact.h"

enum { BUSY_WAIT_MS = 5000, FILE_MODE = 0644, MAINTENANCE_MS = 50 };

static const uint32_t known_flags =
    EDB_OPEN_READ_ONLY | EDB_OPEN_EXISTING | EDB_OPEN_CREATE_NEW | EDB_OPEN_SNAPSHOT;

static edb_status check_options(const char *path, const edb_open_options *options,
                                edb_open_options *out)
{
    if (path == NULL || path[0] == '\0')
        return fail(EDB_INVALID, "edb_open: the path is empty");
    edb_status status = db_struct_read(&db_struct_open_options, options, out);
    if (status != EDB_OK)
        return status;
    if (out->flags & ~known_flags)
        return fail(EDB_INVALID, "edb_open: flags 0x%x are not known", out->flags & ~known_flags);
    if (out->durability > EDB_DURABLE)
        return fail(EDB_INVALID, "edb_open: durability %u is not known", out->durability);
    uint32_t contradiction = EDB_OPEN_READ_ONLY | EDB_OPEN_SNAPSHOT;
    if ((out->flags & EDB_OPEN_CREATE_NEW) && (out->flags & (contradiction | EDB_OPEN_EXISTING)))
        return fail(EDB_INVALID, "edb_open: EDB_OPEN_CREATE_NEW contradicts another flag");
    if (out->durability == EDB_DEFAULT)
        out->durability = EDB_LAZY;
    if (out->busy_wait_ms == 0)
        out->busy_wait_ms = BUSY_WAIT_MS;
    if (out->maintenance_ms == 0)
        out->maintenance_ms = MAINTENANCE_MS;
    if (out->file_mode == 0)
        out->file_mode = FILE_MODE;
    return EDB_OK;
}

/* Opens the file, making it first where that is asked for or allowed. Another process may make it
 * at the same time. */
static edb_status open_store(const char *path, const edb_open_options *options,
                             struct store **store_out)
{
    bool writable = !(options->flags & (EDB_OPEN_READ_ONLY | EDB_OPEN_SNAPSHOT));
    edb_status status;
    if (options->flags & EDB_OPEN_CREATE_NEW) {
        status = store_create(path, options->file_mode);
        return status == EDB_OK ? store_open(path, true, store_out) : status;
    }
    status = store_open(path, writable, store_out);
    if (status != EDB_NOT_FOUND || !writable || (options->flags & EDB_OPEN_EXISTING))
        return status;
    status = store_create(path, options->file_mode);
    if (status != EDB_OK && status != EDB_EXISTS)
        return status;
    return store_open(path, writable, store_out);
}

static void free_handle(edb *db)
{
    for (uint32_t i = 0; i < db->space_known; i++) {
        keys_close(&db->spaces[i]->keys);
        rows_close(&db->spaces[i]->rows);
        evict_close(&db->spaces[i]->evict);
        memory_free(db->spaces[i]->tallies);
        memory_free(db->spaces[i]);
    }
    memory_free(db->spaces);
    memory_free(db->damaged);
    memory_free(db->path);
    store_close(db->store);
    db_claimed_close(&db->claimed);
    os_rwlock_close(&db->view_lock);
    os_mutex_close(&db->write_lock);
    os_mutex_close(&db->turn_lock);
    memory_free(db);
}

/* In the child of a fork: nobody may have been at work on the handle when the parent was copied. */
static bool is_at_rest(edb *db)
{
    if (atomic_load(&db->compacting) || !db_claimed_is_at_rest(&db->claimed) ||
        !os_mutex_lock_within(&db->turn_lock, 0))
        return false;
    bool free = os_mutex_lock_within(&db->write_lock, 0);
    if (free) {
        free = os_rwlock_try_write(&db->view_lock);
        if (free)
            os_rwlock_unlock(&db->view_lock);
        os_mutex_unlock(&db->write_lock);
    }
    os_mutex_unlock(&db->turn_lock);
    return free;
}

static edb_status open_inner_locks(edb *db)
{
    edb_status status = os_rwlock_open(&db->view_lock);
    if (status != EDB_OK)
        return status;
    status = db_claimed_open(&db->claimed);
    if (status != EDB_OK)
        os_rwlock_close(&db->view_lock);
    return status;
}

static edb_status open_locks(edb *db)
{
    edb_status status = os_mutex_open(&db->turn_lock);
    if (status != EDB_OK)
        return status;
    status = os_mutex_open(&db->write_lock);
    if (status == EDB_OK) {
        status = open_inner_locks(db);
        if (status != EDB_OK)
            os_mutex_close(&db->write_lock);
    }
    if (status != EDB_OK)
        os_mutex_close(&db->turn_lock);
    return status;
}

/* A handle without a file. */
static edb_status make_handle(const char *path, const edb_open_options *options, edb **db_out)
{
    edb *db = memory_zeroed(1, sizeof *db);
    if (db == NULL)
        return memory_failed(sizeof *db);
    edb_status status = open_locks(db);
    if (status != EDB_OK) {
        memory_free(db);
        return status;
    }
    db->flags = options->flags;
    db->durability = options->durability;
    db->busy_wait_ms = options->busy_wait_ms;
    db->maintenance_ms = options->maintenance_ms;
    db->fork_generation = os_fork_generation();
    db->writable = !(options->flags & (EDB_OPEN_READ_ONLY | EDB_OPEN_SNAPSHOT));
    db->path = memory_copy_text(path, strlen(path));
    if (db->path == NULL) {
        free_handle(db);
        return memory_failed(strlen(path));
    }
    *db_out = db;
    return EDB_OK;
}

/* Its view, when it has a store; the handle is freed on failure. */
static edb_status begin_view(edb *db, edb_status status, edb **db_out)
{
    if (status == EDB_OK) {
        db->hash_seed = db->store->genesis.hash_seed;
        status = db_load(db);
    }
    if (status == EDB_OK)
        *db_out = db;
    else
        free_handle(db);
    return status;
}

edb_status edb_open(const char *path, const edb_open_options *options, edb **db_out)
{
    edb_open_options checked;
    edb *db;
    if (db_out == NULL)
        return fail(EDB_INVALID, "edb_open: db_out is NULL");
    *db_out = NULL;
    edb_status status = check_options(path, options, &checked);
    if (status == EDB_OK)
        status = make_handle(path, &checked, &db);
    if (status != EDB_OK)
        return status;
    return begin_view(db, open_store(path, &checked, &db->store), db_out);
}

edb_status db_open_store(const char *path, struct store *store, edb **db_out)
{
    const edb_open_options options = {.durability = EDB_LAZY,
                                      .busy_wait_ms = BUSY_WAIT_MS,
                                      .maintenance_ms = EDB_MAINTENANCE_OFF};
    edb *db;
    *db_out = NULL;
    edb_status status = make_handle(path, &options, &db);
    if (status != EDB_OK)
        return status;
    db->store = store_share(store);
    return begin_view(db, EDB_OK, db_out);
}

/* After a failed write, or damage: is anything that this handle wrote in danger? */
static edb_status tell_unsynced(const edb *db)
{
    const struct store *store = db->store;
    if (store->writer.written_to <= atomic_load(&store->synced_to))
        return EDB_OK;
    return fail(
        EDB_IO,
        "%s: writing has come to an end: what this handle wrote since its last sync may not "
        "survive power loss",
        db->path);
}

/* A handle that only read hands over what it counted, if nobody else has the lock: that is worth no
 * waiting, no sync and no error. */
static edb_status hand_over_last(edb *db)
{
    if (!db_has_counted(db) || db_write_begin_within(db, false, 0) != EDB_OK)
        return EDB_OK;
    db_hand_over(db, true);
    db_write_end(db);
    return EDB_OK;
}

/* What this handle wrote is made durable and quick to open. */
static edb_status finish_writing(edb *db)
{
    if (!db->wrote)
        return hand_over_last(db);
    if (db->store->writer.poisoned || atomic_load(&db->store->damaged))
        return tell_unsynced(db);
    edb_status status = db_write_begin(db, true);
    if (status != EDB_OK)
        return status;
    db_hand_over(db, true);
    db_flush(db, true);
    if (db->store->writer.poisoned)
        status = tell_unsynced(db);
    else
        status = db_make_durable(db);
    if (status == EDB_OK && !db->store->writer.poisoned)
        status = store_slot_write(db->store);
    db_write_end(db);
    return status;
}

edb_status edb_close(edb *db)
{
    if (db == NULL)
        return EDB_OK;
    edb_status status = EDB_OK;
    bool forked = db->fork_generation != os_fork_generation();
    bool whole = !forked || is_at_rest(db); /* else its memory is in the middle of something: it is
                                               left alone */
    if (!forked && db->wrote)
        db_maintain_last(db);
    if (whole)
        db_compaction_abandon(db);
    if (!forked)
        status = finish_writing(db);
    if (whole)
        free_handle(db);
    return status;
}
