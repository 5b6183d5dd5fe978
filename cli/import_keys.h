/* Keys, texts and metadata beside the rows of an import: a file of --keys, or the one that an
 * export left. */
#ifndef EMBEDCACHE_CLI_IMPORT_KEYS_H
#define EMBEDCACHE_CLI_IMPORT_KEYS_H

#include "record_read.h"
#include "source.h"

/* All zero at first. */
struct import_keys {
    const char *path; /* NULL: the source brings keys, or they are the row numbers */
    char *beside;     /* a keys file that an export left beside the source, or NULL */
    int are_json;
    struct record_fields fields;
    struct record_reader reader;
};

/* Which keys go with the source: those of `given`, or (NULL) those that its export wrote beside it,
 * or none. CODE_OK or a reported code; after either, keys_close. */
int keys_find(struct import_keys *keys, const struct source *source, const struct source_wish *wish,
              const char *given);

/* Checks all lines, that they are as many as the rows; and takes what an export says there of its
 * space, where *space is NULL. CODE_OK or a reported code. */
int keys_check(struct import_keys *keys, const struct source *source, json_t **space);

/* Begins behind the lines of so many rows. As record_open and record_skip. */
int keys_open(struct import_keys *keys, uint64_t passed);

/* What the next line has. CODE_OK or a reported code. */
int keys_next(struct import_keys *keys, struct record *record);

/* Whether its lines have keys; else row numbers are the keys. */
int keys_are_named(const struct import_keys *keys);

void keys_close(struct import_keys *keys);

#endif
