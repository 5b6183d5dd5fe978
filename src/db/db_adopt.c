/* Using a catalog: its sections take the place of the tail. Called when the view begins and when a
 * CATALOG is met in a walk. All sections of a space are opened and checked against each other
 * first; then its lists are exchanged. */
#include <string.h>

#include "db/db_budget.h"

edb_status db_read_catalog(edb *db, const struct anchor *anchor, struct catalog *out)
{
    struct store_frame frame;
    memset(out, 0, sizeof *out);
    edb_status status = store_frame_at(db->store, anchor->catalog, &frame);
    if (status != EDB_OK)
        return status;
    if (frame.header.type != FRAME_CATALOG ||
        frame.header.header_checksum != anchor->catalog_checksum)
        return fail(EDB_CORRUPT, "the frame at %llu is not the catalog that the slot means",
                    (unsigned long long)anchor->catalog);
    return catalog_decode(frame.bytes + FRAME_HEADER_BYTES, frame.header.payload_bytes,
                          frame.header.offset, out);
}

/* What a catalog says of one space. */
struct adoption {
    struct store_section_list keys;
    struct store_section_list rows;
    struct store_section_list dead;
};

static bool is_valid(const struct store_section *section)
{
    return section->entry.kind == SECTION_KEYS ? keys_section_valid(section)
                                               : rows_section_valid(section);
}

static edb_status check_valid(const struct store_section_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        if (!is_valid(list->items[i]))
            return fail(EDB_CORRUPT, "the index section at %llu is damaged",
                        (unsigned long long)list->items[i]->entry.offset);
    return EDB_OK;
}

/* Opens all sections of a kind, as far as the space does not use them already. */
static edb_status open_list(const edb_space *space, const struct catalog *catalog, uint16_t kind,
                            struct store_section_list *out)
{
    const struct store_section_list *known = kind == SECTION_KEYS   ? &space->keys.sections
                                             : kind == SECTION_ROWS ? &space->rows.sections
                                                                    : NULL;
    edb_status status =
        store_section_list_open(space->db->store, catalog, space->id, kind, known, out);
    return status == EDB_OK ? check_valid(out) : status;
}

static edb_status open_adoption(const edb_space *space, const struct catalog *catalog,
                                struct adoption *out)
{
    uint64_t covered = catalog->spaces[space->id - 1].next_row;
    edb_status status = open_list(space, catalog, SECTION_KEYS, &out->keys);
    if (status == EDB_OK)
        status = open_list(space, catalog, SECTION_ROWS, &out->rows);
    if (status == EDB_OK)
        status = open_list(space, catalog, SECTION_DEAD, &out->dead);
    if (status == EDB_OK && (!store_section_list_covers(&out->keys, covered) ||
                             !store_section_list_covers(&out->rows, covered)))
        status = fail(EDB_CORRUPT, "a catalog's sections do not cover rows 0 to %llu",
                      (unsigned long long)covered);
    return status;
}

/* Opens everything of one space, then exchanges it. */
static edb_status adopt_space(edb_space *space, const struct catalog *catalog)
{
    struct adoption adoption = {0};
    uint64_t covered = catalog->spaces[space->id - 1].next_row;
    edb_status status = open_adoption(space, catalog, &adoption);
    if (status == EDB_OK)
        status = rows_adopt_dead(&space->rows, &adoption.dead);
    if (status == EDB_OK) {
        keys_adopt(&space->keys, &adoption.keys, covered);
        rows_adopt(&space->rows, &adoption.rows, covered);
        status = rows_reserve_chunks(&space->rows);
    }
    store_section_list_close(&adoption.keys);
    store_section_list_close(&adoption.rows);
    store_section_list_close(&adoption.dead);
    return status;
}

static edb_status check_against_view(const edb *db, const struct catalog *catalog)
{
    if (catalog->space_count > db->space_count)
        return fail(EDB_CORRUPT, "a catalog of %u spaces behind groups of %u", catalog->space_count,
                    db->space_count);
    for (uint32_t i = 0; i < catalog->space_count; i++) {
        uint64_t rows = catalog->spaces[i].next_row;
        uint64_t least = db->spaces[i]->rows.tail_first;
        uint64_t most = db->spaces[i]->next_row;
        if (rows < least || rows > most)
            return fail(EDB_CORRUPT,
                        "a catalog gives space %u %llu rows, where %llu to %llu are possible",
                        i + 1, (unsigned long long)rows, (unsigned long long)least,
                        (unsigned long long)most);
    }
    return EDB_OK;
}

bool db_names_damaged(const edb *db, const struct catalog *catalog)
{
    for (size_t i = 0; i < db->damaged_count; i++)
        for (uint32_t j = 0; j < catalog->section_count; j++)
            if (db->damaged[i].offset == catalog->sections[j].offset &&
                db->damaged[i].sequence == catalog->sections[j].sequence)
                return true;
    return false;
}

/* What a catalog says of a space that nothing else does. */
static void begin_space(edb_space *space, const struct catalog_space *said)
{
    space->next_row = said->next_row;
    space->live = said->live;
    space->first_expiry_s = said->first_expiry_s;
    db_expect_expiry(space, said->first_expiry_s);
    space->account = said->account;
    space->ledger = said->ledger;
    space->limits = said->limits;
}

/* Marks of rows, if all of the section verifies: they are hints. */
static void load_uses(edb_space *space, struct store_section *section)
{
    const struct section_descriptor *descriptor = &section->descriptor;
    uint64_t bytes = descriptor->body_bytes;
    if (bytes > 0 && store_section_verify(section, 0, (size_t)bytes))
        evict_load(&space->evict, descriptor->first, descriptor->last, section->body,
                   (size_t)bytes);
}

static edb_space *space_of_uses(const edb *db, const struct catalog_section *entry)
{
    bool fits = entry->kind == SECTION_USES && entry->first % USES_FIRST_ROWS == 0 &&
                entry->last - entry->first <= USES_ROWS_MAX;
    edb_space *space = db->spaces[entry->space - 1];
    return fits && space->evicts ? space : NULL;
}

/* No two of them have bytes in common: together they are no larger than the file. */
static void load_all_uses(edb *db, const struct catalog *catalog)
{
    uint64_t left = db->store->file_bytes;
    for (uint32_t i = 0; i < catalog->section_count; i++) {
        const struct catalog_section *entry = &catalog->sections[i];
        edb_space *space = space_of_uses(db, entry);
        struct store_section *section;
        if (space == NULL || entry->frame_bytes > left)
            continue;
        left -= entry->frame_bytes;
        if (store_section_open(db->store, entry, &section) == EDB_OK)
            load_uses(space, section);
        store_section_close(section);
    }
}

/* The budgets of a view that begins, and the marks that were kept. */
static edb_status begin_budgets(edb *db, const struct catalog *catalog)
{
    db->limits = catalog->limits;
    edb_status status = db_settle_budgets(db);
    for (uint32_t i = 0; i < catalog->space_count && status == EDB_OK; i++)
        evict_set_clock(&db->spaces[i]->evict, catalog->spaces[i].clock);
    if (status == EDB_OK)
        load_all_uses(db, catalog);
    for (uint32_t i = 0; i < catalog->space_count && status == EDB_OK; i++) {
        db->spaces[i]->evict.small_hand = catalog->spaces[i].small_hand;
        db->spaces[i]->evict.main_hand = catalog->spaces[i].main_hand;
    }
    return status;
}

/* Whoever writes the next catalog names the sections that still hold. */
static void note_uses(edb *db, const struct catalog *catalog)
{
    for (uint32_t i = 0; i < catalog->space_count; i++)
        evict_forget_saved(&db->spaces[i]->evict);
    for (uint32_t i = 0; i < catalog->section_count; i++) {
        edb_space *space = space_of_uses(db, &catalog->sections[i]);
        if (space != NULL)
            evict_note_saved(&space->evict, &catalog->sections[i]);
    }
}

edb_status db_adopt(edb *db, const struct catalog *catalog, bool begin)
{
    edb_status status = EDB_OK;
    for (uint32_t i = 0; i < catalog->space_count && begin && status == EDB_OK; i++) {
        status = db_add_space(db, catalog->spaces[i].id, &catalog->spaces[i].spec);
        if (status == EDB_OK)
            begin_space(db->spaces[i], &catalog->spaces[i]);
    }
    if (status == EDB_OK)
        status = check_against_view(db, catalog);
    for (uint32_t i = 0; i < catalog->space_count && status == EDB_OK; i++)
        status = adopt_space(db->spaces[i], catalog);
    if (status == EDB_OK && begin)
        status = begin_budgets(db, catalog);
    if (status == EDB_OK)
        note_uses(db, catalog);
    return status;
}
