/* edb_stats_get and edb_space_stats_get: figures that the handle knows anyway. Nothing is read. */
#include <string.h>

#include "db/db_budget.h"

static void add_section(edb_stats *stats, const struct store_section *section)
{
    if (section == NULL)
        return;
    stats->sections++;
    stats->section_bytes += section->entry.frame_bytes;
}

static void add_space(edb_stats *stats, const edb_space *space)
{
    stats->spaces++;
    stats->rows += space->next_row;
    stats->live += space->live;
    stats->tail_rows += space->rows.tail.count;
    for (size_t i = 0; i < space->keys.sections.count; i++)
        add_section(stats, space->keys.sections.items[i]);
    for (size_t i = 0; i < space->rows.sections.count; i++)
        add_section(stats, space->rows.sections.items[i]);
    for (size_t i = 0; i < space->rows.chunk_count; i++)
        add_section(stats, space->rows.chunks[i].section);
}

/* With the view held still. */
static edb_status fill_stats(const edb *db, edb_stats *stats)
{
    const struct store *store = db->store;
    stats->used_bytes = store->end.offset;
    stats->synced_bytes = atomic_load(&store->synced_to);
    stats->sequence = store->end.sequence - 1;
    stats->mapped_bytes = store_mapped_bytes(store);
    stats->format_version = store->genesis.version;
    memcpy(stats->uuid, store->genesis.uuid, sizeof stats->uuid);
    for (uint32_t i = 0; i < db->space_count; i++)
        add_space(stats, db->spaces[i]);
    return store->io->size(store->file, &stats->file_bytes);
}

edb_status edb_stats_get(edb *db, edb_stats *stats_out)
{
    edb_stats stats = {0};
    if (db == NULL || stats_out == NULL)
        return fail(EDB_INVALID, "edb_stats_get: an argument is NULL");
    edb_status status = db_struct_write(&db_struct_stats, &stats, stats_out);
    if (status == EDB_OK)
        status = db_enter(db);
    if (status != EDB_OK)
        return status;
    status = fill_stats(db, &stats);
    db_leave(db);
    return status == EDB_OK ? db_struct_write(&db_struct_stats, &stats, stats_out) : status;
}

edb_status edb_space_stats_get(edb_space *space, edb_space_stats *stats_out)
{
    if (space == NULL || stats_out == NULL)
        return fail(EDB_INVALID, "edb_space_stats_get: an argument is NULL");
    edb_space_stats stats = {0};
    edb_status status = db_struct_write(&db_struct_space_stats, &stats, stats_out);
    if (status == EDB_OK)
        status = db_enter(space->db);
    if (status != EDB_OK)
        return status;
    stats.rows = space->next_row;
    stats.live = space->live;
    stats.live_bytes = db_live_bytes(space);
    struct ledger ledger = db_tally_pending(space);
    ledger_add(&ledger, &space->ledger);
    stats.hits = ledger.hits;
    stats.misses = ledger.misses;
    stats.hit_bytes = ledger.hit_bytes;
    stats.hit_cost = ledger.hit_cost;
    stats.evictions = ledger.evictions;
    db_leave(space->db);
    return db_struct_write(&db_struct_space_stats, &stats, stats_out);
}
