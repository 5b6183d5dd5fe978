/* Lines of JSON, {"key": ..., "vector": [...], "text": ..., "metadata": {...}}, as a source. What
 * may be wrong with a line is named by record_read.c; here with its vector. */
#include <embedcache.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "float_list.h"
#include "report_error.h"
#include "source.h"
#include "text_style.h"

struct jsonl {
    struct record_reader reader;
    struct record first; /* read when the source was opened, for its dims */
    float *first_vector;
    int has_first;
};

static int is_surely(const struct input *input);
static int open_lines(struct source *source, const struct input *input,
                      const struct source_wish *wish);
static int read_first(struct source *source, struct jsonl *lines, const struct source_wish *wish);
static int take_first(struct source *source, struct jsonl *lines);
static int begin_empty(struct source *source, const struct source_wish *wish);
static int next_line(struct source *source, struct record *record, float *vector_out);
static int next_record(struct jsonl *lines, struct record *record);
static int read_vector(struct jsonl *lines, const struct record *record, uint32_t dims,
                       float *vector_out);
static int refuse_vector(struct jsonl *lines, const char *wrong);
static int skip_lines(struct source *source, uint64_t rows);
static void close_lines(struct source *source);

const struct source_kind source_jsonl = {
    .name = "jsonl",
    .endings = "ndjson",
    .options = "key-field|text-field|metadata-field|metadata-rest|vector-field|cost-field",
    .is_surely = is_surely,
    .open = open_lines,
    .next = next_line,
    .skip = skip_lines,
    .close = close_lines,
};

static int is_surely(const struct input *input)
{
    size_t at = input_begins(input, "\xef\xbb\xbf") ? 3 : 0;
    while (at < input->head_bytes && memchr(" \t\r\n", input->head[at], 4) != NULL)
        at++;
    return at < input->head_bytes && input->head[at] == '{';
}

static int open_lines(struct source *source, const struct input *input,
                      const struct source_wish *wish)
{
    struct record_fields fields = source_fields(wish);
    struct jsonl *lines = calloc(1, sizeof *lines);
    source->state = lines;
    if (lines == NULL) {
        input_close(input->descriptor);
        return report_no_memory();
    }
    source->rows = SOURCE_ROWS_UNKNOWN;
    source->brings_keys = fields.key != NULL;
    int code = record_open_input(&lines->reader, input, &fields);
    lines->reader.vector_field = wish->vector_field != NULL ? wish->vector_field : "vector";
    return code == CODE_OK ? read_first(source, lines, wish) : code;
}

/* The first line says how many numbers a vector has, or that there are values in place of
 * vectors. */
static int read_first(struct source *source, struct jsonl *lines, const struct source_wish *wish)
{
    int code = next_record(lines, &lines->first);
    source->space = lines->reader.space;
    if (code == CODE_END)
        return begin_empty(source, wish);
    if (code != CODE_OK)
        return code;
    lines->has_first = 1;
    return lines->first.value != NULL ? CODE_OK : take_first(source, lines);
}

static int take_first(struct source *source, struct jsonl *lines)
{
    /* A number and what parts it from the next are two characters at least. */
    size_t room = lines->first.vector_bytes / 2 + 1;
    struct float_list_found found;
    char count[STYLE_COUNT_BYTES];
    char limit[STYLE_COUNT_BYTES];
    if (lines->first.vector == NULL)
        return refuse_vector(lines, "is not there, or no list of numbers: name it with "
                                    "--vector-field");
    lines->first_vector = malloc(room * sizeof *lines->first_vector);
    if (lines->first_vector == NULL)
        return report_no_memory();
    const char *wrong = float_list_read(lines->first.vector, lines->first.vector_bytes,
                                        FLOAT_LIST_JSON, lines->first_vector, room, &found);
    if (wrong != NULL)
        return refuse_vector(lines, wrong);
    if (found.count > EDB_DIMS_MAX) {
        line_refuse(&lines->reader.lines, "\"%s\" has %s numbers: a vector has at most %s",
                    lines->reader.vector_field, style_count(found.count, count),
                    style_count(EDB_DIMS_MAX, limit));
        return CODE_BAD_DATA;
    }
    source->dims = (uint32_t)found.count;
    return CODE_OK;
}

/* No rows: dims come from the command line, or from the export that had none. */
static int begin_empty(struct source *source, const struct source_wish *wish)
{
    const json_t *dims = json_object_get(source->space, "dims");
    source->rows = 0;
    source->dims = wish->dims;
    if (json_is_integer(dims) && json_integer_value(dims) >= 0 &&
        json_integer_value(dims) <= EDB_DIMS_MAX)
        source->dims = (uint32_t)json_integer_value(dims);
    else if (wish->dims == 0)
        return report_error(CODE_BAD_DATA,
                            "%s has no rows: give a file with at least one, or the dims of the "
                            "empty space with --dims",
                            source->name);
    return CODE_OK;
}

static int next_line(struct source *source, struct record *record, float *vector_out)
{
    struct jsonl *lines = source->state;
    if (lines->has_first) {
        lines->has_first = 0;
        *record = lines->first;
        if (source->dims > 0)
            memcpy(vector_out, lines->first_vector, source->dims * sizeof *vector_out);
        return CODE_OK;
    }
    int code = next_record(lines, record);
    if (code != CODE_OK)
        return code;
    if (source->dims > 0)
        return read_vector(lines, record, source->dims, vector_out);
    return record->value != NULL ? CODE_OK
                                 : refuse_vector(lines, "stands where the lines before have a "
                                                        "\"value_base64\": give each line one");
}

/* A line that is refused ends the import. */
static int next_record(struct jsonl *lines, struct record *record)
{
    int code = record_next(&lines->reader, record);
    return code == CODE_REFUSED ? CODE_BAD_DATA : code;
}

static int read_vector(struct jsonl *lines, const struct record *record, uint32_t dims,
                       float *vector_out)
{
    struct float_list_found found;
    if (record->vector == NULL)
        return refuse_vector(lines, "is not there, or no list of numbers: name it with "
                                    "--vector-field");
    const char *wrong = float_list_read(record->vector, record->vector_bytes, FLOAT_LIST_JSON,
                                        vector_out, dims, &found);
    if (wrong != NULL)
        return refuse_vector(lines, wrong);
    if (found.count == dims)
        return CODE_OK;
    line_refuse(&lines->reader.lines,
                "\"%s\" has %zu numbers, the first line's has %u: the vectors of one space are of "
                "one length",
                lines->reader.vector_field, found.count, dims);
    return CODE_BAD_DATA;
}

static int refuse_vector(struct jsonl *lines, const char *wrong)
{
    line_refuse(&lines->reader.lines, "\"%s\" %s", lines->reader.vector_field, wrong);
    return CODE_BAD_DATA;
}

static int skip_lines(struct source *source, uint64_t rows)
{
    struct jsonl *lines = source->state;
    int code = CODE_OK;
    for (uint64_t i = 0; i < rows && code == CODE_OK; i++) {
        if (lines->has_first)
            lines->has_first = 0;
        else
            code = record_skip(&lines->reader);
    }
    return code == CODE_END ? CODE_OK : code == CODE_REFUSED ? CODE_BAD_DATA : code;
}

static void close_lines(struct source *source)
{
    struct jsonl *lines = source->state;
    if (lines != NULL) {
        record_close(&lines->reader);
        free(lines->first_vector);
    }
    free(lines);
    source->state = NULL;
}
