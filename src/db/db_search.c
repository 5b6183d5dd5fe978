/* edb_search: exact.
 *
 *   1 check_query        finite queries, options
 *   2 db_enter           the view
 *   3 flat_search_block  rows in blocks that stay in the cache while every query goes over them
 *   4 kernel table       resolved once
 *   5 db_vector          checked bytes in the map */
#include <string.h>

#include "base/memory.h"
#include "codec/codec_vector.h"
#include "db/db.h"
#include "index/flat/flat_search.h"

enum { K_DEFAULT = 10 };

static edb_status check_query(const edb_space *space, const float *queries, size_t n,
                              const edb_search_options *options, struct index_query *out)
{
    if (options != NULL && options->struct_size != 0 && options->struct_size < sizeof *options)
        return fail(EDB_INVALID, "edb_search: struct_size %zu; use EDB_SEARCH_OPTIONS_INIT",
                    options->struct_size);
    size_t dims = space->spec.dims;
    if (dims == 0)
        return fail(EDB_INVALID, "space '%s' holds byte values, which have no distance",
                    space->spec.name);
    for (size_t i = 0; i < n; i++) {
        size_t bad = codec_vector_first_bad(queries + i * dims, dims);
        if (bad < dims)
            return fail(EDB_INVALID, "element %zu of query %zu is NaN or infinite", bad, i);
    }
    *out = (struct index_query){
        .metric = (edb_metric)space->spec.metric, .dims = dims, .vectors = queries, .count = n};
    if (options != NULL) {
        out->k = options->k;
        out->has_threshold = options->has_threshold != 0;
        out->threshold = options->threshold;
    }
    if (out->k == 0 && !out->has_threshold)
        out->k = K_DEFAULT;
    if (out->has_threshold && codec_vector_first_bad(&out->threshold, 1) == 0)
        return fail(EDB_INVALID, "the threshold is NaN or infinite");
    return EDB_OK;
}

/* Rows on their way to the index. */
struct block {
    uint64_t *rows;
    const float **vectors;
    size_t count;
    size_t capacity;
};

static edb_status open_block(struct block *block, size_t capacity)
{
    block->rows = memory_zeroed(capacity, sizeof *block->rows);
    block->vectors = memory_zeroed(capacity, sizeof *block->vectors);
    block->count = 0;
    block->capacity = capacity;
    bool whole = block->rows != NULL && block->vectors != NULL;
    return whole ? EDB_OK : memory_failed(capacity * sizeof *block->rows);
}

static void close_block(struct block *block)
{
    memory_free(block->rows);
    memory_free((void *)block->vectors);
}

static edb_status pass_on(struct block *block, struct flat_search *search)
{
    struct index_block full = {block->rows, block->vectors, block->count};
    block->count = 0;
    return flat_search_block(search, &full);
}

static edb_status scan(edb_space *space, struct flat_search *search, struct block *block)
{
    uint64_t asked_to = 0;
    for (uint64_t row = 0; row < space->next_row; row++) {
        struct db_found found;
        const uint8_t *vector;
        edb_status status = db_locate_row(space, row, &found);
        if (status == EDB_NOT_FOUND)
            continue;
        if (status == EDB_OK) {
            store_read_ahead(space->db->store, found.place.frame, &asked_to);
            status = db_vector(space, &found, &vector);
        }
        if (status != EDB_OK)
            return status;
        block->rows[block->count] = row;
        block->vectors[block->count++] = (const float *)(const void *)vector;
        if (block->count == block->capacity && (status = pass_on(block, search)) != EDB_OK)
            return status;
    }
    return pass_on(block, search);
}

static edb_status search_once(edb_space *space, const struct index_query *query,
                              edb_result **results_out)
{
    struct flat_search *search = NULL;
    struct block block = {0};
    edb_status status = open_block(&block, flat_search_block_rows(query->dims));
    if (status == EDB_OK)
        status = flat_search_open(query, &search);
    if (status == EDB_OK)
        status = db_enter(space->db);
    if (status != EDB_OK)
        goto out;
    status = scan(space, search, &block);
    db_leave(space->db);
    if (status == EDB_OK)
        status = flat_search_finish(search, results_out);
out:
    flat_search_close(search);
    close_block(&block);
    return status;
}

edb_status edb_search(edb_space *space, const float *queries, size_t n,
                      const edb_search_options *options, edb_result **results_out)
{
    struct index_query query;
    if (results_out != NULL)
        *results_out = NULL;
    if (space == NULL || results_out == NULL || (queries == NULL && n > 0))
        return fail(EDB_INVALID, "edb_search: an argument is NULL");
    edb_status status = check_query(space, queries, n, options, &query);
    bool again = status == EDB_OK;
    while (again) {
        again = false;
        status = search_once(space, &query, results_out);
        if (status == EDB_CORRUPT)
            status = db_retry(space->db, status, &again);
    }
    return status;
}
