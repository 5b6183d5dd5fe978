/* The best hits of many: the k best, or all of them. Called by every search. One definition of
 * "better" for the whole library: by score, and of equal scores the smaller row number. */
#ifndef EDB_BASE_TOP_K_H
#define EDB_BASE_TOP_K_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum top_k_order { TOP_K_LARGER_FIRST, TOP_K_SMALLER_FIRST };

/* As k: keeps every hit. */
#define TOP_K_ALL SIZE_MAX

struct top_k {
    edb_hit *hits; /* a heap with the worst on top once there are k of them; sorted by top_k_sort */
    size_t count;
    size_t capacity;
    size_t k;
    enum top_k_order order;
};

/* Nothing found yet. Allocates nothing; memory grows with what is kept, to k hits at most. */
void top_k_open(struct top_k *top, enum top_k_order order, size_t k);

/* A zeroed and a closed one are allowed. */
void top_k_close(struct top_k *top);

/* Whether the hit (score a, row a) comes before the hit (score b, row b). No score is NaN. */
bool top_k_before(enum top_k_order order, const edb_hit *a, const edb_hit *b);

/* Offers a hit. Kept if it is among the k best so far; a NaN never is.
 *
 * EDB_NO_MEMORY  the hits so far are as they were. */
edb_status top_k_add(struct top_k *top, float score, uint64_t row);

/* The score of the worst hit that is kept: once there are k, a worse score need not be offered. An
 * equal one may still win by its row number. Infinitely bad while there are fewer than k. */
float top_k_worst(const struct top_k *top);

/* Brings hits[0 .. count) into order, best first. Nothing may be added afterwards. */
void top_k_sort(struct top_k *top);

#endif
