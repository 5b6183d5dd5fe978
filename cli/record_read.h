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
    int metadata_is_rest; /* all members but key and text */
    int key_needed;       /* a line without a key is refused; else its text must be there */
};

struct record {
    const char *key; /* NULL: the line has neither key nor text */
    size_t key_bytes;
    const char *text; /* NULL = none */
    size_t text_bytes;
    const char *metadata; /* JSON object, or NULL */
    size_t metadata_bytes;
};

struct record_reader {
    struct line_reader lines;
    struct record_fields fields;
    int is_json;
    json_t *object;
    char *metadata;
    char number[24]; /* an integer key as decimal */
};

/* Whether the file name ends in .jsonl or .ndjson. */
int record_is_json_name(const char *path);

/* Opens `path` ("-" is standard input). CODE_OK or a reported code. */
int record_open(struct record_reader *reader, const char *path, int is_json,
                const struct record_fields *fields);

/* The next record, valid until the next call. In a .txt the line is the key (key_needed) or key and
 * text; empty lines of JSON are skipped. CODE_OK, CODE_END, CODE_REFUSED (the line was named, the
 * next one may be good) or a reported code. */
int record_next(struct record_reader *reader, struct record *record_out);

void record_close(struct record_reader *reader);

/* Reads the whole file for its number of records, checking each. The first that is refused ends it:
 * CODE_BAD_DATA. */
int record_count(const char *path, int is_json, const struct record_fields *fields,
                 uint64_t *count_out);

#endif
