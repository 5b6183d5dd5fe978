/* The tables of the completion of fish: a `complete` for each command and option, see
 * cli/completion/embedcache.fish. */
#include "commands.h"
#include "generate.h"

static void write_option(FILE *file, const struct command *command, const struct option *option);
static void write_value(FILE *file, const struct option *option);
static void write_help(FILE *file, const char *text);

void generate_fish(FILE *file)
{
    for (size_t i = 0; command_table[i] != NULL; i++) {
        const char *name = command_table[i]->name;
        fprintf(file, "complete -c embedcache -n __embedcache_begins -f -a %s", name);
        write_help(file, command_table[i]->summary);
        fprintf(file, "complete -c embedcache -n __embedcache_explains -f -a %s\n", name);
    }
    generate_each_option(file, write_option);
}

static void write_option(FILE *file, const struct command *command, const struct option *option)
{
    fprintf(file, "complete -c embedcache -n '__embedcache_runs %s'", command->name);
    if (option->letter != 0)
        fprintf(file, " -s %c", option->letter);
    if (option->name[1] != '\0')
        fprintf(file, " -l %s", option->name);
    if (generate_takes_value(option))
        write_value(file, option);
    write_help(file, option->help);
}

static void write_value(FILE *file, const struct option *option)
{
    char word[64];
    if (option->kind == OPTION_FILE) {
        fputs(" -r -F", file);
    } else if (generate_takes_space(option)) {
        fputs(" -x -a '(__embedcache_spaces)'", file);
    } else if (option->kind != OPTION_CHOICE) {
        fputs(" -x", file);
    } else {
        fputs(" -x -a '", file);
        for (size_t i = 0; option_word(option->argument, i, word, sizeof word); i++)
            fprintf(file, "%s%s", i > 0 ? " " : "", word);
        fputc('\'', file);
    }
}

static void write_help(FILE *file, const char *text)
{
    fputs(" -d '", file);
    generate_escaped(file, text, "'\\", "\\");
    fputs("'\n", file);
}
