/* A cache whose content is predicted: spaces of every kind, whose keys are put, overwritten and
 * deleted, and a check that any handle shows exactly what must be there, under the row numbers it
 * must have. What a change writes follows from the space, the key and how often it was put.
 *
 * A check that fails ends the cmocka test. */
#ifndef EDB_TESTS_SUPPORT_KEPT_CACHE_H
#define EDB_TESTS_SUPPORT_KEPT_CACHE_H

#include <stdint.h>

#include "base/random.h"
#include "embedcache.h"

enum {
    KEPT_DOCS = 0, /* vectors, texts and metadata; keys as they are */
    KEPT_SHA,      /* keys as SHA-256 */
    KEPT_BLAKE,    /* keys as BLAKE2b-256 */
    KEPT_VALUES,   /* opaque values of any length */
    KEPT_GONE,     /* every row is deleted after kept_cache_fill */
    KEPT_EMPTY,    /* no row was ever put */
    KEPT_SPACES,
    KEPT_KEYS = 120, /* of each space at most */
};

struct kept_cache {
    uint32_t versions[KEPT_SPACES][KEPT_KEYS]; /* how often it was put; 0: it is not there */
    uint32_t puts[KEPT_SPACES][KEPT_KEYS];
    uint64_t rows[KEPT_SPACES][KEPT_KEYS];
    uint64_t next_row[KEPT_SPACES];
};

/* Makes the spaces in an empty file. */
void kept_cache_begin(struct kept_cache *kept, edb *db);

void kept_cache_put(struct kept_cache *kept, edb *db, int space, int key);
void kept_cache_delete(struct kept_cache *kept, edb *db, int space, int key);

/* Some hundred puts, overwrites and deletes, the last rows of some spaces among them. */
void kept_cache_fill(struct kept_cache *kept, edb *db, struct random_source *random);

/* `count` changes in spaces that are not empty for ever. */
void kept_cache_change(struct kept_cache *kept, edb *db, struct random_source *random, int count);

/* Every key, by key and by row; iteration, search, figures, and edb_verify. */
void kept_cache_check(const struct kept_cache *kept, edb *db);

uint64_t kept_cache_live(const struct kept_cache *kept, int space);
edb_space *kept_cache_space(edb *db, int space);

#endif
