/* The real table: open files, reads and writes, space, mappings and locks on a POSIX system (Linux
 * first).
 *
 * The writer lock is an OFD lock on one byte at offset 2^62, where no data ever lies: unlike the
 * older fcntl lock it excludes a second descriptor of the same process and is not lost when an
 * unrelated descriptor of the file is closed.
 *
 * Every call goes on after EINTR and after a short transfer, except fdatasync: the system may
 * forget the pages whose write-back failed, so a second one would tell nothing. A write over the
 * process's file size limit (EFBIG) also raises SIGXFSZ; the library touches no signals, so a
 * program with such a limit has to ignore that one itself.
 *
 * Called through struct os_io only. Paths are in os_posix_path.c, temporary files in
 * os_posix_temporary.c, other processes in os_posix_writers.c. */
#include "os/os_posix.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/memory.h"

_Static_assert(sizeof(off_t) == 8, "build with _FILE_OFFSET_BITS=64");

enum {
    SPANS_AT_ONCE = 64,
    ZEROS_AT_ONCE = 64 * 1024,
    DEVICE_UNIT = 4096, /* alignment that O_DIRECT is content with on every common device */
    DEVICE_AT_ONCE = 256 * 1024
};

/* Behind the other locks; a claim is the byte of its number. */
#define CLAIMS_OFFSET (OS_LOCK_OFFSET + ((off_t)1 << 32))

/* ------------------------------------------------------------------------------------- failures */

const char *os_posix_explain(int error, char text[OS_EXPLAIN_BYTES])
{
#ifdef __GLIBC__
    return strerror_r(error, text, OS_EXPLAIN_BYTES);
#else
    if (strerror_r(error, text, OS_EXPLAIN_BYTES) != 0)
        snprintf(text, OS_EXPLAIN_BYTES, "errno %d", error);
    return text;
#endif
}

static edb_status status_of(int error)
{
    switch (error) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return EDB_FULL;
    case EACCES:
    case EPERM:
    case EROFS:
        return EDB_READ_ONLY;
    case ENOENT:
    case ENOTDIR:
        return EDB_NOT_FOUND;
    case ENOMEM:
        return EDB_NO_MEMORY;
    case ENAMETOOLONG:
        return EDB_INVALID;
    default:
        return EDB_IO;
    }
}

/* Ends the sentence of an error that somebody can do something about. */
static const char *way_out(int error)
{
    switch (error) {
    case ENOSPC:
        return ": make room there";
    case EDQUOT:
        return ": make room, or have the quota raised";
    case EFBIG:
        return ": raise the limit (ulimit -f)";
    default:
        return "";
    }
}

edb_status os_posix_fail(int error, const char *doing, const char *name)
{
    char text[OS_EXPLAIN_BYTES];
    return fail(status_of(error), "cannot %s %s: %s%s", doing, name, os_posix_explain(error, text),
                way_out(error));
}

/* A transfer that failed in the middle of the file: EDB_FULL for want of space, else EDB_IO. */
static edb_status fail_at(int error, const char *doing, const struct posix_file *posix,
                          uint64_t offset)
{
    char text[OS_EXPLAIN_BYTES];
    edb_status status = status_of(error) == EDB_FULL ? EDB_FULL : EDB_IO;
    return fail(status, "cannot %s %s at offset %llu: %s%s", doing, posix->name,
                (unsigned long long)offset, os_posix_explain(error, text), way_out(error));
}

/* ------------------------------------------------------------------------------- open and close */

/* 0, 1 and 2 are where a program prints: a file there would be written over by the first
 * message. */
static int lift_descriptor(int descriptor)
{
    if (descriptor > STDERR_FILENO || descriptor < 0)
        return descriptor;
    int lifted = fcntl(descriptor, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    int error = errno;
    close(descriptor);
    errno = error;
    return lifted;
}

static int open_descriptor(const char *path, int flags, uint32_t mode)
{
    int descriptor;
    do
        /* O_NONBLOCK: a FIFO is refused afterwards instead of waited for; it means nothing to a
         * regular file. */
        descriptor = open(path, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, (mode_t)mode);
    while (descriptor < 0 && errno == EINTR);
    return lift_descriptor(descriptor);
}

/* Opens until no fork has come between the opening and the registering. */
static int open_registered(const char *path, int flags, uint32_t mode, struct os_fork_entry *entry)
{
    for (;;) {
        uint64_t ticket;
        if (os_fork_ticket(&ticket) != EDB_OK)
            return ENOMEM;
        entry->descriptor = open_descriptor(path, flags, mode);
        if (entry->descriptor < 0)
            return errno;
        if (os_fork_register(entry, ticket))
            return 0;
        close(entry->descriptor);
        flags &= ~(O_CREAT | O_EXCL);
    }
}

/* What kind of file it is and which; 0 or an errno. */
static int identify(struct posix_file *posix)
{
    struct stat found;
    if (fstat(posix->entry.descriptor, &found) != 0)
        return errno;
    if (!S_ISREG(found.st_mode))
        return S_ISDIR(found.st_mode) ? EISDIR : ENXIO;
    posix->device = found.st_dev;
    posix->inode = found.st_ino;
    /* What is read by calls is headers and slots: nothing around them is wanted. */
    (void)posix_fadvise(posix->entry.descriptor, 0, 0, POSIX_FADV_RANDOM);
    return 0;
}

static void close_file(struct os_file *file)
{
    struct posix_file *posix = posix_of(file);
    int descriptor = os_fork_forget(&posix->entry);
    if (descriptor >= 0)
        close(descriptor);
    memory_free(posix->name);
    memory_free(posix->folder);
    memory_free(posix);
}

/* The program may go elsewhere later. NULL when it cannot be told. */
static char *current_folder(void)
{
    char folder[PATH_MAX];
    if (getcwd(folder, sizeof folder) == NULL)
        return NULL;
    return memory_copy_text(folder, strlen(folder));
}

int os_posix_open_file(const char *path, const char *name, int flags, uint32_t mode,
                       struct os_file **file_out)
{
    struct posix_file *posix = memory_zeroed(1, sizeof *posix);
    char *copy = memory_copy_text(name, strlen(name));
    int error = posix == NULL || copy == NULL ? ENOMEM : 0;
    if (error == 0)
        error = open_registered(path, flags, mode, &posix->entry);
    if (error != 0) {
        memory_free(copy);
        memory_free(posix);
        return error;
    }
    posix->file.io = &os_posix;
    posix->name = copy;
    posix->folder = current_folder();
    posix->writable = (flags & O_ACCMODE) != O_RDONLY;
    error = identify(posix);
    if (error != 0)
        close_file(&posix->file);
    else
        *file_out = &posix->file;
    return error;
}

static edb_status open_file(const char *path, bool writable, struct os_file **file_out)
{
    *file_out = NULL;
    int error = os_posix_open_file(path, path, writable ? O_RDWR : O_RDONLY, 0, file_out);
    switch (error) {
    case 0:
        return EDB_OK;
    case ENOENT:
        return fail(EDB_NOT_FOUND, "there is no file %s", path);
    case EISDIR:
        return fail(EDB_FORMAT, "%s is a directory: name a file", path);
    case ENXIO:
        return fail(EDB_FORMAT, "%s is no regular file: name one on a disk", path);
    case EACCES:
    case EPERM:
        return writable
                   ? fail(EDB_READ_ONLY,
                          "no permission to write %s: ask its owner, or open it read-only", path)
                   : fail(EDB_IO, "no permission to read %s: ask its owner", path);
    case EROFS:
    case ETXTBSY:
        return fail(
            EDB_READ_ONLY,
            "%s cannot be written where it is: copy it to another disk, or open it read-only",
            path);
    default:
        return os_posix_fail(error, "open", path);
    }
}

/* ------------------------------------------------------------------------------- read and write */

/* Whether the range can be named to the system at all: off_t is signed. */
static bool range_is_addressable(uint64_t offset, uint64_t bytes)
{
    return range_within(offset, bytes, INT64_MAX);
}

static edb_status file_size(struct os_file *file, uint64_t *bytes_out)
{
    struct posix_file *posix = posix_of(file);
    struct stat found;
    if (fstat(posix->entry.descriptor, &found) != 0)
        return os_posix_fail(errno, "tell the size of", posix->name);
    *bytes_out = (uint64_t)found.st_size;
    return EDB_OK;
}

static edb_status read_piece(struct posix_file *posix, struct os_read *piece)
{
    piece->got = 0;
    if (!range_is_addressable(piece->offset, piece->bytes))
        return fail_at(EOVERFLOW, "read from", posix, piece->offset);
    while (piece->got < piece->bytes) {
        uint64_t at = piece->offset + piece->got;
        ssize_t got = pread(posix->entry.descriptor, (char *)piece->buffer + piece->got,
                            piece->bytes - piece->got, (off_t)at);
        if (got == 0)
            return EDB_OK;
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fail_at(errno, "read from", posix, at);
        piece->got += (size_t)got;
    }
    return EDB_OK;
}

static edb_status read_batch(struct os_file *file, struct os_read *reads, size_t count)
{
    edb_status status = EDB_OK;
    for (size_t i = 0; i < count && status == EDB_OK; i++)
        status = read_piece(posix_of(file), &reads[i]);
    return status;
}

/* The spans from byte `skip` of the first one on, as the system wants them; at most
 * SPANS_AT_ONCE. */
static int gather(const struct os_span *spans, size_t count, size_t skip, struct iovec *vectors)
{
    int used = 0;
    for (size_t i = 0; i < count && used < SPANS_AT_ONCE; i++) {
        /* The system takes a pointer to non-const for both directions. */
        vectors[used].iov_base = (char *)(uintptr_t)spans[i].bytes + skip;
        vectors[used].iov_len = spans[i].count - skip;
        used += vectors[used].iov_len > 0;
        skip = 0;
    }
    return used;
}

static edb_status write_spans(struct os_file *file, uint64_t offset, const struct os_span *spans,
                              size_t count)
{
    struct posix_file *posix = posix_of(file);
    assert(posix->writable);
    size_t skip = 0;
    for (;;) {
        while (count > 0 && skip >= spans->count) {
            skip -= spans->count;
            spans++;
            count--;
        }
        if (count == 0)
            return EDB_OK;
        struct iovec vectors[SPANS_AT_ONCE];
        int used = gather(spans, count, skip, vectors);
        if (offset > INT64_MAX)
            return fail_at(EFBIG, "write to", posix, offset);
        ssize_t written = pwritev(posix->entry.descriptor, vectors, used, (off_t)offset);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return fail_at(written < 0 ? errno : EIO, "write to", posix, offset);
        offset += (uint64_t)written;
        skip += (size_t)written;
    }
}

/* Linux only; it neither waits nor takes a failure away from the fdatasync that follows. */
static void will_sync(struct os_file *file, uint64_t offset, uint64_t bytes)
{
#ifdef SYNC_FILE_RANGE_WRITE
    if (range_is_addressable(offset, bytes))
        (void)sync_file_range(posix_of(file)->entry.descriptor, (off_t)offset, (off_t)bytes,
                              SYNC_FILE_RANGE_WRITE);
#else
    (void)file, (void)offset, (void)bytes;
#endif
}

static edb_status sync_file(struct os_file *file)
{
    struct posix_file *posix = posix_of(file);
    if (fdatasync(posix->entry.descriptor) == 0)
        return EDB_OK;
    char text[OS_EXPLAIN_BYTES];
    return fail(EDB_IO, "cannot sync %s: %s", posix->name, os_posix_explain(errno, text));
}

/* --------------------------------------------------------------------------- space and mappings */

/* For a filesystem that cannot reserve: writes zeros from the end of the file on, which takes
 * the space as surely. */
static edb_status grow_by_zeros(struct os_file *file, uint64_t end)
{
    static const char zeros[ZEROS_AT_ONCE];
    uint64_t size;
    edb_status status = file_size(file, &size);
    while (status == EDB_OK && size < end) {
        uint64_t left = end - size;
        struct os_span span = {zeros, left < ZEROS_AT_ONCE ? (size_t)left : ZEROS_AT_ONCE};
        status = write_spans(file, size, &span, 1);
        size += span.count;
    }
    return status;
}

static edb_status reserve(struct os_file *file, uint64_t offset, uint64_t bytes)
{
    struct posix_file *posix = posix_of(file);
    assert(posix->writable);
    if (bytes == 0)
        return EDB_OK;
    if (!range_is_addressable(offset, bytes))
        return fail_at(EFBIG, "reserve space in", posix, offset);
    int result;
    do
        result = fallocate(posix->entry.descriptor, 0, (off_t)offset, (off_t)bytes);
    while (result != 0 && errno == EINTR);
    if (result == 0)
        return EDB_OK;
    if (errno == EOPNOTSUPP || errno == ENOSYS)
        return grow_by_zeros(file, offset + bytes);
    return fail_at(errno, "reserve space in", posix, offset);
}

/* A description of the same file that holds no lock. A mapping keeps its description alive, also in
 * the child of a fork: the lock must not live on there. Where the system cannot give one, the
 * file's own. */
static int open_unlocked(const struct posix_file *posix)
{
    char self[OS_SELF_BYTES];
    if (!posix->writable)
        return posix->entry.descriptor;
    int descriptor = open_descriptor(os_posix_self_path(posix, self), O_RDONLY, 0);
    return descriptor < 0 ? posix->entry.descriptor : descriptor;
}

static edb_status map(struct os_file *file, uint64_t offset, uint64_t bytes,
                      const uint8_t **address_out)
{
    struct posix_file *posix = posix_of(file);
    assert(offset % 65536 == 0 && bytes > 0);
    *address_out = NULL;
    void *address = MAP_FAILED;
    errno = ENOMEM;
    int descriptor = open_unlocked(posix);
    if (range_is_addressable(offset, bytes) && bytes <= SIZE_MAX)
        address = mmap(NULL, (size_t)bytes, PROT_READ, MAP_SHARED, descriptor, (off_t)offset);
    if (descriptor != posix->entry.descriptor)
        close(descriptor);
    if (address != MAP_FAILED) {
        /* Advice only. Without it a device that reads far ahead fetches megabytes for a row. */
        (void)madvise(address, (size_t)bytes, MADV_RANDOM);
        *address_out = address;
        return EDB_OK;
    }
    if (errno == ENOMEM)
        return fail(EDB_NO_MEMORY,
                    "%s needs %llu MiB of address space, more than this process may still have: "
                    "raise its limit (ulimit -v)",
                    posix->name, (unsigned long long)bytes >> 20);
    char text[OS_EXPLAIN_BYTES];
    return fail(EDB_IO, "cannot map %llu bytes of %s: %s", (unsigned long long)bytes, posix->name,
                os_posix_explain(errno, text));
}

static bool map_over(int descriptor, const struct os_range *ranges, size_t count, uint8_t *address)
{
    for (size_t i = 0; i < count; i++) {
        if (mmap(address, (size_t)ranges[i].bytes, PROT_READ, MAP_SHARED | MAP_FIXED, descriptor,
                 (off_t)ranges[i].offset) == MAP_FAILED)
            return false;
        address += ranges[i].bytes;
    }
    return true;
}

/* Address space for all of it first; then the ranges, in its place. */
static edb_status map_joined(struct os_file *file, const struct os_range *ranges, size_t count,
                             const uint8_t **address_out)
{
    struct posix_file *posix = posix_of(file);
    uint64_t bytes = 0;
    for (size_t i = 0; i < count; i++)
        bytes += ranges[i].bytes;
    *address_out = NULL;
    uint8_t *address =
        mmap(NULL, (size_t)bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (address == MAP_FAILED)
        return fail(EDB_NO_MEMORY, "%s: no address space for %llu MiB", posix->name,
                    (unsigned long long)bytes >> 20);
    int descriptor = open_unlocked(posix);
    bool whole = map_over(descriptor, ranges, count, address);
    if (descriptor != posix->entry.descriptor)
        close(descriptor);
    if (whole) {
        *address_out = address;
        return EDB_OK;
    }
    munmap(address, (size_t)bytes);
    return fail(EDB_NO_MEMORY, "%s: %zu ranges cannot be mapped as one", posix->name, count);
}

static void will_need(struct os_file *file, uint64_t offset, uint64_t bytes)
{
    if (range_is_addressable(offset, bytes))
        (void)posix_fadvise(posix_of(file)->entry.descriptor, (off_t)offset, (off_t)bytes,
                            POSIX_FADV_WILLNEED);
}

static void unmap(struct os_file *file, const uint8_t *address, uint64_t bytes)
{
    (void)file;
    int result = munmap((void *)(uintptr_t)address, (size_t)bytes);
    assert(result == 0);
    (void)result;
}

/* ------------------------------------------------------------------------------------ the locks */

static int set_lock(struct posix_file *posix, off_t start, uint64_t bytes, short kind)
{
    struct flock range = {
        .l_type = kind, .l_whence = SEEK_SET, .l_start = start, .l_len = (off_t)bytes, .l_pid = 0};
    int result;
    do
        result = fcntl(posix->entry.descriptor, F_OFD_SETLK, &range);
    while (result != 0 && errno == EINTR);
    return result == 0 ? 0 : errno;
}

static edb_status try_lock(struct os_file *file, enum os_lock lock)
{
    struct posix_file *posix = posix_of(file);
    assert(posix->writable);
    int error = set_lock(posix, OS_LOCK_OFFSET + (off_t)lock, 1, F_WRLCK);
    if (error == 0)
        return EDB_OK;
    if (error == EAGAIN || error == EACCES)
        return fail(EDB_BUSY,
                    lock == OS_LOCK_WRITER ? "another writer holds %s"
                                           : "%s is being compacted already",
                    posix->name);
    char text[OS_EXPLAIN_BYTES];
    return fail(EDB_IO, "cannot lock %s: %s", posix->name, os_posix_explain(error, text));
}

static void unlock(struct os_file *file, enum os_lock lock)
{
    set_lock(posix_of(file), OS_LOCK_OFFSET + (off_t)lock, 1, F_UNLCK);
}

static edb_status try_claim(struct os_file *file, uint32_t number, bool *taken_out)
{
    struct posix_file *posix = posix_of(file);
    assert(posix->writable);
    int error = set_lock(posix, CLAIMS_OFFSET + (off_t)number, 1, F_WRLCK);
    *taken_out = error == 0;
    if (error == 0 || error == EAGAIN || error == EACCES)
        return EDB_OK;
    char text[OS_EXPLAIN_BYTES];
    return fail(EDB_IO, "cannot lock a claim of %s: %s", posix->name,
                os_posix_explain(error, text));
}

static void give_claims(struct os_file *file, uint32_t first, uint64_t count)
{
    set_lock(posix_of(file), CLAIMS_OFFSET + (off_t)first, count, F_UNLCK);
}

/* ------------------------------------------------------------------------ what is on the device */

/* One aligned read past the page cache; short at the end of the file. Gives the bytes or -errno. */
static ssize_t read_aligned(int descriptor, uint64_t offset, uint8_t *unit, size_t bytes)
{
    size_t got = 0;
    while (got < bytes) {
        ssize_t more = pread(descriptor, unit + got, bytes - got, (off_t)(offset + got));
        if (more < 0 && errno == EINTR)
            continue;
        if (more < 0)
            return -errno;
        got += (size_t)more;
        /* What is not a multiple of the unit was cut by the end of the file. */
        if (more == 0 || more % DEVICE_UNIT != 0)
            break;
    }
    return (ssize_t)got;
}

static edb_status read_past_cache(struct posix_file *posix, int descriptor, struct os_read *piece,
                                  uint8_t *bounce)
{
    while (piece->got < piece->bytes) {
        uint64_t at = piece->offset + piece->got;
        size_t left = piece->bytes - piece->got;
        size_t skip = (size_t)(at % DEVICE_UNIT);
        size_t reach = (size_t)round_up(skip + left, DEVICE_UNIT);
        size_t asked = reach < DEVICE_AT_ONCE ? reach : DEVICE_AT_ONCE;
        ssize_t got = read_aligned(descriptor, at - skip, bounce, asked);
        if (got == -EINVAL || got == -EOPNOTSUPP)
            return fail(EDB_NOT_FOUND, "%s cannot be read past the page cache", posix->name);
        if (got < 0)
            return fail_at((int)-got, "read the device under", posix, at);
        if ((size_t)got <= skip)
            return fail(EDB_IO, "%s ends before offset %llu", posix->name, (unsigned long long)at);
        size_t useful = (size_t)got - skip < left ? (size_t)got - skip : left;
        memcpy((char *)piece->buffer + piece->got, bounce + skip, useful);
        piece->got += useful;
    }
    return EDB_OK;
}

/* Dirty pages in the range are written to the device by the system first, so what differs from the
 * cache after this is what a failed sync has lost. */
static edb_status read_device(struct os_file *file, uint64_t offset, void *buffer, size_t bytes)
{
    struct posix_file *posix = posix_of(file);
    if (!range_is_addressable(offset, bytes))
        return fail_at(EOVERFLOW, "read the device under", posix, offset);
    char self[OS_SELF_BYTES];
    int descriptor = open_descriptor(os_posix_self_path(posix, self), O_RDONLY | O_DIRECT, 0);
    if (descriptor < 0)
        return fail(EDB_NOT_FOUND, "%s cannot be read past the page cache", posix->name);
    size_t room = DEVICE_AT_ONCE + DEVICE_UNIT;
    uint8_t *memory = memory_aligned(room);
    edb_status status = memory == NULL ? memory_failed(room) : EDB_OK;
    if (memory != NULL) {
        uint8_t *bounce = (uint8_t *)(uintptr_t)round_up((uintptr_t)memory, DEVICE_UNIT);
        struct os_read piece = {offset, buffer, bytes, 0};
        status = read_past_cache(posix, descriptor, &piece, bounce);
    }
    memory_free(memory);
    close(descriptor);
    return status;
}

const struct os_io os_posix = {
    .open = open_file,
    .create_temporary = os_posix_create_temporary,
    .remove_leftovers = os_posix_remove_leftovers,
    .publish = os_posix_publish,
    .replace = os_posix_replace,
    .sync_directory = os_posix_sync_directory,
    .remove = os_posix_remove,
    .close = close_file,
    .size = file_size,
    .read_batch = read_batch,
    .write = write_spans,
    .will_sync = will_sync,
    .sync = sync_file,
    .reserve = reserve,
    .map = map,
    .map_joined = map_joined,
    .will_need = will_need,
    .unmap = unmap,
    .try_lock = try_lock,
    .unlock = unlock,
    .try_claim = try_claim,
    .give_claims = give_claims,
    .same_file = os_posix_same_file,
    .resolve = os_posix_resolve,
    .imitate = os_posix_imitate,
    .free_bytes = os_posix_free_bytes,
    .read_device = read_device,
    .is_network = os_posix_is_network,
    .describe_writers = os_posix_describe_writers,
    .boot_id = os_posix_boot_id,
    .random = os_posix_random,
    .monotonic_ms = os_posix_monotonic_ms,
    .calendar_s = os_posix_calendar_s,
    .sleep_ms = os_posix_sleep_ms,
};
