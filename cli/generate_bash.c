/* The tables of the completion of bash: functions that set variables of _embedcache, see
 * cli/completion/embedcache.bash. */
#include <string.h>

#include "commands.h"
#include "generate.h"

static void write_options(FILE *file, const struct command *command);
static void write_names(FILE *file, const struct option *option);
static void write_value(FILE *file, const struct command *command, const struct option *option);
static void write_words(FILE *file, const char *words);

void generate_bash(FILE *file)
{
    fputs("_embedcache_commands='", file);
    for (size_t i = 0; command_table[i] != NULL; i++)
        fprintf(file, "%s ", command_table[i]->name);
    fputs("help'\n\n_embedcache_options()\n{\n    case $1 in\n", file);
    for (size_t i = 0; command_table[i] != NULL; i++)
        write_options(file, command_table[i]);
    fputs("    esac\n}\n\n_embedcache_value()\n{\n    case $1:$2 in\n", file);
    generate_each_option(file, write_value);
    fputs("    esac\n}\n", file);
}

static void write_options(FILE *file, const struct command *command)
{
    fprintf(file, "        %s)\n            options='", command->name);
    for (const struct option *option = command->options; option->name != NULL; option++)
        write_names(file, option);
    fputs("'\n            valued='", file);
    for (const struct option *option = command->options; option->name != NULL; option++) {
        if (generate_takes_value(option))
            write_names(file, option);
    }
    fputs("'\n            ;;\n", file);
}

static void write_names(FILE *file, const struct option *option)
{
    fprintf(file, "%s%s ", option_dashes(option), option->name);
    if (option->letter != 0 && option->name[1] != '\0')
        fprintf(file, "-%c ", option->letter);
}

/* What can be offered for a value. Of the others (texts, numbers) nothing is known. */
static void write_value(FILE *file, const struct command *command, const struct option *option)
{
    int is_choice = option->kind == OPTION_CHOICE;
    int is_file = option->kind == OPTION_FILE;
    if (!is_choice && !is_file && !generate_takes_space(option))
        return;
    fprintf(file, "        %s:%s%s) ", command->name, option_dashes(option), option->name);
    if (is_choice)
        write_words(file, option->argument);
    else
        fputs(is_file ? "files=all" : "words=$(_embedcache_spaces \"$file\")", file);
    fputs(" ;;\n", file);
}

/* One a line. */
static void write_words(FILE *file, const char *words)
{
    char word[64];
    fputs("words=$'", file);
    for (size_t i = 0; option_word(words, i, word, sizeof word); i++)
        fprintf(file, "%s%s", i > 0 ? "\\n" : "", word);
    fputc('\'', file);
}
