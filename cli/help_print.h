/* Help, printed from the tables of commands, options and exit codes. */
#ifndef EMBEDCACHE_CLI_HELP_PRINT_H
#define EMBEDCACHE_CLI_HELP_PRINT_H

#include <stdio.h>

#include "options.h"

/* The list of all commands. */
void help_print_overview(FILE *file);

void help_print_command(FILE *file, const struct command *command);

#endif
