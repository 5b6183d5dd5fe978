/* The tables of the completion of zsh: what _describe and _arguments want, see
 * cli/completion/_embedcache. */
#include "commands.h"
#include "generate.h"

static void write_commands(FILE *file);
static void write_option(FILE *file, const struct option *option);
static void write_names(FILE *file, const struct option *option);
static void write_help(FILE *file, const char *text);
static void write_action(FILE *file, const struct option *option);

void generate_zsh(FILE *file)
{
    write_commands(file);
    fputs("\n_embedcache_options() {\n    case $1 in\n", file);
    for (size_t i = 0; command_table[i] != NULL; i++) {
        fprintf(file, "        (%s) specs=(\n", command_table[i]->name);
        const struct option *option = command_table[i]->options;
        for (; option->name != NULL; option++)
            write_option(file, option);
        fputs("        ) ;;\n", file);
    }
    fputs("    esac\n}\n", file);
}

static void write_commands(FILE *file)
{
    fputs("_embedcache_commands() {\n    commands=(\n", file);
    for (size_t i = 0; command_table[i] != NULL; i++) {
        fprintf(file, "        '%s:", command_table[i]->name);
        write_help(file, command_table[i]->summary);
        fputs("'\n", file);
    }
    fputs("        'help:what a command does'\n    )\n}\n", file);
}

static void write_option(FILE *file, const struct option *option)
{
    fputs("            ", file);
    write_names(file, option);
    fputs("'[", file);
    write_help(file, option->help);
    fputc(']', file);
    if (option->kind != OPTION_FLAG)
        write_action(file, option);
    fputs("'\n", file);
}

/* Both spellings exclude each other. A value follows a long name after "=" or as a word. */
static void write_names(FILE *file, const struct option *option)
{
    const char *end = option->kind == OPTION_FLAG ? "" : "=";
    if (option->name[1] == '\0')
        fprintf(file, "-%s+", option->name);
    else if (option->letter != 0)
        fprintf(file, "'(-%c --%s)'{-%c,--%s%s}", option->letter, option->name, option->letter,
                option->name, end);
    else
        fprintf(file, "--%s%s", option->name, end);
}

/* Inside of quotes, where brackets and colons have a meaning. */
static void write_help(FILE *file, const char *text)
{
    for (char letter[2] = ""; *text != '\0'; text++) {
        letter[0] = *text;
        if (*text == '\'')
            fputs("'\\''", file);
        else
            generate_escaped(file, letter, "[]:\\", "\\");
    }
}

/* ":what it is:how it is completed". */
static void write_action(FILE *file, const struct option *option)
{
    char word[64];
    fputs(option->alone != NULL ? "::" : ":", file);
    if (option->kind != OPTION_CHOICE)
        fprintf(file, "%s:%s", option->argument,
                option->kind == OPTION_FILE    ? "_files"
                : generate_takes_space(option) ? "_embedcache_spaces"
                                               : " ");
    else {
        fputs("word:(", file);
        for (size_t i = 0; option_word(option->argument, i, word, sizeof word); i++)
            fprintf(file, "%s%s", i > 0 ? " " : "", word);
        fputc(')', file);
    }
}
