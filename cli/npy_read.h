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

/* Opens `path` ("-" is standard input) and checks header and size: CODE_OK, or a reported code.
 * Accepts C order, float16, float32, float64, uint8 and int8 of either byte order. Rows are read
 * with matrix_next; after either, matrix_close. */
int npy_open(struct matrix *array, const char *path, int shapes);

/* The header and size of a matrix whose input is open (matrix_open). */
int npy_begin(struct matrix *array, int shapes);

#endif
