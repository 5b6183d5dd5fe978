/* Colours, and the shapes of numbers and texts that people read. Nothing here is for scripts. */
#ifndef EMBEDCACHE_CLI_TEXT_STYLE_H
#define EMBEDCACHE_CLI_TEXT_STYLE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define STYLE_BOLD "\033[1m"
#define STYLE_DIM "\033[2m"
#define STYLE_ERROR "\033[1;31m"
#define STYLE_SCORE "\033[32m"

enum { STYLE_COUNT_BYTES = 32, STYLE_COUNTED_BYTES = 64 };

/* The escape sequence, or "" where `file` is no terminal or NO_COLOR is set. */
const char *style_begin(FILE *file, const char *style);
const char *style_end(FILE *file);

/* Whether `file` is a terminal that can be drawn on. */
int style_on_terminal(FILE *file);

/* Columns of the terminal `file`; 80 where it is none. */
size_t style_columns(FILE *file);

/* "1,234,567" into `out`; returns `out`. */
const char *style_count(uint64_t count, char out[STYLE_COUNT_BYTES]);

/* "1,234 rows" into `out`, and "1 row"; returns `out`. */
const char *style_counted(uint64_t count, const char *one, const char *many,
                          char out[STYLE_COUNTED_BYTES]);

/* "1.2 MiB" into `out`; returns `out`. */
const char *style_bytes(uint64_t bytes, char out[STYLE_COUNT_BYTES]);

/* "12.3 ms" or "4.56 s" into `out`; returns `out`. */
const char *style_seconds(double seconds, char out[STYLE_COUNT_BYTES]);

/* Seconds in the largest unit that says them in whole numbers, "12 h", into `out`; returns
 * `out`. */
const char *style_span(uint64_t seconds, char out[STYLE_COUNT_BYTES]);

/* Likewise, rounded to a number of its unit that people can see at a glance. */
const char *style_span_about(uint64_t seconds, char out[STYLE_COUNT_BYTES]);

/* Writes all of it, on one line: control characters and bytes that are no UTF-8 become visible
 * (\n, \x1b, \u009b), so that no name or key can steer the terminal. */
void style_print_name(FILE *file, const char *text);

/* A key in at most `columns` characters, likewise; in quotes where it is empty or begins or ends
 * with a space. */
void style_print_key(FILE *file, const char *key, size_t bytes, size_t columns);

/* Writes the first line that has something in it, at most `columns` characters, "…" where it was
 * cut. Bytes that are no printable UTF-8 become "?": a stored text must not be able to steer the
 * terminal. */
void style_first_line(FILE *file, const char *text, size_t bytes, size_t columns);

/* Length of the UTF-8 sequence that starts at `text`; 0 when it is not valid. */
size_t style_utf8_length(const unsigned char *text, size_t bytes);

/* Number of the character of `length` bytes, which is valid. */
uint32_t style_code_point(const unsigned char *text, size_t length);

/* Whether the character of `length` bytes is one that a terminal may obey: a control character, one
 * that turns the direction of writing or ends a line, or one that takes no room. */
int style_is_control(const unsigned char *text, size_t length);

/* Whether all of it is valid UTF-8. */
int text_is_utf8(const void *text, size_t bytes);

#endif
