/* Arrays in NumPy's .npy form, read row by row as float32. */
#ifndef EMBEDCACHE_CLI_NPY_READ_H
#define EMBEDCACHE_CLI_NPY_READ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum npy_kind { NPY_F16, NPY_F32, NPY_F64, NPY_U8, NPY_I8 };

enum {
    NPY_MATRIX = 0,        /* two dimensions only */
    NPY_VECTOR_ALLOWED = 1 /* a one-dimensional array counts as one row */
};

struct npy_array {
    const char *name; /* for messages */
    FILE *file;
    uint64_t rows;
    uint32_t dims;
    enum npy_kind kind;
    uint32_t item_bytes;
    int is_big_endian;
    uint64_t next_row;
    unsigned char *row; /* one row as the file has it */
};

/* Opens `path` ("-" is standard input) and checks header and size: CODE_OK, or a reported code.
 * Accepts C order, float16, float32, float64, uint8 and int8 of either byte order. */
int npy_open(struct npy_array *array, const char *path, int shapes);

/* The next row into `vector_out` (dims floats). Refuses NaN, infinity and what does not fit
 * float32, naming row and element. The caller does not ask for more rows than there are. */
int npy_next_row(struct npy_array *array, float *vector_out);

/* Passes over rows. */
int npy_skip_rows(struct npy_array *array, uint64_t rows);

void npy_close(struct npy_array *array);

#endif
