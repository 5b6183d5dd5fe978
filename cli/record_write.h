/* A stored record as JSON members and as lines for people. */
#ifndef EMBEDCACHE_CLI_RECORD_WRITE_H
#define EMBEDCACHE_CLI_RECORD_WRITE_H

#include <embedcache.h>

#include "json_emit.h"

/* "key": the string. Where the record keeps only a digest it is the digest in hexadecimal, and
 * "key_form" names it; a key that is no UTF-8 is base64, and "key_form" says so. `asked` is the key
 * as the user gave it (`view` may be NULL then), NULL = take the record's. */
void record_write_key(struct emitter *json, const edb_view *view, const char *asked);

/* "key_digest" in hexadecimal and "key_form", of a record that keeps no key. */
void record_write_digest(struct emitter *json, const edb_view *view);

/* "row". */
void record_write_row(struct emitter *json, const edb_view *view);

/* "vector": the numbers; "value" as base64 in a space of opaque values. */
void record_write_vector(struct emitter *json, const edb_view *view, uint32_t dims);

/* "text" (null when there is none), "metadata" and the terms. CODE_OK or a reported code. */
int record_write_rest(struct emitter *json, const edb_view *view);

/* "expiry_s", "cost" and "pinned", each only where it is set. */
void record_write_terms(struct emitter *json, const edb_view *view);

/* The key in at most `columns` characters. */
void record_print_key(FILE *file, const edb_view *view, size_t columns);

/* Whether the record has a text that says more than its key. */
int record_has_own_text(const edb_view *view);

#endif
