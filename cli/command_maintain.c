/* embedcache maintain: what commits do in steps, at once. */
#include <stdio.h>

#include "cache_open.h"
#include "commands.h"
#include "report_error.h"
#include "text_style.h"

static int maintain(const struct arguments *arguments);

static const struct option options[] = {
    OPTIONS_COMMON,
};

const struct command command_maintain = {
    .name = "maintain",
    .operands = "FILE",
    .summary = "Evicts what is over the limits, and compacts if that is due",
    .description = "Programs that write do this by themselves, in small steps after their commits, "
                   "as far as the limits of the file ask for it (embedcache limit). This does all "
                   "of it at once, for example at night.",
    .examples = "embedcache maintain cache.edb",
    .options = options,
    .operands_min = 1,
    .operands_max = 1,
    .run = maintain,
};

static int maintain(const struct arguments *arguments)
{
    struct cache cache;
    edb_stats before = {.struct_size = sizeof before};
    edb_stats after = {.struct_size = sizeof after};
    int code = cache_open(&cache, arguments, CACHE_CHANGE);
    if (code != CODE_OK)
        return cache_close(&cache, code);
    edb_status status = edb_stats_get(cache.db, &before);
    if (status == EDB_OK)
        status = edb_maintain(cache.db);
    if (status == EDB_OK)
        status = edb_stats_get(cache.db, &after);
    if (status != EDB_OK)
        return cache_close(&cache, report_status(status, NULL));
    if (!report_is_quiet()) {
        char rows[STYLE_COUNTED_BYTES];
        char was[STYLE_COUNT_BYTES];
        char is[STYLE_COUNT_BYTES];
        style_print_name(stdout, cache.path);
        printf(": %s evicted, ", style_counted(before.live - after.live, "row", "rows", rows));
        printf("%s before, %s now\n", style_bytes(before.file_bytes, was),
               style_bytes(after.file_bytes, is));
    }
    return cache_close(&cache, CODE_OK);
}
