/* Exact search, block by block: a block of rows stays in the cache while every query goes over it,
 * so memory is read once for all of them. Called by db/; knows vectors and row numbers only. */
#include "index/flat/flat_search.h"

#include <assert.h>

#include "base/memory.h"
#include "base/top_k.h"
#include "kernel/kernel.h"

enum { BLOCK_BYTES = 256 * 1024 };

struct flat_search {
    struct index_query query;
    const struct kernel_table *kernels;
    struct kernel_vector *vectors; /* of each query */
    struct top_k *tops;            /* of each query */
    struct kernel_vector *rows;    /* of the block at hand */
    size_t rows_capacity;
};

static edb_status take_rows(struct flat_search *search, const struct index_block *block);
static edb_status compare(struct flat_search *search, size_t number,
                          const struct index_block *block);

size_t flat_search_block_rows(size_t dims)
{
    size_t rows = BLOCK_BYTES / (dims * sizeof(float));
    return rows > 0 ? rows : 1;
}

edb_status flat_search_open(const struct index_query *query, struct flat_search **search_out)
{
    assert(query->dims > 0);
    *search_out = NULL;
    struct flat_search *search = memory_zeroed(1, sizeof *search);
    if (search == NULL)
        return memory_failed(sizeof *search);
    search->query = *query;
    search->kernels = kernel_current();
    search->vectors = memory_zeroed(query->count, sizeof *search->vectors);
    search->tops = memory_zeroed(query->count, sizeof *search->tops);
    if (search->vectors == NULL || search->tops == NULL) {
        flat_search_close(search);
        return memory_failed(query->count * (sizeof *search->vectors + sizeof *search->tops));
    }
    enum top_k_order order = query->metric == EDB_L2 ? TOP_K_SMALLER_FIRST : TOP_K_LARGER_FIRST;
    for (size_t i = 0; i < query->count; i++) {
        const float *values = query->vectors + i * query->dims;
        search->vectors[i].values = values;
        search->vectors[i].norm = kernel_norm(search->kernels, values, query->dims);
        top_k_open(&search->tops[i], order, query->k == 0 ? TOP_K_ALL : query->k);
    }
    *search_out = search;
    return EDB_OK;
}

edb_status flat_search_block(struct flat_search *search, const struct index_block *block)
{
    edb_status status = take_rows(search, block);
    for (size_t i = 0; status == EDB_OK && i < search->query.count; i++)
        status = compare(search, i, block);
    return status;
}

/* The norms of the block's rows, once for all queries. */
static edb_status take_rows(struct flat_search *search, const struct index_block *block)
{
    if (block->count > search->rows_capacity) {
        void *grown = memory_resize(search->rows, block->count, sizeof *search->rows);
        if (grown == NULL)
            return memory_failed(block->count * sizeof *search->rows);
        search->rows = grown;
        search->rows_capacity = block->count;
    }
    bool norms = search->query.metric == EDB_COSINE;
    for (size_t i = 0; i < block->count; i++) {
        const float *values = block->vectors[i];
        search->rows[i].values = values;
        search->rows[i].norm =
            norms ? kernel_norm(search->kernels, values, search->query.dims) : 0.0;
    }
    return EDB_OK;
}

/* One query against all rows of the block. */
static edb_status compare(struct flat_search *search, size_t number,
                          const struct index_block *block)
{
    const struct index_query *query = &search->query;
    struct top_k *top = &search->tops[number];
    bool smaller = query->metric == EDB_L2;
    for (size_t i = 0; i < block->count; i++) {
        float score = kernel_score(search->kernels, query->metric, &search->vectors[number],
                                   &search->rows[i], query->dims);
        float worst = top_k_worst(top);
        if (smaller ? score > worst : score < worst)
            continue;
        if (query->has_threshold && (smaller ? score > query->threshold : score < query->threshold))
            continue;
        edb_status status = top_k_add(top, score, block->rows[i]);
        if (status != EDB_OK)
            return status;
    }
    return EDB_OK;
}

edb_status flat_search_finish(struct flat_search *search, edb_result **results_out)
{
    *results_out = NULL;
    size_t n = search->query.count;
    size_t found = 0;
    for (size_t i = 0; i < n; i++)
        found += search->tops[i].count;
    /* The hits lie behind the results; both have the alignment of the larger type. */
    size_t heads = (n * sizeof(edb_result) + sizeof(edb_hit) - 1) / sizeof(edb_hit);
    edb_hit *memory = memory_zeroed(heads + found, sizeof(edb_hit));
    if (memory == NULL)
        return memory_failed((heads + found) * sizeof(edb_hit));
    edb_result *results = (void *)memory;
    edb_hit *hits = memory + heads;
    for (size_t i = 0; i < n; i++) {
        struct top_k *top = &search->tops[i];
        top_k_sort(top);
        for (size_t h = 0; h < top->count; h++)
            hits[h] = top->hits[h];
        results[i] = (edb_result){.hits = hits, .count = top->count, .complete = 1};
        hits += top->count;
        top_k_close(top);
    }
    *results_out = results;
    return EDB_OK;
}

void flat_search_close(struct flat_search *search)
{
    if (search == NULL)
        return;
    for (size_t i = 0; search->tops != NULL && i < search->query.count; i++)
        top_k_close(&search->tops[i]);
    memory_free(search->tops);
    memory_free(search->vectors);
    memory_free(search->rows);
    memory_free(search);
}
