/* Cache and device of one simulated file, told apart sector by sector. Called by os_sim.c under its
 * lock.
 *
 *            write                  write
 *   CLEAN -----------> DIRTY <------------------ LOST      (LOST: the cache has what the device has
 *                                                          not,
 *     ^                  |  \                      ^        and no sync will write it)
 *     |       sync       |   \  failed sync, KEEP  |
 *     +------------------+    +--------------------+
 *     ^                  |
 *     +------------------+ failed sync, REVERT
 *
 * Only a sector that leaves CLEAN copies its old bytes to `device`; so a load copies once, and a
 * sync copies nothing. */
#include "os/os_sim_content.h"

#include <assert.h>
#include <string.h>
#include <sys/mman.h>

enum { SECTOR = OS_SIM_SECTOR_BYTES };
enum sector_state { CLEAN, DIRTY, LOST };

#define SECTORS_MAX (OS_SIM_FILE_BYTES_MAX / SECTOR)

static void *reserve_zeros(uint64_t bytes)
{
    void *memory = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

static void give_back(void *memory, uint64_t bytes)
{
    if (memory != NULL)
        munmap(memory, (size_t)bytes);
}

bool os_sim_content_open(struct sim_content *content)
{
    memset(content, 0, sizeof *content);
    content->cache = reserve_zeros(OS_SIM_FILE_BYTES_MAX);
    content->device = reserve_zeros(OS_SIM_FILE_BYTES_MAX);
    content->sectors = reserve_zeros(SECTORS_MAX);
    if (content->cache != NULL && content->device != NULL && content->sectors != NULL)
        return true;
    os_sim_content_close(content);
    return false;
}

void os_sim_content_close(struct sim_content *content)
{
    give_back(content->cache, OS_SIM_FILE_BYTES_MAX);
    give_back(content->device, OS_SIM_FILE_BYTES_MAX);
    give_back(content->sectors, SECTORS_MAX);
    memset(content, 0, sizeof *content);
}

/* Sectors that were ever written. */
static uint64_t sectors_used(const struct sim_content *content)
{
    return (content->high_water + SECTOR - 1) / SECTOR;
}

void os_sim_content_load(struct sim_content *content, const void *bytes, uint64_t count)
{
    assert(count <= OS_SIM_FILE_BYTES_MAX);
    memset(content->sectors, CLEAN, (size_t)sectors_used(content));
    if (content->high_water > count)
        memset(content->cache + count, 0, (size_t)(content->high_water - count));
    if (count > 0)
        memcpy(content->cache, bytes, (size_t)count);
    content->size = count;
    content->high_water = count;
}

/* Keeps the device's bytes of a clean sector before it becomes another. */
static void make_dirty(struct sim_content *content, uint64_t sector)
{
    if (content->sectors[sector] == CLEAN)
        memcpy(content->device + sector * SECTOR, content->cache + sector * SECTOR, SECTOR);
    content->sectors[sector] = DIRTY;
}

struct sim_range os_sim_content_write(struct sim_content *content, uint64_t offset,
                                      const void *bytes, size_t count)
{
    assert(count > 0 && offset + count <= OS_SIM_FILE_BYTES_MAX);
    uint64_t first = offset / SECTOR, last = (offset + count - 1) / SECTOR;
    uint64_t begin = content->sectors[first] == LOST ? first * SECTOR : offset;
    uint64_t end = content->sectors[last] == LOST ? (last + 1) * SECTOR : offset + count;
    for (uint64_t sector = first; sector <= last; sector++)
        make_dirty(content, sector);
    memcpy(content->cache + offset, bytes, count);
    if (content->high_water < offset + count)
        content->high_water = offset + count;
    return (struct sim_range){begin, end - begin};
}

void os_sim_content_sync(struct sim_content *content)
{
    uint64_t used = sectors_used(content);
    for (uint64_t sector = 0; sector < used; sector++) {
        if (content->sectors[sector] == DIRTY)
            content->sectors[sector] = CLEAN;
    }
}

void os_sim_content_lose(struct sim_content *content, enum os_sim_policy policy)
{
    uint64_t used = sectors_used(content);
    for (uint64_t sector = 0; sector < used; sector++) {
        if (content->sectors[sector] != DIRTY)
            continue;
        uint64_t at = sector * SECTOR;
        if (policy == OS_SIM_REVERT)
            memcpy(content->cache + at, content->device + at, SECTOR);
        content->sectors[sector] = policy == OS_SIM_REVERT ? CLEAN : LOST;
    }
}

void os_sim_content_read_device(const struct sim_content *content, uint64_t offset, void *buffer,
                                size_t bytes)
{
    assert(offset + bytes <= OS_SIM_FILE_BYTES_MAX);
    uint8_t *to = buffer;
    while (bytes > 0) {
        uint64_t sector = offset / SECTOR;
        size_t count = (size_t)(SECTOR - offset % SECTOR);
        if (count > bytes)
            count = bytes;
        const uint8_t *from = content->sectors[sector] == CLEAN ? content->cache : content->device;
        memcpy(to, from + offset, count);
        to += count;
        offset += count;
        bytes -= count;
    }
}
