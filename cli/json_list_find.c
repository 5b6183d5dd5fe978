/* A walk over the members of one object, for record_read.c. It must find a list of numbers fast and
 * may give up on everything else. */
#include "json_list_find.h"

#include <string.h>

struct cursor {
    const char *at;
    const char *end;
};

static int take(struct cursor *cursor, char wanted);
static int skip_string(struct cursor *cursor);
static int skip_value(struct cursor *cursor);
static int is_numbers(const char *at, const char *end);

int json_list_find(const char *line, size_t bytes, const char *name, size_t *at_out,
                   size_t *count_out)
{
    struct cursor cursor = {line, line + bytes};
    size_t name_bytes = strlen(name);
    if (!take(&cursor, '{'))
        return 0;
    do {
        if (!take(&cursor, '"'))
            return 0;
        const char *member = cursor.at;
        if (!skip_string(&cursor))
            return 0;
        size_t member_bytes = (size_t)(cursor.at - member) - 1;
        int is_wanted = member_bytes == name_bytes && memcmp(member, name, name_bytes) == 0;
        if (!take(&cursor, ':'))
            return 0;
        if (is_wanted && take(&cursor, '[')) {
            const char *list = cursor.at - 1;
            const char *close = memchr(list, ']', (size_t)(cursor.end - list));
            if (close == NULL || !is_numbers(list + 1, close))
                return 0;
            *at_out = (size_t)(list - line);
            *count_out = (size_t)(close - list) + 1;
            return 1;
        }
        if (!skip_value(&cursor))
            return 0;
    } while (take(&cursor, ','));
    return 0;
}

/* The next character that is no blank, where it is the wanted one. */
static int take(struct cursor *cursor, char wanted)
{
    while (cursor->at < cursor->end && (*cursor->at == ' ' || *cursor->at == '\t'))
        cursor->at++;
    if (cursor->at == cursor->end || *cursor->at != wanted)
        return 0;
    cursor->at++;
    return 1;
}

/* From behind the opening quote to behind the closing one. */
static int skip_string(struct cursor *cursor)
{
    while (cursor->at < cursor->end) {
        char letter = *cursor->at++;
        if (letter == '"')
            return 1;
        if (letter == '\\' && cursor->at < cursor->end)
            cursor->at++;
    }
    return 0;
}

/* To the ',' or '}' behind a value of any kind. */
static int skip_value(struct cursor *cursor)
{
    size_t depth = 0;
    while (cursor->at < cursor->end) {
        char letter = *cursor->at;
        if (depth == 0 && (letter == ',' || letter == '}'))
            return 1;
        cursor->at++;
        if (letter == '"' && !skip_string(cursor))
            return 0;
        depth += letter == '[' || letter == '{';
        if (letter != ']' && letter != '}')
            continue;
        if (depth == 0)
            return 0;
        depth--;
    }
    return 0;
}

/* Words such as null, NaN and "0.5" are left to the reader of the list to name, so letters are
 * numbers here; what has a structure of its own is not. */
static int is_numbers(const char *at, const char *end)
{
    for (; at < end; at++) {
        if (*at == '[' || *at == '{' || *at == '"')
            return 0;
    }
    return 1;
}
