/* The real table's temporary files.
 *
 * A new file gets a name of its own first, `.<base>.<16 hex digits>.tmp` in the same directory, and
 * its real name only when it is complete. Its creator holds the writer lock on it for as long as it
 * has that name; the lock dies with the process. So whoever gets the lock on a temporary file has
 * found one that was left behind, and may remove it (17). Called through struct os_io only; reads
 * and writes no file content. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "os/os_posix.h"

enum {
    BASE_BYTES_MAX = 200, /* of the base name in a temporary one, which must stay under 255 */
    SALT_DIGITS = 16,
    TEMPORARY_TRIES = 16, /* equal 64-bit random names: it is not chance after the second */
};

static const char ending[] = ".tmp";

static edb_status name_temporary(const char *path, char **name_out)
{
    uint64_t salt;
    edb_status status = os_posix_random(&salt, sizeof salt);
    if (status != EDB_OK)
        return status;
    size_t directory = os_posix_directory_length(path);
    size_t base = strnlen(path + directory, BASE_BYTES_MAX);
    size_t room = directory + 1 + base + 1 + SALT_DIGITS + sizeof ending;
    *name_out = memory_resize(NULL, room, 1);
    if (*name_out == NULL)
        return memory_failed(room);
    snprintf(*name_out, room, "%.*s.%.*s.%0*llx%s", (int)directory, path, (int)base,
             path + directory, SALT_DIGITS, (unsigned long long)salt, ending);
    return EDB_OK;
}

static edb_status create_failed(int error, const char *path)
{
    char text[OS_EXPLAIN_BYTES];
    switch (error) {
    case ENOENT:
    case ENOTDIR:
        return fail(EDB_NOT_FOUND, "the directory of %s does not exist", path);
    case EACCES:
    case EPERM:
    case EROFS:
        return fail(EDB_READ_ONLY, "no permission to create a file beside %s: %s", path,
                    os_posix_explain(error, text));
    default:
        return os_posix_fail(error, "create a file beside", path);
    }
}

/* Takes the lock, and sees that the name still leads to the file. Between its creation and the lock
 * somebody may have taken it for left behind; then it is given up. Where the filesystem has no
 * locks nobody gets one and nothing is ever removed. */
static bool claim(struct os_file *file, const char *name)
{
    bool same = false;
    return file->io->try_lock(file, OS_LOCK_WRITER) != EDB_BUSY &&
           os_posix_same_file(file, name, &same, NULL) == EDB_OK && same;
}

/* Gives 0 or an errno; EEXIST: another name may do. */
static int create_claimed(const char *name, const char *path, uint32_t mode,
                          struct os_file **file_out)
{
    int error = os_posix_open_file(name, path, O_RDWR | O_CREAT | O_EXCL, mode, file_out);
    if (error != 0 || claim(*file_out, name))
        return error;
    unlink(name);
    (*file_out)->io->close(*file_out);
    *file_out = NULL;
    return EEXIST;
}

edb_status os_posix_create_temporary(const char *path, uint32_t mode, struct os_file **file_out,
                                     char **name_out)
{
    *file_out = NULL;
    *name_out = NULL;
    if (path[os_posix_directory_length(path)] == '\0')
        return fail(EDB_FORMAT, "%s names no file: it ends in a slash or is empty", path);
    int error = EEXIST;
    for (int tries = 0; error == EEXIST && tries < TEMPORARY_TRIES; tries++) {
        memory_free(*name_out);
        *name_out = NULL;
        edb_status status = name_temporary(path, name_out);
        if (status != EDB_OK)
            return status;
        error = create_claimed(*name_out, path, mode, file_out);
    }
    if (error == 0)
        return EDB_OK;
    memory_free(*name_out);
    *name_out = NULL;
    return create_failed(error, path);
}

/* Whether `entry` is a temporary name of the base name `base`. */
static bool is_temporary_of(const char *entry, const char *base)
{
    size_t length = strnlen(base, BASE_BYTES_MAX);
    if (entry[0] != '.' || strncmp(entry + 1, base, length) != 0 || entry[1 + length] != '.')
        return false;
    const char *salt = entry + 1 + length + 1;
    return strspn(salt, "0123456789abcdef") == SALT_DIGITS &&
           strcmp(salt + SALT_DIGITS, ending) == 0;
}

/* With the lock nobody is at work on it; with the name it has not been published meanwhile. False:
 * somebody has the lock. */
static bool remove_unclaimed(const char *name)
{
    struct os_file *file;
    bool same;
    if (os_posix_open_file(name, name, O_RDWR | O_NOFOLLOW, 0, &file) != 0)
        return true;
    edb_status status = file->io->try_lock(file, OS_LOCK_WRITER);
    if (status == EDB_OK && os_posix_same_file(file, name, &same, NULL) == EDB_OK && same &&
        unlink(name) == 0)
        log_event(EDB_LOG_INFO, "%s is removed: it was left behind by a creation that died", name);
    file->io->close(file);
    return status != EDB_BUSY;
}

uint32_t os_posix_remove_leftovers(const char *path)
{
    uint32_t living = 0;
    size_t length = os_posix_directory_length(path);
    size_t room = length + NAME_MAX + 1;
    char *name = memory_resize(NULL, room, 1);
    if (name == NULL)
        return 0;
    snprintf(name, room, "%.*s", (int)length, path);
    DIR *folder = opendir(length > 0 ? name : ".");
    const struct dirent *entry;
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        if (!is_temporary_of(entry->d_name, path + length))
            continue;
        snprintf(name + length, room - length, "%s", entry->d_name);
        if (!remove_unclaimed(name))
            living++;
    }
    if (folder != NULL)
        closedir(folder);
    memory_free(name);
    return living;
}
