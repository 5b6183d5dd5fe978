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

uint16_t evict_mark(const struct evict *evict, uint64_t row);
void evict_set_mark(struct evict *evict, uint64_t row, uint16_t mark);

/* One row of its chunk less, which goes with the last. */
void evict_uncount(struct evict *evict, uint64_t row);

void evict_size_ghosts(struct evict_ghosts *ghosts, uint64_t rows);
void evict_add_ghost(struct evict_ghosts *ghosts, uint64_t key_hash);

/* Whether the key is among them, and went not more than `age_max` ghosts ago; it is none then. */
bool evict_take_ghost(struct evict_ghosts *ghosts, uint64_t key_hash, uint64_t age_max);

#endif
