/* Which commands there are, and what somebody means who names another. */
#include <string.h>

#include "commands.h"
#include "spelling_suggest.h"

/* clang-format off */
const struct command *const command_table[] = {
    &command_create,
    &command_put,
    &command_get,
    &command_del,
    &command_import,
    &command_export,
    &command_embed,
    &command_search,
    &command_info,
    &command_stats,
    &command_diff,
    &command_merge,
    &command_verify,
    &command_compact,
    &command_repair,
    &command_limit,
    &command_maintain,
    NULL,
};
/* clang-format on */

const struct command *command_find(const char *name)
{
    for (size_t i = 0; command_table[i] != NULL; i++) {
        if (strcmp(command_table[i]->name, name) == 0)
            return command_table[i];
    }
    return NULL;
}

const char *command_meant(const char *name)
{
    static const char *const others[][2] = {
        {"add", "put"},        {"cat", "get"},        {"check", "verify"},   {"compare", "diff"},
        {"dump", "export"},    {"count", "stats"},    {"delete", "del"},     {"erase", "del"},
        {"fetch", "get"},      {"find", "search"},    {"fsck", "verify"},    {"init", "create"},
        {"insert", "put"},     {"list", "info"},      {"load", "import"},    {"ls", "info"},
        {"new", "create"},     {"query", "search"},   {"read", "get"},       {"remove", "del"},
        {"rm", "del"},         {"set", "put"},        {"show", "get"},       {"store", "put"},
        {"upsert", "put"},     {"write", "put"},      {"vacuum", "compact"}, {"shrink", "compact"},
        {"recover", "repair"}, {"salvage", "repair"}, {"join", "merge"},     {"union", "merge"},
        {"expire", "limit"},   {"quota", "limit"},    {"budget", "limit"},   {"evict", "maintain"},
    };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (strcmp(name, others[i][0]) == 0)
            return others[i][1];
    }
    const char *nearest = NULL;
    size_t fewest = SLIPS_MANY;
    for (size_t i = 0; command_table[i] != NULL; i++) {
        size_t slips = spelling_slips(name, command_table[i]->name);
        nearest = slips < fewest ? command_table[i]->name : nearest;
        fewest = slips < fewest ? slips : fewest;
    }
    return nearest;
}
