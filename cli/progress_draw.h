/* The progress bar of long commands, on a terminal only. */
#ifndef EMBEDCACHE_CLI_PROGRESS_DRAW_H
#define EMBEDCACHE_CLI_PROGRESS_DRAW_H

#include <stdint.h>

struct progress {
    const char *verb; /* "import" */
    const char *unit; /* "rows" */
    uint64_t first;   /* so many were done before */
    uint64_t total;   /* 0 = unknown: a counter without a bar */
    double started;   /* seconds of the monotonic clock */
    double drawn;     /* when last; 0 = never */
    int on;
};

/* Seconds of the monotonic clock. */
double progress_seconds(void);

/* `first` of the total were done by others: rate and time left are of the rest. */
void progress_begin(struct progress *progress, const char *verb, const char *unit, uint64_t first,
                    uint64_t total);

/* Draws at most ten times a second. */
void progress_show(struct progress *progress, uint64_t done);

/* Wipes the line. Call it before anything else is printed. */
void progress_end(struct progress *progress);

#endif
