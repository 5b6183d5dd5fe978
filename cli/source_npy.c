/* NumPy's .npy as a source: npy_read.c does the work. */
#include <stdlib.h>
#include <string.h>

#include "npy_read.h"
#include "report_error.h"
#include "source.h"

static int is_surely(const struct input *input);
static int open_array(struct source *source, const struct input *input,
                      const struct source_wish *wish);
static int next_row(struct source *source, struct record *record, float *vector_out);
static int skip_rows(struct source *source, uint64_t rows);
static void close_array(struct source *source);

const struct source_kind source_npy = {
    .name = "npy",
    .is_surely = is_surely,
    .open = open_array,
    .next = next_row,
    .skip = skip_rows,
    .close = close_array,
};

static int is_surely(const struct input *input)
{
    return input_begins(input, "\x93NUMPY");
}

static int open_array(struct source *source, const struct input *input,
                      const struct source_wish *wish)
{
    (void)wish;
    struct npy_array *array = calloc(1, sizeof *array);
    source->state = array;
    if (array == NULL) {
        input_close(input->descriptor);
        return report_no_memory();
    }
    int code = npy_open_input(array, input, NPY_MATRIX);
    source->rows = array->rows;
    source->dims = array->dims;
    return code;
}

static int next_row(struct source *source, struct record *record, float *vector_out)
{
    (void)record;
    struct npy_array *array = source->state;
    return npy_next_row(array, vector_out);
}

static int skip_rows(struct source *source, uint64_t rows)
{
    struct npy_array *array = source->state;
    return matrix_skip(&array->matrix, rows);
}

static void close_array(struct source *source)
{
    if (source->state != NULL)
        npy_close(source->state);
    free(source->state);
    source->state = NULL;
}
