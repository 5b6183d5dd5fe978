/* Rows as float32, streamed: one row is in memory. Every format of plain numbers reads its rows
 * through here, so that all say the same about a file that is cut and a number that is none. */
#include "matrix_read.h"

#include <embedcache.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "report_error.h"

enum { ROW_DIMS_BYTES = 4 };

static uint64_t row_bytes(const struct matrix *matrix);
static int check_size(const struct matrix *matrix, uint64_t behind);
static int check_row_dims(const struct matrix *matrix);
static int refuse_number(const struct matrix *matrix, size_t element, const void *number);
static int refuse_cut(const struct matrix *matrix, const char *what);

int matrix_open(struct matrix *matrix, const struct input *input)
{
    memset(matrix, 0, sizeof *matrix);
    return byte_open(&matrix->bytes, input);
}

int matrix_header(struct matrix *matrix, void *out, size_t count, const char *what)
{
    size_t got;
    int code = byte_read(&matrix->bytes, out, count, &got);
    return code == CODE_OK && got < count ? refuse_cut(matrix, what) : code;
}

int matrix_begin(struct matrix *matrix, uint64_t behind)
{
    if (matrix->dims == 0 || matrix->dims > EDB_DIMS_MAX)
        return report_error(CODE_BAD_DATA, "%s: its rows have %u numbers: 1 to %u are stored",
                            matrix->bytes.name, matrix->dims, EDB_DIMS_MAX);
    if (matrix->rows != MATRIX_ROWS_UNKNOWN && matrix->rows > INT64_MAX / row_bytes(matrix))
        return report_error(CODE_BAD_DATA,
                            "%s: %" PRIu64 " rows of %u numbers are larger than any file can be",
                            matrix->bytes.name, matrix->rows, matrix->dims);
    int code = check_size(matrix, behind);
    if (code != CODE_OK)
        return code;
    matrix->row = malloc((size_t)row_bytes(matrix));
    return matrix->row == NULL ? report_no_memory() : CODE_OK;
}

int matrix_next(struct matrix *matrix, float *vector_out)
{
    size_t got;
    size_t needed = (size_t)row_bytes(matrix);
    int is_open = matrix->rows == MATRIX_ROWS_UNKNOWN;
    /* Floats as they are take no way round by the row's buffer. */
    int is_ready = matrix->element.kind == ELEMENT_F32 && !matrix->element.is_big_endian &&
                   !matrix->has_row_dims;
    unsigned char *row = is_ready ? (unsigned char *)vector_out : matrix->row;
    if (matrix->next_row == matrix->rows)
        return CODE_END;
    int code = byte_read(&matrix->bytes, row, needed, &got);
    if (code != CODE_OK)
        return code;
    if (got < needed && byte_is_interrupted(&matrix->bytes))
        return CODE_END;
    if (got < needed)
        return got == 0 && is_open ? CODE_END : refuse_cut(matrix, "its rows");
    code = matrix->has_row_dims ? check_row_dims(matrix) : CODE_OK;
    if (code != CODE_OK)
        return code;
    const unsigned char *numbers = row + (matrix->has_row_dims ? ROW_DIMS_BYTES : 0);
    size_t good = element_widen(&matrix->element, numbers, matrix->dims, vector_out);
    if (good < matrix->dims)
        return refuse_number(matrix, good, numbers + good * matrix->element.bytes);
    matrix->next_row++;
    return CODE_OK;
}

int matrix_skip(struct matrix *matrix, uint64_t rows)
{
    matrix->next_row += rows;
    return byte_skip(&matrix->bytes, rows * row_bytes(matrix));
}

int matrix_refuse(const struct matrix *matrix, const char *wrong)
{
    return report_error(CODE_BAD_DATA, "%s: %s", matrix->bytes.name, wrong);
}

void matrix_close(struct matrix *matrix)
{
    byte_close(&matrix->bytes);
    free(matrix->row);
    memset(matrix, 0, sizeof *matrix);
}

static uint64_t row_bytes(const struct matrix *matrix)
{
    return (uint64_t)matrix->dims * matrix->element.bytes +
           (matrix->has_row_dims ? ROW_DIMS_BYTES : 0);
}

/* A regular file has exactly the bytes that are promised; a pipe is found out while reading. */
static int check_size(const struct matrix *matrix, uint64_t behind)
{
    const struct byte_reader *bytes = &matrix->bytes;
    if (!bytes->is_regular || matrix->rows == MATRIX_ROWS_UNKNOWN)
        return CODE_OK;
    uint64_t needed = matrix->rows * row_bytes(matrix);
    uint64_t left = bytes->bytes > bytes->at ? bytes->bytes - bytes->at : 0;
    uint64_t present = left > behind ? left - behind : 0;
    if (needed == present)
        return CODE_OK;
    return report_error(CODE_BAD_DATA,
                        "%s: %" PRIu64 " rows of %u numbers need %" PRIu64
                        " bytes after the header, it has %" PRIu64 ": it is %s",
                        bytes->name, matrix->rows, matrix->dims, needed, present,
                        present < needed ? "truncated" : "no single array");
}

static int check_row_dims(const struct matrix *matrix)
{
    uint32_t dims = byte_u32(matrix->row);
    if (dims == matrix->dims)
        return CODE_OK;
    return report_error(CODE_BAD_DATA,
                        "%s: row %" PRIu64 " says that it has %u numbers, the first row has %u: "
                        "the rows of one space are of one length",
                        matrix->bytes.name, matrix->next_row, dims, matrix->dims);
}

static int refuse_number(const struct matrix *matrix, size_t element, const void *number)
{
    return report_error(
        CODE_BAD_DATA, "%s: row %" PRIu64 ", element %zu %s: only finite float32 values are stored",
        matrix->bytes.name, matrix->next_row, element, element_wrong(&matrix->element, number));
}

static int refuse_cut(const struct matrix *matrix, const char *what)
{
    return report_error(CODE_BAD_DATA, "%s: it ends inside %s (row %" PRIu64 "): it is truncated",
                        matrix->bytes.name, what, matrix->next_row);
}
