/* Giving back pages of the cache that were read. */
#ifndef EMBEDCACHE_CLI_MAPPED_RELEASE_H
#define EMBEDCACHE_CLI_MAPPED_RELEASE_H

#include <stddef.h>

/* Where more than `bytes_max` of the files that this process has mapped count as its memory, those
 * of the file `path` count no longer. Advice only: they stay in the system's cache, are there again
 * when they are touched, and where the system tells nothing about itself nothing happens. */
void mapped_release(const char *path, size_t bytes_max);

#endif
