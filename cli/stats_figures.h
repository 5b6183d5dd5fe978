/* The figures of a file: what each is called for people, for scripts and for Prometheus. One table
 * for all ways of showing them. */
#ifndef EMBEDCACHE_CLI_STATS_FIGURES_H
#define EMBEDCACHE_CLI_STATS_FIGURES_H

#include <embedcache.h>
#include <stddef.h>

#include "text_style.h"

enum figure_kind {
    FIGURE_LEVEL,
    FIGURE_GROWING, /* a level whose rate is of interest */
    FIGURE_COUNTER  /* never goes back */
};

struct figure {
    size_t offset;      /* in edb_stats */
    const char *name;   /* in JSON */
    const char *metric; /* for Prometheus */
    const char *label;  /* for people */
    const char *help;
    enum figure_kind kind;
    int is_bytes;
};

/* A name of NULL ends them. */
extern const struct figure stats_figures[];

uint64_t stats_figure(const edb_stats *stats, const struct figure *figure);

/* "1,234" or "1.2 MiB" into `out`, which is returned. */
const char *stats_figure_text(const edb_stats *stats, const struct figure *figure,
                              char out[STYLE_COUNT_BYTES]);

#endif
