/* embedcache create: a file with one space, or one more space in a file. */
#include <stdio.h>
#include <string.h>

#include "cache_open.h"
#include "commands.h"
#include "json_emit.h"
#include "report_error.h"
#include "text_style.h"

static int create(const struct arguments *arguments);
static void write_space(const struct cache *cache, int existed);
static void print_space(const struct cache *cache, int existed);

static const struct option options[] = {
    NEEDED_COUNT_ROW("dims", 0, "numbers in a vector; 0 = opaque values", 0, EDB_DIMS_MAX),
    OPTION_SPACE,
    OPTIONS_SPACE_SPEC,
    OPTION_JSON,
    OPTIONS_COMMON,
};

const struct command command_create = {
    .name = "create",
    .operands = "FILE",
    .summary = "Creates a file, or one more space in a file",
    .description = "What a space is stays as it was created: vectors of another model, size "
                   "or role are refused there. Creating a space again as it is does nothing.",
    .examples = "embedcache create cache.edb --dims 1536 --model text-embedding-3-small",
    .options = options,
    .operands_min = 1,
    .operands_max = 1,
    .run = create,
};

static int create(const struct arguments *arguments)
{
    struct space_wish wish = space_wish_take(arguments);
    struct cache cache;
    wish.dims = (int)option_count(arguments, "dims", 0);
    int code = cache_open_wish(&cache, arguments, &wish);
    int existed = cache.space != NULL;
    if (code == CODE_OK)
        code = cache_create(&cache);
    if (code == CODE_OK && option_given(arguments, "json"))
        write_space(&cache, existed);
    else if (code == CODE_OK && !report_is_quiet())
        print_space(&cache, existed);
    return cache_close(&cache, code);
}

static void write_space(const struct cache *cache, int existed)
{
    struct emitter json = EMITTER(stdout);
    emit_begin(&json, '{');
    emit_name(&json, "file");
    emit_bytes(&json, cache->path, strlen(cache->path));
    emit_named_text(&json, "space", cache->spec.name);
    emit_named_count(&json, "dims", cache->spec.dims);
    emit_named_text(&json, "model", cache->spec.model);
    emit_name(&json, "created");
    emit_bool(&json, !existed);
    emit_end(&json, '}');
    putchar('\n');
}

static void print_space(const struct cache *cache, int existed)
{
    char metric[16];
    option_word(METRIC_WORDS, cache->spec.metric, metric, sizeof metric);
    style_print_name(stdout, cache->path);
    fputs(": space ", stdout);
    style_print_name(stdout, cache->spec.name);
    printf("%s, %u dims", existed ? " was there already" : "", cache->spec.dims);
    if (cache->spec.dims > 0)
        printf(", %s", metric);
    if (cache->spec.model[0] != '\0') {
        fputs(", model ", stdout);
        style_print_name(stdout, cache->spec.model);
    }
    putchar('\n');
}
