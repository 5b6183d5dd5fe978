/* Rows of equal length that stand one after another in an input: the body of .npy, .fvecs, .fbin,
 * safetensors and plain memory maps. */
#ifndef EMBEDCACHE_CLI_MATRIX_READ_H
#define EMBEDCACHE_CLI_MATRIX_READ_H

#include <stddef.h>
#include <stdint.h>

#include "byte_read.h"
#include "element_widen.h"

#define MATRIX_ROWS_UNKNOWN UINT64_MAX

struct matrix {
    struct byte_reader bytes;
    uint64_t rows; /* MATRIX_ROWS_UNKNOWN: until the input ends */
    uint32_t dims;
    struct element_type element;
    int has_row_dims; /* each row begins with its dims, 32 bits, little-endian */
    uint64_t next_row;
    unsigned char *row; /* one row as the input has it */
};

/* The input, from its first byte; what the format's header is made of is then read with
 * matrix_header. CODE_OK or a reported code; after either, matrix_close. */
int matrix_open(struct matrix *matrix, const struct input *input);

/* Exactly `count` bytes of the header. CODE_BAD_DATA where the input ends before them: `what` is
 * named in the sentence. */
int matrix_header(struct matrix *matrix, void *out, size_t count, const char *what);

/* Called when rows, dims and element are set: refuses dims out of range, more rows than any file
 * has, and a regular file whose bytes (from here to its end less `behind`) are not those rows. */
int matrix_begin(struct matrix *matrix, uint64_t behind);

/* The next row as dims floats. Refuses NaN, infinity and what does not fit float32, naming row and
 * element. CODE_OK, CODE_END behind the last row or where an interrupt has cut the input, or a
 * reported code. */
int matrix_next(struct matrix *matrix, float *vector_out);

/* Passes over rows; no more than there are. */
int matrix_skip(struct matrix *matrix, uint64_t rows);

/* "NAME: wrong". Returns CODE_BAD_DATA. */
int matrix_refuse(const struct matrix *matrix, const char *wrong);

void matrix_close(struct matrix *matrix);

#endif
