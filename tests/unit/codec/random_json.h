/* Random JSON values for the metadata tests: all types, awkward numbers, awkward strings. */
#ifndef EDB_TESTS_UNIT_CODEC_RANDOM_JSON_H
#define EDB_TESTS_UNIT_CODEC_RANDOM_JSON_H

#include <jansson.h>
#include <math.h>
#include <string.h>

#include "base/random.h"

static inline json_t *random_json_object(struct random_source *random, unsigned depth);

static inline size_t random_json_text(struct random_source *random, char text[64], int with_nul)
{
    static const char *const pieces[] = {"a",        "key", "\"",           "\\",
                                         "/",        "\n",  "\x1f",         "\x7f",
                                         "\xc3\xa4", "",    "\xe2\x82\xac", "\xf0\x9f\x8c\xb3"};
    size_t count = 0;
    for (uint64_t left = random_below(random, 12); left > 0; left--) {
        const char *piece = pieces[random_below(random, sizeof pieces / sizeof pieces[0])];
        size_t bytes = strlen(piece) + (with_nul && *piece == '\0');
        memcpy(text + count, piece, bytes);
        count += bytes;
    }
    text[count] = '\0';
    return count;
}

static inline json_t *random_json_number(struct random_source *random)
{
    if (random_below(random, 2) == 0)
        return json_real(round(1000.0 * random_unit(random)) / 100.0);
    double value;
    do {
        uint64_t bits = random_u64(random);
        memcpy(&value, &bits, sizeof value);
    } while (!isfinite(value));
    return json_real(value);
}

static inline json_t *random_json_value(struct random_source *random, unsigned depth)
{
    char text[64];
    size_t bytes;
    switch (random_below(random, depth > 0 ? 8 : 6)) {
    case 0:
        return json_null();
    case 1:
        return json_boolean(random_below(random, 2));
    case 2:
        return json_integer((json_int_t)random_u64(random) >> random_below(random, 64));
    case 3:
        return random_json_number(random);
    case 4:
    case 5:
        bytes = random_json_text(random, text, 1);
        return json_stringn(text, bytes);
    case 6:
        return random_json_object(random, depth - 1);
    default:
        break;
    }
    json_t *array = json_array();
    for (uint64_t left = random_below(random, 6); left > 0; left--)
        json_array_append_new(array, random_json_value(random, depth - 1));
    return array;
}

static inline json_t *random_json_object(struct random_source *random, unsigned depth)
{
    json_t *object = json_object();
    for (uint64_t left = random_below(random, 8); left > 0; left--) {
        char key[64];
        random_json_text(random, key, 0);
        json_object_set_new(object, key, random_json_value(random, depth));
    }
    return object;
}

#endif
