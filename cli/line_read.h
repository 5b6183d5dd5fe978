/* Lines of a file or of standard input, in bounded memory. */
#ifndef EMBEDCACHE_CLI_LINE_READ_H
#define EMBEDCACHE_CLI_LINE_READ_H

#include <stddef.h>
#include <stdint.h>

/* A JSON line that carries the longest text has room, the memory of a process too. */
enum { LINE_BYTES_MAX = 25165824 };

struct line_reader {
    const char *name; /* for messages */
    int descriptor;
    char *buffer;
    size_t capacity;
    size_t start; /* of what is not given out yet */
    size_t end;
    uint64_t line; /* number of the line given out last, from 1 */
    int at_end;
};

/* Opens `path`; "-" is standard input. Zero the reader before. CODE_OK or a reported code. */
int line_open(struct line_reader *reader, const char *path);

/* The next line without its newline, valid until the next call. The bytes are exact: a carriage
 * return belongs to the line; only a UTF-8 byte order mark at the very beginning is left out.
 * CODE_OK, CODE_END (also after Ctrl-C), or a reported code. */
int line_next(struct line_reader *reader, const char **line_out, size_t *bytes_out);

void line_close(struct line_reader *reader);

#endif
