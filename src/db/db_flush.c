/* From the tail to sections: called when a commit has made the tail long, and on close.
 *
 *   1 gather_new      ROWS and KEYS of the tail, DEAD of the chunks that changed, for every space
 *   2 gather_merged   or, when sections have become many, bigger ones out of eight or more
 *   3 publish         the sections and one CATALOG, in one run of frames; the walk adopts them
 *
 * Sections are derived: when they cannot be written the tail stays, and the next commit tries
 * again. Sizes grow by factors of eight, so a row's index entry is written about log8(rows /
 * 16,384) times; merging stops at 4 million rows a section, which bounds both memory and time. */
#include <string.h>

#include "base/checked.h"
#include "base/memory.h"
#include "db/db.h"
#include "db/db_publish.h"

static const uint64_t tail_rows_min = 16384;
static const uint64_t tail_rows_max = 262144;
static const uint64_t closing_rows = 64;
static const uint64_t closing_bytes = 1u << 20;
static const uint64_t merged_rows_max[] = {[SECTION_KEYS] = 1u << 22, [SECTION_ROWS] = 1u << 20};

enum { MERGE_RATIO = 8 };

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
        rows += db->spaces[i]->rows.tail_count;
    return rows;
}

static bool worth_flushing(const edb *db, bool closing)
{
    uint64_t tail = db_tail_rows(db);
    const struct store *store = db->store;
    uint64_t from = store->catalog.position > 0 ? store->catalog.position : FIRST_FRAME_OFFSET;
    if (closing)
        return tail >= closing_rows || (tail > 0 && store->end.offset - from >= closing_bytes);
    return tail >= clamp_u64(given_rows(db) / 256, tail_rows_min, tail_rows_max);
}

/* A row is worth an entry as long as it is live; when that cannot be told, too. */
static bool keep_live(void *arg, uint64_t row)
{
    bool dead;
    edb_space *space = arg;
    return rows_dead(&space->rows, row, &dead) != EDB_OK || !dead;
}

static edb_status gather_tail(edb_space *space, struct db_publication *publication)
{
    struct section_draft *draft;
    edb_status status = db_publication_add(publication, space, &draft);
    if (status == EDB_OK)
        status = rows_build(&space->rows, space->next_row, draft);
    if (status == EDB_OK)
        status = db_publication_add(publication, space, &draft);
    if (status != EDB_OK)
        return status;
    draft->descriptor.first = space->rows.tail_first;
    draft->descriptor.last = space->next_row;
    return keys_build(&space->keys, draft, keep_live, space);
}

static edb_status gather_dead(edb_space *space, struct db_publication *publication)
{
    edb_status status = EDB_OK;
    for (size_t i = 0; i < space->rows.chunk_count && status == EDB_OK; i++) {
        struct section_draft *draft;
        if (!space->rows.chunks[i].changed)
            continue;
        status = db_publication_add(publication, space, &draft);
        if (status == EDB_OK)
            status = rows_build_dead(&space->rows, i, space->next_row, draft);
    }
    return status;
}

static edb_status gather_new(edb *db, struct db_publication *publication)
{
    edb_status status = EDB_OK;
    for (uint32_t i = 0; i < db->space_count && status == EDB_OK; i++) {
        if (db->spaces[i]->rows.tail_count > 0)
            status = gather_tail(db->spaces[i], publication);
        if (status == EDB_OK)
            status = gather_dead(db->spaces[i], publication);
    }
    return status;
}

static uint64_t rows_of(const struct section *section)
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

/* How many of the newest sections to merge; 0 or 1: none. While writing: eight of one class, or as
 * many as fill the largest section. On
 * close: all that are small beside what is newer, so that a file that was filled once is looked up
 * in one place. */
static size_t mergeable(struct section *const *sections, size_t count, uint64_t rows_max,
                        bool closing)
{
    size_t taken = 0;
    uint64_t rows = 0;
    bool full = false;
    while (taken < count) {
        const struct section *section = sections[count - 1 - taken];
        bool fits = closing
                        ? rows_of(section) <= MERGE_RATIO * rows || taken == 0
                        : size_class(rows_of(section)) == size_class(rows_of(sections[count - 1]));
        full = rows + rows_of(section) > rows_max;
        if (!fits || full)
            break;
        rows += rows_of(section);
        taken++;
    }
    return closing || full || taken >= MERGE_RATIO ? taken : 0;
}

static edb_status gather_merged(edb *db, bool closing, struct db_publication *publication)
{
    edb_status status = EDB_OK;
    for (uint32_t i = 0; i < db->space_count && status == EDB_OK; i++) {
        edb_space *space = db->spaces[i];
        struct section_draft *draft;
        size_t count = space->rows.section_count;
        size_t taken =
            mergeable(space->rows.sections, count, merged_rows_max[SECTION_ROWS], closing);
        if (taken > 1 && (status = db_publication_add(publication, space, &draft)) == EDB_OK)
            status = rows_merge(&space->rows, count - taken, count, draft);
        count = space->keys.section_count;
        taken = mergeable(space->keys.sections, count, merged_rows_max[SECTION_KEYS], closing);
        if (status != EDB_OK || taken < 2)
            continue;
        status = db_publication_add(publication, space, &draft);
        if (status != EDB_OK)
            break;
        draft->descriptor.first = space->keys.sections[count - taken]->descriptor.first;
        draft->descriptor.last = space->keys.sections[count - 1]->descriptor.last;
        status = keys_merge(&space->keys, count - taken, count, draft, keep_live, space);
    }
    return status;
}

/* One publication: gathered with the view held still, then written. */
static edb_status publish_once(edb *db, bool merging, bool closing)
{
    struct db_publication publication;
    db_publication_open(&publication, db);
    edb_status status = db_enter(db);
    if (status == EDB_OK) {
        status = merging ? gather_merged(db, closing, &publication) : gather_new(db, &publication);
        if (status == EDB_OK && publication.count > 0)
            status = db_publication_lay_out(&publication);
        db_leave(db);
    }
    if (status == EDB_OK && publication.count > 0)
        status = db_append(db, publication.frames, publication.count + 1, false);
    if (status == EDB_OK && publication.count > 0)
        status = store_slot_write(db->store);
    db_publication_close(&publication);
    return status;
}

void db_flush(edb *db, bool closing)
{
    if (db_enter(db) != EDB_OK)
        return;
    bool worth = worth_flushing(db, closing);
    db_leave(db);
    if (!worth)
        return;
    edb_status status = publish_once(db, false, closing);
    if (status == EDB_OK)
        status = publish_once(db, true, closing);
    if (status != EDB_OK)
        log_event(EDB_LOG_WARNING, "%s: the index was not written: %s", db->store->path,
                  edb_error_detail());
}
