/* From the tail to sections: called when a commit has made the tail long, and on close.
 *
 *   1 merged_from   how many of the newest sections go into the new one with the tail
 *   2 gather_space  ROWS and KEYS of those rows, DEAD and USES where something changed
 *   3 publish       the sections and one CATALOG, in one run of frames; the walk adopts them
 *
 * Sections are derived: when they cannot be written the tail stays, and the next commit tries
 * again. Sizes grow by factors of eight, so a row's index entry is written about log8(rows /
 * 16,384) times; merging stops at half a million rows a section in a commit, at 4 million on close,
 * which bounds both memory and time. */
#include <string.h>

#include "base/checked.h"
#include "base/memory.h"
#include "db/db.h"
#include "db/db_publish.h"

static const uint64_t tail_rows_min = 16384;
static const uint64_t tail_rows_max = 262144;
static const uint64_t closing_rows = 64;
static const uint64_t closing_bytes = 1u << 20;
static const uint64_t deaths_bytes = 64u << 20; /* of frames to walk over for deletes alone */
/* What a commit does beside itself is a matter of some 50 ms. */
static const uint64_t merged_rows_max[] = {[SECTION_KEYS] = 1u << 19, [SECTION_ROWS] = 1u << 18};
static const uint64_t closing_rows_max[] = {[SECTION_KEYS] = 1u << 22, [SECTION_ROWS] = 1u << 20};

enum { MERGE_RATIO = 8 };

enum flush_kind { FLUSH_WRITING, FLUSH_CLOSING, FLUSH_UNMERGED };

static uint64_t given_rows(const edb *db)
{
    uint64_t rows = 0;
    for (uint32_t i = 0; i < db->space_count; i++)
        rows += db->spaces[i]->next_row;
    return rows;
}

uint64_t db_tail_rows(const edb *db)
{
    uint64_t rows = 0;
    for (uint32_t i = 0; i < db->space_count; i++)
        rows += db->spaces[i]->rows.tail.count;
    return rows;
}

static bool any_deaths(const edb *db)
{
    for (uint32_t i = 0; i < db->space_count; i++)
        for (size_t j = 0; j < db->spaces[i]->rows.chunk_count; j++)
            if (db->spaces[i]->rows.chunks[j].changed)
                return true;
    return false;
}

/* Marks that no section has: the cache was written anew since they came. */
static bool any_marks_unsaved(const edb *db)
{
    for (uint32_t i = 0; i < db->space_count; i++)
        if (evict_is_unsaved(&db->spaces[i]->evict))
            return true;
    return false;
}

/* Also when the newest catalog names something damaged: then what was rebuilt is written anew. */
static bool worth_flushing(const edb *db, bool closing)
{
    uint64_t tail = db_tail_rows(db);
    const struct store *store = db->store;
    uint64_t from = store->catalog.position > 0 ? store->catalog.position : FIRST_FRAME_OFFSET;
    uint64_t walk = store->end.offset - from;
    bool something = tail > 0 || any_deaths(db);
    if (tail < db->flush_rows)
        return false;
    if (something && store->newest_catalog.catalog != store->catalog.catalog)
        return true;
    if (closing && any_marks_unsaved(db))
        return true;
    if (closing ? something && walk >= closing_bytes : any_deaths(db) && walk >= deaths_bytes)
        return true;
    return tail >=
           (closing ? closing_rows : clamp_u64(given_rows(db) / 256, tail_rows_min, tail_rows_max));
}

static uint64_t rows_of(const struct store_section *section)
{
    return section->descriptor.last - section->descriptor.first;
}

/* Sizes of one class differ by less than the ratio. */
static int size_class(uint64_t rows)
{
    int class = 0;
    for (uint64_t limit = tail_rows_min * MERGE_RATIO; rows >= limit; limit *= MERGE_RATIO)
        class ++;
    return class;
}

/* The sections of a space and kind, and what is to become of the newest of them. */
struct merging {
    struct store_section *const *sections;
    size_t from;   /* sections from here on are merged with the tail */
    uint64_t rows; /* of them and the tail */
    uint64_t rows_max;
};

/* While writing: sections of the size that the merged one has by now, if they are seven (the merged
 * one is the eighth), or as many as fill half of the largest size and leave no room for more. True
 * when some were taken: then the next size may be full, too. */
static bool take_class(struct merging *merging)
{
    size_t from = merging->from;
    uint64_t rows = merging->rows;
    bool full = false;
    while (from > 0 &&
           size_class(rows_of(merging->sections[from - 1])) == size_class(merging->rows)) {
        full = rows + rows_of(merging->sections[from - 1]) > merging->rows_max;
        if (full)
            break;
        rows += rows_of(merging->sections[--from]);
    }
    size_t taken = merging->from - from;
    bool enough = taken >= MERGE_RATIO - 1 || (full && rows >= merging->rows_max / 2);
    if (taken == 0 || !enough)
        return false;
    merging->from = from;
    merging->rows = rows;
    return true;
}

/* On close: whatever is small beside what is newer, so that a file that was filled once is looked
 * up in one place. */
static bool take_small(struct merging *merging)
{
    if (merging->from == 0)
        return false;
    uint64_t rows = rows_of(merging->sections[merging->from - 1]);
    if (rows > MERGE_RATIO * merging->rows || rows + merging->rows > merging->rows_max)
        return false;
    merging->from--;
    merging->rows += rows;
    return true;
}

static size_t merged_from(const struct store_section_list *sections, uint64_t tail_rows,
                          uint16_t kind, enum flush_kind flush)
{
    bool closing = flush == FLUSH_CLOSING;
    struct merging merging = {sections->items, sections->count, tail_rows,
                              closing ? closing_rows_max[kind] : merged_rows_max[kind]};
    while (closing ? take_small(&merging) : flush == FLUSH_WRITING && take_class(&merging))
        continue;
    return merging.from;
}

static edb_status gather_rows(edb_space *space, struct db_publication *publication,
                              enum flush_kind flush)
{
    struct store_section_draft *draft;
    const struct rows *rows = &space->rows;
    size_t from = merged_from(&rows->sections, rows->tail.count, SECTION_ROWS, flush);
    edb_status status = db_publication_add(publication, space, &draft);
    return status == EDB_OK ? rows_build(rows, from, space->next_row, draft) : status;
}

static edb_status gather_keys(edb_space *space, struct db_publication *publication,
                              enum flush_kind flush)
{
    struct store_section_draft *draft;
    const struct keys *keys = &space->keys;
    size_t from = merged_from(&keys->sections, space->rows.tail.count, SECTION_KEYS, flush);
    edb_status status = db_publication_add(publication, space, &draft);
    if (status != EDB_OK)
        return status;
    draft->descriptor.first = from < keys->sections.count ? keys->sections.items[from]->entry.first
                                                          : space->rows.tail_first;
    draft->descriptor.last = space->next_row;
    struct rows_live live;
    status = rows_live_open(&space->rows, draft->descriptor.first, space->next_row, &live);
    if (status == EDB_OK)
        status = keys_build(keys, from, draft, rows_live_keep, &live);
    rows_live_close(&live);
    return status;
}

static edb_status gather_dead(edb_space *space, struct db_publication *publication)
{
    edb_status status = EDB_OK;
    for (size_t i = 0; i < space->rows.chunk_count && status == EDB_OK; i++) {
        struct store_section_draft *draft;
        if (!space->rows.chunks[i].changed)
            continue;
        status = db_publication_add(publication, space, &draft);
        if (status == EDB_OK)
            status = rows_build_dead(&space->rows, i, space->next_row, draft);
    }
    return status;
}

static edb_status gather_reach(edb_space *space, const struct evict_reach *reach,
                               struct db_publication *publication)
{
    struct store_section_draft *draft;
    size_t bytes = evict_save_bytes(&space->evict, reach);
    if (bytes == 0)
        return EDB_OK;
    edb_status status = db_publication_add(publication, space, &draft);
    uint8_t *body = status == EDB_OK ? memory_aligned(bytes) : NULL;
    if (body == NULL)
        return status == EDB_OK ? memory_failed(bytes) : status;
    evict_save(&space->evict, reach, body);
    draft->body = body;
    draft->descriptor.kind = SECTION_USES;
    draft->descriptor.version = 1;
    draft->descriptor.first = reach->first;
    draft->descriptor.last = reach->last;
    draft->descriptor.body_bytes = bytes;
    return EDB_OK;
}

/* Marks, where they changed. */
static edb_status gather_uses(edb_space *space, struct db_publication *publication)
{
    edb_status status = EDB_OK;
    struct evict_reach reach = {0};
    while (status == EDB_OK && evict_next_reach(&space->evict, reach.to, space->next_row, &reach))
        if (evict_saved(&space->evict, &reach) == NULL)
            status = gather_reach(space, &reach, publication);
    return status;
}

static edb_status gather_space(edb_space *space, struct db_publication *publication,
                               enum flush_kind flush)
{
    edb_status status = EDB_OK;
    if (space->rows.tail.count > 0) {
        status = gather_rows(space, publication, flush);
        if (status == EDB_OK)
            status = gather_keys(space, publication, flush);
    }
    if (status == EDB_OK)
        status = gather_dead(space, publication);
    return status == EDB_OK && space->evicts ? gather_uses(space, publication) : status;
}

struct flush {
    edb *db;
    enum flush_kind kind;
    uint64_t tail; /* rows that stood in memory only */
    struct db_publication publication;
};

/* A step, with the view held still: everything that is to be written. */
static edb_status gather(void *arg)
{
    struct flush *flush = arg;
    edb *db = flush->db;
    edb_status status = EDB_OK;
    db_publication_close(&flush->publication);
    db_publication_open(&flush->publication, db);
    flush->tail = db_tail_rows(db);
    if (!worth_flushing(db, flush->kind != FLUSH_WRITING))
        return EDB_OK;
    if (db_any_section_lost(db)) /* the new catalog would name it */
        return fail(EDB_CORRUPT, "a section of the index is damaged");
    for (uint32_t i = 0; i < db->space_count && status == EDB_OK; i++)
        status = gather_space(db->spaces[i], &flush->publication, flush->kind);
    if (status == EDB_OK && flush->publication.count > 0)
        status = db_publication_lay_out(&flush->publication);
    return status;
}

static void flush_as(edb *db, enum flush_kind kind)
{
    struct flush flush = {.db = db, .kind = kind};
    struct db_publication *publication = &flush.publication;
    db_publication_open(publication, db);
    edb_status status = db_with_view(db, gather, &flush);
    if (status == EDB_OK && publication->frames != NULL)
        status = db_append(db, publication->frames, publication->count + 1, false);
    if (status == EDB_OK && publication->frames != NULL)
        status = store_slot_write(db->store);
    db->flush_rows = status == EDB_OK ? 0 : 2 * flush.tail;
    if (status != EDB_OK)
        log_event(EDB_LOG_WARNING, "%s: the index was not written: %s", db->store->path,
                  edb_error_detail());
    db_publication_close(publication);
}

void db_flush(edb *db, bool closing)
{
    flush_as(db, closing ? FLUSH_CLOSING : FLUSH_WRITING);
}

void db_flush_unmerged(edb *db)
{
    flush_as(db, FLUSH_UNMERGED);
}
