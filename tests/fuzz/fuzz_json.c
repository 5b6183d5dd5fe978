/* The command's own readers of JSON, each beside jansson. What jansson takes the walk takes, and
 * every value that it gives is jansson's; a line that the plain reader takes is that object; a list
 * that is found is that member; a list of numbers is, number by number, what strtof makes of it. */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "float_list.h"
#include "fuzz/target.h"
#include "json_list_find.h"
#include "json_plain_read.h"
#include "json_walk.h"

enum { LENIENT = JSON_DECODE_ANY | JSON_ALLOW_NUL, WALK_DEPTH = 32, NUMBERS_MAX = 4096 };

static int deeper(int depth, int other)
{
    return other > depth ? other : depth;
}

static int depth_of(const json_t *value)
{
    int inside = 0;
    size_t i;
    const char *name;
    json_t *item;
    if (json_is_array(value))
        json_array_foreach(value, i, item) inside = deeper(inside, depth_of(item));
    if (json_is_object(value))
        json_object_foreach((json_t *)(uintptr_t)value, name, item) inside =
            deeper(inside, depth_of(item));
    return inside + (json_is_array(value) || json_is_object(value));
}

/* ------------------------------------------------------------------------------------- the walk */

static void hold_same(struct json_span span, const json_t *wanted, const char *what)
{
    json_t *value = json_loadb(span.at, span.bytes, LENIENT, NULL);
    target_hold(wanted == NULL ? value != NULL : json_equal(value, wanted), "%s: %.*s", what,
                (int)span.bytes, span.at);
    json_decref(value);
}

/* Of an object with equal names the last one counts: the walk gives all of them. */
static void hold_items(struct json_span whole, const json_t *value)
{
    struct json_items items;
    struct json_span name;
    struct json_span item;
    size_t count = 0;
    bool is_object = json_is_object(value);
    if (!json_walk_begin(&items, whole, is_object ? '{' : '['))
        return;
    while (json_walk_next(&items, is_object ? &name : NULL, &item)) {
        const json_t *wanted = is_object ? NULL : json_array_get(value, count);
        hold_same(item, wanted, "an item of the walk");
        count++;
    }
    if (is_object)
        target_hold(count >= json_object_size(value), "%zu members are missing",
                    json_object_size(value) - count);
    else
        target_hold(count == json_array_size(value), "%zu of %zu items", count,
                    json_array_size(value));
}

static void try_walk(const char *text, size_t bytes, const json_t *value)
{
    struct json_span whole;
    int is_taken = json_walk_document(text, bytes, &whole);
    if (value == NULL)
        return;
    target_hold(is_taken == (depth_of(value) <= WALK_DEPTH), "the walk %s %.*s",
                is_taken ? "takes" : "refuses", (int)bytes, text);
    if (!is_taken)
        return;
    hold_same(whole, value, "the document");
    hold_items(whole, value);
}

/* ----------------------------------------------------------------------------- the plain reader */

static void hold_string(const struct json_plain_member *member, const json_t *wanted)
{
    char *text = (char *)target_exact((const uint8_t *)member->value, member->value_bytes);
    size_t bytes = json_plain_unescape(text, member->value_bytes);
    target_hold(json_string_length(wanted) == bytes &&
                    memcmp(json_string_value(wanted), text, bytes) == 0,
                "the string %.*s means something else", (int)member->value_bytes, member->value);
    free(text);
}

static void hold_member(const struct json_plain_member *member, const json_t *wanted)
{
    struct json_span span = {member->value, member->value_bytes};
    if (member->kind == PLAIN_STRING)
        hold_string(member, wanted);
    else if (member->kind == PLAIN_NULL)
        target_hold(json_is_null(wanted), "null that is none");
    else
        hold_same(span, wanted, "a member of a plain line");
}

/* Whether the objects in the line, which the plain reader leaves to others, are JSON. */
static bool objects_are_good(const struct json_plain *plain)
{
    bool good = true;
    for (size_t i = 0; i < plain->count; i++) {
        if (plain->members[i].kind != PLAIN_OBJECT)
            continue;
        json_t *object =
            json_loadb(plain->members[i].value, plain->members[i].value_bytes, LENIENT, NULL);
        good = good && object != NULL;
        json_decref(object);
    }
    return good;
}

static void try_plain(const char *line, size_t bytes, const json_t *value)
{
    struct json_plain plain;
    if (!json_plain_read(&plain, line, bytes) || utf8_first_bad(line, bytes) < bytes ||
        memchr(line, '\0', bytes) != NULL)
        return; /* no line has such bytes */
    if (!objects_are_good(&plain)) {
        target_hold(value == NULL, "an object that is none is in a good line");
        return;
    }
    target_hold(json_is_object(value), "a plain line that is no object");
    target_hold(json_object_size(value) == plain.count, "%zu members of %zu", plain.count,
                json_object_size(value));
    for (size_t i = 0; i < plain.count; i++) {
        char *name =
            (char *)target_exact((const uint8_t *)plain.members[i].name,
                                 plain.members[i].name_bytes + 1); /* a quote is behind it */
        name[plain.members[i].name_bytes] = '\0';
        hold_member(&plain.members[i], json_object_get(value, name));
        target_hold(json_plain_find(&plain, name) == &plain.members[i], "%s is not found", name);
        free(name);
    }
}

/* ------------------------------------------------------------------------------------- the list */

static void try_find(const char *line, size_t bytes)
{
    size_t at;
    size_t count;
    if (!json_list_find(line, bytes, "vector", &at, &count))
        return;
    target_hold(at < bytes && count <= bytes - at && count >= 2, "%zu bytes at %zu of %zu", count,
                at, bytes);
    target_hold(line[at] == '[' && line[at + count - 1] == ']', "what is found is no list");
    json_t *value = json_loadb(line, bytes, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, NULL);
    if (value != NULL)
        hold_same((struct json_span){line + at, count}, json_object_get(value, "vector"),
                  "the list that is found");
    json_decref(value);
}

static bool is_numbers(const json_t *list)
{
    bool good = json_array_size(list) > 0 && json_array_size(list) <= NUMBERS_MAX;
    for (size_t i = 0; good && i < json_array_size(list); i++)
        good = json_is_number(json_array_get(list, i));
    return good;
}

/* Between two commas of a good list stands one number. */
static void hold_numbers(const char *text, const float *numbers, size_t count)
{
    const char *at = strchr(text, '[') + 1;
    for (size_t i = 0; i < count; i++) {
        float wanted = strtof(at, NULL);
        target_hold(memcmp(&wanted, &numbers[i], sizeof wanted) == 0, "number %zu: %a, not %a", i,
                    (double)numbers[i], (double)wanted);
        at = i + 1 < count ? strchr(at, ',') + 1 : at;
    }
}

static void try_list(const char *text, size_t bytes, const json_t *value)
{
    static float numbers[NUMBERS_MAX];
    static float loose[NUMBERS_MAX];
    struct float_list_found found;
    struct float_list_found loosely;
    const char *wrong = float_list_read(text, bytes, FLOAT_LIST_JSON, numbers, NUMBERS_MAX, &found);
    const char *wrong_loosely =
        float_list_read(text, bytes, FLOAT_LIST_LOOSE, loose, NUMBERS_MAX, &loosely);
    bool is_list = json_is_array(value) && is_numbers(value);
    if (wrong == NULL) {
        target_hold(found.count <= bytes, "%zu numbers in %zu bytes", found.count, bytes);
        target_hold(wrong_loosely == NULL && loosely.count == found.count, "good, but not loosely");
        target_hold(value == NULL || is_list || found.count > NUMBERS_MAX, "a list of no numbers");
    }
    if (!is_list)
        return;
    target_hold(wrong == NULL || strstr(wrong, "float32") != NULL, "%s", wrong);
    if (wrong == NULL) {
        target_hold(found.count == json_array_size(value), "%zu numbers", found.count);
        hold_numbers(text, numbers, found.count);
        target_hold(memcmp(numbers, loose, found.count * sizeof *numbers) == 0, "other numbers");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    char *text = (char *)target_exact(bytes, count);
    char *ended = calloc(count + 1, 1); /* the oracle's: strtof wants a NUL */
    target_hold(ended != NULL, "no memory");
    memcpy(ended, bytes, count);
    /* jansson passes over a NUL as if it were not there. */
    json_t *value = strlen(ended) == count ? json_loadb(ended, count, LENIENT, NULL) : NULL;
    try_walk(text, count, value);
    try_plain(text, count, value);
    try_find(text, count);
    try_list(text, count, NULL);
    try_list(ended, count, value);
    json_decref(value);
    free(ended);
    free(text);
    return 0;
}

size_t target_seed(size_t number, uint8_t *out)
{
    static const char *const seeds[] = {
        "{\"key\":\"a\\u00e4\\n\",\"n\":-12,\"t\":true,\"z\":null,\"o\":{\"x\":[1,\"}\"]}}",
        " { \"vector\" : [ 0.5, -1e3,2 ] , \"text\":\"[\\\"\" } ",
        "[0.1,-0.0,16777217,1e-46,3.4028235e38,0.000001234567890123456789]",
        "[[[]],{\"a\":[{}]},\"\\ud83c\\udf33\",12345678901234567890]",
        "[1 2;+3,.5 1.]",
        "{\"a\":{\"b\":{\"c\":{\"d\":{}}}},\"vector\":[]}",
        "\"text alone\"",
        "-0.5E+3",
    };
    if (number >= sizeof seeds / sizeof seeds[0])
        return 0;
    memcpy(out, seeds[number], strlen(seeds[number]));
    return strlen(seeds[number]);
}
