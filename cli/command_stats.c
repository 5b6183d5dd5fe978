/* embedcache stats: the figures of a file, for watching it. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "file_figures.h"
#include "text_style.h"

/* One figure: where it stands in edb_stats, and what it is called. */
struct figure {
    size_t offset;
    const char *name; /* in JSON */
    const char *label;
    int is_bytes;
};

static int stats(const struct arguments *arguments);
static uint64_t value_of(const edb_stats *stats, const struct figure *figure);
static void write_file(struct emitter *json, const char *path, const edb_stats *stats);
static void print_file(const char *path, const edb_stats *stats);
static void print_space(const edb_space_spec *spec, const edb_space_stats *stats);

static const struct figure figures[] = {
    {offsetof(edb_stats, file_bytes), "file_bytes", "file", 1},
    {offsetof(edb_stats, used_bytes), "used_bytes", "used", 1},
    {offsetof(edb_stats, synced_bytes), "synced_bytes", "synced", 1},
    {offsetof(edb_stats, section_bytes), "section_bytes", "index sections", 1},
    {offsetof(edb_stats, sections), "sections", "number of sections", 0},
    {offsetof(edb_stats, sequence), "sequence", "frames since creation", 0},
    {offsetof(edb_stats, rows), "rows", "rows given", 0},
    {offsetof(edb_stats, live), "live", "rows alive", 0},
    {offsetof(edb_stats, tail_rows), "tail_rows", "rows not indexed yet", 0},
    {offsetof(edb_stats, mapped_bytes), "mapped_bytes", "address space", 1},
};

enum { FIGURES = sizeof figures / sizeof figures[0] };

static const struct option options[] = {
    OPTION_JSON,
    OPTIONS_COMMON,
};

const struct command command_stats = {
    .name = "stats",
    .operands = "FILE",
    .summary = "Shows the figures of a file",
    .examples = "embedcache stats cache.edb --json",
    .options = options,
    .operands_min = 1,
    .operands_max = 1,
    .run = stats,
};

static int stats(const struct arguments *arguments)
{
    static const struct figures_view view = {write_file, print_file, print_space};
    return figures_show(arguments, &view);
}

static uint64_t value_of(const edb_stats *stats, const struct figure *figure)
{
    uint64_t value;
    memcpy(&value, (const char *)stats + figure->offset, sizeof value);
    return value;
}

static void write_file(struct emitter *json, const char *path, const edb_stats *stats)
{
    (void)path;
    for (size_t i = 0; i < FIGURES; i++) {
        emit_named_count(json, figures[i].name, value_of(stats, &figures[i]));
    }
}

static void print_file(const char *path, const edb_stats *stats)
{
    char text[STYLE_COUNT_BYTES];
    (void)path;
    for (size_t i = 0; i < FIGURES; i++) {
        uint64_t value = value_of(stats, &figures[i]);
        printf("%-22s %s\n", figures[i].label,
               figures[i].is_bytes ? style_bytes(value, text) : style_count(value, text));
    }
}

static void print_space(const edb_space_spec *spec, const edb_space_stats *stats)
{
    char text[STYLE_COUNT_BYTES];
    fputs("space ", stdout);
    style_print_name(stdout, spec->name);
    printf("%*s %s alive", strlen(spec->name) < 16 ? (int)(16 - strlen(spec->name)) : 0, "",
           style_count(stats->live, text));
    printf(" of %s rows\n", style_count(stats->rows, text));
}
