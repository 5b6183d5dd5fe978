/* A binary heap with the worst hit on top, which is the one to give way; it is built when the k-th
 * hit arrives. Sorting takes it apart from the top: in place, no memory. */
#include "base/top_k.h"

#include <math.h>

#include "base/memory.h"

enum { CAPACITY_MIN = 16 };

static edb_status grow(struct top_k *top);
static void build(edb_hit *heap, size_t count, enum top_k_order order);
static void sift(edb_hit *heap, size_t count, enum top_k_order order, size_t at);

void top_k_open(struct top_k *top, enum top_k_order order, size_t k)
{
    *top = (struct top_k){.k = k, .order = order};
}

void top_k_close(struct top_k *top)
{
    memory_free(top->hits);
    top_k_open(top, top->order, top->k);
}

bool top_k_before(enum top_k_order order, const edb_hit *a, const edb_hit *b)
{
    if (a->score != b->score)
        return (a->score > b->score) == (order == TOP_K_LARGER_FIRST);
    return a->row < b->row;
}

edb_status top_k_add(struct top_k *top, float score, uint64_t row)
{
    if (isnan(score) || top->k == 0)
        return EDB_OK;
    edb_hit hit = {.row = row, .score = score};
    if (top->count == top->k) {
        if (top_k_before(top->order, &hit, &top->hits[0])) {
            top->hits[0] = hit;
            sift(top->hits, top->count, top->order, 0);
        }
        return EDB_OK;
    }
    if (top->count == top->capacity && grow(top) != EDB_OK)
        return EDB_NO_MEMORY;
    top->hits[top->count++] = hit;
    if (top->count == top->k)
        build(top->hits, top->count, top->order);
    return EDB_OK;
}

float top_k_worst(const struct top_k *top)
{
    if (top->count == top->k && top->count > 0)
        return top->hits[0].score;
    return top->order == TOP_K_LARGER_FIRST ? -INFINITY : INFINITY;
}

void top_k_sort(struct top_k *top)
{
    if (top->count < top->k)
        build(top->hits, top->count, top->order);
    for (size_t last = top->count; last-- > 1;) {
        edb_hit worst = top->hits[0];
        top->hits[0] = top->hits[last];
        top->hits[last] = worst;
        sift(top->hits, last, top->order, 0);
    }
}

static edb_status grow(struct top_k *top)
{
    size_t capacity = top->capacity < CAPACITY_MIN ? CAPACITY_MIN : top->capacity * 2;
    if (capacity > top->k)
        capacity = top->k;
    edb_hit *hits = memory_resize(top->hits, capacity, sizeof *hits);
    if (hits == NULL)
        return memory_failed(capacity * sizeof *hits);
    top->hits = hits;
    top->capacity = capacity;
    return EDB_OK;
}

static void build(edb_hit *heap, size_t count, enum top_k_order order)
{
    for (size_t at = count / 2; at-- > 0;)
        sift(heap, count, order, at);
}

/* Lets heap[at] sink below every child that is worse than it. */
static void sift(edb_hit *heap, size_t count, enum top_k_order order, size_t at)
{
    edb_hit sinking = heap[at];
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= count)
            break;
        if (child + 1 < count && top_k_before(order, &heap[child], &heap[child + 1]))
            child++;
        if (!top_k_before(order, &sinking, &heap[child]))
            break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = sinking;
}
