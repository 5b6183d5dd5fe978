/* The table over one memfd: mapped once for the library (read-only, far past the end) and once for
 * the test. Called through os.h and memory_file.h. */
#include "support/memory_file.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const uint64_t window_bytes = 1ull << 30;

static struct {
    int descriptor;
    size_t count;
    uint8_t *bytes;        /* the test's mapping */
    const uint8_t *window; /* the library's */
    uint8_t boot_id[16];
    size_t open_count;
} one;

bool memory_file_begin(const void *bytes, size_t count)
{
    memset(&one, 0, sizeof one);
    one.descriptor = memfd_create("memory_file", MFD_CLOEXEC);
    if (one.descriptor < 0 || ftruncate(one.descriptor, (off_t)count) != 0)
        return false;
    void *window =
        mmap(NULL, window_bytes, PROT_READ, MAP_SHARED | MAP_NORESERVE, one.descriptor, 0);
    void *own = mmap(NULL, window_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE,
                     one.descriptor, 0);
    if (window == MAP_FAILED || own == MAP_FAILED)
        return false;
    one.window = window;
    one.bytes = own;
    one.count = count;
    memcpy(one.bytes, bytes, count);
    return true;
}

void memory_file_end(void)
{
    assert(one.open_count == 0);
    munmap((void *)(uintptr_t)one.window, window_bytes);
    munmap(one.bytes, window_bytes);
    close(one.descriptor);
}

uint8_t *memory_file_bytes(void)
{
    return one.bytes;
}

void memory_file_resize(size_t count)
{
    int result = ftruncate(one.descriptor, (off_t)count);
    assert(result == 0);
    (void)result;
    one.count = count;
}

void memory_file_set_boot_id(const uint8_t id[16])
{
    memcpy(one.boot_id, id, sizeof one.boot_id);
}

size_t memory_file_open_count(void)
{
    return one.open_count;
}

/* ------------------------------------------------------------------------------------ the table */

static edb_status open_file(const char *path, bool writable, struct os_file **file_out)
{
    static struct os_file file = {&memory_file};
    *file_out = NULL;
    if (writable)
        return fail(EDB_READ_ONLY, "%s is a file in memory that is only read", path);
    one.open_count++;
    *file_out = &file;
    return EDB_OK;
}

static void close_file(struct os_file *file)
{
    (void)file;
    one.open_count--;
}

static edb_status file_size(struct os_file *file, uint64_t *bytes_out)
{
    (void)file;
    *bytes_out = one.count;
    return EDB_OK;
}

static edb_status read_batch(struct os_file *file, struct os_read *reads, size_t count)
{
    (void)file;
    for (size_t i = 0; i < count; i++) {
        struct os_read *read = &reads[i];
        size_t there = read->offset < one.count ? one.count - (size_t)read->offset : 0;
        read->got = there < read->bytes ? there : read->bytes;
        memcpy(read->buffer, one.bytes + (there > 0 ? read->offset : 0), read->got);
    }
    return EDB_OK;
}

static edb_status map(struct os_file *file, uint64_t offset, uint64_t bytes,
                      const uint8_t **address_out)
{
    (void)file;
    *address_out = NULL;
    if (offset > window_bytes || bytes > window_bytes - offset)
        return fail(EDB_NO_MEMORY, "the window of a file in memory ends before %llu",
                    (unsigned long long)(offset + bytes));
    *address_out = one.window + offset;
    return EDB_OK;
}

static void will_sync(struct os_file *file, uint64_t offset, uint64_t bytes)
{
    (void)file;
    (void)offset;
    (void)bytes;
}

static void will_need(struct os_file *file, uint64_t offset, uint64_t bytes)
{
    (void)file;
    (void)offset;
    (void)bytes;
}

static void unmap(struct os_file *file, const uint8_t *address, uint64_t bytes)
{
    (void)file;
    (void)address;
    (void)bytes;
}

static edb_status same_file(struct os_file *file, const char *path, bool *same_out,
                            uint64_t *bytes_out)
{
    (void)path;
    *same_out = true;
    return bytes_out == NULL ? EDB_OK : file_size(file, bytes_out);
}

static bool is_network(struct os_file *file, const char **name_out)
{
    (void)file;
    *name_out = NULL;
    return false;
}

static void boot_id(uint8_t id_out[16])
{
    memcpy(id_out, one.boot_id, sizeof one.boot_id);
}

static uint64_t monotonic_ms(void)
{
    return 0;
}

static uint64_t calendar_s(void)
{
    return 1800000000;
}

/* Whatever writes, locks or draws lots is missing: a reader that calls it crashes the test. */
const struct os_io memory_file = {
    .open = open_file,
    .close = close_file,
    .size = file_size,
    .read_batch = read_batch,
    .map = map,
    .unmap = unmap,
    .will_sync = will_sync,
    .will_need = will_need,
    .same_file = same_file,
    .is_network = is_network,
    .boot_id = boot_id,
    .monotonic_ms = monotonic_ms,
    .calendar_s = calendar_s,
};
