/* embedcache maintain: what commits do in steps, at once. */
#include <stdio.h>

#include "cache_open.h"
#include "commands.h"
#include "file_figures.h"
#include "json_emit.h"
#include "report_error.h"
#include "text_style.h"

/* What has changed when it is done. */
struct figures {
    uint64_t evictions; /* of all spaces, ever */
    uint64_t bytes;     /* of the file */
};

static int maintain(const struct arguments *arguments);
static edb_status read_figures(edb *db, struct figures *figures_out);
static void print_json(const struct figures *before, const struct figures *after);
static void print_summary(const char *path, const struct figures *before,
                          const struct figures *after);

static const struct option options[] = {
    OPTION_JSON,
    OPTIONS_COMMON,
};

const struct command command_maintain = {
    .name = "maintain",
    .operands = "FILE",
    .summary = "Evicts what is over the limits, and compacts if that is due",
    .description = "Programs that write do this by themselves, in small steps after their commits, "
                   "as far as the limits of the file ask for it (embedcache limit). This does all "
                   "of it at once, for example at night.",
    .examples = "embedcache maintain cache.edb",
    .options = options,
    .operands_min = 1,
    .operands_max = 1,
    .run = maintain,
};

static int maintain(const struct arguments *arguments)
{
    struct cache cache;
    struct figures before;
    struct figures after;
    int code = cache_open(&cache, arguments, CACHE_CHANGE);
    if (code != CODE_OK)
        return cache_close(&cache, code);
    edb_status status = read_figures(cache.db, &before);
    if (status == EDB_OK)
        status = edb_maintain(cache.db);
    if (status == EDB_OK)
        status = read_figures(cache.db, &after);
    if (status != EDB_OK)
        code = report_status(status, NULL);
    else if (option_given(arguments, "json"))
        print_json(&before, &after);
    else if (!report_is_quiet())
        print_summary(cache.path, &before, &after);
    return cache_close(&cache, code);
}

static edb_status read_figures(edb *db, struct figures *figures_out)
{
    edb_stats stats = {.struct_size = sizeof stats};
    edb_status status = edb_stats_get(db, &stats);
    figures_out->bytes = stats.file_bytes;
    return status == EDB_OK ? figures_evictions(db, &figures_out->evictions) : status;
}

static void print_json(const struct figures *before, const struct figures *after)
{
    struct emitter json = EMITTER(stdout);
    emit_begin(&json, '{');
    emit_named_count(&json, "evicted", after->evictions - before->evictions);
    emit_named_count(&json, "bytes_before", before->bytes);
    emit_named_count(&json, "bytes_after", after->bytes);
    emit_end(&json, '}');
    putchar('\n');
}

static void print_summary(const char *path, const struct figures *before,
                          const struct figures *after)
{
    char rows[STYLE_COUNTED_BYTES];
    char was[STYLE_COUNT_BYTES];
    char is[STYLE_COUNT_BYTES];
    uint64_t evicted = after->evictions - before->evictions;
    style_print_name(stdout, path);
    printf(": %s evicted, ", style_counted(evicted, "row", "rows", rows));
    printf("%s before, %s now\n", style_bytes(before->bytes, was), style_bytes(after->bytes, is));
}
