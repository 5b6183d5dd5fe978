/* embedcache merge: the records of other files into one. */
#include <string.h>

#include "cache_open.h"
#include "commands.h"
#include "file_figures.h"
#include "interrupt_catch.h"
#include "json_emit.h"
#include "progress_draw.h"
#include "report_error.h"
#include "text_style.h"

/* In the order of edb_conflict. */
#define CONFLICT_WORDS "newest|keep|refuse"

enum { FILES_MAX = 64 };

/* What has become of all files. */
struct merged {
    edb_merge_report report;
    uint64_t evicted; /* by the limits of the file, of what was added or was there */
};

static int merge(const struct arguments *arguments);
static int merge_within_limits(struct cache *into, const struct arguments *arguments,
                               struct merged *merged);
static int merge_files(struct cache *into, const struct arguments *arguments,
                       edb_merge_report *total);
static int merge_file(struct cache *into, const char *path, edb_merge_options *wanted,
                      edb_merge_report *total);
static void add_report(edb_merge_report *total, const edb_merge_report *report);
static int show_progress(void *arg, uint64_t done, uint64_t total);
static void print_json(const struct merged *merged);
static void print_summary(const char *path, const struct merged *merged, int is_dry);

static const struct option options[] = {
    CHOICE_ROW("on-conflict", CONFLICT_WORDS,
               "which record counts when a key has other content in two files (newest)"),
    FLAG_ROW("dry-run", 0, "write nothing; say what would be done"),
    OPTION_JSON,
    OPTIONS_COMMON,
};

const struct command command_merge = {
    .name = "merge",
    .operands = "FILE FROM...",
    .summary = "Puts the records of other files into one",
    .description =
        "FILE then holds the union; every FROM stays as it is. Spaces that are absent are created; "
        "one that is there with another model, dimension or metric is refused before anything is "
        "written. Text, metadata, expiry and the time of the put come along; row numbers are new. "
        "Expired records and unfinished imports stay out.\n\n"
        "Of two records of a key the one that was put later counts, of equal times that of FROM. "
        "With --on-conflict keep that of FILE counts; with refuse the first such key ends the "
        "merge of its FROM before anything of it is written. What is over a limit of FILE is "
        "evicted then, and counted.\n\n"
        "What was deleted in one file is not deleted in the other. Interrupted, run it again: what "
        "is there already is left alone.",
    .examples = "embedcache merge all.edb monday.edb tuesday.edb\n"
                "embedcache merge cache.edb other.edb --on-conflict refuse --dry-run",
    .options = options,
    .operands_min = 2,
    .operands_max = FILES_MAX + 1,
    .run = merge,
};

static int merge(const struct arguments *arguments)
{
    struct cache into;
    struct merged merged = {.report = {.struct_size = sizeof merged.report}};
    int is_dry = option_given(arguments, "dry-run");
    int code = cache_open(&into, arguments, is_dry ? CACHE_READ : CACHE_CHANGE);
    if (code == CODE_OK)
        code = is_dry ? merge_files(&into, arguments, &merged.report)
                      : merge_within_limits(&into, arguments, &merged);
    if (code == CODE_OK && option_given(arguments, "json"))
        print_json(&merged);
    else if (code == CODE_OK && !report_is_quiet())
        print_summary(into.path, &merged, is_dry);
    return cache_close(&into, code);
}

/* What closing would evict is evicted before it is counted. Who holds the file then does it. */
static int merge_within_limits(struct cache *into, const struct arguments *arguments,
                               struct merged *merged)
{
    uint64_t before = 0;
    uint64_t after = 0;
    edb_status status = figures_evictions(into->db, &before);
    if (status != EDB_OK)
        return report_status(status, NULL);
    int code = merge_files(into, arguments, &merged->report);
    if (code != CODE_OK)
        return code;
    status = edb_maintain(into->db);
    if (status != EDB_OK && status != EDB_BUSY) /* what was merged is safe */
        report_note("the limits of %s are not kept yet: %s", into->path, edb_error_detail());
    status = figures_evictions(into->db, &after);
    merged->evicted = after - before;
    return status == EDB_OK ? CODE_OK : report_status(status, NULL);
}

static int merge_files(struct cache *into, const struct arguments *arguments,
                       edb_merge_report *total)
{
    edb_merge_options wanted = EDB_MERGE_OPTIONS_INIT;
    wanted.on_conflict = option_choice(arguments, "on-conflict", EDB_CONFLICT_NEWEST);
    wanted.dry_run = (uint32_t)option_given(arguments, "dry-run");
    wanted.progress = show_progress;
    int code = CODE_OK;
    interrupt_catch();
    for (size_t i = 1; i < arguments->operand_count && code == CODE_OK; i++)
        code = merge_file(into, arguments->operands[i], &wanted, total);
    return code;
}

static int merge_file(struct cache *into, const char *path, edb_merge_options *wanted,
                      edb_merge_report *total)
{
    struct cache from;
    struct progress progress;
    edb_merge_report report = {.struct_size = sizeof report};
    int code = cache_open_at(&from, path, CACHE_SNAPSHOT);
    if (code != CODE_OK)
        return cache_close(&from, code);
    wanted->arg = &progress;
    progress_begin(&progress, "merge", "records", 0, 0);
    edb_status status = edb_merge(into->db, from.db, wanted, &report);
    progress_end(&progress);
    if (status == EDB_CANCELLED)
        code = report_error(CODE_INTERRUPTED,
                            "interrupted: what was merged into %s stays; run it "
                            "again for the rest",
                            into->path);
    else if (status == EDB_INVALID)
        code = report_error(CODE_USAGE, "%s", edb_error_detail());
    else if (status != EDB_OK)
        code = report_status(status, NULL);
    else
        add_report(total, &report);
    return cache_close(&from, code);
}

static void add_report(edb_merge_report *total, const edb_merge_report *report)
{
    total->added += report->added;
    total->replaced += report->replaced;
    total->kept += report->kept;
    total->equal += report->equal;
    total->spaces += report->spaces;
}

/* Asks to stop once somebody has pressed Ctrl-C. */
static int show_progress(void *arg, uint64_t done, uint64_t total)
{
    struct progress *progress = arg;
    progress->total = total;
    progress_show(progress, done);
    return interrupt_caught();
}

static void print_json(const struct merged *merged)
{
    const edb_merge_report *report = &merged->report;
    struct emitter json = EMITTER(stdout);
    emit_begin(&json, '{');
    emit_named_count(&json, "added", report->added);
    emit_named_count(&json, "replaced", report->replaced);
    emit_named_count(&json, "kept", report->kept);
    emit_named_count(&json, "equal", report->equal);
    emit_named_count(&json, "spaces", report->spaces);
    emit_named_count(&json, "evicted", merged->evicted);
    emit_end(&json, '}');
    putchar('\n');
}

static void print_summary(const char *path, const struct merged *merged, int is_dry)
{
    const edb_merge_report *report = &merged->report;
    char added[STYLE_COUNTED_BYTES];
    char replaced[STYLE_COUNT_BYTES];
    char kept[STYLE_COUNT_BYTES];
    char equal[STYLE_COUNT_BYTES];
    style_print_name(stdout, path);
    printf(": %s %sadded, %s replaced, %s kept as %s, %s equal",
           style_counted(report->added, "record", "records", added), is_dry ? "would be " : "",
           style_count(report->replaced, replaced), style_count(report->kept, kept),
           report->kept == 1 ? "it was" : "they were", style_count(report->equal, equal));
    if (merged->evicted > 0)
        printf("; %s by the limits of the file",
               style_counted(merged->evicted, "record evicted", "records evicted", added));
    putchar('\n');
}
