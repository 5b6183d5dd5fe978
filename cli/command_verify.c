/* embedcache verify: reads and checks every byte that is in use; writes nothing. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cache_open.h"
#include "commands.h"
#include "json_emit.h"
#include "report_error.h"
#include "text_style.h"

static int verify(const struct arguments *arguments);
static void print_problem(void *arg, uint64_t offset, uint64_t bytes, const char *message);
static void write_problem(void *arg, uint64_t offset, uint64_t bytes, const char *message);
static void write_report(struct emitter *json, const edb_verify_report *report, edb_status status);
static void print_report(const char *path, const edb_verify_report *report);

static const struct option options[] = {
    OPTION_JSON,
    OPTIONS_COMMON,
};

const struct command command_verify = {
    .name = "verify",
    .operands = "FILE",
    .summary = "Checks every byte of a file that is in use",
    .description = "Names each problem and its place; exit code 3 when there is one. Nothing "
                   "is written.",
    .examples = "embedcache verify cache.edb",
    .options = options,
    .operands_min = 1,
    .operands_max = 1,
    .run = verify,
};

static int verify(const struct arguments *arguments)
{
    struct cache cache;
    struct emitter json = EMITTER(stdout);
    int is_json = option_given(arguments, "json");
    edb_verify_report report = {.struct_size = sizeof report};
    int code = cache_open(&cache, arguments, CACHE_READ);
    if (code != CODE_OK)
        return cache_close(&cache, code);
    if (is_json) {
        emit_begin(&json, '{');
        emit_name(&json, "problems_found");
        emit_begin(&json, '[');
    }
    edb_status status = edb_verify(cache.db, is_json ? write_problem : print_problem,
                                   is_json ? &json : NULL, &report);
    if (is_json)
        write_report(&json, &report, status);
    if (status != EDB_OK)
        code = report_error(report_code(status), "%s", edb_error_detail());
    else if (!is_json && !report_is_quiet())
        print_report(cache.path, &report);
    return cache_close(&cache, code);
}

static void print_problem(void *arg, uint64_t offset, uint64_t bytes, const char *message)
{
    (void)arg;
    printf("at %" PRIu64 ", %" PRIu64 " bytes: ", offset, bytes);
    style_print_name(stdout, message);
    putchar('\n');
}

static void write_problem(void *arg, uint64_t offset, uint64_t bytes, const char *message)
{
    struct emitter *json = arg;
    emit_begin(json, '{');
    emit_named_count(json, "offset", offset);
    emit_named_count(json, "bytes", bytes);
    emit_named_text(json, "message", message);
    emit_end(json, '}');
}

static void write_report(struct emitter *json, const edb_verify_report *report, edb_status status)
{
    emit_end(json, ']');
    emit_name(json, "ok");
    emit_bool(json, status == EDB_OK);
    emit_named_count(json, "problems", report->problems);
    emit_named_count(json, "frames", report->frames);
    emit_named_count(json, "records", report->records);
    emit_named_count(json, "vectors", report->vectors);
    emit_named_count(json, "sections", report->sections);
    emit_named_count(json, "bytes", report->bytes);
    emit_end(json, '}');
    putchar('\n');
}

static void print_report(const char *path, const edb_verify_report *report)
{
    char text[STYLE_COUNTED_BYTES];
    style_print_name(stdout, path);
    fputs(" is good: ", stdout);
    printf("%s, ", style_counted(report->frames, "frame", "frames", text));
    printf("%s, ", style_counted(report->records, "record", "records", text));
    printf("%s, ", style_counted(report->vectors, "vector", "vectors", text));
    printf("%s, ", style_counted(report->sections, "section", "sections", text));
    printf("%s read\n", style_bytes(report->bytes, text));
}
