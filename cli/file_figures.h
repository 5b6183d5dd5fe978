/* The figures of a file and its spaces, as info and stats show them. */
#ifndef EMBEDCACHE_CLI_FILE_FIGURES_H
#define EMBEDCACHE_CLI_FILE_FIGURES_H

#include <embedcache.h>

#include "cache_open.h"
#include "json_emit.h"

enum { UUID_BYTES = 37 };

/* The file's UUID in its usual spelling. */
void figures_uuid(const edb_stats *stats, char out[UUID_BYTES]);

/* The space number `index` and its figures. CODE_OK, CODE_END behind the last, or a reported
 * code. */
int figures_space(struct cache *cache, size_t index, edb_space_spec *spec_out,
                  edb_space_stats *stats_out);

/* "spaces": a list of all. CODE_OK or a reported code. */
int figures_write_spaces(struct emitter *json, struct cache *cache);

/* A word of METRIC_WORDS and its like; static storage is not needed: `out` is returned. */
const char *figures_word(const char *list, uint32_t index, char out[16]);

#endif
