/* embedcache info: what a file is. */
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "file_figures.h"
#include "text_style.h"

static int info(const struct arguments *arguments);
static void write_file(struct emitter *json, const char *path, const edb_stats *stats);
static void print_file(const char *path, const edb_stats *stats);
static void print_space(const edb_space_spec *spec, const edb_space_stats *stats);
static void print_model(const edb_space_spec *spec);
static void print_bold(const char *name);

static const struct option options[] = {
    OPTION_JSON,
    OPTIONS_COMMON,
};

const struct command command_info = {
    .name = "info",
    .operands = "FILE",
    .summary = "Shows what a file is and which spaces it has",
    .examples = "embedcache info cache.edb",
    .options = options,
    .operands_min = 1,
    .operands_max = 1,
    .run = info,
};

static int info(const struct arguments *arguments)
{
    static const struct figures_view view = {write_file, print_file, print_space};
    return figures_show(arguments, &view, option_given(arguments, "json"));
}

static void write_file(struct emitter *json, const char *path, const edb_stats *stats)
{
    char uuid[UUID_BYTES];
    figures_uuid(stats, uuid);
    emit_name(json, "file");
    emit_bytes(json, path, strlen(path));
    emit_named_count(json, "format_version", stats->format_version);
    emit_named_text(json, "oldest_reader", figures_oldest_reader(stats));
    emit_named_text(json, "version", edb_version());
    emit_named_text(json, "uuid", uuid);
    emit_named_count(json, "file_bytes", stats->file_bytes);
    emit_named_count(json, "live", stats->live);
}

static void print_file(const char *path, const edb_stats *stats)
{
    char text[STYLE_COUNT_BYTES];
    char uuid[UUID_BYTES];
    figures_uuid(stats, uuid);
    print_bold(path);
    printf("\n  format   %u, read by EmbedCache %s and later\n", stats->format_version,
           figures_oldest_reader(stats));
    printf("  size     %s\n", style_bytes(stats->file_bytes, text));
    printf("  uuid     %s\n", uuid);
}

static void print_space(const edb_space_spec *spec, const edb_space_stats *stats)
{
    char text[STYLE_COUNTED_BYTES];
    char word[16];
    fputs("space ", stdout);
    print_bold(spec->name);
    if (spec->dims == 0)
        printf("\n  holds    %s\n",
               style_counted(stats->live, "opaque value", "opaque values", text));
    else
        printf("\n  holds    %s of %u dims\n",
               style_counted(stats->live, "vector", "vectors", text), spec->dims);
    if (spec->model[0] != '\0')
        print_model(spec);
    if (spec->dims > 0)
        printf("  metric   %s\n", figures_word(METRIC_WORDS, spec->metric, word));
    if (spec->role != EDB_ROLE_NONE)
        printf("  role     %s\n", figures_word(ROLE_WORDS, spec->role, word));
    if (spec->key_form != EDB_KEY_BYTES)
        printf("  keys     %s\n", figures_word(KEY_FORM_WORDS, spec->key_form, word));
}

static void print_model(const edb_space_spec *spec)
{
    fputs("  model    ", stdout);
    style_print_name(stdout, spec->model);
    if (spec->revision[0] != '\0')
        fputs(", revision ", stdout);
    style_print_name(stdout, spec->revision);
    putchar('\n');
}

static void print_bold(const char *name)
{
    fputs(style_begin(stdout, STYLE_BOLD), stdout);
    style_print_name(stdout, name);
    fputs(style_end(stdout), stdout);
}
