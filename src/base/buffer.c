/* The growing byte buffer: doubles while it can, never past its limit. */
#include "base/buffer.h"

#include <assert.h>
#include <string.h>

#include "base/memory.h"

enum { CAPACITY_MIN = 256 };

static edb_status grow(struct buffer *buffer, size_t needed);

void buffer_open(struct buffer *buffer, size_t limit)
{
    *buffer = (struct buffer){.limit = limit};
}

void buffer_close(struct buffer *buffer)
{
    if (buffer == NULL)
        return;
    memory_free(buffer->bytes);
    buffer_open(buffer, buffer->limit);
}

uint8_t *buffer_reserve(struct buffer *buffer, size_t count)
{
    assert(buffer->count <= buffer->limit);
    if (count > buffer->limit - buffer->count) {
        fail(EDB_NO_MEMORY, "%zu bytes more than the %zu held would pass the buffer's limit, %zu",
             count, buffer->count, buffer->limit);
        return NULL;
    }
    size_t needed = buffer->count + count;
    if ((needed > buffer->capacity || buffer->bytes == NULL) && grow(buffer, needed) != EDB_OK)
        return NULL;
    uint8_t *at = buffer->bytes + buffer->count;
    buffer->count = needed;
    return at;
}

static edb_status grow(struct buffer *buffer, size_t needed)
{
    size_t capacity = buffer->capacity < CAPACITY_MIN ? CAPACITY_MIN : buffer->capacity;
    while (capacity < needed && capacity <= buffer->limit / 2)
        capacity *= 2;
    if (capacity < needed || capacity > buffer->limit)
        capacity = buffer->limit;
    uint8_t *bytes = memory_resize(buffer->bytes, capacity, 1);
    if (bytes == NULL)
        return memory_failed(capacity);
    buffer->bytes = bytes;
    buffer->capacity = capacity;
    return EDB_OK;
}

edb_status buffer_append(struct buffer *buffer, const void *bytes, size_t count)
{
    uint8_t *at = buffer_reserve(buffer, count);
    if (at == NULL)
        return EDB_NO_MEMORY;
    if (count > 0)
        memcpy(at, bytes, count);
    return EDB_OK;
}

uint8_t *buffer_take(struct buffer *buffer)
{
    uint8_t *bytes = buffer->bytes;
    buffer_open(buffer, buffer->limit);
    return bytes;
}
