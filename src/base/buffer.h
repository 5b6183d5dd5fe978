/* A byte buffer that grows up to a stated maximum. Whatever is gathered before its size is known (a
 * frame's payload, an encoding, a text) is gathered in one of these.
 *
 * The bytes move when the buffer grows: keep offsets, not pointers. */
#ifndef EDB_BASE_BUFFER_H
#define EDB_BASE_BUFFER_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

struct buffer {
    uint8_t *bytes; /* NULL before the first byte */
    size_t count;   /* bytes in use */
    size_t capacity;
    size_t limit; /* count never exceeds it */
};

/* An empty buffer that never holds more than `limit` bytes. Allocates nothing. */
void buffer_open(struct buffer *buffer, size_t limit);

/* Frees the bytes; the buffer is empty and can be used again. NULL, a zeroed and a closed buffer
 * are allowed. */
void buffer_close(struct buffer *buffer);

/* Lengthens the contents by `count` bytes of undefined value and returns where they begin, for the
 * caller to fill now. NULL when memory or the limit does not allow it: the buffer is as it was, the
 * sentence is recorded, and the caller returns EDB_NO_MEMORY. */
uint8_t *buffer_reserve(struct buffer *buffer, size_t count);

/* Appends a copy of `count` bytes, which must not lie in the buffer itself. NULL is allowed when
 * count is 0.
 *
 * EDB_NO_MEMORY  memory or the limit does not allow it; the buffer is as it was. */
edb_status buffer_append(struct buffer *buffer, const void *bytes, size_t count);

/* Hands the memory over (free with memory_free; NULL when nothing was ever appended) and leaves the
 * buffer empty. */
uint8_t *buffer_take(struct buffer *buffer);

#endif
