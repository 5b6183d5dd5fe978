/* embedcache import: rows of a source with their keys, streamed, batch by batch. What
 * can be checked before anything is stored is: the source's header and size, and every line of the
 * keys file. Formats are known by the sources alone; import_marker.h keeps how far it has come. */
#include <inttypes.h>
#if defined(__GLIBC__)
#include <malloc.h>
#endif
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cache_open.h"
#include "commands.h"
#include "element_widen.h"
#include "import_keys.h"
#include "import_marker.h"
#include "interrupt_catch.h"
#include "json_emit.h"
#include "mapped_release.h"
#include "progress_draw.h"
#include "record_batch.h"
#include "report_error.h"
#include "source.h"
#include "text_style.h"
#include "write_behind.h"

/* A batch is one transaction, so that keys, rows and marker agree. Where --batch does not say
 * otherwise, batches are as small as the processor's cache likes them (8 MiB instead take a third
 * longer a gigabyte), and durable together, for a device likes fewer and larger syncs. A lookup may
 * touch a page of each index section, and the system maps 15 more around each. */
enum {
    IMPORT_BATCH_ROWS = 4096,
    LAZY_BATCH_BYTES = 1 << 20,
    DURABLE_BYTES = 128 << 20,
    COMMIT_BYTES = 16 << 10, /* touched by a commit beside its rows */
    LOOKUP_BYTES = 64 << 10,
    LOOK_BYTES = 8 << 20,
    MAPPED_BYTES_MAX = 24 << 20
};

/* An import that is under way. */
struct import {
    const struct arguments *arguments;
    struct source_wish wish;
    struct source source;
    struct import_keys keys;
    json_t *space; /* what an export says of the space it came from, or NULL */
    struct cache cache;
    struct batch batch;
    struct import_marker marker;
    struct write_behind behind;
    struct progress progress;
    char row_key[24];
    uint64_t begin;       /* the row of the source that this import begins with */
    uint64_t row;         /* the next of the source */
    uint64_t committed;   /* rows of the source up to here are in, or passed over */
    uint64_t stored;      /* and durably so up to here */
    size_t lazy_bytes;    /* committed and not durable yet */
    size_t touched_bytes; /* at most, of the mapped file, since its pages were counted */
    uint64_t continued;   /* the row that an earlier import had come to; 0 = there was none */
    int is_at_end;        /* the source has no more rows */
    int is_changed;       /* the source is not what it was when the import began */
    uint64_t duplicates;
    uint64_t replaced;
    uint32_t limit_ttl_s; /* of the space or the file, for rows that bring no expiry */
    uint64_t expired;     /* rows of the source that are left out */
};

static int import(const struct arguments *arguments);
static void keep_memory(void);
static struct source_wish take_wish(const struct arguments *arguments);
static int check_input(struct import *import);
static int open_store(struct import *import);
static int find_ttl(struct import *import);
static int find_begin(struct import *import);
static void go_on(struct import *import);
static void begin_anew(struct import *import, int is_usable);
static int pass_rows(struct import *import);
static int store_rows(struct import *import);
static int check_unchanged(struct import *import);
static int fill_batch(struct import *import);
static int add_row(struct import *import, struct record *record);
static void note_expiry(struct import *import, const struct record_terms *terms);
static int is_batch_full(const struct import *import);
static int next_row(struct import *import, struct record *record);
static int commit_batch(struct import *import);
static void release_seldom(struct import *import, size_t bytes);
static edb_status commit_rows(struct import *import);
static int finish_marker(struct import *import);
static edb_durability choose_durability(struct import *import);
static int make_durable(struct import *import);
static edb_status count_known(struct import *import, const struct record *record);
static int sum_up(const struct import *import, int code);
static void print_json(const struct import *import, double seconds);
static void print_summary(const struct import *import, double seconds);

static const struct option options[] = {
    CHOICE_ROW("from", SOURCE_WORDS, "what SOURCE is, where content and name do not tell"),
    FILE_ROW("keys", "keys beside the rows: .txt with a key a line, or .jsonl"),
    TEXT_ROW("key-field", "NAME",
             "the key's member in .jsonl, column in .csv (key; '' = row number)"),
    TEXT_ROW("text-field", "NAME", "the text's member or column (text; '' = none)"),
    TEXT_ROW("metadata-field", "NAME", "the member with the metadata object (metadata)"),
    FLAG_ROW("metadata-rest", 0,
             "all members but key, text, vector and the one of --cost-field are the metadata"),
    TEXT_ROW("vector-field", "NAME",
             "the vector's member or column (vector; in .csv else all other "
             "columns)"),
    TEXT_ROW("cost-field", "NAME", "the member with the cost, a whole number (cost; '' = none)"),
    OPTIONS_TERMS,
    FLAG_ROW("no-header", 0, "the first line of .csv is a row; columns are named 1, 2, ..."),
    COUNT_ROW("dims", 0, "numbers in a row; a memmap needs it", 1, EDB_DIMS_MAX),
    TEXT_ROW("dtype", "TYPE", "elements of a memmap: " ELEMENT_WORDS " (float32)"),
    TEXT_ROW("tensor", "NAME", "which tensor of a safetensors file (the only matrix)"),
    FILE_ROW("texts", "texts of a directory's files: JSON, [{\"file\": NAME, \"text\": TEXT}]"),
    COUNT_ROW("start", 0, "begin at row N of the source (0, or where the last import stood)", 0,
              INT64_MAX),
    FLAG_ROW("restart", 0, "begin at row 0, however far an earlier import has come"),
    COUNT_ROW("batch", 0,
              "rows in one durable commit, at most 8 MiB (1 MiB, durable every 128 MiB)", 1,
              100000),
    OPTION_SPACE,
    OPTIONS_SPACE_SPEC,
    OPTION_JSON,
    OPTIONS_COMMON,
};

const struct command command_import = {
    .name = "import",
    .operands = "FILE SOURCE",
    .summary = "Stores the rows of arrays, tables and other caches",
    .description =
        "SOURCE (\"-\": standard input) is a NumPy .npy array, a safetensors tensor, lines of "
        "JSON ({\"key\": ..., \"vector\": [...], \"text\": ..., \"metadata\": {...}}), CSV, "
        ".fvecs, .bvecs, .ivecs, .fbin, .u8bin, .i8bin, plain numbers without a header (--dims, "
        "--dtype), or a directory of LangChain's LocalFileStore. Rows are float32; float16, "
        "float64 (rounded), uint8 and int8 become it. A row without a key has its number as key. "
        "A space that is not there is created; in a new space row i of the source is row "
        "i.\n\n"
        "Every batch also notes how far the import has come: one that was killed goes on where it "
        "stood when it is started again with the same words, and one that was finished does "
        "nothing more where neither the source nor the space has changed (--restart). A source "
        "that has changed since is read from its beginning; standard input cannot go on by itself "
        "(--start). Ctrl-C finishes the batch at hand; what is stored stays.\n\n"
        "What embedcache export wrote is read back with its keys and into a space like the one it "
        "came from: give the .jsonl, or the .npy or .fbin that it stands beside. Lines may say "
        "until when, in seconds since 1970, a record is kept (\"expiry_s\"), what it cost "
        "(\"cost\") and that it is pinned (\"pinned\": true); --ttl is for those that do not "
        "say when. Rows that have expired are left out and counted; those behind them move up.",
    .examples =
        "embedcache import cache.edb base.npy --keys base.jsonl --model text-embedding-ada-002\n"
        "embedcache import cache.edb sift_base.fvecs --metric l2\n"
        "embedcache import cache.edb vectors.f16 --dims 768 --dtype float16\n"
        "embedcache import cache.edb langchain_cache/ --model text-embedding-ada-002",
    .options = options,
    .operands_min = 2,
    .operands_max = 2,
    .run = import,
};

static int import(const struct arguments *arguments)
{
    struct import import;
    keep_memory();
    memset(&import, 0, sizeof import);
    import.behind.descriptor = -1;
    import.arguments = arguments;
    import.wish = take_wish(arguments);
    int code = check_input(&import);
    if (code == CODE_OK)
        code = open_store(&import);
    if (code == CODE_OK)
        code = store_rows(&import);
    write_behind_close(&import.behind);
    batch_close(&import.batch);
    keys_close(&import.keys);
    source_close(&import.source);
    marker_close(&import.marker);
    json_decref(import.space);
    return cache_close(&import.cache, code);
}

/* Each batch needs what the one before gave back. Handed to the system and fetched again, page by
 * page, it costs half a second a gigabyte. */
static void keep_memory(void)
{
#if defined(__GLIBC__)
    mallopt(M_MMAP_THRESHOLD, 32 << 20);
    mallopt(M_TRIM_THRESHOLD, 32 << 20);
#endif
}

static struct source_wish take_wish(const struct arguments *arguments)
{
    return (struct source_wish){
        .path = arguments->operands[1],
        .kind = option_text(arguments, "from"),
        .dtype = option_text(arguments, "dtype"),
        .tensor = option_text(arguments, "tensor"),
        .texts = option_text(arguments, "texts"),
        .key_field = option_text(arguments, "key-field"),
        .text_field = option_text(arguments, "text-field"),
        .metadata_field = option_text(arguments, "metadata-field"),
        .vector_field = option_text(arguments, "vector-field"),
        .cost_field = option_text(arguments, "cost-field"),
        .ttl_s = option_ttl(arguments),
        .is_pinned = option_given(arguments, "pin"),
        .metadata_is_rest = option_given(arguments, "metadata-rest"),
        .has_no_header = option_given(arguments, "no-header"),
        .dims = (uint32_t)option_count(arguments, "dims", 0),
    };
}

static int check_input(struct import *import)
{
    const char *path = import->wish.path;
    const char *dot = strrchr(path, '.');
    if (dot != NULL && strcmp(dot, ".edb") == 0)
        return report_error(CODE_USAGE, "%s is to be read as an array: the .edb file comes first",
                            path);
    int code = source_open(&import->source, &import->wish);
    if (code != CODE_OK)
        return code;
    if (option_count(import->arguments, "start", 0) > import->source.rows)
        return report_error(CODE_USAGE, "--start %" PRIu64 ": %s has %" PRIu64 " rows",
                            option_count(import->arguments, "start", 0), import->source.name,
                            import->source.rows);
    import->space = json_incref((json_t *)(uintptr_t)import->source.space);
    code = keys_find(&import->keys, &import->source, &import->wish,
                     option_text(import->arguments, "keys"));
    if (code == CODE_OK)
        code = source_check_fields(&import->source, &import->wish, import->keys.path != NULL);
    if (code != CODE_OK || import->keys.path == NULL)
        return code;
    return keys_check(&import->keys, &import->source, &import->space);
}

static int open_store(struct import *import)
{
    struct space_wish wish = space_wish_take(import->arguments);
    wish.dims = (int)import->source.dims;
    space_wish_prefer(&wish, import->space);
    int code = cache_open_wish(&import->cache, import->arguments, &wish);
    size_t rows_max = (size_t)option_count(import->arguments, "batch", IMPORT_BATCH_ROWS);
    if (code == CODE_OK)
        code = batch_open(&import->batch, import->source.dims, rows_max);
    if (code == CODE_OK && import->source.can_resume)
        code = marker_open(&import->marker, &import->source, &import->wish, import->keys.path,
                           import->cache.spec.name);
    if (code == CODE_OK)
        code = marker_find(&import->marker, import->cache.db);
    if (code == CODE_OK)
        code = find_ttl(import);
    if (code == CODE_OK)
        code = find_begin(import);
    return code == CODE_OK ? pass_rows(import) : code;
}

/* A space that is not there yet will go by the file's. */
static int find_ttl(struct import *import)
{
    const struct cache *cache = &import->cache;
    edb_limits own = EDB_LIMITS_INIT;
    edb_limits file = EDB_LIMITS_INIT;
    edb_status status = EDB_OK;
    if (cache->db != NULL)
        status = edb_limits_get(cache->db, NULL, &file);
    if (status == EDB_OK && cache->space != NULL)
        status = edb_limits_get(cache->db, cache->space, &own);
    import->limit_ttl_s = own.ttl_s != 0 ? own.ttl_s : file.ttl_s;
    return status == EDB_OK ? CODE_OK : report_status(status, NULL);
}

/* Where the import begins: --start, or where an earlier one stood. One that is done counts as long
 * as the space is what it left: else the rows are wanted again. */
static int find_begin(struct import *import)
{
    struct import_marker *marker = &import->marker;
    char row[STYLE_COUNT_BYTES];
    edb_space_stats stats = {.struct_size = sizeof stats};
    edb_status status = EDB_OK;
    if (import->cache.space != NULL)
        status = edb_space_stats_get(import->cache.space, &stats);
    if (status != EDB_OK)
        return report_status(status, NULL);
    int is_told = option_given(import->arguments, "start");
    int is_usable = marker->is_kept && !marker->is_changed &&
                    !option_given(import->arguments, "restart") &&
                    (!marker->is_done || marker_is_current(marker, &stats));
    import->begin = option_count(import->arguments, "start", 0);
    if (marker->is_changed && !marker->is_done && !is_told)
        report_note("%s, or how it is read, has changed since its import stood at row %s: it is "
                    "imported from the beginning",
                    import->source.name, style_count(marker->next_row, row));
    if (is_usable && !is_told)
        go_on(import);
    else
        begin_anew(import, is_usable);
    if (!is_usable)
        marker->first_row = stats.rows;
    import->row = import->committed = import->stored = import->begin;
    return CODE_OK;
}

static void go_on(struct import *import)
{
    const char *name = import->source.name;
    char row[STYLE_COUNT_BYTES];
    char rows[STYLE_COUNT_BYTES];
    import->begin = import->continued = import->marker.next_row;
    import->is_at_end = import->marker.is_done;
    style_count(import->begin, row);
    style_count(import->source.rows, rows);
    if (import->marker.is_done)
        report_note(
            "%s is in %s already, and neither has changed since: --restart imports it again", name,
            import->cache.path);
    else if (import->source.rows == SOURCE_ROWS_UNKNOWN)
        report_note("continuing at row %s of %s, where an import was left", row, name);
    else
        report_note("continuing at row %s of %s of %s, where an import was left", row, rows, name);
}

/* Rows before the first are in where an earlier import has come that far. */
static void begin_anew(struct import *import, int is_usable)
{
    struct import_marker *marker = &import->marker;
    int is_joined = is_usable && import->begin <= marker->next_row;
    if (!is_joined || import->begin < marker->begin_row)
        marker->begin_row = import->begin;
    if (!is_joined)
        marker->first_expiry_s = 0;
    marker->is_done = 0;
}

/* Passes over the rows before the first, and their keys. */
static int pass_rows(struct import *import)
{
    if (import->is_at_end)
        return CODE_OK;
    int code = source_skip(&import->source, import->begin);
    if (code == CODE_OK && import->keys.path != NULL)
        code = keys_open(&import->keys, import->begin);
    return code == CODE_END || code == CODE_REFUSED ? CODE_OK : code;
}

static int store_rows(struct import *import)
{
    double started = progress_seconds();
    uint64_t rows = import->source.rows;
    int code = CODE_OK;
    interrupt_catch();
    progress_begin(&import->progress, "import", "rows", import->begin,
                   rows == SOURCE_ROWS_UNKNOWN ? 0 : rows);
    import->is_at_end |= import->row == rows;
    while (code == CODE_OK && !import->is_at_end && !interrupt_caught()) {
        code = fill_batch(import);
        if (code == CODE_OK && import->is_at_end)
            code = check_unchanged(import);
        if (code == CODE_OK)
            code = commit_batch(import);
        progress_show(&import->progress, import->committed);
    }
    progress_end(&import->progress);
    if (code == CODE_OK && import->is_at_end)
        code = cache_create(&import->cache);
    if (code == CODE_OK && import->is_at_end && import->source.can_resume)
        code = finish_marker(import);
    if (code != CODE_OK || !import->is_at_end) {
        int late = make_durable(import);
        code = code == CODE_OK ? late : code;
        if (code == CODE_OK && option_given(import->arguments, "json"))
            print_json(import, progress_seconds() - started);
        return sum_up(import, code);
    }
    double seconds = progress_seconds() - started;
    if (option_given(import->arguments, "json"))
        print_json(import, seconds);
    else if (!report_is_quiet())
        print_summary(import, seconds);
    return CODE_OK;
}

/* Rows of two states of a source are nobody's import. */
static int check_unchanged(struct import *import)
{
    if (!import->source.can_resume)
        return CODE_OK;
    int code = marker_check(&import->marker, &import->source, &import->wish, import->keys.path);
    import->is_changed = code == CODE_BAD_DATA;
    return code;
}

static int fill_batch(struct import *import)
{
    int code = CODE_OK;
    while (!import->is_at_end && !is_batch_full(import)) {
        struct record record;
        code = next_row(import, &record);
        if (code == CODE_END)
            break;
        if (code == CODE_OK)
            code = add_row(import, &record);
        if (code != CODE_OK)
            return code;
        import->row++;
        import->is_at_end = import->row == import->source.rows;
    }
    /* An interrupt ends a pipe, too. */
    if (code == CODE_END)
        import->is_at_end = !interrupt_caught();
    return CODE_OK;
}

/* Into the batch, unless it has expired. */
static int add_row(struct import *import, struct record *record)
{
    struct record_terms *terms = &record->terms;
    if (terms->expiry_s != 0 && terms->expiry_s <= time(NULL)) {
        import->expired++;
        return CODE_OK;
    }
    terms->ttl_s = terms->expiry_s == 0 ? import->wish.ttl_s : 0;
    terms->pinned |= (uint32_t)import->wish.is_pinned;
    note_expiry(import, terms);
    edb_status status = count_known(import, record);
    return status == EDB_OK ? batch_add(&import->batch, record) : report_status(status, NULL);
}

/* For the marker: from then on there are rows to import again. */
static void note_expiry(struct import *import, const struct record_terms *terms)
{
    struct import_marker *marker = &import->marker;
    uint32_t ttl_s = terms->ttl_s != 0 ? terms->ttl_s : import->limit_ttl_s;
    uint64_t expiry_s = terms->expiry_s;
    if (expiry_s == 0 && ttl_s != 0 && ttl_s != EDB_TTL_NEVER)
        expiry_s = (uint64_t)time(NULL) + ttl_s;
    int is_first = marker->first_expiry_s == 0 || expiry_s < marker->first_expiry_s;
    if (expiry_s != 0 && expiry_s <= UINT32_MAX && is_first)
        marker->first_expiry_s = (uint32_t)expiry_s;
}

static int is_batch_full(const struct import *import)
{
    int is_lazy = !option_given(import->arguments, "batch");
    return batch_is_full(&import->batch) ||
           (is_lazy && batch_bytes(&import->batch) >= LAZY_BATCH_BYTES);
}

/* The next row's vector into the batch, and what stands beside it. */
static int next_row(struct import *import, struct record *record)
{
    memset(record, 0, sizeof *record);
    int code =
        import->source.kind->next(&import->source, record, batch_next_vector(&import->batch));
    if (code != CODE_OK)
        return code;
    if (import->keys.path != NULL)
        code = keys_next(&import->keys, record);
    int has_key =
        import->source.brings_keys || (import->keys.path != NULL && keys_are_named(&import->keys));
    if (code != CODE_OK || has_key)
        return code;
    snprintf(import->row_key, sizeof import->row_key, "%" PRIu64, import->row);
    record->key = import->row_key;
    record->key_bytes = strlen(import->row_key);
    return CODE_OK;
}

static int commit_batch(struct import *import)
{
    size_t bytes = batch_bytes(&import->batch);
    int code = cache_create(&import->cache);
    if (code != CODE_OK)
        return code;
    edb_status status = commit_rows(import);
    if (status != EDB_OK) {
        char rows[96];
        snprintf(rows, sizeof rows, "rows %" PRIu64 " to %" PRIu64, import->stored,
                 import->row - 1);
        return report_status(status, rows);
    }
    if (import->lazy_bytes > 0)
        write_behind_start(&import->behind, import->cache.path);
    else
        import->stored = import->row;
    import->committed = import->row;
    batch_clear(&import->batch);
    release_seldom(import, bytes + COMMIT_BYTES);
    return CODE_OK;
}

/* What was read of the file counts as memory as long as it is mapped: without this an import would
 * need as much as it writes. Looking costs a few microseconds, so it is done once in so many bytes
 * that may have been touched. */
static void release_seldom(struct import *import, size_t bytes)
{
    import->touched_bytes += bytes;
    if (import->touched_bytes < LOOK_BYTES)
        return;
    import->touched_bytes = 0;
    mapped_release(import->cache.path, MAPPED_BYTES_MAX);
}

/* The batch, and in the same transaction how far the import has come. One that cannot be begun
 * again needs no marker. */
static edb_status commit_rows(struct import *import)
{
    struct import_marker *marker = &import->marker;
    edb_txn *txn = NULL;
    int marks = import->source.can_resume;
    edb_durability durability = choose_durability(import);
    edb_status status = edb_begin(import->cache.db, &txn);
    if (status == EDB_OK)
        status = batch_put(&import->batch, txn, import->cache.space);
    if (status == EDB_OK && marks)
        status = marker_put(marker, import->cache.db, txn, import->row);
    if (status == EDB_OK) {
        status = edb_commit(txn, durability);
        txn = NULL;
    }
    if (status == EDB_OK)
        marker->is_kept = marks;
    edb_abort(txn);
    return status;
}

/* Notes the end in a commit of its own, for it says what the space is then. Killed before it, an
 * import goes on behind its last row. */
static int finish_marker(struct import *import)
{
    if (import->marker.is_done)
        return CODE_OK;
    edb_status status = marker_finish(&import->marker, import->cache.db, import->cache.space);
    if (status != EDB_OK)
        return report_status(status, IMPORT_MARKER_SPACE);
    import->stored = import->committed;
    return CODE_OK;
}

/* The last batch is durable, and one in so many bytes; all are where --batch was given. Where a
 * marker ends the import, that makes the last batch durable, too. */
static edb_durability choose_durability(struct import *import)
{
    size_t bytes = batch_bytes(&import->batch);
    import->lazy_bytes += bytes;
    int is_last = (import->is_at_end && !import->source.can_resume) || interrupt_caught();
    if (!is_last && import->lazy_bytes < DURABLE_BYTES && !option_given(import->arguments, "batch"))
        return EDB_LAZY;
    import->lazy_bytes = 0;
    return EDB_DURABLE;
}

/* An import that ends early: what was committed is made durable, and counted. */
static int make_durable(struct import *import)
{
    if (import->committed == import->stored || import->cache.db == NULL)
        return CODE_OK;
    edb_status status = edb_sync(import->cache.db);
    if (status != EDB_OK)
        return report_status(status, NULL);
    import->stored = import->committed;
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
    release_seldom(import, LOOKUP_BYTES);
    if (status == EDB_NOT_FOUND)
        return EDB_OK;
    if (status == EDB_OK)
        status = edb_view_key(import->cache.space, record->key, record->key_bytes, &view);
    /* A damaged record is replaced like any other. */
    if (status == EDB_CORRUPT || status == EDB_NOT_FOUND)
        return EDB_OK;
    if (status != EDB_OK)
        return status;
    int is_own = view.row >= import->marker.first_row;
    import->duplicates += (uint64_t)is_own;
    import->replaced += (uint64_t)!is_own;
    edb_view_release(&view);
    return EDB_OK;
}

/* An import that did not come to its end: what is in, and how to go on. */
static int sum_up(const struct import *import, int code)
{
    char stored[STYLE_COUNTED_BYTES];
    char rows[STYLE_COUNT_BYTES];
    char of_rows[STYLE_COUNT_BYTES + 16] = "";
    const char *why = code == CODE_OK ? "interrupted: " : "";
    int result = code == CODE_OK ? CODE_INTERRUPTED : code;
    int is_known = import->source.rows != SOURCE_ROWS_UNKNOWN;
    if (import->stored == 0)
        return report_error(result, "%sno row of %s is in %s", why, import->source.name,
                            import->cache.path);
    if (import->is_changed) {
        style_counted(import->stored, "row of what it was is", "rows of what it was are", stored);
        return report_error(result, "%s in %s: import it again", stored, import->cache.path);
    }
    style_count(import->stored, stored);
    if (is_known)
        snprintf(of_rows, sizeof of_rows, " of %s rows are",
                 style_count(import->source.rows, rows));
    else
        style_counted(import->stored, "row is", "rows are", stored);
    return report_error(result, "%s%s%s in %s: go on with --start %" PRIu64 "%s", why, stored,
                        of_rows, import->cache.path, import->stored,
                        import->marker.is_kept ? ", or with the same words" : "");
}

static void print_json(const struct import *import, double seconds)
{
    struct emitter json = EMITTER(stdout);
    emit_begin(&json, '{');
    emit_named_count(&json, "rows", import->stored - import->begin - import->expired);
    emit_named_count(&json, "continued_at", import->continued);
    emit_named_count(&json, "duplicates", import->duplicates);
    emit_named_count(&json, "replaced", import->replaced);
    emit_named_count(&json, "expired", import->expired);
    emit_name(&json, "seconds");
    emit_real(&json, (float)seconds);
    emit_end(&json, '}');
    putchar('\n');
}

static void print_summary(const struct import *import, double seconds)
{
    char count[STYLE_COUNTED_BYTES];
    uint64_t rows = import->stored - import->begin - import->expired;
    printf("%s of ", style_counted(rows, "row", "rows", count));
    style_print_name(stdout, import->source.name);
    fputs(" stored in ", stdout);
    style_print_name(stdout, import->cache.path);
    fputs(" (space ", stdout);
    style_print_name(stdout, import->cache.spec.name);
    printf(", %u dims)", import->cache.spec.dims);
    if (import->duplicates > 0)
        printf(", %s (the last row of each stays)",
               style_counted(import->duplicates, "duplicate key", "duplicate keys", count));
    if (import->replaced > 0)
        printf(", %s", style_counted(import->replaced, "key was there before and is replaced",
                                     "keys were there before and are replaced", count));
    if (import->expired > 0)
        printf(", %s", style_counted(import->expired, "row has expired and is left out",
                                     "rows have expired and are left out", count));
    printf(", %s\n", style_seconds(seconds, count));
}
