/* What a space is, as bytes: stored in the GROUP that defines the space (the truth) and in every
 * CATALOG. */
#ifndef EDB_FORMAT_SPEC_H
#define EDB_FORMAT_SPEC_H

#include "base/status.h"
#include "format/format.h"

#define SPEC_BYTES_MAX 792u /* 16 and three strings with their lengths, rounded up */

struct spec {
    char name[EDB_NAME_BYTES_MAX + 1]; /* all three NUL-terminated UTF-8 */
    char model[EDB_NAME_BYTES_MAX + 1];
    char revision[EDB_NAME_BYTES_MAX + 1];
    uint32_t dims;
    uint8_t metric;
    uint8_t role;
    uint8_t element;
    uint8_t key_form;
};

/* Returns the bytes used, at most SPEC_BYTES_MAX. */
size_t spec_encode(const struct spec *spec, uint8_t *bytes);

/* EDB_CORRUPT when the bytes are no spec; EDB_FORMAT for a value that this library does not
 * know. */
edb_status spec_decode(const uint8_t *bytes, size_t count, struct spec *out);

#endif
