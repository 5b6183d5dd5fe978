/* embedcache get: the records of keys, for people, as JSON, or as bare bytes. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cache_open.h"
#include "commands.h"
#include "record_write.h"
#include "report_error.h"
#include "text_style.h"

enum { SHOWN_NUMBERS = 6 };

static int get(const struct arguments *arguments);
static int show_key(struct cache *cache, const struct arguments *arguments, size_t index);
static int write_json(const edb_view *view, const char *key, uint32_t dims);
static int print_record(const edb_view *view, const char *key, uint32_t dims);
static void print_terms(const edb_view *view);
static void print_vector(const edb_view *view, uint32_t dims);

static const struct option options[] = {
    FLAG_ROW("json", 0, "one JSON object a line and key"),
    FLAG_ROW("raw", 0, "the vector's bytes (little-endian float32) or the value, and nothing else"),
    OPTION_SPACE,
    OPTIONS_COMMON,
};

const struct command command_get = {
    .name = "get",
    .operands = "FILE KEY...",
    .summary = "Shows what is stored under keys",
    .description = "A key that is not there is named on stderr and makes the exit code 1; "
                   "others are shown.",
    .examples = "embedcache get cache.edb hello --json",
    .options = options,
    .operands_min = 2,
    .operands_max = (size_t)-1,
    .run = get,
};

static int get(const struct arguments *arguments)
{
    struct cache cache;
    if (option_given(arguments, "raw") && option_given(arguments, "json"))
        return report_error(CODE_USAGE, "give one of --raw and --json, not both");
    int result = cache_open_space(&cache, arguments, CACHE_READ);
    if (result == CODE_OK) {
        for (size_t i = 1; i < arguments->operand_count; i++) {
            int code = show_key(&cache, arguments, i);
            result = code > result ? code : result;
        }
    }
    return cache_close(&cache, result);
}

static int show_key(struct cache *cache, const struct arguments *arguments, size_t index)
{
    const char *key = arguments->operands[index];
    edb_view view;
    edb_status status = edb_view_key(cache->space, key, strlen(key), &view);
    if (status == EDB_NOT_FOUND)
        return report_error(CODE_NOT_FOUND, "no key \"%s\" in space %s of %s", key,
                            cache->spec.name, cache->path);
    if (status != EDB_OK)
        return report_status(status, key);
    int code = CODE_OK;
    if (option_given(arguments, "raw")) {
        fwrite(view.vector, 1, view.vector_bytes, stdout);
    } else if (option_given(arguments, "json")) {
        code = write_json(&view, key, cache->spec.dims);
    } else {
        if (index > 1)
            putchar('\n');
        code = print_record(&view, key, cache->spec.dims);
    }
    edb_view_release(&view);
    return code;
}

static int write_json(const edb_view *view, const char *key, uint32_t dims)
{
    struct emitter json = EMITTER(stdout);
    emit_begin(&json, '{');
    record_write_key(&json, view, key);
    record_write_row(&json, view);
    record_write_vector(&json, view, dims);
    int code = record_write_rest(&json, view);
    emit_end(&json, '}');
    putchar('\n');
    return code;
}

static int print_record(const edb_view *view, const char *key, uint32_t dims)
{
    char count[STYLE_COUNT_BYTES];
    char *metadata;
    edb_status status = edb_view_metadata_json(view, &metadata);
    if (status != EDB_OK)
        return report_status(status, key);
    fputs("key       ", stdout);
    style_print_key(stdout, key, strlen(key), style_columns(stdout) - 10);
    printf("\nrow       %s\n", style_count(view->row, count));
    print_vector(view, dims);
    if (view->has_text) {
        fputs("text      ", stdout);
        style_first_line(stdout, view->text, view->text_bytes, style_columns(stdout) - 10);
        putchar('\n');
    }
    if (metadata != NULL) {
        struct emitter json = EMITTER(stdout);
        fputs("metadata  ", stdout);
        emit_document(&json, metadata);
        putchar('\n');
    }
    edb_free(metadata);
    print_terms(view);
    return CODE_OK;
}

static void print_terms(const edb_view *view)
{
    char text[STYLE_COUNT_BYTES];
    int64_t left_s = (int64_t)view->expiry_s - (int64_t)time(NULL);
    if (view->expiry_s != 0)
        printf("expires   in %s\n", style_span_about(left_s > 1 ? (uint64_t)left_s : 1, text));
    if (view->cost != 0)
        printf("cost      %s\n", style_count(view->cost, text));
    if (view->pinned)
        puts("pinned    never evicted");
}

static void print_vector(const edb_view *view, uint32_t dims)
{
    char count[STYLE_COUNT_BYTES];
    char decimal[DECIMAL_BYTES];
    if (dims == 0) {
        printf("value     %s\n", style_bytes(view->vector_bytes, count));
        return;
    }
    const float *numbers = view->vector;
    fputs("vector    [", stdout);
    for (uint32_t i = 0; i < dims && i < SHOWN_NUMBERS; i++)
        printf("%s%s", i > 0 ? ", " : "", emit_decimal(numbers[i], decimal));
    if (dims > SHOWN_NUMBERS)
        printf(", ...] %s numbers\n", style_count(dims, count));
    else
        puts("]");
}
