/* embedcache_generate DIRECTORY SCRIPTS: writes manual pages to DIRECTORY/man and completions to
 * DIRECTORY/completion, the latter from the scripts of the same names in SCRIPTS, whose line
 * "@TABLES@" is filled in. Both directories have to be there. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "generate.h"

enum { NAME_BYTES = 128, PATH_BYTES = 4096, LINE_BYTES = 4096 };

static void write_pages(const char *directory);
static void write_completion(const char *directory, const char *scripts, const char *name,
                             void (*write_tables)(FILE *file));
static FILE *open_file(const char *directory, const char *name, const char *mode);
static void close_file(FILE *file, const char *name);
static void stop(const char *doing, const char *name);

int main(int argc, char **argv)
{
    if (argc != 3) {
        fputs("usage: embedcache_generate DIRECTORY SCRIPTS\n", stderr);
        return 2;
    }
    write_pages(argv[1]);
    write_completion(argv[1], argv[2], "embedcache.bash", generate_bash);
    write_completion(argv[1], argv[2], "_embedcache", generate_zsh);
    write_completion(argv[1], argv[2], "embedcache.fish", generate_fish);
    return 0;
}

void generate_each_option(FILE *file, void (*write)(FILE *file, const struct command *command,
                                                    const struct option *option))
{
    for (size_t i = 0; command_table[i] != NULL; i++) {
        const struct option *option = command_table[i]->options;
        for (; option->name != NULL; option++)
            write(file, command_table[i], option);
    }
}

int generate_takes_value(const struct option *option)
{
    return option->kind != OPTION_FLAG && option->alone == NULL;
}

int generate_takes_space(const struct option *option)
{
    return option->kind == OPTION_TEXT && strcmp(option->name, "space") == 0;
}

void generate_escaped(FILE *file, const char *text, const char *special, const char *escape)
{
    for (; *text != '\0'; text++) {
        if (strchr(special, *text) != NULL)
            fputs(escape, file);
        fputc(*text, file);
    }
}

static void write_pages(const char *directory)
{
    char name[NAME_BYTES];
    FILE *file = open_file(directory, "man/embedcache.1", "w");
    generate_overview(file);
    close_file(file, "man/embedcache.1");
    for (size_t i = 0; command_table[i] != NULL; i++) {
        snprintf(name, sizeof name, "man/embedcache-%s.1", command_table[i]->name);
        file = open_file(directory, name, "w");
        generate_page(file, command_table[i]);
        close_file(file, name);
    }
}

static void write_completion(const char *directory, const char *scripts, const char *name,
                             void (*write_tables)(FILE *file))
{
    char path[NAME_BYTES];
    char line[LINE_BYTES];
    snprintf(path, sizeof path, "completion/%s", name);
    FILE *script = open_file(scripts, name, "r");
    FILE *file = open_file(directory, path, "w");
    while (fgets(line, sizeof line, script) != NULL) {
        if (strcmp(line, "@TABLES@\n") == 0)
            write_tables(file);
        else
            fputs(line, file);
    }
    fclose(script);
    close_file(file, path);
}

static FILE *open_file(const char *directory, const char *name, const char *mode)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, mode);
    if (file == NULL)
        stop("open", path);
    return file;
}

static void close_file(FILE *file, const char *name)
{
    if (ferror(file) | fclose(file))
        stop("write", name);
}

static void stop(const char *doing, const char *name)
{
    fprintf(stderr, "embedcache_generate: cannot %s %s: %s\n", doing, name, strerror(errno));
    exit(1);
}
