/* The figures of a file in the text format of Prometheus, version 0.0.4. */
#ifndef EMBEDCACHE_CLI_STATS_PROMETHEUS_H
#define EMBEDCACHE_CLI_STATS_PROMETHEUS_H

#include "cache_open.h"

/* Prints them all. Returns CODE_OK or a reported code. */
int stats_prometheus(struct cache *cache);

#endif
