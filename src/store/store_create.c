/* Makes an empty .edb file: two slots, GENESIS, one zero page. Called by db_open. The file is
 * complete and on the device before it has its name (15). */
#include <string.h>

#include "base/memory.h"
#include "store/store.h"
#include "store/store_map.h"

static edb_status fill_identity(struct genesis *genesis)
{
    uint64_t seeds[2];
    memset(genesis, 0, sizeof *genesis);
    genesis->version = FORMAT_VERSION;
    const struct os_io *io = os_current();
    edb_status status = io->random(genesis->uuid, sizeof genesis->uuid);
    if (status == EDB_OK)
        status = io->random(seeds, sizeof seeds);
    genesis->hash_seed = seeds[0];
    genesis->chain_seed = seeds[1];
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

edb_status store_create(const char *path, uint32_t mode)
{
    const struct os_io *io = os_current();
    const size_t bytes = FIRST_FRAME_OFFSET + PAGE_BYTES;
    struct genesis genesis;
    struct os_file *file = NULL;
    char *temporary = NULL;
    uint8_t *image = memory_zeroed(1, bytes);
    if (image == NULL)
        return memory_failed(bytes);
    edb_status status = fill_identity(&genesis);
    if (status == EDB_OK) {
        io->remove_leftovers(path); /* (17) */
        status = io->create_temporary(path, mode, &file, &temporary);
    }
    if (status != EDB_OK)
        goto out;
    fill_slots(&genesis, image);
    genesis_encode(&genesis, image + GENESIS_OFFSET);
    status = write_image(file, image, bytes);
    if (status == EDB_OK)
        status = check_openable(path, file);
    if (status == EDB_OK)
        status = io->publish(temporary, path);
    if (status == EDB_OK) {
        io->unlock(file); /* under its name it is everybody's */
        status = io->sync_directory(path);
    } else
        io->remove(temporary);
out:
    if (file != NULL)
        io->close(file);
    memory_free(temporary);
    memory_free(image);
    return status;
}
