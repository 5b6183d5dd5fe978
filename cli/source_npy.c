/* NumPy's .npy as a source: npy_read.c does the work. */
#include "npy_read.h"
#include "report_error.h"
#include "source_matrix.h"

static int is_surely(const struct input *input);
static int open_array(struct source *source, const struct input *input,
                      const struct source_wish *wish);

const struct source_kind source_npy = {
    .name = "npy",
    .is_surely = is_surely,
    .open = open_array,
    .next = source_matrix_next,
    .skip = source_matrix_skip,
    .close = source_matrix_close,
};

static int is_surely(const struct input *input)
{
    return input_begins(input, "\x93NUMPY");
}

static int open_array(struct source *source, const struct input *input,
                      const struct source_wish *wish)
{
    (void)wish;
    int code = source_matrix_open(source, input);
    if (code != CODE_OK)
        return code;
    struct matrix *array = source_matrix(source);
    code = npy_begin(array, NPY_MATRIX);
    source->rows = array->rows;
    source->dims = array->dims;
    return code;
}
