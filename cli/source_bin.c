/* .fbin, .u8bin and .i8bin of the BIGANN challenges: rows and dims (32 bits each, little-endian),
 * then the numbers. */
#include <embedcache.h>

#include "report_error.h"
#include "source_matrix.h"

enum { HEADER_BYTES = 8 };

static int is_surely_fbin(const struct input *input);
static int open_fbin(struct source *source, const struct input *input,
                     const struct source_wish *wish);
static int open_u8bin(struct source *source, const struct input *input,
                      const struct source_wish *wish);
static int open_i8bin(struct source *source, const struct input *input,
                      const struct source_wish *wish);
static int open_bin(struct source *source, const struct input *input, struct element_type element);

const struct source_kind source_fbin = {
    .name = "fbin",
    .is_surely = is_surely_fbin,
    .open = open_fbin,
    .next = source_matrix_next,
    .skip = source_matrix_skip,
    .close = source_matrix_close,
};

const struct source_kind source_u8bin = {
    .name = "u8bin",
    .open = open_u8bin,
    .next = source_matrix_next,
    .skip = source_matrix_skip,
    .close = source_matrix_close,
};

const struct source_kind source_i8bin = {
    .name = "i8bin",
    .open = open_i8bin,
    .next = source_matrix_next,
    .skip = source_matrix_skip,
    .close = source_matrix_close,
};

/* The length is exactly what the first eight bytes promise of float32. (uint8 and int8 look the
 * same to each other; their names tell them.) */
static int is_surely_fbin(const struct input *input)
{
    if (!input->is_regular || input->head_bytes < HEADER_BYTES)
        return 0;
    uint64_t rows = byte_u32(input->head);
    uint64_t dims = byte_u32(input->head + 4);
    return rows > 0 && dims > 0 && dims <= EDB_DIMS_MAX &&
           input->bytes == HEADER_BYTES + rows * dims * 4;
}

static int open_fbin(struct source *source, const struct input *input,
                     const struct source_wish *wish)
{
    (void)wish;
    return open_bin(source, input, (struct element_type){ELEMENT_F32, 4, 0});
}

static int open_u8bin(struct source *source, const struct input *input,
                      const struct source_wish *wish)
{
    (void)wish;
    return open_bin(source, input, (struct element_type){ELEMENT_U8, 1, 0});
}

static int open_i8bin(struct source *source, const struct input *input,
                      const struct source_wish *wish)
{
    (void)wish;
    return open_bin(source, input, (struct element_type){ELEMENT_I8, 1, 0});
}

static int open_bin(struct source *source, const struct input *input, struct element_type element)
{
    unsigned char header[HEADER_BYTES];
    int code = source_matrix_open(source, input);
    if (code != CODE_OK)
        return code;
    struct matrix *matrix = source_matrix(source);
    code = matrix_header(matrix, header, sizeof header, "its header of 8 bytes");
    if (code != CODE_OK)
        return code;
    matrix->rows = byte_u32(header);
    matrix->dims = byte_u32(header + 4);
    matrix->element = element;
    return source_matrix_begin(source, 0);
}
