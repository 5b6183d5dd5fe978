/* embedcache import: the rows of a .npy array with their keys, streamed, a durable commit per
 * batch. What can be checked before anything is stored is: the array's header and size, and every
 * line of the keys file. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cache_open.h"
#include "commands.h"
#include "interrupt_catch.h"
#include "json_emit.h"
#include "npy_read.h"
#include "progress_draw.h"
#include "record_batch.h"
#include "report_error.h"
#include "text_style.h"

/* An import that is under way. */
struct import {
    const struct arguments *arguments;
    const char *source;
    const char *keys_path; /* NULL: keys are the row numbers */
    int keys_are_json;
    struct record_fields fields;
    struct npy_array array;
    struct record_reader keys;
    struct cache cache;
    struct batch batch;
    struct progress progress;
    char row_key[24];
    uint64_t row;       /* the next of the array */
    uint64_t stored;    /* rows of the array up to here are in, or passed over */
    uint64_t first_row; /* row number in the space of the first stored, when any is */
    uint64_t duplicates;
    uint64_t replaced;
};

static int import(const struct arguments *arguments);
static void take_fields(struct import *import);
static int check_input(struct import *import);
static int check_keys(struct import *import);
static int open_store(struct import *import);
static int store_rows(struct import *import);
static int fill_batch(struct import *import);
static int next_record(struct import *import, struct record *record);
static int commit_batch(struct import *import);
static edb_status count_known(struct import *import, const struct record *record);
static int sum_up(const struct import *import, int code);
static void print_json(const struct import *import, double seconds);
static void print_summary(const struct import *import, double seconds);

static const struct option options[] = {
    FILE_ROW("keys", "keys beside the rows: .txt with a key a line, or .jsonl"),
    TEXT_ROW("key-field", "NAME", "the key's member in .jsonl (key; '' = the row number)"),
    TEXT_ROW("text-field", "NAME", "the text's member (text; '' = none)"),
    TEXT_ROW("metadata-field", "NAME", "the member with the metadata object (metadata)"),
    FLAG_ROW("metadata-rest", 0, "all members but key and text are the metadata"),
    COUNT_ROW("start", 0, "begin at row N of the array (0)", 0, INT64_MAX),
    OPTION_BATCH,
    OPTION_SPACE,
    OPTIONS_SPACE_SPEC,
    OPTION_JSON,
    OPTIONS_COMMON,
};

const struct command command_import = {
    .name = "import",
    .operands = "FILE SOURCE.npy",
    .summary = "Stores the rows of a NumPy array",
    .description = "SOURCE (\"-\": standard input) is a two-dimensional array in C order of "
                   "float32, float16, float64 (rounded to float32), uint8 or int8. Without "
                   "--keys a row's key is its number. A space that is not there is created; "
                   "in a new space row i of the array is row i. Ctrl-C finishes the batch at "
                   "hand; what is stored stays.",
    .examples =
        "embedcache import cache.edb base.npy --keys base.jsonl --model text-embedding-ada-002",
    .options = options,
    .operands_min = 2,
    .operands_max = 2,
    .run = import,
};

static int import(const struct arguments *arguments)
{
    struct import import;
    memset(&import, 0, sizeof import);
    import.arguments = arguments;
    import.source =
        strcmp(arguments->operands[1], "-") == 0 ? "standard input" : arguments->operands[1];
    take_fields(&import);
    int code = check_input(&import);
    if (code == CODE_OK)
        code = open_store(&import);
    if (code == CODE_OK)
        code = store_rows(&import);
    batch_close(&import.batch);
    record_close(&import.keys);
    npy_close(&import.array);
    return cache_close(&import.cache, code);
}

static void take_fields(struct import *import)
{
    const struct arguments *arguments = import->arguments;
    const char *key = option_text(arguments, "key-field");
    const char *text = option_text(arguments, "text-field");
    const char *metadata = option_text(arguments, "metadata-field");
    struct record_fields fields = {"key", "text", "metadata",
                                   option_given(arguments, "metadata-rest"), 1};
    if (key != NULL)
        fields.key = key[0] != '\0' ? key : NULL;
    if (text != NULL)
        fields.text = text[0] != '\0' ? text : NULL;
    if (metadata != NULL)
        fields.metadata = metadata[0] != '\0' ? metadata : NULL;
    import->fields = fields;
    import->keys_path = option_text(arguments, "keys");
    import->keys_are_json =
        import->keys_path != NULL && (record_is_json_name(import->keys_path) || key != NULL ||
                                      text != NULL || metadata != NULL || fields.metadata_is_rest);
    import->row = option_count(arguments, "start", 0);
    import->stored = import->row;
}

static int check_input(struct import *import)
{
    const char *path = import->arguments->operands[1];
    const char *dot = strrchr(path, '.');
    if (dot != NULL && strcmp(dot, ".edb") == 0)
        return report_error(CODE_USAGE, "%s is to be read as an array: the .edb file comes first",
                            path);
    int code = npy_open(&import->array, path, NPY_MATRIX);
    if (code != CODE_OK)
        return code;
    if (import->row > import->array.rows)
        return report_error(CODE_USAGE, "--start %" PRIu64 ": %s has %" PRIu64 " rows", import->row,
                            import->source, import->array.rows);
    return import->keys_path != NULL ? check_keys(import) : CODE_OK;
}

static int check_keys(struct import *import)
{
    struct stat status;
    uint64_t count;
    if (stat(import->keys_path, &status) == 0 && !S_ISREG(status.st_mode) &&
        !S_ISDIR(status.st_mode))
        return report_error(
            CODE_USAGE,
            "--keys %s is no regular file: its lines are counted first, so save it to one",
            import->keys_path);
    int code = record_count(import->keys_path, import->keys_are_json, &import->fields, &count);
    if (code == CODE_OK && count != import->array.rows)
        return report_error(CODE_BAD_DATA,
                            "%s has %" PRIu64 " keys, %s has %" PRIu64
                            " rows: nothing was stored; give one key per row",
                            import->keys_path, count, import->source, import->array.rows);
    return code;
}

static int open_store(struct import *import)
{
    struct space_wish wish = space_wish_take(import->arguments);
    wish.dims = (int)import->array.dims;
    int code = cache_open_wish(&import->cache, import->arguments, &wish);
    size_t rows_max = (size_t)option_count(import->arguments, "batch", BATCH_ROWS);
    if (code == CODE_OK)
        code = batch_open(&import->batch, import->array.dims, rows_max);
    if (code == CODE_OK && import->keys_path != NULL)
        code =
            record_open(&import->keys, import->keys_path, import->keys_are_json, &import->fields);
    struct record passed;
    for (uint64_t i = 0; i < import->row && import->keys_path != NULL && code == CODE_OK; i++)
        code = next_record(import, &passed);
    return code == CODE_OK ? npy_skip_rows(&import->array, import->row) : code;
}

static int store_rows(struct import *import)
{
    double started = progress_seconds();
    int code = CODE_OK;
    interrupt_catch();
    progress_begin(&import->progress, "import", "rows", import->array.rows);
    while (code == CODE_OK && import->row < import->array.rows && !interrupt_caught()) {
        code = fill_batch(import);
        if (code == CODE_OK)
            code = commit_batch(import);
        progress_show(&import->progress, import->stored);
    }
    progress_end(&import->progress);
    if (code == CODE_OK && import->stored == import->array.rows)
        code = cache_create(&import->cache);
    if (code == CODE_OK && import->stored == import->array.rows) {
        double seconds = progress_seconds() - started;
        if (option_given(import->arguments, "json"))
            print_json(import, seconds);
        else if (!report_is_quiet())
            print_summary(import, seconds);
        return CODE_OK;
    }
    return sum_up(import, code);
}

static int fill_batch(struct import *import)
{
    int code = CODE_OK;
    while (code == CODE_OK && import->row < import->array.rows && !batch_is_full(&import->batch)) {
        struct record record;
        code = npy_next_row(&import->array, batch_next_vector(&import->batch));
        if (code == CODE_OK)
            code = next_record(import, &record);
        if (code == CODE_OK) {
            edb_status status = count_known(import, &record);
            code =
                status == EDB_OK ? batch_add(&import->batch, &record) : report_status(status, NULL);
        }
        import->row += code == CODE_OK;
    }
    return code;
}

static int next_record(struct import *import, struct record *record)
{
    memset(record, 0, sizeof *record);
    if (import->keys_path != NULL) {
        int code = record_next(&import->keys, record);
        if (code == CODE_END || code == CODE_REFUSED)
            return report_error(CODE_BAD_DATA, "%s was changed while it was read",
                                import->keys_path);
        if (code != CODE_OK)
            return code;
    }
    if (import->keys_path == NULL || (import->keys_are_json && import->fields.key == NULL)) {
        snprintf(import->row_key, sizeof import->row_key, "%" PRIu64, import->row);
        record->key = import->row_key;
        record->key_bytes = strlen(import->row_key);
    }
    return CODE_OK;
}

static int commit_batch(struct import *import)
{
    int code = cache_create(&import->cache);
    if (code != CODE_OK)
        return code;
    edb_status status = batch_store(&import->batch, import->cache.space);
    if (status != EDB_OK) {
        char rows[96];
        snprintf(rows, sizeof rows, "rows %" PRIu64 " to %" PRIu64, import->stored,
                 import->row - 1);
        return report_status(status, rows);
    }
    if (import->stored == option_count(import->arguments, "start", 0))
        import->first_row = import->batch.row_numbers[0];
    import->stored = import->row;
    batch_clear(&import->batch);
    return CODE_OK;
}

/* Tells a key that came twice in this import from one that was in the space before: by its row. */
static edb_status count_known(struct import *import, const struct record *record)
{
    edb_view view;
    if (batch_has_key(&import->batch, record->key, record->key_bytes)) {
        import->duplicates++;
        return EDB_OK;
    }
    if (import->cache.space == NULL)
        return EDB_OK;
    edb_status status = edb_contains(import->cache.space, record->key, record->key_bytes);
    if (status == EDB_NOT_FOUND)
        return EDB_OK;
    if (status == EDB_OK)
        status = edb_view_key(import->cache.space, record->key, record->key_bytes, &view);
    /* A damaged record is replaced like any other. */
    if (status == EDB_CORRUPT || status == EDB_NOT_FOUND)
        return EDB_OK;
    if (status != EDB_OK)
        return status;
    int is_own = import->stored > option_count(import->arguments, "start", 0) &&
                 view.row >= import->first_row;
    import->duplicates += (uint64_t)is_own;
    import->replaced += (uint64_t)!is_own;
    edb_view_release(&view);
    return EDB_OK;
}

/* An import that did not come to its end: what is in, and how to go on. */
static int sum_up(const struct import *import, int code)
{
    char stored[STYLE_COUNT_BYTES];
    char rows[STYLE_COUNT_BYTES];
    const char *why = code == CODE_OK ? "interrupted: " : "";
    int result = code == CODE_OK ? CODE_INTERRUPTED : code;
    style_count(import->stored, stored);
    style_count(import->array.rows, rows);
    if (import->stored == 0)
        return report_error(result, "%snone of the %s rows are in %s", why, rows,
                            import->cache.path);
    return report_error(result, "%s%s of %s rows are in %s: go on with --start %" PRIu64, why,
                        stored, rows, import->cache.path, import->stored);
}

static void print_json(const struct import *import, double seconds)
{
    struct emitter json = EMITTER(stdout);
    emit_begin(&json, '{');
    emit_named_count(&json, "rows", import->stored - option_count(import->arguments, "start", 0));
    emit_named_count(&json, "duplicates", import->duplicates);
    emit_named_count(&json, "replaced", import->replaced);
    emit_name(&json, "seconds");
    emit_real(&json, (float)seconds);
    emit_end(&json, '}');
    putchar('\n');
}

static void print_summary(const struct import *import, double seconds)
{
    char count[STYLE_COUNT_BYTES];
    uint64_t rows = import->stored - option_count(import->arguments, "start", 0);
    printf("%s rows of ", style_count(rows, count));
    style_print_name(stdout, import->source);
    fputs(" stored in ", stdout);
    style_print_name(stdout, import->cache.path);
    fputs(" (space ", stdout);
    style_print_name(stdout, import->cache.spec.name);
    printf(", %u dims)", import->cache.spec.dims);
    if (import->duplicates > 0)
        printf(", %s duplicate keys (the last row of each stays)",
               style_count(import->duplicates, count));
    if (import->replaced > 0)
        printf(", %s keys were there before and are replaced",
               style_count(import->replaced, count));
    printf(", %s\n", style_seconds(seconds, count));
}
