/* embedcache put: one vector, or one opaque value, under one key. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cache_open.h"
#include "commands.h"
#include "file_read.h"
#include "json_emit.h"
#include "metadata_check.h"
#include "record_write.h"
#include "report_error.h"
#include "text_style.h"
#include "vector_read.h"

/* What is to be stored: floats, or bytes. */
struct content {
    float *vector;
    char *value;
    size_t value_bytes;
    uint32_t dims;
};

static int put(const struct arguments *arguments);
static int read_content(const struct arguments *arguments, struct content *content);
static int check_beside(const struct arguments *arguments);
static int store(struct cache *cache, const struct arguments *arguments,
                 const struct content *content);
static void write_stored(const struct cache *cache, const char *key, uint64_t row);
static void print_stored(const struct cache *cache, const char *key);

static const struct option options[] = {
    TEXT_ROW("vector", "LIST", "the vector as a JSON list"),
    FILE_ROW("vector-file", "the vector as a .npy file of one row"),
    FILE_ROW("value-file", "any bytes, for a space of dims 0 (\"-\": stdin)"),
    TEXT_ROW("text", "TEXT", "text to keep beside it"),
    TEXT_ROW("metadata", "JSON", "a JSON object to keep beside it"),
    TIME_ROW("ttl", "it expires so long from now, such as 30d; 0 = never (as the limits say)"),
    COUNT_ROW("cost", 0, "what computing it cost, such as tokens", 0, UINT32_MAX),
    FLAG_ROW("pin", 0, "it is never evicted"),
    OPTION_SPACE,
    OPTIONS_SPACE_SPEC,
    OPTION_JSON,
    OPTIONS_COMMON,
};

const struct command command_put = {
    .name = "put",
    .operands = "FILE KEY",
    .surplus = "a vector goes behind --vector",
    .summary = "Stores a vector under a key, replacing what was there",
    .description = "Without --vector or --vector-file the vector is read from standard input. "
                   "A space that is not there is created with the vector's size.",
    .examples = "embedcache put cache.edb hello --vector '[0.1, 0.2, 0.3]' --text 'Hello, world'",
    .options = options,
    .operands_min = 2,
    .operands_max = 2,
    .run = put,
};

static int put(const struct arguments *arguments)
{
    struct content content = {NULL, NULL, 0, 0};
    struct space_wish wish = space_wish_take(arguments);
    struct cache cache = {NULL, NULL, NULL, EDB_SPACE_SPEC_INIT};
    int code = read_content(arguments, &content);
    wish.dims = (int)content.dims;
    if (code == CODE_OK)
        code = check_beside(arguments);
    if (code == CODE_OK)
        code = cache_open_wish(&cache, arguments, &wish);
    if (code == CODE_OK)
        code = cache_create(&cache);
    if (code == CODE_OK)
        code = store(&cache, arguments, &content);
    free(content.vector);
    free(content.value);
    return cache_close(&cache, code);
}

static int read_content(const struct arguments *arguments, struct content *content)
{
    const char *list = option_text(arguments, "vector");
    const char *array = option_text(arguments, "vector-file");
    const char *value = option_text(arguments, "value-file");
    if ((list != NULL) + (array != NULL) + (value != NULL) > 1)
        return report_error(CODE_USAGE,
                            "give one of --vector, --vector-file and --value-file, not several");
    if (value != NULL)
        return file_read_whole(value, EDB_VALUE_BYTES_MAX, "one value: divide it", &content->value,
                               &content->value_bytes);
    if (array != NULL)
        return vector_from_npy(array, &content->vector, &content->dims);
    if (list != NULL)
        return vector_from_json(list, strlen(list), "--vector", &content->vector, &content->dims);
    if (isatty(STDIN_FILENO))
        return report_error(
            CODE_USAGE,
            "put needs a vector: --vector '[0.1, 0.2]', --vector-file or standard input");
    return vector_from_stdin(&content->vector, &content->dims);
}

/* Text and metadata, before there is a file. */
static int check_beside(const struct arguments *arguments)
{
    char phrase[METADATA_PHRASE_BYTES];
    char count[STYLE_COUNT_BYTES];
    char limit[STYLE_COUNT_BYTES];
    const char *text = option_text(arguments, "text");
    const char *metadata = option_text(arguments, "metadata");
    if (text != NULL && strlen(text) > EDB_TEXT_BYTES_MAX)
        return report_error(CODE_BAD_DATA, "--text has %s bytes: a text has at most %s",
                            style_count(strlen(text), count),
                            style_count(EDB_TEXT_BYTES_MAX, limit));
    const char *wrong = metadata != NULL ? metadata_wrong_text(metadata, phrase) : NULL;
    return wrong == NULL ? CODE_OK : report_error(CODE_BAD_DATA, "--metadata %s", wrong);
}

static int store(struct cache *cache, const struct arguments *arguments,
                 const struct content *content)
{
    const char *key = arguments->operands[1];
    edb_put_options put_options = EDB_PUT_OPTIONS_INIT;
    put_options.text = option_text(arguments, "text");
    put_options.metadata_json = option_text(arguments, "metadata");
    put_options.value_bytes = content->value_bytes;
    put_options.ttl_s = option_ttl(arguments);
    put_options.cost = (uint32_t)option_count(arguments, "cost", 0);
    put_options.pinned = (uint32_t)option_given(arguments, "pin");
    const void *stored = content->value != NULL ? (const void *)content->value : content->vector;
    edb_key whole = {key, strlen(key)};
    uint64_t row;
    edb_status status = edb_put_many(cache->space, &whole, 1, stored, &put_options, &row);
    if (status != EDB_OK)
        return report_status(status, NULL);
    if (option_given(arguments, "json"))
        write_stored(cache, key, row);
    else if (!report_is_quiet())
        print_stored(cache, key);
    return CODE_OK;
}

static void write_stored(const struct cache *cache, const char *key, uint64_t row)
{
    struct emitter json = EMITTER(stdout);
    emit_begin(&json, '{');
    emit_name(&json, "file");
    emit_bytes(&json, cache->path, strlen(cache->path));
    emit_named_text(&json, "space", cache->spec.name);
    record_write_key(&json, NULL, key);
    emit_named_count(&json, "row", row);
    emit_end(&json, '}');
    putchar('\n');
}

static void print_stored(const struct cache *cache, const char *key)
{
    fputs("stored ", stdout);
    style_print_key(stdout, key, strlen(key), SIZE_MAX);
    fputs(" in ", stdout);
    style_print_name(stdout, cache->path);
    putchar('\n');
}
