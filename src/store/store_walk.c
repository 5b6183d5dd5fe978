/* The walk: from `end` on, frame by frame, as long as each verifies. Called by db/ to open, to
 * refresh and after an append; the only place where `end` moves.
 *
 * A frame is accepted when its header is whole and made for this offset of this file, carries the
 * checksum of the frame before and the next sequence number, lies inside the file, and (GROUP) its
 * payload verifies. Vectors are checked here only where power may have failed (`deep`); elsewhere
 * they are when first touched. Derived data, SECTION and CATALOG, is stepped over by its header
 * alone: damage in it never hides a later GROUP.
 *
 * A frame that failed its deep check stays rejected: power failed while it was written, and it will
 * not become better. Later walks of the same handle check less deep and would otherwise take it for
 * news.
 *
 * The first frame that is not accepted ends the walk. Whether it is the end of the data, a torn
 * tail or damage is not decided here: see store_recover.c. */
#include <string.h>

#include "base/memory.h"
#include "format/record.h"
#include "store/store.h"
#include "store/store_map.h"

void store_rewind(struct store *store, const struct store_position *position)
{
    store->end = *position;
    memset(&store->last, 0, sizeof store->last);
    store->pending.count = 0;
    store->rejected = 0;
    memset(&store->proof, 0, sizeof store->proof);
    memset(&store->newest_catalog, 0, sizeof store->newest_catalog);
    memset(&store->catalog, 0, sizeof store->catalog);
    memset(&store->synced_catalog, 0, sizeof store->synced_catalog);
}

struct store_position store_first_position(const struct store *store)
{
    struct store_position first = {FIRST_FRAME_OFFSET, genesis_chain(&store->genesis), 1};
    return first;
}

/* Whether the file as we know it reaches to `limit`; asks the system when it does not. */
static edb_status file_reaches(struct store *store, uint64_t limit, bool *reaches_out)
{
    *reaches_out = limit <= atomic_load_explicit(&store->file_bytes, memory_order_relaxed);
    if (*reaches_out)
        return EDB_OK;
    uint64_t bytes;
    edb_status status = store->io->size(store->file, &bytes);
    if (status != EDB_OK)
        return status;
    atomic_store_explicit(&store->file_bytes, bytes, memory_order_relaxed);
    *reaches_out = limit <= bytes;
    return EDB_OK;
}

bool store_stands(struct store *store)
{
    const struct frame_header *last = &store->last;
    if (last->frame_bytes == 0) {
        const uint8_t *genesis = store_at(store, GENESIS_OFFSET, GENESIS_BYTES);
        return genesis != NULL && genesis_is_of(genesis, &store->genesis);
    }
    const uint8_t *header = store_at(store, last->offset, FRAME_HEADER_BYTES);
    return header != NULL && frame_header_checksum(header) == last->header_checksum;
}

/* The invariant of the tail (at least one zero page inside the file) makes these loads from the map
 * in a healthy file. */
bool store_has_news(struct store *store)
{
    uint64_t offset = store->end.offset;
    bool reaches;
    if (file_reaches(store, offset + FRAME_HEADER_BYTES, &reaches) != EDB_OK)
        return true; /* the walk meets the failure again and tells it */
    if (!reaches)
        return false;
    const uint8_t *at = store_at(store, offset, FRAME_HEADER_BYTES);
    if (at == NULL || !store_stands(store)) /* NULL: past the mapping; the walk will cover it */
        return true;
    if (__atomic_load_n((const uint32_t *)(const void *)at, __ATOMIC_ACQUIRE) == 0)
        return false;
    return store->rejected == 0 || frame_header_checksum(at) != store->rejected;
}

static edb_status read_header(struct store *store, uint64_t offset, struct frame_header *out,
                              bool *whole_out)
{
    uint8_t bytes[FRAME_HEADER_BYTES];
    struct os_read read = {offset, bytes, sizeof bytes, 0};
    edb_status status = store->io->read_batch(store->file, &read, 1);
    *whole_out = status == EDB_OK && read.got == sizeof bytes &&
                 frame_header_decode(bytes, store->genesis.chain_seed, offset, out);
    return status;
}

/* The header at `end`, whose first word store_has_news has just loaded from the map: there, too,
 * and without a system call. Copied first, for its writer may still be at it. */
static edb_status peek_header(struct store *store, struct frame_header *out, bool *whole_out)
{
    uint8_t bytes[FRAME_HEADER_BYTES];
    uint64_t offset = store->end.offset;
    const uint8_t *at = store_at(store, offset, sizeof bytes);
    (void)atomic_load(&store->headers);
    if (at == NULL) /* past the mapping */
        return read_header(store, offset, out, whole_out);
    memcpy(bytes, at, sizeof bytes);
    *whole_out = frame_header_decode(bytes, store->genesis.chain_seed, offset, out);
    return EDB_OK;
}

static bool vectors_verify(struct store *store, const struct store_frame *frame)
{
    struct group group;
    edb_status status = group_decode(frame->bytes + FRAME_HEADER_BYTES, frame->header.payload_bytes,
                                     frame->header.frame_bytes, &group);
    if (status != EDB_OK)
        return status == EDB_FORMAT; /* whole, and for whoever applies it to refuse */
    for (uint32_t i = 0; i < group.count; i++) {
        struct record record;
        status = record_decode(frame->bytes, &group, i, &record);
        if (status != EDB_OK)
            return status == EDB_FORMAT;
        if (record.operation == RECORD_PUT &&
            record_vector_checksum(frame->bytes + record.vector_offset, record.vector_bytes,
                                   record.row, store->genesis.chain_seed) != record.vector_checksum)
            return false;
    }
    return true;
}

bool store_payload_verifies(const struct store *store, const struct store_frame *frame)
{
    const struct frame_header *header = &frame->header;
    return frame_payload_checksum(frame->bytes + FRAME_HEADER_BYTES, header->payload_bytes,
                                  store->genesis.chain_seed) == header->payload_checksum;
}

/* A CATALOG that does not verify: torn by a power failure, as everything behind it may be, or
 * damaged while what is behind it was synced? Only the first ends the walk. */
static edb_status check_catalog(struct store *store, const struct store_frame *frame,
                                bool *good_out)
{
    uint64_t proof = 0;
    edb_status status = EDB_OK;
    if (!store_payload_verifies(store, frame))
        status = store_look_behind(store, &proof);
    else
        proof = 1;
    *good_out = proof != 0;
    return status;
}

/* Whether the frame's bytes are in the file and in the map, and what its type promises about them
 * holds. */
static edb_status check_body(struct store *store, struct store_frame *frame, bool deep,
                             bool *good_out)
{
    const struct frame_header *header = &frame->header;
    bool reaches;
    *good_out = false;
    edb_status status = file_reaches(store, frame_end(header), &reaches);
    if (status != EDB_OK || !reaches)
        return status;
    status = store_map_range(store, header->offset, header->frame_bytes);
    if (status != EDB_OK)
        return status;
    frame->bytes = store_at(store, header->offset, header->frame_bytes);
    if (header->type == FRAME_CATALOG && deep)
        return check_catalog(store, frame, good_out);
    *good_out = header->type != FRAME_GROUP ||
                (store_payload_verifies(store, frame) && (!deep || vectors_verify(store, frame)));
    return EDB_OK;
}

edb_status store_note_replaced(struct store *store)
{
    atomic_fetch_add(&store->replaced, 1);
    return store_tell_replaced(store);
}

edb_status store_tell_replaced(const struct store *store)
{
    return fail(EDB_STALE,
                "%s was written over since it was opened, by a copy or by a program that is not "
                "EmbedCache: close it and open it again",
                store->path);
}

/* The header at `end` does not fit. Is that because what we stand on has changed? */
static edb_status check_footing(struct store *store)
{
    return store_stands(store) ? EDB_OK : store_note_replaced(store);
}

/* The next frame, if there is one that may be accepted. */
static edb_status next_frame(struct store *store, const struct store_limits *limits,
                             struct store_frame *frame, bool *found_out)
{
    const struct store_position *end = &store->end;
    *found_out = false;
    bool reaches, whole;
    edb_status status = file_reaches(store, end->offset + FRAME_HEADER_BYTES, &reaches);
    if (status != EDB_OK || !reaches || store_walk_stopped(store, limits) || !store_has_news(store))
        return status;
    status = peek_header(store, &frame->header, &whole);
    if (status != EDB_OK)
        return status;
    const struct frame_header *header = &frame->header;
    if (!whole || header->chain != end->chain || header->sequence != end->sequence)
        return check_footing(store);
    bool deep = frame_end(header) > limits->deep_from;
    status = check_body(store, frame, deep, found_out);
    if (status == EDB_OK && !*found_out && deep)
        store->rejected = header->header_checksum;
    return status;
}

static edb_status remember_pending(struct store_pending *pending, const struct frame_header *header)
{
    edb_status status = memory_reserve(&pending->offsets, &pending->capacity, pending->count + 1,
                                       sizeof *pending->offsets);
    if (status != EDB_OK)
        return status;
    if (pending->count == 0)
        pending->sequence = header->sequence;
    pending->offsets[pending->count++] = header->offset;
    return EDB_OK;
}

/* Hands over the frames of a transaction, the last of which is `frame`. */
static edb_status visit_transaction(struct store *store, const struct store_frame *frame,
                                    store_visit *visit, void *arg)
{
    for (size_t i = 0; i < store->pending.count; i++) {
        struct store_frame part;
        edb_status status = store_frame_at(store, store->pending.offsets[i], &part);
        if (status == EDB_OK)
            status = visit(arg, &part);
        if (status != EDB_OK)
            return status;
    }
    edb_status status = visit(arg, frame);
    if (status == EDB_OK)
        store->pending.count = 0;
    return status;
}

static edb_status accept_group(struct store *store, const struct store_frame *frame,
                               store_visit *visit, void *arg)
{
    uint16_t flags = frame->header.flags;
    if (flags & FRAME_BEGIN)
        store->pending.count = 0; /* one that was open is abandoned */
    else if (store->pending.count == 0)
        return EDB_OK; /* goes on with nothing: part of an abandoned one */
    if (flags & FRAME_COMMIT)
        return visit_transaction(store, frame, visit, arg);
    return remember_pending(&store->pending, &frame->header);
}

static edb_status accept_frame(struct store *store, const struct store_frame *frame,
                               store_visit *visit, void *arg)
{
    const struct frame_header *header = &frame->header;
    if (header->type == FRAME_GROUP)
        return accept_group(store, frame, visit, arg);
    bool known = header->type >= FRAME_GROUP && header->type <= FRAME_NOTE;
    if (!known && (header->flags & FRAME_CRITICAL))
        return fail(EDB_FORMAT,
                    "%s holds a frame of type %u at %llu that this library does not know: update "
                    "EmbedCache",
                    store->path, header->type, (unsigned long long)header->offset);
    return visit(arg, frame);
}

static void step_over(struct store *store, const struct frame_header *header)
{
    store->end.offset = frame_next(header);
    store->end.chain = header->header_checksum;
    store->end.sequence = header->sequence + 1;
    store->last = *header;
    store->rejected = 0;
    uint64_t synced = atomic_load(&store->synced_to);
    if (header->synced_to > synced && header->synced_to <= header->offset)
        atomic_store(&store->synced_to, header->synced_to);
    if (header->epoch != atomic_load(&store->epoch)) {
        store->others_wrote = true;
        if (frame_end(header) > atomic_load(&store->synced_to))
            store->suspect = true;
    }
    if (store->catalog.position <= atomic_load(&store->synced_to))
        store->synced_catalog = store->catalog;
}

struct anchor store_anchor_of(const struct frame_header *header)
{
    return (struct anchor){frame_end(header), header->offset, header->header_checksum};
}

bool store_walk_stopped(const struct store *store, const struct store_limits *limits)
{
    return limits->stop_at != 0 && store->end.sequence >= limits->stop_at;
}

edb_status store_walk(struct store *store, const struct store_limits *limits, store_visit *visit,
                      void *arg)
{
    store->visit_failed = false;
    edb_status footing = check_footing(store);
    if (footing != EDB_OK)
        return footing;
    for (;;) {
        struct store_frame frame;
        bool found;
        edb_status status = next_frame(store, limits, &frame, &found);
        if (status != EDB_OK || !found)
            return status;
        status = accept_frame(store, &frame, visit, arg);
        store->visit_failed = status != EDB_OK;
        if (status != EDB_OK)
            return status;
        step_over(store, &frame.header);
    }
}

/* What store_frame_at does; false in *good_out when nothing there verifies. */
static edb_status look_at_frame(struct store *store, uint64_t offset, struct store_frame *frame,
                                bool *good_out)
{
    *good_out = false;
    if (offset < FIRST_FRAME_OFFSET || offset % FRAME_ALIGN != 0)
        return EDB_OK;
    edb_status status = file_reaches(store, offset + FRAME_HEADER_BYTES, good_out);
    if (status == EDB_OK && *good_out)
        status = read_header(store, offset, &frame->header, good_out);
    if (status == EDB_OK && *good_out)
        status = check_body(store, frame, false, good_out);
    if (status == EDB_OK && *good_out && frame->header.type == FRAME_CATALOG)
        *good_out = store_payload_verifies(store, frame);
    return status;
}

edb_status store_frame_at(struct store *store, uint64_t offset, struct store_frame *frame_out)
{
    bool good;
    memset(frame_out, 0, sizeof *frame_out);
    edb_status status = look_at_frame(store, offset, frame_out, &good);
    if (status == EDB_OK && !good)
        return fail(EDB_CORRUPT, "%s: the frame at %llu does not verify", store->path,
                    (unsigned long long)offset);
    return status;
}
