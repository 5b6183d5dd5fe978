/* embedcache stats: the figures of a file, once or again and again, for people, scripts and
 * Prometheus. */
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "file_figures.h"
#include "report_error.h"
#include "stats_figures.h"
#include "stats_prometheus.h"
#include "stats_watch.h"
#include "text_style.h"

#define FORMAT_WORDS "text|json|prometheus"
enum format { FORMAT_TEXT, FORMAT_JSON, FORMAT_PROMETHEUS };

static int stats(const struct arguments *arguments);
static int show_metrics(const struct arguments *arguments);
static void write_file(struct emitter *json, const char *path, const edb_stats *stats);
static void print_file(const char *path, const edb_stats *stats);
static void print_ledger(const edb_space_stats *stats);
static void print_space(const edb_space_spec *spec, const edb_space_stats *stats);

static const struct option options[] = {
    REAL_ROW_OR("watch", "SECONDS", "look again every SECONDS (2), until Ctrl-C", "2"),
    CHOICE_ROW("format", FORMAT_WORDS, "for people, scripts, or Prometheus (text)"),
    OPTION_JSON,
    OPTIONS_COMMON,
};

const struct command command_stats = {
    .name = "stats",
    .operands = "FILE",
    .summary = "Shows the figures of a file",
    .description = "With --watch the figures are drawn over themselves on a terminal, with what "
                   "grew in a second; elsewhere each look is a line. Commits of other processes "
                   "are seen. When the file is replaced the new one is opened. Ctrl-C ends it, "
                   "with exit code 0.\n\n"
                   "The format prometheus is the text exposition format 0.0.4, one sample for "
                   "the file and for each space.",
    .examples = "embedcache stats cache.edb --json\n"
                "embedcache stats cache.edb --watch\n"
                "embedcache stats cache.edb --format prometheus >cache.prom",
    .options = options,
    .operands_min = 1,
    .operands_max = 1,
    .run = stats,
};

static int stats(const struct arguments *arguments)
{
    static const struct figures_view view = {write_file, print_file, print_space};
    uint32_t format = option_choice(arguments, "format", FORMAT_TEXT);
    if (option_given(arguments, "json") && option_given(arguments, "format") &&
        format != FORMAT_JSON)
        return report_error(CODE_USAGE, "give one of --json and --format, not both");
    if (option_given(arguments, "json"))
        format = FORMAT_JSON;
    if (format != FORMAT_TEXT && option_given(arguments, "watch"))
        return report_error(CODE_USAGE, "--watch is for people: leave --format and --json away, or "
                                        "run embedcache stats again and again");
    if (option_given(arguments, "watch"))
        return stats_watch(arguments, option_real(arguments, "watch", 0));
    if (format == FORMAT_PROMETHEUS)
        return show_metrics(arguments);
    return figures_show(arguments, &view, format == FORMAT_JSON);
}

static int show_metrics(const struct arguments *arguments)
{
    struct cache cache;
    int code = cache_open(&cache, arguments, CACHE_READ);
    if (code == CODE_OK)
        code = stats_prometheus(&cache);
    return cache_close(&cache, code);
}

static void write_file(struct emitter *json, const char *path, const edb_stats *stats)
{
    (void)path;
    for (const struct figure *figure = stats_figures; figure->name != NULL; figure++)
        emit_named_count(json, figure->name, stats_figure(stats, figure));
}

static void print_file(const char *path, const edb_stats *stats)
{
    char text[STYLE_COUNT_BYTES];
    (void)path;
    for (const struct figure *figure = stats_figures; figure->name != NULL; figure++)
        printf("%-22s %s\n", figure->label, stats_figure_text(stats, figure, text));
}

/* Hits, misses, and what the hits saved. */
static void print_ledger(const edb_space_stats *stats)
{
    char hits[STYLE_COUNTED_BYTES];
    char misses[STYLE_COUNTED_BYTES];
    char saved[STYLE_COUNT_BYTES];
    uint64_t asked = stats->hits + stats->misses;
    printf("%22s %s, %s (%.1f %% hits), %s", "", style_counted(stats->hits, "hit", "hits", hits),
           style_counted(stats->misses, "miss", "misses", misses),
           100.0 * (double)stats->hits / (double)asked, style_bytes(stats->hit_bytes, saved));
    if (stats->hit_cost > 0)
        printf(" and a cost of %s", style_count(stats->hit_cost, saved));
    fputs(" not computed again\n", stdout);
}

static void print_space(const edb_space_spec *spec, const edb_space_stats *stats)
{
    char text[STYLE_COUNT_BYTES];
    fputs("space ", stdout);
    style_print_name(stdout, spec->name);
    printf("%*s %s alive", strlen(spec->name) < 16 ? (int)(16 - strlen(spec->name)) : 0, "",
           style_count(stats->live, text));
    printf(" of %s rows\n", style_count(stats->rows, text));
    if (stats->hits + stats->misses > 0)
        print_ledger(stats);
    if (stats->evictions > 0)
        printf("%22s %s evicted\n", "", style_count(stats->evictions, text));
}
