/* The processor's own counters around a piece of work, by perf_event_open. Many virtual machines
 * have none; then the counts are NAN. Used by the measurements of reading. */
#ifndef BENCH_HARDWARE_COUNT_H
#define BENCH_HARDWARE_COUNT_H

struct hardware_count {
    int descriptors[2];
    double instructions;
    double cache_misses;
};

/* Opens the counters of this thread, stopped at zero. */
void hardware_count_open(struct hardware_count *count);

void hardware_count_start(struct hardware_count *count);
void hardware_count_stop(struct hardware_count *count);

/* Reads what came together between all starts and stops, and closes the counters. */
void hardware_count_close(struct hardware_count *count);

#endif
