/* The real data that tests read: .npy matrices and .jsonl texts from $EDB_DATA, or from
 * ../shared/data beside the project. */
#ifndef EDB_TESTS_RECALL_REAL_DATA_H
#define EDB_TESTS_RECALL_REAL_DATA_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

enum { DATA_ABSENT = 77 };

/* A matrix, row by row; elements are float, int32 or uint8, as `width` tells. */
struct matrix {
    void *bytes;
    size_t rows;
    size_t columns;
    size_t width; /* of an element: 4 or 1 */
};

/* Ends this program with DATA_ABSENT and a word when the folder `name` is not there. */
void real_data_expect(const char *name);

/* These end the program when the file is not what it should be. `type` is NumPy's: "<f4", "<i4",
 * "|u1". */
struct matrix matrix_read(const char *name, const char *type);
void matrix_free(struct matrix *matrix);

/* An array of the objects, one a line; json_decref it. */
json_t *lines_read(const char *name);

static inline const float *matrix_floats(const struct matrix *matrix, size_t row)
{
    return (const float *)matrix->bytes + row * matrix->columns;
}

static inline const int32_t *matrix_numbers(const struct matrix *matrix, size_t row)
{
    return (const int32_t *)matrix->bytes + row * matrix->columns;
}

/* A matrix of floats out of one of bytes. */
struct matrix matrix_widen(const struct matrix *bytes);

#endif
