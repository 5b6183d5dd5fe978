/* The bytes of one simulated file: what programs see (the cache), what the device has, and which
 * sectors differ. Private to os_sim*.c; locks nothing and records nothing. */
#ifndef EDB_OS_OS_SIM_CONTENT_H
#define EDB_OS_OS_SIM_CONTENT_H

#include <stddef.h>
#include <stdint.h>

#include "os/os_sim.h"

struct sim_content {
    uint8_t *cache; /* never moves: mappings point into it. Zero behind `size` */
    uint64_t size;

    /* Of sectors that are not clean: what the device has. Of others the cache tells it. */
    uint8_t *device;
    uint8_t *sectors;    /* one state each */
    uint64_t high_water; /* no byte behind it was ever written */
};

/* A range of bytes. */
struct sim_range {
    uint64_t offset;
    uint64_t bytes;
};

/* Reserves address space; false when the system refused. */
bool os_sim_content_open(struct sim_content *content);
void os_sim_content_close(struct sim_content *content);

/* Makes it clean and equal to these bytes. */
void os_sim_content_load(struct sim_content *content, const void *bytes, uint64_t count);

/* Writes into the cache; the size is not touched. What the device will get of it is the range
 * returned: it is wider than what was written where a sector at its edge holds bytes that a failed
 * sync has lost. */
struct sim_range os_sim_content_write(struct sim_content *content, uint64_t offset,
                                      const void *bytes, size_t count);

/* All that is dirty reaches the device. */
void os_sim_content_sync(struct sim_content *content);

/* All that is dirty fails to reach it and counts as clean. */
void os_sim_content_lose(struct sim_content *content, enum os_sim_policy policy);

/* Reads what the device has. */
void os_sim_content_read_device(const struct sim_content *content, uint64_t offset, void *buffer,
                                size_t bytes);

#endif
