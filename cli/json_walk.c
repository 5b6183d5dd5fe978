/* Walking over JSON text: every value is checked when it is stepped over, nothing is copied.
 * Answers of servers and lists on the command line are read through it; documents that are small
 * are jansson's work. */
#include "json_walk.h"

#include <string.h>

enum { DEPTH_MAX = 32 };

static const char *skip_value(const char *at, const char *end, int depth);
static const char *skip_items(const char *at, const char *end, int depth);
static const char *skip_name(const char *at, const char *end);
static const char *skip_string(const char *at, const char *end);
static const char *skip_word(const char *at, const char *end);
static size_t digits_length(const char *at, const char *end);
static int is_digit(char character);

int json_walk_document(const char *text, size_t bytes, struct json_span *value_out)
{
    const char *end = text + bytes;
    const char *first = json_skip_blank(text, end);
    const char *behind = skip_value(first, end, 0);
    if (behind == NULL || json_skip_blank(behind, end) != end)
        return 0;
    value_out->at = first;
    value_out->bytes = (size_t)(behind - first);
    return 1;
}

int json_walk_begin(struct json_items *items, struct json_span value, char bracket)
{
    memset(items, 0, sizeof *items);
    if (value.bytes == 0 || value.at[0] != bracket)
        return 0;
    items->at = value.at + 1;
    items->end = value.at + value.bytes;
    items->close = bracket == '{' ? '}' : ']';
    return 1;
}

/* The whole was checked by the first step over it: only the places are looked for. */
int json_walk_next(struct json_items *items, struct json_span *name_out,
                   struct json_span *value_out)
{
    const char *at = json_skip_blank(items->at, items->end);
    if (at == items->end || *at == items->close)
        return 0;
    if (items->is_begun)
        at = json_skip_blank(at + 1, items->end);
    items->is_begun = 1;
    if (items->close == '}') {
        const char *quote = skip_string(at, items->end);
        if (name_out != NULL && quote != NULL)
            *name_out = (struct json_span){at + 1, (size_t)(quote - at) - 2};
        at = skip_name(at, items->end);
    }
    const char *behind = at != NULL ? skip_value(at, items->end, 0) : NULL;
    if (behind == NULL)
        return 0;
    *value_out = (struct json_span){at, (size_t)(behind - at)};
    items->at = behind;
    return 1;
}

int json_span_is(struct json_span span, const char *word)
{
    return span.bytes == strlen(word) && memcmp(span.at, word, span.bytes) == 0;
}

size_t json_number_length(const char *at, const char *end)
{
    const char *first = at;
    if (at < end && *at == '-')
        at++;
    size_t whole = digits_length(at, end);
    int leads_with_zero = whole > 1 && *at == '0';
    if (whole == 0 || leads_with_zero)
        return 0;
    at += whole;
    if (at < end && *at == '.') {
        size_t fraction = digits_length(at + 1, end);
        if (fraction == 0)
            return 0;
        at += 1 + fraction;
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        const char *exponent = at + 1;
        if (exponent < end && (*exponent == '+' || *exponent == '-'))
            exponent++;
        size_t digits = digits_length(exponent, end);
        if (digits == 0)
            return 0;
        at = exponent + digits;
    }
    return (size_t)(at - first);
}

const char *json_skip_blank(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\r' || *at == '\n'))
        at++;
    return at;
}

/* All of these return where what they skip has ended, NULL when it is not what it should be. */
static const char *skip_value(const char *at, const char *end, int depth)
{
    if (at == end)
        return NULL;
    if (*at == '{' || *at == '[')
        return depth < DEPTH_MAX ? skip_items(at, end, depth) : NULL;
    if (*at == '"')
        return skip_string(at, end);
    size_t number = json_number_length(at, end);
    return number > 0 ? at + number : skip_word(at, end);
}

static const char *skip_items(const char *at, const char *end, int depth)
{
    int is_object = *at == '{';
    char close = is_object ? '}' : ']';
    at = json_skip_blank(at + 1, end);
    if (at < end && *at == close)
        return at + 1;
    for (;;) {
        at = is_object ? skip_name(at, end) : at;
        at = at != NULL ? skip_value(at, end, depth + 1) : NULL;
        at = at != NULL ? json_skip_blank(at, end) : NULL;
        if (at == NULL || at == end)
            return NULL;
        if (*at == close)
            return at + 1;
        if (*at != ',')
            return NULL;
        at = json_skip_blank(at + 1, end);
    }
}

/* A name and its colon, to where the value begins. */
static const char *skip_name(const char *at, const char *end)
{
    at = skip_string(at, end);
    at = at != NULL ? json_skip_blank(at, end) : NULL;
    if (at == NULL || at == end || *at != ':')
        return NULL;
    return json_skip_blank(at + 1, end);
}

static const char *skip_string(const char *at, const char *end)
{
    if (at == end || *at != '"')
        return NULL;
    for (at++; at < end && *at != '"'; at++) {
        if ((unsigned char)*at < 0x20)
            return NULL;
        at += *at == '\\';
    }
    return at < end ? at + 1 : NULL;
}

static const char *skip_word(const char *at, const char *end)
{
    static const char *const words[] = {"true", "false", "null"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t length = strlen(words[i]);
        if ((size_t)(end - at) >= length && memcmp(at, words[i], length) == 0)
            return at + length;
    }
    return NULL;
}

static size_t digits_length(const char *at, const char *end)
{
    const char *first = at;
    while (at < end && is_digit(*at))
        at++;
    return (size_t)(at - first);
}

static int is_digit(char character)
{
    return character >= '0' && character <= '9';
}
