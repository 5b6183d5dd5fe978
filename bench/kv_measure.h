/* The measurements of the key-value benchmark: each opens one store, does its untimed preparation,
 * and measures one thing. Called by bench_kv.c, one measurement in a process. Which runs are
 * compared, and how often, is decided by run_kv. */
#ifndef BENCH_KV_MEASURE_H
#define BENCH_KV_MEASURE_H

#include "kv_record.h"
#include "peer.h"

enum { KV_FIGURES_MAX = 12 };

struct kv_run {
    const struct peer *peer;
    struct peer_setting setting;
    struct kv_shape shape;
    uint64_t rows; /* in the store */
    size_t batch;  /* records in one transaction, or in one edb_get_many */
    size_t slices; /* of random gets; the median one counts */
    uint64_t draw; /* tells the random choices of one run from another's */
    bool cold;     /* drop the system's caches before the timed part */
};

/* What came out: named numbers. NAN: it cannot be measured here. */
struct kv_result {
    struct {
        const char *name;
        double value;
    } figures[KV_FIGURES_MAX];
    size_t count;
};

typedef bool kv_measure(const struct kv_run *run, struct kv_result *result);

/* Fills a store with `rows` records and closes it: file_bytes, raw_bytes, seconds. */
kv_measure kv_fill;

/* Puts `rows` records into a new store: per_second; durable also us_median, us_p99 of a commit. */
kv_measure kv_insert;

/* Random gets from a filled store: per_second, instructions and cache_misses of one get. */
kv_measure kv_get;      /* copied */
kv_measure kv_view;     /* borrowed, first element read */
kv_measure kv_get_many; /* copied, `batch` keys a call */

/* Opening a filled store and one get: ms. */
kv_measure kv_open;

/* What opening a filled store and 1,000 gets add to the process's anonymous memory: rss_anon. */
kv_measure kv_memory;

/* Adds a figure to the result. */
void kv_report(struct kv_result *result, const char *name, double value);

/* Seconds of a clock that only goes forward. */
double kv_seconds(void);

/* The value at `quantile` (0 to 1) of n values; sorts them. */
double kv_quantile(double *values, size_t n, double quantile);

/* Opens the run's peer; NULL was told to the user. */
void *kv_open_peer(const struct kv_run *run);

#endif
