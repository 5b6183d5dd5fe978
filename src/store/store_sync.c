/* Making it durable: one successful sync, and a second look at what other sessions left behind (11,
 * 12).
 *
 * Why a second look. After a failed sync the kernel marks pages clean that never reached the
 * device; the writer that saw the failure stops, but the next one finds the frames in the page
 * cache, whole, and a sync of its own would succeed without writing them. If it then acknowledged a
 * group chained to them, power loss would take both. So before the first acknowledgement the
 * unsynced range of other sessions is read back from the device; pages that differ, and only those,
 * are written again. They were not on the device, so nothing that was acknowledged is at risk. */
#include <string.h>

#include "base/memory.h"
#include "store/store.h"

enum { CHUNK_BYTES = 256 << 10 };

edb_status store_sync_file(struct store *store)
{
    uint64_t generation;
    edb_status status = store_slot_generation(store, &generation);
    if (status == EDB_OK)
        status = store->io->sync(store->file);
    if (status != EDB_OK)
        store->writer.poisoned = true;
    else
        store->writer.slots_synced = generation;
    return status;
}

/* A commit is durable when the file's name is, too. Whoever gave it that name may be another
 * process that is long dead, so every session sees to it, once (15, 16). */
static edb_status sync_name(struct store *store)
{
    char *path;
    if (store->writer.name_synced)
        return EDB_OK;
    edb_status status = store->io->resolve(store->file, store->path, true, &path);
    if (status == EDB_OK)
        status = store->io->sync_directory(path);
    memory_free(path);
    if (status != EDB_OK)
        store->writer.poisoned = true;
    store->writer.name_synced = status == EDB_OK;
    return status;
}

/* The same bytes twice: as programs see them, and as the device has them. */
struct second_look {
    uint8_t *cached;
    uint8_t *device;
    bool wrote;
};

/* Writes the pages of [offset, offset + count) again that are not on the device. */
static edb_status rewrite_lost(struct store *store, uint64_t offset, size_t count,
                               struct second_look *look)
{
    edb_status status = os_read(store->file, offset, look->cached, count);
    if (status != EDB_OK)
        return status;
    status = store->io->read_device(store->file, offset, look->device, count);
    bool unknown = status == EDB_NOT_FOUND; /* this filesystem cannot tell: write all of it */
    if (status != EDB_OK && !unknown)
        return status;
    for (size_t at = 0; at < count; at += PAGE_BYTES) {
        size_t bytes = count - at < PAGE_BYTES ? count - at : PAGE_BYTES;
        if (!unknown && memcmp(look->cached + at, look->device + at, bytes) == 0)
            continue;
        struct os_span span = {look->cached + at, bytes};
        status = store->io->write(store->file, offset + at, &span, 1);
        if (status != EDB_OK)
            return status;
        look->wrote = true;
    }
    return EDB_OK;
}

static edb_status recheck_device(struct store *store)
{
    struct second_look look = {memory_aligned(CHUNK_BYTES), memory_aligned(CHUNK_BYTES), false};
    edb_status status = EDB_OK;
    if (look.cached == NULL || look.device == NULL)
        status = memory_failed(2 * CHUNK_BYTES);
    uint64_t from = atomic_load(&store->synced_to) / PAGE_BYTES * PAGE_BYTES;
    uint64_t end = store->end.offset;
    for (uint64_t at = from; at < end && status == EDB_OK; at += CHUNK_BYTES) {
        size_t count = end - at < CHUNK_BYTES ? (size_t)(end - at) : CHUNK_BYTES;
        status = rewrite_lost(store, at, count, &look);
    }
    memory_free(look.cached);
    memory_free(look.device);
    if (status != EDB_OK)
        store->writer.poisoned = true;
    else if (look.wrote)
        status = store_sync_file(store);
    return status;
}

edb_status store_sync(struct store *store)
{
    edb_status status = sync_name(store);
    if (status == EDB_OK && store->end.offset == atomic_load(&store->synced_to) && !store->suspect)
        return EDB_OK;
    if (status == EDB_OK)
        status = store_sync_file(store);
    if (status == EDB_OK && store->suspect)
        status = recheck_device(store);
    if (status != EDB_OK)
        return status;
    store->suspect = false;
    atomic_store(&store->synced_to, store->end.offset);
    if (store->catalog.position <= store->end.offset)
        store->synced_catalog = store->catalog;
    return EDB_OK;
}
