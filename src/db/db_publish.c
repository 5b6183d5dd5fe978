/* Laying out sections and their CATALOG. Called by db_flush, and for the CATALOG of a compaction by
 * db_copy. */
#include "db/db_publish.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/memory.h"

void db_publication_open(struct db_publication *publication, edb *db)
{
    memset(publication, 0, sizeof *publication);
    publication->db = db;
}

void db_publication_close(struct db_publication *publication)
{
    for (size_t i = 0; i < publication->count; i++) {
        store_section_draft_close(publication->drafts[i]);
        memory_free(publication->drafts[i]);
    }
    memory_free(publication->drafts);
    memory_free(publication->frames);
    memory_free(publication->catalog.payload);
    memset(publication, 0, sizeof *publication);
}

edb_status db_publication_add(struct db_publication *publication, const edb_space *space,
                              struct store_section_draft **draft_out)
{
    edb_status status = memory_reserve(&publication->drafts, &publication->capacity,
                                       publication->count + 1, sizeof *publication->drafts);
    if (status != EDB_OK)
        return status;
    struct store_section_draft *draft = memory_zeroed(1, sizeof *draft);
    if (draft == NULL)
        return memory_failed(sizeof *draft);
    draft->descriptor.space = space->id;
    draft->descriptor.from = FIRST_FRAME_OFFSET;
    draft->descriptor.to = publication->db->store->end.offset;
    publication->drafts[publication->count++] = draft;
    *draft_out = draft;
    return EDB_OK;
}

/* Whether a new section says all that the old one says. */
static bool superseded(const struct db_publication *publication, const struct catalog_section *old)
{
    for (size_t i = 0; i < publication->count; i++) {
        const struct section_descriptor *added = &publication->drafts[i]->descriptor;
        if (added->kind == old->kind && added->space == old->space && added->first <= old->first &&
            added->last >= old->last)
            return true;
    }
    return false;
}

static void keep_entry(const struct db_publication *publication, struct catalog *catalog,
                       const struct store_section *section)
{
    if (section != NULL && !superseded(publication, &section->entry))
        catalog->sections[catalog->section_count++] = section->entry;
}

static void keep_uses(const edb_space *space, struct catalog *catalog)
{
    struct evict_reach reach = {0};
    while (evict_next_reach(&space->evict, reach.to, space->next_row, &reach)) {
        const struct catalog_section *saved = evict_saved(&space->evict, &reach);
        if (saved != NULL)
            catalog->sections[catalog->section_count++] = *saved;
    }
}

/* The sections of the view that stay. */
static void keep_entries(const struct db_publication *publication, struct catalog *catalog)
{
    const edb *db = publication->db;
    for (uint32_t i = 0; i < db->space_count; i++) {
        const edb_space *space = db->spaces[i];
        for (size_t j = 0; j < space->keys.sections.count; j++)
            keep_entry(publication, catalog, space->keys.sections.items[j]);
        for (size_t j = 0; j < space->rows.sections.count; j++)
            keep_entry(publication, catalog, space->rows.sections.items[j]);
        for (size_t j = 0; j < space->rows.chunk_count; j++)
            keep_entry(publication, catalog, space->rows.chunks[j].section);
        keep_uses(space, catalog);
    }
}

static size_t entries_max(const struct db_publication *publication)
{
    const edb *db = publication->db;
    size_t count = publication->count;
    for (uint32_t i = 0; i < db->space_count; i++)
        count += db->spaces[i]->keys.sections.count + db->spaces[i]->rows.sections.count +
                 db->spaces[i]->rows.chunk_count + db->spaces[i]->evict.chunk_count;
    return count;
}

static int compare_u64(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

/* By space, kind and rows: so that adopting needs no sorting. */
static int compare_entries(const void *left, const void *right)
{
    const struct catalog_section *a = left;
    const struct catalog_section *b = right;
    if (a->space != b->space)
        return compare_u64(a->space, b->space);
    if (a->kind != b->kind)
        return compare_u64(a->kind, b->kind);
    return compare_u64(a->first, b->first);
}

struct catalog_space db_catalog_space(const edb_space *space)
{
    return (struct catalog_space){.id = space->id,
                                  .next_row = space->next_row,
                                  .live = space->live,
                                  .first_expiry_s = space->first_expiry_s,
                                  .account = space->account,
                                  .ledger = space->ledger,
                                  .clock = space->evict.clock,
                                  .small_hand = space->evict.small_hand,
                                  .main_hand = space->evict.main_hand,
                                  .limits = space->limits,
                                  .spec = space->spec};
}

static edb_status begin_catalog(const struct db_publication *publication, struct catalog *catalog)
{
    const edb *db = publication->db;
    *catalog = (struct catalog){.position = db->store->end.offset,
                                .chain = db->store->end.chain,
                                .sequence = db->store->end.sequence,
                                .limits = db->limits,
                                .space_count = db->space_count};
    catalog->spaces = memory_zeroed(db->space_count, sizeof *catalog->spaces);
    catalog->sections = memory_zeroed(entries_max(publication), sizeof *catalog->sections);
    if (catalog->spaces == NULL || catalog->sections == NULL)
        return memory_failed(entries_max(publication) * sizeof *catalog->sections);
    for (uint32_t i = 0; i < db->space_count; i++) {
        const edb_space *space = db->spaces[i];
        catalog->spaces[i] = db_catalog_space(space);
    }
    keep_entries(publication, catalog);
    return EDB_OK;
}

static edb_status lay_out_sections(struct db_publication *publication, struct catalog *catalog,
                                   uint64_t *at)
{
    const struct store *store = publication->db->store;
    for (size_t i = 0; i < publication->count; i++) {
        struct catalog_section *entry = &catalog->sections[catalog->section_count];
        edb_status status = store_section_draft_lay_out(
            publication->drafts[i], *at, store->genesis.chain_seed, &publication->frames[i], entry);
        if (status != EDB_OK)
            return status;
        entry->sequence = store->end.sequence + i;
        catalog->section_count++;
        *at += publication->frames[i].frame_bytes;
    }
    return EDB_OK;
}

/* Marks are hints: a catalog has no more of their sections than leaves room for all others. */
static void leave_out_uses(struct catalog *catalog)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < catalog->section_count; i++)
        if (catalog->sections[i].kind != SECTION_USES)
            catalog->sections[count++] = catalog->sections[i];
    catalog->section_count = count;
}

edb_status db_catalog_lay_out(struct catalog *catalog, uint64_t at, struct db_catalog_draft *out)
{
    if (catalog->section_count > CATALOG_SECTIONS_MAX)
        leave_out_uses(catalog);
    size_t bytes = catalog_bytes(catalog);
    memset(out, 0, sizeof *out);
    if (bytes > FRAME_BYTES_MAX - FRAME_HEADER_BYTES ||
        catalog->section_count > CATALOG_SECTIONS_MAX)
        return fail(EDB_FULL, "a catalog of %u sections and %zu bytes is too large; %u and %u fit",
                    catalog->section_count, bytes, CATALOG_SECTIONS_MAX,
                    FRAME_BYTES_MAX - FRAME_HEADER_BYTES);
    if (catalog->section_count > 0)
        qsort(catalog->sections, catalog->section_count, sizeof *catalog->sections,
              compare_entries);
    out->payload = memory_aligned(bytes);
    if (out->payload == NULL)
        return memory_failed(bytes);
    catalog_encode(catalog, out->payload);
    out->piece = (struct frame_piece){FRAME_HEADER_BYTES, out->payload, bytes};
    out->frame =
        (struct frame_draft){.type = FRAME_CATALOG,
                             .offset = at,
                             .frame_bytes = round_up(FRAME_HEADER_BYTES + bytes, FRAME_ALIGN),
                             .payload_bytes = bytes,
                             .payload = out->payload,
                             .pieces = &out->piece,
                             .piece_count = 1};
    return EDB_OK;
}

edb_status db_publication_lay_out(struct db_publication *publication)
{
    struct catalog catalog;
    publication->frames = memory_zeroed(publication->count + 1, sizeof *publication->frames);
    if (publication->frames == NULL)
        return memory_failed((publication->count + 1) * sizeof *publication->frames);
    uint64_t at = store_append_offset(publication->db->store);
    edb_status status = begin_catalog(publication, &catalog);
    if (status == EDB_OK)
        status = lay_out_sections(publication, &catalog, &at);
    if (status == EDB_OK)
        status = db_catalog_lay_out(&catalog, at, &publication->catalog);
    publication->frames[publication->count] = publication->catalog.frame;
    catalog_close(&catalog);
    return status;
}
