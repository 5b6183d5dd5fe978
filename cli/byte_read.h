/* Bytes of an input in order, through one large buffer: what formats of numbers are read from. */
#ifndef EMBEDCACHE_CLI_BYTE_READ_H
#define EMBEDCACHE_CLI_BYTE_READ_H

#include <stddef.h>
#include <stdint.h>

#include "input_open.h"

struct byte_reader {
    const char *name; /* for messages */
    int descriptor;
    int is_regular;
    uint64_t bytes; /* of a regular file */
    uint64_t at;    /* how many were given out or skipped */
    unsigned char *buffer;
    size_t start;
    size_t end;
    int at_end;
};

/* Takes over the input, from its first byte. CODE_OK or a reported code; after either,
 * byte_close. */
int byte_open(struct byte_reader *reader, const struct input *input);

/* Up to `count` bytes; fewer only at the end of the input. CODE_OK or a reported code. */
int byte_read(struct byte_reader *reader, void *out, size_t count, size_t *got_out);

/* The next bytes where they lie, at least one: valid until the next call. *count_out is 0 at the
 * end. They count as given out. CODE_OK or a reported code. */
int byte_lend(struct byte_reader *reader, const unsigned char **bytes_out, size_t *count_out);

/* Whether the end that was met is one of an interrupt: Ctrl-C also ends who writes a pipe, wherever
 * that one stood. A file is whole, whoever is interrupted. */
int byte_is_interrupted(const struct byte_reader *reader);

/* Passes over `count` bytes; at the end of a pipe over fewer. CODE_OK or a reported code. */
int byte_skip(struct byte_reader *reader, uint64_t count);

void byte_close(struct byte_reader *reader);

/* Four bytes, little-endian. */
static inline uint32_t byte_u32(const unsigned char *from)
{
    return from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 | (uint32_t)from[3] << 24;
}

#endif
