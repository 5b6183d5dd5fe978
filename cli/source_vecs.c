/* .fvecs, .bvecs and .ivecs of the TEXMEX corpora: each row is its number of dims (32 bits,
 * little-endian) and then that many float32, uint8 or int32. There is no header. */
#include <inttypes.h>

#include <embedcache.h>

#include "report_error.h"
#include "source_matrix.h"

enum { DIMS_BYTES = 4 };

static int is_surely_fvecs(const struct input *input);
static int open_fvecs(struct source *source, const struct input *input,
                      const struct source_wish *wish);
static int open_bvecs(struct source *source, const struct input *input,
                      const struct source_wish *wish);
static int open_ivecs(struct source *source, const struct input *input,
                      const struct source_wish *wish);
static int open_vecs(struct source *source, const struct input *input, struct element_type element);

const struct source_kind source_fvecs = {
    .name = "fvecs",
    .is_surely = is_surely_fvecs,
    .open = open_fvecs,
    .next = source_matrix_next,
    .skip = source_matrix_skip,
    .close = source_matrix_close,
};

const struct source_kind source_bvecs = {
    .name = "bvecs",
    .open = open_bvecs,
    .next = source_matrix_next,
    .skip = source_matrix_skip,
    .close = source_matrix_close,
};

const struct source_kind source_ivecs = {
    .name = "ivecs",
    .open = open_ivecs,
    .next = source_matrix_next,
    .skip = source_matrix_skip,
    .close = source_matrix_close,
};

/* Two rows that say the same of themselves, in a file that is so long. (.ivecs looks the same; its
 * name tells it.) */
static int is_surely_fvecs(const struct input *input)
{
    if (!input->is_regular || input->head_bytes < DIMS_BYTES)
        return 0;
    uint32_t dims = byte_u32(input->head);
    uint64_t row_bytes = DIMS_BYTES + (uint64_t)dims * 4;
    if (dims == 0 || dims > EDB_DIMS_MAX || input->bytes % row_bytes != 0)
        return 0;
    return row_bytes + DIMS_BYTES <= input->head_bytes && byte_u32(input->head + row_bytes) == dims;
}

static int open_fvecs(struct source *source, const struct input *input,
                      const struct source_wish *wish)
{
    (void)wish;
    return open_vecs(source, input, (struct element_type){ELEMENT_F32, 4, 0});
}

static int open_bvecs(struct source *source, const struct input *input,
                      const struct source_wish *wish)
{
    (void)wish;
    return open_vecs(source, input, (struct element_type){ELEMENT_U8, 1, 0});
}

static int open_ivecs(struct source *source, const struct input *input,
                      const struct source_wish *wish)
{
    (void)wish;
    return open_vecs(source, input, (struct element_type){ELEMENT_I32, 4, 0});
}

static int open_vecs(struct source *source, const struct input *input, struct element_type element)
{
    int code = source_matrix_open(source, input);
    if (code != CODE_OK)
        return code;
    struct matrix *matrix = source_matrix(source);
    if (input->head_bytes < DIMS_BYTES)
        return report_error(CODE_BAD_DATA,
                            "%s: it has %zu bytes: a .%s file begins with the dims of its first "
                            "row, 4 bytes",
                            input->name, input->head_bytes, source->kind->name);
    matrix->element = element;
    matrix->has_row_dims = 1;
    matrix->dims = byte_u32(input->head);
    uint64_t row_bytes = DIMS_BYTES + (uint64_t)matrix->dims * element.bytes;
    matrix->rows = input->is_regular ? input->bytes / row_bytes : SOURCE_ROWS_UNKNOWN;
    int is_ragged = input->is_regular && input->bytes % row_bytes != 0;
    if (is_ragged && matrix->dims > 0 && matrix->dims <= EDB_DIMS_MAX)
        return report_error(CODE_BAD_DATA,
                            "%s: its first row has %u numbers, and its %" PRIu64
                            " bytes are no whole number of such rows (%" PRIu64
                            " bytes each): it is truncated, or no .%s file",
                            input->name, matrix->dims, input->bytes, row_bytes, source->kind->name);
    return source_matrix_begin(source, 0);
}
