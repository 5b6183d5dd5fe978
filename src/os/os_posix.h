/* What the files of the real table share: its open file and the way it tells an errno.
 * Private to os_posix*.c; every other file sees struct os_file only. */
#ifndef EDB_OS_OS_POSIX_H
#define EDB_OS_OS_POSIX_H

#include <stdio.h>
#include <string.h>
#include <sys/types.h>

#include "os/os.h"
#include "os/os_thread.h"

enum {
    OS_EXPLAIN_BYTES = 96, /* room for one errno in words */
    OS_SELF_BYTES = 48,    /* room for a path of os_posix_self_path */
};

/* Where the writer lock is, behind all data; the other locks follow. */
#define OS_LOCK_OFFSET ((off_t)1 << 62)

struct posix_file {
    struct os_file file;
    struct os_fork_entry entry; /* the descriptor; -1 in a child of fork() */
    bool writable;
    dev_t device;
    ino_t inode;
    char *name;   /* as the caller wrote the path; for sentences only */
    char *folder; /* where a relative path began when the file was opened; NULL when unknown */
};

static inline struct posix_file *posix_of(struct os_file *file)
{
    return (struct posix_file *)file;
}

/* A path that leads to the open file itself, whatever its own path names by now. */
static inline const char *os_posix_self_path(const struct posix_file *posix,
                                             char path[OS_SELF_BYTES])
{
    snprintf(path, OS_SELF_BYTES, "/proc/self/fd/%d", posix->entry.descriptor);
    return path;
}

/* The errno in words, in `text` or in static storage. */
const char *os_posix_explain(int error, char text[OS_EXPLAIN_BYTES]);

/* The status of a system call that failed while `doing` ("write to", "create a file in")
 * something named `name`. */
edb_status os_posix_fail(int error, const char *doing, const char *name);

/* Opens or creates the regular file at `path`. Gives 0 or an errno: EISDIR for a directory,
 * ENXIO for anything else that is no regular file, ENOMEM also when the heap or the fork list
 * refused. `name` is what sentences will call it. */
int os_posix_open_file(const char *path, const char *name, int flags, uint32_t mode,
                       struct os_file **file_out);

/* The directory of `path` with its last slash, as a length: 0 = the current one. */
static inline size_t os_posix_directory_length(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? 0 : (size_t)(slash - path) + 1;
}

/* Entries of the table that live in os_posix_temporary.c, os_posix_path.c, os_posix_writers.c and
 * os_posix_machine.c. */
edb_status os_posix_create_temporary(const char *path, uint32_t mode, struct os_file **file_out,
                                     char **name_out);
uint32_t os_posix_remove_leftovers(const char *path);
edb_status os_posix_publish(const char *temporary, const char *path);
edb_status os_posix_replace(const char *temporary, const char *path);
edb_status os_posix_sync_directory(const char *path);
edb_status os_posix_remove(const char *path);
edb_status os_posix_same_file(struct os_file *file, const char *path, bool *same_out,
                              uint64_t *bytes_out);
edb_status os_posix_resolve(struct os_file *file, const char *path, bool links, char **path_out);
edb_status os_posix_imitate(struct os_file *file, struct os_file *other);
edb_status os_posix_free_bytes(struct os_file *file, uint64_t *bytes_out);
bool os_posix_is_network(struct os_file *file, const char **name_out);
void os_posix_describe_writers(struct os_file *file, char *text, size_t bytes);
void os_posix_boot_id(uint8_t id_out[16]);
edb_status os_posix_random(void *buffer, size_t bytes);
uint64_t os_posix_monotonic_ms(void);
uint64_t os_posix_calendar_s(void);
void os_posix_sleep_ms(uint32_t ms);

#endif
