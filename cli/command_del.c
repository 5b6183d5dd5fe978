/* embedcache del: deletes keys, a thousand a commit. */
#include <stdio.h>
#include <string.h>

#include "cache_open.h"
#include "commands.h"
#include "json_emit.h"
#include "record_batch.h"
#include "report_error.h"
#include "text_style.h"

enum { MISSING_NAMED_MAX = 10 };

/* A deletion that is under way. */
struct deletion {
    struct cache cache;
    struct batch batch;
    struct record_reader listed; /* of --keys */
    uint64_t deleted;
    uint64_t missing;
};

static int del(const struct arguments *arguments);
static int delete_operands(struct deletion *deletion, const struct arguments *arguments);
static int delete_listed(struct deletion *deletion, const struct arguments *arguments);
static int take_key(struct deletion *deletion, const struct record *record);
static int commit_batch(struct deletion *deletion);
static int sum_up(const struct deletion *deletion, int is_json);
static void write_counts(const struct deletion *deletion);
static void print_counts(const struct deletion *deletion);

static const struct option options[] = {
    FILE_ROW("keys", "delete these too: .txt with a key a line, or .jsonl (\"-\": stdin)"),
    TEXT_ROW("key-field", "NAME", "the key's member in .jsonl (key)"),
    OPTION_SPACE,
    OPTION_JSON,
    OPTIONS_COMMON,
};

const struct command command_del = {
    .name = "del",
    .operands = "FILE KEY...",
    .summary = "Deletes keys",
    .description = "Keys that are not there are named (the first ten) and make the exit code 1; "
                   "the others are deleted.\n\n"
                   "Line ends, LF or CR LF, are no part of a key. Lines that are no text are "
                   "named (the first ten), passed over, and make the exit code 3.",
    .examples = "embedcache del cache.edb hello\n"
                "embedcache del cache.edb --keys old-keys.txt",
    .options = options,
    .operands_min = 1,
    .operands_max = (size_t)-1,
    .run = del,
};

static int del(const struct arguments *arguments)
{
    struct deletion deletion;
    memset(&deletion, 0, sizeof deletion);
    if (arguments->operand_count < 2 && !option_given(arguments, "keys"))
        return report_error(CODE_USAGE, "del needs keys: embedcache del FILE KEY, or --keys FILE");
    int code = cache_open_space(&deletion.cache, arguments, CACHE_CHANGE);
    if (code == CODE_OK)
        code = batch_open(&deletion.batch, 0, BATCH_ROWS);
    if (code == CODE_OK)
        code = delete_operands(&deletion, arguments);
    if (code == CODE_OK && option_given(arguments, "keys"))
        code = delete_listed(&deletion, arguments);
    if (code == CODE_OK)
        code = commit_batch(&deletion);
    if (code == CODE_OK)
        code = sum_up(&deletion, option_given(arguments, "json"));
    batch_close(&deletion.batch);
    record_close(&deletion.listed);
    return cache_close(&deletion.cache, code);
}

static int delete_operands(struct deletion *deletion, const struct arguments *arguments)
{
    int code = CODE_OK;
    for (size_t i = 1; i < arguments->operand_count && code == CODE_OK; i++) {
        struct record record = {.key = arguments->operands[i],
                                .key_bytes = strlen(arguments->operands[i])};
        code = take_key(deletion, &record);
    }
    return code;
}

static int delete_listed(struct deletion *deletion, const struct arguments *arguments)
{
    const char *path = option_text(arguments, "keys");
    const char *field = option_text(arguments, "key-field");
    struct record_fields fields = {.key = field != NULL ? field : "key", .key_needed = 1};
    struct record record;
    int is_json = field != NULL || record_is_json_name(path);
    int code = record_open(&deletion->listed, path, is_json, &fields);
    while (code == CODE_OK) {
        code = record_next(&deletion->listed, &record);
        if (code == CODE_OK)
            code = take_key(deletion, &record);
        else if (code == CODE_REFUSED)
            code = CODE_OK;
    }
    return code == CODE_END ? CODE_OK : code;
}

/* A key that comes twice is deleted once. */
static int take_key(struct deletion *deletion, const struct record *record)
{
    if (batch_has_key(&deletion->batch, record->key, record->key_bytes))
        return CODE_OK;
    edb_status status = edb_contains(deletion->cache.space, record->key, record->key_bytes);
    if (status == EDB_NOT_FOUND) {
        if (deletion->missing++ < MISSING_NAMED_MAX)
            report_error(CODE_NOT_FOUND, "no key \"%.*s\" in space %s of %s",
                         (int)record->key_bytes, record->key, deletion->cache.spec.name,
                         deletion->cache.path);
        return CODE_OK;
    }
    if (status != EDB_OK)
        return report_status(status, NULL);
    int code = batch_add(&deletion->batch, record);
    if (code == CODE_OK && batch_is_full(&deletion->batch))
        code = commit_batch(deletion);
    return code;
}

static int commit_batch(struct deletion *deletion)
{
    struct batch *batch = &deletion->batch;
    edb_txn *txn = NULL;
    if (batch->rows == 0)
        return CODE_OK;
    batch_aim(batch);
    edb_status status = edb_begin(deletion->cache.db, &txn);
    for (size_t i = 0; i < batch->rows && status == EDB_OK; i++)
        status =
            edb_txn_delete(txn, deletion->cache.space, batch->keys[i].data, batch->keys[i].bytes);
    if (status == EDB_OK) {
        status = edb_commit(txn, EDB_DURABLE);
        txn = NULL;
    }
    int code = status == EDB_OK ? CODE_OK : report_status(status, NULL);
    edb_abort(txn);
    deletion->deleted += status == EDB_OK ? batch->rows : 0;
    batch_clear(batch);
    return code;
}

static int sum_up(const struct deletion *deletion, int is_json)
{
    if (is_json)
        write_counts(deletion);
    else if (!report_is_quiet())
        print_counts(deletion);
    int code = line_sum_up(&deletion->listed.lines);
    return code == CODE_OK && deletion->missing > 0 ? CODE_NOT_FOUND : code;
}

static void write_counts(const struct deletion *deletion)
{
    struct emitter json = EMITTER(stdout);
    emit_begin(&json, '{');
    emit_named_count(&json, "deleted", deletion->deleted);
    emit_named_count(&json, "missing", deletion->missing);
    emit_named_count(&json, "refused", deletion->listed.lines.refused);
    emit_end(&json, '}');
    putchar('\n');
}

static void print_counts(const struct deletion *deletion)
{
    char text[STYLE_COUNT_BYTES];
    printf("%s deleted", style_count(deletion->deleted, text));
    if (deletion->missing > 0)
        printf(", %s not there", style_count(deletion->missing, text));
    if (deletion->listed.lines.refused > 0)
        printf(", %s refused", style_count(deletion->listed.lines.refused, text));
    putchar('\n');
}
