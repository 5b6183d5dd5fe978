/* Records of comma-separated values, RFC 4180: fields in quotes may hold commas, line ends and
 * doubled quotes. */
#ifndef EMBEDCACHE_CLI_CSV_READ_H
#define EMBEDCACHE_CLI_CSV_READ_H

#include <stddef.h>
#include <stdint.h>

#include "byte_read.h"

struct csv_field {
    size_t at; /* in the reader's memory */
    size_t bytes;
};

struct csv_reader {
    struct byte_reader bytes;
    char separator;
    uint64_t line;  /* where the record given out last began, from 1 */
    uint64_t lines; /* read so far */
    struct csv_field *fields;
    size_t count;
    size_t capacity;
    int is_quoted; /* the field that was read last */
    char *memory;
    size_t memory_used;
    size_t memory_capacity;
    const unsigned char *at; /* what was lent and is not looked at yet */
    const unsigned char *end;
};

/* Takes over the input. The separator is a comma, or a tab or ';' where the first line has such and
 * no comma. CODE_OK or a reported code; after either, csv_close. */
int csv_open(struct csv_reader *reader, const struct input *input);

/* The next record that is no empty line. CODE_OK, CODE_END (also where an interrupt has cut the
 * record), or CODE_BAD_DATA with its line named. */
int csv_next(struct csv_reader *reader);

/* Field `index` of the record: NUL-terminated, valid until the next call. */
const char *csv_field_text(const struct csv_reader *reader, size_t index, size_t *bytes_out);

/* Reports "FILE, line N: ..." of the record. Returns CODE_BAD_DATA. */
int csv_refuse(const struct csv_reader *reader, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

void csv_close(struct csv_reader *reader);

#endif
