/* embedcache limit: what a space, or the whole file, may hold. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cache_open.h"
#include "commands.h"
#include "json_emit.h"
#include "report_error.h"
#include "text_style.h"

/* In the order of edb_eviction. */
#define EVICTION_WORDS "s3-fifo|lru|fifo"

static int limit(const struct arguments *arguments);
static int open_limited(struct cache *cache, const struct arguments *arguments,
                        enum cache_access access);
static int set_limits(struct cache *cache, const struct arguments *arguments, edb_limits *limits);
static int check_together(const struct cache *cache, const struct arguments *arguments,
                          const edb_limits *limits);
static void write_limits(const struct cache *cache, const edb_limits *limits);
static void print_limits(const struct cache *cache, const edb_limits *limits);

static const struct option options[] = {
    TEXT_ROW("space", "NAME", "the space to limit (the whole file when not given)"),
    COUNT_ROW("max-rows", 0, "at most so many records; 0 = no limit", 0, UINT64_MAX),
    SIZE_ROW("max-bytes", "of a space: what its records take; of the file: its size; 0 = no limit"),
    TIME_ROW("ttl", "records expire so long after they were put, such as 30d; 0 = never, "
                    "or of a space as the file says"),
    CHOICE_ROW("eviction", EVICTION_WORDS, "which records go first (s3-fifo)"),
    CHOICE_ROW("cost-aware", "no|yes", "whether what cost more stays longer (no); s3-fifo only"),
    COUNT_ROW("dead-percent", 0,
              "of the file: compact it by itself when so much of it is dead; 0 = only when "
              "max-bytes is reached",
              0, 99),
    OPTION_JSON,
    OPTIONS_COMMON,
};

const struct command command_limit = {
    .name = "limit",
    .operands = "FILE",
    .summary = "Sets or shows what a file or a space may hold",
    .description =
        "Limits stand in the file: every program that writes to it keeps to them after its own "
        "commits. What is over a limit is evicted; records that were put with --pin stay. Options "
        "that are not given leave their limit as it is; without any the limits are shown.\n\n"
        "s3-fifo keeps what is used again, and one pass over many records does not drive it out; "
        "lru evicts what was not used for longest; fifo what was put first.",
    .examples = "embedcache limit cache.edb --max-bytes 10G\n"
                "embedcache limit cache.edb --space docs --max-rows 1000000 --ttl 30d\n"
                "embedcache limit cache.edb",
    .options = options,
    .operands_min = 1,
    .operands_max = 1,
    .run = limit,
};

static int limit(const struct arguments *arguments)
{
    struct cache cache;
    edb_limits limits = EDB_LIMITS_INIT;
    int changes = option_given_between(arguments, "max-rows", "dead-percent");
    int code = open_limited(&cache, arguments, changes ? CACHE_CHANGE : CACHE_READ);
    if (code == CODE_OK) {
        edb_status status = edb_limits_get(cache.db, cache.space, &limits);
        if (status != EDB_OK)
            code = report_status(status, NULL);
    }
    if (code == CODE_OK && changes)
        code = set_limits(&cache, arguments, &limits);
    if (code == CODE_OK && option_given(arguments, "json"))
        write_limits(&cache, &limits);
    else if (code == CODE_OK && !report_is_quiet())
        print_limits(&cache, &limits);
    return cache_close(&cache, code);
}

static int open_limited(struct cache *cache, const struct arguments *arguments,
                        enum cache_access access)
{
    if (!option_given(arguments, "space"))
        return cache_open(cache, arguments, access);
    int code =
        access == CACHE_CHANGE ? cache_refuse_markers(option_text(arguments, "space")) : CODE_OK;
    *cache = (struct cache){.path = arguments->operands[0]};
    return code == CODE_OK ? cache_open_space(cache, arguments, access) : code;
}

static int set_limits(struct cache *cache, const struct arguments *arguments, edb_limits *limits)
{
    limits->max_rows = option_count(arguments, "max-rows", limits->max_rows);
    limits->max_bytes = option_size(arguments, "max-bytes", limits->max_bytes);
    limits->ttl_s = (uint32_t)option_time(arguments, "ttl", limits->ttl_s);
    limits->eviction = option_choice(arguments, "eviction", limits->eviction);
    limits->cost_aware = option_choice(arguments, "cost-aware", limits->cost_aware);
    limits->dead_percent = (uint32_t)option_count(arguments, "dead-percent", limits->dead_percent);
    int code = check_together(cache, arguments, limits);
    if (code != CODE_OK)
        return code;
    edb_status status = edb_limits_set(cache->db, cache->space, limits);
    return status == EDB_OK ? CODE_OK : report_status(status, NULL);
}

/* What was given may not go with what the file has. */
static int check_together(const struct cache *cache, const struct arguments *arguments,
                          const edb_limits *limits)
{
    char word[16];
    option_word(EVICTION_WORDS, limits->eviction, word, sizeof word);
    int is_wrong = limits->cost_aware && limits->eviction != EDB_EVICT_S3_FIFO;
    if (is_wrong && !option_given(arguments, "cost-aware"))
        return report_error(CODE_USAGE,
                            "--eviction %s: %s evicts by cost, which s3-fifo alone does: add "
                            "--cost-aware no",
                            word, cache->path);
    if (is_wrong && !option_given(arguments, "eviction"))
        return report_error(CODE_USAGE, "--cost-aware yes: %s evicts by %s: add --eviction s3-fifo",
                            cache->path, word);
    if (is_wrong)
        return report_error(CODE_USAGE, "--cost-aware yes needs --eviction s3-fifo");
    if (limits->dead_percent > 0 && cache->space != NULL)
        return report_error(CODE_USAGE, "--dead-percent is for the whole file: leave --space away");
    return CODE_OK;
}

static void write_limits(const struct cache *cache, const edb_limits *limits)
{
    struct emitter json = EMITTER(stdout);
    char word[16];
    emit_begin(&json, '{');
    emit_name(&json, "file");
    emit_bytes(&json, cache->path, strlen(cache->path));
    if (cache->space != NULL)
        emit_named_text(&json, "space", cache->spec.name);
    emit_named_count(&json, "max_rows", limits->max_rows);
    emit_named_count(&json, "max_bytes", limits->max_bytes);
    emit_named_count(&json, "ttl_s", limits->ttl_s);
    option_word(EVICTION_WORDS, limits->eviction, word, sizeof word);
    emit_named_text(&json, "eviction", word);
    emit_name(&json, "cost_aware");
    emit_bool(&json, limits->cost_aware != 0);
    emit_named_count(&json, "dead_percent", limits->dead_percent);
    emit_end(&json, '}');
    putchar('\n');
}

static void print_limits(const struct cache *cache, const edb_limits *limits)
{
    char text[STYLE_COUNT_BYTES];
    char counted[STYLE_COUNTED_BYTES];
    char word[16];
    style_print_name(stdout, cache->path);
    if (cache->space != NULL) {
        fputs(", space ", stdout);
        style_print_name(stdout, cache->spec.name);
    }
    option_word(EVICTION_WORDS, limits->eviction, word, sizeof word);
    if (limits->max_rows == 0 && limits->max_bytes == 0)
        fputs(": no limit of rows or bytes", stdout);
    else if (limits->max_rows == 0)
        printf(": at most %s", style_bytes(limits->max_bytes, text));
    else
        printf(": at most %s", style_counted(limits->max_rows, "row", "rows", counted));
    if (limits->max_rows > 0 && limits->max_bytes > 0)
        printf(" and %s", style_bytes(limits->max_bytes, text));
    if (limits->max_rows > 0 || limits->max_bytes > 0)
        printf(", evicted by %s%s", word, limits->cost_aware ? " and cost" : "");
    if (limits->ttl_s > 0)
        printf("; records expire after %s", style_span(limits->ttl_s, text));
    if (limits->dead_percent > 0)
        printf("; compacted when %u %% is dead", limits->dead_percent);
    putchar('\n');
}
