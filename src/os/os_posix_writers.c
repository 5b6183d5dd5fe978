/* Who holds a file: looked up in /proc for the sentence of EDB_BUSY, and for nothing else.
 *
 * Every process shows its descriptors as links in /proc/<pid>/fd, and in /proc/<pid>/fdinfo how
 * each was opened and which locks it has. Processes of other users show nothing, and what is
 * shown may be out of date when it is read: the answer is for people. The search stops after a
 * bounded number of descriptors or milliseconds. Called through struct os_io only. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/os_posix.h"

enum {
    DESCRIPTORS_MAX = 20000,
    SEARCH_MS_MAX = 50,
    WRITERS_NAMED_MAX = 3,
    LINK_BYTES_MAX = 512,
    INFO_BYTES_MAX = 1024,
    COMMAND_BYTES_MAX = 32,
};

struct search {
    const struct posix_file *wanted;
    char link[LINK_BYTES_MAX]; /* what /proc shows for our own descriptor */
    uint64_t until_ms;
    int descriptors;
    bool found_lock; /* the writer lock's holder is found: nobody else matters */
    bool found_self; /* another descriptor of this process */
    int others;
    char *text;
    size_t bytes;
};

static void search_process(struct search *search, long pid);
static void search_descriptor(struct search *search, long pid, int descriptor);
static bool is_wanted(const struct search *search, const char *path);
static bool read_text(const char *path, char *text, size_t bytes);
static void name_process(struct search *search, long pid);

/* A name that consists of digits only, as a number; -1 for any other. */
static long number_of(const char *name)
{
    char *end;
    if (name[0] < '0' || name[0] > '9')
        return -1;
    long number = strtol(name, &end, 10);
    return *end == '\0' ? number : -1;
}

static bool goes_on(const struct search *search)
{
    return !search->found_lock && search->descriptors < DESCRIPTORS_MAX &&
           os_posix_monotonic_ms() < search->until_ms;
}

/* The link of a descriptor; "" if it cannot be read or is too long to compare. */
static void read_link(const char *path, char link[LINK_BYTES_MAX])
{
    ssize_t length = readlink(path, link, LINK_BYTES_MAX);
    link[length > 0 && length < LINK_BYTES_MAX ? length : 0] = '\0';
}

void os_posix_describe_writers(struct os_file *file, char *text, size_t bytes)
{
    struct search search = {.wanted = posix_of(file), .text = text, .bytes = bytes};
    if (bytes == 0)
        return;
    text[0] = '\0';
    char self[OS_SELF_BYTES];
    read_link(os_posix_self_path(search.wanted, self), search.link);
    DIR *processes = search.link[0] == '\0' ? NULL : opendir("/proc");
    if (processes == NULL)
        return;
    search.until_ms = os_posix_monotonic_ms() + SEARCH_MS_MAX;
    const struct dirent *entry;
    while (goes_on(&search) && (entry = readdir(processes)) != NULL) {
        long pid = number_of(entry->d_name);
        if (pid > 0)
            search_process(&search, pid);
    }
    closedir(processes);
    if (search.text[0] == '\0' && search.found_self)
        snprintf(text, bytes, "another handle of this process");
}

static void search_process(struct search *search, long pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%ld/fd", pid);
    DIR *descriptors = opendir(path);
    if (descriptors == NULL)
        return;
    const struct dirent *entry;
    while (goes_on(search) && (entry = readdir(descriptors)) != NULL) {
        long number = number_of(entry->d_name);
        bool own = pid == (long)getpid() && number == search->wanted->entry.descriptor;
        search->descriptors++;
        if (number >= 0 && !own)
            search_descriptor(search, pid, (int)number);
    }
    closedir(descriptors);
}

static void search_descriptor(struct search *search, long pid, int descriptor)
{
    char path[64], info[INFO_BYTES_MAX], writer_lock[32];
    unsigned flags = 0;
    /* "lock: 1: OFDLCK ADVISORY WRITE -1 08:01:77 <first byte> <last byte>", ordered by the first:
     * the other locks of a file are not its writer's. */
    snprintf(writer_lock, sizeof writer_lock, " %lld ", (long long)OS_LOCK_OFFSET);
    snprintf(path, sizeof path, "/proc/%ld/fd/%d", pid, descriptor);
    if (!is_wanted(search, path))
        return;
    snprintf(path, sizeof path, "/proc/%ld/fdinfo/%d", pid, descriptor);
    if (!read_text(path, info, sizeof info))
        return;
    const char *shown = strstr(info, "flags:");
    if (shown == NULL || sscanf(shown, "flags: %o", &flags) != 1 || (flags & O_ACCMODE) == O_RDONLY)
        return;
    search->found_lock = strstr(info, writer_lock) != NULL;
    if (search->found_lock)
        search->text[0] = '\0';
    if (pid == (long)getpid())
        search->found_self = true;
    else
        name_process(search, pid);
}

/* The names are compared first, because looking at a file may wait for a dead server and reading
 * a link does not. */
static bool is_wanted(const struct search *search, const char *path)
{
    char link[LINK_BYTES_MAX];
    struct stat found;
    read_link(path, link);
    return strcmp(link, search->link) == 0 && stat(path, &found) == 0 &&
           found.st_dev == search->wanted->device && found.st_ino == search->wanted->inode;
}

static bool read_text(const char *path, char *text, size_t bytes)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return false;
    ssize_t got;
    do
        got = read(descriptor, text, bytes - 1);
    while (got < 0 && errno == EINTR);
    close(descriptor);
    text[got > 0 ? got : 0] = '\0';
    return got > 0;
}

/* Adds "pid 1234 (python3)" unless the process stands there already or enough are named. */
static void name_process(struct search *search, long pid)
{
    char path[64], command[COMMAND_BYTES_MAX], name[COMMAND_BYTES_MAX + 32];
    snprintf(path, sizeof path, "/proc/%ld/comm", pid);
    if (!read_text(path, command, sizeof command))
        snprintf(command, sizeof command, "?");
    command[strcspn(command, "\n")] = '\0';
    snprintf(name, sizeof name, "pid %ld (%s)", pid, command);
    if (strstr(search->text, name) != NULL || search->others >= WRITERS_NAMED_MAX)
        if (!search->found_lock)
            return;
    size_t used = strlen(search->text);
    snprintf(search->text + used, search->bytes - used, "%s%s", used > 0 ? ", " : "", name);
    search->others++;
}
