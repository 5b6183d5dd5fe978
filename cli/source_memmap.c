/* Numbers without any header, as numpy.memmap and C programs leave them: only the command line
 * knows what they are. */
#include <inttypes.h>

#include "report_error.h"
#include "source_matrix.h"

static int open_rows(struct source *source, const struct input *input,
                     const struct source_wish *wish);

const struct source_kind source_memmap = {
    .name = "memmap",
    .endings = "mmap|dat|raw",
    .options = "dtype",
    .open = open_rows,
    .next = source_matrix_next,
    .skip = source_matrix_skip,
    .close = source_matrix_close,
};

static int open_rows(struct source *source, const struct input *input,
                     const struct source_wish *wish)
{
    int code = source_matrix_open(source, input);
    if (code != CODE_OK)
        return code;
    struct matrix *matrix = source_matrix(source);
    const char *dtype = wish->dtype != NULL ? wish->dtype : "float32";
    if (wish->dims == 0)
        return report_error(CODE_USAGE,
                            "%s: a memmap has no header: say how many numbers a row has with "
                            "--dims, and what they are with --dtype (float32)",
                            input->name);
    if (!element_find(dtype, &matrix->element))
        return report_error(CODE_USAGE,
                            "--dtype %s: give one of " ELEMENT_WORDS ", or as NumPy "
                            "writes it, like <f4",
                            dtype);
    uint64_t row_bytes = (uint64_t)wish->dims * matrix->element.bytes;
    matrix->dims = wish->dims;
    matrix->rows = input->is_regular ? input->bytes / row_bytes : SOURCE_ROWS_UNKNOWN;
    if (input->is_regular && input->bytes % row_bytes != 0)
        return report_error(CODE_BAD_DATA,
                            "%s: its %" PRIu64
                            " bytes are no whole number of rows of %u %s (%" PRIu64
                            " bytes each): give other --dims or --dtype, or the rest of it",
                            input->name, input->bytes, wish->dims, dtype, row_bytes);
    return source_matrix_begin(source, 0);
}
