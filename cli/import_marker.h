/* How far an import has come, kept in the cache that it fills: a record in a space of its own that
 * changes in the same transaction as the rows it speaks of. Whatever ends an import, the next one
 * of the same source finds where to go on, or that there is nothing to do. */
#ifndef EMBEDCACHE_CLI_IMPORT_MARKER_H
#define EMBEDCACHE_CLI_IMPORT_MARKER_H

#include <embedcache.h>

#include "source.h"

/* The space with the markers; of dims 0. No command but import may fill it. */
#define IMPORT_MARKER_SPACE "embedcache.imports"

struct import_marker {
    char *key;          /* the target space and the source's path */
    uint64_t state;     /* digest of what the source is and how it is read */
    int is_kept;        /* a marker of this import is in the cache */
    int is_changed;     /* it is of another state of the source */
    uint64_t begin_row; /* rows of the source from here on are in */
    uint64_t next_row;
    uint64_t first_row;      /* row number in the space of the first row that the import stored */
    uint32_t first_expiry_s; /* when the first of these rows expires; 0 = none does */
    int is_done;             /* the import came to its end, and then the space had: */
    uint64_t space_rows;
    uint64_t space_live;
};

/* What the marker is about: a source that can be resumed, read beside `keys_path` (NULL = none)
 * into the space `name`. CODE_OK or a reported code; after either, marker_close. */
int marker_open(struct import_marker *marker, const struct source *source,
                const struct source_wish *wish, const char *keys_path, const char *name);

/* Looks for the marker; `db` may be NULL. Sets is_kept and what follows it. */
int marker_find(struct import_marker *marker, edb *db);

/* Adds to a transaction that the import has come to `next_row`; makes the space where it is
 * needed. */
edb_status marker_put(struct import_marker *marker, edb *db, edb_txn *txn, uint64_t next_row);

/* Commits, durably, that the import is done: `space` is as it is now. */
edb_status marker_finish(struct import_marker *marker, edb *db, edb_space *space);

/* Whether the import that is done began with the first row, nobody has put or deleted anything in
 * the space since, and none of its rows has expired. */
int marker_is_current(const struct import_marker *marker, const edb_space_stats *stats);

/* How many markers of their space speak of an import that is not done, as far as it is not
 * damaged. */
edb_status marker_count_unfinished(edb_space *markers, uint64_t *count_out);

/* Looks again at what was read: CODE_OK, or the reported refusal of a source, or of what is read
 * beside it, that is not what it was at marker_open. */
int marker_check(const struct import_marker *marker, struct source *source,
                 const struct source_wish *wish, const char *keys_path);

void marker_close(struct import_marker *marker);

#endif
