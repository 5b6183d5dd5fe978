/* The reader of CSV records: bytes in, fields out. What columns mean is source_csv.c's business. */
#include "csv_read.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "line_read.h"
#include "report_error.h"
#include "text_style.h"

enum { FIELDS_MAX = 131072, SENTENCE_BYTES = 512, NOTHING = -1, FAILED = -2 };

/* Where the reader stands in a field. */
enum state { FIELD_BEGINS, FIELD_PLAIN, FIELD_QUOTED, FIELD_CLOSED };

static char find_separator(const struct input *input);
static int is_blank(const struct csv_reader *reader);
static int read_record(struct csv_reader *reader);
static int next_byte(struct csv_reader *reader, int *code);
static int take_byte(struct csv_reader *reader, enum state *state, int byte);
static int begin_field(struct csv_reader *reader);
static int add_byte(struct csv_reader *reader, int byte);
static int end_record(struct csv_reader *reader);

int csv_open(struct csv_reader *reader, const struct input *input)
{
    memset(reader, 0, sizeof *reader);
    reader->separator = find_separator(input);
    int code = byte_open(&reader->bytes, input);
    size_t ignored;
    char mark[3];
    if (code == CODE_OK && input_begins(input, "\xef\xbb\xbf"))
        code = byte_read(&reader->bytes, mark, sizeof mark, &ignored);
    return code;
}

int csv_next(struct csv_reader *reader)
{
    int code;
    do {
        reader->count = 0;
        reader->memory_used = 0;
        reader->is_quoted = 0;
        reader->line = reader->lines + 1;
        code = read_record(reader);
    } while (code == CODE_OK && is_blank(reader));
    return code == CODE_OK ? end_record(reader) : code;
}

const char *csv_field_text(const struct csv_reader *reader, size_t index, size_t *bytes_out)
{
    const struct csv_field *field = &reader->fields[index];
    *bytes_out = field->bytes;
    return reader->memory + field->at;
}

int csv_refuse(const struct csv_reader *reader, const char *format, ...)
{
    char sentence[SENTENCE_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    return report_error(CODE_BAD_DATA, "%s, line %" PRIu64 ": %s", reader->bytes.name, reader->line,
                        sentence);
}

void csv_close(struct csv_reader *reader)
{
    byte_close(&reader->bytes);
    free(reader->fields);
    free(reader->memory);
    memset(reader, 0, sizeof *reader);
}

static char find_separator(const struct input *input)
{
    const unsigned char *end = memchr(input->head, '\n', input->head_bytes);
    size_t bytes = end != NULL ? (size_t)(end - input->head) : input->head_bytes;
    if (memchr(input->head, ',', bytes) != NULL)
        return ',';
    return memchr(input->head, '\t', bytes) != NULL  ? '\t'
           : memchr(input->head, ';', bytes) != NULL ? ';'
                                                     : ',';
}

static int is_blank(const struct csv_reader *reader)
{
    const struct csv_field *first = &reader->fields[0];
    int is_line_end = first->bytes == 1 && reader->memory[first->at] == '\r';
    return reader->count == 1 && !reader->is_quoted && (first->bytes == 0 || is_line_end);
}

static int read_record(struct csv_reader *reader)
{
    enum state state = FIELD_BEGINS;
    int code = begin_field(reader);
    int any = 0;
    while (code == CODE_OK) {
        int byte = next_byte(reader, &code);
        if (byte == NOTHING && byte_is_interrupted(&reader->bytes))
            return CODE_END;
        if (byte == NOTHING && state == FIELD_QUOTED)
            return csv_refuse(reader, "a quote is opened and never closed: is the file whole?");
        if (byte == NOTHING)
            return any ? CODE_OK : CODE_END;
        if (byte == FAILED)
            return code;
        any = 1;
        reader->lines += byte == '\n';
        if (byte == '\n' && state != FIELD_QUOTED)
            return CODE_OK;
        code = take_byte(reader, &state, byte);
        reader->is_quoted = state == FIELD_CLOSED;
    }
    return code;
}

static int next_byte(struct csv_reader *reader, int *code)
{
    size_t count;
    if (reader->at < reader->end)
        return *reader->at++;
    *code = byte_lend(&reader->bytes, &reader->at, &count);
    if (*code != CODE_OK)
        return FAILED;
    reader->end = reader->at + count;
    return count == 0 ? NOTHING : *reader->at++;
}

static int take_byte(struct csv_reader *reader, enum state *state, int byte)
{
    if (*state == FIELD_QUOTED) {
        *state = byte == '"' ? FIELD_CLOSED : FIELD_QUOTED;
        return byte == '"' ? CODE_OK : add_byte(reader, byte);
    }
    if (byte == reader->separator) {
        *state = FIELD_BEGINS;
        return begin_field(reader);
    }
    if (byte == '"' && *state == FIELD_BEGINS) {
        *state = FIELD_QUOTED;
        return CODE_OK;
    }
    if (byte == '"' && *state == FIELD_CLOSED) { /* a doubled quote is one */
        *state = FIELD_QUOTED;
        return add_byte(reader, byte);
    }
    if (*state == FIELD_CLOSED && byte != '\r')
        return csv_refuse(reader,
                          "field %zu goes on behind its closing quote: double the quotes "
                          "that belong to it",
                          reader->count);
    if (byte == '"')
        return csv_refuse(reader,
                          "field %zu has a quote in it but is not quoted: quote the field "
                          "and double the quote",
                          reader->count);
    *state = *state == FIELD_CLOSED ? FIELD_CLOSED : FIELD_PLAIN;
    return byte == '\r' && *state == FIELD_CLOSED ? CODE_OK : add_byte(reader, byte);
}

/* Ends the field before with a NUL and begins another. */
static int begin_field(struct csv_reader *reader)
{
    char limit[STYLE_COUNT_BYTES];
    if (reader->count > 0) {
        int code = add_byte(reader, '\0');
        if (code != CODE_OK)
            return code;
        reader->fields[reader->count - 1].bytes--;
    }
    if (reader->count == FIELDS_MAX)
        return csv_refuse(reader, "it has more than %s fields: is it a CSV file?",
                          style_count(FIELDS_MAX, limit));
    if (reader->count == reader->capacity) {
        size_t capacity = reader->capacity == 0 ? 64 : reader->capacity * 2;
        struct csv_field *grown = realloc(reader->fields, capacity * sizeof *grown);
        if (grown == NULL)
            return report_no_memory();
        reader->fields = grown;
        reader->capacity = capacity;
    }
    reader->fields[reader->count++] = (struct csv_field){reader->memory_used, 0};
    return CODE_OK;
}

static int add_byte(struct csv_reader *reader, int byte)
{
    char limit[STYLE_COUNT_BYTES];
    if (reader->memory_used > LINE_BYTES_MAX)
        return csv_refuse(reader, "it is longer than %s bytes: is a quote not closed?",
                          style_count(LINE_BYTES_MAX, limit));
    if (reader->memory_used == reader->memory_capacity) {
        size_t capacity = reader->memory_capacity == 0 ? 4096 : reader->memory_capacity * 2;
        char *grown = realloc(reader->memory, capacity);
        if (grown == NULL)
            return report_no_memory();
        reader->memory = grown;
        reader->memory_capacity = capacity;
    }
    reader->memory[reader->memory_used++] = (char)byte;
    reader->fields[reader->count - 1].bytes++;
    return CODE_OK;
}

/* Takes the CR of the line end away, and refuses what is no text. Behind a closing quote the CR was
 * not added; one before it belongs to the field. */
static int end_record(struct csv_reader *reader)
{
    struct csv_field *last = &reader->fields[reader->count - 1];
    if (!reader->is_quoted && last->bytes > 0 &&
        reader->memory[last->at + last->bytes - 1] == '\r') {
        last->bytes--;
        reader->memory_used--;
    }
    for (size_t i = 0; i < reader->count; i++) {
        const struct csv_field *field = &reader->fields[i];
        if (field->bytes == 0)
            continue;
        if (memchr(reader->memory + field->at, '\0', field->bytes) != NULL)
            return csv_refuse(reader, "field %zu has a NUL byte: give text", i + 1);
        if (!text_is_utf8(reader->memory + field->at, field->bytes))
            return csv_refuse(reader,
                              "field %zu is not UTF-8: convert the file with iconv -t "
                              "UTF-8",
                              i + 1);
    }
    int code = add_byte(reader, '\0');
    last->bytes -= code == CODE_OK;
    return code;
}
