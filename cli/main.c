/* The command `embedcache`: finds the command by name, lets the options be read, runs it, and makes
 * sure that what was printed arrived. What a command does is in its own file. */
#include <embedcache.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "help_print.h"
#include "report_error.h"

static int run_command(const struct command *command, int count, char **words);
static int answer_word(int count, char **words);
static int show_help(int count, char **words);
static int refuse_command(const char *name);
static void print_start(void);
static void hear_library(void *arg, edb_log_level level, const char *message);
static int finish_output(int code);

int main(int argc, char **argv)
{
    /* A file size limit shall be an error that is reported, not a death. */
    signal(SIGXFSZ, SIG_IGN);
    edb_set_log(hear_library, NULL);
    if (argc < 2) {
        print_start();
        return finish_output(CODE_OK);
    }
    const struct command *command = command_find(argv[1]);
    if (command != NULL)
        return finish_output(run_command(command, argc - 2, argv + 2));
    return finish_output(answer_word(argc - 1, argv + 1));
}

static int run_command(const struct command *command, int count, char **words)
{
    struct arguments arguments;
    int code = options_parse(command, count, words, &arguments);
    if (code != CODE_OK)
        return code;
    if (option_given(&arguments, "help")) {
        help_print_command(stdout, command);
        return CODE_OK;
    }
    report_quietly(option_given(&arguments, "quiet"));
    report_verbosely(option_given(&arguments, "verbose"));
    return command->run(&arguments);
}

/* What is no command: help, the version, or a slip. */
static int answer_word(int count, char **words)
{
    const char *word = words[0];
    if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0 || strcmp(word, "version") == 0) {
        printf("embedcache %s\n", edb_version());
        return CODE_OK;
    }
    if (strcmp(word, "help") == 0 || strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
        return show_help(count - 1, words + 1);
    return refuse_command(word);
}

static int show_help(int count, char **words)
{
    if (count == 0) {
        help_print_overview(stdout);
        return CODE_OK;
    }
    const struct command *command = command_find(words[0]);
    if (command == NULL)
        return refuse_command(words[0]);
    help_print_command(stdout, command);
    return CODE_OK;
}

static int refuse_command(const char *name)
{
    if (name[0] == '-')
        return report_error(CODE_USAGE,
                            "%s: a command comes first: embedcache COMMAND FILE [options]", name);
    size_t length = strlen(name);
    if (length > 4 && strcmp(name + length - 4, ".edb") == 0)
        return report_error(CODE_USAGE, "%s: the command comes before the file: embedcache info %s",
                            name, name);
    const char *meant = command_meant(name);
    if (meant != NULL)
        return report_error(CODE_USAGE, "unknown command \"%s\": did you mean %s?", name, meant);
    return report_error(CODE_USAGE, "unknown command \"%s\": embedcache help lists them", name);
}

static void print_start(void)
{
    printf("EmbedCache %s: never compute the same embedding twice.\n", edb_version());
    puts("  embedcache embed notes.edb --input notes.txt      embed each line once and keep it");
    puts("  embedcache search notes.edb --text \"a question\"   find the nearest lines");
    puts("  embedcache import vectors.edb vectors.npy         keep the rows of a NumPy array");
    puts("  embedcache help                                   all commands");
}

static void hear_library(void *arg, edb_log_level level, const char *message)
{
    (void)arg;
    if (level == EDB_LOG_WARNING)
        report_note("note: %s", message);
    else
        report_detail("log: %s", message);
}

/* A reader that went away (head, a pager) is no error worth a word; a full disk behind stdout
 * is. */
static int finish_output(int code)
{
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    if (errno == EPIPE)
        return code != CODE_OK ? code : CODE_IO;
    return report_error(CODE_IO, "cannot write standard output%s%s", errno != 0 ? ": " : "",
                        errno != 0 ? strerror(errno) : "");
}
