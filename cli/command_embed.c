/* embedcache embed: texts in, vectors kept. A text that is there is a hit and is never computed
 * again, but only where the record's own text proves it; the misses are embedded in batches, each a
 * durable commit. */
#include <stdio.h>
#include <string.h>

#include "cache_open.h"
#include "commands.h"
#include "hashing_embedder.h"
#include "interrupt_catch.h"
#include "json_emit.h"
#include "progress_draw.h"
#include "record_batch.h"
#include "report_error.h"
#include "text_style.h"

/* What stands under a record's key. */
enum standing { KEY_ABSENT, TEXT_SAME, TEXT_CHANGED };

/* An embedding run that is under way. */
struct embedding {
    const struct arguments *arguments;
    struct record_reader input;
    struct cache cache;
    struct batch batch;
    struct hashing *hashing;
    struct progress progress;
    uint64_t texts;
    uint64_t hits;
    uint64_t stored;
    uint64_t changed;  /* of those embedded: another text, or none, stood under the key */
    uint64_t wordless; /* of those embedded: nothing in them that the embedder reads */
    uint64_t skipped;  /* empty lines, null texts */
};

static int embed(const struct arguments *arguments);
static int open_input(struct embedding *run);
static int open_store(struct embedding *run);
static int embed_texts(struct embedding *run);
static int take_record(struct embedding *run, const struct record *record);
static edb_status look_up(struct embedding *run, const struct record *record,
                          enum standing *standing_out);
static enum standing compare_text(const struct record *record, const char *text, size_t bytes);
static int embed_record(struct embedding *run, const struct record *record);
static int commit_batch(struct embedding *run);
static int sum_up(const struct embedding *run, double seconds, int code);
static void print_json(const struct embedding *run, double seconds);
static void print_counts(const struct embedding *run, FILE *file);

static const struct option options[] = {
    NEEDED_FILE_ROW("input", "TEXTS", "a text a line, or .jsonl; \"-\" = stdin"),
    TEXT_ROW("text-field", "NAME", "the text's member in JSON lines (text)"),
    TEXT_ROW("key-field", "NAME", "the key's member (the text itself is the key)"),
    TEXT_ROW("metadata-field", "NAME", "the member with the metadata object (metadata)"),
    FLAG_ROW("metadata-rest", 0, "all members but key and text are the metadata"),
    COUNT_ROW("dims", 0, "size of the vectors of a new space (384)", 1, EDB_DIMS_MAX),
    OPTION_BATCH,
    OPTION_SPACE,
    OPTION_JSON,
    OPTIONS_COMMON,
};

const struct command command_embed = {
    .name = "embed",
    .operands = "FILE",
    .surplus = "the file of texts goes behind --input",
    .summary = "Embeds texts that are not there yet, with the built-in embedder",
    .description = "Each line is a text; its key is the text itself. Standard input is JSON "
                   "lines when a member is named. Texts that are there are hits, not computed "
                   "again. With --key-field a hit needs the same text too: where another "
                   "text, or none, stands under the key, the record is embedded again and "
                   "replaced. Metadata of a hit stays as it was.\n\n"
                   "Empty lines are passed over. A line end, LF or CR LF, is no part of a "
                   "text. A line that is no text (not UTF-8, too long, no valid JSON) is "
                   "named and passed over, and makes the exit code 3.\n\n"
                   "The built-in embedder (" HASHING_MODEL ") needs no model and no network. "
                   "It is lexical: texts are near when they share words, not when they mean "
                   "the same. Only A to Z have another case for it. A text without a word "
                   "(\"!!!\") is kept with a vector of zeros: every score is 0.",
    .examples = "embedcache embed notes.edb --input notes.txt",
    .options = options,
    .operands_min = 1,
    .operands_max = 1,
    .run = embed,
};

static int embed(const struct arguments *arguments)
{
    struct embedding run;
    memset(&run, 0, sizeof run);
    run.arguments = arguments;
    double started = progress_seconds();
    int code = open_input(&run);
    if (code == CODE_OK)
        code = open_store(&run);
    if (code == CODE_OK) {
        code = embed_texts(&run);
        code = sum_up(&run, progress_seconds() - started, code);
    }
    hashing_close(run.hashing);
    batch_close(&run.batch);
    record_close(&run.input);
    return cache_close(&run.cache, code);
}

static int open_input(struct embedding *run)
{
    const struct arguments *arguments = run->arguments;
    const char *path = option_text(arguments, "input");
    const char *text = option_text(arguments, "text-field");
    const char *metadata = option_text(arguments, "metadata-field");
    struct record_fields fields = {
        option_text(arguments, "key-field"), text != NULL ? text : "text",
        metadata != NULL ? metadata : "metadata", option_given(arguments, "metadata-rest"), 0};
    int is_json = record_is_json_name(path) || text != NULL || metadata != NULL ||
                  fields.key != NULL || fields.metadata_is_rest;
    return record_open(&run->input, path, is_json, &fields);
}

static int open_store(struct embedding *run)
{
    struct space_wish wish = space_wish_none(run->arguments);
    if (option_given(run->arguments, "dims"))
        wish.dims = (int)option_count(run->arguments, "dims", 0);
    int code = cache_open_wish(&run->cache, run->arguments, &wish);
    if (code != CODE_OK)
        return code;
    if (run->cache.space == NULL) {
        run->cache.spec.model = HASHING_MODEL;
        run->cache.spec.dims = wish.dims == WISH_NONE ? HASHING_DIMS : (uint32_t)wish.dims;
    }
    code = cache_check_model(&run->cache, HASHING_MODEL, "choose another with --space");
    size_t rows_max = (size_t)option_count(run->arguments, "batch", BATCH_ROWS);
    return code == CODE_OK ? batch_open(&run->batch, run->cache.spec.dims, rows_max) : code;
}

static int embed_texts(struct embedding *run)
{
    struct record record;
    int code = CODE_OK;
    interrupt_catch();
    progress_begin(&run->progress, "embed", "texts", 0);
    while (code == CODE_OK && !interrupt_caught()) {
        code = record_next(&run->input, &record);
        if (code == CODE_OK)
            code = take_record(run, &record);
        if (code == CODE_OK && batch_is_full(&run->batch))
            code = commit_batch(run);
        if (code == CODE_REFUSED)
            code = CODE_OK;
        progress_show(&run->progress, run->texts);
    }
    progress_end(&run->progress);
    /* What came before a failure is good. */
    int stored = commit_batch(run);
    if (code != CODE_OK && code != CODE_END)
        return code;
    int is_whole = run->input.lines.refused == 0 && !interrupt_caught();
    return stored == CODE_OK && is_whole ? cache_create(&run->cache) : stored;
}

static int take_record(struct embedding *run, const struct record *record)
{
    int is_empty_line = !run->input.is_json && record->text_bytes == 0;
    if (record->text == NULL || is_empty_line) {
        run->skipped++;
        return CODE_OK;
    }
    run->texts++;
    enum standing standing = KEY_ABSENT;
    edb_status status = look_up(run, record, &standing);
    if (status != EDB_OK)
        return report_status(status, NULL);
    run->hits += standing == TEXT_SAME;
    run->changed += standing == TEXT_CHANGED;
    return standing == TEXT_SAME ? CODE_OK : embed_record(run, record);
}

/* The key alone makes no hit: a text that was edited keeps its key. */
static edb_status look_up(struct embedding *run, const struct record *record,
                          enum standing *standing_out)
{
    const char *text;
    size_t bytes;
    if (batch_find_text(&run->batch, record, &text, &bytes)) {
        *standing_out = compare_text(record, text, bytes);
        return EDB_OK;
    }
    if (run->cache.space == NULL)
        return EDB_OK;
    edb_view view;
    edb_status status = edb_view_key(run->cache.space, record->key, record->key_bytes, &view);
    if (status == EDB_OK)
        *standing_out = compare_text(record, view.has_text ? view.text : NULL, view.text_bytes);
    edb_view_release(&view);
    return status == EDB_NOT_FOUND ? EDB_OK : status;
}

/* A record without a text (NULL) counts as changed: nothing says what its vector was made from. */
static enum standing compare_text(const struct record *record, const char *text, size_t bytes)
{
    int is_same = text != NULL && bytes == record->text_bytes &&
                  (bytes == 0 || memcmp(text, record->text, bytes) == 0);
    return is_same ? TEXT_SAME : TEXT_CHANGED;
}

/* The embedder is made for the first miss: a run of hits does without. */
static int embed_record(struct embedding *run, const struct record *record)
{
    if (run->hashing == NULL)
        run->hashing = hashing_open(run->cache.spec.dims);
    if (run->hashing == NULL)
        return report_no_memory();
    int has_words = hashing_embed(run->hashing, record->text, record->text_bytes,
                                  batch_next_vector(&run->batch));
    run->wordless += !has_words;
    return batch_add(&run->batch, record);
}

static int commit_batch(struct embedding *run)
{
    if (run->batch.rows == 0)
        return CODE_OK;
    int code = cache_create(&run->cache);
    if (code == CODE_OK) {
        edb_status status = batch_store(&run->batch, run->cache.space);
        code = status == EDB_OK ? CODE_OK : report_status(status, "these texts are not stored");
    }
    run->stored += code == CODE_OK ? run->batch.rows : 0;
    batch_clear(&run->batch);
    return code;
}

static int sum_up(const struct embedding *run, double seconds, int code)
{
    char count[STYLE_COUNT_BYTES];
    if (code != CODE_OK && run->stored == 0)
        return code;
    if (code != CODE_OK)
        return report_error(code, "%s texts were embedded and stored before that",
                            style_count(run->stored, count));
    if (option_given(run->arguments, "json")) {
        print_json(run, seconds);
    } else if (interrupt_caught() || !report_is_quiet()) {
        FILE *file = interrupt_caught() ? stderr : stdout;
        if (interrupt_caught())
            fputs("embedcache: interrupted: ", file);
        print_counts(run, file);
        fprintf(file, ", %s\n", style_seconds(seconds, count));
    }
    code = line_sum_up(&run->input.lines);
    return interrupt_caught() ? CODE_INTERRUPTED : code;
}

static void print_json(const struct embedding *run, double seconds)
{
    struct emitter json = EMITTER(stdout);
    emit_begin(&json, '{');
    emit_named_count(&json, "texts", run->texts);
    emit_named_count(&json, "hits", run->hits);
    emit_named_count(&json, "embedded", run->stored);
    emit_named_count(&json, "changed", run->changed);
    emit_named_count(&json, "wordless", run->wordless);
    emit_named_count(&json, "skipped", run->skipped);
    emit_named_count(&json, "refused", run->input.lines.refused);
    emit_name(&json, "seconds");
    emit_real(&json, (float)seconds);
    emit_end(&json, '}');
    putchar('\n');
}

static void print_counts(const struct embedding *run, FILE *file)
{
    char count[STYLE_COUNT_BYTES];
    fprintf(file, "%s texts: ", style_count(run->texts, count));
    fprintf(file, "%s hits, ", style_count(run->hits, count));
    fprintf(file, "%s embedded and stored", style_count(run->stored, count));
    if (run->changed > 0)
        fprintf(file, ", %s of them changed", style_count(run->changed, count));
    if (run->wordless > 0)
        fprintf(file, ", %s of them without a word", style_count(run->wordless, count));
    if (run->skipped > 0)
        fprintf(file, ", %s empty", style_count(run->skipped, count));
    if (run->input.lines.refused > 0)
        fprintf(file, ", %s refused", style_count(run->input.lines.refused, count));
}
