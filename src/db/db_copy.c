/* Writing a cache anew. Called by db_compact.
 *
 *   1 db_moment_next    the next live row
 *   2 take_row          its record, verified: a change that leads into the source
 *   3 write_batch       some megabytes of changes become a GROUP of the target
 *   4 note_frame        the walk reads it back; where its records stand goes into ROWS
 *   5 write_keys        KEYS, out of the source's, for hashes and row numbers are the same
 *
 * Blocks of vectors are whole pages where that is possible, so that a space whose vectors stand in
 * many GROUPs can be mapped as one matrix. */
#include "db/db_copy.h"

#include <string.h>

#include "base/checked.h"
#include "base/memory.h"
#include "db/db_group.h"
#include "db/db_publish.h"

static const uint64_t batch_bytes = 16u << 20;
static const size_t section_entries = 1u << 19; /* of a ROWS section: 16 MiB, twice for a while */
static const uint64_t keys_entries = 1u << 22;  /* of a KEYS section: 54 MiB */

enum {
    BATCH_ROWS = 1 << 16, /* a multiple of the rows that fill whole pages, whatever the dims */
    GAP_ROWS = 1 << 24,   /* that are worth a section's end */
    SAMPLE_ROWS = 1024,
    INDEX_BYTES = 48, /* of a row in KEYS and ROWS */
};

static const struct store_limits whole_walk = {.deep_from = UINT64_MAX};

/* ------------------------------------------------------------------------------------ appending */

/* What the target's walk meets is what was written: places are noted where they have turned out to
 * be. */
static edb_status note_frame(void *arg, const struct store_frame *frame)
{
    struct db_copy *copy = arg;
    struct group group;
    if (frame->header.type == FRAME_CATALOG) {
        copy->target->newest_catalog = store_anchor_of(&frame->header);
        copy->target->catalog = copy->target->newest_catalog;
    }
    if (frame->header.type != FRAME_GROUP || !(frame->header.flags & FRAME_GAPS))
        return EDB_OK;
    edb_status status = group_decode(frame->bytes + FRAME_HEADER_BYTES, frame->header.payload_bytes,
                                     frame->header.frame_bytes, &group);
    for (uint32_t i = 0; i < group.count && status == EDB_OK; i++) {
        struct record record;
        status = record_decode(frame->bytes, &group, i, &record);
        if (status != EDB_OK || record.operation != RECORD_PUT)
            continue;
        struct row_place place = db_place_of(frame, &group, i, &record);
        status = rows_writer_add(&copy->places, record.row, &place);
        copy->places_last = record.row + 1;
        if (record.expiry_s != 0 &&
            (copy->first_expiry_s == 0 || record.expiry_s < copy->first_expiry_s))
            copy->first_expiry_s = record.expiry_s;
    }
    return status;
}

static edb_status append(struct db_copy *copy, struct frame_draft *drafts, size_t count)
{
    uint64_t expected = copy->target->end.sequence + count;
    edb_status status = store_append(copy->target, drafts, count, false);
    if (status == EDB_OK)
        status = store_walk(copy->target, &whole_walk, note_frame, copy);
    if (status == EDB_OK && copy->target->end.sequence != expected)
        return fail(EDB_IO, "%s: what was appended does not read back", copy->target->path);
    return status;
}

static edb_status append_section(struct db_copy *copy, struct store_section_draft *draft)
{
    struct frame_draft frame;
    struct catalog *catalog = &copy->catalog;
    if (catalog->section_count == copy->sections) {
        size_t capacity = copy->sections ? 2 * copy->sections : 64;
        struct catalog_section *grown = memory_resize(catalog->sections, capacity, sizeof *grown);
        if (grown == NULL)
            return memory_failed(capacity * sizeof *grown);
        catalog->sections = grown;
        copy->sections = capacity;
    }
    struct catalog_section *entry = &catalog->sections[catalog->section_count];
    draft->descriptor.space = copy->moment.space->id;
    draft->descriptor.from = FIRST_FRAME_OFFSET;
    draft->descriptor.to = copy->target->end.offset;
    edb_status status = store_section_draft_lay_out(
        draft, store_append_offset(copy->target), copy->target->genesis.chain_seed, &frame, entry);
    if (status != EDB_OK)
        return status;
    entry->sequence = copy->target->end.sequence;
    status = append(copy, &frame, 1);
    catalog->section_count += status == EDB_OK;
    return status == EDB_OK ? copy->pace(copy->arg, 0, frame.frame_bytes) : status;
}

/* ---------------------------------------------------------------------------------- the records */

static edb_status write_batch(struct db_copy *copy)
{
    struct db_run run;
    if (copy->count == 0)
        return EDB_OK;
    edb_status status = db_run_lay_out(copy->target, 0, copy->changes, copy->count, &run);
    for (size_t i = 0; i < run.count && status == EDB_OK; i++)
        run.drafts[i].flags |= FRAME_GAPS;
    if (status == EDB_OK)
        status = append(copy, run.drafts, run.count);
    db_run_close(&run);
    uint64_t rows = copy->changes[0].operation == RECORD_PUT ? copy->count : 0;
    uint64_t bytes = copy->bytes;
    copy->count = 0;
    copy->bytes = 0;
    return status == EDB_OK ? copy->pace(copy->arg, rows, bytes) : status;
}

/* Whether the vectors of the batch fill whole pages. */
static bool fills_pages(const struct db_copy *copy)
{
    uint64_t stride = 4u * copy->moment.space->spec.dims;
    return stride == 0 || copy->count * stride % PAGE_BYTES == 0;
}

static bool is_full(const struct db_copy *copy)
{
    return copy->count == BATCH_ROWS || copy->bytes >= 2 * batch_bytes ||
           (copy->bytes >= batch_bytes && fills_pages(copy));
}

static edb_status take_row(struct db_copy *copy, uint64_t row)
{
    struct db_found found;
    struct group group;
    struct record record;
    const uint8_t *vector;
    edb_space *space = copy->moment.space;
    edb_status status = db_moment_locate(&copy->moment, row, &found);
    if (status == EDB_OK)
        status = db_vector(space, &found, &vector);
    if (status == EDB_OK)
        status = db_read_record(space, &found, &group, &record);
    if (status != EDB_OK)
        return status;
    record.prior_row = ROW_NONE;
    copy->changes[copy->count++] = db_change_of(space, found.frame, &group, &record);
    copy->bytes += RECORD_BYTES + record_heap_bytes(&record) + record.vector_bytes;
    return EDB_OK;
}

/* A batch, from *arg on; with the view held still. */
struct filling {
    struct db_copy *copy;
    uint64_t from;
    uint64_t next;
};

static edb_status fill_batch(void *arg)
{
    struct filling *filling = arg;
    struct db_copy *copy = filling->copy;
    copy->count = 0;
    copy->bytes = 0;
    filling->next = filling->from;
    while (!is_full(copy)) {
        uint64_t row = db_moment_next(&copy->moment, filling->next);
        bool far = copy->count > 0 && row - filling->next >= GAP_ROWS;
        filling->next = row;
        if (row == copy->moment.end || far)
            break;
        edb_status status = take_row(copy, row);
        if (status != EDB_OK)
            return status;
        filling->next = row + 1;
    }
    return EDB_OK;
}

/* --------------------------------------------------------------------------------- the sections */

static edb_status write_places(struct db_copy *copy, uint64_t last)
{
    struct store_section_draft draft = {0};
    edb_status status = rows_writer_finish(&copy->places, last, &draft);
    if (status == EDB_OK)
        status = append_section(copy, &draft);
    store_section_draft_close(&draft);
    copy->places.first = last;
    return status;
}

/* Where the section at hand should end, before row `next`: at a gap, which then costs nothing, or
 * where it has become large. 0: not yet. */
static uint64_t section_end(const struct db_copy *copy, uint64_t next)
{
    if (next - copy->places_last >= GAP_ROWS)
        return next / GAP_ROWS * GAP_ROWS;
    return copy->places.entries.count >= section_entries ? copy->places_last : 0;
}

static edb_status write_rows(struct db_copy *copy)
{
    struct filling filling = {.copy = copy};
    edb_status status = EDB_OK;
    while (status == EDB_OK) {
        filling.from = db_moment_next(&copy->moment, filling.from);
        if (filling.from == copy->moment.end)
            break;
        uint64_t last = section_end(copy, filling.from);
        if (last > 0)
            status = write_places(copy, last);
        if (status == EDB_OK)
            status = db_with_view(copy->source, fill_batch, &filling);
        if (status == EDB_OK)
            status = write_batch(copy);
        filling.from = filling.next;
    }
    return status;
}

/* The rows at the end that are gone have numbers that are not given again. */
static edb_status write_advance(struct db_copy *copy)
{
    uint64_t next = copy->moment.end;
    if (next == 0 || db_moment_next(&copy->moment, next - 1) != next)
        return EDB_OK;
    copy->changes[copy->count++] = (struct db_change){.space = copy->moment.space,
                                                      .operation = RECORD_ADVANCE,
                                                      .found = true,
                                                      .row = next,
                                                      .prior_row = ROW_NONE};
    return write_batch(copy);
}

static bool keep_live(void *live, uint64_t row)
{
    return rows_live_has(live, row);
}

static edb_status write_key_range(struct db_copy *copy, uint64_t first, uint64_t last)
{
    struct store_section_draft draft = {.descriptor = {.first = first, .last = last}};
    const struct keys *keys = &copy->moment.space->keys;
    edb_status status = keys_build(keys, 0, &draft, keep_live, &copy->moment.live);
    if (status == EDB_OK)
        status = append_section(copy, &draft);
    store_section_draft_close(&draft);
    return status;
}

/* As few sections as memory and row numbers of 32 bits allow. */
static edb_status write_keys(struct db_copy *copy)
{
    const struct rows_live *live = &copy->moment.live;
    uint64_t first = 0;
    uint64_t entries = 0;
    edb_status status = EDB_OK;
    for (size_t i = 0; i < live->count && status == EDB_OK; i++) {
        const struct rows_word *word = &live->words[i];
        if (entries >= keys_entries || word->first - first > UINT32_MAX - ROWS_WORD_ROWS) {
            status = write_key_range(copy, first, word->first);
            first = word->first;
            entries = 0;
        }
        entries += (uint64_t)__builtin_popcountll(word->bits);
    }
    return status == EDB_OK ? write_key_range(copy, first, copy->moment.end) : status;
}

/* -------------------------------------------------------------------------------------- a space */

static edb_status define_space(struct db_copy *copy, const edb_space *space)
{
    struct db_run run;
    edb_status status = db_run_define_space(copy->target, space->id, &space->spec, &run);
    if (status == EDB_OK)
        status = append(copy, run.drafts, run.count);
    db_run_close(&run);
    return status;
}

static edb_status copy_space(struct db_copy *copy, edb_space *space)
{
    edb_status status = db_moment_open(space, &copy->moment);
    copy->places_last = 0;
    copy->first_expiry_s = 0;
    if (status == EDB_OK)
        status = define_space(copy, space);
    if (status == EDB_OK)
        status = write_rows(copy);
    if (status == EDB_OK)
        status = write_advance(copy);
    if (status == EDB_OK && copy->moment.end > 0)
        status = write_places(copy, copy->moment.end);
    if (status == EDB_OK && copy->moment.end > 0)
        status = write_keys(copy);
    copy->catalog.spaces[space->id - 1] = db_catalog_space(space);
    copy->catalog.spaces[space->id - 1].live = rows_live_count(&copy->moment.live);
    copy->catalog.spaces[space->id - 1].first_expiry_s = copy->first_expiry_s;
    rows_writer_close(&copy->places);
    db_moment_close(&copy->moment);
    return status == EDB_NOT_FOUND
               ? fail(EDB_CORRUPT, "a row of space '%s' is lost", space->spec.name)
               : status;
}

static edb_status write_catalog(struct db_copy *copy)
{
    struct db_catalog_draft draft;
    const struct store_position *end = &copy->target->end;
    struct catalog *catalog = &copy->catalog;
    catalog->position = end->offset;
    catalog->chain = end->chain;
    catalog->sequence = end->sequence;
    edb_status status = db_catalog_lay_out(catalog, store_append_offset(copy->target), &draft);
    if (status == EDB_OK)
        status = append(copy, &draft.frame, 1);
    memory_free(draft.payload);
    return status;
}

static edb_status begin(struct db_copy *copy)
{
    uint32_t spaces = copy->source->space_count;
    struct store_position first = store_first_position(copy->target);
    store_rewind(copy->target, &first);
    atomic_store(&copy->target->synced_to, FIRST_FRAME_OFFSET);
    copy->changes = memory_zeroed(BATCH_ROWS, sizeof *copy->changes);
    copy->catalog.spaces = memory_zeroed(spaces + 1, sizeof *copy->catalog.spaces);
    copy->catalog.space_count = spaces;
    return copy->changes != NULL && copy->catalog.spaces != NULL
               ? EDB_OK
               : memory_failed(BATCH_ROWS * sizeof *copy->changes);
}

edb_status db_copy_all(struct db_copy *copy)
{
    edb_status status = begin(copy);
    for (uint32_t i = 0; i < copy->source->space_count && status == EDB_OK; i++)
        status = copy_space(copy, copy->source->spaces[i]);
    return status == EDB_OK ? write_catalog(copy) : status;
}

void db_copy_close(struct db_copy *copy)
{
    rows_writer_close(&copy->places);
    db_moment_close(&copy->moment);
    catalog_close(&copy->catalog);
    memory_free(copy->changes);
    memset(copy, 0, sizeof *copy);
}

/* ------------------------------------------------------------------------------ what came later */

static edb_status check_source(const struct db_copy *copy, const struct store_frame *frame,
                               const struct group *group, uint32_t index,
                               const struct record *record)
{
    uint64_t seed = copy->source->store->genesis.chain_seed;
    bool whole = record_verify(frame->bytes, group, index, record, seed) &&
                 (record->operation != RECORD_PUT ||
                  record_vector_checksum(frame->bytes + record->vector_offset, record->vector_bytes,
                                         record->row, seed) == record->vector_checksum);
    return whole ? EDB_OK
                 : fail(EDB_CORRUPT, "record %u of the group at %llu is damaged", index,
                        (unsigned long long)frame->header.offset);
}

/* The records of a GROUP as changes. */
static edb_status take_group(struct db_copy *copy, const struct store_frame *frame,
                             const edb_space *space, const struct group *group)
{
    size_t needed = group->count > BATCH_ROWS ? group->count : BATCH_ROWS;
    struct db_change *grown = memory_resize(copy->changes, needed, sizeof *grown);
    if (grown == NULL)
        return memory_failed(needed * sizeof *grown);
    copy->changes = grown;
    for (uint32_t i = 0; i < group->count; i++) {
        struct record record;
        edb_status status = record_decode(frame->bytes, group, i, &record);
        if (status == EDB_OK &&
            (record.operation < RECORD_PUT || record.operation > RECORD_ADVANCE))
            continue; /* nothing in it was checked; a reader passes it over, too */
        if (status == EDB_OK)
            status = check_source(copy, frame, group, i, &record);
        if (status != EDB_OK)
            return status;
        copy->changes[copy->count++] = db_change_of(space, frame->bytes, group, &record);
    }
    return EDB_OK;
}

/* A GROUP of the source becomes one of the target, with its part in the same transaction. */
static edb_status copy_frame(void *arg, const struct store_frame *frame)
{
    struct db_copy *copy = arg;
    struct group group;
    struct db_run run = {0};
    const uint16_t kept = FRAME_BEGIN | FRAME_COMMIT;
    if (frame->header.type != FRAME_GROUP)
        return EDB_OK;
    edb_status status = group_decode(frame->bytes + FRAME_HEADER_BYTES, frame->header.payload_bytes,
                                     frame->header.frame_bytes, &group);
    edb_space space = {.id = group.space};
    copy->count = 0;
    if (status == EDB_OK)
        status = take_group(copy, frame, &space, &group);
    if (status == EDB_OK)
        status = db_run_lay_out(copy->target, 0, copy->changes, copy->count, &run);
    if (status == EDB_OK && run.count != 1)
        status = fail(EDB_CORRUPT, "the group at %llu cannot be copied as one",
                      (unsigned long long)frame->header.offset);
    if (status == EDB_OK) {
        run.drafts[0].flags =
            (uint16_t)((run.drafts[0].flags & ~kept) | (frame->header.flags & kept));
        status = append(copy, run.drafts, 1);
    }
    db_run_close(&run);
    copy->count = 0;
    return status == EDB_OK ? copy->pace(copy->arg, group.count, frame->header.frame_bytes)
                            : status;
}

edb_status db_copy_later(struct db_copy *copy)
{
    return store_walk(copy->source->store, &whole_walk, copy_frame, copy);
}

edb_status db_copy_sync(struct db_copy *copy)
{
    bool appended;
    struct store *target = copy->target;
    edb_status status = store_seal(target, &appended);
    if (status == EDB_OK && appended)
        status = store_walk(target, &whole_walk, note_frame, copy);
    if (status == EDB_OK)
        status = store_sync(target);
    if (status == EDB_OK && store_slot_due(target))
        status = store_slot_write(target);
    return status;
}

/* ------------------------------------------------------------------------------------- how much */

/* Bytes that the live rows of a space will take: some of them, all over the space, stand for
 * all. */
static edb_status estimate_space(edb_space *space, uint64_t *bytes)
{
    struct db_moment moment;
    uint64_t sampled = 0;
    uint64_t count = 0;
    edb_status status = db_moment_open(space, &moment);
    size_t step = moment.live.count / SAMPLE_ROWS + 1;
    for (size_t i = 0; i < moment.live.count && status == EDB_OK; i += step) {
        struct db_found found;
        struct group group;
        struct record record;
        const struct rows_word *word = &moment.live.words[i];
        uint64_t row = word->first + (uint64_t)__builtin_ctzll(word->bits);
        status = db_moment_locate(&moment, row, &found);
        if (status == EDB_OK)
            status = db_read_record(space, &found, &group, &record);
        if (status == EDB_OK)
            sampled +=
                RECORD_BYTES + INDEX_BYTES + record_heap_bytes(&record) + record.vector_bytes;
        count++;
    }
    db_moment_close(&moment);
    if (count > 0)
        *bytes += (uint64_t)((double)sampled / (double)count * (double)space->live);
    return status;
}

struct estimate {
    edb *source;
    uint64_t bytes;
};

static edb_status estimate_all(struct estimate *estimate)
{
    edb *source = estimate->source;
    edb_status status = EDB_OK;
    estimate->bytes = FIRST_FRAME_OFFSET + PAGE_BYTES;
    for (uint32_t i = 0; i < source->space_count && status == EDB_OK; i++)
        status = estimate_space(source->spaces[i], &estimate->bytes);
    return status;
}

edb_status db_copy_estimate(edb *source, uint64_t *bytes_out)
{
    struct estimate estimate = {.source = source};
    edb_status status = estimate_all(&estimate);
    *bytes_out = estimate.bytes;
    return status;
}
