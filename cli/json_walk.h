/* A look into JSON text that somebody else wrote, without a tree in memory: an answer of a server
 * has millions of numbers. */
#ifndef EMBEDCACHE_CLI_JSON_WALK_H
#define EMBEDCACHE_CLI_JSON_WALK_H

#include <stddef.h>

/* A piece of JSON text: one value, without blanks around it. */
struct json_span {
    const char *at;
    size_t bytes;
};

/* The members of an object or the elements of an array, one after the other. */
struct json_items {
    const char *at;
    const char *end;
    char close;   /* the bracket that ends them */
    int is_begun; /* a comma comes before the next one */
};

/* The one value that the text is, into `value_out`; 0 when it is no valid JSON, or nested deeper
 * than 32. */
int json_walk_document(const char *text, size_t bytes, struct json_span *value_out);

/* Begins with a value that json_walk_document or json_walk_next gave; 0 when it does not begin with
 * `bracket`, '{' or '['. */
int json_walk_begin(struct json_items *items, struct json_span value, char bracket);

/* The next one: its value and, of an object's member, its name as it is written between the quotes
 * (NULL: not wanted). Returns 0 at the end. */
int json_walk_next(struct json_items *items, struct json_span *name_out,
                   struct json_span *value_out);

int json_span_is(struct json_span span, const char *word);

/* Length of the JSON number at `at`; 0 when there is none. */
size_t json_number_length(const char *at, const char *end);

/* The first place at or behind `at` that is no blank. */
const char *json_skip_blank(const char *at, const char *end);

#endif
