/* embedcache info: what a file is. */
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "file_figures.h"
#include "report_error.h"
#include "text_style.h"

static int info(const struct arguments *arguments);
static int write_json(struct cache *cache, const edb_stats *stats);
static int print_file(struct cache *cache, const edb_stats *stats);
static void print_space(const edb_space_spec *spec, const edb_space_stats *stats);

static const struct option options[] = {

    OPTION_JSON,
    OPTIONS_COMMON,
};

const struct command command_info = {
    .name = "info",
    .operands = "FILE",
    .summary = "Shows what a file is and which spaces it has",
    .details = "  embedcache info cache.edb",
    .options = options,
    .operands_min = 1,
    .operands_max = 1,
    .run = info,
};

static int info(const struct arguments *arguments)
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
                                               : print_file(&cache, &stats);
    return cache_close(&cache, code);
}

static int write_json(struct cache *cache, const edb_stats *stats)
{
    struct emitter json = EMITTER(stdout);
    char uuid[UUID_BYTES];
    figures_uuid(stats, uuid);
    emit_begin(&json, '{');
    emit_name(&json, "file");
    emit_bytes(&json, cache->path, strlen(cache->path));
    emit_name(&json, "format_version");
    emit_count(&json, stats->format_version);
    emit_name(&json, "uuid");
    emit_text(&json, uuid);
    emit_name(&json, "file_bytes");
    emit_count(&json, stats->file_bytes);
    emit_name(&json, "live");
    emit_count(&json, stats->live);
    int code = figures_write_spaces(&json, cache);
    emit_end(&json, '}');
    putchar('\n');
    return code;
}

static int print_file(struct cache *cache, const edb_stats *stats)
{
    edb_space_spec spec;
    edb_space_stats figures;
    char text[STYLE_COUNT_BYTES];
    char uuid[UUID_BYTES];
    figures_uuid(stats, uuid);
    printf("%s%s%s\n", style_begin(stdout, STYLE_BOLD), cache->path, style_end(stdout));
    printf("  format   %u\n", stats->format_version);
    printf("  size     %s\n", style_bytes(stats->file_bytes, text));
    printf("  uuid     %s\n", uuid);
    int code = CODE_OK;
    for (size_t i = 0; code == CODE_OK; i++) {
        code = figures_space(cache, i, &spec, &figures);
        if (code == CODE_OK)
            print_space(&spec, &figures);
    }
    return code == CODE_END ? CODE_OK : code;
}

static void print_space(const edb_space_spec *spec, const edb_space_stats *stats)
{
    char text[STYLE_COUNT_BYTES];
    char word[16];
    printf("space %s%s%s\n", style_begin(stdout, STYLE_BOLD), spec->name, style_end(stdout));
    if (spec->dims == 0)
        printf("  holds    %s opaque values\n", style_count(stats->live, text));
    else
        printf("  holds    %s vectors of %u dims\n", style_count(stats->live, text), spec->dims);
    if (spec->model[0] != '\0')
        printf("  model    %s%s%s\n", spec->model, spec->revision[0] != '\0' ? ", revision " : "",
               spec->revision);
    if (spec->dims > 0)
        printf("  metric   %s\n", figures_word(METRIC_WORDS, spec->metric, word));
    if (spec->role != EDB_ROLE_NONE)
        printf("  role     %s\n", figures_word(ROLE_WORDS, spec->role, word));
    if (spec->key_form != EDB_KEY_BYTES)
        printf("  keys     %s\n", figures_word(KEY_FORM_WORDS, spec->key_form, word));
}
