/* Comparing two spaces of two files, record by record. */
#ifndef EMBEDCACHE_CLI_SPACE_COMPARE_H
#define EMBEDCACHE_CLI_SPACE_COMPARE_H

#include <embedcache.h>

enum difference_kind {
    DIFFERENCE_ONLY_FIRST,
    DIFFERENCE_ONLY_SECOND,
    DIFFERENCE_VECTOR,
    DIFFERENCE_TEXT,
    DIFFERENCE_METADATA,
    DIFFERENCE_EXPIRY,
    DIFFERENCE_COST,
    DIFFERENCE_PIN,
    DIFFERENCES
};

/* One key that the spaces do not agree on; valid inside the call. `second` is NULL where the first
 * space alone has it, and the other way round. */
struct difference {
    enum difference_kind kind;
    const edb_space_spec *spec;
    const edb_view *first;
    const edb_view *second;
};

typedef void difference_function(void *arg, const struct difference *difference);

/* Finds every key that is in one space only or whose vector (bit for bit), text, metadata, expiry,
 * cost or pin differs; a key that differs in several ways is told by the first of these. Rows count
 * for nothing. The spaces have the same dims and key form. Digests of keys are looked up in a table
 * of 16 bytes a record. CODE_OK or a reported code. */
int space_compare(edb_space *first, edb_space *second, difference_function *found, void *arg);

#endif
