/* Where rows come from: every format that import reads is one file, source_<format>.c, with a
 * struct source_kind. Import itself knows no format. */
#ifndef EMBEDCACHE_CLI_SOURCE_H
#define EMBEDCACHE_CLI_SOURCE_H

#include <stdint.h>

#include "input_open.h"
#include "matrix_read.h"
#include "record_read.h"

#define SOURCE_ROWS_UNKNOWN MATRIX_ROWS_UNKNOWN

/* What the words of a command say about a source; NULL or 0 = not said. */
struct source_wish {
    const char *path; /* "-" is standard input */
    const char *kind;
    const char *dtype;
    const char *tensor;
    const char *texts;
    const char *key_field; /* members of JSON and columns of CSV; "" = none */
    const char *text_field;
    const char *metadata_field;
    const char *vector_field;
    const char *cost_field; /* of JSON only */
    uint32_t ttl_s;         /* of rows that bring no expiry; as in edb_put_options */
    int is_pinned;          /* all rows are */
    int metadata_is_rest;
    int has_no_header;
    uint32_t dims;
};

struct source {
    const struct source_kind *kind;
    const char *name;    /* for messages */
    uint64_t rows;       /* SOURCE_ROWS_UNKNOWN where only the end tells */
    uint32_t dims;       /* 0: opaque values */
    int brings_keys;     /* its records have keys; else they are empty */
    int can_resume;      /* it will be there again, from its first row */
    uint64_t digest;     /* set by the kind's look */
    const json_t *space; /* what an export says of the space it came from; NULL = nothing */
    void *state;         /* of the kind */
};

struct source_kind {
    const char *name;    /* as --from has it, and the end of file names after a dot */
    const char *endings; /* other ends of file names, separated by '|'; NULL = none */
    const char *options; /* the options that only such kinds take, separated by '|' */

    /* Whether the head (and size) can be nothing else. NULL: content does not tell. */
    int (*is_surely)(const struct input *input);

    /* Takes over the input. Sets rows, dims, brings_keys and state. CODE_OK or a reported code;
     * after either, close. */
    int (*open)(struct source *source, const struct input *input, const struct source_wish *wish);

    /* Sets source->digest to a digest of all that is read and of its order; open has done so once.
     * Called when no row is wanted any more. NULL: it is one file, whose size, time and ends tell.
     * CODE_OK or a reported code. */
    int (*look)(struct source *source);

    /* The next row: dims floats, and what stands beside them (zeroed before), valid until the next
     * call; of an opaque value record->value. CODE_OK, CODE_END, or a reported code that names the
     * row. */
    int (*next)(struct source *source, struct record *record, float *vector_out);

    /* Passes over rows; fewer where there are fewer. */
    int (*skip)(struct source *source, uint64_t rows);

    void (*close)(struct source *source);
};

/* Opens what the wish names, as the kind that it names or as what its content, its name or its
 * options tell. CODE_OK or a reported code; after either, source_close. */
int source_open(struct source *source, const struct source_wish *wish);
void source_close(struct source *source);

/* Refuses names of fields where nothing is read by them: neither the source, nor (`has_keys`) keys
 * beside one that has no fields itself. */
int source_check_fields(const struct source *source, const struct source_wish *wish, int has_keys);

/* Passes over rows; fewer where there are fewer. */
int source_skip(struct source *source, uint64_t rows);

/* The members of JSON lines that the wish means, "key", "text" and "metadata" where it says
 * nothing, and those with the terms of a record. Where the rest is metadata that is what expiry,
 * pin and a cost that is not named are. */
struct record_fields source_fields(const struct source_wish *wish);

/* All kinds; NULL ends them. */
extern const struct source_kind *const source_kinds[];

extern const struct source_kind source_npy;
extern const struct source_kind source_safetensors;
extern const struct source_kind source_jsonl;
extern const struct source_kind source_csv;
extern const struct source_kind source_fvecs;
extern const struct source_kind source_bvecs;
extern const struct source_kind source_ivecs;
extern const struct source_kind source_fbin;
extern const struct source_kind source_u8bin;
extern const struct source_kind source_i8bin;
extern const struct source_kind source_memmap;
extern const struct source_kind source_directory;

/* The names of --from, for its table of options. */
#define SOURCE_WORDS "npy|safetensors|jsonl|csv|fvecs|bvecs|ivecs|fbin|u8bin|i8bin|memmap|directory"

#endif
