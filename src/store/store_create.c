/* Makes an empty .edb file: two slots, GENESIS, one zero page. Called by db_open for a new cache,
 * by db_compact for one that is written anew, and by db_repair for what is saved of a damaged one.
 * The file is complete and on the device before it has its name; the name is on the device before
 * anything in the file is acknowledged as durable (store_sync.c, 15). */
#include <string.h>

#include "base/bytes.h"
#include "base/memory.h"
#include "store/store.h"
#include "store/store_map.h"

enum { EMPTY_BYTES = FIRST_FRAME_OFFSET + PAGE_BYTES, SUCCESSOR_MODE = 0600 };

edb_status store_random_number(const struct os_io *io, uint64_t *number_out)
{
    uint8_t bytes[8] = {0};
    edb_status status = io->random(bytes, sizeof bytes);
    *number_out = load_u64(bytes);
    return status;
}

static edb_status fill_identity(struct genesis *genesis)
{
    memset(genesis, 0, sizeof *genesis);
    genesis->version = FORMAT_VERSION;
    const struct os_io *io = os_current();
    edb_status status = io->random(genesis->uuid, sizeof genesis->uuid);
    if (status == EDB_OK)
        status = store_random_number(io, &genesis->hash_seed);
    if (status == EDB_OK)
        status = store_random_number(io, &genesis->chain_seed);
    return status;
}

/* Both slots say the same, in turn: whichever is lost, the other is good. */
static void fill_slots(const struct genesis *genesis, uint8_t *image)
{
    struct slot slot = {.chain_seed = genesis->chain_seed, .hash_seed = genesis->hash_seed};
    memcpy(slot.uuid, genesis->uuid, sizeof slot.uuid);
    slot.synced.position = FIRST_FRAME_OFFSET;
    for (int i = 0; i < 2; i++) {
        slot.generation = (uint64_t)i + 1;
        slot_encode(&slot, image + SLOT_OFFSET(i));
    }
}

static edb_status write_image(struct os_file *file, const uint8_t *image, size_t bytes)
{
    struct os_span span = {image, bytes};
    edb_status status = file->io->reserve(file, 0, bytes);
    if (status == EDB_OK)
        status = file->io->write(file, 0, &span, 1);
    if (status == EDB_OK)
        status = file->io->sync(file);
    return status;
}

/* A file that this process could not open afterwards is not made. */
static edb_status check_openable(const char *path, struct os_file *file)
{
    edb_status status = store_map_try(file);
    return status == EDB_OK ? EDB_OK
                            : fail(status, "%s is not created: %s", path, edb_error_detail());
}

/* What has no name yet. */
struct creation {
    struct os_file *file;
    char *temporary;
};

static edb_status write_empty(struct os_file *file, const struct genesis *genesis)
{
    uint8_t *image = memory_zeroed(1, EMPTY_BYTES);
    if (image == NULL)
        return memory_failed(EMPTY_BYTES);
    fill_slots(genesis, image);
    genesis_encode(genesis, image + GENESIS_OFFSET);
    edb_status status = write_image(file, image, EMPTY_BYTES);
    memory_free(image);
    return status;
}

/* An empty file of this identity beside `path`; nothing on failure. */
static edb_status begin_file(const char *path, uint32_t mode, const struct genesis *genesis,
                             struct creation *out)
{
    const struct os_io *io = os_current();
    memset(out, 0, sizeof *out);
    (void)io->remove_leftovers(path); /* (17) */
    edb_status status = io->create_temporary(path, mode, &out->file, &out->temporary);
    if (status != EDB_OK)
        return status;
    status = write_empty(out->file, genesis);
    if (status == EDB_OK)
        status = check_openable(path, out->file);
    if (status != EDB_OK) {
        io->remove(out->temporary);
        io->close(out->file);
        memory_free(out->temporary);
    }
    return status;
}

edb_status store_create(const char *path, uint32_t mode)
{
    const struct os_io *io = os_current();
    struct genesis genesis;
    struct creation creation;
    edb_status status = fill_identity(&genesis);
    if (status == EDB_OK)
        status = begin_file(path, mode, &genesis, &creation);
    if (status != EDB_OK)
        return status;
    status = io->publish(creation.temporary, path);
    if (status == EDB_OK) {
        io->unlock(creation.file, OS_LOCK_WRITER); /* under its name it is everybody's */
        status = io->sync_directory(path);
    } else
        io->remove(creation.temporary);
    io->close(creation.file);
    memory_free(creation.temporary);
    return status;
}

/* --------------------------------------------------------------------------------- succession */

static edb_status begin_successor(const struct store *store, struct store_successor *out)
{
    struct genesis genesis = store->genesis;
    struct creation creation;
    if (genesis.edition == UINT64_MAX) /* handles follow to a higher edition only */
        return fail(EDB_CORRUPT,
                    "%s claims to be edition %llu, the last one there can be: export its records "
                    "and import them into a new file",
                    store->path, (unsigned long long)genesis.edition);
    genesis.edition++;
    edb_status status = store_random_number(store->io, &genesis.chain_seed);
    if (status == EDB_OK)
        status = begin_file(out->path, SUCCESSOR_MODE, &genesis, &creation);
    if (status != EDB_OK)
        return status;
    out->temporary = creation.temporary;
    status = store->io->imitate(creation.file, store->file);
    if (status == EDB_OK)
        return store_attach(creation.temporary, creation.file, true, &out->store);
    store->io->close(creation.file);
    return status;
}

edb_status store_successor_create(const struct store *store, struct store_successor *out)
{
    memset(out, 0, sizeof *out);
    edb_status status = store->io->resolve(store->file, store->path, true, &out->path);
    if (status == EDB_OK)
        status = begin_successor(store, out);
    if (status != EDB_OK)
        store_successor_close(out);
    return status;
}

edb_status store_successors_living(const struct store *store, uint32_t *count_out)
{
    char *path;
    edb_status status = store->io->resolve(store->file, store->path, true, &path);
    if (status == EDB_OK)
        *count_out = store->io->remove_leftovers(path);
    memory_free(path);
    return status;
}

static edb_status has_name(const struct store_successor *successor, bool *has_out)
{
    struct os_file *file = successor->store->file;
    return file->io->same_file(file, successor->temporary, has_out, NULL);
}

edb_status store_successor_check(const struct store_successor *successor)
{
    bool has_it;
    edb_status status = has_name(successor, &has_it);
    if (status != EDB_OK || has_it)
        return status;
    return fail(EDB_STALE,
                "%s was removed or replaced while it was made: leave the temporary files of %s "
                "alone",
                successor->temporary, successor->path);
}

static void note_named(struct store_successor *successor)
{
    memory_free(successor->temporary);
    successor->temporary = NULL;
}

edb_status store_successor_publish(struct store_successor *successor)
{
    edb_status status = successor->store->io->replace(successor->temporary, successor->path);
    if (status == EDB_OK)
        note_named(successor);
    return status;
}

/* ------------------------------------------------------------------------------------- rescue */

static edb_status begin_rescue(const struct store *damaged, struct store_successor *out)
{
    struct genesis genesis;
    struct creation creation;
    edb_status status = fill_identity(&genesis);
    if (status == EDB_OK)
        status = begin_file(out->path, SUCCESSOR_MODE, &genesis, &creation);
    if (status != EDB_OK)
        return status;
    out->temporary = creation.temporary;
    status = damaged->io->imitate(creation.file, damaged->file);
    if (status == EDB_OK)
        return store_attach(creation.temporary, creation.file, true, &out->store);
    damaged->io->close(creation.file);
    return status;
}

edb_status store_rescue_create(const struct store *damaged, const char *path,
                               struct store_successor *out)
{
    memset(out, 0, sizeof *out);
    out->path = memory_copy_text(path, strlen(path));
    edb_status status =
        out->path != NULL ? begin_rescue(damaged, out) : memory_failed(strlen(path));
    if (status != EDB_OK)
        store_successor_close(out);
    return status;
}

edb_status store_rescue_publish(struct store_successor *rescue)
{
    const struct os_io *io = rescue->store->io;
    edb_status status = io->publish(rescue->temporary, rescue->path);
    if (status != EDB_OK)
        return status;
    note_named(rescue);
    return io->sync_directory(rescue->path);
}

/* What stands under the temporary name may be somebody else's by now. */
void store_successor_close(struct store_successor *successor)
{
    bool own = successor->temporary != NULL;
    if (own && successor->store != NULL)
        (void)has_name(successor, &own);
    if (own)
        os_current()->remove(successor->temporary);
    store_close(successor->store);
    memory_free(successor->temporary);
    memory_free(successor->path);
    memset(successor, 0, sizeof *successor);
}
