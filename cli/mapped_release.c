/* A writer reads what it writes and looks for every key in the whole index: through the mapping,
 * whose pages count as its memory once they were touched. How many that are depends on the rows and
 * on the keys, so the system is asked: /proc/self/statm for how much it is, /proc/self/maps for
 * where the file is mapped. */
#include "mapped_release.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINE_BYTES = 512 };

static size_t mapped_bytes(void);
static void release_line(const char *line, uint64_t inode);

void mapped_release(const char *path, size_t bytes_max)
{
    char line[LINE_BYTES];
    struct stat status;
    if (mapped_bytes() <= bytes_max || stat(path, &status) != 0)
        return;
    FILE *maps = fopen("/proc/self/maps", "re");
    while (maps != NULL && fgets(line, sizeof line, maps) != NULL)
        release_line(line, (uint64_t)status.st_ino);
    if (maps != NULL)
        fclose(maps);
}

/* Of all files: the program and its libraries are a few MiB of it. */
static size_t mapped_bytes(void)
{
    size_t pages = 0;
    FILE *statm = fopen("/proc/self/statm", "re");
    if (statm == NULL)
        return 0;
    int is_told = fscanf(statm, "%*u %*u %zu", &pages) == 1;
    fclose(statm);
    return is_told ? pages * (size_t)sysconf(_SC_PAGESIZE) : 0;
}

/* "begin-end r--s offset device inode path". Only what is shared and read-only is given back:
 * nothing can be lost with it. */
static void release_line(const char *line, uint64_t inode)
{
    uintptr_t begin;
    uintptr_t end;
    uint64_t found;
    if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " r--s %*s %*s %" SCNu64, &begin, &end, &found) ==
            3 &&
        found == inode)
        (void)madvise((void *)begin, end - begin, MADV_DONTNEED);
}
