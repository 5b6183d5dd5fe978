/* What a mark holds, private to evict/.
 *
 *   S3-FIFO  bits 0-1 uses, 2 in the main queue whatever its number, 3 named to go, 4-5 chances
 *            that its cost gives it, 6-7 of these that are left, 8 kept by its owner: in no queue
 *   LRU      the clock when it was used last, its lower 16 bits
 *   FIFO     nothing */
#ifndef EDB_EVICT_EVICT_MARK_H
#define EDB_EVICT_EVICT_MARK_H

#include "evict/evict.h"

enum {
    MARK_USES = 3,
    MARK_MAIN = 4,
    MARK_NAMED = 8,
    MARK_KEPT = 256,
    MARK_CREDIT_SHIFT = 4,
    MARK_LEFT_SHIFT = 6,
};

enum { AGE_MAX = 1 << 14 }; /* LRU: older rows are of one age */

/* LRU: how many periods ago, up to AGE_MAX, a row was used; and the mark that says so. */
unsigned evict_age_of(const struct evict *evict, uint16_t mark);
uint16_t evict_mark_of(const struct evict *evict, uint64_t age);

/* The mark of a live row; 0 of others, which have none to be set. */
uint16_t evict_mark(const struct evict *evict, uint64_t row);
void evict_set_mark(struct evict *evict, uint64_t row, uint16_t mark);

/* The leaf at a place, which is then that of the next one; NULL: all have been told. */
struct evict_place {
    size_t chunk;
    size_t leaf;
};
struct evict_leaf *evict_next_leaf(const struct evict *evict, struct evict_place *place);

/* The leaf of a row; NULL: none of its rows is live. */
struct evict_leaf *evict_leaf_of(const struct evict *evict, uint64_t row);

/* The first chunk of which the number is as high, by its place. */
size_t evict_chunk_from(const struct evict *evict, uint64_t number);

/* A row has come; and one is gone, whose leaf and chunk go with the last. */
void evict_count_in(struct evict *evict, uint64_t row);
void evict_uncount(struct evict *evict, uint64_t row);

void evict_size_ghosts(struct evict_ghosts *ghosts, uint64_t rows);
void evict_add_ghost(struct evict_ghosts *ghosts, uint64_t key_hash);

/* Whether the key is among them, and went not more than `age_max` ghosts ago; it is none then. */
bool evict_take_ghost(struct evict_ghosts *ghosts, uint64_t key_hash, uint64_t age_max);

#endif
