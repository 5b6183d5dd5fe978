/* Segments of the mapping, and pins on it. Called by store_open, by the walk, and by everything
 * that reads. */
#include "store/store_map.h"

#include "base/checked.h"
#include "base/memory.h"

enum { SEGMENTS_MAX = 64 };

static const uint64_t segment_bytes_min = 1ull << 30;
static const uint64_t segment_bytes_least = 1ull << 20; /* where address space is scarce */
static const uint64_t segment_bytes_max = 1ull << 36;
static const uint64_t segment_unit = 64u << 10;
static const uint64_t read_ahead_bytes = 8u << 20;

struct segment {
    uint64_t offset;
    uint64_t bytes;
    const uint8_t *address;
};

struct store_map {
    const struct os_io *io;
    _Atomic uint64_t pins;
    struct segment segments[SEGMENTS_MAX];
    _Atomic int count;
};

static edb_status map_segment(struct store *store, struct segment *segment, uint64_t offset,
                              uint64_t bytes)
{
    segment->offset = offset / segment_unit * segment_unit;
    segment->bytes = round_up(bytes + (offset - segment->offset), segment_unit);
    return store->io->map(store->file, segment->offset, segment->bytes, &segment->address);
}

/* Reaches four times as far as the file does, so that it grows in place; where there is no address
 * space for that, half as far, and so on down to `least`. */
static edb_status add_segment(struct store *store, uint64_t offset, uint64_t least)
{
    struct store_map *map = store->map;
    int count = atomic_load(&map->count);
    if (count == SEGMENTS_MAX)
        return fail(EDB_NO_MEMORY, "%s has grown through %d mappings: close and open it again",
                    store->path, SEGMENTS_MAX);
    uint64_t reach =
        clamp_u64(4 * atomic_load(&store->file_bytes), segment_bytes_min, segment_bytes_max);
    reach = reach > least ? reach : least;
    edb_status status = map_segment(store, &map->segments[count], offset, reach);
    while (status == EDB_NO_MEMORY && reach > least) {
        reach = reach / 2 > least ? reach / 2 : least;
        status = map_segment(store, &map->segments[count], offset, reach);
    }
    if (status == EDB_OK)
        atomic_store(&map->count, count + 1);
    return status;
}

edb_status store_map_open(struct store *store)
{
    store->map = memory_zeroed(1, sizeof *store->map);
    if (store->map == NULL)
        return memory_failed(sizeof *store->map);
    store->map->io = store->io;
    atomic_store(&store->map->pins, 1);
    uint64_t size = atomic_load(&store->file_bytes);
    return add_segment(store, 0, size > segment_bytes_min ? size : segment_bytes_min);
}

edb_status store_map_try(struct os_file *file)
{
    const uint8_t *address;
    edb_status status = file->io->map(file, 0, segment_bytes_min, &address);
    if (status == EDB_OK)
        file->io->unmap(file, address, segment_bytes_min);
    return status;
}

static const uint8_t *find_segment(const struct store_map *map, uint64_t offset, uint64_t bytes)
{
    int count = atomic_load_explicit(&map->count, memory_order_acquire);
    for (int i = 0; i < count; i++) {
        const struct segment *segment = &map->segments[i];
        if (offset >= segment->offset &&
            range_within(offset - segment->offset, bytes, segment->bytes))
            return segment->address + (offset - segment->offset);
    }
    return NULL;
}

bool store_is_mapped(const struct store *store, uint64_t offset, uint64_t bytes)
{
    return find_segment(store->map, offset, bytes) != NULL;
}

edb_status store_map_range(struct store *store, uint64_t offset, uint64_t bytes)
{
    if (store_is_mapped(store, offset, bytes))
        return EDB_OK;
    return add_segment(store, offset, bytes > segment_bytes_least ? bytes : segment_bytes_least);
}

edb_status store_cover(struct store *store)
{
    uint64_t bytes;
    edb_status status = store->io->size(store->file, &bytes);
    if (status != EDB_OK)
        return status;
    atomic_store(&store->file_bytes, bytes);
    return store_map_range(store, 0, bytes);
}

const uint8_t *store_at(struct store *store, uint64_t offset, uint64_t bytes)
{
    const uint8_t *at = NULL;
    if (range_within(offset, bytes, atomic_load_explicit(&store->file_bytes, memory_order_relaxed)))
        at = find_segment(store->map, offset, bytes);
    if (at == NULL)
        fail(EDB_CORRUPT, "%s: bytes %llu to %llu are not in the file", store->path,
             (unsigned long long)offset, (unsigned long long)(offset + bytes));
    return at;
}

void store_read_ahead(struct store *store, uint64_t offset, uint64_t *asked_to)
{
    if (offset + read_ahead_bytes / 2 < *asked_to)
        return;
    uint64_t from = offset > *asked_to ? offset : *asked_to;
    *asked_to = from + read_ahead_bytes;
    store->io->will_need(store->file, from, read_ahead_bytes);
}

struct store_map *store_pin(struct store *store)
{
    atomic_fetch_add_explicit(&store->map->pins, 1, memory_order_relaxed);
    return store->map;
}

void store_unpin(struct store_map *map)
{
    if (atomic_fetch_sub_explicit(&map->pins, 1, memory_order_acq_rel) != 1)
        return;
    int count = atomic_load(&map->count);
    for (int i = 0; i < count; i++)
        map->io->unmap(NULL, map->segments[i].address, map->segments[i].bytes);
    memory_free(map);
}

edb_status store_join(struct store *store, const struct os_range *ranges, size_t count,
                      const uint8_t **address_out)
{
    *address_out = NULL;
    if (store->io->map_joined == NULL)
        return fail(EDB_NO_MEMORY, "%s: ranges of it cannot be mapped as one here", store->path);
    return store->io->map_joined(store->file, ranges, count, address_out);
}

void store_unjoin(const struct os_io *io, const uint8_t *address, uint64_t bytes)
{
    io->unmap(NULL, address, bytes);
}

uint64_t store_mapped_bytes(const struct store *store)
{
    uint64_t bytes = 0;
    int count = atomic_load(&store->map->count);
    for (int i = 0; i < count; i++)
        bytes += store->map->segments[i].bytes;
    return bytes;
}
