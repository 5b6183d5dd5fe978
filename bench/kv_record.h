/* The records that the key-value benchmark stores: keys that look like short texts, vectors of true
 * float32 noise. A record follows from its row number and the seed alone, so that nothing is kept
 * and everything can be checked. Used by the measurements; knows no store. */
#ifndef BENCH_KV_RECORD_H
#define BENCH_KV_RECORD_H

#include <embedcache.h>
#include <stdbool.h>

struct kv_shape {
    uint64_t seed;
    uint32_t dims;
    uint32_t key_bytes_min; /* 16 at least */
    uint32_t key_bytes_max;
};

/* Records side by side, as a caller would hold them. */
struct kv_batch {
    struct kv_shape shape;
    size_t count;
    size_t capacity;
    edb_key *keys;
    uint64_t *rows;
    char *text;     /* the keys' bytes */
    float *vectors; /* (count, dims); NULL in a batch of keys */
};

/* Room for `capacity` records, with vectors or without. No memory ends the program. */
void kv_batch_open(struct kv_batch *batch, const struct kv_shape *shape, size_t capacity,
                   bool with_vectors);
void kv_batch_close(struct kv_batch *batch);

/* Rows first, first + 1, … first + count - 1. */
void kv_batch_fill_range(struct kv_batch *batch, uint64_t first, size_t count);

/* `count` rows drawn from 0 … rows - 1, with repetition; `draw` tells one drawing from another. */
void kv_batch_fill_random(struct kv_batch *batch, uint64_t rows, size_t count, uint64_t draw);

/* The first element of a row's vector, and whether a whole vector is the row's. */
float kv_record_first(const struct kv_shape *shape, uint64_t row);
bool kv_record_matches(const struct kv_shape *shape, uint64_t row, const float *vector);

/* Bytes of keys and vectors of rows 0 … rows - 1: what a store cannot do without. */
uint64_t kv_record_raw_bytes(const struct kv_shape *shape, uint64_t rows);

#endif
