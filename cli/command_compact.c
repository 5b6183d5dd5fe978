/* embedcache compact: writes the cache anew, without what is gone. */
#include <string.h>

#include "cache_open.h"
#include "commands.h"
#include "interrupt_catch.h"
#include "json_emit.h"
#include "progress_draw.h"
#include "report_error.h"
#include "text_style.h"

static int compact(const struct arguments *arguments);
static int show_progress(void *arg, uint64_t done, uint64_t total);
static void print_json(const edb_compact_report *report, double seconds);
static void print_summary(const char *path, const edb_compact_report *report, double seconds);

static const struct option options[] = {
    SIZE_ROW("bytes-per-second",
             "write no faster than this, such as 50M; 0 = as fast as it goes (0)"),
    OPTION_JSON,
    OPTIONS_COMMON,
};

const struct command command_compact = {
    .name = "compact",
    .operands = "FILE",
    .summary = "Gives back the space of what was deleted and overwritten",
    .description =
        "Writes a new file of what is there, which then takes the place of the old one. Keys, "
        "vectors, texts, metadata and row numbers stay as they are. Others read and write on "
        "meanwhile, and go on in the new file by themselves. Until it is done there must be room "
        "for both files.\n\n"
        "A crash leaves the old file or the new one. After Ctrl-C the file is as it was.",
    .examples = "embedcache compact cache.edb\n"
                "embedcache compact cache.edb --bytes-per-second 50M",
    .options = options,
    .operands_min = 1,
    .operands_max = 1,
    .run = compact,
};

static int compact(const struct arguments *arguments)
{
    struct cache cache;
    struct progress progress;
    edb_compact_report report = {.struct_size = sizeof report};
    edb_compact_options wanted = EDB_COMPACT_OPTIONS_INIT;
    wanted.bytes_per_s = option_size(arguments, "bytes-per-second", 0);
    wanted.progress = show_progress;
    wanted.arg = &progress;
    int code = cache_open(&cache, arguments, CACHE_CHANGE);
    if (code != CODE_OK)
        return cache_close(&cache, code);
    double started = progress_seconds();
    interrupt_catch();
    progress_begin(&progress, "compact", "rows", 0, 0);
    edb_status status = edb_compact(cache.db, &wanted, &report);
    progress_end(&progress);
    double seconds = progress_seconds() - started;
    if (status == EDB_CANCELLED)
        code = report_error(CODE_INTERRUPTED, "interrupted: %s is as it was", cache.path);
    else if (status != EDB_OK)
        code = report_status(status, NULL);
    else if (option_given(arguments, "json"))
        print_json(&report, seconds);
    else if (!report_is_quiet())
        print_summary(cache.path, &report, seconds);
    return cache_close(&cache, code);
}

/* Asks to stop once somebody has pressed Ctrl-C. */
static int show_progress(void *arg, uint64_t done, uint64_t total)
{
    struct progress *progress = arg;
    progress->total = total;
    progress_show(progress, done);
    return interrupt_caught();
}

static void print_json(const edb_compact_report *report, double seconds)
{
    struct emitter json = EMITTER(stdout);
    emit_begin(&json, '{');
    emit_named_count(&json, "rows", report->rows);
    emit_named_count(&json, "bytes_before", report->bytes_before);
    emit_named_count(&json, "bytes_after", report->bytes_after);
    emit_name(&json, "seconds");
    emit_real(&json, (float)seconds);
    emit_end(&json, '}');
    putchar('\n');
}

static void print_summary(const char *path, const edb_compact_report *report, double seconds)
{
    char before[STYLE_COUNT_BYTES];
    char after[STYLE_COUNT_BYTES];
    char took[STYLE_COUNT_BYTES];
    char rows[STYLE_COUNTED_BYTES];
    style_print_name(stdout, path);
    printf(": %s before, %s now: ", style_bytes(report->bytes_before, before),
           style_bytes(report->bytes_after, after));
    printf("%s kept, in %s\n", style_counted(report->rows, "row", "rows", rows),
           style_seconds(seconds, took));
}
