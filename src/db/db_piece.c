/* Reading damaged GROUPs. Called by db_repair and db_verify. No byte is read that is not in the
 * file, whatever the preamble and the records say. */
#include "db/db_piece.h"

#include <string.h>

#include "base/checked.h"
#include "base/memory.h"

enum {
    BLOCK_SLACK = FRAME_ALIGN, /* bytes by which a frame may be longer than what it holds */
    SEARCH_SHARE = 8,          /* times a gap's bytes are hashed to find groups in it, at most */
};

static const uint64_t mend_bytes_max = 1ull << 30; /* that are hashed to mend one preamble */

/* ---------------------------------------------------------------------------------- the records */

edb_status db_piece_record(const struct db_piece *piece, uint32_t index, struct record *out,
                           enum db_piece_part *part_out)
{
    const struct group *group = &piece->group;
    uint64_t entry = group->entries_offset + (uint64_t)index * group->entry_bytes;
    *part_out = PIECE_LOST;
    memset(out, 0, sizeof *out);
    if (!range_within(entry, RECORD_BYTES, piece->there))
        return EDB_OK;
    record_peek(piece->bytes, group, index, out);
    uint64_t heap = group->heap_offset + out->heap_offset;
    if (!range_within(out->heap_offset, record_heap_bytes(out), group->heap_bytes) ||
        !range_within(heap, record_heap_bytes(out), piece->there) ||
        !record_verify(piece->bytes, group, index, out, piece->seed))
        return EDB_OK;
    edb_status status = record_decode(piece->bytes, group, index, out);
    if (status != EDB_OK)
        return status == EDB_FORMAT ? status : EDB_OK;
    bool good = out->operation != RECORD_PUT || piece->shallow ||
                (range_within(out->vector_offset, out->vector_bytes, piece->there) &&
                 record_vector_checksum(piece->bytes + out->vector_offset, out->vector_bytes,
                                        out->row, piece->seed) == out->vector_checksum);
    *part_out = good ? PIECE_WHOLE : PIECE_NO_VECTOR;
    return EDB_OK;
}

/* How many records verify, vectors aside. */
static uint32_t count_verified(struct db_piece *piece)
{
    uint32_t verified = 0;
    piece->shallow = true;
    for (uint32_t i = 0; i < piece->group.count; i++) {
        struct record record;
        enum db_piece_part part;
        if (db_piece_record(piece, i, &record, &part) == EDB_OK && part != PIECE_LOST)
            verified++;
    }
    piece->shallow = false;
    return verified;
}

/* --------------------------------------------------------------------------------- the preamble */

/* A preamble in the making: the right one makes the payload verify. */
struct mending {
    const struct frame_header *header;
    struct db_piece *piece;
    uint8_t *payload; /* a copy */
};

static bool try_preamble(const struct mending *m, const struct group *group)
{
    uint64_t bytes = m->header->payload_bytes;
    group_encode(group, m->payload);
    return frame_payload_checksum(m->payload, bytes, m->piece->seed) ==
               m->header->payload_checksum &&
           group_decode(m->payload, bytes, m->header->frame_bytes, &m->piece->group) == EDB_OK;
}

static uint64_t record_bytes(const struct mending *m)
{
    return m->header->payload_bytes - GROUP_PREAMBLE_BYTES;
}

static bool try_heap_bytes(const struct mending *m, struct group tried)
{
    tried.heap_bytes = (uint32_t)(record_bytes(m) - (uint64_t)tried.count * RECORD_BYTES);
    return try_preamble(m, &tried);
}

static bool try_count(const struct mending *m, struct group tried)
{
    tried.count = (uint32_t)((record_bytes(m) - tried.heap_bytes) / RECORD_BYTES);
    return try_preamble(m, &tried);
}

/* A block starts behind the payload, or on the page behind it. */
static bool try_block_offset(const struct mending *m, struct group tried)
{
    uint64_t at = m->header->offset;
    uint64_t end = at + FRAME_HEADER_BYTES + m->header->payload_bytes;
    tried.block_offset = (uint32_t)(round_up(end, FRAME_ALIGN) - at);
    if (try_preamble(m, &tried))
        return true;
    tried.block_offset = (uint32_t)(round_up(end, PAGE_BYTES) - at);
    return try_preamble(m, &tried);
}

static bool try_no_block(const struct mending *m, struct group tried)
{
    tried.block_offset = tried.block_bytes = 0;
    return try_preamble(m, &tried);
}

static bool try_block_bytes(const struct mending *m, struct group tried)
{
    uint64_t bytes = m->header->frame_bytes - tried.block_offset;
    for (uint64_t slack = 0; slack < BLOCK_SLACK; slack++) {
        tried.block_bytes = (uint32_t)(bytes - slack);
        if (try_preamble(m, &tried))
            return true;
    }
    return false;
}

/* One field at a time is taken for damaged, those that can have one value only all at once. */
static bool try_fields(const struct mending *m, const struct group *base)
{
    return try_preamble(m, base) || try_heap_bytes(m, *base) || try_count(m, *base) ||
           try_block_offset(m, *base) || try_no_block(m, *base) || try_block_bytes(m, *base);
}

static bool try_spaces(const struct mending *m, struct group base, uint32_t spaces)
{
    for (base.space = 1; base.space <= spaces; base.space++)
        if (try_preamble(m, &base))
            return true;
    return false;
}

/* With no space in question `spaces` is 0. */
static edb_status mend(struct db_piece *piece, const struct frame_header *header, uint32_t spaces)
{
    uint64_t bytes = header->payload_bytes;
    struct mending mending = {header, piece, NULL};
    struct group base = piece->group;
    if (bytes < GROUP_PREAMBLE_BYTES || FRAME_HEADER_BYTES + bytes > piece->there ||
        bytes * (spaces + BLOCK_SLACK) > mend_bytes_max)
        return EDB_OK;
    mending.payload = memory_aligned(bytes);
    if (mending.payload == NULL)
        return memory_failed(bytes);
    memcpy(mending.payload, piece->bytes + FRAME_HEADER_BYTES, bytes);
    base.entry_bytes = RECORD_BYTES;
    base.codec = 0;
    base.dictionary = 0;
    piece->whole = try_fields(&mending, &base) || try_spaces(&mending, base, spaces);
    piece->readable = piece->readable || piece->whole;
    memory_free(mending.payload);
    return EDB_OK;
}

/* ----------------------------------------------------------------------------------- the pieces */

static void begin_piece(struct store *store, uint64_t offset, uint64_t bytes, struct db_piece *out)
{
    uint64_t file_bytes = atomic_load(&store->file_bytes);
    memset(out, 0, sizeof *out);
    out->offset = offset;
    out->there = file_bytes - offset < bytes ? file_bytes - offset : bytes;
    out->seed = store->genesis.chain_seed;
    out->bytes = store_at(store, offset, out->there);
    if (out->bytes == NULL)
        out->there = 0;
}

edb_status db_piece_open(struct store *store, const struct frame_header *header, uint32_t spaces,
                         struct db_piece *out)
{
    begin_piece(store, header->offset, header->frame_bytes, out);
    if (out->there < FRAME_HEADER_BYTES + GROUP_PREAMBLE_BYTES)
        return EDB_OK;
    const uint8_t *payload = out->bytes + FRAME_HEADER_BYTES;
    edb_status status =
        group_decode(payload, header->payload_bytes, header->frame_bytes, &out->group);
    out->whole = FRAME_HEADER_BYTES + header->payload_bytes <= out->there &&
                 frame_payload_checksum(payload, header->payload_bytes, out->seed) ==
                     header->payload_checksum;
    out->intact = out->whole;
    out->readable = status == EDB_OK;
    if (out->whole)
        return status == EDB_FORMAT ? status : EDB_OK;
    /* Where every record verifies, the preamble is what does not. */
    struct group group = out->group;
    out->readable = status == EDB_OK && count_verified(out) < group.count;
    status = mend(out, header, out->readable ? 0 : spaces);
    if (!out->whole)
        out->group = group;
    return status;
}

/* Whether a preamble stands where it would, with a header before it. */
static bool decode_headless(struct store *store, uint64_t offset, uint64_t limit,
                            struct db_piece *out)
{
    uint64_t room = limit - offset < FRAME_BYTES_MAX ? limit - offset : FRAME_BYTES_MAX;
    begin_piece(store, offset, room, out);
    out->headless = true;
    if (out->there < FRAME_HEADER_BYTES + GROUP_PREAMBLE_BYTES)
        return false;
    const uint8_t *payload = out->bytes + FRAME_HEADER_BYTES;
    (void)group_decode(payload, out->there - FRAME_HEADER_BYTES, out->there, &out->group);
    uint64_t bytes = GROUP_PREAMBLE_BYTES + (uint64_t)out->group.count * out->group.entry_bytes +
                     out->group.heap_bytes;
    return out->group.entry_bytes >= RECORD_BYTES && bytes <= out->there - FRAME_HEADER_BYTES &&
           group_decode(payload, bytes, out->there, &out->group) == EDB_OK;
}

void db_piece_open_headless(struct store *store, uint64_t offset, uint64_t limit,
                            struct db_piece *out)
{
    out->readable = decode_headless(store, offset, limit, out) && count_verified(out) > 0;
}

/* As long as there is a budget of bytes to be hashed. */
static bool any_verifies(struct db_piece *piece, uint64_t *budget)
{
    bool found = false;
    piece->shallow = true;
    for (uint32_t i = 0; i<piece->group.count && * budget> 0 && !found; i++) {
        struct record record;
        enum db_piece_part part;
        found = db_piece_record(piece, i, &record, &part) == EDB_OK && part != PIECE_LOST;
        uint64_t heap = record_heap_bytes(&record);
        uint64_t cost = RECORD_BYTES + (heap <= piece->group.heap_bytes ? heap : 0);
        *budget -= cost < *budget ? cost : *budget;
    }
    return found;
}

static uint64_t end_of(const struct db_piece *piece)
{
    uint64_t heap_end = piece->group.heap_offset + piece->group.heap_bytes;
    uint64_t block_end = (uint64_t)piece->group.block_offset + piece->group.block_bytes;
    return piece->offset + round_up(heap_end > block_end ? heap_end : block_end, FRAME_ALIGN);
}

uint64_t db_piece_next_headless(struct store *store, uint64_t offset, uint64_t limit)
{
    struct db_piece piece;
    uint64_t budget = SEARCH_SHARE * (limit - offset);
    bool found = decode_headless(store, offset, limit, &piece) && any_verifies(&piece, &budget);
    uint64_t at = found ? end_of(&piece) : offset + FRAME_ALIGN;
    while (at < limit && budget > 0) {
        if (decode_headless(store, at, limit, &piece) && any_verifies(&piece, &budget))
            return at;
        at += FRAME_ALIGN;
    }
    return limit;
}

/* The index knows where the record's key stands, the record how far that is from the heap's start;
 * the heap begins behind the last record. */
void db_piece_open_placed(struct store *store, const struct row_place *place, uint32_t space,
                          uint64_t limit, struct db_piece *out)
{
    struct record record;
    struct group *group = &out->group;
    uint64_t room = limit - place->frame;
    begin_piece(store, place->frame, room < FRAME_BYTES_MAX ? room : FRAME_BYTES_MAX, out);
    out->headless = true;
    *group = (struct group){.space = space,
                            .entry_bytes = RECORD_BYTES,
                            .entries_offset = FRAME_HEADER_BYTES + GROUP_PREAMBLE_BYTES};
    uint64_t behind = group->entries_offset + ((uint64_t)place->index + 1) * RECORD_BYTES;
    if (behind > out->there)
        return;
    record_peek(out->bytes, group, place->index, &record);
    group->heap_offset = (uint64_t)place->key_offset - record.heap_offset;
    if (record.heap_offset > place->key_offset || group->heap_offset < behind ||
        group->heap_offset > out->there ||
        (group->heap_offset - group->entries_offset) % RECORD_BYTES != 0)
        return;
    group->count = (uint32_t)((group->heap_offset - group->entries_offset) / RECORD_BYTES);
    group->block_offset = (uint32_t)group->heap_offset;
    group->heap_bytes = group->block_bytes = (uint32_t)(out->there - group->heap_offset);
    out->readable = count_verified(out) > 0;
}
