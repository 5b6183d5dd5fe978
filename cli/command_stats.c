/* embedcache stats: the figures of a file, for watching it. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "file_figures.h"
#include "report_error.h"
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
static int write_json(struct cache *cache, const edb_stats *stats);
static int print_figures(struct cache *cache, const edb_stats *stats);

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
    .details = "  embedcache stats cache.edb --json",
    .options = options,
    .operands_min = 1,
    .operands_max = 1,
    .run = stats,
};

static int stats(const struct arguments *arguments)
{
    struct cache cache;
    edb_stats stats = {.struct_size = sizeof stats};
    int code = cache_open(&cache, arguments->operands[0], CACHE_READ);
    if (code == CODE_OK) {
        edb_status status = edb_stats_get(cache.db, &stats);
        code = status == EDB_OK ? CODE_OK : report_status(status, NULL);
    }
    if (code == CODE_OK)
        code = option_given(arguments, "json") ? write_json(&cache, &stats)
                                               : print_figures(&cache, &stats);
    return cache_close(&cache, code);
}

static uint64_t value_of(const edb_stats *stats, const struct figure *figure)
{
    uint64_t value;
    memcpy(&value, (const char *)stats + figure->offset, sizeof value);
    return value;
}

static int write_json(struct cache *cache, const edb_stats *stats)
{
    struct emitter json = EMITTER(stdout);
    emit_begin(&json, '{');
    for (size_t i = 0; i < FIGURES; i++) {
        emit_name(&json, figures[i].name);
        emit_count(&json, value_of(stats, &figures[i]));
    }
    int code = figures_write_spaces(&json, cache);
    emit_end(&json, '}');
    putchar('\n');
    return code;
}

static int print_figures(struct cache *cache, const edb_stats *stats)
{
    edb_space_spec spec;
    edb_space_stats space_stats;
    char text[STYLE_COUNT_BYTES];
    for (size_t i = 0; i < FIGURES; i++) {
        uint64_t value = value_of(stats, &figures[i]);
        printf("%-22s %s\n", figures[i].label,
               figures[i].is_bytes ? style_bytes(value, text) : style_count(value, text));
    }
    int code = CODE_OK;
    for (size_t i = 0; code == CODE_OK; i++) {
        code = figures_space(cache, i, &spec, &space_stats);
        if (code != CODE_OK)
            break;
        printf("space %-16s %s alive", spec.name, style_count(space_stats.live, text));
        printf(" of %s rows\n", style_count(space_stats.rows, text));
    }
    return code == CODE_END ? CODE_OK : code;
}
