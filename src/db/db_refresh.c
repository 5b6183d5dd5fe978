/* Keeping the view fresh: built from the slots once, then moved forward by walking. Called at the
 * door of every public call. In the usual case, nothing new, it costs two loads from the map: the
 * word behind the last frame, and a word of that frame. */
#include <string.h>

#include "base/memory.h"
#include "db/db_budget.h"

edb_status db_check_fork(const edb *db)
{
    if (db->fork_generation == os_fork_generation())
        return EDB_OK;
    return fail(EDB_FORKED, "%s was opened before fork(): open it again in this process", db->path);
}

/* Empties the view; space handles stay, as the caller holds them. */
static void clear_view(edb *db)
{
    for (uint32_t i = 0; i < db->space_known; i++) {
        edb_space *space = db->spaces[i];
        keys_close(&space->keys);
        rows_close(&space->rows);
        evict_close(&space->evict);
        space->evicts = false;
        space->account = (struct account){0};
        memset(&space->expiry, 0, sizeof space->expiry);
        space->fresh_from = ROW_NONE;
        space->ledger = (struct ledger){0};
        space->limits = (struct limits){0};
        space->next_row = 0;
        space->live = 0;
        space->first_expiry_s = 0;
    }
    db->space_count = 0;
    db->limits = (struct limits){0};
}

/* Puts the view to where a catalog says that the file stood. */
static edb_status begin_at_catalog(edb *db, const struct anchor *anchor)
{
    struct catalog catalog;
    clear_view(db);
    edb_status status = db_read_catalog(db, anchor, &catalog);
    if (status != EDB_OK)
        return status;
    struct store_position position = {catalog.position, catalog.chain, catalog.sequence};
    store_rewind(db->store, &position);
    if (db->walk_limits.stop_at != 0 && catalog.sequence > db->walk_limits.stop_at)
        status = fail(EDB_CORRUPT, "it is newer than the snapshot");
    else if (db_names_damaged(db, &catalog))
        status = fail(EDB_CORRUPT, "it names an index section that is damaged");
    else
        status = db_adopt(db, &catalog, true);
    catalog_close(&catalog);
    return status;
}

static void begin_at_first_frame(edb *db)
{
    clear_view(db);
    struct store_position first = store_first_position(db->store);
    store_rewind(db->store, &first);
}

/* Tries the hints, best first, then the beginning of the file. */
static edb_status begin_view(edb *db, const struct store_hint *hints, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct anchor *anchor = &hints[i].catalog_hint;
        if (anchor->catalog == 0 || anchor->catalog < db->sections_from)
            continue;
        edb_status status = begin_at_catalog(db, anchor);
        if (status != EDB_CORRUPT)
            return status;
        log_event(EDB_LOG_WARNING, "%s: a catalog is lost: %s", db->store->path,
                  edb_error_detail());
    }
    begin_at_first_frame(db);
    return EDB_OK;
}

/* What stands behind damage is not served, and nothing is written over it. */
static void note_damage(edb *db)
{
    atomic_store(&db->store->damaged, true);
    log_event(EDB_LOG_WARNING, "%s is damaged at %llu: what is before is served, read-only",
              db->store->path, (unsigned long long)db->store->end.offset);
}

bool db_any_section_lost(const edb *db)
{
    for (uint32_t i = 0; i < db->space_count; i++) {
        const edb_space *space = db->spaces[i];
        if (store_section_list_lost(&space->keys.sections) ||
            store_section_list_lost(&space->rows.sections))
            return true;
        for (size_t j = 0; j < space->rows.chunk_count; j++)
            if (space->rows.chunks[j].section != NULL &&
                atomic_load(&space->rows.chunks[j].section->lost))
                return true;
    }
    return false;
}

/* Without memory for it, the section may be adopted, met and forgotten once more. */
static void note_lost(edb *db, const struct store_section *section)
{
    if (section == NULL || !atomic_load(&section->lost))
        return;
    struct db_damaged *grown = memory_resize(db->damaged, db->damaged_count + 1, sizeof *grown);
    if (grown == NULL)
        return;
    db->damaged = grown;
    db->damaged[db->damaged_count++] =
        (struct db_damaged){section->entry.offset, section->entry.sequence};
}

static void note_lost_sections(edb *db)
{
    for (uint32_t i = 0; i < db->space_count; i++) {
        const edb_space *space = db->spaces[i];
        for (size_t j = 0; j < space->keys.sections.count; j++)
            note_lost(db, space->keys.sections.items[j]);
        for (size_t j = 0; j < space->rows.sections.count; j++)
            note_lost(db, space->rows.sections.items[j]);
        for (size_t j = 0; j < space->rows.chunk_count; j++)
            note_lost(db, space->rows.chunks[j].section);
    }
}

/* Whether a damaged section stands in the way. Then no catalog so far is used any more, nor a later
 * one that names the section. */
static bool forget_lost_sections(edb *db)
{
    if (!db_any_section_lost(db) || db->sections_from >= db->store->end.offset)
        return false;
    note_lost_sections(db);
    log_event(EDB_LOG_WARNING, "%s: a damaged index section; the index is rebuilt from the records",
              db->store->path);
    db->sections_from = db->store->end.offset;
    return true;
}

static edb_status begin_and_walk(edb *db, const struct store_hint *hints, size_t count)
{
    edb_status status = begin_view(db, hints, count);
    return status == EDB_OK ? store_walk(db->store, &db->walk_limits, db_apply, db) : status;
}

/* A frame could not be applied. Where the cause is a damaged section, it may be without; where a
 * part of a transaction was applied already, the view ends before it. False: nothing would
 * change. */
static bool may_begin_again(edb *db)
{
    const struct store *store = db->store;
    if (forget_lost_sections(db))
        return true;
    if (store->pending.count == 0)
        return false;
    db->walk_limits.stop_at = store->pending.sequence;
    return true;
}

edb_status db_load(edb *db)
{
    struct store_hint hints[4];
    edb_status status;
    uint64_t stop_at = db->walk_limits.stop_at;
    if (stop_at != 0 && atomic_load(&db->store->replaced) > 0)
        return store_tell_replaced(db->store); /* what a snapshot showed is gone */
    size_t count = store_hints(db->store, hints, &status);
    if (status != EDB_OK)
        return status;
    db->walk_limits.deep_from = count > 0 ? hints[0].trusted_to : FIRST_FRAME_OFFSET;
    for (size_t i = 0; i < 4; i++)
        db->named_catalogs[i] = i < count ? hints[i].catalog_hint.catalog : 0;
    atomic_store(&db->store->synced_to, count > 0 ? hints[0].synced_to : FIRST_FRAME_OFFSET);
    status = store_cover(db->store);
    if (status == EDB_OK)
        status = begin_and_walk(db, hints, count);
    while (status == EDB_CORRUPT && may_begin_again(db))
        status = begin_and_walk(db, hints, count);
    if (status != EDB_OK && status != EDB_CORRUPT)
        return status;
    bool missing = db->store->end.offset < atomic_load(&db->store->synced_to) &&
                   !store_walk_stopped(db->store, &db->walk_limits);
    if (status == EDB_CORRUPT || missing || db->walk_limits.stop_at != stop_at)
        note_damage(db);
    db->walk_limits.deep_from = UINT64_MAX; /* what comes now is written in this boot, by writers
                                               that are alive */
    if (db->flags & EDB_OPEN_SNAPSHOT)
        db->walk_limits.stop_at = db->store->end.sequence;
    db->lost = false;
    db->generation++;
    return EDB_OK;
}

/* With the view lock, exclusive. A walk that fails loses the view, unless all that it lacked was
 * address space for the next frame: then nothing was applied, and the view moves on when there is
 * some. */
static edb_status move_forward(edb *db)
{
    if (db->lost)
        return EDB_STALE;
    edb_status status = store_walk(db->store, &db->walk_limits, db_apply, db);
    if (status == EDB_OK || (status == EDB_NO_MEMORY && !db->store->visit_failed))
        return status;
    log_event(EDB_LOG_WARNING, "%s: the view is built anew: %s", db->store->path,
              edb_error_detail());
    db->lost = true;
    return status;
}

/* Builds a lost view anew, under the write lock: this thread may have it already. */
static edb_status build_anew(edb *db)
{
    bool held = atomic_load(&db->writer) == os_thread_mark();
    if (!held)
        os_mutex_lock(&db->write_lock);
    os_rwlock_write(&db->view_lock);
    edb_status status = db->lost ? db_load(db) : EDB_OK;
    os_rwlock_unlock(&db->view_lock);
    if (!held)
        os_mutex_unlock(&db->write_lock);
    return status;
}

edb_status db_refresh(edb *db)
{
    os_rwlock_write(&db->view_lock);
    edb_status status = move_forward(db);
    bool lost = db->lost;
    os_rwlock_unlock(&db->view_lock);
    return lost ? build_anew(db) : status;
}

/* With the view lock held, which is kept when the path still names this file. */
static edb_status enter_marked(edb *db, bool *same_out)
{
    struct store *store = db->store;
    edb_status status = store->io->same_file(store->file, store->path, same_out, NULL);
    if (status == EDB_OK && *same_out)
        return EDB_OK;
    *same_out = false;
    os_rwlock_unlock(&db->view_lock);
    return status == EDB_OK ? db_move(db) : status;
}

edb_status db_enter(edb *db)
{
    edb_status status = db_check_fork(db);
    if (status != EDB_OK)
        return status;
    for (bool refreshed = false;; refreshed = true) {
        os_rwlock_read(&db->view_lock);
        bool snapshot = db->flags & EDB_OPEN_SNAPSHOT;
        bool frozen = refreshed || snapshot || atomic_load(&db->store->damaged);
        bool fresh = !db->lost && (frozen ? store_stands(db->store) : !store_has_news(db->store));
        if (fresh && (snapshot || !db_may_have_moved(db)))
            return EDB_OK;
        if (fresh) {
            bool same;
            status = enter_marked(db, &same);
            if (same || status != EDB_OK)
                return status;
            continue;
        }
        os_rwlock_unlock(&db->view_lock);
        status = db_refresh(db);
        if (status != EDB_OK)
            return status;
    }
}

void db_leave(edb *db)
{
    os_rwlock_unlock(&db->view_lock);
}

edb_status db_mend(edb *db, uint64_t generation)
{
    os_rwlock_write(&db->view_lock);
    bool mended = db->generation != generation;
    bool lost = !mended && forget_lost_sections(db);
    if (lost)
        db->lost = true;
    os_rwlock_unlock(&db->view_lock);
    if (lost)
        return build_anew(db);
    return mended ? EDB_OK : EDB_CORRUPT;
}

edb_status db_with_view(edb *db, db_step *step, void *arg)
{
    for (;;) {
        edb_status status = db_enter(db);
        if (status != EDB_OK)
            return status;
        uint64_t generation = db->generation;
        status = step(arg);
        db_leave(db);
        if (status != EDB_CORRUPT)
            return status;
        status = db_mend(db, generation);
        if (status != EDB_OK)
            return status;
    }
}
