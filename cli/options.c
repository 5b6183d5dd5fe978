/* Parsing of the command line by the command's own table. Knows nothing of what commands do. */
#include "options.h"

#include <assert.h>
#include <ctype.h>
#include <embedcache.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report_error.h"
#include "spelling_suggest.h"

enum { WORD_BYTES = 64, DIGITS_MAX = 24 };

/* The words that are still to be read. */
struct words {
    char **next;
    char **end;
};

static int take_option(struct arguments *arguments, const char *word, struct words *words);
static int take_letters(struct arguments *arguments, const char *word, struct words *words);
static int take_value(struct arguments *arguments, size_t index, const char *attached,
                      struct words *words);
static int check_value(const struct command *command, const struct option *option,
                       const char *value);
static int check_number(const struct option *option, const char *value);
static int is_number(const char *text);
static int is_option(const struct command *command, const char *word);
static int check_operands(const struct arguments *arguments);
static int check_needed(const struct arguments *arguments);
static int refuse_unknown(const struct command *command, const char *name, size_t length);
static size_t find_option(const struct command *command, const char *name, size_t length);
static size_t index_of(const struct arguments *arguments, const char *name);
static uint64_t parsed_or(const struct arguments *arguments, const char *name,
                          int (*parse)(const char *text, uint64_t *number_out), uint64_t fallback);
static int parse_count(const char *text, uint64_t *count_out);
static int parse_size(const char *text, uint64_t *bytes_out);
static int parse_time(const char *text, uint64_t *seconds_out);

int options_parse(const struct command *command, int count, char **words,
                  struct arguments *arguments_out)
{
    memset(arguments_out, 0, sizeof *arguments_out);
    arguments_out->command = command;
    arguments_out->operands = words;
    struct words left = {words, words + count};
    int options_ended = 0;
    while (left.next < left.end) {
        char *word = *left.next++;
        int code = CODE_OK;
        if (options_ended || word[0] != '-' || word[1] == '\0')
            arguments_out->operands[arguments_out->operand_count++] = word;
        else if (strcmp(word, "--") == 0)
            options_ended = 1;
        else if (word[1] == '-')
            code = take_option(arguments_out, word + 2, &left);
        else
            code = take_letters(arguments_out, word + 1, &left);
        if (code != CODE_OK)
            return code;
    }
    if (option_given(arguments_out, "help"))
        return CODE_OK;
    int code = check_operands(arguments_out);
    return code == CODE_OK ? check_needed(arguments_out) : code;
}

int option_given(const struct arguments *arguments, const char *name)
{
    return arguments->values[index_of(arguments, name)] != NULL;
}

int option_given_between(const struct arguments *arguments, const char *first, const char *last)
{
    size_t end = index_of(arguments, last);
    for (size_t i = index_of(arguments, first); i <= end; i++)
        if (arguments->values[i] != NULL)
            return 1;
    return 0;
}

const char *option_text(const struct arguments *arguments, const char *name)
{
    return arguments->values[index_of(arguments, name)];
}

uint64_t option_count(const struct arguments *arguments, const char *name, uint64_t fallback)
{
    return parsed_or(arguments, name, parse_count, fallback);
}

uint64_t option_size(const struct arguments *arguments, const char *name, uint64_t fallback)
{
    return parsed_or(arguments, name, parse_size, fallback);
}

uint64_t option_time(const struct arguments *arguments, const char *name, uint64_t fallback)
{
    return parsed_or(arguments, name, parse_time, fallback);
}

uint32_t option_ttl(const struct arguments *arguments)
{
    uint32_t seconds = (uint32_t)option_time(arguments, "ttl", 0);
    return seconds == 0 && option_given(arguments, "ttl") ? EDB_TTL_NEVER : seconds;
}

double option_real(const struct arguments *arguments, const char *name, double fallback)
{
    const char *value = option_text(arguments, name);
    return value == NULL ? fallback : strtod(value, NULL);
}

uint32_t option_choice(const struct arguments *arguments, const char *name, uint32_t fallback)
{
    size_t index = index_of(arguments, name);
    const char *value = arguments->values[index];
    if (value == NULL)
        return fallback;
    char word[WORD_BYTES];
    uint32_t choice = 0;
    while (option_word(arguments->command->options[index].argument, choice, word, sizeof word)) {
        if (strcmp(word, value) == 0)
            return choice;
        choice++;
    }
    return fallback;
}

const char *option_dashes(const struct option *option)
{
    return option->name[1] == '\0' ? "-" : "--";
}

int option_word(const char *list, size_t index, char *out, size_t out_bytes)
{
    while (index > 0 && list != NULL) {
        list = strchr(list, '|');
        list = list == NULL ? NULL : list + 1;
        index--;
    }
    if (list == NULL)
        return 0;
    size_t length = strcspn(list, "|");
    snprintf(out, out_bytes, "%.*s", (int)length, list);
    return 1;
}

/* "name", "name=value" or "name" and the next word. */
static int take_option(struct arguments *arguments, const char *word, struct words *words)
{
    size_t length = strcspn(word, "=");
    size_t index = find_option(arguments->command, word, length);
    if (index == OPTIONS_MAX)
        return refuse_unknown(arguments->command, word, length);
    return take_value(arguments, index, word[length] == '=' ? word + length + 1 : NULL, words);
}

/* "-q", "-k 5", "-k5"; flags may be joined. */
static int take_letters(struct arguments *arguments, const char *word, struct words *words)
{
    const struct option *options = arguments->command->options;
    for (; *word != '\0'; word++) {
        size_t index = 0;
        while (options[index].name != NULL && options[index].letter != *word)
            index++;
        if (options[index].name == NULL)
            return report_error(CODE_USAGE, "unknown option -%c: see embedcache %s --help", *word,
                                arguments->command->name);
        if (options[index].kind != OPTION_FLAG)
            return take_value(arguments, index, word[1] == '\0' ? NULL : word + 1, words);
        arguments->values[index] = "";
    }
    return CODE_OK;
}

static int take_value(struct arguments *arguments, size_t index, const char *attached,
                      struct words *words)
{
    const struct command *command = arguments->command;
    const struct option *option = &command->options[index];
    if (option->kind == OPTION_FLAG) {
        if (attached != NULL)
            return report_error(CODE_USAGE, "--%s takes no value: write --%s alone", option->name,
                                option->name);
        arguments->values[index] = "";
        return CODE_OK;
    }
    const char *value = attached;
    const char *next = words->next < words->end ? *words->next : NULL;
    if (value == NULL && option->alone != NULL && (next == NULL || !is_number(next)))
        value = option->alone;
    else if (value == NULL && next != NULL && !is_option(command, next))
        value = *words->next++;
    if (value == NULL)
        return report_error(CODE_USAGE, "%s%s needs a value: %s%s %s", option_dashes(option),
                            option->name, option_dashes(option), option->name, option->argument);
    arguments->values[index] = value;
    return check_value(command, option, value);
}

static int check_value(const struct command *command, const struct option *option,
                       const char *value)
{
    if (option->kind == OPTION_COUNT) {
        uint64_t count;
        if (!parse_count(value, &count) || count < option->low || count > option->high)
            return report_error(
                CODE_USAGE, "%s%s %s: give a whole number from %" PRIu64 " to %" PRIu64,
                option_dashes(option), option->name, value, option->low, option->high);
    } else if (option->kind == OPTION_SIZE) {
        uint64_t bytes;
        if (!parse_size(value, &bytes))
            return report_error(CODE_USAGE,
                                "--%s %s: give a number of bytes, or of KiB, MiB or GiB: 512K, "
                                "50M, 2G",
                                option->name, value);
    } else if (option->kind == OPTION_TIME) {
        uint64_t seconds;
        if (!parse_time(value, &seconds))
            return report_error(CODE_USAGE,
                                "--%s %s: give a number of seconds, or of minutes, hours or days, "
                                "up to 49710d: 90, 15m, 12h, 30d",
                                option->name, value);
    } else if (option->kind == OPTION_REAL) {
        return check_number(option, value);
    } else if (option->kind == OPTION_CHOICE) {
        char word[WORD_BYTES];
        for (size_t i = 0; option_word(option->argument, i, word, sizeof word); i++) {
            if (strcmp(word, value) == 0)
                return CODE_OK;
        }
        return report_error(CODE_USAGE, "--%s %s: choose one of %s (embedcache %s --help)",
                            option->name, value, option->argument, command->name);
    }
    return CODE_OK;
}

static int check_number(const struct option *option, const char *value)
{
    if (is_number(value))
        return CODE_OK;
    return report_error(CODE_USAGE, "--%s %s: give a number such as 0.8", option->name, value);
}

static int is_number(const char *text)
{
    char *end;
    double number = strtod(text, &end);
    return end != text && *end == '\0' && isfinite(number);
}

static int is_option(const struct command *command, const char *word)
{
    return strncmp(word, "--", 2) == 0 &&
           find_option(command, word + 2, strlen(word + 2)) != OPTIONS_MAX;
}

static int check_operands(const struct arguments *arguments)
{
    const struct command *command = arguments->command;
    if (arguments->operand_count < command->operands_min)
        return report_error(CODE_USAGE, "%s needs %s: see embedcache %s --help", command->name,
                            command->operands, command->name);
    if (arguments->operand_count > 0 && arguments->operands[0][0] == '\0')
        return report_error(CODE_USAGE, "the name of the file is empty: give it as the first "
                                        "operand, like cache.edb");
    if (arguments->operand_count <= command->operands_max)
        return CODE_OK;
    const char *surplus = arguments->operands[command->operands_max];
    if (command->surplus != NULL)
        return report_error(CODE_USAGE, "%s takes %s, \"%s\" is too much: %s", command->name,
                            command->operands, surplus, command->surplus);
    return report_error(CODE_USAGE, "%s takes %s, \"%s\" is too much: see embedcache %s --help",
                        command->name, command->operands, surplus, command->name);
}

static int check_needed(const struct arguments *arguments)
{
    const struct command *command = arguments->command;
    for (const struct option *option = command->options; option->name != NULL; option++) {
        if (option->needed && !option_given(arguments, option->name))
            return report_error(CODE_USAGE, "%s needs --%s %s (%s): see embedcache %s --help",
                                command->name, option->name, option->argument, option->help,
                                command->name);
    }
    return CODE_OK;
}

static int refuse_unknown(const struct command *command, const char *name, size_t length)
{
    char word[WORD_BYTES];
    snprintf(word, sizeof word, "%.*s", (int)length, name);
    const char *nearest = NULL;
    size_t fewest = SLIPS_MANY;
    for (const struct option *option = command->options; option->name != NULL; option++) {
        size_t slips = spelling_slips(word, option->name);
        nearest = slips < fewest ? option->name : nearest;
        fewest = slips < fewest ? slips : fewest;
    }
    if (nearest != NULL)
        return report_error(CODE_USAGE, "unknown option --%s: did you mean --%s?", word, nearest);
    return report_error(CODE_USAGE, "unknown option --%s: see embedcache %s --help", word,
                        command->name);
}

static size_t find_option(const struct command *command, const char *name, size_t length)
{
    for (size_t i = 0; command->options[i].name != NULL; i++) {
        assert(i < OPTIONS_MAX);
        if (strlen(command->options[i].name) == length &&
            memcmp(command->options[i].name, name, length) == 0)
            return i;
    }
    return OPTIONS_MAX;
}

static size_t index_of(const struct arguments *arguments, const char *name)
{
    size_t index = find_option(arguments->command, name, strlen(name));
    assert(index != OPTIONS_MAX);
    return index;
}

/* The option as a number. It was checked when it was taken. */
static uint64_t parsed_or(const struct arguments *arguments, const char *name,
                          int (*parse)(const char *text, uint64_t *number_out), uint64_t fallback)
{
    const char *value = option_text(arguments, name);
    uint64_t number = fallback;
    if (value != NULL)
        parse(value, &number);
    return number;
}

/* Whether three digits follow a separator, and no fourth: in "1,0" it is a decimal point. */
static int parts_thousands(const char *separator)
{
    return strspn(separator + 1, "0123456789") == 3;
}

/* Digits only, with ',' or '_' between thousands if one likes. */
static int parse_count(const char *text, uint64_t *count_out)
{
    uint64_t count = 0;
    if (!isdigit((unsigned char)*text))
        return 0;
    for (; *text != '\0'; text++) {
        if ((*text == ',' || *text == '_') && parts_thousands(text))
            continue;
        uint64_t digit = (uint64_t)(unsigned char)*text - '0';
        if (digit > 9 || count > (UINT64_MAX - digit) / 10)
            return 0;
        count = count * 10 + digit;
    }
    *count_out = count;
    return 1;
}

/* Copies a number without the unit behind it, which is one of `units`; its place there, or -1. */
static int split_unit(const char *text, const char *units, int (*fold)(int), char *digits,
                      size_t bytes)
{
    size_t length = strlen(text);
    const char *unit = length > 0 ? strchr(units, fold((unsigned char)text[length - 1])) : NULL;
    length -= unit != NULL;
    snprintf(digits, bytes, "%.*s", length < bytes ? (int)length : 0, text);
    return unit == NULL ? -1 : (int)(unit - units);
}

/* Bytes, or K, M or G of them. */
static int parse_size(const char *text, uint64_t *bytes_out)
{
    char digits[DIGITS_MAX];
    unsigned shift = 10 * (unsigned)(split_unit(text, "KMG", toupper, digits, sizeof digits) + 1);
    if (!parse_count(digits, bytes_out) || *bytes_out > UINT64_MAX >> shift)
        return 0;
    *bytes_out <<= shift;
    return 1;
}

/* Seconds, or m, h or d of them. What the library takes for "never" is not among them. */
static int parse_time(const char *text, uint64_t *seconds_out)
{
    static const uint64_t factors[] = {1, 60, 60 * 60, 24 * 60 * 60};
    char digits[DIGITS_MAX];
    uint64_t factor = factors[split_unit(text, "mhd", tolower, digits, sizeof digits) + 1];
    if (!parse_count(digits, seconds_out) || *seconds_out > (UINT32_MAX - 1) / factor)
        return 0;
    *seconds_out *= factor;
    return 1;
}
