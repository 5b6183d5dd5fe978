/* Records gathered for one commit. Import and embed store through it; del gathers keys in it. */
#ifndef EMBEDCACHE_CLI_RECORD_BATCH_H
#define EMBEDCACHE_CLI_RECORD_BATCH_H

#include <embedcache.h>

#include "record_read.h"

enum { BATCH_ROWS = 1000, BATCH_BYTES_MAX = 8388608 };

/* Where a key, text, metadata or value lies in the batch's memory. */
struct batch_piece {
    size_t at;
    size_t bytes;
    int present;
};

struct batch {
    size_t dims;
    size_t rows;
    size_t rows_max;
    float *vectors;
    struct batch_piece *pieces; /* key, text, metadata, value of each row */
    struct record_terms *terms; /* of each row */
    char *memory;
    size_t memory_used;
    size_t memory_capacity;
    uint32_t *table; /* newest row of each key + 1, hashed; 0 = empty */
    size_t table_mask;
    edb_key *keys; /* the last three are filled by batch_aim */
    edb_put_options *options;
    uint64_t *row_numbers; /* filled by batch_store_matrix */
};

/* A batch of at most `rows_wanted` rows, fewer where they would be over 8 MiB. dims 0: keys only.
 * CODE_OK or a reported code; after either, batch_close. */
int batch_open(struct batch *batch, size_t dims, size_t rows_wanted);

int batch_is_full(const struct batch *batch);

/* Of vectors and what stands beside them. */
size_t batch_bytes(const struct batch *batch);

/* Where the next row's vector goes. Only while the batch is not full. */
float *batch_next_vector(struct batch *batch);

int batch_has_key(const struct batch *batch, const void *key, size_t bytes);

/* Whether a key is there, and the newest row that has it. */
int batch_find_row(const struct batch *batch, const void *key, size_t bytes, size_t *row_out);

/* Adds a record (copied), whose vector has been written. A key that is there is added again. */
int batch_add(struct batch *batch, const struct record *record);

/* The text of a row, NULL = none; valid until the next batch_add. */
const char *batch_text_of(const struct batch *batch, size_t row, size_t *bytes_out);

/* Row `to` becomes what row `from` is, its vector aside. From then on no key is found, until
 * batch_clear. */
void batch_move_row(struct batch *batch, size_t from, size_t to);

/* Fills keys and options from the pieces; valid until the next batch_add. */
void batch_aim(struct batch *batch);

/* Stores all rows as one commit, with vectors that stand elsewhere, and fills row_numbers. */
edb_status batch_store_matrix(struct batch *batch, edb_space *space, const float *vectors);

/* Adds all rows to a transaction; row_numbers stay as they are. Opaque values can be stored by this
 * alone. */
edb_status batch_put(struct batch *batch, edb_txn *txn, edb_space *space);

void batch_clear(struct batch *batch);
void batch_close(struct batch *batch);

#endif
