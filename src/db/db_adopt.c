/* Using a catalog: its sections take the place of the tail. Called when the view begins and when a
 * CATALOG is met in a walk. All sections are opened and checked against each other first; then the
 * lists are exchanged. */
#include <string.h>

#include "base/memory.h"
#include "db/db.h"

/* The sections of one kind and space, in order of their rows. */
struct list {
    struct section **sections;
    size_t count;
};

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

static struct section *find_open(struct section *const *sections, size_t count,
                                 const struct catalog_section *entry)
{
    for (size_t i = 0; i < count; i++)
        if (sections[i]->entry.offset == entry->offset &&
            sections[i]->entry.sequence == entry->sequence)
            return sections[i];
    return NULL;
}

/* The open section that `entry` means, if the space uses it already. */
static struct section *find_in_space(const edb_space *space, const struct catalog_section *entry)
{
    if (entry->kind == SECTION_KEYS)
        return find_open(space->keys.sections, space->keys.section_count, entry);
    if (entry->kind == SECTION_ROWS)
        return find_open(space->rows.sections, space->rows.section_count, entry);
    for (size_t i = 0; i < space->rows.chunk_count; i++) {
        struct section *section = space->rows.chunks[i].section;
        if (section != NULL && find_open(&section, 1, entry) != NULL)
            return section;
    }
    return NULL;
}

static edb_status open_valid(edb *db, const struct catalog_section *entry,
                             struct section **section_out)
{
    edb_status status = section_open(db->store, entry, section_out);
    if (status != EDB_OK)
        return status;
    bool valid = entry->kind == SECTION_KEYS ? keys_section_valid(*section_out)
                                             : rows_section_valid(*section_out);
    if (valid)
        return EDB_OK;
    section_close(*section_out);
    *section_out = NULL;
    return fail(EDB_CORRUPT, "the index section at %llu is damaged",
                (unsigned long long)entry->offset);
}

/* Closes those sections of a list that the space did not use before. */
static void close_list(const edb_space *space, struct list *list)
{
    for (size_t i = 0; i < list->count; i++)
        if (find_in_space(space, &list->sections[i]->entry) == NULL)
            section_close(list->sections[i]);
    memory_free(list->sections);
    memset(list, 0, sizeof *list);
}

/* Opens all sections of one kind that the catalog names for a space. */
static edb_status open_list(edb *db, const edb_space *space, const struct catalog *catalog,
                            uint16_t kind, struct list *out)
{
    memset(out, 0, sizeof *out);
    out->sections = memory_zeroed(catalog->section_count + 1, sizeof *out->sections);
    if (out->sections == NULL)
        return memory_failed(catalog->section_count * sizeof *out->sections);
    for (uint32_t i = 0; i < catalog->section_count; i++) {
        const struct catalog_section *entry = &catalog->sections[i];
        if (entry->space != space->id || entry->kind != kind)
            continue;
        struct section *section = find_in_space(space, entry);
        edb_status status = section != NULL ? EDB_OK : open_valid(db, entry, &section);
        if (status != EDB_OK) {
            close_list(space, out);
            return status;
        }
        out->sections[out->count++] = section;
    }
    return EDB_OK;
}

/* Whether the sections follow each other from row 0 to `covered`. */
static bool covers(const struct list *list, uint64_t covered)
{
    uint64_t next = 0;
    for (size_t i = 0; i < list->count; i++) {
        if (list->sections[i]->descriptor.first != next)
            return false;
        next = list->sections[i]->descriptor.last;
    }
    return next == covered;
}

/* Takes the list over. What memory does not allow to be used is closed. */
static edb_status use_dead(edb_space *space, struct list *dead)
{
    edb_status status = EDB_OK;
    size_t used = 0;
    while (used < dead->count && status == EDB_OK) {
        status = rows_adopt_dead(&space->rows, dead->sections[used]);
        used += status == EDB_OK;
    }
    for (size_t i = used; i < dead->count; i++)
        if (find_in_space(space, &dead->sections[i]->entry) == NULL)
            section_close(dead->sections[i]);
    memory_free(dead->sections);
    return status;
}

/* Opens everything of one space, then exchanges it. */
static edb_status adopt_space(edb *db, edb_space *space, const struct catalog *catalog)
{
    struct list keys = {0};
    struct list rows = {0};
    struct list dead = {0};
    uint64_t covered = catalog->spaces[space->id - 1].next_row;
    edb_status status = open_list(db, space, catalog, SECTION_KEYS, &keys);
    if (status == EDB_OK)
        status = open_list(db, space, catalog, SECTION_ROWS, &rows);
    if (status == EDB_OK)
        status = open_list(db, space, catalog, SECTION_DEAD, &dead);
    if (status == EDB_OK && (!covers(&keys, covered) || !covers(&rows, covered)))
        status = fail(EDB_CORRUPT, "a catalog's sections do not cover rows 0 to %llu",
                      (unsigned long long)covered);
    if (status != EDB_OK) {
        close_list(space, &keys);
        close_list(space, &rows);
        close_list(space, &dead);
        return status;
    }
    status = use_dead(space, &dead);
    keys_adopt(&space->keys, keys.sections, keys.count, covered);
    rows_adopt(&space->rows, rows.sections, rows.count, covered);
    return status == EDB_OK ? rows_reserve(&space->rows, 0) : status;
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

edb_status db_adopt(edb *db, const struct catalog *catalog, bool begin)
{
    edb_status status = EDB_OK;
    for (uint32_t i = 0; i < catalog->space_count && begin && status == EDB_OK; i++) {
        status = db_add_space(db, catalog->spaces[i].id, &catalog->spaces[i].spec);
        if (status == EDB_OK) {
            db->spaces[i]->next_row = catalog->spaces[i].next_row;
            db->spaces[i]->live = catalog->spaces[i].live;
        }
    }
    if (status == EDB_OK)
        status = check_against_view(db, catalog);
    for (uint32_t i = 0; i < catalog->space_count && status == EDB_OK; i++)
        status = adopt_space(db, db->spaces[i], catalog);
    return status;
}
