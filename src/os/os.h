/* The system as a table of functions: files, mappings, locks, clock, randomness. No other folder
 * makes a system call.
 *
 * Three tables fill it. os_posix is the real one. os_sim (tests) keeps files in memory, records
 * every write, sync and rename, and builds every state that a crash may legally leave. os_fault
 * (tests) passes calls on to another table and fails the n-th.
 *
 * Every function that can fail returns a status and tells the reason with fail(); none retries a
 * failed sync; none asserts on what the world does. Offsets and lengths are bytes. */
#ifndef EDB_OS_OS_H
#define EDB_OS_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

struct os_io;

/* An open file. Each table has a larger struct that begins with this one. */
struct os_file {
    const struct os_io *io;
};

/* One piece of a batched read; `got` < `bytes` only at the end of the file. */
struct os_read {
    uint64_t offset;
    void *buffer;
    size_t bytes;
    size_t got;
};

/* One piece of a gathered write. */
struct os_span {
    const void *bytes;
    size_t count;
};

/* Whole pages of a file. */
struct os_range {
    uint64_t offset;
    uint64_t bytes;
};

/* What is locked of a file. */
enum os_lock {
    OS_LOCK_WRITER,    /* who appends */
    OS_LOCK_COMPACTION /* who writes the file anew */
};

struct os_io {
    /* Opens an existing file. EDB_NOT_FOUND absent, EDB_READ_ONLY no permission for `writable`,
     * EDB_FORMAT when it is no regular file, EDB_IO. A symbolic link is followed once, here. */
    edb_status (*open)(const char *path, bool writable, struct os_file **file_out);

    /* Creates a file with a temporary name in the directory of `path` (EDB_NOT_FOUND when that is
     * absent), and takes its writer lock: it says that the file is no leftover. `name_out` is freed
     * with memory_free. */
    edb_status (*create_temporary)(const char *path, uint32_t mode, struct os_file **file_out,
                                   char **name_out);

    /* Removes the temporary files of `path` that nobody has locked: their creators died. What
     * cannot be removed stays. Gives how many others there are, whose creators live. */
    uint32_t (*remove_leftovers)(const char *path);

    /* Renames the temporary to `path`, atomically, only if nothing is there (EDB_EXISTS). Not
     * durable before sync_directory. A symbolic link that leads nowhere is EDB_IO. */
    edb_status (*publish)(const char *temporary, const char *path);

    /* Renames the temporary to `path`, atomically, over the file that is there. Not durable before
     * sync_directory. EDB_IO. */
    edb_status (*replace)(const char *temporary, const char *path);

    /* Makes creations and renames in the directory of `path` durable. */
    edb_status (*sync_directory)(const char *path);

    edb_status (*remove)(const char *path);
    void (*close)(struct os_file *file);

    edb_status (*size)(struct os_file *file, uint64_t *bytes_out);

    /* Reads all pieces; one call so that a table may do them at once. Interrupted and short reads
     * are gone on with. */
    edb_status (*read_batch)(struct os_file *file, struct os_read *reads, size_t count);

    /* Writes all spans one after another at `offset`. EDB_FULL: no space, quota or size limit.
     * After a failure any part may have been written. */
    edb_status (*write)(struct os_file *file, uint64_t offset, const struct os_span *spans,
                        size_t count);

    /* Says that [offset, offset + bytes) was written and will be synced soon, so that the device
     * may begin. Waits for nothing and promises nothing: a failure is told by the sync. */
    void (*will_sync)(struct os_file *file, uint64_t offset, uint64_t bytes);

    /* One fdatasync. EDB_IO whatever the reason, a full device included: nobody knows then what is
     * on the device. */
    edb_status (*sync)(struct os_file *file);

    /* Reserves device space for [offset, offset + bytes) and grows the file to its end; the new
     * bytes read as zero. EDB_FULL when there is none: the file may have grown by a part then, no
     * other byte has changed. */
    edb_status (*reserve)(struct os_file *file, uint64_t offset, uint64_t bytes);

    /* Maps [offset, offset + bytes) for reading, shared, also past the end of the file (which must
     * not be touched before the file has grown there). `offset` is a multiple of 64 KiB. */
    edb_status (*map)(struct os_file *file, uint64_t offset, uint64_t bytes,
                      const uint8_t **address_out);
    void (*unmap)(struct os_file *file, const uint8_t *address, uint64_t bytes);

    /* Maps ranges for reading, shared, one behind another in memory; unmapped as one. NULL: this
     * table cannot. EDB_NO_MEMORY: no address space, too many ranges, or the system's pages are
     * larger; EDB_IO. */
    edb_status (*map_joined)(struct os_file *file, const struct os_range *ranges, size_t count,
                             const uint8_t **address_out);

    /* Says that [offset, offset + bytes) will be read soon, in order. Elsewhere nothing is read
     * ahead: reads are random. */
    void (*will_need)(struct os_file *file, uint64_t offset, uint64_t bytes);

    /* Tries to take a lock on the file; EDB_BUSY when another open file has it. Dies with its
     * holder. To unlock what this open file has not locked does nothing. */
    edb_status (*try_lock)(struct os_file *file, enum os_lock lock);
    void (*unlock)(struct os_file *file, enum os_lock lock);

    /* Tries to take one of 2^32 claims, each a lock of its own; false when another open file has
     * it. Dies with its holder. EDB_IO. */
    edb_status (*try_claim)(struct os_file *file, uint32_t number, bool *taken_out);

    /* Gives back what this open file has of `count` claims from `first` on. */
    void (*give_claims)(struct os_file *file, uint32_t first, uint64_t count);

    /* Whether `path` still names this very file; and, if it does, how long that is (NULL: not
     * asked). */
    edb_status (*same_file)(struct os_file *file, const char *path, bool *same_out,
                            uint64_t *bytes_out);

    /* `path`, by which the file was opened, as one that leads to the same place from every working
     * directory; with `links`, followed through symbolic links. Freed with memory_free.
     * EDB_NOT_FOUND (with `links`), EDB_IO, EDB_NO_MEMORY. */
    edb_status (*resolve)(struct os_file *file, const char *path, bool links, char **path_out);

    /* Gives a new file the permissions of another, and, where this process may, its owner. */
    edb_status (*imitate)(struct os_file *file, struct os_file *other);

    /* Bytes that can still be written to the file's device. */
    edb_status (*free_bytes)(struct os_file *file, uint64_t *bytes_out);

    /* Reads what is on the device, past the page cache. EDB_NOT_FOUND when the filesystem cannot
     * tell. */
    edb_status (*read_device)(struct os_file *file, uint64_t offset, void *buffer, size_t bytes);

    /* Whether the file lies on a network filesystem, and that one's name. */
    bool (*is_network)(struct os_file *file, const char **name_out);

    /* Writes into `text` who holds the writer lock, or else who else has the file open for writing,
     * as far as the system shows it: "pid 1234 (python3)"; "" if unknown. */
    void (*describe_writers)(struct os_file *file, char *text, size_t bytes);

    /* Identity of this boot of the machine; all zero when unknown (then it equals no other). */
    void (*boot_id)(uint8_t id_out[16]);

    edb_status (*random)(void *buffer, size_t bytes);
    uint64_t (*monotonic_ms)(void);

    /* Seconds since 1970 by the calendar clock, which may jump. */
    uint64_t (*calendar_s)(void);
    void (*sleep_ms)(uint32_t ms);
};

extern const struct os_io os_posix;

/* The table that opens files from now on: os_posix unless a test has put another in place. */
const struct os_io *os_current(void);
void os_use(const struct os_io *io);

/* One plain read; EDB_IO names the place when the file ends before `bytes`. */
edb_status os_read(struct os_file *file, uint64_t offset, void *buffer, size_t bytes);

#endif
