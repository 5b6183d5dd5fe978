/* Records for import, embed and del. Everything that may be wrong with a line of JSON is found and
 * named here. */
#include "record_read.h"

#include <embedcache.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "metadata_check.h"
#include "report_error.h"

static void forget_line(struct record_reader *reader);
static int next_filled_line(struct record_reader *reader, const char **line_out, size_t *bytes_out);
static int take_line(struct record_reader *reader, const char *line, size_t bytes,
                     struct record *record);
static int parse_object(struct record_reader *reader, const char *line, size_t bytes);
static int take_key(struct record_reader *reader, struct record *record);
static const char *main_member(const struct record_reader *reader);
static int take_text(struct record_reader *reader, struct record *record);
static int take_metadata(struct record_reader *reader, struct record *record);
static json_t *rest_of_object(const struct record_reader *reader);
static const char *metadata_name(const struct record_reader *reader);
static json_t *member_of(const struct record_reader *reader, const char *name);
static int refuse_member(struct record_reader *reader, const char *field, const char *wrong);

int record_is_json_name(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot != NULL && (strcmp(dot, ".jsonl") == 0 || strcmp(dot, ".ndjson") == 0);
}

int record_open(struct record_reader *reader, const char *path, int is_json,
                const struct record_fields *fields)
{
    memset(reader, 0, sizeof *reader);
    reader->fields = *fields;
    reader->is_json = is_json;
    return line_open(&reader->lines, path);
}

int record_next(struct record_reader *reader, struct record *record_out)
{
    const char *line;
    size_t bytes;
    memset(record_out, 0, sizeof *record_out);
    forget_line(reader);
    int code = next_filled_line(reader, &line, &bytes);
    if (code != CODE_OK)
        return code;
    if (!reader->is_json)
        return take_line(reader, line, bytes, record_out);
    code = parse_object(reader, line, bytes);
    if (code == CODE_OK)
        code = take_text(reader, record_out);
    if (code == CODE_OK)
        code = take_key(reader, record_out);
    if (code == CODE_OK)
        code = take_metadata(reader, record_out);
    return code;
}

void record_close(struct record_reader *reader)
{
    forget_line(reader);
    line_close(&reader->lines);
}

int record_count(const char *path, int is_json, const struct record_fields *fields,
                 uint64_t *count_out)
{
    struct record_reader reader;
    struct record record;
    uint64_t count = 0;
    int code = record_open(&reader, path, is_json, fields);
    while (code == CODE_OK) {
        code = record_next(&reader, &record);
        count += code == CODE_OK;
    }
    record_close(&reader);
    *count_out = count;
    return code == CODE_END ? CODE_OK : code == CODE_REFUSED ? CODE_BAD_DATA : code;
}

static int take_line(struct record_reader *reader, const char *line, size_t bytes,
                     struct record *record)
{
    int is_text = !reader->fields.key_needed;
    if (is_text && bytes > EDB_TEXT_BYTES_MAX)
        return line_refuse(&reader->lines, "it has %zu bytes: a text has at most 16,777,216",
                           bytes);
    record->key = line;
    record->key_bytes = bytes;
    record->text = is_text ? line : NULL;
    record->text_bytes = is_text ? bytes : 0;
    return CODE_OK;
}

static void forget_line(struct record_reader *reader)
{
    free(reader->metadata);
    reader->metadata = NULL;
    json_decref(reader->object);
    reader->object = NULL;
}

static int next_filled_line(struct record_reader *reader, const char **line_out, size_t *bytes_out)
{
    for (;;) {
        int code = line_next(&reader->lines, line_out, bytes_out);
        if (code != CODE_OK || !reader->is_json)
            return code;
        for (size_t i = 0; i < *bytes_out; i++) {
            if (strchr(" \t\r", (*line_out)[i]) == NULL || (*line_out)[i] == '\0')
                return CODE_OK;
        }
    }
}

static int parse_object(struct record_reader *reader, const char *line, size_t bytes)
{
    json_error_t error;
    reader->object = json_loadb(line, bytes, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &error);
    if (reader->object == NULL)
        return line_refuse(&reader->lines,
                           "no valid JSON: %s at column %d: write one object, {\"%s\": ...}, on "
                           "each line",
                           error.text, error.column, main_member(reader));
    if (!json_is_object(reader->object))
        return line_refuse(&reader->lines, "not a JSON object: write {\"%s\": ...} on each line",
                           main_member(reader));
    return CODE_OK;
}

/* A member to show in an example: one that a line cannot do without, where there is such. */
static const char *main_member(const struct record_reader *reader)
{
    const struct record_fields *fields = &reader->fields;
    if (fields->key_needed && fields->key != NULL)
        return fields->key;
    return fields->text != NULL ? fields->text : "metadata";
}

static int take_text(struct record_reader *reader, struct record *record)
{
    json_t *text = member_of(reader, reader->fields.text);
    if (json_is_string(text)) {
        record->text = json_string_value(text);
        record->text_bytes = json_string_length(text);
        if (record->text_bytes > EDB_TEXT_BYTES_MAX)
            return refuse_member(reader, reader->fields.text,
                                 "is too long: a text has at most 16,777,216 bytes");
        return CODE_OK;
    }
    if (text != NULL && !json_is_null(text))
        return refuse_member(reader, reader->fields.text, "is no string: give a string or null");
    if (text == NULL && !reader->fields.key_needed)
        return refuse_member(reader, reader->fields.text,
                             "is not there: name the text with --text-field");
    return CODE_OK;
}

static int take_key(struct record_reader *reader, struct record *record)
{
    if (reader->fields.key == NULL) {
        record->key = record->text;
        record->key_bytes = record->text_bytes;
        return CODE_OK;
    }
    json_t *key = member_of(reader, reader->fields.key);
    if (key == NULL)
        return refuse_member(reader, reader->fields.key,
                             "is not there: name the key with --key-field");
    if (json_is_integer(key)) {
        snprintf(reader->number, sizeof reader->number, "%" JSON_INTEGER_FORMAT,
                 json_integer_value(key));
        record->key = reader->number;
        record->key_bytes = strlen(reader->number);
        return CODE_OK;
    }
    if (!json_is_string(key))
        return refuse_member(reader, reader->fields.key,
                             "is no string: a key is a string or a whole number");
    record->key = json_string_value(key);
    record->key_bytes = json_string_length(key);
    return CODE_OK;
}

static int take_metadata(struct record_reader *reader, struct record *record)
{
    json_t *metadata = NULL;
    if (reader->fields.metadata_is_rest)
        metadata = rest_of_object(reader);
    else
        metadata = json_incref(member_of(reader, reader->fields.metadata));
    if (metadata == NULL || json_is_null(metadata)) {
        json_decref(metadata);
        return CODE_OK;
    }
    reader->metadata =
        json_dumps(metadata, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));
    record->metadata = reader->metadata;
    record->metadata_bytes = reader->metadata != NULL ? strlen(reader->metadata) : 0;
    const char *wrong = metadata_wrong(metadata, record->metadata_bytes);
    json_decref(metadata);
    if (reader->metadata == NULL)
        return report_no_memory();
    return wrong == NULL ? CODE_OK : refuse_member(reader, metadata_name(reader), wrong);
}

/* A new object, or NULL when nothing is left. */
static json_t *rest_of_object(const struct record_reader *reader)
{
    json_t *rest = json_copy(reader->object);
    if (reader->fields.key != NULL)
        json_object_del(rest, reader->fields.key);
    if (reader->fields.text != NULL)
        json_object_del(rest, reader->fields.text);
    if (json_object_size(rest) > 0)
        return rest;
    json_decref(rest);
    return NULL;
}

static const char *metadata_name(const struct record_reader *reader)
{
    return reader->fields.metadata_is_rest ? "the rest" : reader->fields.metadata;
}

static json_t *member_of(const struct record_reader *reader, const char *name)
{
    return name == NULL ? NULL : json_object_get(reader->object, name);
}

static int refuse_member(struct record_reader *reader, const char *field, const char *wrong)
{
    return line_refuse(&reader->lines, "\"%s\" %s", field, wrong);
}
