/* Small things all measurements need: the clock, order statistics, the list of figures. */
#include <stdlib.h>
#include <time.h>

#include "kv_measure.h"

void kv_report(struct kv_result *result, const char *name, double value)
{
    if (result->count == KV_FIGURES_MAX)
        abort();
    result->figures[result->count].name = name;
    result->figures[result->count].value = value;
    result->count++;
}

double kv_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

double kv_quantile(double *values, size_t n, double quantile)
{
    qsort(values, n, sizeof *values, compare);
    size_t at = (size_t)(quantile * (double)(n - 1) + 0.5);
    return values[at];
}

void *kv_open_peer(const struct kv_run *run)
{
    struct peer_setting setting = run->setting;
    setting.dims = run->shape.dims;
    setting.raw_bytes = run->rows * (run->shape.dims * sizeof(float) + run->shape.key_bytes_max);
    return run->peer->open(&setting);
}
