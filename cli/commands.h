/* Every command of the command line, one file each: command_<name>.c. main.c lists them. */
#ifndef EMBEDCACHE_CLI_COMMANDS_H
#define EMBEDCACHE_CLI_COMMANDS_H

#include "options.h"

extern const struct command command_create;
extern const struct command command_put;
extern const struct command command_get;
extern const struct command command_del;
extern const struct command command_import;
extern const struct command command_embed;
extern const struct command command_search;
extern const struct command command_info;
extern const struct command command_stats;
extern const struct command command_verify;

#endif
