/* The header of a .npy file and what it promises of the rows. Import, put and search read arrays
 * through here. */
#include "npy_read.h"

#include <embedcache.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "npy_header.h"
#include "report_error.h"
#include "text_style.h"

enum { PREFIX_BYTES = 12, HEADER_BYTES_MAX = 65536 };

static int read_header(struct matrix *array, struct npy_header *header);
static int read_prefix(struct matrix *array, unsigned char prefix[PREFIX_BYTES],
                       uint32_t *length_out);
static int take_type(struct matrix *array, const char *descr);
static int take_shape(struct matrix *array, const struct npy_header *header, int shapes);
static void print_shape(const struct npy_header *header, char *out, size_t out_bytes);

int npy_open(struct matrix *array, const char *path, int shapes)
{
    struct input input;
    memset(array, 0, sizeof *array);
    int code = input_open(&input, path);
    if (code == CODE_OK && input.is_directory) {
        input_close(input.descriptor);
        code = report_error(CODE_IO, "cannot read %s: it is a directory", path);
    }
    if (code == CODE_OK)
        code = matrix_open(array, &input);
    return code == CODE_OK ? npy_begin(array, shapes) : code;
}

int npy_begin(struct matrix *array, int shapes)
{
    struct npy_header header;
    int code = read_header(array, &header);
    if (code == CODE_OK)
        code = take_type(array, header.descr);
    if (code == CODE_OK)
        code = take_shape(array, &header, shapes);
    return code == CODE_OK ? matrix_begin(array, 0) : code;
}

static int read_header(struct matrix *array, struct npy_header *header)
{
    unsigned char prefix[PREFIX_BYTES] = {0};
    char count[STYLE_COUNT_BYTES];
    char limit[STYLE_COUNT_BYTES];
    uint32_t length = 0;
    int code = read_prefix(array, prefix, &length);
    if (code != CODE_OK)
        return code;
    if (length > HEADER_BYTES_MAX)
        return report_error(
            CODE_BAD_DATA, "%s: its header has %s bytes: that of a plain array has at most %s",
            array->bytes.name, style_count(length, count), style_count(HEADER_BYTES_MAX, limit));
    char *text = malloc((size_t)length + 1);
    if (text == NULL)
        return report_no_memory();
    code = matrix_header(array, text, length, "its header");
    const char *wrong = code == CODE_OK ? npy_parse_header(text, length, header) : NULL;
    free(text);
    return wrong != NULL ? matrix_refuse(array, wrong) : code;
}

/* Magic, version and the header's length. */
static int read_prefix(struct matrix *array, unsigned char prefix[PREFIX_BYTES],
                       uint32_t *length_out)
{
    size_t got;
    int code = byte_read(&array->bytes, prefix, 8, &got);
    if (code != CODE_OK)
        return code;
    if (got < 8 || memcmp(prefix, "\x93NUMPY", 6) != 0)
        return matrix_refuse(array, "it is no .npy file: save the array with numpy.save");
    if (prefix[6] < 1 || prefix[6] > 3 || prefix[7] != 0)
        return matrix_refuse(array,
                             "its .npy version is unknown: save it with numpy.save of today");
    size_t length_bytes = prefix[6] == 1 ? 2 : 4;
    code = matrix_header(array, prefix + 8, length_bytes, "its header");
    *length_out = byte_u32(prefix + 8);
    return code;
}

static int take_type(struct matrix *array, const char *descr)
{
    int is_code = descr[0] == '<' || descr[0] == '>' || descr[0] == '|' || descr[0] == '=' ||
                  strlen(descr) == 2;
    if (is_code && element_find(descr, &array->element))
        return CODE_OK;
    return report_error(
        CODE_BAD_DATA,
        "%s: its elements are \"%s\": float16, float32, float64, uint8 and int8 are read; "
        "convert it with array.astype(\"float32\")",
        array->bytes.name, descr);
}

static int take_shape(struct matrix *array, const struct npy_header *header, int shapes)
{
    char shape[96];
    print_shape(header, shape, sizeof shape);
    int is_vector = header->rank == 1 && (shapes & NPY_VECTOR_ALLOWED);
    if (header->rank != 2 && !is_vector)
        return report_error(CODE_BAD_DATA,
                            "%s: its shape is %s: two dimensions (rows, dims) are needed",
                            array->bytes.name, shape);
    if (header->fortran_order && !is_vector)
        return matrix_refuse(array, "it is in Fortran order: save numpy.ascontiguousarray(array)");
    uint64_t dims = header->shape[header->rank - 1];
    if (dims == 0 || dims > EDB_DIMS_MAX)
        return report_error(CODE_BAD_DATA,
                            "%s: its shape is %s: rows of 1 to %u numbers are stored",
                            array->bytes.name, shape, EDB_DIMS_MAX);
    array->dims = (uint32_t)dims;
    array->rows = is_vector ? 1 : header->shape[0];
    if (array->rows > INT64_MAX / (dims * array->element.bytes))
        return report_error(CODE_BAD_DATA, "%s: its shape %s is larger than any file can be",
                            array->bytes.name, shape);
    return CODE_OK;
}

static void print_shape(const struct npy_header *header, char *out, size_t out_bytes)
{
    size_t used = (size_t)snprintf(out, out_bytes, "(");
    for (size_t i = 0; i < header->rank && used + 24 < out_bytes; i++)
        used += (size_t)snprintf(out + used, out_bytes - used, "%s%" PRIu64, i == 0 ? "" : ", ",
                                 header->shape[i]);
    snprintf(out + used, out_bytes - used, header->rank == 1 ? ",)" : ")");
}
