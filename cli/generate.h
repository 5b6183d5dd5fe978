/* The program that is run at build time to write, from the tables of commands, options and exit
 * codes, what is installed beside the command: manual pages and the completions of shells. No part
 * of the command itself. */
#ifndef EMBEDCACHE_CLI_GENERATE_H
#define EMBEDCACHE_CLI_GENERATE_H

#include <stdio.h>

#include "options.h"

/* embedcache(1), and the page of one command. */
void generate_overview(FILE *file);
void generate_page(FILE *file, const struct command *command);

/* The tables that a shell's completion works by; cli/completion/ has the scripts around them. */
void generate_bash(FILE *file);
void generate_zsh(FILE *file);
void generate_fish(FILE *file);

/* Calls `write` with each command and option, in order. */
void generate_each_option(FILE *file, void (*write)(FILE *file, const struct command *command,
                                                    const struct option *option));

/* Whether the next word is always its value. */
int generate_takes_value(const struct option *option);

/* Whether its value is the name of a space. */
int generate_takes_space(const struct option *option);

/* `text` up to `length`, with `escape` before every character of `special`. */
void generate_escaped(FILE *file, const char *text, const char *special, const char *escape);

#endif
