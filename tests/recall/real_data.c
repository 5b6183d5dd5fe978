/* Reading .npy and .jsonl. Called by the tests of this folder. Any surprise ends the program: these
 * files are as they are. */
#include "recall/real_data.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_BYTES = 4096, HEADER_BYTES = 10, HEADER_TEXT_BYTES = 1024 };

static const char *folder(void)
{
    const char *given = getenv("EDB_DATA");
    return given != NULL ? given : "../shared/data";
}

static void stop(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

static void stop(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\n");
    exit(1);
}

void real_data_expect(const char *name)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/%s", folder(), name);
    if (access(path, R_OK) == 0)
        return;
    printf("skipped: there is no real data at %s (set EDB_DATA)\n", path);
    exit(DATA_ABSENT);
}

static FILE *open_data(const char *name)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/%s", folder(), name);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        stop("cannot read %s", path);
    return file;
}

/* The shape of a two-dimensional matrix, from the header's text. Returns whether it is stored
 * column by column. */
static bool read_header(FILE *file, const char *name, const char *type, struct matrix *matrix)
{
    unsigned char header[HEADER_BYTES];
    char text[HEADER_TEXT_BYTES];
    if (fread(header, 1, sizeof header, file) != sizeof header ||
        memcmp(header, "\x93NUMPY\x01", 7) != 0)
        stop("%s: not an .npy file of version 1", name);
    size_t bytes = header[8] | (size_t)header[9] << 8;
    if (bytes >= sizeof text || fread(text, 1, bytes, file) != bytes)
        stop("%s: no header", name);
    text[bytes] = '\0';
    const char *shape = strstr(text, "'shape': (");
    if (shape == NULL || sscanf(shape, "'shape': (%zu, %zu)", &matrix->rows, &matrix->columns) != 2)
        stop("%s: no shape in %s", name, text);
    if (strstr(text, type) == NULL)
        stop("%s: not of type %s: %s", name, type, text);
    return strstr(text, "'fortran_order': True") != NULL;
}

static void transpose(struct matrix *matrix)
{
    size_t width = matrix->width;
    char *from = matrix->bytes, *to = malloc(matrix->rows * matrix->columns * width);
    if (to == NULL)
        stop("no memory to transpose %zu rows", matrix->rows);
    for (size_t row = 0; row < matrix->rows; row++)
        for (size_t column = 0; column < matrix->columns; column++)
            memcpy(to + (row * matrix->columns + column) * width,
                   from + (column * matrix->rows + row) * width, width);
    free(from);
    matrix->bytes = to;
}

struct matrix matrix_read(const char *name, const char *type)
{
    struct matrix matrix = {.width = strcmp(type, "|u1") == 0 ? 1 : 4};
    FILE *file = open_data(name);
    bool by_columns = read_header(file, name, type, &matrix);
    size_t count = matrix.rows * matrix.columns;
    matrix.bytes = malloc(count * matrix.width);
    if (matrix.bytes == NULL || fread(matrix.bytes, matrix.width, count, file) != count)
        stop("%s: shorter than its header says", name);
    fclose(file);
    if (by_columns)
        transpose(&matrix);
    return matrix;
}

void matrix_free(struct matrix *matrix)
{
    free(matrix->bytes);
    matrix->bytes = NULL;
}

struct matrix matrix_widen(const struct matrix *bytes)
{
    struct matrix wide = {.rows = bytes->rows, .columns = bytes->columns, .width = 4};
    size_t count = wide.rows * wide.columns;
    float *floats = malloc(count * sizeof *floats);
    if (floats == NULL)
        stop("no memory for %zu floats", count);
    for (size_t i = 0; i < count; i++)
        floats[i] = ((const uint8_t *)bytes->bytes)[i];
    wide.bytes = floats;
    return wide;
}

json_t *lines_read(const char *name)
{
    json_t *all = json_array();
    FILE *file = open_data(name);
    char *line = NULL;
    size_t capacity = 0;
    while (getline(&line, &capacity, file) > 0) {
        json_error_t error;
        json_t *object = json_loads(line, 0, &error);
        if (object == NULL)
            stop("%s: line %zu: %s", name, json_array_size(all) + 1, error.text);
        json_array_append_new(all, object);
    }
    free(line);
    fclose(file);
    return all;
}
