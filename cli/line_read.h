/* Lines of text of a file or of standard input, in bounded memory. */
#ifndef EMBEDCACHE_CLI_LINE_READ_H
#define EMBEDCACHE_CLI_LINE_READ_H

#include <stddef.h>
#include <stdint.h>

#include "input_open.h"

/* A JSON line that carries the longest text has room, the memory of a process too. Of refused lines
 * the first are named, the others only counted. */
enum { LINE_BYTES_MAX = 25165824, REFUSED_NAMED_MAX = 10 };

struct line_reader {
    const char *name; /* for messages */
    int descriptor;
    char *buffer;
    size_t capacity;
    size_t start; /* of what is not given out yet */
    size_t end;
    uint64_t line;    /* number of the line given out last, from 1 */
    uint64_t refused; /* lines */
    int at_end;
};

/* Opens `path`; "-" is standard input. Zero the reader before. CODE_OK or a reported code. */
int line_open(struct line_reader *reader, const char *path);

/* As line_open, of an input that is open. Takes it over. */
int line_open_input(struct line_reader *reader, const struct input *input);

/* The next line without its end (LF, or CR and LF), valid until the next call. Left out is also a
 * UTF-8 byte order mark at the very beginning. CODE_OK; CODE_END (also after Ctrl-C); CODE_REFUSED
 * for a line that is too long, no UTF-8, or has a NUL; or a reported code, CODE_BAD_DATA where the
 * first bytes are no text at all. */
int line_next(struct line_reader *reader, const char **line_out, size_t *bytes_out);

/* Reports what is wrong with the line given out last, "FILE, line N: ...", and counts it. Returns
 * CODE_REFUSED. */
int line_refuse(struct line_reader *reader, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Where lines were refused: a last sentence with their number, and CODE_BAD_DATA. */
int line_sum_up(const struct line_reader *reader);

void line_close(struct line_reader *reader);

#endif
