/* What was committed while a cache was copied: it follows, transaction by transaction, as it stands
 * there. Called by db_compact. */
#include "base/checked.h"
#include "db/db_copy.h"
#include "db/db_group.h"

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

/* A GROUP of the source on its way. A large one becomes several of the same transaction: the memory
 * that it takes is bounded. */
struct passage {
    struct db_copy *copy;
    const struct store_frame *frame;
    struct group group;
    edb_space space;
    uint32_t next; /* record */
    bool begun;    /* a GROUP of the target has its BEGIN, if it had one */
};

/* The next records as changes. One whose operation is not known is passed over, unread: nothing in
 * it was checked, and a reader does the same. */
static edb_status take_records(struct passage *passage)
{
    struct db_copy *copy = passage->copy;
    const uint8_t *bytes = passage->frame->bytes;
    const struct group *group = &passage->group;
    copy->count = 0;
    copy->batch_bytes = 0;
    for (; passage->next < group->count && copy->count < DB_COPY_BATCH_ROWS &&
           copy->batch_bytes < DB_COPY_BATCH_BYTES;
         passage->next++) {
        struct record record;
        edb_status status = record_decode(bytes, group, passage->next, &record);
        if (status == EDB_OK && (record.operation < RECORD_PUT || record.operation > RECORD_LIMITS))
            continue;
        if (status == EDB_OK)
            status = check_source(copy, passage->frame, group, passage->next, &record);
        if (status != EDB_OK)
            return status;
        copy->changes[copy->count++] = db_change_of(&passage->space, bytes, group, &record);
        copy->batch_bytes += record_heap_bytes(&record) + record.vector_bytes;
    }
    return EDB_OK;
}

/* The flags of the source's GROUP, which may begin and end a transaction, or neither, and may leave
 * rows out. */
static uint16_t flags_of(struct passage *passage, uint16_t flags)
{
    uint16_t kept = passage->frame->header.flags & (FRAME_BEGIN | FRAME_COMMIT | FRAME_GAPS);
    if (passage->begun)
        kept &= (uint16_t)~FRAME_BEGIN;
    if (passage->next < passage->group.count)
        kept &= (uint16_t)~FRAME_COMMIT;
    passage->begun = true;
    return (uint16_t)((flags & ~(FRAME_BEGIN | FRAME_COMMIT)) | kept);
}

/* A GROUP without records: where none is known to this library it may still begin or end a
 * transaction. */
static edb_status pass_none(struct passage *passage)
{
    struct db_copy *copy = passage->copy;
    uint8_t preamble[GROUP_PREAMBLE_BYTES];
    const struct group group = {.space = passage->group.space, .entry_bytes = RECORD_BYTES};
    struct frame_piece piece = {FRAME_HEADER_BYTES, preamble, sizeof preamble};
    struct frame_draft draft = {.type = FRAME_GROUP,
                                .flags = flags_of(passage, FRAME_CRITICAL),
                                .offset = store_append_offset(copy->target),
                                .frame_bytes =
                                    round_up(FRAME_HEADER_BYTES + sizeof preamble, FRAME_ALIGN),
                                .payload_bytes = sizeof preamble,
                                .payload = preamble,
                                .pieces = &piece,
                                .piece_count = 1};
    group_encode(&group, preamble);
    return db_copy_append(copy, &draft, 1);
}

static edb_status pass_some(struct passage *passage)
{
    struct db_copy *copy = passage->copy;
    struct db_run run = {0};
    edb_status status = db_run_lay_out(copy->target, 0, copy->changes, copy->count, &run);
    if (status == EDB_OK && run.count != 1)
        status = fail(EDB_CORRUPT, "the group at %llu cannot be copied",
                      (unsigned long long)passage->frame->header.offset);
    if (status == EDB_OK) {
        run.drafts[0].flags = flags_of(passage, run.drafts[0].flags);
        status = db_copy_append(copy, run.drafts, 1);
    }
    db_run_close(&run);
    copy->rows += copy->count;
    copy->count = 0;
    return status;
}

static edb_status pass_records(struct passage *passage)
{
    edb_status status = take_records(passage);
    if (status != EDB_OK)
        return status;
    return passage->copy->count > 0 ? pass_some(passage) : pass_none(passage);
}

/* Counts and uses go along, but not at any price. */
static edb_status copy_note(struct db_copy *copy, const struct store_frame *frame)
{
    const uint8_t *payload = frame->bytes + FRAME_HEADER_BYTES;
    struct frame_piece piece = {FRAME_HEADER_BYTES, payload, frame->header.payload_bytes};
    struct frame_draft draft = {.type = FRAME_NOTE,
                                .offset = store_append_offset(copy->target),
                                .frame_bytes = frame->header.frame_bytes,
                                .payload_bytes = frame->header.payload_bytes,
                                .payload = payload,
                                .pieces = &piece,
                                .piece_count = 1};
    if (!store_payload_verifies(copy->source->store, frame))
        return EDB_OK;
    return db_copy_append(copy, &draft, 1);
}

static edb_status copy_frame(void *arg, const struct store_frame *frame)
{
    struct passage passage = {.copy = arg, .frame = frame};
    if (frame->header.type == FRAME_NOTE)
        return copy_note(arg, frame);
    if (frame->header.type != FRAME_GROUP)
        return EDB_OK;
    edb_status status = group_decode(frame->bytes + FRAME_HEADER_BYTES, frame->header.payload_bytes,
                                     frame->header.frame_bytes, &passage.group);
    passage.space.id = passage.group.space;
    do {
        if (status == EDB_OK)
            status = pass_records(&passage);
    } while (status == EDB_OK && passage.next < passage.group.count);
    return status;
}

/* One frame at a time. */
edb_status db_copy_later(struct db_copy *copy, uint64_t bytes)
{
    struct store *source = copy->source->store;
    uint64_t from = source->end.offset;
    for (;;) {
        uint64_t sequence = source->end.sequence;
        struct store_limits limits = {.deep_from = UINT64_MAX, .stop_at = sequence + 1};
        edb_status status = store_walk(source, &limits, copy_frame, copy);
        if (status != EDB_OK || source->end.sequence == sequence ||
            source->end.offset - from >= bytes)
            return status;
    }
}

edb_status db_copy_sync(struct db_copy *copy)
{
    bool appended;
    struct store *target = copy->target;
    edb_status status = store_seal(target, &appended);
    if (status == EDB_OK && appended)
        status = db_copy_walk(copy);
    if (status == EDB_OK)
        status = store_sync(target);
    if (status == EDB_OK && store_slot_due(target))
        status = store_slot_write(target);
    copy->announced = target->end.offset;
    copy->unsynced = 0;
    return status;
}
