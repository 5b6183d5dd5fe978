/* The limits that include/embedcache.h and docs/limits.md set for metadata. Put asks about text,
 * readers of JSON lines about a member that is parsed already. */
#include "metadata_check.h"

#include <embedcache.h>
#include <stdio.h>
#include <string.h>

#include "text_style.h"

enum { DEPTH_MAX = 64 };

static int is_deeper(const json_t *value, int levels);

const char *metadata_wrong(const json_t *metadata, size_t bytes, char phrase[METADATA_PHRASE_BYTES])
{
    char count[STYLE_COUNT_BYTES];
    char limit[STYLE_COUNT_BYTES];
    if (!json_is_object(metadata))
        return "is no object: metadata is a JSON object, {\"name\": value}";
    if (bytes > EDB_METADATA_BYTES_MAX)
        snprintf(phrase, METADATA_PHRASE_BYTES, "has %s bytes of JSON: metadata has at most %s",
                 style_count(bytes, count), style_count(EDB_METADATA_BYTES_MAX, limit));
    else if (is_deeper(metadata, DEPTH_MAX))
        snprintf(phrase, METADATA_PHRASE_BYTES,
                 "is nested too deep: metadata has at most %d levels", DEPTH_MAX);
    else
        return NULL;
    return phrase;
}

const char *metadata_wrong_text(const char *json, char phrase[METADATA_PHRASE_BYTES])
{
    json_error_t error;
    size_t flags = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL;
    json_t *metadata = json_loads(json, flags, &error);
    if (metadata == NULL) {
        snprintf(phrase, METADATA_PHRASE_BYTES, "is no valid JSON: %s at line %d, column %d",
                 error.text, error.line, error.column);
        return phrase;
    }
    const char *wrong = metadata_wrong(metadata, strlen(json), phrase);
    json_decref(metadata);
    return wrong;
}

/* Whether more than `levels` objects and arrays stand in each other; that bounds the recursion. */
static int is_deeper(const json_t *value, int levels)
{
    const char *name;
    json_t *member;
    size_t index;
    if (!json_is_object(value) && !json_is_array(value))
        return 0;
    if (levels == 0)
        return 1;
    json_object_foreach((json_t *)(uintptr_t)value, name,
                        member) if (is_deeper(member, levels - 1)) return 1;
    json_array_foreach(value, index, member) if (is_deeper(member, levels - 1)) return 1;
    return 0;
}
