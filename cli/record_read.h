/* Keys, texts and metadata from a file: one per line (.txt), or one JSON object per line
 * (.jsonl). */
#ifndef EMBEDCACHE_CLI_RECORD_READ_H
#define EMBEDCACHE_CLI_RECORD_READ_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "line_read.h"

/* Which members of a JSON line mean what. */
struct record_fields {
    const char *key;      /* NULL: the text is the key */
    const char *text;     /* NULL: none */
    const char *metadata; /* NULL: none */
    int metadata_is_rest; /* all members but key, text, vector, value and cost */
    int key_needed;       /* a line without a key is refused; else its text must be there */
    const char *expiry;   /* NULL: none, as of the next two */
    const char *cost;
    const char *pinned;
};

/* For how long a record is kept; 0 = nothing was said. */
struct record_terms {
    uint32_t ttl_s; /* as in edb_put_options, of which one of the two is given */
    uint32_t expiry_s;
    uint32_t cost;
    uint32_t pinned;
};

struct record {
    const char *key; /* NULL: the line has neither key nor text */
    size_t key_bytes;
    const char *text; /* NULL = none */
    size_t text_bytes;
    const char *metadata; /* JSON object, or NULL */
    size_t metadata_bytes;
    const char *vector; /* the text of the member `vector_field`, "[...]", or NULL */
    size_t vector_bytes;
    const char *value; /* opaque bytes, or NULL */
    size_t value_bytes;
    struct record_terms terms;
};

struct record_reader {
    struct line_reader lines;
    struct record_fields fields;
    const char *vector_field; /* NULL: vectors are not looked for. Set it after opening */
    int is_json;
    int is_plain; /* the line at hand was read without a parser */
    json_t *object;
    json_t *space; /* what the first line says of the space that was exported, or NULL */
    char *metadata;
    char *vector; /* text of the vector, kept between lines */
    size_t vector_capacity;
    size_t vector_at;    /* where it stood in the line at hand */
    size_t vector_bytes; /* how many bytes were taken out there; 0 = none */
    char *decoded[3];    /* what came as base64: key, text, value */
    char number[24];     /* an integer key as decimal */
};

/* The members of an export's lines with the terms of a record. */
#define RECORD_EXPIRY_MEMBER "expiry_s"
#define RECORD_COST_MEMBER "cost"
#define RECORD_PINNED_MEMBER "pinned"

/* The member of an export's first line that says what the space is. */
#define RECORD_SPACE_MEMBER "embedcache_space"

/* Whether the file name ends in .jsonl or .ndjson. */
int record_is_json_name(const char *path);

/* Opens `path` ("-" is standard input). CODE_OK or a reported code. */
int record_open(struct record_reader *reader, const char *path, int is_json,
                const struct record_fields *fields);

/* As record_open, of lines of JSON from an input that is open. Takes it over. */
int record_open_input(struct record_reader *reader, const struct input *input,
                      const struct record_fields *fields);

/* The next record, valid until the next call. In a .txt the line is the key (key_needed) or key and
 * text; empty lines of JSON are skipped, and a first line with nothing but RECORD_SPACE_MEMBER.
 * Where a key is needed, "<key>_base64" and "<text>_base64" stand for bytes that are no UTF-8, and
 * "value_base64" is an opaque value. CODE_OK, CODE_END, CODE_REFUSED (the line was named, the next
 * one may be good) or a reported code. */
int record_next(struct record_reader *reader, struct record *record_out);

/* Passes over the next record without looking into it. CODE_OK, CODE_END or a reported code. */
int record_skip(struct record_reader *reader);

void record_close(struct record_reader *reader);

/* Reads the whole file for its number of records, checking each. The first that is refused ends it:
 * CODE_BAD_DATA. *space_out is what the first line says of an exported space, for json_decref, or
 * NULL. */
int record_count(const char *path, int is_json, const struct record_fields *fields,
                 uint64_t *count_out, json_t **space_out);

#endif
