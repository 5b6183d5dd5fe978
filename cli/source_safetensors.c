/* One two-dimensional tensor of a safetensors file: eight bytes of header length, a header in JSON,
 * then the tensors' bytes. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report_error.h"
#include "source_matrix.h"
#include "text_style.h"

enum { LENGTH_BYTES = 8, HEADER_BYTES_MAX = 4194304, NAMES_BYTES = 512 };

/* Where a tensor's bytes lie, from the end of the header on. */
struct extent {
    uint64_t begin;
    uint64_t end;
};

static int is_surely(const struct input *input);
static int open_tensor(struct source *source, const struct input *input,
                       const struct source_wish *wish);
static int read_header(struct matrix *matrix, json_t **header_out);
static int choose_tensor(const struct matrix *matrix, json_t *header, const char *wanted,
                         json_t **tensor_out);
static int is_matrix(const json_t *tensor);
static void list_names(json_t *header, char out[NAMES_BYTES]);
static int take_tensor(struct matrix *matrix, json_t *tensor, struct extent *extent);
static int take_type(struct matrix *matrix, const char *dtype);
static int take_number(const json_t *list, size_t index, uint64_t *number_out);
static uint64_t load_length(const unsigned char *from);

const struct source_kind source_safetensors = {
    .name = "safetensors",
    .options = "tensor",
    .is_surely = is_surely,
    .open = open_tensor,
    .next = source_matrix_next,
    .skip = source_matrix_skip,
    .close = source_matrix_close,
};

static int is_surely(const struct input *input)
{
    if (input->head_bytes <= LENGTH_BYTES || input->head[LENGTH_BYTES] != '{')
        return 0;
    uint64_t length = load_length(input->head);
    return length >= 2 && length <= 100000000 && input->head[7] == 0;
}

static int open_tensor(struct source *source, const struct input *input,
                       const struct source_wish *wish)
{
    json_t *header = NULL;
    json_t *tensor = NULL;
    struct extent extent = {0, 0};
    int code = source_matrix_open(source, input);
    if (code != CODE_OK)
        return code;
    struct matrix *matrix = source_matrix(source);
    code = read_header(matrix, &header);
    if (code == CODE_OK)
        code = choose_tensor(matrix, header, wish->tensor, &tensor);
    if (code == CODE_OK)
        code = take_tensor(matrix, tensor, &extent);
    json_decref(header);
    uint64_t data = matrix->bytes.at;
    uint64_t present = input->bytes > data ? input->bytes - data : 0;
    if (code == CODE_OK && input->is_regular && extent.end > present)
        return report_error(CODE_BAD_DATA,
                            "%s: its tensor ends at byte %" PRIu64
                            " behind the header, the file has %" PRIu64 ": it is truncated",
                            input->name, extent.end, present);
    if (code == CODE_OK)
        code = byte_skip(&matrix->bytes, extent.begin);
    return code == CODE_OK ? source_matrix_begin(source, present - extent.end) : code;
}

static int read_header(struct matrix *matrix, json_t **header_out)
{
    unsigned char length_bytes[LENGTH_BYTES];
    char count[STYLE_COUNT_BYTES];
    char limit[STYLE_COUNT_BYTES];
    json_error_t error;
    int code = matrix_header(matrix, length_bytes, sizeof length_bytes, "its header's length");
    if (code != CODE_OK)
        return code;
    uint64_t length = load_length(length_bytes);
    if (length < 2 || length > HEADER_BYTES_MAX)
        return report_error(CODE_BAD_DATA,
                            "%s: its header has %s bytes: a safetensors header of 2 to %s bytes is "
                            "read",
                            matrix->bytes.name, style_count(length, count),
                            style_count(HEADER_BYTES_MAX, limit));
    char *text = malloc((size_t)length);
    if (text == NULL)
        return report_no_memory();
    code = matrix_header(matrix, text, (size_t)length, "its header");
    if (code == CODE_OK) {
        *header_out = json_loadb(text, (size_t)length, JSON_REJECT_DUPLICATES, &error);
        if (!json_is_object(*header_out))
            code = report_error(CODE_BAD_DATA, "%s: its header is no JSON object: %s",
                                matrix->bytes.name, *header_out == NULL ? error.text : "a list");
    }
    free(text);
    return code;
}

static int choose_tensor(const struct matrix *matrix, json_t *header, const char *wanted,
                         json_t **tensor_out)
{
    char names[NAMES_BYTES];
    const char *name;
    json_t *tensor;
    size_t matrices = 0;
    list_names(header, names);
    if (wanted != NULL) {
        *tensor_out = strcmp(wanted, "__metadata__") != 0 ? json_object_get(header, wanted) : NULL;
        if (*tensor_out == NULL)
            return report_error(CODE_USAGE, "%s has no tensor \"%s\": choose --tensor from %s",
                                matrix->bytes.name, wanted, names);
        return CODE_OK;
    }
    json_object_foreach(header, name, tensor)
    {
        if (!is_matrix(tensor))
            continue;
        *tensor_out = tensor;
        matrices++;
    }
    if (matrices == 1)
        return CODE_OK;
    if (matrices == 0)
        return report_error(CODE_BAD_DATA,
                            "%s has no tensor of two dimensions (rows, dims): it "
                            "has %s",
                            matrix->bytes.name, names);
    return report_error(CODE_USAGE, "%s has %zu tensors of two dimensions: choose --tensor from %s",
                        matrix->bytes.name, matrices, names);
}

static int is_matrix(const json_t *tensor)
{
    return json_array_size(json_object_get(tensor, "shape")) == 2;
}

/* The names of the tensors, as many as fit. */
static void list_names(json_t *header, char out[NAMES_BYTES])
{
    const char *name;
    json_t *tensor;
    size_t used = 0;
    snprintf(out, NAMES_BYTES, "none");
    json_object_foreach(header, name, tensor)
    {
        if (strcmp(name, "__metadata__") == 0)
            continue;
        if (used + strlen(name) + 8 >= NAMES_BYTES) {
            snprintf(out + used, NAMES_BYTES - used, ", ...");
            return;
        }
        used +=
            (size_t)snprintf(out + used, NAMES_BYTES - used, "%s%s", used > 0 ? ", " : "", name);
    }
}

static int take_tensor(struct matrix *matrix, json_t *tensor, struct extent *extent)
{
    const json_t *shape = json_object_get(tensor, "shape");
    const json_t *offsets = json_object_get(tensor, "data_offsets");
    const char *dtype = json_string_value(json_object_get(tensor, "dtype"));
    uint64_t dims;
    if (!is_matrix(tensor))
        return matrix_refuse(matrix, "its tensor is not of two dimensions (rows, dims): choose "
                                     "another with --tensor");
    int code = take_type(matrix, dtype != NULL ? dtype : "nothing");
    if (code != CODE_OK)
        return code;
    if (!take_number(shape, 0, &matrix->rows) || !take_number(shape, 1, &dims) ||
        !take_number(offsets, 0, &extent->begin) || !take_number(offsets, 1, &extent->end) ||
        extent->begin > extent->end)
        return matrix_refuse(matrix, "its tensor's shape or data_offsets are no whole numbers in "
                                     "order");
    matrix->dims = dims > UINT32_MAX ? UINT32_MAX : (uint32_t)dims;
    uint64_t bytes = extent->end - extent->begin;
    uint64_t row_bytes = (uint64_t)matrix->dims * matrix->element.bytes;
    if (row_bytes > 0 && (bytes / row_bytes != matrix->rows || bytes % row_bytes != 0))
        return report_error(CODE_BAD_DATA,
                            "%s: its tensor has %" PRIu64 " rows of %u %s in %" PRIu64
                            " bytes: that is not its size",
                            matrix->bytes.name, matrix->rows, matrix->dims, dtype, bytes);
    return CODE_OK;
}

static int take_type(struct matrix *matrix, const char *dtype)
{
    static const char *const names[][2] = {
        {"F32", "float32"}, {"F16", "float16"}, {"BF16", "bfloat16"},
        {"F64", "float64"}, {"U8", "uint8"},    {"I8", "int8"},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(dtype, names[i][0]) == 0 && element_find(names[i][1], &matrix->element))
            return CODE_OK;
    }
    return report_error(CODE_BAD_DATA,
                        "%s: its tensor's elements are \"%s\": F32, F16, BF16, F64, U8 and I8 are "
                        "read",
                        matrix->bytes.name, dtype);
}

static int take_number(const json_t *list, size_t index, uint64_t *number_out)
{
    const json_t *number = json_array_get(list, index);
    if (!json_is_integer(number) || json_integer_value(number) < 0)
        return 0;
    *number_out = (uint64_t)json_integer_value(number);
    return 1;
}

static uint64_t load_length(const unsigned char *from)
{
    return byte_u32(from) | (uint64_t)byte_u32(from + 4) << 32;
}
