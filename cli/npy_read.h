/* Arrays in NumPy's .npy form, read row by row as float32. */
#ifndef EMBEDCACHE_CLI_NPY_READ_H
#define EMBEDCACHE_CLI_NPY_READ_H

#include <stddef.h>
#include <stdint.h>

#include "matrix_read.h"

enum {
    NPY_MATRIX = 0,        /* two dimensions only */
    NPY_VECTOR_ALLOWED = 1 /* a one-dimensional array counts as one row */
};

struct npy_array {
    const char *name; /* for messages */
    uint64_t rows;
    uint32_t dims;
    uint64_t next_row;
    struct matrix matrix;
};

/* Opens `path` ("-" is standard input) and checks header and size: CODE_OK, or a reported code.
 * Accepts C order, float16, float32, float64, uint8 and int8 of either byte order. */
int npy_open(struct npy_array *array, const char *path, int shapes);

/* As npy_open, of an input that is open. Takes it over. */
int npy_open_input(struct npy_array *array, const struct input *input, int shapes);

/* The next row into `vector_out` (dims floats). Refuses NaN, infinity and what does not fit
 * float32, naming row and element. The caller does not ask for more rows than there are. */
int npy_next_row(struct npy_array *array, float *vector_out);

void npy_close(struct npy_array *array);

#endif
