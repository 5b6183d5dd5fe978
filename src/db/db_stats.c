/* edb_stats_get and edb_space_stats_get: figures that the handle knows anyway. Nothing is read. */
#include <string.h>

#include "db/db.h"

static void add_section(edb_stats *stats, const struct section *section)
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
    stats->tail_rows += space->rows.tail_count;
    for (size_t i = 0; i < space->keys.section_count; i++)
        add_section(stats, space->keys.sections[i]);
    for (size_t i = 0; i < space->rows.section_count; i++)
        add_section(stats, space->rows.sections[i]);
    for (size_t i = 0; i < space->rows.chunk_count; i++)
        add_section(stats, space->rows.chunks[i].section);
}

edb_status edb_stats_get(edb *db, edb_stats *stats_out)
{
    if (db == NULL || stats_out == NULL)
        return fail(EDB_INVALID, "edb_stats_get: an argument is NULL");
    if (stats_out->struct_size != 0 && stats_out->struct_size < sizeof *stats_out)
        return fail(EDB_INVALID, "edb_stats_get: struct_size %zu", stats_out->struct_size);
    memset(stats_out, 0, sizeof *stats_out);
    stats_out->struct_size = sizeof *stats_out;
    edb_status status = db_enter(db);
    if (status != EDB_OK)
        return status;
    status = db->store->io->size(db->store->file, &stats_out->file_bytes);
    stats_out->used_bytes = db->store->end.offset;
    stats_out->synced_bytes = atomic_load(&db->store->synced_to);
    stats_out->sequence = db->store->end.sequence - 1;
    stats_out->mapped_bytes = store_mapped_bytes(db->store);
    stats_out->format_version = db->store->genesis.version;
    memcpy(stats_out->uuid, db->store->genesis.uuid, sizeof stats_out->uuid);
    for (uint32_t i = 0; i < db->space_count; i++)
        add_space(stats_out, db->spaces[i]);
    db_leave(db);
    return status;
}

edb_status edb_space_stats_get(edb_space *space, edb_space_stats *stats_out)
{
    if (space == NULL || stats_out == NULL)
        return fail(EDB_INVALID, "edb_space_stats_get: an argument is NULL");
    if (stats_out->struct_size != 0 && stats_out->struct_size < sizeof *stats_out)
        return fail(EDB_INVALID, "edb_space_stats_get: struct_size %zu", stats_out->struct_size);
    edb_status status = db_enter(space->db);
    if (status != EDB_OK)
        return status;
    *stats_out = (edb_space_stats){sizeof *stats_out, space->next_row, space->live};
    db_leave(space->db);
    return EDB_OK;
}
