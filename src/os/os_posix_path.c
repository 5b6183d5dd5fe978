/* The real table's dealings with names: publishing, directories, and what a path leads to. Called
 * through struct os_io only; reads and writes no file content. Temporary names are in
 * os_posix_temporary.c. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/memory.h"
#include "os/os_posix.h"

enum {
    MOUNT_BYTES_MAX = 1024, /* of one line of the mount table that we look at */
};

/* ------------------------------------------------------------------------ names and directories */

/* Gives 0 or an errno. The second way is for filesystems that know no such rename: link never
 * replaces either. Should the unlink fail, the file is whole under its name and a stray
 * temporary name is left beside it. */
static int rename_no_replace(const char *from, const char *to)
{
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP)
        return errno;
    if (link(from, to) != 0)
        return errno;
    unlink(from);
    return 0;
}

static bool leads_nowhere(const char *path)
{
    struct stat found;
    return lstat(path, &found) == 0 && S_ISLNK(found.st_mode) && stat(path, &found) != 0 &&
           errno == ENOENT;
}

edb_status os_posix_publish(const char *temporary, const char *path)
{
    int error = rename_no_replace(temporary, path);
    if (error == 0)
        return EDB_OK;
    if (error == EEXIST && leads_nowhere(path))
        return fail(EDB_IO,
                    "%s is a symbolic link that leads nowhere: remove it, or make what it names",
                    path);
    if (error == EEXIST)
        return fail(EDB_EXISTS, "%s is there already", path);
    return os_posix_fail(error, "give a new file the name", path);
}

edb_status os_posix_replace(const char *temporary, const char *path)
{
    return rename(temporary, path) == 0
               ? EDB_OK
               : os_posix_fail(errno, "put a new file in the place of", path);
}

static int open_directory(const char *directory)
{
    int descriptor;
    do
        descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    while (descriptor < 0 && errno == EINTR);
    return descriptor;
}

edb_status os_posix_sync_directory(const char *path)
{
    size_t length = os_posix_directory_length(path);
    char *directory = length == 0 ? memory_copy_text(".", 1) : memory_copy_text(path, length);
    if (directory == NULL)
        return memory_failed(length + 1);
    edb_status status = EDB_OK;
    int descriptor = open_directory(directory);
    /* EINVAL: a filesystem whose directories know no sync, and need none. */
    if (descriptor < 0 || (fsync(descriptor) != 0 && errno != EINVAL)) {
        char text[OS_EXPLAIN_BYTES];
        status = fail(EDB_IO, "cannot sync the directory %s: %s", directory,
                      os_posix_explain(errno, text));
    }
    if (descriptor >= 0)
        close(descriptor);
    memory_free(directory);
    return status;
}

edb_status os_posix_remove(const char *path)
{
    return unlink(path) == 0 ? EDB_OK : os_posix_fail(errno, "remove", path);
}

/* `path` where it led when the file was opened, in `room` if it is relative. */
static const char *anchored(const struct posix_file *posix, const char *path, char room[PATH_MAX])
{
    if (path[0] == '/' || posix->folder == NULL)
        return path;
    int bytes = snprintf(room, PATH_MAX, "%s/%s", posix->folder, path);
    return bytes > 0 && bytes < PATH_MAX ? room : path;
}

/* What a path leads to. */
struct found_file {
    dev_t device;
    uint64_t inode;
    uint64_t bytes;
};

/* 0 or an errno. Not by stat, which asks for the times as well: Linux from 6.13 on then gives the
 * next write a finer time, and on ext4 the sync of that write pays for a turn of the journal, 120
 * us instead of 80. */
static int find_file(const char *path, struct found_file *out)
{
#ifdef STATX_INO
    struct statx found;
    if (statx(AT_FDCWD, path, 0, STATX_INO | STATX_SIZE, &found) != 0)
        return errno;
    dev_t device = makedev(found.stx_dev_major, found.stx_dev_minor);
    *out = (struct found_file){device, found.stx_ino, found.stx_size};
#else
    struct stat found;
    if (stat(path, &found) != 0)
        return errno;
    *out = (struct found_file){found.st_dev, found.st_ino, (uint64_t)found.st_size};
#endif
    return 0;
}

edb_status os_posix_same_file(struct os_file *file, const char *path, bool *same_out,
                              uint64_t *bytes_out)
{
    struct posix_file *posix = posix_of(file);
    struct found_file found = {0};
    char room[PATH_MAX];
    int error = find_file(anchored(posix, path, room), &found);
    *same_out = error == 0 && found.device == posix->device && found.inode == posix->inode;
    if (bytes_out != NULL)
        *bytes_out = found.bytes;
    if (error == 0 || error == ENOENT || error == ENOTDIR)
        return EDB_OK;
    char text[OS_EXPLAIN_BYTES];
    return fail(EDB_IO, "cannot look at %s: %s", path, os_posix_explain(error, text));
}

edb_status os_posix_resolve(struct os_file *file, const char *path, bool links, char **path_out)
{
    char room[PATH_MAX];
    char found[PATH_MAX];
    const char *resolved = anchored(posix_of(file), path, room);
    *path_out = NULL;
    if (links)
        resolved = realpath(resolved, found);
    if (resolved == NULL && (errno == ENOENT || errno == ENOTDIR))
        return fail(EDB_NOT_FOUND, "%s is gone", path);
    if (resolved == NULL)
        return os_posix_fail(errno, "find", path);
    *path_out = memory_copy_text(resolved, strlen(resolved));
    return *path_out != NULL ? EDB_OK : memory_failed(strlen(resolved));
}

edb_status os_posix_imitate(struct os_file *file, struct os_file *other)
{
    struct stat like;
    int descriptor = posix_of(file)->entry.descriptor;
    if (fstat(posix_of(other)->entry.descriptor, &like) != 0)
        return os_posix_fail(errno, "look at", posix_of(other)->name);
    /* The group alone may be given away by who is in it; nobody is promised it. */
    if (fchown(descriptor, like.st_uid, like.st_gid) != 0 &&
        fchown(descriptor, (uid_t)-1, like.st_gid) != 0 && errno != EPERM)
        return os_posix_fail(errno, "set the owner of", posix_of(file)->name);
    if (fchmod(descriptor, like.st_mode & 07777) != 0)
        return os_posix_fail(errno, "set the permissions of", posix_of(file)->name);
    return EDB_OK;
}

edb_status os_posix_free_bytes(struct os_file *file, uint64_t *bytes_out)
{
    struct statvfs found;
    struct posix_file *posix = posix_of(file);
    *bytes_out = 0;
    if (fstatvfs(posix->entry.descriptor, &found) != 0)
        return os_posix_fail(errno, "ask for the free space beside", posix->name);
    *bytes_out = (uint64_t)found.f_bavail * found.f_frsize;
    return EDB_OK;
}

/* -------------------------------------------------------------------------- network filesystems */

struct magic_name {
    uint32_t magic;
    const char *name;
};

/* Numbers that <linux/magic.h> leaves out are those of statfs(2). Filesystems shared by a
 * cluster count too: their locks and caches are not those of one machine. */
static const struct magic_name network_kinds[] = {
    {NFS_SUPER_MAGIC, "NFS"}, {SMB_SUPER_MAGIC, "SMB"}, {0xFF534D42u, "CIFS"},
    {0xFE534D42u, "SMB"},     {V9FS_MAGIC, "9p"},       {AFS_SUPER_MAGIC, "AFS"},
    {0x6B414653u, "AFS"},     {0x00C36400u, "Ceph"},    {CODA_SUPER_MAGIC, "Coda"},
    {0x0BD00BD0u, "Lustre"},  {0x01161970u, "GFS2"},    {0x7461636Fu, "OCFS2"},
    {0x47504653u, "GPFS"},    {0x013111A8u, "IBRIX"},   {0xAAD7AAEAu, "PanFS"},
};

/* All of FUSE has one number; the mount table tells what is behind it. */
static const char *const network_fuses[] = {
    "fuse.sshfs",   "fuse.glusterfs", "fuse.ceph-fuse", "fuse.s3fs",     "fuse.rclone",
    "fuse.gcsfuse", "fuse.juicefs",   "fuse.goofys",    "fuse.blobfuse", "fuse.blobfuse2",
    "fuse.moosefs", "fuse.mfs",       "fuse.curlftpfs", "fuse.mount-s3", "fuse.seaweedfs",
};

/* One line of the mount table: "36 35 98:0 / /mnt rw,noatime master:1 - ext3 /dev/root rw". */
static const char *network_fuse_of(const char *line, dev_t device)
{
    unsigned major_number, minor_number;
    const char *kind = strstr(line, " - ");
    if (kind == NULL || sscanf(line, "%*d %*d %u:%u", &major_number, &minor_number) != 2)
        return NULL;
    if (major_number != major(device) || minor_number != minor(device))
        return NULL;
    kind += 3;
    for (size_t i = 0; i < sizeof network_fuses / sizeof network_fuses[0]; i++) {
        size_t length = strlen(network_fuses[i]);
        if (strncmp(kind, network_fuses[i], length) == 0 && kind[length] == ' ')
            return network_fuses[i];
    }
    return NULL;
}

static const char *find_network_fuse(dev_t device)
{
    char line[MOUNT_BYTES_MAX];
    const char *found = NULL;
    FILE *mounts = fopen("/proc/self/mountinfo", "re");
    while (mounts != NULL && found == NULL && fgets(line, sizeof line, mounts) != NULL)
        found = network_fuse_of(line, device);
    if (mounts != NULL)
        fclose(mounts);
    return found;
}

bool os_posix_is_network(struct os_file *file, const char **name_out)
{
    struct posix_file *posix = posix_of(file);
    struct statfs found;
    *name_out = NULL;
    if (fstatfs(posix->entry.descriptor, &found) != 0)
        return false;
    uint32_t magic = (uint32_t)found.f_type;
    if (magic == FUSE_SUPER_MAGIC)
        *name_out = find_network_fuse(posix->device);
    for (size_t i = 0; i < sizeof network_kinds / sizeof network_kinds[0]; i++) {
        if (network_kinds[i].magic == magic)
            *name_out = network_kinds[i].name;
    }
    return *name_out != NULL;
}
