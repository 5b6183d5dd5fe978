/* What is asked of an index, and how rows reach one: the words that db/ and every kind of index
 * have in common.
 *
 * An index knows vectors and row numbers. It does not know the file: db/ resolves rows to vectors
 * and hands them over in blocks. */
#ifndef EDB_INDEX_INDEX_H
#define EDB_INDEX_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "embedcache.h"

/* One search: some queries that want the same. The memory stays the caller's and must outlive the
 * search. */
struct index_query {
    edb_metric metric;
    size_t dims;          /* at least 1 */
    const float *vectors; /* (count, dims) floats, row-major, finite */
    size_t count;         /* queries */
    size_t k;             /* nearest rows wanted of each; 0 = every row that passes the threshold */
    bool has_threshold;
    float threshold; /* EDB_L2: score <= threshold; otherwise score >= threshold */
};

/* Some rows and where their vectors lie now. The memory need only last for the call that takes the
 * block. */
struct index_block {
    const uint64_t *rows;
    const float *const *vectors; /* of each row, dims finite floats */
    size_t count;
};

#endif
