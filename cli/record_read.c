/* Records for import, embed and del. Everything that may be wrong with a line of JSON is found and
 * named here. */
#include "record_read.h"

#include <embedcache.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base64_read.h"
#include "json_list_find.h"
#include "json_plain_read.h"
#include "metadata_check.h"
#include "report_error.h"
#include "text_style.h"

enum { DECODED_KEY, DECODED_TEXT, DECODED_VALUE, DECODED, NAME_BYTES = 256 };
enum { PARSER_FLAGS = JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES };

/* The members of a plain line that make the record; NULL = not there. */
struct plain_members {
    const struct json_plain_member *key;
    const struct json_plain_member *text;
    const struct json_plain_member *metadata;
};

static void forget_line(struct record_reader *reader);
static int next_object(struct record_reader *reader, struct record *record);
static int next_filled_line(struct record_reader *reader, const char **line_out, size_t *bytes_out);
static int take_line(struct record_reader *reader, const char *line, size_t bytes,
                     struct record *record);
static int take_plain(struct record_reader *reader, const char *line, size_t bytes,
                      struct record *record);
static int are_simple(const struct record_reader *reader, const struct json_plain *plain,
                      const struct plain_members *members);
static int is_metadata(const struct json_plain_member *member);
static int take_plain_terms(const struct record_fields *fields, const struct json_plain *plain,
                            struct record_terms *terms);
static int is_plain_number(const struct json_plain_member *member, uint32_t *number_out);
static int is_plain_truth(const struct json_plain_member *member, uint32_t *truth_out);
static int ends_in(const struct json_plain_member *member, const char *word);
static const char *take_string(struct record_reader *reader, const struct json_plain_member *member,
                               size_t *bytes_out);
static int parse_object(struct record_reader *reader, const char *line, size_t bytes);
static int take_key(struct record_reader *reader, struct record *record);
static int take_space(struct record_reader *reader);
static int take_vector(struct record_reader *reader, const char *line, size_t *bytes,
                       struct record *record);
static int take_value(struct record_reader *reader, struct record *record);
static int take_base64(struct record_reader *reader, const char *field, int which,
                       const char **bytes_out, size_t *count_out);
static int has_base64_too(const struct record_reader *reader, const char *field);
static const char *main_member(const struct record_reader *reader);
static int take_text(struct record_reader *reader, struct record *record);
static int take_metadata(struct record_reader *reader, struct record *record);
static int take_terms(struct record_reader *reader, struct record_terms *terms);
static int take_number(struct record_reader *reader, const char *field, const char *wrong,
                       uint32_t *number_out);
static json_t *rest_of_object(const struct record_reader *reader);
static const char *metadata_name(const struct record_reader *reader);
static json_t *member_of(const struct record_reader *reader, const char *name);
static int refuse_member(struct record_reader *reader, const char *field, const char *wrong);
static int refuse_length(struct record_reader *reader, const char *field, const char *what,
                         size_t bytes, size_t bytes_max);

static const char base64_too[] = "is there as it is and in base64: leave one of them away";

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

int record_open_input(struct record_reader *reader, const struct input *input,
                      const struct record_fields *fields)
{
    memset(reader, 0, sizeof *reader);
    reader->fields = *fields;
    reader->is_json = 1;
    return line_open_input(&reader->lines, input);
}

int record_next(struct record_reader *reader, struct record *record_out)
{
    memset(record_out, 0, sizeof *record_out);
    int code = next_object(reader, record_out);
    if (code != CODE_OK || !reader->is_json || reader->is_plain)
        return code;
    code = take_text(reader, record_out);
    if (code == CODE_OK)
        code = take_key(reader, record_out);
    if (code == CODE_OK && reader->vector_field != NULL)
        code = take_value(reader, record_out);
    if (code == CODE_OK)
        code = take_metadata(reader, record_out);
    if (code == CODE_OK)
        code = take_terms(reader, &record_out->terms);
    return code;
}

int record_skip(struct record_reader *reader)
{
    const char *line;
    size_t bytes;
    struct record ignored;
    if (reader->lines.line == 0 && reader->is_json)
        return next_object(reader, &ignored);
    return next_filled_line(reader, &line, &bytes);
}

void record_close(struct record_reader *reader)
{
    forget_line(reader);
    json_decref(reader->space);
    free(reader->vector);
    line_close(&reader->lines);
}

int record_count(const char *path, int is_json, const struct record_fields *fields,
                 uint64_t *count_out, json_t **space_out)
{
    struct record_reader reader;
    struct record record;
    uint64_t count = 0;
    int code = record_open(&reader, path, is_json, fields);
    while (code == CODE_OK) {
        code = record_next(&reader, &record);
        count += code == CODE_OK;
    }
    *space_out = json_incref(reader.space);
    record_close(&reader);
    *count_out = count;
    return code == CODE_END ? CODE_OK : code == CODE_REFUSED ? CODE_BAD_DATA : code;
}

/* The next line that is a record: of JSON its object, of text the record itself. */
static int next_object(struct record_reader *reader, struct record *record)
{
    const char *line;
    size_t bytes;
    for (;;) {
        forget_line(reader);
        int code = next_filled_line(reader, &line, &bytes);
        if (code != CODE_OK)
            return code;
        if (!reader->is_json)
            return take_line(reader, line, bytes, record);
        if (reader->vector_field != NULL)
            code = take_vector(reader, line, &bytes, record);
        reader->is_plain = code == CODE_OK && take_plain(reader, line, bytes, record);
        if (code == CODE_OK && !reader->is_plain)
            code = parse_object(reader, line, bytes);
        if (code != CODE_OK || reader->is_plain || reader->lines.line > 1 || !take_space(reader))
            return code;
    }
}

static int take_line(struct record_reader *reader, const char *line, size_t bytes,
                     struct record *record)
{
    char count[STYLE_COUNT_BYTES];
    char limit[STYLE_COUNT_BYTES];
    int is_text = !reader->fields.key_needed;
    if (is_text && bytes > EDB_TEXT_BYTES_MAX)
        return line_refuse(&reader->lines, "it has %s bytes: a text has at most %s",
                           style_count(bytes, count), style_count(EDB_TEXT_BYTES_MAX, limit));
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
    for (int i = 0; i < DECODED; i++) {
        free(reader->decoded[i]);
        reader->decoded[i] = NULL;
    }
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

/* Most lines need no parser: key, text and metadata are taken from where they stand. Returns 0,
 * with nothing changed, where a parser has to look at the line. */
static int take_plain(struct record_reader *reader, const char *line, size_t bytes,
                      struct record *record)
{
    const struct record_fields *fields = &reader->fields;
    struct json_plain plain;
    if (fields->metadata_is_rest || !json_plain_read(&plain, line, bytes))
        return 0;
    struct plain_members members = {.text = json_plain_find(&plain, fields->text),
                                    .metadata = json_plain_find(&plain, fields->metadata)};
    members.key = fields->key == NULL ? members.text : json_plain_find(&plain, fields->key);
    if (!are_simple(reader, &plain, &members) || !take_plain_terms(fields, &plain, &record->terms))
        return 0;
    if (members.metadata != NULL && members.metadata->kind == PLAIN_OBJECT) {
        record->metadata = members.metadata->value;
        record->metadata_bytes = members.metadata->value_bytes;
    }
    record->text = take_string(reader, members.text, &record->text_bytes);
    if (members.key != members.text) {
        record->key = take_string(reader, members.key, &record->key_bytes);
    } else {
        record->key = record->text;
        record->key_bytes = record->text_bytes;
    }
    return 1;
}

/* Whether there is nothing to refuse and nothing to decode. */
static int are_simple(const struct record_reader *reader, const struct json_plain *plain,
                      const struct plain_members *members)
{
    const struct record_fields *fields = &reader->fields;
    const struct json_plain_member *text = members->text;
    for (size_t i = 0; i < plain->count; i++) {
        const struct json_plain_member *member = &plain->members[i];
        if (ends_in(member, "_base64") ||
            (member->kind == PLAIN_OBJECT && member != members->metadata))
            return 0;
    }
    if (text == NULL ? !fields->key_needed
                     : text->value_bytes > EDB_TEXT_BYTES_MAX ||
                           (text->kind != PLAIN_STRING && text->kind != PLAIN_NULL))
        return 0;
    if (fields->key != NULL && (members->key == NULL || members->key->kind != PLAIN_STRING))
        return 0;
    if (members->metadata == NULL || members->metadata->kind == PLAIN_NULL)
        return 1;
    return members->metadata->kind == PLAIN_OBJECT && is_metadata(members->metadata);
}

static int is_metadata(const struct json_plain_member *member)
{
    json_error_t error;
    char phrase[METADATA_PHRASE_BYTES];
    json_t *metadata = json_loadb(member->value, member->value_bytes, PARSER_FLAGS, &error);
    int is_good = metadata != NULL && metadata_wrong(metadata, member->value_bytes, phrase) == NULL;
    json_decref(metadata);
    return is_good;
}

/* Returns 0 where there is something to refuse. */
static int take_plain_terms(const struct record_fields *fields, const struct json_plain *plain,
                            struct record_terms *terms)
{
    return is_plain_number(json_plain_find(plain, fields->expiry), &terms->expiry_s) &&
           is_plain_number(json_plain_find(plain, fields->cost), &terms->cost) &&
           is_plain_truth(json_plain_find(plain, fields->pinned), &terms->pinned);
}

/* Whether it is absent, null, or a whole number of 32 bits. */
static int is_plain_number(const struct json_plain_member *member, uint32_t *number_out)
{
    uint64_t number = 0;
    *number_out = 0;
    if (member == NULL || member->kind == PLAIN_NULL)
        return 1;
    if (member->kind != PLAIN_WORD)
        return 0;
    for (size_t i = 0; i < member->value_bytes; i++) {
        char digit = member->value[i];
        if (digit < '0' || digit > '9')
            return 0;
        number = number * 10 + (uint64_t)(digit - '0');
    }
    *number_out = (uint32_t)number;
    return number <= UINT32_MAX;
}

static int is_plain_truth(const struct json_plain_member *member, uint32_t *truth_out)
{
    *truth_out = 0;
    if (member == NULL || member->kind == PLAIN_NULL)
        return 1;
    *truth_out = member->kind == PLAIN_WORD && *member->value == 't';
    return member->kind == PLAIN_WORD && (*member->value == 't' || *member->value == 'f');
}

static int ends_in(const struct json_plain_member *member, const char *word)
{
    size_t bytes = strlen(word);
    return member->name_bytes >= bytes &&
           memcmp(member->name + member->name_bytes - bytes, word, bytes) == 0;
}

/* What the string means, NULL where there is none. It is written into the line. */
static const char *take_string(struct record_reader *reader, const struct json_plain_member *member,
                               size_t *bytes_out)
{
    *bytes_out = 0;
    if (member == NULL || member->kind != PLAIN_STRING)
        return NULL;
    char *text = reader->lines.buffer + (member->value - reader->lines.buffer);
    *bytes_out = json_plain_unescape(text, member->value_bytes);
    return text;
}

static int parse_object(struct record_reader *reader, const char *line, size_t bytes)
{
    json_error_t error;
    reader->object = json_loadb(line, bytes, PARSER_FLAGS, &error);
    if (reader->vector_bytes > 0 && error.position > (int)reader->vector_at)
        error.column += (int)reader->vector_bytes;
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

/* Keeps what the first line says of the exported space; returns whether it says nothing else. */
static int take_space(struct record_reader *reader)
{
    json_t *space = json_object_get(reader->object, RECORD_SPACE_MEMBER);
    if (!json_is_object(space) || reader->space != NULL)
        return 0;
    reader->space = json_incref(space);
    json_object_del(reader->object, RECORD_SPACE_MEMBER);
    return json_object_size(reader->object) == 0;
}

/* The list of numbers is taken out of the line before the line is parsed: a JSON reader would round
 * each number to double, and spend most of the time of an import. "0" stands in its place. */
static int take_vector(struct record_reader *reader, const char *line, size_t *bytes,
                       struct record *record)
{
    size_t at;
    size_t count;
    reader->vector_bytes = 0;
    if (!json_list_find(line, *bytes, reader->vector_field, &at, &count))
        return CODE_OK;
    if (count > reader->vector_capacity) {
        char *grown = realloc(reader->vector, count);
        if (grown == NULL)
            return report_no_memory();
        reader->vector = grown;
        reader->vector_capacity = count;
    }
    memcpy(reader->vector, line + at, count);
    record->vector = reader->vector;
    record->vector_bytes = count;
    char *list = reader->lines.buffer + (line - reader->lines.buffer) + at;
    *list = '0';
    memmove(list + 1, list + count, *bytes - at - count);
    *bytes -= count - 1;
    reader->vector_at = at;
    reader->vector_bytes = count - 1;
    return CODE_OK;
}

static int take_value(struct record_reader *reader, struct record *record)
{
    int code = take_base64(reader, "value", DECODED_VALUE, &record->value, &record->value_bytes);
    if (code == CODE_OK && record->value_bytes > EDB_VALUE_BYTES_MAX)
        return refuse_length(reader, "value_base64", "a value", record->value_bytes,
                             EDB_VALUE_BYTES_MAX);
    return code;
}

/* The bytes of the member "<field>_base64", where a key is needed and it is there. */
static int take_base64(struct record_reader *reader, const char *field, int which,
                       const char **bytes_out, size_t *count_out)
{
    char name[NAME_BYTES];
    int is_valid;
    if (field == NULL || !reader->fields.key_needed)
        return CODE_OK;
    snprintf(name, sizeof name, "%s_base64", field);
    const json_t *member = member_of(reader, name);
    if (!json_is_string(member))
        return member == NULL || json_is_null(member)
                   ? CODE_OK
                   : refuse_member(reader, name, "is no string: give base64");
    char *bytes =
        base64_read(json_string_value(member), json_string_length(member), count_out, &is_valid);
    if (bytes == NULL)
        return is_valid ? report_no_memory() : refuse_member(reader, name, "is no base64");
    reader->decoded[which] = bytes;
    *bytes_out = bytes;
    return CODE_OK;
}

/* Whether a member that is there has its like in base64. In metadata it would be a name as any
 * other. */
static int has_base64_too(const struct record_reader *reader, const char *field)
{
    char name[NAME_BYTES];
    snprintf(name, sizeof name, "%s_base64", field);
    return reader->fields.key_needed && !reader->fields.metadata_is_rest &&
           member_of(reader, name) != NULL;
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
    if (text != NULL && has_base64_too(reader, reader->fields.text))
        return refuse_member(reader, reader->fields.text, base64_too);
    if (json_is_string(text)) {
        record->text = json_string_value(text);
        record->text_bytes = json_string_length(text);
        if (record->text_bytes > EDB_TEXT_BYTES_MAX)
            return refuse_length(reader, reader->fields.text, "a text", record->text_bytes,
                                 EDB_TEXT_BYTES_MAX);
        return CODE_OK;
    }
    if (text != NULL && !json_is_null(text))
        return refuse_member(reader, reader->fields.text, "is no string: give a string or null");
    if (text == NULL && !reader->fields.key_needed)
        return refuse_member(reader, reader->fields.text,
                             "is not there: name the text with --text-field");
    return text == NULL ? take_base64(reader, reader->fields.text, DECODED_TEXT, &record->text,
                                      &record->text_bytes)
                        : CODE_OK;
}

static int take_key(struct record_reader *reader, struct record *record)
{
    if (reader->fields.key == NULL) {
        record->key = record->text;
        record->key_bytes = record->text_bytes;
        return CODE_OK;
    }
    json_t *key = member_of(reader, reader->fields.key);
    if (key == NULL) {
        int code =
            take_base64(reader, reader->fields.key, DECODED_KEY, &record->key, &record->key_bytes);
        if (code != CODE_OK || record->key != NULL)
            return code;
    }
    if (key != NULL && has_base64_too(reader, reader->fields.key))
        return refuse_member(reader, reader->fields.key, base64_too);
    if (key == NULL && json_is_string(member_of(reader, "key_digest")))
        return refuse_member(reader, reader->fields.key,
                             "is not there, only its digest: the cache that was exported never "
                             "kept the key itself; take the line out");
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
    char phrase[METADATA_PHRASE_BYTES];
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
    const char *wrong = metadata_wrong(metadata, record->metadata_bytes, phrase);
    json_decref(metadata);
    if (reader->metadata == NULL)
        return report_no_memory();
    return wrong == NULL ? CODE_OK : refuse_member(reader, metadata_name(reader), wrong);
}

static int take_terms(struct record_reader *reader, struct record_terms *terms)
{
    const struct record_fields *fields = &reader->fields;
    int code = take_number(reader, fields->expiry,
                           "is no time: give whole seconds since 1970, up to 4,294,967,295",
                           &terms->expiry_s);
    if (code == CODE_OK)
        code = take_number(reader, fields->cost,
                           "is no cost, a whole number up to 4,294,967,295: name the cost with "
                           "--cost-field ('' = none)",
                           &terms->cost);
    const json_t *pinned = member_of(reader, fields->pinned);
    terms->pinned = json_is_true(pinned);
    if (code != CODE_OK || pinned == NULL || json_is_null(pinned) || json_is_boolean(pinned))
        return code;
    return refuse_member(reader, fields->pinned, "is neither true nor false");
}

/* 0 where the member is absent or null. */
static int take_number(struct record_reader *reader, const char *field, const char *wrong,
                       uint32_t *number_out)
{
    const json_t *member = member_of(reader, field);
    json_int_t number = json_integer_value(member);
    *number_out = 0;
    if (member == NULL || json_is_null(member))
        return CODE_OK;
    if (!json_is_integer(member) || number < 0 || number > UINT32_MAX)
        return refuse_member(reader, field, wrong);
    *number_out = (uint32_t)number;
    return CODE_OK;
}

/* A new object without what was read as something else, or NULL when nothing is left. */
static json_t *rest_of_object(const struct record_reader *reader)
{
    json_t *rest = json_copy(reader->object);
    const char *const fields[DECODED] = {reader->fields.key, reader->fields.text, "value"};
    for (int i = 0; i < DECODED; i++) {
        char name[NAME_BYTES];
        snprintf(name, sizeof name, "%s_base64", fields[i] != NULL ? fields[i] : "");
        if (reader->decoded[i] != NULL)
            json_object_del(rest, name);
    }
    if (reader->fields.key != NULL)
        json_object_del(rest, reader->fields.key);
    if (reader->fields.text != NULL)
        json_object_del(rest, reader->fields.text);
    if (reader->vector_field != NULL)
        json_object_del(rest, reader->vector_field);
    if (reader->fields.cost != NULL)
        json_object_del(rest, reader->fields.cost);
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

static int refuse_length(struct record_reader *reader, const char *field, const char *what,
                         size_t bytes, size_t bytes_max)
{
    char count[STYLE_COUNT_BYTES];
    char limit[STYLE_COUNT_BYTES];
    return line_refuse(&reader->lines, "\"%s\" has %s bytes: %s has at most %s", field,
                       style_count(bytes, count), what, style_count(bytes_max, limit));
}
