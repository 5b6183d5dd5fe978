/* embedcache stats --watch. */
#ifndef EMBEDCACHE_CLI_STATS_WATCH_H
#define EMBEDCACHE_CLI_STATS_WATCH_H

#include "options.h"

/* Shows the figures of the file again every `seconds`, until interrupted, which is CODE_OK. */
int stats_watch(const struct arguments *arguments, double seconds);

#endif
