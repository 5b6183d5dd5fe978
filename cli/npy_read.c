/* Rows of a .npy file as float32, streamed: one row is in memory. Import, put and search read
 * arrays through here. Values that float32 cannot hold are refused, never clipped; float64 is
 * rounded to the nearest float32. */
#include "npy_read.h"

#include <embedcache.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "npy_header.h"
#include "report_error.h"

enum { PREFIX_BYTES = 12, HEADER_BYTES_MAX = 65536, FILE_BUFFER_BYTES = 1048576 };

static int open_file(struct npy_array *array, const char *path);
static int read_header(struct npy_array *array, struct npy_header *header, uint64_t *data_at);
static int read_exactly(struct npy_array *array, void *bytes, size_t count, const char *what);
static int take_type(struct npy_array *array, const char *descr);
static int take_shape(struct npy_array *array, const struct npy_header *header, int shapes);
static int check_size(struct npy_array *array, uint64_t data_at);
static int refuse(const struct npy_array *array, const char *wrong);
static void print_shape(const struct npy_header *header, char *out, size_t out_bytes);
static int convert_row(struct npy_array *array, float *vector_out);
static uint64_t load_item(const struct npy_array *array, size_t index);
static float widen_half(uint32_t half);
static int refuse_value(const struct npy_array *array, size_t element, uint64_t item);

int npy_open(struct npy_array *array, const char *path, int shapes)
{
    struct npy_header header;
    uint64_t data_at = 0;
    memset(array, 0, sizeof *array);
    int code = open_file(array, path);
    if (code == CODE_OK)
        code = read_header(array, &header, &data_at);
    if (code == CODE_OK)
        code = take_type(array, header.descr);
    if (code == CODE_OK)
        code = take_shape(array, &header, shapes);
    if (code == CODE_OK)
        code = check_size(array, data_at);
    if (code == CODE_OK) {
        array->row = malloc((size_t)array->dims * array->item_bytes);
        code = array->row == NULL ? report_no_memory() : CODE_OK;
    }
    if (code != CODE_OK)
        npy_close(array);
    return code;
}

int npy_next_row(struct npy_array *array, float *vector_out)
{
    size_t bytes = (size_t)array->dims * array->item_bytes;
    int code = read_exactly(array, array->row, bytes, "its rows");
    if (code == CODE_OK)
        code = convert_row(array, vector_out);
    array->next_row += code == CODE_OK;
    return code;
}

int npy_skip_rows(struct npy_array *array, uint64_t rows)
{
    size_t bytes = (size_t)array->dims * array->item_bytes;
    int code = CODE_OK;
    for (uint64_t i = 0; i < rows && code == CODE_OK; i++)
        code = read_exactly(array, array->row, bytes, "its rows");
    array->next_row += rows;
    return code;
}

void npy_close(struct npy_array *array)
{
    if (array->file != NULL && array->file != stdin)
        fclose(array->file);
    free(array->row);
    memset(array, 0, sizeof *array);
}

static int open_file(struct npy_array *array, const char *path)
{
    int is_stdin = strcmp(path, "-") == 0;
    array->name = is_stdin ? "standard input" : path;
    array->file = is_stdin ? stdin : fopen(path, "rbe");
    if (array->file == NULL)
        return report_error(CODE_IO, "cannot read %s: %s", path, strerror(errno));
    setvbuf(array->file, NULL, _IOFBF, FILE_BUFFER_BYTES);
    return CODE_OK;
}

static int read_header(struct npy_array *array, struct npy_header *header, uint64_t *data_at)
{
    unsigned char prefix[PREFIX_BYTES];
    int code = read_exactly(array, prefix, 8, NULL);
    if (code != CODE_OK)
        return code;
    if (memcmp(prefix, "\x93NUMPY", 6) != 0)
        return refuse(array, "it is no .npy file: save the array with numpy.save");
    if (prefix[6] < 1 || prefix[6] > 3 || prefix[7] != 0)
        return refuse(array, "its .npy version is unknown: save it with numpy.save of today");
    size_t length_bytes = prefix[6] == 1 ? 2 : 4;
    code = read_exactly(array, prefix + 8, length_bytes, "its header");
    if (code != CODE_OK)
        return code;
    uint32_t length = prefix[8] | (uint32_t)prefix[9] << 8;
    if (length_bytes == 4)
        length |= (uint32_t)prefix[10] << 16 | (uint32_t)prefix[11] << 24;
    if (length > HEADER_BYTES_MAX)
        return refuse(array, "its header is longer than 65,536 bytes: no plain array");
    char *text = malloc((size_t)length + 1);
    if (text == NULL)
        return report_no_memory();
    code = read_exactly(array, text, length, "its header");
    const char *wrong = code == CODE_OK ? npy_parse_header(text, length, header) : NULL;
    free(text);
    *data_at = 8 + length_bytes + length;
    return wrong != NULL ? refuse(array, wrong) : code;
}

static int read_exactly(struct npy_array *array, void *bytes, size_t count, const char *what)
{
    size_t got = 0;
    while (got < count) {
        errno = 0;
        got += fread((char *)bytes + got, 1, count - got, array->file);
        if (got == count)
            break;
        if (ferror(array->file) && errno != EINTR)
            return report_error(CODE_IO, "cannot read %s: %s", array->name, strerror(errno));
        if (feof(array->file) && what == NULL)
            return refuse(array, "it is no .npy file: save the array with numpy.save");
        if (feof(array->file))
            return report_error(CODE_BAD_DATA,
                                "%s: it ends inside %s (row %" PRIu64 "): it is truncated",
                                array->name, what, array->next_row);
        clearerr(array->file);
    }
    return CODE_OK;
}

static int take_type(struct npy_array *array, const char *descr)
{
    static const struct {
        const char *code;
        enum npy_kind kind;
        uint32_t item_bytes;
    } types[] = {
        {"f2", NPY_F16, 2}, {"f4", NPY_F32, 4}, {"f8", NPY_F64, 8},
        {"u1", NPY_U8, 1},  {"i1", NPY_I8, 1},
    };
    int has_order = descr[0] == '<' || descr[0] == '>' || descr[0] == '|' || descr[0] == '=';
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        int is_wide = types[i].item_bytes > 1;
        if (strcmp(descr + has_order, types[i].code) != 0 ||
            (is_wide && (!has_order || descr[0] == '|')))
            continue;
        array->kind = types[i].kind;
        array->item_bytes = types[i].item_bytes;
        array->is_big_endian = descr[0] == '>';
        return CODE_OK;
    }
    return report_error(
        CODE_BAD_DATA,
        "%s: its elements are \"%s\": float16, float32, float64, uint8 and int8 are read; "
        "convert it with array.astype(\"float32\")",
        array->name, descr);
}

static int take_shape(struct npy_array *array, const struct npy_header *header, int shapes)
{
    char shape[96];
    print_shape(header, shape, sizeof shape);
    int is_vector = header->rank == 1 && (shapes & NPY_VECTOR_ALLOWED);
    if (header->rank != 2 && !is_vector)
        return report_error(CODE_BAD_DATA,
                            "%s: its shape is %s: two dimensions (rows, dims) are needed",
                            array->name, shape);
    if (header->fortran_order && !is_vector)
        return refuse(array, "it is in Fortran order: save numpy.ascontiguousarray(array)");
    uint64_t dims = header->shape[header->rank - 1];
    if (dims == 0 || dims > EDB_DIMS_MAX)
        return report_error(CODE_BAD_DATA,
                            "%s: its shape is %s: rows of 1 to %u numbers are stored", array->name,
                            shape, EDB_DIMS_MAX);
    array->dims = (uint32_t)dims;
    array->rows = is_vector ? 1 : header->shape[0];
    if (array->rows > INT64_MAX / (dims * array->item_bytes))
        return report_error(CODE_BAD_DATA, "%s: its shape %s is larger than any file can be",
                            array->name, shape);
    return CODE_OK;
}

/* A regular file has exactly the bytes that the header promises; a pipe is found out while
 * reading. */
static int check_size(struct npy_array *array, uint64_t data_at)
{
    struct stat status;
    if (fstat(fileno(array->file), &status) != 0 || !S_ISREG(status.st_mode) ||
        array->file == stdin)
        return CODE_OK;
    uint64_t needed = array->rows * array->dims * array->item_bytes;
    uint64_t present = (uint64_t)status.st_size - data_at;
    if (needed == present)
        return CODE_OK;
    return report_error(CODE_BAD_DATA,
                        "%s: %" PRIu64 " rows of %u numbers need %" PRIu64
                        " bytes after the header, it has %" PRIu64 ": it is %s",
                        array->name, array->rows, array->dims, needed, present,
                        present < needed ? "truncated" : "no single array");
}

static int refuse(const struct npy_array *array, const char *wrong)
{
    return report_error(CODE_BAD_DATA, "%s: %s", array->name, wrong);
}

static void print_shape(const struct npy_header *header, char *out, size_t out_bytes)
{
    size_t used = (size_t)snprintf(out, out_bytes, "(");
    for (size_t i = 0; i < header->rank && used + 24 < out_bytes; i++)
        used += (size_t)snprintf(out + used, out_bytes - used, "%s%" PRIu64, i == 0 ? "" : ", ",
                                 header->shape[i]);
    snprintf(out + used, out_bytes - used, header->rank == 1 ? ",)" : ")");
}

static int convert_row(struct npy_array *array, float *vector_out)
{
    for (size_t i = 0; i < array->dims; i++) {
        uint64_t item = load_item(array, i);
        uint32_t low = (uint32_t)item;
        double wide;
        switch (array->kind) {
        case NPY_F32:
            memcpy(&vector_out[i], &low, sizeof low);
            break;
        case NPY_F16:
            vector_out[i] = widen_half(low);
            break;
        case NPY_F64:
            memcpy(&wide, &item, sizeof wide);
            vector_out[i] = (float)wide;
            break;
        case NPY_U8:
            vector_out[i] = (float)low;
            break;
        case NPY_I8:
            vector_out[i] = (float)(low < 128 ? (int)low : (int)low - 256);
            break;
        }
        if (!isfinite(vector_out[i]))
            return refuse_value(array, i, item);
    }
    return CODE_OK;
}

static uint64_t load_item(const struct npy_array *array, size_t index)
{
    const unsigned char *from = array->row + index * array->item_bytes;
    uint64_t item = 0;
    for (uint32_t i = 0; i < array->item_bytes; i++) {
        uint32_t place = array->is_big_endian ? array->item_bytes - 1 - i : i;
        item |= (uint64_t)from[i] << (8 * place);
    }
    return item;
}

/* IEEE half to float: every half is a float. */
static float widen_half(uint32_t half)
{
    uint32_t exponent = half >> 10 & 31;
    uint32_t fraction = half & 1023;
    float value;
    if (exponent == 31)
        value = fraction == 0 ? INFINITY : NAN;
    else if (exponent == 0)
        value = ldexpf((float)fraction, -24);
    else
        value = ldexpf((float)(fraction + 1024), (int)exponent - 25);
    return half & 0x8000 ? -value : value;
}

static int refuse_value(const struct npy_array *array, size_t element, uint64_t item)
{
    double wide = 0;
    if (array->kind == NPY_F64)
        memcpy(&wide, &item, sizeof wide);
    int too_large = wide != 0 && isfinite(wide);
    return report_error(
        CODE_BAD_DATA, "%s: row %" PRIu64 ", element %zu %s: only finite float32 values are stored",
        array->name, array->next_row, element,
        too_large ? "does not fit float32" : "is NaN or infinite");
}
