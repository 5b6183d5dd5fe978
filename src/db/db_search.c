/* edb_search: exact.
 *
 *   1 check_query        finite queries, options
 *   2 db_moment_open     the rows as they are now
 *   3 db_vector          checked bytes in the map, a block of rows at a time
 *   4 flat_search_block  every query over the block, while it is in the cache
 *   5 kernel table       resolved once
 *
 * The view lock is held while a block is located, not while it is searched: a long search keeps no
 * commit waiting. */
#include <string.h>

#include "base/memory.h"
#include "codec/codec_vector.h"
#include "db/db_moment.h"
#include "index/flat/flat_search.h"

enum { K_DEFAULT = 10 };

static edb_status check_query(const edb_space *space, const float *queries, size_t n,
                              const edb_search_options *given, struct index_query *out)
{
    edb_search_options options;
    edb_status status = db_struct_read(&db_struct_search_options, given, &options);
    if (status != EDB_OK)
        return status;
    size_t dims = space->spec.dims;
    if (dims == 0)
        return fail(EDB_INVALID, "space '%s' holds byte values, which have no distance",
                    space->spec.name);
    for (size_t i = 0; i < n; i++) {
        size_t bad = codec_vector_first_bad(queries + i * dims, dims);
        if (bad < dims)
            return fail(EDB_INVALID, "element %zu of query %zu is NaN or infinite", bad, i);
    }
    *out = (struct index_query){.metric = (edb_metric)space->spec.metric,
                                .dims = dims,
                                .vectors = queries,
                                .count = n,
                                .k = options.k,
                                .has_threshold = options.has_threshold != 0,
                                .threshold = options.threshold};
    if (out->k == 0 && !out->has_threshold)
        out->k = K_DEFAULT;
    if (out->has_threshold && codec_vector_first_bad(&out->threshold, 1) == 0)
        return fail(EDB_INVALID, "the threshold is NaN or infinite");
    return EDB_OK;
}

/* Rows on their way to the index. */
struct block {
    struct db_moment *moment;
    uint64_t from; /* the block holds what was live from here on */
    uint64_t next; /* where the one after it begins */
    uint64_t *rows;
    const float **vectors;
    float *turned; /* CODEC_VECTOR_IN_PLACE: NULL. Else what `vectors` point to */
    size_t count;
    size_t capacity;
};

static edb_status open_block(struct block *block, size_t capacity, size_t dims)
{
    block->rows = memory_zeroed(capacity, sizeof *block->rows);
    block->vectors = memory_zeroed(capacity, sizeof *block->vectors);
    block->capacity = capacity;
    if (!CODEC_VECTOR_IN_PLACE)
        block->turned = memory_zeroed(capacity, dims * sizeof(float));
    bool whole = block->rows != NULL && block->vectors != NULL &&
                 (CODEC_VECTOR_IN_PLACE || block->turned != NULL);
    return whole ? EDB_OK : memory_failed(capacity * sizeof *block->rows);
}

static void close_block(struct block *block)
{
    memory_free(block->rows);
    memory_free((void *)block->vectors);
    memory_free(block->turned);
}

static void add_vector(struct block *block, const uint8_t *stored)
{
    size_t dims = block->moment->space->spec.dims;
    const float *vector = (const float *)(const void *)stored;
    if (!CODEC_VECTOR_IN_PLACE) {
        codec_vector_copy(stored, dims, block->turned + block->count * dims);
        vector = block->turned + block->count * dims;
    }
    block->vectors[block->count++] = vector;
}

/* A step, with the view held still: locates rows until the block is full. */
static edb_status fill_block(void *arg)
{
    struct block *block = arg;
    struct db_moment *moment = block->moment;
    block->count = 0;
    block->next = block->from;
    while (block->count < block->capacity) {
        struct db_found found;
        const uint8_t *vector;
        uint64_t row = db_moment_next(moment, block->next);
        block->next = row;
        if (row == moment->end)
            break;
        edb_status status = db_moment_locate(moment, row, &found);
        if (status == EDB_OK)
            status = db_vector(moment->space, &found, &vector);
        if (status != EDB_OK)
            return status;
        block->rows[block->count] = row;
        add_vector(block, vector);
        block->next = row + 1;
    }
    return EDB_OK;
}

static edb_status scan(struct flat_search *search, struct block *block)
{
    struct db_moment *moment = block->moment;
    while (block->from < moment->end) {
        edb_status status = db_with_view(moment->space->db, fill_block, block);
        struct index_block full = {block->rows, block->vectors, block->count};
        if (status == EDB_OK)
            status = flat_search_block(search, &full);
        if (status != EDB_OK)
            return status;
        block->from = block->next;
    }
    return EDB_OK;
}

static edb_status search_space(edb_space *space, const struct index_query *query,
                               edb_result **results_out)
{
    struct flat_search *search = NULL;
    struct db_moment moment = {0};
    struct block block = {.moment = &moment};
    edb_status status = open_block(&block, flat_search_block_rows(query->dims), query->dims);
    if (status == EDB_OK)
        status = flat_search_open(query, &search);
    if (status == EDB_OK)
        status = db_moment_open(space, &moment);
    if (status == EDB_OK)
        status = scan(search, &block);
    if (status == EDB_OK)
        status = flat_search_finish(search, results_out);
    db_moment_close(&moment);
    flat_search_close(search);
    close_block(&block);
    if (status == EDB_NOT_FOUND)
        return fail(EDB_CORRUPT, "a row of space '%s' is lost", space->spec.name);
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
    return status == EDB_OK ? search_space(space, &query, results_out) : status;
}
