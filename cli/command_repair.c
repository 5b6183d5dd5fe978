/* embedcache repair: what still verifies in a damaged file goes into a new one. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "interrupt_catch.h"
#include "json_emit.h"
#include "progress_draw.h"
#include "report_error.h"
#include "text_style.h"

/* What is told meanwhile, and how. */
struct telling {
    struct progress progress;
    struct emitter json;
    int is_json;
};

static int repair(const struct arguments *arguments);
static void tell_range(void *arg, uint64_t offset, uint64_t bytes, const char *message);
static void begin_json(struct telling *telling);
static void end_json(struct telling *telling, edb_status status, const edb_repair_report *report);
static int report_failure(edb_status status, const char *to);
static int show_progress(void *arg, uint64_t done, uint64_t total);
static void write_report(struct emitter *json, const edb_repair_report *report);
static void print_report(const char *const paths[2], const edb_repair_report *report);
static void print_uncertain(const edb_repair_report *report);

static const struct option options[] = {
    OPTION_JSON,
    OPTIONS_COMMON,
};

const struct command command_repair = {
    .name = "repair",
    .operands = "FILE NEW",
    .summary = "Saves what is left of a damaged file into a new one",
    .description =
        "Every record that verifies goes into NEW, under its row number; each damaged range is "
        "named, with what it held as far as that is known. Nothing is written to FILE, which may "
        "be damaged in any way, cut off, or on a read-only medium; NEW must not exist.\n\n"
        "Where frames are missing, what they deleted or replaced may be back, and the last "
        "transaction before them may not have been committed: both are said. Of a file that is not "
        "damaged NEW is a copy of what is there. Stop the writers before.",
    .examples = "embedcache repair cache.edb saved.edb",
    .options = options,
    .operands_min = 2,
    .operands_max = 2,
    .run = repair,
};

static int repair(const struct arguments *arguments)
{
    const char *const paths[2] = {arguments->operands[0], arguments->operands[1]};
    struct telling telling = {.json = EMITTER(stdout), .is_json = option_given(arguments, "json")};
    edb_repair_report report = {.struct_size = sizeof report};
    edb_repair_options wanted = EDB_REPAIR_OPTIONS_INIT;
    wanted.found = tell_range;
    wanted.progress = show_progress;
    wanted.arg = &telling;
    if (paths[0][0] == '\0' || paths[1][0] == '\0')
        return report_error(CODE_USAGE, "the name of a file is empty: give it, like cache.edb");
    begin_json(&telling);
    interrupt_catch();
    progress_begin(&telling.progress, "repair", "bytes", 0, 0);
    edb_status status = edb_repair(paths[0], paths[1], &wanted, &report);
    progress_end(&telling.progress);
    end_json(&telling, status, &report);
    if (status != EDB_OK)
        return report_failure(status, paths[1]);
    if (!telling.is_json && !report_is_quiet())
        print_report(paths, &report);
    return CODE_OK;
}

/* One object, of which the damaged ranges come as they are found. */
static void begin_json(struct telling *telling)
{
    if (!telling->is_json)
        return;
    emit_begin(&telling->json, '{');
    emit_name(&telling->json, "damaged");
    emit_begin(&telling->json, '[');
}

static void end_json(struct telling *telling, edb_status status, const edb_repair_report *report)
{
    if (!telling->is_json)
        return;
    emit_end(&telling->json, ']');
    emit_name(&telling->json, "done");
    emit_bool(&telling->json, status == EDB_OK);
    write_report(&telling->json, report);
}

static int report_failure(edb_status status, const char *to)
{
    if (status == EDB_CANCELLED)
        return report_error(CODE_INTERRUPTED, "interrupted: %s was not made", to);
    if (status == EDB_NOT_FOUND)
        return report_error(CODE_IO, "%s: check the name", edb_error_detail());
    if (status == EDB_CORRUPT)
        return report_error(CODE_BAD_DATA, "%s: restore a copy", edb_error_detail());
    return report_status(status, NULL);
}

static void tell_range(void *arg, uint64_t offset, uint64_t bytes, const char *message)
{
    struct telling *telling = arg;
    struct emitter *json = &telling->json;
    if (!telling->is_json) {
        progress_end(&telling->progress);
        progress_begin(&telling->progress, "repair", "bytes", 0, 0);
        printf("at %" PRIu64 ", %" PRIu64 " bytes: ", offset, bytes);
        style_print_name(stdout, message);
        putchar('\n');
        return;
    }
    emit_begin(json, '{');
    emit_named_count(json, "offset", offset);
    emit_named_count(json, "bytes", bytes);
    emit_named_text(json, "message", message);
    emit_end(json, '}');
}

/* Asks to stop once somebody has pressed Ctrl-C. */
static int show_progress(void *arg, uint64_t done, uint64_t total)
{
    struct telling *telling = arg;
    telling->progress.total = total;
    progress_show(&telling->progress, done);
    return interrupt_caught();
}

static void write_report(struct emitter *json, const edb_repair_report *report)
{
    emit_named_count(json, "ranges", report->ranges);
    emit_named_count(json, "records", report->records);
    emit_named_count(json, "uncertain", report->uncertain);
    emit_named_count(json, "lost", report->lost);
    emit_named_count(json, "frames", report->frames);
    emit_named_count(json, "frames_missing", report->frames_missing);
    emit_named_count(json, "left_out", report->left_out);
    emit_named_count(json, "spaces", report->spaces);
    emit_named_count(json, "spaces_lost", report->spaces_lost);
    emit_named_count(json, "bytes", report->bytes);
    emit_end(json, '}');
    putchar('\n');
}

static void print_report(const char *const paths[2], const edb_repair_report *report)
{
    char text[STYLE_COUNTED_BYTES];
    style_print_name(stdout, paths[1]);
    printf(": %s of ", style_counted(report->records, "record", "records", text));
    style_print_name(stdout, paths[0]);
    if (report->ranges == 0) {
        puts(", which is not damaged");
        return;
    }
    printf("; %s known to be gone", style_counted(report->lost, "record is", "records are", text));
    if (report->frames_missing > 0)
        printf(", %s missing",
               style_counted(report->frames_missing, "frame is", "frames are", text));
    putchar('\n');
    print_uncertain(report);
}

static void print_uncertain(const edb_repair_report *report)
{
    char text[STYLE_COUNTED_BYTES];
    if (report->frames_missing > 0)
        puts("what the missing frames deleted or replaced may be back");
    if (report->uncertain > 0)
        printf("%s saved that may not have been committed\n",
               style_counted(report->uncertain, "record is", "records are", text));
    if (report->spaces_lost > 0)
        printf("%s lost, with all records\n",
               style_counted(report->spaces_lost, "space is", "spaces are", text));
}
