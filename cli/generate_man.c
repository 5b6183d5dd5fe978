/* Manual pages in the man macros, from the same tables as --help. What is in no table (environment,
 * files) stands here. */
#include <ctype.h>
#include <embedcache.h>
#include <string.h>

#include "commands.h"
#include "generate.h"
#include "report_error.h"

enum { FLOW_COLUMNS = 72 };

struct entry {
    const char *name;
    const char *meaning;
};

static const struct entry environment[] = {
    {"EMBEDCACHE_EMBEDDER", "The address of an embedding server, where --embedder names none."},
    {"EMBEDCACHE_API_KEY",
     "The key that is sent to the server of EMBEDCACHE_EMBEDDER or, where that "
     "is not set, of --embedder."},
    {"OPENAI_API_KEY", "The key that is sent to https://api.openai.com, and to nobody else."},
    {"http_proxy, https_proxy, all_proxy, no_proxy", "As for curl."},
    {"SSL_CERT_FILE", "The certificates of authorities that servers are checked against, in place "
                      "of the system's."},
    {"NO_COLOR", "Set to anything: no colours. Without it they are used on a terminal only."},
    {"TERM", "Absent or dumb: no colours and no progress bar."},
};

static const struct entry files[] = {
    {"NAME.edb", "The file of a cache: all of it. It may be copied while it is in use; to go back "
                 "to a copy, rename it over the file."},
    {".NAME.edb.*.tmp", "A file that is being created. One that was left behind by a process that "
                        "died is removed by the next creation."},
    {".OUT.*.tmp", "What export is writing, before it is whole. One that was left behind by a "
                   "process that was killed may be removed."},
};

static void write_title(FILE *file, const char *name);
static void write_codes(FILE *file);
static void write_statuses(FILE *file, int code);
static void write_option(FILE *file, const struct option *option);
static void write_argument(FILE *file, const struct option *option);
static void write_entries(FILE *file, const char *heading, const struct entry *entries,
                          size_t count);
static void write_examples(FILE *file, const char *examples);
static void write_others(FILE *file, const struct command *command);
static void write_flow(FILE *file, const char *text);
static size_t end_line(FILE *file);
static void write_word(FILE *file, const char *text, size_t length);
static void write_character(FILE *file, char letter, int is_literal);
static void write_literal(FILE *file, const char *text, size_t length);

void generate_overview(FILE *file)
{
    write_title(file, "embedcache");
    fputs(".SH NAME\nembedcache \\- keeps embeddings in one file, and finds the nearest\n"
          ".SH SYNOPSIS\n.B embedcache\n.I COMMAND FILE\n.RI [ options ]\n.br\n"
          ".B embedcache help\n.RI [ COMMAND ]\n.br\n.B embedcache \\-\\-version\n"
          ".SH DESCRIPTION\n",
          file);
    write_flow(file, "An embedding that was computed once is kept, with its text and metadata, in "
                     "one file; asking for it again costs microseconds, and what is kept can be "
                     "searched. Commits are durable: what a command has counted survives kill -9 "
                     "and power loss. Any number of processes may read while one writes.");
    fputs(".SH COMMANDS\n", file);
    for (size_t i = 0; command_table[i] != NULL; i++) {
        fprintf(file, ".TP\n.BR embedcache\\-%s (1)\n", command_table[i]->name);
        write_flow(file, command_table[i]->summary);
    }
    write_codes(file);
    write_entries(file, "ENVIRONMENT", environment, sizeof environment / sizeof environment[0]);
    write_entries(file, "FILES", files, sizeof files / sizeof files[0]);
    fputs(".SH EXAMPLES\n", file);
    for (size_t i = 0; command_table[i] != NULL; i++)
        write_examples(file, command_table[i]->examples);
    write_others(file, NULL);
}

void generate_page(FILE *file, const struct command *command)
{
    char name[64];
    snprintf(name, sizeof name, "embedcache-%s", command->name);
    write_title(file, name);
    fputs(".SH NAME\n", file);
    write_literal(file, name, strlen(name));
    fprintf(file, " \\-\n%c", tolower((unsigned char)command->summary[0]));
    write_flow(file, command->summary + 1);
    fprintf(file, ".SH SYNOPSIS\n.B embedcache %s\n", command->name);
    write_flow(file, command->operands);
    for (const struct option *option = command->options; option->name != NULL; option++) {
        if (option->needed)
            fprintf(file, ".B \\-\\-%s\n.I %s\n", option->name, option->argument);
    }
    fputs(".RI [ options ]\n.SH DESCRIPTION\n", file);
    write_flow(file, command->description != NULL ? command->description : command->summary);
    fputs(".SH OPTIONS\n", file);
    for (const struct option *option = command->options; option->name != NULL; option++)
        write_option(file, option);
    write_codes(file);
    fputs(".SH EXAMPLES\n", file);
    write_examples(file, command->examples);
    write_others(file, command);
}

/* Without a date: it would be that of the build, and no two builds would be the same. */
static void write_title(FILE *file, const char *name)
{
    fputs(".\\\" Made from the tables of the command.\n.TH ", file);
    for (; *name != '\0'; name++)
        fputc(toupper((unsigned char)*name), file);
    fprintf(file, " 1 \"\" \"EmbedCache %s\" \"EmbedCache\"\n", edb_version());
}

static void write_codes(FILE *file)
{
    fputs(".SH EXIT STATUS\n", file);
    for (size_t i = 0; exit_codes[i].meaning != NULL; i++) {
        fprintf(file, ".TP\n.B %d\n", exit_codes[i].code);
        write_flow(file, exit_codes[i].meaning);
        write_statuses(file, exit_codes[i].code);
    }
}

/* The statuses of the library that end so; EDB_CANCELLED is the last of them. */
static void write_statuses(FILE *file, int code)
{
    int written = 0;
    for (int status = EDB_NOT_FOUND; status >= EDB_CANCELLED; status--) {
        if (report_code((edb_status)status) == code)
            fprintf(file, "%s%s", written++ > 0 ? ", " : "(", edb_status_name((edb_status)status));
    }
    fputs(written > 0 ? ")\n" : "", file);
}

static void write_option(FILE *file, const struct option *option)
{
    const char *dashes = option_dashes(option);
    fputs(".TP\n", file);
    if (option->letter != 0 && dashes[1] != '\0')
        fprintf(file, "\\fB\\-%c\\fR, ", option->letter);
    fputs("\\fB", file);
    write_literal(file, dashes, strlen(dashes));
    write_literal(file, option->name, strlen(option->name));
    fputs("\\fR", file);
    if (option->argument != NULL)
        write_argument(file, option);
    fputc('\n', file);
    if (option->needed)
        fputs("Needed:\n", file);
    write_flow(file, option->help);
}

/* A word that stands for others is in italics, a word that is typed as it is in bold. */
static void write_argument(FILE *file, const struct option *option)
{
    const char *font = option->kind == OPTION_CHOICE ? "\\fB" : "\\fI";
    fprintf(file, option->alone != NULL ? " [%s" : " %s", font);
    for (const char *at = option->argument; *at != '\0'; at++) {
        if (*at == '|')
            fprintf(file, "\\fR|%s", font);
        else
            write_literal(file, at, 1);
    }
    fputs(option->alone != NULL ? "\\fR]" : "\\fR", file);
}

static void write_entries(FILE *file, const char *heading, const struct entry *entries,
                          size_t count)
{
    fprintf(file, ".SH %s\n", heading);
    for (size_t i = 0; i < count; i++) {
        fputs(".TP\n.B ", file);
        write_literal(file, entries[i].name, strlen(entries[i].name));
        fputc('\n', file);
        write_flow(file, entries[i].meaning);
    }
}

static void write_examples(FILE *file, const char *examples)
{
    fputs(".nf\n", file);
    while (*examples != '\0') {
        size_t length = strcspn(examples, "\n");
        write_literal(file, examples, length);
        fputc('\n', file);
        examples += length;
        examples += *examples == '\n';
    }
    fputs(".fi\n", file);
}

static void write_others(FILE *file, const struct command *command)
{
    const char *end = ",\n";
    fputs(".SH SEE ALSO\n", file);
    if (command != NULL)
        fputs(".BR embedcache (1),\n", file);
    for (size_t i = 0; command_table[i] != NULL; i++) {
        int is_last = command_table[i + 1] == NULL ||
                      (command_table[i + 1] == command && !command_table[i + 2]);
        if (command_table[i] != command)
            fprintf(file, ".BR embedcache\\-%s (1)%s", command_table[i]->name,
                    is_last ? "\n" : end);
    }
}

/* Flowing text: a sentence begins a line, an empty line is a paragraph. */
static void write_flow(FILE *file, const char *text)
{
    size_t at = 0;
    while (*text != '\0') {
        size_t length = strcspn(text, " \n");
        if (at > 0 && at + 1 + length > FLOW_COLUMNS)
            at = end_line(file);
        if (at > 0)
            fputc(' ', file);
        at += length + 1;
        write_word(file, text, length);
        text += length;
        int ends = strchr(".?!", text[-1]) != NULL || *text == '\0' || *text == '\n';
        if (ends)
            at = end_line(file);
        if (strncmp(text, "\n\n", 2) == 0)
            fputs(".PP\n", file);
        text += strspn(text, " \n");
    }
    if (at > 0)
        end_line(file);
}

/* Returns the column that follows. */
static size_t end_line(FILE *file)
{
    fputc('\n', file);
    return 0;
}

/* Dashes of an option are minus signs, those inside of a word are hyphens. A dot that may come to
 * begin a line is no request. */
static void write_word(FILE *file, const char *text, size_t length)
{
    size_t at = strspn(text, "(\"'[");
    int is_literal = text[at] == '-';
    fputs(text[0] == '.' ? "\\&" : "", file);
    for (size_t i = 0; i < length; i++)
        write_character(file, text[i], is_literal);
}

static void write_character(FILE *file, char letter, int is_literal)
{
    switch (letter) {
    case '\\':
        fputs("\\e", file);
        break;
    case '\'':
        fputs("\\(aq", file);
        break;
    case '`':
        fputs("\\(ga", file);
        break;
    case '^':
        fputs("\\(ha", file);
        break;
    case '~':
        fputs("\\(ti", file);
        break;
    case '-':
        fputs(is_literal ? "\\-" : "-", file);
        break;
    default:
        fputc(letter, file);
    }
}

/* What is typed as it stands. */
static void write_literal(FILE *file, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        write_character(file, text[i], 1);
}
