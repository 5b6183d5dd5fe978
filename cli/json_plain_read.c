/* One walk over a line, for record_read.c: a tree of the line takes ten times as long. It knows
 * little and gives up on the rest. */
#include "json_plain_read.h"

#include <stdint.h>
#include <string.h>

#include "json_walk.h"

/* A whole number of that many digits is in the range of every reader. */
enum { DIGITS_MAX = 18, HEX_DIGITS = 4 };

/* What stands behind a backslash, and what it means. */
static const char escapes[] = "\"\\/bfnrt";
static const char meanings[] = "\"\\/\b\f\n\r\t";

static const char *read_member(struct json_plain *plain, const char *at, const char *end);
static const char *read_value(struct json_plain_member *member, const char *at, const char *end);
static const char *skip_string(const char *at, const char *end, int may_escape);
static size_t escape_length(const char *at, const char *end);
static const char *skip_object(const char *at, const char *end);
static const char *skip_word(struct json_plain_member *member, const char *at, const char *end);
static uint32_t hex_value(const char *at);
static size_t put_character(uint32_t point, char *out);

int json_plain_read(struct json_plain *plain_out, const char *line, size_t bytes)
{
    const char *end = line + bytes;
    const char *at = json_skip_blank(line, end);
    plain_out->count = 0;
    if (at == end || *at != '{')
        return 0;
    do
        at = read_member(plain_out, at + 1, end);
    while (at != NULL && *at == ',');
    return at != NULL && *at == '}' && json_skip_blank(at + 1, end) == end;
}

const struct json_plain_member *json_plain_find(const struct json_plain *plain, const char *name)
{
    size_t bytes = name != NULL ? strlen(name) : 0;
    for (size_t i = 0; name != NULL && i < plain->count; i++) {
        const struct json_plain_member *member = &plain->members[i];
        if (member->name_bytes == bytes && memcmp(member->name, name, bytes) == 0)
            return member;
    }
    return NULL;
}

size_t json_plain_unescape(char *text, size_t bytes)
{
    const char *end = text + bytes;
    const char *from = memchr(text, '\\', bytes);
    char *to = text + (from != NULL ? from - text : (ptrdiff_t)bytes);
    while (from != NULL && from < end) {
        if (*from != '\\') {
            *to++ = *from++;
        } else if (from[1] == 'u') {
            to += put_character(hex_value(from + 2), to);
            from += 2 + HEX_DIGITS;
        } else {
            *to++ = meanings[strchr(escapes, from[1]) - escapes];
            from += 2;
        }
    }
    return (size_t)(to - text);
}

/* From behind the brace or comma to the next one. NULL where it is not plain, as below. */
static const char *read_member(struct json_plain *plain, const char *at, const char *end)
{
    struct json_plain_member *member = &plain->members[plain->count];
    at = json_skip_blank(at, end);
    const char *behind = at < end && *at == '"' ? skip_string(at, end, 0) : NULL;
    if (behind == NULL || plain->count == JSON_PLAIN_MEMBERS_MAX)
        return NULL;
    member->name = at + 1;
    member->name_bytes = (size_t)(behind - at) - 2;
    for (const struct json_plain_member *other = plain->members; other < member; other++) {
        if (other->name_bytes == member->name_bytes &&
            memcmp(other->name, member->name, member->name_bytes) == 0)
            return NULL;
    }
    plain->count++;
    at = json_skip_blank(behind, end);
    if (at == end || *at != ':')
        return NULL;
    at = json_skip_blank(at + 1, end);
    at = at < end ? read_value(member, at, end) : NULL;
    at = at != NULL ? json_skip_blank(at, end) : NULL;
    return at == end ? NULL : at;
}

static const char *read_value(struct json_plain_member *member, const char *at, const char *end)
{
    const char *behind;
    if (*at == '"') {
        behind = skip_string(at, end, 1);
        member->kind = PLAIN_STRING;
        member->value = at + 1;
        member->value_bytes = behind != NULL ? (size_t)(behind - at) - 2 : 0;
        return behind;
    }
    if (*at == '{') {
        behind = skip_object(at, end);
        member->kind = PLAIN_OBJECT;
    } else {
        behind = skip_word(member, at, end);
    }
    member->value = at;
    member->value_bytes = behind != NULL ? (size_t)(behind - at) : 0;
    return behind;
}

/* From the opening quote to behind the closing one. */
static const char *skip_string(const char *at, const char *end, int may_escape)
{
    for (at++; at < end && *at != '"';) {
        if ((unsigned char)*at < 0x20)
            return NULL;
        size_t length = *at != '\\' ? 1 : may_escape ? escape_length(at, end) : 0;
        if (length == 0)
            return NULL;
        at += length;
    }
    return at < end ? at + 1 : NULL;
}

/* 0 for halves of a pair, too. */
static size_t escape_length(const char *at, const char *end)
{
    if (end - at < 2 || at[1] == '\0')
        return 0;
    if (strchr(escapes, at[1]) != NULL)
        return 2;
    if (at[1] != 'u' || end - at < 2 + HEX_DIGITS)
        return 0;
    for (int i = 2; i < 2 + HEX_DIGITS; i++) {
        if (at[i] == '\0' || strchr("0123456789abcdefABCDEF", at[i]) == NULL)
            return 0;
    }
    return hex_value(at + 2) >> 11 == 0xd800 >> 11 ? 0 : 2 + HEX_DIGITS;
}

/* To behind the brace that closes it. Whether what is between is JSON is not looked at: of valid
 * JSON it is the end, of other text a parser says the same as of the whole line. */
static const char *skip_object(const char *at, const char *end)
{
    size_t depth = 0;
    for (; at < end; at++) {
        if (*at == '"') {
            at = skip_string(at, end, 1);
            if (at == NULL)
                return NULL;
            at--;
        }
        depth += *at == '{';
        depth -= *at == '}';
        if (depth == 0)
            return at + 1;
    }
    return NULL;
}

static const char *skip_word(struct json_plain_member *member, const char *at, const char *end)
{
    static const char *const words[] = {"null", "true", "false"};
    size_t length = json_number_length(at, end);
    member->kind = PLAIN_WORD;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t bytes = strlen(words[i]);
        if ((size_t)(end - at) >= bytes && memcmp(at, words[i], bytes) == 0) {
            member->kind = i == 0 ? PLAIN_NULL : PLAIN_WORD;
            return at + bytes;
        }
    }
    int is_whole = length > 0 && length <= DIGITS_MAX && memchr(at, '.', length) == NULL &&
                   memchr(at, 'e', length) == NULL && memchr(at, 'E', length) == NULL;
    return is_whole ? at + length : NULL;
}

static uint32_t hex_value(const char *at)
{
    uint32_t value = 0;
    for (int i = 0; i < HEX_DIGITS; i++) {
        uint32_t digit = (unsigned char)at[i];
        value = value << 4 | (digit <= '9' ? digit - '0' : (digit | 0x20) - 'a' + 10);
    }
    return value;
}

/* As UTF-8. */
static size_t put_character(uint32_t point, char *out)
{
    if (point < 0x80) {
        out[0] = (char)point;
        return 1;
    }
    if (point < 0x800) {
        out[0] = (char)(0xc0 | point >> 6);
        out[1] = (char)(0x80 | (point & 0x3f));
        return 2;
    }
    out[0] = (char)(0xe0 | point >> 12);
    out[1] = (char)(0x80 | (point >> 6 & 0x3f));
    out[2] = (char)(0x80 | (point & 0x3f));
    return 3;
}
