/* Finding stretches of frames. Called by db_repair, db_salvage and db_verify; nothing here is
 * believed but headers, each of which verifies by itself for its place in this file. */
#include "store/store_scan.h"

#include <string.h>

#include "base/checked.h"
#include "base/memory.h"

enum { LOOK_BACK = 64 }; /* stretches */

bool store_scan_header(struct store *store, uint64_t offset, struct frame_header *out)
{
    uint64_t bytes = atomic_load(&store->file_bytes);
    if (offset % FRAME_ALIGN != 0 || !range_within(offset, FRAME_HEADER_BYTES, bytes))
        return false;
    const uint8_t *at = store_at(store, offset, FRAME_HEADER_BYTES);
    return at != NULL && frame_header_decode(at, store->genesis.chain_seed, offset, out);
}

static void note_synced(struct store_scan *scan, const struct frame_header *header)
{
    if (header->synced_to <= header->offset && header->synced_to > scan->proven_to)
        scan->proven_to = header->synced_to;
}

static struct store_stretch follow(struct store *store, const struct frame_header *first,
                                   struct store_scan *scan)
{
    struct frame_header header = *first;
    struct store_stretch stretch = {.offset = first->offset, .first = first->sequence};
    for (;;) {
        struct frame_header next;
        note_synced(scan, &header);
        stretch.end = frame_next(&header);
        stretch.last = header.sequence;
        if (!store_scan_header(store, stretch.end, &next) || next.chain != header.header_checksum ||
            next.sequence != header.sequence + 1)
            return stretch;
        header = next;
    }
}

static uint64_t frames_of(const struct store_stretch *stretch)
{
    return stretch->last - stretch->first + 1;
}

/* Frames behind one another are linked, or they are no neighbours. */
static bool may_follow(const struct store_stretch *before, const struct store_stretch *after)
{
    return after->offset >= before->end && after->first > before->last + 1;
}

static edb_status add_stretch(struct store_scan *scan, const struct store_stretch *stretch)
{
    edb_status status =
        memory_reserve(&scan->stretches, &scan->capacity, scan->count + 1, sizeof *scan->stretches);
    if (status != EDB_OK)
        return status;
    scan->stretches[scan->count++] = *stretch;
    return EDB_OK;
}

/* The file's first frame where it belongs is no old one. */
static bool has_first(const struct store_scan *scan)
{
    return scan->stretches[0].offset == FIRST_FRAME_OFFSET && scan->stretches[0].first == 1;
}

/* The stretches before number `index` that it may follow, such that there are the most frames. Of
 * equal ones the last: it stands nearest. Only so many are looked at that time stays bounded. */
static void find_before(struct store_scan *scan, size_t index)
{
    struct store_stretch *stretch = &scan->stretches[index];
    size_t first = index > LOOK_BACK ? index - LOOK_BACK : 0;
    uint64_t most = 0;
    stretch->before = 0;
    for (size_t i = first; i < index; i++) {
        const struct store_stretch *earlier = &scan->stretches[i];
        if (earlier->frames == 0 || earlier->frames < most || !may_follow(earlier, stretch))
            continue;
        most = earlier->frames;
        stretch->before = i + 1;
    }
    bool alone = index > 0 && stretch->before == 0 && has_first(scan);
    stretch->frames = alone ? 0 : frames_of(stretch) + most;
}

/* Leaves the stretches that do not contradict each other and have the most frames together. Of
 * equal ones the last: what stands behind was written later. */
static void settle(struct store_scan *scan)
{
    size_t last = 0;
    uint64_t all = 0;
    for (size_t i = 0; i < scan->count; i++) {
        find_before(scan, i);
        all += frames_of(&scan->stretches[i]);
        if (last == 0 || scan->stretches[i].frames >= scan->stretches[last - 1].frames)
            last = i + 1;
    }
    size_t kept = scan->count;
    scan->left_out = last > 0 ? all - scan->stretches[last - 1].frames : 0;
    while (last > 0) {
        scan->stretches[--kept] = scan->stretches[last - 1];
        last = scan->stretches[kept].before;
    }
    scan->count -= kept;
    if (scan->count > 0)
        memmove(scan->stretches, scan->stretches + kept, scan->count * sizeof *scan->stretches);
}

/* The next place from `at` on where a header stands; the end of the file when there is none. */
static uint64_t find_header(struct store *store, uint64_t at, struct frame_header *out)
{
    uint64_t bytes = atomic_load(&store->file_bytes);
    for (; range_within(at, FRAME_HEADER_BYTES, bytes); at += FRAME_ALIGN)
        if (store_scan_header(store, at, out))
            return at;
    return bytes;
}

/* A single frame may be an old one, with any length: what it says of the place behind it is not
 * believed. */
static edb_status find_stretches(struct store *store, struct store_scan *scan)
{
    struct frame_header header;
    uint64_t bytes = atomic_load(&store->file_bytes);
    uint64_t at = find_header(store, FIRST_FRAME_OFFSET, &header);
    edb_status status = EDB_OK;
    while (at < bytes && status == EDB_OK) {
        struct store_stretch stretch = follow(store, &header, scan);
        bool alone = stretch.first == stretch.last && stretch.first != 1;
        status = add_stretch(scan, &stretch);
        at = find_header(store, alone ? at + FRAME_ALIGN : stretch.end, &header);
    }
    return status;
}

/* What stands behind a gap that nothing was known to be in is a torn tail. */
static void cut_torn_tail(struct store_scan *scan)
{
    uint64_t end = FIRST_FRAME_OFFSET;
    size_t kept = 0;
    while (kept < scan->count && (scan->stretches[kept].offset == end || end < scan->proven_to)) {
        end = scan->stretches[kept].end;
        kept++;
    }
    for (size_t i = kept; i < scan->count; i++)
        scan->left_out += frames_of(&scan->stretches[i]);
    scan->count = kept;
}

edb_status store_scan_open(struct store *store, struct store_scan *scan_out)
{
    memset(scan_out, 0, sizeof *scan_out);
    edb_status status = store_slots_reach(store, &scan_out->proven_to);
    if (status == EDB_OK)
        status = find_stretches(store, scan_out);
    if (status == EDB_OK)
        settle(scan_out);
    if (status == EDB_OK)
        cut_torn_tail(scan_out);
    else
        store_scan_close(scan_out);
    return status;
}

void store_scan_close(struct store_scan *scan)
{
    memory_free(scan->stretches);
    memset(scan, 0, sizeof *scan);
}
