/* Reading an answer. Decimals are read straight to the nearest float, base64 is little-endian
 * float32. The answer is hostile until the last check: every length is looked at, every index,
 * every number. */
#include "provider_answer.h"

#include <embedcache.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base64_read.h"
#include "json_walk.h"

/* A decimal with all its digits on a line of its own, indented; what stands around a vector; what
 * stands around all. The largest answer that is taken at all: 2,048 vectors of 4,096 decimals. */
enum {
    NUMBER_BYTES_MAX = 48,
    VECTOR_BYTES_EXTRA = 1024,
    BODY_BYTES_EXTRA = 65536,
    BODY_BYTES_MAX = 268435456,
    DATE_DIGITS = 4
};

/* The members that count. */
struct parts {
    struct json_span data;
    struct json_span model;
    struct json_span usage;
};

static int read_parts(struct parts *parts, const char *body, size_t bytes, struct answer *answer);
static int check_model(const struct answer_wish *wish, struct json_span span,
                       struct answer *answer);
static int is_same_model(const char *asked, const char *given);
static int count_data(const struct answer_wish *wish, struct json_span data, struct answer *answer);
static int read_data(const struct answer_wish *wish, struct json_span data, struct answer *answer);
static const char *read_element(struct json_span element, size_t *index_out,
                                struct json_span *vector_out);
static int read_index(struct json_span span, size_t *index_out);
static uint32_t vector_dims(struct json_span span);
static int check_dims(const struct answer_wish *wish, uint32_t dims, struct answer *answer);
static int read_vector(struct json_span span, float *vector_out, uint32_t dims);
static int read_decimals(struct json_span span, float *vector_out, uint32_t dims);
static int read_base64(struct json_span span, float *vector_out, uint32_t dims);
static size_t base64_bytes(struct json_span span);
static void read_usage(struct json_span usage, struct answer *answer);
static int owner_counts(const char *asked, const char *given);
static const char *without_owner(const char *name);
static size_t core_length(const char *name);
static int is_dated(const char *rest, size_t bytes);
static int refuse(struct answer *answer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

int answer_read(const struct answer_wish *wish, const char *body, size_t bytes,
                struct answer *answer_out)
{
    struct parts parts;
    memset(answer_out, 0, sizeof *answer_out);
    int is_good =
        read_parts(&parts, body, bytes, answer_out) && check_model(wish, parts.model, answer_out) &&
        count_data(wish, parts.data, answer_out) && read_data(wish, parts.data, answer_out);
    if (is_good) {
        read_usage(parts.usage, answer_out);
        return 1;
    }
    free(answer_out->vectors);
    answer_out->vectors = NULL;
    return 0;
}

size_t answer_bytes_max(const struct answer_wish *wish)
{
    size_t dims = wish->dims == 0 ? EDB_DIMS_MAX : wish->dims;
    size_t bytes = wish->count * (dims * NUMBER_BYTES_MAX + VECTOR_BYTES_EXTRA) + BODY_BYTES_EXTRA;
    return bytes < BODY_BYTES_MAX ? bytes : BODY_BYTES_MAX;
}

static int read_parts(struct parts *parts, const char *body, size_t bytes, struct answer *answer)
{
    struct json_span whole;
    struct json_span name;
    struct json_span value;
    struct json_items members;
    memset(parts, 0, sizeof *parts);
    if (bytes == 0)
        return refuse(answer, "it is empty");
    answer->fault = *json_skip_blank(body, body + bytes) != '{' ? ANSWER_FOREIGN : ANSWER_WRONG;
    if (!json_walk_document(body, bytes, &whole))
        return refuse(answer, "it is no valid JSON, or has been cut");
    answer->fault = ANSWER_FOREIGN;
    if (!json_walk_begin(&members, whole, '{'))
        return refuse(answer, "it is no JSON object");
    while (json_walk_next(&members, &name, &value)) {
        if (json_span_is(name, "data"))
            parts->data = value;
        else if (json_span_is(name, "model"))
            parts->model = value;
        else if (json_span_is(name, "usage"))
            parts->usage = value;
    }
    if (parts->data.bytes == 0)
        return refuse(answer, "it has no member \"data\"");
    answer->fault = ANSWER_WRONG;
    return 1;
}

/* Servers that name no model are believed. */
static int check_model(const struct answer_wish *wish, struct json_span span, struct answer *answer)
{
    json_t *model = span.bytes > 0 ? json_loadb(span.at, span.bytes, JSON_DECODE_ANY, NULL) : NULL;
    const char *given = json_is_string(model) ? json_string_value(model) : "";
    int is_good = given[0] == '\0' || is_same_model(wish->model, given);
    if (!is_good) {
        answer->fault = ANSWER_OTHER_MODEL;
        refuse(answer,
               "it is of model \"%.200s\", \"%.200s\" was asked for: name the model as the server "
               "does",
               given, wish->model);
    }
    json_decref(model);
    return is_good;
}

/* Whether a server that was asked for `asked` may call it `given`. The same apart from: capitals;
 * directories or an owner before either; ".gguf"; a tag (":latest") or a revision ("@main") behind
 * one of the two; a date or a number of at least four digits behind the given one ("-2024-01-25").
 */
static int is_same_model(const char *asked, const char *given)
{
    if (strcasecmp(asked, given) == 0)
        return 1;
    /* Answered, as the only one, with a version that is no date. */
    if (strcmp(asked, "text-embedding-ada-002") == 0)
        return strcmp(given, "text-embedding-ada-002-v2") == 0;
    if (!owner_counts(asked, given)) {
        asked = without_owner(asked);
        given = without_owner(given);
    }
    size_t asked_core = core_length(asked);
    size_t given_core = core_length(given);
    int both_go_on = asked[asked_core] != '\0' && given[given_core] != '\0';
    if (given_core < asked_core || strncasecmp(asked, given, asked_core) != 0)
        return 0;
    if (both_go_on && strcasecmp(asked + asked_core, given + given_core) != 0)
        return 0;
    return given_core == asked_core || is_dated(given + asked_core, given_core - asked_core);
}

/* Before there is memory for what it claims to have. */
static int count_data(const struct answer_wish *wish, struct json_span data, struct answer *answer)
{
    struct json_items elements;
    struct json_span element;
    size_t count = 0;
    if (!json_walk_begin(&elements, data, '['))
        return refuse(answer, "its \"data\" is no list");
    while (json_walk_next(&elements, NULL, &element))
        count++;
    if (count != wish->count)
        return refuse(answer, "it has %zu vectors for %zu texts", count, wish->count);
    return 1;
}

static int read_data(const struct answer_wish *wish, struct json_span data, struct answer *answer)
{
    struct json_items elements;
    struct json_span element;
    struct json_span vector = {NULL, 0};
    int is_good = 1;
    unsigned char *seen = calloc(wish->count, 1);
    json_walk_begin(&elements, data, '[');
    while (is_good && seen != NULL && json_walk_next(&elements, NULL, &element)) {
        size_t index = 0;
        const char *wrong = read_element(element, &index, &vector);
        if (wrong != NULL)
            is_good = refuse(answer, "an element of \"data\" %s", wrong);
        else if (index >= wish->count || seen[index])
            is_good = refuse(answer, "index %zu comes %s", index,
                             index < wish->count ? "twice" : "though there are fewer texts");
        else if (check_dims(wish, vector_dims(vector), answer))
            is_good = read_vector(vector, answer->vectors + index * answer->dims, answer->dims) ||
                      refuse(answer,
                             "the vector of index %zu has a number that is not finite, or "
                             "something else that is no number",
                             index);
        else
            is_good = 0;
        if (is_good)
            seen[index] = 1;
    }
    answer->has_no_memory |= seen == NULL;
    free(seen);
    return is_good && !answer->has_no_memory;
}

/* NULL, or what is wrong with it. */
static const char *read_element(struct json_span element, size_t *index_out,
                                struct json_span *vector_out)
{
    struct json_items members;
    struct json_span name;
    struct json_span value;
    int has_index = 0;
    int is_number = 0;
    vector_out->bytes = 0;
    if (!json_walk_begin(&members, element, '{'))
        return "is no object";
    while (json_walk_next(&members, &name, &value)) {
        if (json_span_is(name, "index")) {
            has_index = 1;
            is_number = read_index(value, index_out);
        } else if (json_span_is(name, "embedding"))
            *vector_out = value;
    }
    if (!has_index || vector_out->bytes == 0)
        return "lacks its \"index\" or \"embedding\"";
    return is_number ? NULL : "has an \"index\" that is no number of a text";
}

/* Digits and nothing else; nine of them are more than any request has texts. */
static int read_index(struct json_span span, size_t *index_out)
{
    size_t index = 0;
    for (size_t i = 0; i < span.bytes; i++) {
        if (span.at[i] < '0' || span.at[i] > '9' || i == 9)
            return 0;
        index = index * 10 + (size_t)(span.at[i] - '0');
    }
    *index_out = index;
    return 1;
}

/* 0 where it is neither a list nor base64. */
static uint32_t vector_dims(struct json_span span)
{
    struct json_items numbers;
    struct json_span number;
    uint32_t dims = 0;
    if (span.at[0] == '"') {
        size_t bytes = base64_bytes(span);
        return bytes % 4 == 0 && bytes / 4 <= EDB_DIMS_MAX ? (uint32_t)(bytes / 4) : 0;
    }
    if (!json_walk_begin(&numbers, span, '['))
        return 0;
    while (dims <= EDB_DIMS_MAX && json_walk_next(&numbers, NULL, &number))
        dims++;
    return dims;
}

/* The first vector decides for all of an answer, where nothing else has. */
static int check_dims(const struct answer_wish *wish, uint32_t dims, struct answer *answer)
{
    uint32_t wanted = answer->dims != 0 ? answer->dims : wish->dims;
    if (dims == 0 || dims > EDB_DIMS_MAX)
        return refuse(answer, "a vector of it is empty, too long or no vector at all");
    if (wanted != 0 && dims != wanted) {
        answer->fault = wish->dims_are_fixed ? ANSWER_OTHER_SIZE : ANSWER_WRONG;
        return refuse(answer, "it has a vector of %u numbers where %u are needed", dims, wanted);
    }
    answer->dims = dims;
    if (answer->vectors == NULL)
        answer->vectors = malloc(wish->count * dims * sizeof *answer->vectors);
    answer->has_no_memory |= answer->vectors == NULL;
    return answer->vectors != NULL;
}

static int read_vector(struct json_span span, float *vector_out, uint32_t dims)
{
    int is_read = span.at[0] == '"' ? read_base64(span, vector_out, dims)
                                    : read_decimals(span, vector_out, dims);
    for (uint32_t i = 0; is_read && i < dims; i++)
        is_read = isfinite(vector_out[i]);
    return is_read;
}

/* strtof is safe here: a NUL stands behind the body, and what it reads was found to be a number. */
static int read_decimals(struct json_span span, float *vector_out, uint32_t dims)
{
    struct json_items numbers;
    struct json_span number;
    json_walk_begin(&numbers, span, '[');
    for (uint32_t i = 0; i < dims && json_walk_next(&numbers, NULL, &number); i++) {
        if (json_number_length(number.at, number.at + number.bytes) != number.bytes)
            return 0;
        vector_out[i] = strtof(number.at, NULL);
    }
    return 1;
}

static int read_base64(struct json_span span, float *vector_out, uint32_t dims)
{
    uint32_t bits = 0;
    uint32_t word = 0;
    int bit_count = 0;
    size_t byte = 0;
    for (size_t i = 1; i + 1 < span.bytes && span.at[i] != '='; i++) {
        int value = base64_digit(span.at[i]);
        if (value < 0 && span.at[i] == '\\')
            continue; /* "\/" is a slash */
        if (value < 0)
            return 0;
        bits = bits << 6 | (uint32_t)value;
        bit_count += 6;
        if (bit_count < 8)
            continue;
        bit_count -= 8;
        word |= (bits >> bit_count & 255) << byte % 4 * 8;
        if (++byte % 4 == 0) {
            memcpy(&vector_out[byte / 4 - 1], &word, sizeof word);
            word = 0;
        }
    }
    return byte == (size_t)dims * 4;
}

/* How many bytes the digits between the quotes stand for. */
static size_t base64_bytes(struct json_span span)
{
    size_t digits = 0;
    for (size_t i = 1; i + 1 < span.bytes && span.at[i] != '='; i++)
        digits += span.at[i] != '\\';
    return digits * 6 / 8;
}

static void read_usage(struct json_span usage, struct answer *answer)
{
    struct json_items members;
    struct json_span name;
    struct json_span value;
    size_t tokens;
    if (!json_walk_begin(&members, usage, '{'))
        return;
    while (json_walk_next(&members, &name, &value)) {
        if (json_span_is(name, "total_tokens") && read_index(value, &tokens)) {
            answer->tokens = tokens;
            answer->has_tokens = 1;
        }
    }
}

/* "owner/model" twice is to be the same owner; a path of a file says nothing. */
static int owner_counts(const char *asked, const char *given)
{
    return strchr(asked, '/') != NULL && strchr(given, '/') != NULL && asked[0] != '/' &&
           given[0] != '/';
}

static const char *without_owner(const char *name)
{
    const char *slash = strrchr(name, '/');
    return slash != NULL ? slash + 1 : name;
}

/* Of a model's name without a tag, a revision and ".gguf". */
static size_t core_length(const char *name)
{
    size_t length = strcspn(name, ":@");
    if (length > 5 && strncasecmp(name + length - 5, ".gguf", 5) == 0)
        length -= 5;
    return length;
}

/* "-2024-01-25", "-0125" */
static int is_dated(const char *rest, size_t bytes)
{
    size_t digits = 0;
    if (rest[0] != '-')
        return 0;
    for (size_t i = 0; i < bytes; i++) {
        if (rest[i] >= '0' && rest[i] <= '9')
            digits++;
        else if (rest[i] != '-')
            return 0;
    }
    return digits >= DATE_DIGITS;
}

static int refuse(struct answer *answer, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(answer->wrong, sizeof answer->wrong, format, args);
    va_end(args);
    return 0;
}
