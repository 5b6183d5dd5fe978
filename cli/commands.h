/* The table of all commands: main.c runs them, help lists them. Each is a file,
 * command_<name>.c. */
#ifndef EMBEDCACHE_CLI_COMMANDS_H
#define EMBEDCACHE_CLI_COMMANDS_H

#include "options.h"

extern const struct command command_create;
extern const struct command command_put;
extern const struct command command_get;
extern const struct command command_del;
extern const struct command command_import;
extern const struct command command_export;
extern const struct command command_embed;
extern const struct command command_search;
extern const struct command command_info;
extern const struct command command_stats;
extern const struct command command_diff;
extern const struct command command_merge;
extern const struct command command_verify;
extern const struct command command_compact;
extern const struct command command_repair;
extern const struct command command_limit;
extern const struct command command_maintain;

/* In the order of help; NULL ends it. */
extern const struct command *const command_table[];

/* NULL when there is none of that name. */
const struct command *command_find(const char *name);

/* The command that other programs call `name`, or the nearest in spelling; NULL where there is
 * none. */
const char *command_meant(const char *name);

#endif
