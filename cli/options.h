/* Commands and their options as tables. One table feeds parsing, help, the manual pages and the
 * completions of shells (cli/generate_*.c): texts flow, kinds say what a value is, examples stand
 * apart. A command reads its options by name; asking for one that its
 * table does not have is a bug and asserts. */
#ifndef EMBEDCACHE_CLI_OPTIONS_H
#define EMBEDCACHE_CLI_OPTIONS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum option_kind {
    OPTION_FLAG,
    OPTION_TEXT,
    OPTION_FILE,  /* a path, or "-" where help says so */
    OPTION_COUNT, /* a whole number from `low` to `high` */
    OPTION_SIZE,  /* bytes: a whole number, with K, M or G behind it if one likes */
    OPTION_TIME,  /* seconds: a whole number, with m, h or d behind it if one likes */
    OPTION_REAL,
    OPTION_CHOICE /* one of the words of `argument`, separated by '|' */
};

struct option {
    const char *name; /* without the dashes; NULL ends a table */
    char letter;      /* short form, or 0 */
    enum option_kind kind;
    const char *argument; /* as help shows it; NULL for a flag */
    const char *help;     /* flowing text */
    uint64_t low;
    uint64_t high;
    int needed;        /* the command refuses to run without it */
    const char *alone; /* its value where none follows; NULL: one has to follow */
};

/* In the order of edb_metric, edb_role and edb_key_form. */
#define METRIC_WORDS "cosine|dot|l2"
#define ROLE_WORDS "none|query|document"
#define KEY_FORM_WORDS "bytes|blake2b|sha256"

/* Rows of a table. (clang-format takes their braces for blocks.) */
/* clang-format off */
#define ROW(name, letter, kind, argument, help) {name, letter, kind, argument, help, 0, 0, 0, NULL}
#define FLAG_ROW(name, letter, help) ROW(name, letter, OPTION_FLAG, NULL, help)
#define TEXT_ROW(name, argument, help) ROW(name, 0, OPTION_TEXT, argument, help)
#define FILE_ROW(name, help) ROW(name, 0, OPTION_FILE, "FILE", help)
#define REAL_ROW(name, argument, help) ROW(name, 0, OPTION_REAL, argument, help)
#define SIZE_ROW(name, help) ROW(name, 0, OPTION_SIZE, "SIZE", help)
#define TIME_ROW(name, help) ROW(name, 0, OPTION_TIME, "TIME", help)
#define CHOICE_ROW(name, words, help) ROW(name, 0, OPTION_CHOICE, words, help)
#define COUNT_ROW(name, letter, help, low, high) \
    {name, letter, OPTION_COUNT, "N", help, low, high, 0, NULL}
#define NEEDED_FILE_ROW(name, argument, help) {name, 0, OPTION_FILE, argument, help, 0, 0, 1, NULL}
#define NEEDED_COUNT_ROW(name, letter, help, low, high) \
    {name, letter, OPTION_COUNT, "N", help, low, high, 1, NULL}
/* Its value may be left away: it is `alone` then. */
#define REAL_ROW_OR(name, argument, help, alone) \
    {name, 0, OPTION_REAL, argument, help, 0, 0, 0, alone}

/* Rows that several tables share. */
#define OPTION_SPACE TEXT_ROW("space", "NAME", "the space to use (\"default\" when not given)")
/* For how long records are kept that a command stores. */
#define OPTIONS_TERMS \
    TIME_ROW("ttl", "records expire so long from now, such as 30d; 0 = never (as limits say)"), \
    FLAG_ROW("pin", 0, "records are never evicted")
#define OPTION_JSON FLAG_ROW("json", 0, "JSON for scripts")
/* What a space is, where a command may create one; space_wish_take reads them. */
#define OPTIONS_SPACE_SPEC \
    TEXT_ROW("model", "NAME", "the model that made the vectors"), \
    OPTIONS_SPACE_REST
/* The same beside a model that is there already. */
#define OPTIONS_SPACE_REST \
    TEXT_ROW("revision", "NAME", "its revision"), \
    CHOICE_ROW("metric", METRIC_WORDS, "how nearness is measured (cosine)"), \
    CHOICE_ROW("role", ROLE_WORDS, "which side of a search they are (none)"), \
    CHOICE_ROW("key-form", KEY_FORM_WORDS, "keys as they are, or a digest (bytes)")
/* Ends every table. */
#define OPTIONS_COMMON \
    FLAG_ROW("quiet", 'q', "no summary, notes or progress"), \
    FLAG_ROW("verbose", 'v', "tell on stderr what is done, by the library too"), \
    FLAG_ROW("help", 'h', "this text"), \
    ROW(NULL, 0, OPTION_FLAG, NULL, NULL)
/* clang-format on */

struct arguments;

struct command {
    const char *name;
    const char *operands;    /* as help shows them; needed options follow by themselves */
    const char *surplus;     /* where a word belongs that is one operand too many; NULL = nowhere */
    const char *summary;     /* one line */
    const char *description; /* flowing text, an empty line between paragraphs; NULL = none */
    const char *examples;    /* one a line */
    const struct option *options;
    size_t operands_min;
    size_t operands_max;
    int (*run)(const struct arguments *arguments);
};

enum { OPTIONS_MAX = 32 };

struct arguments {
    const struct command *command;
    const char *values[OPTIONS_MAX]; /* beside command->options; NULL = not given */
    char **operands;
    size_t operand_count;
};

/* Reads the `count` words after the command's name; operands and options may mix, "--" ends the
 * options. Reorders `words`. Returns CODE_OK or, having said what is wrong, CODE_USAGE. */
int options_parse(const struct command *command, int count, char **words,
                  struct arguments *arguments_out);

int option_given(const struct arguments *arguments, const char *name);

/* Whether one of the options of the table from `first` to `last` is given. */
int option_given_between(const struct arguments *arguments, const char *first, const char *last);

/* NULL when not given. */
const char *option_text(const struct arguments *arguments, const char *name);

uint64_t option_count(const struct arguments *arguments, const char *name, uint64_t fallback);
uint64_t option_size(const struct arguments *arguments, const char *name, uint64_t fallback);
uint64_t option_time(const struct arguments *arguments, const char *name, uint64_t fallback);

/* The option "ttl" as edb_put_options has it: 0 when not given, EDB_TTL_NEVER for a 0. */
uint32_t option_ttl(const struct arguments *arguments);
double option_real(const struct arguments *arguments, const char *name, double fallback);

/* The position of the chosen word; `fallback` when not given. */
uint32_t option_choice(const struct arguments *arguments, const char *name, uint32_t fallback);

/* What stands before its name: an option of one letter is written with one dash. */
const char *option_dashes(const struct option *option);

/* The word number `index` of an option's '|' list into `out`; returns 0 past the last. */
int option_word(const char *list, size_t index, char *out, size_t out_bytes);

#endif
