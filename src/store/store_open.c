/* Opens an existing file: its identity, its mapping. Called by db_open, and by db_repair for one
 * that is damaged. Walks nothing. */
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

/* How the identity of a file is learned. */
typedef edb_status identify(struct store *store);

static edb_status attach(const char *path, struct os_file *file, bool writable, identify *identity,
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
        status = identity(store);
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

edb_status store_attach(const char *path, struct os_file *file, bool writable,
                        struct store **store_out)
{
    return attach(path, file, writable, read_identity, store_out);
}

edb_status store_open(const char *path, bool writable, struct store **store_out)
{
    struct os_file *file;
    *store_out = NULL;
    edb_status status = os_current()->open(path, writable, &file);
    return status == EDB_OK ? store_attach(path, file, writable, store_out) : status;
}

/* Of two slots that verify, both say the same about who the file is. */
static bool identity_of_slot(const uint8_t *bytes, size_t count, struct genesis *out)
{
    struct slot slot;
    for (int i = 0; i < 2; i++) {
        const uint8_t *at = bytes + SLOT_OFFSET(i);
        if (SLOT_OFFSET(i) + SLOT_BYTES > count || !slot_decode(at, slot_uuid(at), &slot))
            continue;
        memset(out, 0, sizeof *out);
        out->version = FORMAT_VERSION;
        memcpy(out->uuid, slot.uuid, sizeof out->uuid);
        out->chain_seed = slot.chain_seed;
        out->hash_seed = slot.hash_seed;
        return true;
    }
    return false;
}

/* A GENESIS that verifies counts, also where it says that this library cannot read the file. */
static edb_status decode_identity(struct store *store, const uint8_t *bytes, size_t count)
{
    size_t behind = count > GENESIS_OFFSET ? count - GENESIS_OFFSET : 0;
    const uint8_t *genesis = bytes + (behind > 0 ? GENESIS_OFFSET : 0);
    edb_status status = genesis_decode(genesis, behind, &store->genesis);
    if (status == EDB_OK || genesis_verifies(genesis, behind))
        return status == EDB_OK ? EDB_OK : fail(status, "%s: %s", store->path, edb_error_detail());
    if (identity_of_slot(bytes, count, &store->genesis))
        return EDB_OK;
    if (status == EDB_FORMAT)
        return fail(status,
                    "%s is not an .edb file, or its first %u bytes are lost: nothing in it "
                    "can be verified without them",
                    store->path, GENESIS_OFFSET + GENESIS_BYTES);
    return fail(EDB_CORRUPT,
                "%s: the identity and both slots are damaged: nothing in the file can be verified "
                "without the seeds in them",
                store->path);
}

static edb_status read_damaged_identity(struct store *store)
{
    uint64_t size;
    uint8_t *bytes = memory_zeroed(1, FIRST_FRAME_OFFSET);
    if (bytes == NULL)
        return memory_failed(FIRST_FRAME_OFFSET);
    struct os_read read = {0, bytes, FIRST_FRAME_OFFSET, 0};
    edb_status status = store->io->size(store->file, &size);
    if (status == EDB_OK)
        status = store->io->read_batch(store->file, &read, 1);
    atomic_store(&store->file_bytes, status == EDB_OK ? size : 0);
    if (status == EDB_OK)
        status = decode_identity(store, bytes, read.got);
    memory_free(bytes);
    return status;
}

edb_status store_open_damaged(const char *path, struct store **store_out, bool *genesis_lost_out)
{
    struct os_file *file;
    *store_out = NULL;
    *genesis_lost_out = false;
    edb_status status = os_current()->open(path, false, &file);
    if (status == EDB_OK)
        status = attach(path, file, false, read_damaged_identity, store_out);
    if (status != EDB_OK)
        return status;
    uint8_t genesis[GENESIS_BYTES];
    struct os_read read = {GENESIS_OFFSET, genesis, sizeof genesis, 0};
    status = os_current()->read_batch((*store_out)->file, &read, 1);
    *genesis_lost_out = !genesis_verifies(genesis, read.got);
    if (status != EDB_OK) {
        store_close(*store_out);
        *store_out = NULL;
    }
    return status;
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
