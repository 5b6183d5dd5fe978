/* From planned changes to frames. Called by whoever appends records: commits, spaces, limits,
 * evictions, compactions, repairs. The vectors are not copied: the frame's pieces point to where
 * the caller has them, neighbours in memory become one piece. Where the machine's floats are not
 * the file's, vectors of the caller are turned into a block first. */
#include "db/db_group.h"

#include <string.h>

#include "base/checked.h"
#include "base/memory.h"
#include "codec/codec_vector.h"

/* What goes into one frame at most, so that with its header and gaps it stays below
 * FRAME_BYTES_MAX. One record can be larger than this (32 MiB of value, 16 MiB of text, 5 MiB of
 * metadata): it then gets a frame of its own. */
static const uint64_t group_bytes_max = 48u << 20;

/* One GROUP in the making: changes[first, last) of one space, skipping those of others. */
struct span_of_changes {
    struct db_change *changes;
    size_t first;
    size_t last;
    uint32_t space; /* its id */
    bool on_page;   /* the vector block starts on a page, however small it is */
    uint32_t count;
    uint64_t heap_bytes;
    uint64_t block_bytes;
};

static bool belongs(const struct db_change *change, uint32_t space)
{
    return change->space->id == space && (change->operation == RECORD_PUT || change->found);
}

static uint64_t heap_bytes_of(const struct db_change *change)
{
    uint64_t text = change->has_text ? (uint64_t)change->text_bytes + 1 : 0;
    return change->key.count + text + change->metadata_bytes;
}

/* Takes changes from span->first on as long as they fit into one frame. */
static void measure(struct span_of_changes *span, size_t count)
{
    size_t i = span->first;
    for (; i < count; i++) {
        const struct db_change *change = &span->changes[i];
        if (!belongs(change, span->space))
            continue;
        uint64_t heap = heap_bytes_of(change);
        uint64_t directory = ((uint64_t)span->count + 1) * RECORD_BYTES;
        uint64_t total =
            directory + span->heap_bytes + heap + span->block_bytes + change->vector_bytes;
        if (span->count > 0 && total > group_bytes_max)
            break;
        span->count++;
        span->heap_bytes += heap;
        span->block_bytes += change->operation == RECORD_PUT ? change->vector_bytes : 0;
    }
    span->last = i;
}

static edb_status grow_run(struct db_run *run)
{
    if (run->count < run->capacity)
        return EDB_OK;
    size_t capacity = run->capacity ? 2 * run->capacity : 4;
    struct frame_draft *drafts = memory_resize(run->drafts, capacity, sizeof *drafts);
    if (drafts != NULL)
        run->drafts = drafts;
    struct db_group_draft *groups = memory_resize(run->groups, capacity, sizeof *groups);
    if (groups != NULL)
        run->groups = groups;
    if (drafts == NULL || groups == NULL)
        return memory_failed(capacity * sizeof *drafts);
    run->capacity = capacity;
    return EDB_OK;
}

/* Copies key, text and metadata of a change into the heap. */
static void fill_heap(const struct db_change *change, uint8_t *at)
{
    memcpy(at, db_key_bytes(&change->key), change->key.count);
    at += change->key.count;
    if (change->has_text) {
        if (change->text_bytes > 0)
            memcpy(at, change->text, change->text_bytes);
        at[change->text_bytes] = '\0';
        at += change->text_bytes + 1;
    }
    if (change->metadata_bytes > 0)
        memcpy(at, change->metadata, change->metadata_bytes);
}

/* The vector as it will stand in the file: where the caller has it, or turned, `at` bytes into the
 * block. */
static const uint8_t *stored_vector(const struct db_change *change, uint8_t *turned, uint64_t at)
{
    if (CODEC_VECTOR_IN_PLACE || change->is_stored || change->space->spec.dims == 0)
        return change->vector;
    codec_vector_copy(change->vector, change->vector_bytes / sizeof(float), turned + at);
    return turned + at;
}

static struct record describe(const struct db_change *change, const uint8_t *vector,
                              uint32_t heap_offset, uint32_t vector_offset, uint64_t chain_seed)
{
    bool put = change->operation == RECORD_PUT;
    struct record record = {
        .operation = change->operation,
        .flags = (uint8_t)(RECORD_CRITICAL | (change->has_text ? RECORD_TEXT : 0) |
                           (change->metadata_bytes > 0 ? RECORD_METADATA : 0) |
                           (change->pinned ? RECORD_PINNED : 0) |
                           (change->evicted ? RECORD_EVICTED : 0)),
        .key_form = change->key.form,
        .key_bytes = (uint32_t)change->key.count,
        .key_hash = change->key.hash,
        .row = change->row,
        .prior_row = change->prior_row,
        .heap_offset = heap_offset,
        .text_bytes = (uint32_t)change->text_bytes,
        .metadata_bytes = (uint32_t)change->metadata_bytes,
        .expiry_s = change->expiry_s,
        .put_s = change->put_s,
        .cost = change->cost,
    };
    if (put) {
        record.vector_bytes = (uint32_t)change->vector_bytes;
        record.vector_offset = vector_offset;
        record.vector_checksum =
            record_vector_checksum(vector, change->vector_bytes, change->row, chain_seed);
    }
    return record;
}

/* Adds a vector as a piece of its own, or to the piece before when it is its neighbour in
 * memory. */
static void add_vector(struct frame_draft *draft, const uint8_t *vector, size_t bytes,
                       uint64_t offset)
{
    if (bytes == 0)
        return;
    struct frame_piece *before = &draft->pieces[draft->piece_count - 1];
    if (draft->piece_count > 1 && (const uint8_t *)before->bytes + before->count == vector &&
        before->offset + before->count == offset) {
        before->count += bytes;
        return;
    }
    draft->pieces[draft->piece_count++] = (struct frame_piece){offset, vector, bytes};
}

static void encode_records(const struct span_of_changes *span, const struct group *group,
                           uint64_t chain_seed, struct frame_draft *draft,
                           const struct db_group_draft *memory)
{
    uint8_t *payload = memory->payload;
    uint8_t *entry = payload + GROUP_PREAMBLE_BYTES;
    uint8_t *heap = entry + (size_t)group->count * RECORD_BYTES;
    uint64_t heap_offset = 0;
    uint64_t vector_offset = group->block_offset;
    for (size_t i = span->first; i < span->last; i++) {
        const struct db_change *change = &span->changes[i];
        if (!belongs(change, span->space))
            continue;
        const uint8_t *vector =
            stored_vector(change, memory->turned, vector_offset - group->block_offset);
        struct record record =
            describe(change, vector, (uint32_t)heap_offset, (uint32_t)vector_offset, chain_seed);
        fill_heap(change, heap + heap_offset);
        record_encode(&record, heap + heap_offset, chain_seed, entry);
        entry += RECORD_BYTES;
        heap_offset += heap_bytes_of(change);
        if (change->operation == RECORD_PUT) {
            add_vector(draft, vector, change->vector_bytes, vector_offset);
            vector_offset += change->vector_bytes;
        }
    }
}

/* Where the vector block stands in a frame at file offset `at`. */
static uint64_t block_offset(uint64_t at, uint64_t payload_bytes,
                             const struct span_of_changes *span)
{
    bool on_page = span->on_page || span->block_bytes >= BLOCK_ALIGNED_BYTES;
    uint64_t unit = on_page ? PAGE_BYTES : FRAME_ALIGN;
    return round_up(at + FRAME_HEADER_BYTES + payload_bytes, unit) - at;
}

static edb_status add_group(const struct store *store, struct db_run *run,
                            const struct span_of_changes *span, uint64_t at)
{
    uint64_t payload_bytes =
        GROUP_PREAMBLE_BYTES + (uint64_t)span->count * RECORD_BYTES + span->heap_bytes;
    struct group group = {.space = span->space,
                          .count = span->count,
                          .entry_bytes = RECORD_BYTES,
                          .heap_bytes = (uint32_t)span->heap_bytes,
                          .block_bytes = (uint32_t)span->block_bytes};
    if (span->block_bytes > 0)
        group.block_offset = (uint32_t)block_offset(at, payload_bytes, span);
    edb_status status = grow_run(run);
    if (status != EDB_OK)
        return status;
    uint8_t *payload = memory_aligned(payload_bytes);
    struct frame_piece *pieces = memory_zeroed((size_t)span->count + 1, sizeof *pieces);
    uint8_t *turned = CODEC_VECTOR_IN_PLACE ? NULL : memory_aligned(span->block_bytes);
    struct db_group_draft *memory = &run->groups[run->count];
    *memory = (struct db_group_draft){payload, pieces, turned};
    struct frame_draft *draft = &run->drafts[run->count++];
    if (payload == NULL || pieces == NULL || (!CODEC_VECTOR_IN_PLACE && turned == NULL))
        return memory_failed(payload_bytes);
    uint64_t end = span->block_bytes > 0 ? group.block_offset + span->block_bytes
                                         : FRAME_HEADER_BYTES + payload_bytes;
    *draft = (struct frame_draft){.type = FRAME_GROUP,
                                  .flags = FRAME_CRITICAL,
                                  .offset = at,
                                  .frame_bytes = round_up(end, FRAME_ALIGN),
                                  .payload_bytes = payload_bytes,
                                  .payload = payload,
                                  .pieces = pieces,
                                  .piece_count = 1};
    pieces[0] = (struct frame_piece){FRAME_HEADER_BYTES, payload, payload_bytes};
    group_encode(&group, payload);
    encode_records(span, &group, store->genesis.chain_seed, draft, memory);
    return EDB_OK;
}

static uint64_t run_end(const struct store *store, const struct db_run *run)
{
    if (run->count == 0)
        return store_append_offset(store);
    return run->drafts[run->count - 1].offset + run->drafts[run->count - 1].frame_bytes;
}

/* `whole` is what it is about: its changes, the space, where its vectors are to stand. */
static edb_status lay_out_space(const struct store *store, const struct span_of_changes *whole,
                                struct db_run *run)
{
    edb_status status = EDB_OK;
    for (size_t first = whole->first; first < whole->last && status == EDB_OK;) {
        struct span_of_changes span = *whole;
        span.first = first;
        measure(&span, whole->last);
        if (span.count == 0)
            break;
        status = add_group(store, run, &span, run_end(store, run));
        first = span.last;
    }
    return status;
}

/* The whole run is a transaction. */
static void mark_ends(struct db_run *run)
{
    if (run->count == 0)
        return;
    run->drafts[0].flags |= FRAME_BEGIN;
    run->drafts[run->count - 1].flags |= FRAME_COMMIT;
}

edb_status db_run_lay_out(const struct store *store, uint32_t spaces, struct db_change *changes,
                          size_t count, struct db_run *run_out)
{
    struct span_of_changes whole = {.changes = changes, .last = count};
    memset(run_out, 0, sizeof *run_out);
    edb_status status = EDB_OK;
    bool single = count > 0;
    for (size_t i = 1; i < count && single; i++)
        single = changes[i].space == changes[0].space;
    uint32_t first = single ? changes[0].space->id : 1;
    uint32_t last = single ? first : spaces;
    for (whole.space = first; whole.space <= last && status == EDB_OK; whole.space++)
        status = lay_out_space(store, &whole, run_out);
    if (status == EDB_OK)
        mark_ends(run_out);
    return status;
}

edb_status db_run_lay_out_on_pages(const struct store *store, struct db_change *changes,
                                   size_t count, struct db_run *run_out)
{
    struct span_of_changes whole = {
        .changes = changes, .last = count, .space = changes[0].space->id, .on_page = true};
    memset(run_out, 0, sizeof *run_out);
    edb_status status = lay_out_space(store, &whole, run_out);
    if (status == EDB_OK)
        mark_ends(run_out);
    return status;
}

/* One GROUP with one record, whose content stands where a key would. */
static edb_status lay_out_content(const struct store *store, uint32_t space_id, uint8_t operation,
                                  const uint8_t *content, size_t bytes, struct db_run *run_out)
{
    edb_space space = {.id = space_id};
    struct db_change change = {.space = &space,
                               .operation = operation,
                               .found = true,
                               .key = {.bytes = content, .count = bytes},
                               .prior_row = ROW_NONE};
    return db_run_lay_out(store, space_id, &change, 1, run_out);
}

edb_status db_run_define_space(const struct store *store, uint32_t id, const struct spec *spec,
                               struct db_run *run_out)
{
    uint8_t encoded[SPEC_BYTES_MAX];
    size_t bytes = spec_encode(spec, encoded);
    return lay_out_content(store, id, RECORD_SPACE, encoded, bytes, run_out);
}

edb_status db_run_set_limits(const struct store *store, uint32_t space, const struct limits *limits,
                             struct db_run *run_out)
{
    uint8_t encoded[LIMITS_BYTES];
    limits_encode(limits, encoded);
    return lay_out_content(store, space, RECORD_LIMITS, encoded, sizeof encoded, run_out);
}

struct db_change db_change_of(const edb_space *space, const uint8_t *frame,
                              const struct group *group, const struct record *record)
{
    const uint8_t *key = record_key(frame, group, record);
    struct db_change change = {
        .space = (edb_space *)space,
        .operation = record->operation,
        .found = true,
        .has_text = record->flags & RECORD_TEXT,
        .key = {.bytes = key,
                .count = record->key_bytes,
                .form = record->key_form,
                .hash = record->key_hash},
        .text = (const char *)record_text(frame, group, record),
        .text_bytes = record->text_bytes,
        .metadata = key + record_heap_bytes(record) - record->metadata_bytes,
        .metadata_bytes = record->metadata_bytes,
        .pinned = (record->flags & RECORD_PINNED) != 0,
        .evicted = (record->flags & RECORD_EVICTED) != 0,
        .expiry_s = record->expiry_s,
        .put_s = record->put_s,
        .cost = record->cost,
        .vector = frame + record->vector_offset,
        .vector_bytes = record->vector_bytes,
        .is_stored = true,
        .row = record->row,
        .prior_row = record->prior_row,
    };
    return change;
}

void db_run_close(struct db_run *run)
{
    for (size_t i = 0; i < run->count; i++) {
        memory_free(run->groups[i].payload);
        memory_free(run->groups[i].pieces);
        memory_free(run->groups[i].turned);
    }
    memory_free(run->drafts);
    memory_free(run->groups);
    memset(run, 0, sizeof *run);
}
