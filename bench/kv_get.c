/* Reading as a measurement: random gets from a warm store, copied or borrowed, one by one or many
 * at a time.
 *
 * Warm-up: every row is read once in order and compared with what was put; that maps all pages and
 * lets stores verify what they verify once. Then slices of random gets are timed; the run's figure
 * is the median slice. The keys of a slice are made before it and lie in the order of use, as a
 * key that a program has just made does. What is read is added up and compared with the sum it
 * must have, so that no wrong answer goes unseen and no compiler takes the work away. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "hardware_count.h"
#include "kv_measure.h"

enum { SLICE_GETS = 32768 };

/* How a slice reads: adds up the first elements; NAN when a get failed. */
typedef double read_slice(const struct kv_run *run, void *store, const struct kv_batch *wanted,
                          float *memory);

static double read_copied(const struct kv_run *run, void *store, const struct kv_batch *wanted,
                          float *memory)
{
    double sum = 0.0;
    for (size_t i = 0; i < wanted->count; i++) {
        if (!run->peer->get(store, &wanted->keys[i], memory))
            return NAN;
        sum += (double)memory[0];
    }
    return sum;
}

static double read_borrowed(const struct kv_run *run, void *store, const struct kv_batch *wanted,
                            float *memory)
{
    double sum = 0.0;
    for (size_t i = 0; i < wanted->count; i++) {
        if (!run->peer->view(store, &wanted->keys[i], memory))
            return NAN;
        sum += (double)memory[0];
    }
    return sum;
}

static double read_many(const struct kv_run *run, void *store, const struct kv_batch *wanted,
                        float *memory)
{
    double sum = 0.0;
    for (size_t i = 0; i < wanted->count; i += run->batch) {
        size_t left = wanted->count - i;
        size_t n = left < run->batch ? left : run->batch;
        if (!run->peer->get_many(store, &wanted->keys[i], n, memory))
            return NAN;
        for (size_t j = 0; j < n; j++)
            sum += (double)memory[j * run->shape.dims];
    }
    return sum;
}

/* Reads everything once and compares it. */
static bool warm_up(const struct kv_run *run, void *store, float *memory)
{
    struct kv_batch batch;
    bool right = true;
    kv_batch_open(&batch, &run->shape, 1024, false);
    for (uint64_t row = 0; row < run->rows && right; row += batch.count) {
        uint64_t left = run->rows - row;
        kv_batch_fill_range(&batch, row, left < batch.capacity ? left : batch.capacity);
        for (size_t i = 0; i < batch.count && right; i++)
            right = run->peer->get(store, &batch.keys[i], memory) &&
                    kv_record_matches(&run->shape, batch.rows[i], memory);
    }
    kv_batch_close(&batch);
    if (!right)
        fprintf(stderr, "bench_kv: %s gave back another vector than was put\n", run->peer->name);
    return right;
}

static bool time_slices(const struct kv_run *run, void *store, read_slice *slice, float *memory,
                        struct kv_result *result)
{
    struct hardware_count counters;
    struct kv_batch wanted;
    size_t slices = run->slices;
    double *rates = calloc(slices, sizeof *rates);
    bool right = rates != NULL;
    kv_batch_open(&wanted, &run->shape, SLICE_GETS, false);
    hardware_count_open(&counters);
    for (uint64_t i = 0; i < slices && right; i++) {
        double expected = 0.0;
        kv_batch_fill_random(&wanted, run->rows, SLICE_GETS, run->draw * slices + i);
        for (size_t j = 0; j < wanted.count; j++)
            expected += (double)kv_record_first(&run->shape, wanted.rows[j]);
        hardware_count_start(&counters);
        double begin = kv_seconds();
        double sum = slice(run, store, &wanted, memory);
        rates[i] = SLICE_GETS / (kv_seconds() - begin);
        hardware_count_stop(&counters);
        right = fabs(sum - expected) < 1e-3;
    }
    hardware_count_close(&counters);
    kv_batch_close(&wanted);
    if (!right)
        fprintf(stderr, "bench_kv: %s: a get failed or was wrong\n", run->peer->name);
    kv_report(result, "per_second", right ? kv_quantile(rates, slices, 0.5) : NAN);
    kv_report(result, "instructions", counters.instructions / (double)(slices * SLICE_GETS));
    kv_report(result, "cache_misses", counters.cache_misses / (double)(slices * SLICE_GETS));
    free(rates);
    return right;
}

static bool measure(const struct kv_run *run, read_slice *slice, struct kv_result *result)
{
    void *store = kv_open_peer(run);
    if (store == NULL)
        return false;
    float *memory = calloc(run->batch, run->shape.dims * sizeof *memory);
    bool done = memory != NULL && warm_up(run, store, memory) &&
                time_slices(run, store, slice, memory, result);
    free(memory);
    return run->peer->close(store) && done;
}

static bool offers(const struct kv_run *run, bool offered)
{
    if (!offered)
        fprintf(stderr, "bench_kv: %s has no such call\n", run->peer->name);
    return offered;
}

bool kv_get(const struct kv_run *run, struct kv_result *result)
{
    return measure(run, read_copied, result);
}

bool kv_view(const struct kv_run *run, struct kv_result *result)
{
    return offers(run, run->peer->view != NULL) && measure(run, read_borrowed, result);
}

bool kv_get_many(const struct kv_run *run, struct kv_result *result)
{
    return offers(run, run->peer->get_many != NULL) && measure(run, read_many, result);
}
