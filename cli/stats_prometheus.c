/* Samples of one metric stand together, behind its HELP and TYPE. Labels are the file's path and
 * the space's name. */
#include "stats_prometheus.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "file_figures.h"
#include "report_error.h"
#include "stats_figures.h"
#include "text_style.h"

/* A figure of each space. */
struct space_metric {
    const char *name;
    const char *type;
    const char *help;
    uint64_t (*value)(const edb_space_spec *spec, const edb_space_stats *stats);
};

static void print_identity(const char *path, const edb_stats *stats);
static int print_spaces(struct cache *cache, const struct space_metric *metric);
static void print_head(const char *name, const char *type, const char *help);
static void print_label(const char *name, const char *value);
static uint64_t rows_of(const edb_space_spec *spec, const edb_space_stats *stats);
static uint64_t live_of(const edb_space_spec *spec, const edb_space_stats *stats);
static uint64_t dims_of(const edb_space_spec *spec, const edb_space_stats *stats);
static uint64_t hits_of(const edb_space_spec *spec, const edb_space_stats *stats);
static uint64_t misses_of(const edb_space_spec *spec, const edb_space_stats *stats);
static uint64_t hit_bytes_of(const edb_space_spec *spec, const edb_space_stats *stats);
static uint64_t hit_cost_of(const edb_space_spec *spec, const edb_space_stats *stats);
static uint64_t evictions_of(const edb_space_spec *spec, const edb_space_stats *stats);
static uint64_t live_bytes_of(const edb_space_spec *spec, const edb_space_stats *stats);

static const struct space_metric space_metrics[] = {
    {"embedcache_space_rows_total", "counter", "Row numbers given in a space.", rows_of},
    {"embedcache_space_live_rows", "gauge",
     "Rows of a space that are neither deleted nor "
     "overwritten.",
     live_of},
    {"embedcache_space_dims", "gauge", "Numbers in a vector of a space; 0: opaque values.",
     dims_of},
    {"embedcache_space_hits_total", "counter",
     "Reads of a key of a space that found it, as far as they were handed over.", hits_of},
    {"embedcache_space_misses_total", "counter", "Reads of a key of a space that did not find it.",
     misses_of},
    {"embedcache_space_hit_bytes_total", "counter", "Bytes of the vectors that were found.",
     hit_bytes_of},
    {"embedcache_space_hit_cost_total", "counter",
     "Cost of what was found and so not computed again.", hit_cost_of},
    {"embedcache_space_evictions_total", "counter", "Records of a space that a limit drove out.",
     evictions_of},
    {"embedcache_space_live_bytes", "gauge", "About what the live records of a space take.",
     live_bytes_of},
};

int stats_prometheus(struct cache *cache)
{
    edb_stats stats;
    uint64_t imports;
    edb_status status = figures_file(cache, &stats, &imports);
    if (status != EDB_OK)
        return report_status(status, NULL);
    print_identity(cache->path, &stats);
    for (const struct figure *figure = stats_figures; figure->name != NULL; figure++) {
        print_head(figure->metric, figure->kind == FIGURE_COUNTER ? "counter" : "gauge",
                   figure->help);
        printf("%s{", figure->metric);
        print_label("file", cache->path);
        printf("} %" PRIu64 "\n", stats_figure(&stats, figure));
    }
    int code = CODE_OK;
    for (size_t i = 0; i < sizeof space_metrics / sizeof space_metrics[0] && code == CODE_OK; i++)
        code = print_spaces(cache, &space_metrics[i]);
    return code;
}

/* What does not count stands in the labels of a metric that is always 1. */
static void print_identity(const char *path, const edb_stats *stats)
{
    char uuid[UUID_BYTES];
    figures_uuid(stats, uuid);
    print_head("embedcache_info", "gauge", "What the file is and who reads it; always 1.");
    fputs("embedcache_info{", stdout);
    print_label("file", path);
    printf(",uuid=\"%s\",format_version=\"%u\",version=\"%s\"} 1\n", uuid, stats->format_version,
           edb_version());
}

static int print_spaces(struct cache *cache, const struct space_metric *metric)
{
    edb_space_spec spec;
    edb_space_stats stats;
    int code = CODE_OK;
    print_head(metric->name, metric->type, metric->help);
    for (size_t next = 0; code == CODE_OK;) {
        code = figures_space(cache, &next, &spec, &stats);
        if (code != CODE_OK)
            break;
        printf("%s{", metric->name);
        print_label("file", cache->path);
        putchar(',');
        print_label("space", spec.name);
        printf("} %" PRIu64 "\n", metric->value(&spec, &stats));
    }
    return code == CODE_END ? CODE_OK : code;
}

static void print_head(const char *name, const char *type, const char *help)
{
    printf("# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* Backslashes, quotes and line ends are escaped by the rules of the format. It has no escape for
 * other control characters and bytes that are no UTF-8: U+FFFD takes their place. */
static void print_label(const char *name, const char *value)
{
    printf("%s=\"", name);
    for (size_t left = strlen(value); left > 0;) {
        size_t length = style_utf8_length((const unsigned char *)value, left);
        if (*value == '\n')
            fputs("\\n", stdout);
        else if (*value == '\\' || *value == '"')
            printf("\\%c", *value);
        else if (length == 0 || style_is_control((const unsigned char *)value, length))
            fputs("\xef\xbf\xbd", stdout);
        else
            fwrite(value, 1, length, stdout);
        value += length == 0 ? 1 : length;
        left -= length == 0 ? 1 : length;
    }
    putchar('"');
}

static uint64_t rows_of(const edb_space_spec *spec, const edb_space_stats *stats)
{
    (void)spec;
    return stats->rows;
}

static uint64_t live_of(const edb_space_spec *spec, const edb_space_stats *stats)
{
    (void)spec;
    return stats->live;
}

static uint64_t dims_of(const edb_space_spec *spec, const edb_space_stats *stats)
{
    (void)stats;
    return spec->dims;
}

static uint64_t hits_of(const edb_space_spec *spec, const edb_space_stats *stats)
{
    (void)spec;
    return stats->hits;
}

static uint64_t misses_of(const edb_space_spec *spec, const edb_space_stats *stats)
{
    (void)spec;
    return stats->misses;
}

static uint64_t hit_bytes_of(const edb_space_spec *spec, const edb_space_stats *stats)
{
    (void)spec;
    return stats->hit_bytes;
}

static uint64_t hit_cost_of(const edb_space_spec *spec, const edb_space_stats *stats)
{
    (void)spec;
    return stats->hit_cost;
}

static uint64_t evictions_of(const edb_space_spec *spec, const edb_space_stats *stats)
{
    (void)spec;
    return stats->evictions;
}

static uint64_t live_bytes_of(const edb_space_spec *spec, const edb_space_stats *stats)
{
    (void)spec;
    return stats->live_bytes;
}
