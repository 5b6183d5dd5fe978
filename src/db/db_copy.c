/* Writing a cache anew, a piece at a time. Called by db_compact.
 *
 *   1 db_copy_survey    which rows are live
 *   2 fill_batch        the next of them, each record verified: changes that lead into the source
 *   3 write_batch       some megabytes of changes become a GROUP of the target
 *   4 note_frame        the walk reads it back; where its records stand goes into ROWS
 *   5 copy_keys         KEYS, out of the source's, for hashes and row numbers are the same
 *
 * What was committed later is copied by db_copy_later.c. Blocks of vectors are whole pages where
 * that is possible, so that a space whose vectors stand in many GROUPs can be mapped as one
 * matrix. */
#include "db/db_copy.h"

#include <string.h>

#include "base/checked.h"
#include "base/memory.h"
#include "db/db_budget.h"
#include "db/db_group.h"
#include "db/db_publish.h"

static const size_t section_entries = 1u << 18; /* of a ROWS section: 8 MiB, twice for a while */
static const uint64_t keys_entries = 1u << 27;  /* of a KEYS section: 1.7 GiB */
static const size_t keys_part_bytes = 1u << 20;
static const size_t survey_words = 1u << 15; /* of 64 rows, at a time */
static const uint64_t sync_bytes = 8u << 20; /* that wait for a sync at most */

enum {
    GAP_ROWS = 1 << 24, /* that are worth a section's end */
    SET_BYTES = 16,     /* of the words and groups of ROWS */
};

static const struct store_limits whole_walk = {.deep_from = UINT64_MAX};

static edb_space *space_of(const struct db_copy *copy)
{
    return copy->source->spaces[copy->space];
}

/* ------------------------------------------------------------------------------------ appending */

/* Adds up what the catalog will say of the rows of the space at hand. */
static void add_up(struct db_copy *copy, const struct row_place *place)
{
    db_account_add(&copy->account, place);
    if (place->expiry_s != 0 &&
        (copy->first_expiry_s == 0 || place->expiry_s < copy->first_expiry_s))
        copy->first_expiry_s = place->expiry_s;
}

/* Whether what is written now came later: no section speaks of it. */
static bool is_later(const struct db_copy *copy)
{
    return copy->space == copy->source->space_count;
}

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
    if (frame->header.type != FRAME_GROUP || is_later(copy))
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
        add_up(copy, &place);
    }
    return status;
}

edb_status db_copy_walk(struct db_copy *copy)
{
    return store_walk(copy->target, &whole_walk, note_frame, copy);
}

static void note_written(struct db_copy *copy, uint64_t bytes)
{
    copy->bytes += bytes;
    copy->unsynced += bytes;
}

/* Of a frame, what was written before it was appended. */
static uint64_t bytes_ahead(const struct frame_draft *draft)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < draft->piece_count; i++)
        bytes += draft->pieces[i].bytes == NULL ? draft->pieces[i].count : 0;
    return bytes;
}

/* The file is to be as long as it needs to be: it reserves no more from time to time, as a session
 * does that writes on. */
static void reserve_little(struct db_copy *copy)
{
    copy->target->writer.reserve_step = 0;
}

edb_status db_copy_append(struct db_copy *copy, struct frame_draft *drafts, size_t count)
{
    uint64_t expected = copy->target->end.sequence + count;
    reserve_little(copy);
    edb_status status = store_append(copy->target, drafts, count, false);
    if (status == EDB_OK)
        status = db_copy_walk(copy);
    if (status == EDB_OK && copy->target->end.sequence != expected)
        return fail(EDB_IO, "%s: what was appended does not read back", copy->target->path);
    for (size_t i = 0; i < count; i++)
        note_written(copy, drafts[i].frame_bytes - bytes_ahead(&drafts[i]));
    return status;
}

static void describe_section(const struct db_copy *copy, struct section_descriptor *descriptor)
{
    descriptor->space = space_of(copy)->id;
    descriptor->from = FIRST_FRAME_OFFSET;
    descriptor->to = copy->target->end.offset;
}

static edb_status append_section(struct db_copy *copy, struct store_section_draft *draft)
{
    struct frame_draft frame;
    struct catalog *catalog = &copy->catalog;
    edb_status status = memory_reserve(&catalog->sections, &copy->sections,
                                       catalog->section_count + 1, sizeof *catalog->sections);
    if (status != EDB_OK)
        return status;
    struct catalog_section *entry = &catalog->sections[catalog->section_count];
    describe_section(copy, &draft->descriptor);
    status = store_section_draft_lay_out(draft, store_append_offset(copy->target),
                                         copy->target->genesis.chain_seed, &frame, entry);
    if (status != EDB_OK)
        return status;
    entry->sequence = copy->target->end.sequence;
    status = db_copy_append(copy, &frame, 1);
    catalog->section_count += status == EDB_OK;
    return status;
}

/* ----------------------------------------------------------------------------------- the survey */

/* A file is read where it is touched, a page at a time: what a survey of the space will touch is
 * asked for. */
static void ask_for_words(struct db_copy *copy, const edb_space *space)
{
    struct store *store = copy->source->store;
    for (size_t i = 0; i < space->rows.sections.count; i++) {
        const struct store_section *section = space->rows.sections.items[i];
        uint64_t entries = (uint64_t)section->descriptor.groups + section->descriptor.words;
        store->io->will_need(store->file, section->entry.offset,
                             section->descriptor.body_offset + entries * SET_BYTES);
    }
}

/* A step, as long as the view goes as far as it did at first. */
struct copying {
    struct db_copy *copy;
    db_step *step;
    void *arg;
};

static edb_status take_step(void *arg)
{
    const struct copying *copying = arg;
    const struct store *store = copying->copy->source->store;
    if (store->end.offset < copying->copy->source_end)
        return fail(EDB_CORRUPT, "%s is damaged: a compaction would lose what is behind the damage",
                    store->path);
    return copying->step(copying->arg);
}

edb_status db_copy_with_view(struct db_copy *copy, db_step *step, void *arg)
{
    struct copying copying = {copy, step, arg};
    return db_with_view(copy->source, take_step, &copying);
}

struct surveying {
    struct db_copy *copy;
    uint64_t row;
};

static edb_status survey_some(void *arg)
{
    struct surveying *surveying = arg;
    struct db_copy *copy = surveying->copy;
    const edb_space *space = copy->source->spaces[copy->surveyed];
    struct rows_live *live = &copy->live[copy->surveyed];
    size_t before = live->count;
    if (copy->row == 0)
        ask_for_words(copy, space);
    surveying->row = copy->row;
    edb_status status =
        rows_live_add(&space->rows, &surveying->row, space->next_row, survey_words, live);
    if (status == EDB_OK && db_may_expire(space))
        status = rows_drop_expired(&space->rows, copy->now_s, before, live);
    if (status != EDB_OK)
        live->count = before;
    return status;
}

edb_status db_copy_survey(struct db_copy *copy, bool *done_out)
{
    struct surveying surveying = {.copy = copy};
    *done_out = copy->surveyed == copy->source->space_count;
    if (copy->live == NULL) {
        copy->now_s = copy->source->store->io->calendar_s();
        copy->spaces = copy->source->space_count;
        copy->source_end = copy->source->store->end.offset;
        copy->live = memory_zeroed(copy->spaces + 1, sizeof *copy->live);
        if (copy->live == NULL)
            return memory_failed(sizeof *copy->live);
    }
    if (*done_out)
        return EDB_OK;
    edb_status status = db_copy_with_view(copy, survey_some, &surveying);
    copy->row = surveying.row;
    if (status == EDB_OK && copy->row == copy->source->spaces[copy->surveyed]->next_row) {
        copy->surveyed++;
        copy->row = 0;
    }
    return status;
}

/* The first live row from `row` on, of the space at hand; its next_row when there is none. Rows are
 * asked for in order. */
static uint64_t next_live(struct db_copy *copy, uint64_t row)
{
    uint64_t next = rows_live_next(&copy->live[copy->space], &copy->word, row);
    return next != ROW_NONE ? next : space_of(copy)->next_row;
}

/* ---------------------------------------------------------------------------------- the records */

/* Whether the vectors of the batch fill whole pages. */
static bool fills_pages(const struct db_copy *copy)
{
    uint64_t stride = 4u * space_of(copy)->spec.dims;
    return stride == 0 || copy->count * stride % PAGE_BYTES == 0;
}

static bool is_full(const struct db_copy *copy)
{
    return copy->count == DB_COPY_BATCH_ROWS || copy->batch_bytes >= 4 * DB_COPY_BATCH_BYTES ||
           (copy->batch_bytes >= DB_COPY_BATCH_BYTES && fills_pages(copy));
}

/* The GROUPs of a space are mapped one behind another (edb_vectors): all start on a page. Where
 * there is one only, it need not. */
static edb_status lay_out_batch(const struct db_copy *copy, struct db_run *run_out)
{
    bool is_only = copy->account.bytes == 0 && !is_full(copy);
    if (is_only || space_of(copy)->spec.dims == 0)
        return db_run_lay_out(copy->target, 0, copy->changes, copy->count, run_out);
    return db_run_lay_out_on_pages(copy->target, copy->changes, copy->count, run_out);
}

static edb_status write_batch(struct db_copy *copy)
{
    struct db_run run;
    if (copy->count == 0)
        return EDB_OK;
    edb_status status = lay_out_batch(copy, &run);
    for (size_t i = 0; i < run.count && status == EDB_OK; i++)
        run.drafts[i].flags |= FRAME_GAPS;
    if (status == EDB_OK)
        status = db_copy_append(copy, run.drafts, run.count);
    db_run_close(&run);
    if (status == EDB_OK && copy->changes[0].operation == RECORD_PUT)
        copy->rows += copy->count;
    copy->count = 0;
    return status;
}

static edb_status take_row(struct db_copy *copy, uint64_t row)
{
    struct db_found found;
    struct group group;
    struct record record;
    const uint8_t *vector;
    edb_space *space = space_of(copy);
    edb_status status = db_locate_any_row(space, row, &found);
    if (status != EDB_OK)
        return status;
    store_read_ahead(copy->source->store, found.place.frame, &copy->asked_to);
    status = db_vector(space, &found, &vector);
    if (status == EDB_OK)
        status = db_read_record(space, &found, &group, &record);
    if (status != EDB_OK)
        return status;
    record.prior_row = ROW_NONE;
    copy->changes[copy->count++] = db_change_of(space, found.frame, &group, &record);
    copy->batch_bytes += RECORD_BYTES + record_heap_bytes(&record) + record.vector_bytes;
    return EDB_OK;
}

/* The entries of the rows from `row` on are asked for. */
static void ask_for_places(struct db_copy *copy, uint64_t row)
{
    const struct store_section_list *sections = &space_of(copy)->rows.sections;
    while (copy->section < sections->count &&
           sections->items[copy->section]->descriptor.last <= row) {
        copy->section++;
        copy->places_asked_to = 0;
    }
    if (copy->section == sections->count)
        return;
    const struct store_section *section = sections->items[copy->section];
    const struct section_descriptor *rows = &section->descriptor;
    double done =
        row > rows->first ? (double)(row - rows->first) / (double)(rows->last - rows->first) : 0;
    uint64_t at = section->entry.offset + (uint64_t)(done * (double)section->entry.frame_bytes);
    store_read_ahead(copy->source->store, at, &copy->places_asked_to);
}

/* A batch, from copy->row on; with the view held still. */
struct filling {
    struct db_copy *copy;
    uint64_t next;
};

static edb_status fill_batch(void *arg)
{
    struct filling *filling = arg;
    struct db_copy *copy = filling->copy;
    copy->count = 0;
    copy->batch_bytes = 0;
    copy->word = copy->first_word;
    filling->next = copy->row;
    while (!is_full(copy)) {
        uint64_t row = next_live(copy, filling->next);
        bool far = copy->count > 0 && row - filling->next >= GAP_ROWS;
        filling->next = row;
        if (row == space_of(copy)->next_row || far)
            break;
        edb_status status = take_row(copy, row);
        if (status != EDB_OK)
            return status;
        filling->next = row + 1;
    }
    return EDB_OK;
}

/* -------------------------------------------------------------------------------------- a space */

static edb_status write_places(struct db_copy *copy, uint64_t last)
{
    struct store_section_draft draft = {0};
    edb_status status = rows_writer_finish(&copy->places, last, &draft);
    if (status == EDB_OK)
        status = append_section(copy, &draft);
    store_section_draft_close(&draft);
    copy->places.first = last;
    copy->places_last = last;
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

static edb_status copy_limits(struct db_copy *copy, uint32_t space, const struct limits *limits)
{
    struct db_run run;
    if (!db_any_limit(limits))
        return EDB_OK;
    edb_status status = db_run_set_limits(copy->target, space, limits, &run);
    if (status == EDB_OK)
        status = db_copy_append(copy, run.drafts, run.count);
    db_run_close(&run);
    return status;
}

static edb_status define_space(struct db_copy *copy)
{
    struct db_run run;
    const edb_space *space = space_of(copy);
    edb_status status = db_run_define_space(copy->target, space->id, &space->spec, &run);
    if (status == EDB_OK)
        status = db_copy_append(copy, run.drafts, run.count);
    db_run_close(&run);
    copy->first_expiry_s = 0;
    copy->account = (struct account){0};
    copy->part++;
    return status == EDB_OK ? copy_limits(copy, space->id, &space->limits) : status;
}

/* A batch of records, or the section of those before it. */
static edb_status copy_records(struct db_copy *copy)
{
    struct filling filling = {.copy = copy};
    uint64_t next = next_live(copy, copy->row);
    if (next == space_of(copy)->next_row) {
        copy->part++;
        return EDB_OK;
    }
    uint64_t last = section_end(copy, next);
    if (last > 0)
        return write_places(copy, last);
    copy->row = next;
    copy->first_word = copy->word;
    ask_for_places(copy, next);
    edb_status status = db_copy_with_view(copy, fill_batch, &filling);
    if (status == EDB_OK)
        status = write_batch(copy);
    copy->row = filling.next;
    return status;
}

/* The rows at the end that are gone have numbers that are not given again. */
static edb_status write_advance(struct db_copy *copy)
{
    edb_space *space = space_of(copy);
    const struct rows_live *live = &copy->live[copy->space];
    uint64_t next = space->next_row;
    const struct rows_word *last = live->count > 0 ? &live->words[live->count - 1] : NULL;
    if (last != NULL && last->first + 64 - (uint64_t)__builtin_clzll(last->bits) == next)
        return EDB_OK;
    copy->changes[0] = (struct db_change){.space = space,
                                          .operation = RECORD_ADVANCE,
                                          .found = true,
                                          .row = next,
                                          .prior_row = ROW_NONE};
    copy->count = 1;
    return write_batch(copy);
}

static edb_status finish_rows(struct db_copy *copy)
{
    edb_status status = EDB_OK;
    uint64_t next = space_of(copy)->next_row;
    if (next > 0)
        status = write_advance(copy);
    if (status == EDB_OK && next > 0)
        status = write_places(copy, next);
    copy->part++;
    copy->row = 0;
    copy->word = 0;
    return status;
}

/* ------------------------------------------------------------------------------------- the keys */

/* From copy->row on: as few sections as their length and row numbers of 32 bits allow. */
static edb_status begin_keys(struct db_copy *copy)
{
    const edb_space *space = space_of(copy);
    struct rows_live *live = &copy->live[copy->space];
    struct keys_builder *keys = &copy->keys;
    uint64_t entries = 0;
    size_t i = copy->word;
    for (; i < live->count && entries < keys_entries &&
           live->words[i].first - copy->row <= UINT32_MAX - ROWS_WORD_ROWS;
         i++)
        entries += (uint64_t)__builtin_popcountll(live->words[i].bits);
    *keys = (struct keys_builder){.keys = &space->keys,
                                  .first = copy->row,
                                  .last = i < live->count ? live->words[i].first : space->next_row,
                                  .keep = rows_live_keep,
                                  .arg = live};
    copy->word = i;
    edb_status status = keys_builder_open(keys, entries, keys_part_bytes);
    if (status != EDB_OK)
        return status;
    struct section_descriptor *descriptor = &copy->keys_draft.descriptor;
    describe_section(copy, descriptor);
    keys_builder_describe(keys, descriptor);
    return store_section_draft_begin(&copy->keys_draft, store_append_offset(copy->target));
}

struct key_part {
    struct keys_builder *keys;
    struct keys_part part;
};

static edb_status build_key_part(void *arg)
{
    struct key_part *next = arg;
    return keys_builder_next(next->keys, &next->part);
}

/* All sections are in the order of the tags: so much of the new one, so much of each. */
static void ask_for_keys(struct db_copy *copy)
{
    struct store *store = copy->source->store;
    const struct keys_builder *keys = &copy->keys;
    for (size_t i = 0; i < keys->keys->sections.count; i++) {
        const struct catalog_section *old = &keys->keys->sections.items[i]->entry;
        uint64_t bytes = old->frame_bytes / keys->parts + PAGE_BYTES;
        uint64_t at = old->frame_bytes / keys->parts * keys->built;
        store->io->will_need(store->file, old->offset + at, bytes);
    }
}

static edb_status write_key_part(struct db_copy *copy)
{
    struct key_part next = {.keys = &copy->keys};
    ask_for_keys(copy);
    reserve_little(copy);
    edb_status status = db_copy_with_view(copy, build_key_part, &next);
    if (status == EDB_OK && next.part.count > 0)
        status = store_section_draft_write(&copy->keys_draft, copy->target, next.part.at,
                                           next.part.bytes, next.part.count);
    note_written(copy, next.part.count);
    return status;
}

static edb_status end_keys(struct db_copy *copy)
{
    copy->row = copy->keys.last;
    edb_status status = append_section(copy, &copy->keys_draft);
    keys_builder_close(&copy->keys);
    store_section_draft_close(&copy->keys_draft);
    return status;
}

static edb_status copy_keys(struct db_copy *copy)
{
    edb_status status = EDB_OK;
    if (copy->row == space_of(copy)->next_row) {
        copy->part++;
        return EDB_OK;
    }
    if (copy->keys.keys == NULL)
        status = begin_keys(copy);
    if (status == EDB_OK)
        status = write_key_part(copy);
    return status == EDB_OK && keys_builder_is_done(&copy->keys) ? end_keys(copy) : status;
}

/* ------------------------------------------------------------------------------- piece by piece */

static edb_status begin(struct db_copy *copy)
{
    uint32_t spaces = copy->source->space_count;
    struct store_position first = store_first_position(copy->target);
    store_rewind(copy->target, &first);
    atomic_store(&copy->target->synced_to, FIRST_FRAME_OFFSET);
    copy->changes = memory_zeroed(DB_COPY_BATCH_ROWS, sizeof *copy->changes);
    copy->catalog.spaces = memory_zeroed(spaces + 1, sizeof *copy->catalog.spaces);
    copy->catalog.limits = copy->source->limits;
    if (copy->changes == NULL || copy->catalog.spaces == NULL)
        return memory_failed(DB_COPY_BATCH_ROWS * sizeof *copy->changes);
    return copy_limits(copy, 0, &copy->source->limits);
}

static void end_space(struct db_copy *copy)
{
    const edb_space *space = space_of(copy);
    struct catalog_space *entry = &copy->catalog.spaces[copy->catalog.space_count++];
    *entry = db_catalog_space(space);
    entry->live = rows_live_count(&copy->live[copy->space]);
    entry->first_expiry_s = copy->first_expiry_s;
    entry->account = copy->account;
    rows_writer_close(&copy->places);
    rows_live_close(&copy->live[copy->space]);
    copy->space++;
    copy->part = DB_COPY_DEFINITION;
    copy->places_last = 0;
    copy->section = 0;
    copy->asked_to = 0;
    copy->places_asked_to = 0;
    copy->row = 0;
    copy->word = 0;
}

static edb_status copy_part(struct db_copy *copy)
{
    static edb_status (*const parts[DB_COPY_PARTS])(struct db_copy *) = {define_space, copy_records,
                                                                         finish_rows, copy_keys};
    edb_status status = parts[copy->part](copy);
    if (status == EDB_NOT_FOUND)
        status = fail(EDB_CORRUPT, "a row of space '%s' is lost", space_of(copy)->spec.name);
    if (status == EDB_OK && copy->part == DB_COPY_PARTS)
        end_space(copy);
    return status;
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
        status = db_copy_append(copy, &draft.frame, 1);
    memory_free(draft.payload);
    return status;
}

/* The device begins with what was written, and is never far behind: nobody's sync, and not the last
 * one under the lock, finds much to do (19). */
static void announce(struct db_copy *copy)
{
    struct store *target = copy->target;
    uint64_t end = target->end.offset;
    if (end > copy->announced)
        target->io->will_sync(target->file, copy->announced, end - copy->announced);
    copy->announced = end;
}

static edb_status sync_behind(struct db_copy *copy)
{
    copy->unsynced = 0;
    return store_sync_file(copy->target);
}

/* A sync is a piece of its own. */
edb_status db_copy_next(struct db_copy *copy, bool *done_out)
{
    *done_out = false;
    edb_status status = copy->changes == NULL ? begin(copy) : EDB_OK;
    if (status != EDB_OK)
        return status;
    if (copy->unsynced >= sync_bytes)
        return sync_behind(copy);
    *done_out = is_later(copy);
    status = *done_out ? write_catalog(copy) : copy_part(copy);
    announce(copy);
    return status;
}

void db_copy_close(struct db_copy *copy)
{
    for (uint32_t i = 0; copy->live != NULL && i < copy->spaces; i++)
        rows_live_close(&copy->live[i]);
    memory_free(copy->live);
    rows_writer_close(&copy->places);
    keys_builder_close(&copy->keys);
    store_section_draft_close(&copy->keys_draft);
    catalog_close(&copy->catalog);
    memory_free(copy->changes);
    memset(copy, 0, sizeof *copy);
}
