/* Opens an existing file: its identity, its mapping. Called by db_open. Walks nothing. */
#include <string.h>

#include "base/memory.h"
#include "store/store.h"
#include "store/store_map.h"

static edb_status read_identity(struct store *store)
{
    uint64_t bytes;
    edb_status status = store->io->size(store->file, &bytes);
    if (status != EDB_OK)
        return status;
    atomic_store(&store->file_bytes, bytes);
    uint8_t genesis[GENESIS_BYTES];
    struct os_read read = {GENESIS_OFFSET, genesis, sizeof genesis, 0};
    status = store->io->read_batch(store->file, &read, 1);
    if (status != EDB_OK)
        return status;
    status = genesis_decode(genesis, read.got, &store->genesis);
    return status == EDB_OK ? EDB_OK : fail(status, "%s: %s", store->path, edb_error_detail());
}

/* A file that this library may read but not write says so when it is opened for writing. */
static edb_status check_writable(struct store *store)
{
    const char *network = NULL;
    if (store->io->is_network(store->file, &network))
        return fail(EDB_READ_ONLY,
                    "%s lies on a network filesystem (%s), where one writer cannot be told from "
                    "another: open it read-only or copy it to a local disk",
                    store->path, network);
    uint64_t unknown = store->genesis.read_only_compatible & ~(uint64_t)FEATURES_READ_ONLY_KNOWN;
    if (unknown != 0)
        return fail(EDB_READ_ONLY,
                    "%s uses features 0x%llx that this library can read but not write: open it "
                    "read-only or update EmbedCache",
                    store->path, (unsigned long long)unknown);
    return EDB_OK;
}

edb_status store_attach(const char *path, struct os_file *file, bool writable,
                        struct store **store_out)
{
    *store_out = NULL;
    struct store *store = memory_zeroed(1, sizeof *store);
    if (store == NULL) {
        file->io->close(file);
        return memory_failed(sizeof *store);
    }
    edb_status status = EDB_OK;
    atomic_store(&store->users, 1);
    store->io = os_current();
    store->file = file;
    store->writable = writable;
    store->path = memory_copy_text(path, strlen(path));
    if (store->path == NULL)
        status = memory_failed(strlen(path));
    if (status == EDB_OK)
        status = read_identity(store);
    if (status == EDB_OK && writable)
        status = check_writable(store);
    if (status == EDB_OK)
        status = store_map_open(store);
    if (status != EDB_OK) {
        store_close(store);
        return status;
    }
    *store_out = store;
    return EDB_OK;
}

edb_status store_open(const char *path, bool writable, struct store **store_out)
{
    struct os_file *file;
    *store_out = NULL;
    edb_status status = os_current()->open(path, writable, &file);
    return status == EDB_OK ? store_attach(path, file, writable, store_out) : status;
}

struct store *store_share(struct store *store)
{
    atomic_fetch_add(&store->users, 1);
    return store;
}

void store_close(struct store *store)
{
    if (store == NULL || atomic_fetch_sub(&store->users, 1) != 1)
        return;
    if (store->map != NULL)
        store_unpin(store->map);
    if (store->file != NULL)
        store->io->close(store->file);
    memory_free(store->pending.offsets);
    memory_free(store->path);
    memory_free(store);
}
