/* embedcache embed: texts in, vectors kept. A text that is there is a hit and is never computed
 * again, but only where the record's own text proves it. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cache_open.h"
#include "commands.h"
#include "embedder_choose.h"
#include "embedding_run.h"
#include "hashing_embedder.h"
#include "interrupt_catch.h"
#include "json_emit.h"
#include "progress_draw.h"
#include "record_batch.h"
#include "record_read.h"
#include "report_error.h"
#include "text_style.h"

/* What OpenAI takes in one request, and a default that every server takes. */
enum { REQUEST_TEXTS_MAX = 2048, REQUEST_TEXTS = 128, REQUEST_TOKENS = 100000 };

/* A dozen counts of 26 digits and their words. */
enum { SUMMARY_BYTES = 1024 };

/* An embed command that is under way. */
struct embed_command {
    const struct arguments *arguments;
    struct record_reader input;
    struct cache cache;
    struct embedder_choice choice;
    struct embedding run;
    struct progress progress;
    uint64_t skipped; /* empty lines, null texts */
};

static int embed(const struct arguments *arguments);
static int open_input(struct embed_command *command);
static int open_store(struct embed_command *command);
static int open_run(struct embed_command *command);
static int embed_texts(struct embed_command *command);
static int take_record(struct embed_command *command, const struct record *record);
static int sum_up(const struct embed_command *command, double seconds, int code);
static void print_json(const struct embed_command *command, double seconds);
static void add_counts(const struct embed_command *command, char summary[SUMMARY_BYTES]);
static void add_count(char summary[SUMMARY_BYTES], uint64_t number, const char *what);
static void add_calls(const struct embed_command *command, char summary[SUMMARY_BYTES]);
static void add(char summary[SUMMARY_BYTES], const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static const struct option options[] = {
    NEEDED_FILE_ROW("input", "TEXTS", "a text a line, or .jsonl; \"-\" = stdin"),
    TEXT_ROW("text-field", "NAME", "the text's member in JSON lines (text)"),
    TEXT_ROW("key-field", "NAME", "the key's member (the text itself is the key)"),
    TEXT_ROW("metadata-field", "NAME", "the member with the metadata object (metadata)"),
    FLAG_ROW("metadata-rest", 0, "all members but key, text and cost are the metadata"),
    TEXT_ROW("cost-field", "NAME",
             "the member with the cost, a whole number (else the tokens that the server counts)"),
    OPTIONS_TERMS,
    OPTIONS_EMBEDDER,
    COUNT_ROW("concurrency", 0, "requests on their way at once (4)", 1, 64),
    COUNT_ROW("batch", 0,
              "texts in one request to a server (128, at most 2,048), or in one commit of the "
              "built-in embedder (1,000)",
              1, 100000),
    COUNT_ROW("batch-tokens", 0, "tokens in one request, estimated (100,000)", 1, 100000000),
    COUNT_ROW("dims", 0,
              "size of the vectors of a new space (384, or that of the server's first answer; a "
              "server is asked for it)",
              1, EDB_DIMS_MAX),
    OPTION_SPACE,
    OPTIONS_SPACE_REST,
    OPTION_JSON,
    OPTIONS_COMMON,
};

const struct command command_embed = {
    .name = "embed",
    .operands = "FILE",
    .surplus = "the file of texts goes behind --input",
    .summary = "Embeds texts that are not there yet, built-in or by a server",
    .description = "Each line is a text; its key is the text itself. Standard input is JSON "
                   "lines when a member is named. Texts that are there are hits, not computed "
                   "again. With --key-field a hit needs the same text too: where another "
                   "text, or none, stands under the key, the record is embedded again and "
                   "replaced. Metadata of a hit stays as it was, and so "
                   "does when it expires, what it cost and whether it is pinned.\n\n"
                   "Empty lines are passed over. A line end, LF or CR LF, is no part of a "
                   "text. A line that is no text (not UTF-8, too long, no valid JSON) is "
                   "named and passed over, and makes the exit code 3.\n\n"
                   "The built-in embedder (" HASHING_MODEL ") needs no model and no network. "
                   "It is lexical: texts are near when they share words, not when they mean "
                   "the same. Only A to Z have another case for it. A text without a word "
                   "(\"!!!\") is kept with a vector of zeros: every score is 0.\n\n"
                   "--embedder, or EMBEDCACHE_EMBEDDER, names a server that has real models: any "
                   "that speaks OpenAI's /v1/embeddings. The misses are sent to it, and nothing "
                   "else of the file; a run of hits makes no connection. Its key is taken from "
                   "EMBEDCACHE_API_KEY (for api.openai.com also from OPENAI_API_KEY) and is "
                   "neither stored nor shown. Every answer is checked before it is stored; a "
                   "request that fails loses only its own texts; Ctrl-C keeps what has come. "
                   "The file records the model, and never the server.",
    .examples = "embedcache embed notes.edb --input notes.txt\n"
                "embedcache embed notes.edb --input notes.txt --space nomic \\\n"
                "    --embedder http://localhost:11434/v1 --model nomic-embed-text",
    .options = options,
    .operands_min = 1,
    .operands_max = 1,
    .run = embed,
};

static int embed(const struct arguments *arguments)
{
    struct embed_command command;
    memset(&command, 0, sizeof command);
    command.arguments = arguments;
    double started = progress_seconds();
    int code = open_input(&command);
    if (code == CODE_OK)
        code = open_store(&command);
    if (code == CODE_OK)
        code = open_run(&command);
    if (code == CODE_OK) {
        code = embed_texts(&command);
        code = sum_up(&command, progress_seconds() - started, code);
    }
    embedding_close(&command.run);
    record_close(&command.input);
    return cache_close(&command.cache, code);
}

static int open_input(struct embed_command *command)
{
    const struct arguments *arguments = command->arguments;
    const char *path = option_text(arguments, "input");
    const char *text = option_text(arguments, "text-field");
    const char *metadata = option_text(arguments, "metadata-field");
    struct record_fields fields = {
        .key = option_text(arguments, "key-field"),
        .text = text != NULL ? text : "text",
        .metadata = metadata != NULL ? metadata : "metadata",
        .metadata_is_rest = option_given(arguments, "metadata-rest"),
        .cost = option_text(arguments, "cost-field"),
    };
    int is_json = record_is_json_name(path) || text != NULL || metadata != NULL ||
                  fields.key != NULL || fields.cost != NULL || fields.metadata_is_rest;
    return record_open(&command->input, path, is_json, &fields);
}

static int open_store(struct embed_command *command)
{
    const struct arguments *arguments = command->arguments;
    struct space_wish wish = space_wish_take(arguments);
    wish.model = NULL; /* embedder_choose sees to it */
    if (option_given(arguments, "dims"))
        wish.dims = (int)option_count(arguments, "dims", 0);
    int code = cache_open_wish(&command->cache, arguments, &wish);
    if (code == CODE_OK)
        code = embedder_choose(&command->choice, &command->cache, arguments);
    command->choice.dims_are_asked = option_given(arguments, "dims");
    return code;
}

static int open_run(struct embed_command *command)
{
    const struct arguments *arguments = command->arguments;
    struct embedder_choice *choice = &command->choice;
    int is_server = choice->address != NULL;
    size_t texts = (size_t)option_count(arguments, "batch", is_server ? REQUEST_TEXTS : BATCH_ROWS);
    if (is_server && texts > REQUEST_TEXTS_MAX)
        return report_error(CODE_USAGE, "--batch %zu: a request takes at most %d texts", texts,
                            REQUEST_TEXTS_MAX);
    if (is_server)
        choice->concurrency = (size_t)option_count(arguments, "concurrency", choice->concurrency);
    size_t fitting = is_server ? texts : BATCH_BYTES_MAX / (choice->dims * sizeof(float));
    struct embedding_limits limits = {
        .texts_max = texts < fitting ? texts : fitting,
        .tokens_max =
            is_server ? option_count(arguments, "batch-tokens", REQUEST_TOKENS) : UINT64_MAX,
        .texts_recur = is_server && option_given(arguments, "key-field"),
    };
    return embedding_open(&command->run, &command->cache, choice, &limits);
}

static int embed_texts(struct embed_command *command)
{
    struct record record;
    struct embedding *run = &command->run;
    int code = CODE_OK;
    interrupt_catch();
    progress_begin(&command->progress, "embed", "texts", 0, 0);
    while (code == CODE_OK && !interrupt_caught() && !embedding_is_stopped(run)) {
        code = record_next(&command->input, &record);
        record.terms.ttl_s = option_ttl(command->arguments);
        record.terms.pinned = (uint32_t)option_given(command->arguments, "pin");
        if (code == CODE_OK)
            code = take_record(command, &record);
        if (code == CODE_REFUSED)
            code = CODE_OK;
        progress_show(&command->progress, run->counts.texts);
    }
    /* What came before a failure is good. */
    int stored = embedding_finish(run);
    progress_end(&command->progress);
    if (code != CODE_OK && code != CODE_END)
        return code;
    int is_whole =
        command->input.lines.refused == 0 && !interrupt_caught() && embedding_code(run) == CODE_OK;
    int is_known = command->cache.spec.dims > 0;
    return stored == CODE_OK && is_whole && is_known ? cache_create(&command->cache) : stored;
}

static int take_record(struct embed_command *command, const struct record *record)
{
    int is_empty_line = !command->input.is_json && record->text_bytes == 0;
    if (record->text != NULL && !is_empty_line)
        return embedding_take(&command->run, record);
    command->skipped++;
    return CODE_OK;
}

static int sum_up(const struct embed_command *command, double seconds, int code)
{
    char count[STYLE_COUNTED_BYTES];
    char summary[SUMMARY_BYTES] = "";
    uint64_t stored = command->run.counts.stored;
    if (code != CODE_OK && stored == 0)
        return code;
    if (code != CODE_OK)
        return report_error(code, "%s embedded and stored before that",
                            style_counted(stored, "text was", "texts were", count));
    add_counts(command, summary);
    if (command->choice.address != NULL)
        add_calls(command, summary);
    add(summary, ", %s", style_seconds(seconds, count));
    if (option_given(command->arguments, "json"))
        print_json(command, seconds);
    else if (!interrupt_caught() && !report_is_quiet())
        puts(summary);
    if (interrupt_caught())
        report_error(CODE_INTERRUPTED, "interrupted: %s", summary);
    code = line_sum_up(&command->input.lines);
    if (embedding_code(&command->run) != CODE_OK)
        code = embedding_code(&command->run);
    return interrupt_caught() ? CODE_INTERRUPTED : code;
}

static void print_json(const struct embed_command *command, double seconds)
{
    const struct embedding_counts *counts = &command->run.counts;
    struct embedder_counts calls = embedding_calls(&command->run);
    struct emitter json = EMITTER(stdout);
    emit_begin(&json, '{');
    emit_named_count(&json, "texts", counts->texts);
    emit_named_count(&json, "hits", counts->hits);
    emit_named_count(&json, "misses", counts->texts - counts->hits);
    emit_named_count(&json, "embedded", counts->stored);
    emit_named_count(&json, "changed", counts->changed);
    emit_named_count(&json, "wordless", counts->wordless);
    emit_named_count(&json, "skipped", command->skipped);
    emit_named_count(&json, "refused", command->input.lines.refused + counts->refused);
    emit_named_count(&json, "failed", counts->failed);
    emit_named_count(&json, "dropped", counts->dropped);
    emit_named_count(&json, "calls", calls.calls);
    emit_named_count(&json, "retries", calls.retries);
    emit_name(&json, "tokens_used");
    if (calls.has_tokens)
        emit_count(&json, calls.tokens);
    else
        emit_null(&json);
    emit_named_count(&json, "tokens_saved_estimate", counts->tokens_saved);
    emit_name(&json, "seconds");
    emit_real(&json, (float)seconds);
    emit_end(&json, '}');
    putchar('\n');
}

static void add_counts(const struct embed_command *command, char summary[SUMMARY_BYTES])
{
    const struct embedding_counts *counts = &command->run.counts;
    char text[STYLE_COUNTED_BYTES];
    add(summary, "%s: ", style_counted(counts->texts, "text", "texts", text));
    add(summary, "%s, ", style_counted(counts->hits, "hit", "hits", text));
    if (command->choice.address != NULL)
        add(summary, "%s, ", style_counted(counts->texts - counts->hits, "miss", "misses", text));
    add(summary, "%s embedded and stored", style_count(counts->stored, text));
    add_count(summary, counts->changed, "of them changed");
    add_count(summary, counts->wordless, "of them without a word");
    add_count(summary, command->skipped, "empty");
    add_count(summary, command->input.lines.refused + counts->refused, "refused");
    add_count(summary, counts->failed, "failed");
    add_count(summary, counts->dropped, "not waited for");
}

static void add_count(char summary[SUMMARY_BYTES], uint64_t number, const char *what)
{
    char count[STYLE_COUNT_BYTES];
    if (number > 0)
        add(summary, ", %s %s", style_count(number, count), what);
}

static void add_calls(const struct embed_command *command, char summary[SUMMARY_BYTES])
{
    struct embedder_counts calls = embedding_calls(&command->run);
    char text[STYLE_COUNTED_BYTES];
    add(summary, ", %s", style_counted(calls.calls, "call", "calls", text));
    if (calls.retries > 0)
        add(summary, " (%s of them again)", style_count(calls.retries, text));
    if (calls.has_tokens)
        add(summary, ", %s used", style_counted(calls.tokens, "token", "tokens", text));
    add(summary, ", about %s saved",
        style_counted(command->run.counts.tokens_saved, "token", "tokens", text));
}

static void add(char summary[SUMMARY_BYTES], const char *format, ...)
{
    size_t used = strlen(summary);
    va_list args;
    va_start(args, format);
    vsnprintf(summary + used, SUMMARY_BYTES - used, format, args);
    va_end(args);
}
