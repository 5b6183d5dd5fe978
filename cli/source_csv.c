/* CSV as a source: which column is the key, the text, the metadata, and which one is the vector,
 * or that all other columns are its numbers. */
#include <embedcache.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "csv_read.h"
#include "float_list.h"
#include "metadata_check.h"
#include "report_error.h"
#include "source.h"
#include "text_style.h"

enum { NO_COLUMN = -1, NAMES_BYTES = 512, SHOWN_BYTES = 40 };

struct csv {
    struct csv_reader reader;
    size_t columns;
    long key; /* columns, from 0; NO_COLUMN */
    long text;
    long metadata;
    long vector; /* NO_COLUMN: the columns that are nothing else are the numbers */
    int has_row; /* the reader holds a record that was not given out yet */
};

static int is_likely(const struct input *input);
static int open_table(struct source *source, const struct input *input,
                      const struct source_wish *wish);
static int check_header(const struct csv *csv, const struct source_wish *wish);
static int choose_columns(struct csv *csv, const struct source_wish *wish);
static int choose(const struct csv *csv, const struct source_wish *wish, const char *wanted,
                  const char *const usual[2], long *column_out);
static int check_single(const struct csv *csv, const struct source_wish *wish, const char *name,
                        long column);
static long find_column(const struct csv *csv, const struct source_wish *wish, const char *name,
                        size_t begin);
static int refuse_column(const struct csv *csv, const struct source_wish *wish, const char *name);
static int read_first(struct source *source, struct csv *csv, const struct source_wish *wish);
static int begin_empty(struct source *source, const struct csv *csv,
                       const struct source_wish *wish);
static int next_record(struct csv *csv);
static int count_numbers(const struct csv *csv, uint32_t *dims_out);
static int next_row(struct source *source, struct record *record, float *vector_out);
static int take_vector(const struct csv *csv, uint32_t dims, float *vector_out);
static int take_columns(const struct csv *csv, float *vector_out);
static int read_number(const char *field, float *out);
static int take_rest(const struct csv *csv, struct record *record);
static int skip_rows(struct source *source, uint64_t rows);
static void close_table(struct source *source);

const struct source_kind source_csv = {
    .name = "csv",
    .endings = "tsv",
    .options = "key-field|text-field|metadata-field|vector-field|no-header",
    .is_surely = is_likely,
    .open = open_table,
    .next = next_row,
    .skip = skip_rows,
    .close = close_table,
};

/* Text whose first line has several fields. */
static int is_likely(const struct input *input)
{
    const unsigned char *end = memchr(input->head, '\n', input->head_bytes);
    size_t fields = 0;
    for (const unsigned char *at = input->head; at < input->head + input->head_bytes; at++) {
        if (*at == 0x7f || (*at < 0x20 && memchr("\t\r\n", *at, 3) == NULL))
            return 0;
        fields += (end == NULL || at < end) && memchr(",;\t", *at, 3) != NULL;
    }
    return fields > 0;
}

static int open_table(struct source *source, const struct input *input,
                      const struct source_wish *wish)
{
    struct csv *csv = calloc(1, sizeof *csv);
    source->state = csv;
    if (csv == NULL) {
        input_close(input->descriptor);
        return report_no_memory();
    }
    source->rows = SOURCE_ROWS_UNKNOWN;
    int code = csv_open(&csv->reader, input);
    if (code == CODE_OK)
        code = csv_next(&csv->reader);
    if (code == CODE_END)
        return report_error(CODE_BAD_DATA, "%s is empty: its first line names the columns",
                            source->name);
    csv->columns = csv->reader.count;
    csv->has_row = wish->has_no_header;
    if (code == CODE_OK && !wish->has_no_header)
        code = check_header(csv, wish);
    if (code == CODE_OK)
        code = choose_columns(csv, wish);
    source->brings_keys = csv->key != NO_COLUMN;
    return code == CODE_OK ? read_first(source, csv, wish) : code;
}

/* A first line of numbers alone is a row, unless a column is called by one of them. */
static int check_header(const struct csv *csv, const struct source_wish *wish)
{
    const char *const named[] = {wish->key_field, wish->text_field, wish->metadata_field,
                                 wish->vector_field};
    float ignored;
    size_t bytes;
    for (size_t i = 0; i < sizeof named / sizeof named[0]; i++) {
        if (named[i] != NULL && named[i][0] != '\0')
            return CODE_OK;
    }
    for (size_t i = 0; i < csv->columns; i++) {
        if (!read_number(csv_field_text(&csv->reader, i, &bytes), &ignored))
            return CODE_OK;
    }
    return report_error(CODE_USAGE,
                        "%s: its first line is numbers alone: give --no-header where it is a row; "
                        "where it names columns, take it away and give --no-header, too",
                        csv->reader.bytes.name);
}

static int choose_columns(struct csv *csv, const struct source_wish *wish)
{
    static const char *const keys[2] = {"key", "id"};
    static const char *const texts[2] = {"text", "text"};
    static const char *const metadata[2] = {"metadata", "metadata"};
    static const char *const vectors[2] = {"vector", "embedding"};
    int code = choose(csv, wish, wish->key_field, keys, &csv->key);
    if (code == CODE_OK)
        code = choose(csv, wish, wish->text_field, texts, &csv->text);
    if (code == CODE_OK)
        code = choose(csv, wish, wish->metadata_field, metadata, &csv->metadata);
    if (code == CODE_OK)
        code = choose(csv, wish, wish->vector_field, vectors, &csv->vector);
    return code;
}

/* The wanted column, or one of the usual names where none is named. */
static int choose(const struct csv *csv, const struct source_wish *wish, const char *wanted,
                  const char *const usual[2], long *column_out)
{
    *column_out = NO_COLUMN;
    if (wanted != NULL && wanted[0] == '\0')
        return CODE_OK;
    if (wanted != NULL) {
        *column_out = find_column(csv, wish, wanted, 0);
        return *column_out == NO_COLUMN ? refuse_column(csv, wish, wanted)
                                        : check_single(csv, wish, wanted, *column_out);
    }
    size_t i = 0;
    while (i < 2 && (*column_out = find_column(csv, wish, usual[i], 0)) == NO_COLUMN)
        i++;
    return i < 2 ? check_single(csv, wish, usual[i], *column_out) : CODE_OK;
}

/* Of two columns with one name, either may be the one that is meant. */
static int check_single(const struct csv *csv, const struct source_wish *wish, const char *name,
                        long column)
{
    long other = find_column(csv, wish, name, (size_t)column + 1);
    if (other == NO_COLUMN)
        return CODE_OK;
    return report_error(CODE_BAD_DATA,
                        "%s: columns %ld and %ld are both named \"%s\": rename one of them",
                        csv->reader.bytes.name, column + 1, other + 1, name);
}

/* The first one from `begin` on. Without a header a column's name is its number, from 1. */
static long find_column(const struct csv *csv, const struct source_wish *wish, const char *name,
                        size_t begin)
{
    char number[24];
    size_t bytes;
    for (size_t i = begin; i < csv->columns; i++) {
        const char *column = number;
        if (wish->has_no_header)
            snprintf(number, sizeof number, "%zu", i + 1);
        else
            column = csv_field_text(&csv->reader, i, &bytes);
        if (strcmp(column, name) == 0)
            return (long)i;
    }
    return NO_COLUMN;
}

static int refuse_column(const struct csv *csv, const struct source_wish *wish, const char *name)
{
    char names[NAMES_BYTES];
    size_t used = 0;
    size_t bytes;
    if (wish->has_no_header)
        return report_error(CODE_USAGE,
                            "%s has no column %s: without a header columns are 1 to %zu",
                            csv->reader.bytes.name, name, csv->columns);
    for (size_t i = 0; i < csv->columns && used + 1 < sizeof names; i++)
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i > 0 ? ", " : "",
                                 csv_field_text(&csv->reader, i, &bytes));
    return report_error(CODE_USAGE, "%s has no column \"%s\": it has %s", csv->reader.bytes.name,
                        name, names);
}

static int read_first(struct source *source, struct csv *csv, const struct source_wish *wish)
{
    int code = csv->has_row ? CODE_OK : next_record(csv);
    if (code == CODE_END)
        return begin_empty(source, csv, wish);
    csv->has_row = code == CODE_OK;
    return code == CODE_OK ? count_numbers(csv, &source->dims) : code;
}

/* A header alone: its columns of numbers say the dims, or the command line does. */
static int begin_empty(struct source *source, const struct csv *csv, const struct source_wish *wish)
{
    source->rows = 0;
    source->dims = wish->dims;
    if (csv->vector == NO_COLUMN)
        return count_numbers(csv, &source->dims);
    if (wish->dims == 0)
        return report_error(CODE_BAD_DATA,
                            "%s has no rows: give a file with at least one, or the dims of the "
                            "empty space with --dims",
                            source->name);
    return CODE_OK;
}

static int next_record(struct csv *csv)
{
    int code = csv_next(&csv->reader);
    if (code == CODE_OK && csv->reader.count != csv->columns)
        return csv_refuse(&csv->reader, "it has %zu fields, the first line has %zu",
                          csv->reader.count, csv->columns);
    return code;
}

/* The dims that the record at hand has. */
static int count_numbers(const struct csv *csv, uint32_t *dims_out)
{
    struct float_list_found found;
    char number[STYLE_COUNT_BYTES];
    char limit[STYLE_COUNT_BYTES];
    size_t count = csv->columns - (csv->key != NO_COLUMN) - (csv->text != NO_COLUMN) -
                   (csv->metadata != NO_COLUMN);
    size_t bytes;
    if (csv->vector != NO_COLUMN) {
        const char *list = csv_field_text(&csv->reader, (size_t)csv->vector, &bytes);
        const char *wrong = float_list_read(list, bytes, FLOAT_LIST_LOOSE, NULL, 0, &found);
        if (wrong != NULL)
            return csv_refuse(&csv->reader, "the vector %s", wrong);
        count = found.count;
    }
    if (count == 0)
        return csv_refuse(&csv->reader, "no column is left for the vector: name it with "
                                        "--vector-field");
    if (count > EDB_DIMS_MAX)
        return csv_refuse(&csv->reader, "its vector has %s numbers: at most %s are stored",
                          style_count(count, number), style_count(EDB_DIMS_MAX, limit));
    *dims_out = (uint32_t)count;
    return CODE_OK;
}

static int next_row(struct source *source, struct record *record, float *vector_out)
{
    struct csv *csv = source->state;
    int code = csv->has_row ? CODE_OK : next_record(csv);
    if (code == CODE_END || source->rows == 0)
        return CODE_END;
    csv->has_row = 0;
    if (code == CODE_OK)
        code = csv->vector != NO_COLUMN ? take_vector(csv, source->dims, vector_out)
                                        : take_columns(csv, vector_out);
    return code == CODE_OK ? take_rest(csv, record) : code;
}

static int take_vector(const struct csv *csv, uint32_t dims, float *vector_out)
{
    struct float_list_found found;
    size_t bytes;
    const char *list = csv_field_text(&csv->reader, (size_t)csv->vector, &bytes);
    const char *wrong = float_list_read(list, bytes, FLOAT_LIST_LOOSE, vector_out, dims, &found);
    if (wrong != NULL)
        return csv_refuse(&csv->reader, "the vector %s", wrong);
    if (found.count != dims)
        return csv_refuse(&csv->reader,
                          "its vector has %zu numbers, the first row's has %u: the vectors of one "
                          "space are of one length",
                          found.count, dims);
    return CODE_OK;
}

static int take_columns(const struct csv *csv, float *vector_out)
{
    for (size_t i = 0; i < csv->columns; i++) {
        size_t bytes;
        if ((long)i == csv->key || (long)i == csv->text || (long)i == csv->metadata)
            continue;
        const char *number = csv_field_text(&csv->reader, i, &bytes);
        if (!read_number(number, vector_out))
            return csv_refuse(&csv->reader,
                              "column %zu is \"%.*s\", no number: name the columns of key and text "
                              "with --key-field and --text-field, or that of a list with "
                              "--vector-field",
                              i + 1, SHOWN_BYTES, number);
        if (!isfinite(*vector_out))
            return csv_refuse(&csv->reader, "column %zu does not fit float32", i + 1);
        vector_out++;
    }
    return CODE_OK;
}

/* Whether the field is a number, with blanks around it or without. */
static int read_number(const char *field, float *out)
{
    field += strspn(field, " ");
    size_t length = float_read(field, strlen(field), FLOAT_LIST_LOOSE, out);
    return length > 0 && field[length + strspn(field + length, " ")] == '\0';
}

static int take_rest(const struct csv *csv, struct record *record)
{
    char count[STYLE_COUNT_BYTES];
    char limit[STYLE_COUNT_BYTES];
    if (csv->key != NO_COLUMN)
        record->key = csv_field_text(&csv->reader, (size_t)csv->key, &record->key_bytes);
    if (csv->text != NO_COLUMN)
        record->text = csv_field_text(&csv->reader, (size_t)csv->text, &record->text_bytes);
    if (record->text_bytes > EDB_TEXT_BYTES_MAX)
        return csv_refuse(&csv->reader, "its text has %s bytes: a text has at most %s",
                          style_count(record->text_bytes, count),
                          style_count(EDB_TEXT_BYTES_MAX, limit));
    if (csv->metadata == NO_COLUMN)
        return CODE_OK;
    char phrase[METADATA_PHRASE_BYTES];
    const char *metadata =
        csv_field_text(&csv->reader, (size_t)csv->metadata, &record->metadata_bytes);
    if (record->metadata_bytes == 0 || strcmp(metadata, "null") == 0) {
        record->metadata_bytes = 0;
        return CODE_OK;
    }
    const char *wrong = metadata_wrong_text(metadata, phrase);
    if (wrong != NULL)
        return csv_refuse(&csv->reader, "its metadata %s", wrong);
    record->metadata = metadata;
    return CODE_OK;
}

static int skip_rows(struct source *source, uint64_t rows)
{
    struct csv *csv = source->state;
    int code = CODE_OK;
    for (uint64_t i = 0; i < rows && code == CODE_OK; i++) {
        if (csv->has_row)
            csv->has_row = 0;
        else
            code = csv_next(&csv->reader);
    }
    return code == CODE_END ? CODE_OK : code;
}

static void close_table(struct source *source)
{
    struct csv *csv = source->state;
    if (csv != NULL)
        csv_close(&csv->reader);
    free(csv);
    source->state = NULL;
}
