/* Vectors of put and search. The list is read by hand rather than by jansson: a decimal that is
 * first rounded to double and then to float may miss the nearest float, and put must take back
 * exactly what get --json gave. */
#include "vector_read.h"

#include <embedcache.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file_read.h"
#include "json_walk.h"
#include "npy_read.h"
#include "report_error.h"
#include "text_style.h"

enum { STDIN_BYTES_MAX = 16777216, NUMBER_BYTES = 64, FIRST_DIMS = 1024 };

struct list {
    const char *at;
    const char *end;
    const char *source;
    float *numbers;
    size_t count;
    size_t capacity;
};

static int read_list(struct list *list);
static int read_number(struct list *list);
static int add_number(struct list *list, float number);
static void skip_blank(struct list *list);
static int refuse_list(const struct list *list, const char *wrong);

int vector_from_json(const char *text, size_t bytes, const char *source, float **vector_out,
                     uint32_t *dims_out)
{
    struct list list = {text, text + bytes, source, NULL, 0, 0};
    int code = read_list(&list);
    if (code != CODE_OK) {
        free(list.numbers);
        list.numbers = NULL;
        list.count = 0;
    }
    *vector_out = list.numbers;
    *dims_out = (uint32_t)list.count;
    return code;
}

int vector_from_npy(const char *path, float **vector_out, uint32_t *dims_out)
{
    struct matrix array;
    *vector_out = NULL;
    *dims_out = 0;
    int code = npy_open(&array, path, NPY_VECTOR_ALLOWED);
    float *vector = NULL;
    if (code == CODE_OK && array.rows != 1)
        code = report_error(CODE_BAD_DATA,
                            "%s has %llu rows, one vector is needed: embedcache import stores many",
                            array.bytes.name, (unsigned long long)array.rows);
    if (code == CODE_OK && (vector = malloc(array.dims * sizeof *vector)) == NULL)
        code = report_no_memory();
    if (code == CODE_OK)
        code = matrix_next(&array, vector);
    if (code == CODE_OK) {
        *vector_out = vector;
        *dims_out = array.dims;
    } else {
        free(vector);
    }
    matrix_close(&array);
    return code;
}

int vector_from_stdin(float **vector_out, uint32_t *dims_out)
{
    char *text;
    size_t bytes;
    *vector_out = NULL;
    *dims_out = 0;
    int code = file_read_whole("-", STDIN_BYTES_MAX, "a vector: give one list only", &text, &bytes);
    if (code == CODE_OK)
        code = vector_from_json(text, bytes, "standard input", vector_out, dims_out);
    free(text);
    return code;
}

static int read_list(struct list *list)
{
    skip_blank(list);
    if (list->at == list->end)
        return refuse_list(list, "is empty, where a vector is needed: write it like [0.25, -1]");
    if (*list->at != '[')
        return refuse_list(list, "is no JSON list of numbers: write it like [0.25, -1]");
    do {
        list->at++;
        int code = read_number(list);
        if (code != CODE_OK)
            return code;
        skip_blank(list);
    } while (list->at < list->end && *list->at == ',');
    if (list->at == list->end || *list->at != ']')
        return refuse_list(list, "has a list that is not closed: end it with ]");
    list->at++;
    skip_blank(list);
    return list->at == list->end ? CODE_OK
                                 : refuse_list(list, "goes on after the list: give one list only");
}

static int read_number(struct list *list)
{
    char number[NUMBER_BYTES];
    skip_blank(list);
    size_t length = json_number_length(list->at, list->end);
    char *decimal = length < sizeof number ? number : malloc(length + 1);
    if (decimal == NULL)
        return report_no_memory();
    memcpy(decimal, list->at, length);
    decimal[length] = '\0';
    float value = strtof(decimal, NULL);
    if (decimal != number)
        free(decimal);
    if (length == 0)
        return report_error(CODE_BAD_DATA,
                            "%s: element %zu of the list is no number: write it like [0.25, -1]",
                            list->source, list->count);
    if (!isfinite(value))
        return report_error(CODE_BAD_DATA,
                            "%s: element %zu does not fit float32: only finite numbers are stored",
                            list->source, list->count);
    list->at += length;
    return add_number(list, value);
}

static int add_number(struct list *list, float number)
{
    char limit[STYLE_COUNT_BYTES];
    if (list->count == EDB_DIMS_MAX)
        return report_error(CODE_BAD_DATA, "%s has more than %s numbers: a vector has no more",
                            list->source, style_count(EDB_DIMS_MAX, limit));
    if (list->count == list->capacity) {
        size_t capacity = list->capacity == 0 ? FIRST_DIMS : list->capacity * 2;
        float *grown = realloc(list->numbers, capacity * sizeof *grown);
        if (grown == NULL)
            return report_no_memory();
        list->numbers = grown;
        list->capacity = capacity;
    }
    list->numbers[list->count++] = number;
    return CODE_OK;
}

static void skip_blank(struct list *list)
{
    list->at = json_skip_blank(list->at, list->end);
}

static int refuse_list(const struct list *list, const char *wrong)
{
    return report_error(CODE_BAD_DATA, "%s %s", list->source, wrong);
}
