/* A walk over the text of a JSON value up to a place in it: knows strings, brackets, commas and
 * nothing else, so that it stands wherever a real parser stopped. */
#include "codec/codec_json_place.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum {
    LEVELS_MAX = 64,   /* deeper levels are counted, not remembered */
    KEY_SHOWN_MAX = 40 /* bytes of a key */
};

/* An open object or array. */
struct level {
    bool is_object;
    size_t index;  /* array: items before this one */
    size_t key_at; /* object: the key of this member, without its quotes */
    size_t key_bytes;
    bool has_key;
};

struct walk {
    struct level levels[LEVELS_MAX];
    size_t depth;
    size_t depth_seen; /* the greatest */
};

static size_t step(struct walk *walk, const char *json, size_t at, size_t end);
static void describe_path(const struct walk *walk, const char *json, char *place, size_t used);

void codec_json_place(const char *json, size_t position, char place_out[CODEC_JSON_PLACE_BYTES])
{
    struct walk walk = {.depth = 0};
    for (size_t at = 0; at < position;)
        at = step(&walk, json, at, position);

    size_t line = 1;
    size_t column = 0;
    for (size_t at = 0; at < position; at++) {
        if (json[at] == '\n') {
            line++;
            column = 0;
        } else if (((uint8_t)json[at] & 0xc0) != 0x80) {
            column++;
        }
    }
    int used = snprintf(place_out, CODEC_JSON_PLACE_BYTES, "line %zu, column %zu", line,
                        column > 0 ? column : 1);
    describe_path(&walk, json, place_out, (size_t)used);
}

size_t codec_json_too_deep(const char *json, size_t bytes, size_t depth_max)
{
    struct walk walk = {.depth = 0};
    for (size_t at = 0; at < bytes;) {
        size_t next = step(&walk, json, at, bytes);
        if (walk.depth_seen > depth_max)
            return at;
        at = next;
    }
    return bytes;
}

/* The open object or array that the walk is in; NULL at the top and where none is remembered. */
static struct level *innermost(struct walk *walk)
{
    return walk->depth == 0 || walk->depth > LEVELS_MAX ? NULL : &walk->levels[walk->depth - 1];
}

/* The offset behind the string whose first quote is at `at`; `end` if it does not end before. */
static size_t skip_string(const char *json, size_t at, size_t end, bool *closed_out)
{
    *closed_out = false;
    for (at++; at < end; at++) {
        if (json[at] == '\\') {
            at++;
        } else if (json[at] == '"') {
            *closed_out = true;
            return at + 1;
        }
    }
    return end;
}

static size_t take_string(struct walk *walk, const char *json, size_t at, size_t end)
{
    bool closed;
    size_t next = skip_string(json, at, end, &closed);
    struct level *level = innermost(walk);
    if (closed && level != NULL && level->is_object && !level->has_key) {
        level->has_key = true;
        level->key_at = at + 1;
        level->key_bytes = next - at - 2;
    }
    return next;
}

static void open_level(struct walk *walk, bool is_object)
{
    walk->depth++;
    if (walk->depth > walk->depth_seen)
        walk->depth_seen = walk->depth;
    struct level *level = innermost(walk);
    if (level != NULL)
        *level = (struct level){.is_object = is_object};
}

/* Takes the token at `at` and returns the offset of the next. */
static size_t step(struct walk *walk, const char *json, size_t at, size_t end)
{
    struct level *level = innermost(walk);
    switch (json[at]) {
    case '"':
        return take_string(walk, json, at, end);
    case '{':
    case '[':
        open_level(walk, json[at] == '{');
        break;
    case '}':
    case ']':
        walk->depth -= walk->depth > 0;
        break;
    case ',':
        if (level != NULL) {
            level->index++;
            level->has_key = false;
        }
        break;
    default:
        break;
    }
    return at + 1;
}

/* Appends to the place, silently cut at its end. */
__attribute__((format(printf, 3, 4))) static void add(char *place, size_t *used, const char *format,
                                                      ...)
{
    va_list args;
    va_start(args, format);
    int added = vsnprintf(place + *used, CODEC_JSON_PLACE_BYTES - *used, format, args);
    va_end(args);
    *used += added > 0 ? (size_t)added : 0;
    if (*used >= CODEC_JSON_PLACE_BYTES)
        *used = CODEC_JSON_PLACE_BYTES - 1;
}

static void add_key(char *place, size_t *used, const char *key, size_t bytes)
{
    size_t shown = bytes;
    if (shown > KEY_SHOWN_MAX)
        for (shown = KEY_SHOWN_MAX; shown > 0 && ((uint8_t)key[shown] & 0xc0) == 0x80;)
            shown--;
    add(place, used, "%.*s%s", (int)shown, key, shown < bytes ? "..." : "");
}

static void describe_path(const struct walk *walk, const char *json, char *place, size_t used)
{
    size_t room = CODEC_JSON_PLACE_BYTES - KEY_SHOWN_MAX - 40;
    size_t levels = walk->depth < LEVELS_MAX ? walk->depth : LEVELS_MAX;
    bool begun = false;
    for (size_t i = 0; i < levels; i++) {
        const struct level *level = &walk->levels[i];
        if (level->is_object && !level->has_key)
            break;
        if (!begun)
            add(place, &used, " (field ");
        if (used > room) {
            add(place, &used, "...");
            break;
        }
        if (level->is_object) {
            add(place, &used, "%s", begun ? "." : "");
            add_key(place, &used, json + level->key_at, level->key_bytes);
        } else {
            add(place, &used, "[%zu]", level->index);
        }
        begun = true;
    }
    if (begun)
        add(place, &used, ")");
}
