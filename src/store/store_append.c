/* Appending frames: reserve, write the payload, write the header. Called by db/ under the write
 * lock.
 *
 * The order makes it safe. Space first, so that a full device refuses the group before its first
 * byte (10). Payload before header, so that whoever sees the header sees what it announces. The
 * header of the last frame is the commit: before it is written the transaction does not exist,
 * behind it there is nothing left to do but to sync. */
#include <assert.h>
#include <string.h>

#include "base/checked.h"
#include "store/store.h"

static const uint64_t reserve_step_min = 32u << 10;
static const uint64_t reserve_step_max = 16u << 20;
static const uint64_t reserve_step_session = 1u << 20;

/* A durable commit is copied in such pieces, each of which the device begins to write while the
 * next one is copied: 1,000 vectors of 6 KiB take four fifths of the time. Lazy ones are copied at
 * once, which is 6 % faster. */
static const uint64_t durable_write_bytes = 1u << 20;

enum { SPANS_MAX = 64, ZEROS_BYTES = PAGE_BYTES };

static const uint8_t zeros[ZEROS_BYTES];

uint64_t store_append_offset(const struct store *store)
{
    return store->end.offset;
}

static edb_status write_bytes(struct store *store, uint64_t offset, const void *bytes, size_t count)
{
    struct os_span span = {bytes, count};
    return store->io->write(store->file, offset, &span, 1);
}

/* Space that is written ahead with zeros makes the sync of a small commit cheaper by half: no block
 * changes state. */
static edb_status initialise(struct store *store, uint64_t from, uint64_t to)
{
    while (from < to) {
        size_t count = to - from < ZEROS_BYTES ? (size_t)(to - from) : ZEROS_BYTES;
        edb_status status = write_bytes(store, from, zeros, count);
        if (status != EDB_OK)
            return status;
        from += count;
    }
    return EDB_OK;
}

/* How much to reserve beyond what is needed. A session that goes on writing reserves twice as much
 * each time, up to 1 MiB: each growth of the file costs its sync a turn of the journal. */
static uint64_t reserve_step(struct store *store, uint64_t known)
{
    uint64_t step = clamp_u64(known / 128, reserve_step_min, reserve_step_max);
    uint64_t doubled = clamp_u64(2 * store->writer.reserve_step, 0, reserve_step_session);
    step = round_up(step > doubled ? step : doubled, PAGE_BYTES);
    store->writer.reserve_step = step;
    return step;
}

/* Makes the file reach one zero page past `limit`. */
static edb_status reserve_space(struct store *store, uint64_t limit, bool durable)
{
    uint64_t known;
    uint64_t needed = round_up(limit, PAGE_BYTES) + PAGE_BYTES;
    if (needed <= atomic_load(&store->file_bytes))
        return EDB_OK;
    edb_status status = store->io->size(store->file, &known);
    if (status != EDB_OK)
        return status;
    if (needed <= known) {
        atomic_store(&store->file_bytes, known);
        return EDB_OK;
    }
    if (needed > FILE_BYTES_MAX)
        return fail(EDB_FULL, "%s would have %llu bytes, more than the format allows (%llu)",
                    store->path, (unsigned long long)needed, FILE_BYTES_MAX);
    uint64_t step = reserve_step(store, known);
    uint64_t size = needed + step;
    status = store->io->reserve(store->file, known, size - known);
    if (status == EDB_FULL) { /* the last bytes of a device are worth taking, too */
        size = needed;
        status = store->io->reserve(store->file, known, size - known);
    }
    if (status == EDB_OK && durable && needed - known <= step)
        status = initialise(store, known, size);
    if (status == EDB_OK)
        atomic_store(&store->file_bytes, size);
    return status;
}

static edb_status begin_session(struct store *store)
{
    if (atomic_load(&store->epoch) != 0)
        return EDB_OK;
    uint64_t epoch;
    edb_status status = store_random_number(store->io, &epoch);
    if (status != EDB_OK)
        return status;
    atomic_store(&store->epoch, epoch | 1);
    return EDB_OK;
}

/* Spans on their way to one write. */
struct gather {
    struct os_span spans[SPANS_MAX];
    size_t count;
    uint64_t offset; /* in the file, of the first span */
    uint64_t bytes;
    uint64_t bytes_max; /* of one write */
    uint64_t announced; /* of a durable commit: bytes before this were announced to the device */
};

static edb_status flush_gather(struct store *store, struct gather *gather)
{
    if (gather->count == 0)
        return EDB_OK;
    edb_status status = store->io->write(store->file, gather->offset, gather->spans, gather->count);
    gather->offset += gather->bytes;
    gather->bytes = 0;
    gather->count = 0;
    return status;
}

/* While the next bytes are copied, the device may write these: whole pages that nothing is added to
 * any more. */
static void announce(struct store *store, struct gather *gather)
{
    uint64_t reach = gather->offset / PAGE_BYTES * PAGE_BYTES;
    if (gather->announced >= reach)
        return;
    store->io->will_sync(store->file, gather->announced, reach - gather->announced);
    gather->announced = reach;
}

/* Adds a span of any length; what fills a write is written. */
static edb_status add_span(struct store *store, struct gather *gather, const uint8_t *bytes,
                           size_t count)
{
    edb_status status = EDB_OK;
    while (count > 0 && status == EDB_OK) {
        uint64_t room = gather->bytes_max - gather->bytes;
        size_t taken = count < room ? count : (size_t)room;
        gather->spans[gather->count++] = (struct os_span){bytes, taken};
        gather->bytes += taken;
        bytes += taken;
        count -= taken;
        if (gather->bytes < gather->bytes_max && gather->count < SPANS_MAX)
            continue;
        status = flush_gather(store, gather);
        if (status == EDB_OK)
            announce(store, gather);
    }
    return status;
}

/* Writes everything of a frame but its header. */
static edb_status write_pieces(struct store *store, const struct frame_draft *draft, bool durable)
{
    uint64_t begin = draft->offset + FRAME_HEADER_BYTES;
    struct gather gather = {.offset = begin, .bytes_max = UINT64_MAX, .announced = UINT64_MAX};
    if (durable) {
        gather.bytes_max = durable_write_bytes;
        gather.announced = round_up(begin, PAGE_BYTES); /* the header's page is not done yet */
    }
    uint64_t at = FRAME_HEADER_BYTES;
    edb_status status = EDB_OK;
    for (size_t i = 0; i < draft->piece_count && status == EDB_OK; i++) {
        const struct frame_piece *piece = &draft->pieces[i];
        assert(piece->offset >= at && piece->offset - at <= ZEROS_BYTES);
        status = add_span(store, &gather, zeros, (size_t)(piece->offset - at));
        at = piece->offset + piece->count;
        if (status == EDB_OK && piece->bytes == NULL) {
            status = flush_gather(store, &gather);
            gather.offset = draft->offset + at;
        } else if (status == EDB_OK)
            status = add_span(store, &gather, piece->bytes, piece->count);
    }
    assert(at <= draft->frame_bytes);
    return status == EDB_OK ? flush_gather(store, &gather) : status;
}

/* Where a reader will look for the next header there must be none: bytes of a group that was
 * abandoned, by this writer or by one that died, are not left standing there. A look at the map,
 * where the walk looks next. */
static edb_status clear_next(struct store *store, uint64_t next)
{
    const uint8_t *there = store_at(store, next, FRAME_HEADER_BYTES);
    if (there != NULL && memcmp(there, zeros, FRAME_HEADER_BYTES) == 0)
        return EDB_OK;
    return write_bytes(store, next, zeros, FRAME_HEADER_BYTES);
}

static edb_status append_frame(struct store *store, const struct frame_draft *draft, bool durable,
                               struct store_position *position)
{
    assert(draft->offset == position->offset && draft->frame_bytes % FRAME_ALIGN == 0);
    struct frame_header header = {
        .type = draft->type,
        .flags = draft->flags,
        .frame_bytes = draft->frame_bytes,
        .offset = position->offset,
        .sequence = position->sequence,
        .epoch = atomic_load(&store->epoch),
        .chain = position->chain,
        .synced_to = atomic_load(&store->synced_to),
        .payload_bytes = draft->payload_bytes,
        .payload_checksum =
            frame_payload_checksum(draft->payload, draft->payload_bytes, store->genesis.chain_seed),
    };
    uint8_t bytes[FRAME_HEADER_BYTES];
    frame_header_encode(&header, store->genesis.chain_seed, bytes);
    edb_status status = write_pieces(store, draft, durable);
    if (status == EDB_OK)
        status = clear_next(store, frame_next(&header));
    atomic_fetch_add(&store->headers, 1);
    if (status == EDB_OK)
        status = write_bytes(store, header.offset, bytes, sizeof bytes); /* <- THE COMMIT POINT */
    if (status != EDB_OK)
        return status;
    position->offset = frame_next(&header);
    store->writer.written_to = frame_end(&header);
    position->chain = header.header_checksum;
    position->sequence++;
    return EDB_OK;
}

/* Room for a PAD is kept behind everything else: a full device can still be synced. */
static uint64_t space_limit(const struct frame_draft *last)
{
    uint64_t end = last->offset + last->frame_bytes;
    return last->type == FRAME_PAD ? end : end + FRAME_HEADER_BYTES;
}

edb_status store_check_writable(struct store *store)
{
    if (atomic_load(&store->replaced) > 0)
        return store_tell_replaced(store);
    if (atomic_load(&store->damaged))
        return fail(EDB_READ_ONLY,
                    "%s is damaged at %llu: what is before is readable, nothing is written",
                    store->path, (unsigned long long)store->end.offset);
    if (store->writer.poisoned)
        return fail(EDB_READ_ONLY,
                    "%s: an earlier write of this handle failed: close it and open it again",
                    store->path);
    return EDB_OK;
}

edb_status store_append(struct store *store, struct frame_draft *drafts, size_t count, bool durable)
{
    assert(count > 0);
    struct frame_draft *last = &drafts[count - 1];
    edb_status status = store_check_writable(store);
    if (status == EDB_OK)
        status = reserve_space(store, space_limit(last), durable);
    if (status == EDB_OK)
        status = begin_session(store);
    if (durable)
        last->flags |= FRAME_SEALED;
    struct store_position position = store->end;
    for (size_t i = 0; i < count && status == EDB_OK; i++)
        status = append_frame(store, &drafts[i], durable, &position);
    if (status == EDB_IO)
        store->writer.poisoned = true;
    return status;
}

/* The header comes last, as ever: until then these are bytes behind the end of the data. */
edb_status store_write_ahead(struct store *store, uint64_t offset, const void *bytes, size_t count)
{
    assert(offset >= store->end.offset + FRAME_HEADER_BYTES);
    edb_status status = store_check_writable(store);
    if (status == EDB_OK)
        status = reserve_space(store, offset + count, false);
    if (status == EDB_OK)
        status = write_bytes(store, offset, bytes, count);
    if (status == EDB_OK)
        store->io->will_sync(store->file, offset, count);
    if (status == EDB_IO)
        store->writer.poisoned = true;
    return status;
}

edb_status store_seal(struct store *store, bool *appended_out)
{
    *appended_out = false;
    bool sealed = store->last.flags & FRAME_SEALED;
    if (sealed || store->end.offset == FIRST_FRAME_OFFSET)
        return EDB_OK;
    struct frame_draft pad = {.type = FRAME_PAD,
                              .offset = store->end.offset,
                              .frame_bytes = FRAME_HEADER_BYTES,
                              .payload = ""};
    *appended_out = true;
    return store_append(store, &pad, 1, true);
}
