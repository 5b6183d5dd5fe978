/* The table of system functions in use, and the reads that every table shares.
 * Called by store/ and db/; makes no system call itself. */
#include "os/os.h"

#include <stdatomic.h>

static const struct os_io *_Atomic current = &os_posix;

const struct os_io *os_current(void)
{
    return atomic_load_explicit(&current, memory_order_acquire);
}

void os_use(const struct os_io *io)
{
    atomic_store_explicit(&current, io, memory_order_release);
}

edb_status os_read(struct os_file *file, uint64_t offset, void *buffer, size_t bytes)
{
    struct os_read piece = {offset, buffer, bytes, 0};
    edb_status status = file->io->read_batch(file, &piece, 1);
    if (status != EDB_OK)
        return status;
    if (piece.got < bytes)
        return fail(EDB_IO, "the file ends at offset %llu, inside the %zu bytes wanted at %llu",
                    (unsigned long long)(offset + piece.got), bytes, (unsigned long long)offset);
    return EDB_OK;
}
