/* What `embedcache help` and --help say. Everything comes from the tables; only the layout is
 * here. */
#include "help_print.h"

#include <string.h>

#include "commands.h"
#include "report_error.h"
#include "text_style.h"

enum { COLUMNS = 88, EXAMPLE_COLUMN = 2, OPTION_COLUMN = 28, CODE_COLUMN = 5 };

static void print_heading(FILE *file, const char *heading);
static void print_option(FILE *file, const struct option *option);
static void print_flow(FILE *file, const char *text, int column, int at);
static void print_lines(FILE *file, const char *text, int column);

void help_print_overview(FILE *file)
{
    print_heading(file, "embedcache COMMAND FILE [options]");
    fputc('\n', file);
    for (size_t i = 0; command_table[i] != NULL; i++)
        fprintf(file, "  %-8s %s\n", command_table[i]->name, command_table[i]->summary);
    fputs("\nembedcache COMMAND --help tells more, embedcache --version the version.\n", file);
    fputs("Commits are durable: what a command has counted survives kill -9 and power loss.\n\n",
          file);
    print_heading(file, "Exit codes");
    for (size_t i = 0; exit_codes[i].meaning != NULL; i++)
        fprintf(file, "%*d  %s\n", CODE_COLUMN, exit_codes[i].code, exit_codes[i].meaning);
}

void help_print_command(FILE *file, const struct command *command)
{
    fprintf(file, "%sembedcache %s%s %s", style_begin(file, STYLE_BOLD), command->name,
            style_end(file), command->operands);
    for (const struct option *option = command->options; option->name != NULL; option++) {
        if (option->needed)
            fprintf(file, " --%s %s", option->name, option->argument);
    }
    fputs(" [options]\n\n", file);
    fprintf(file, "%s.\n\n", command->summary);
    if (command->description != NULL) {
        print_flow(file, command->description, 0, 0);
        fputc('\n', file);
    }
    print_lines(file, command->examples, EXAMPLE_COLUMN);
    fputc('\n', file);
    print_heading(file, "Options");
    for (const struct option *option = command->options; option->name != NULL; option++)
        print_option(file, option);
}

static void print_heading(FILE *file, const char *heading)
{
    fprintf(file, "%s%s%s\n", style_begin(file, STYLE_BOLD), heading, style_end(file));
}

static void print_option(FILE *file, const struct option *option)
{
    const char *dashes = option_dashes(option);
    int has_both = option->letter != 0 && dashes[1] != '\0';
    int column = has_both ? fprintf(file, "  -%c, --%s", option->letter, option->name)
                          : fprintf(file, "  %s%s", dashes, option->name);
    if (option->argument != NULL)
        column += fprintf(file, option->alone != NULL ? " [%s]" : " %s", option->argument);
    if (column >= OPTION_COLUMN) {
        fputc('\n', file);
        column = 0;
    }
    fprintf(file, "%*s", OPTION_COLUMN - column, "");
    int needed = option->needed ? fprintf(file, "needed:") : 0;
    print_flow(file, option->help, OPTION_COLUMN, OPTION_COLUMN + needed);
}

/* Words as they fit, in lines that begin at `column`; the first one is written up to `at`. */
static void print_flow(FILE *file, const char *text, int column, int at)
{
    while (*text != '\0') {
        int length = (int)strcspn(text, " \n");
        if (at > column && at + 1 + length > COLUMNS) {
            fprintf(file, "\n%*s", column, "");
            at = column;
        }
        at += fprintf(file, "%s%.*s", at > column ? " " : "", length, text);
        text += length;
        for (; *text == '\n'; text++, at = column)
            fputc('\n', file);
        text += *text == ' ';
    }
    fputc('\n', file);
}

static void print_lines(FILE *file, const char *text, int column)
{
    while (*text != '\0') {
        int length = (int)strcspn(text, "\n");
        fprintf(file, "%*s%.*s\n", column, "", length, text);
        text += length;
        text += *text == '\n';
    }
}
