/* The figures of a file and its spaces: what info and stats have in common. Each brings the way it
 * shows them. */
#ifndef EMBEDCACHE_CLI_FILE_FIGURES_H
#define EMBEDCACHE_CLI_FILE_FIGURES_H

#include <embedcache.h>

#include "cache_open.h"
#include "json_emit.h"
#include "options.h"

enum { UUID_BYTES = 37 };

/* One way of showing figures. */
struct figures_view {
    void (*write_file)(struct emitter *json, const char *path, const edb_stats *stats);
    void (*print_file)(const char *path, const edb_stats *stats);
    void (*print_space)(const edb_space_spec *spec, const edb_space_stats *stats);
};

/* Opens the file that the arguments name and shows it: as JSON the members of write_file and the
 * list "spaces", else print_file and print_space for each space. Returns the exit code. */
int figures_show(const struct arguments *arguments, const struct figures_view *view, int is_json);

/* The file's figures without those of the space in which import notes where it stands, and how many
 * imports are not finished. */
edb_status figures_file(struct cache *cache, edb_stats *stats_out, uint64_t *imports_out);

/* Description and figures of the next space from *index on, which is moved behind it; CODE_END
 * behind the last. */
int figures_space(struct cache *cache, size_t *index, edb_space_spec *spec_out,
                  edb_space_stats *stats_out);

/* How many records of all spaces were evicted, ever. */
edb_status figures_evictions(edb *db, uint64_t *count_out);

/* The oldest release that reads a file of this format. */
const char *figures_oldest_reader(const edb_stats *stats);

/* The file's UUID in its usual spelling. */
void figures_uuid(const edb_stats *stats, char out[UUID_BYTES]);

/* Word number `index` of METRIC_WORDS and its like into `out`, which is returned; where the list
 * has no such word, the number. */
const char *figures_word(const char *list, uint32_t index, char out[16]);

#endif
