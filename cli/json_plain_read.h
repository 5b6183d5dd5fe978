/* The members of a flat line of JSON, found without a parser: most lines of keys and texts are
 * such. */
#ifndef EMBEDCACHE_CLI_JSON_PLAIN_READ_H
#define EMBEDCACHE_CLI_JSON_PLAIN_READ_H

#include <stddef.h>

enum json_plain_kind { PLAIN_STRING, PLAIN_OBJECT, PLAIN_NULL, PLAIN_WORD };

/* A member of the line. Its value is, of a string, what stands between the quotes; of an object,
 * all of it. */
struct json_plain_member {
    const char *name;
    size_t name_bytes;
    enum json_plain_kind kind;
    const char *value;
    size_t value_bytes;
};

enum { JSON_PLAIN_MEMBERS_MAX = 16 };

struct json_plain {
    struct json_plain_member members[JSON_PLAIN_MEMBERS_MAX];
    size_t count;
};

/* Returns whether the line (UTF-8) is one object of strings, whole numbers, true, false, null and
 * objects, of plain names that differ. Then it is valid JSON, but for its objects, which are only
 * parted from what follows: their text has to be given to a parser. Where it returns 0 nothing is
 * known of the line. */
int json_plain_read(struct json_plain *plain_out, const char *line, size_t bytes);

/* The member of that name (NULL: none), or NULL. */
const struct json_plain_member *json_plain_find(const struct json_plain *plain, const char *name);

/* What the text of a string means, written over it. Returns its bytes. */
size_t json_plain_unescape(char *text, size_t bytes);

#endif
