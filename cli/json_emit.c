/* JSON as scripts read it: shortest decimals that round-trip, strings that are always valid UTF-8.
 * Commands with --json write through here. Reading JSON is jansson's work. */
#include "json_emit.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "decimal_write.h"
#include "text_style.h"

static void separate(struct emitter *json);
static void write_ready(struct emitter *json, const char *text);
static void write_quoted(FILE *file, const unsigned char *text, size_t bytes);
static size_t write_character(FILE *file, const unsigned char *at);
static int reads_back(float value, int digits, char out[DECIMAL_BYTES]);

void emit_begin(struct emitter *json, char bracket)
{
    separate(json);
    fputc(bracket, json->file);
    json->needs_comma = 0;
}

void emit_end(struct emitter *json, char bracket)
{
    fputc(bracket, json->file);
    json->needs_comma = 1;
}

void emit_name(struct emitter *json, const char *name)
{
    separate(json);
    fprintf(json->file, "\"%s\": ", name);
    json->needs_comma = 0;
}

void emit_null(struct emitter *json)
{
    write_ready(json, "null");
}

void emit_bool(struct emitter *json, int value)
{
    write_ready(json, value ? "true" : "false");
}

void emit_count(struct emitter *json, uint64_t value)
{
    separate(json);
    fprintf(json->file, "%" PRIu64, value);
}

void emit_real(struct emitter *json, float value)
{
    char decimal[DECIMAL_BYTES];
    write_ready(json, emit_decimal(value, decimal));
}

void emit_text(struct emitter *json, const char *text)
{
    if (text == NULL)
        emit_null(json);
    else
        emit_bytes(json, text, strlen(text));
}

void emit_named_count(struct emitter *json, const char *name, uint64_t value)
{
    emit_name(json, name);
    emit_count(json, value);
}

void emit_named_text(struct emitter *json, const char *name, const char *text)
{
    emit_name(json, name);
    emit_text(json, text);
}

void emit_document(struct emitter *json, const char *text)
{
    separate(json);
    for (const unsigned char *at = (const unsigned char *)text; *at != '\0'; at++)
        at += write_character(json->file, at);
}

int emit_bytes(struct emitter *json, const void *bytes, size_t count)
{
    if (!text_is_utf8(bytes, count)) {
        emit_base64(json, bytes, count);
        return 1;
    }
    separate(json);
    write_quoted(json->file, bytes, count);
    return 0;
}

void emit_base64(struct emitter *json, const void *bytes, size_t count)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *from = bytes;
    separate(json);
    fputc('"', json->file);
    for (size_t i = 0; i < count; i += 3) {
        size_t left = count - i;
        uint32_t group = (uint32_t)from[i] << 16;
        group |= left > 1 ? (uint32_t)from[i + 1] << 8 : 0;
        group |= left > 2 ? from[i + 2] : 0;
        fputc(digits[group >> 18], json->file);
        fputc(digits[group >> 12 & 63], json->file);
        fputc(left > 1 ? digits[group >> 6 & 63] : '=', json->file);
        fputc(left > 2 ? digits[group & 63] : '=', json->file);
    }
    fputc('"', json->file);
}

void emit_line(struct emitter *json)
{
    if (json->needs_comma)
        fputc(',', json->file);
    fputc('\n', json->file);
    json->needs_comma = 0;
}

const char *emit_decimal(float value, char out[DECIMAL_BYTES])
{
    if (decimal_write(value, out))
        return out;
    int digits = 6; /* as decimal_write.c has it */
    if (reads_back(value, digits, out)) {
        while (digits > 1 && reads_back(value, digits - 1, out))
            digits--;
        reads_back(value, digits, out);
    } else {
        while (!reads_back(value, ++digits, out) && digits < 9)
            continue;
    }
    const char *mark = strchr(out, 'e');
    long exponent = mark != NULL ? strtol(mark + 1, NULL, 10) : 0;
    /* The same digits without an exponent, where that is no longer to read. */
    if (exponent >= -5 && exponent <= 6) {
        int decimals = digits - 1 - (int)exponent;
        snprintf(out, DECIMAL_BYTES, "%.*f", decimals > 1 ? decimals : 1, (double)value);
    }
    return out;
}

static void separate(struct emitter *json)
{
    if (json->needs_comma)
        fputs(", ", json->file);
    json->needs_comma = 1;
}

/* A value that is JSON already. */
static void write_ready(struct emitter *json, const char *text)
{
    separate(json);
    fputs(text, json->file);
}

static void write_quoted(FILE *file, const unsigned char *text, size_t bytes)
{
    fputc('"', file);
    for (size_t i = 0; i < bytes; i++) {
        if (text[i] == '"' || text[i] == '\\')
            fprintf(file, "\\%c", text[i]);
        else if (text[i] == '\n')
            fputs("\\n", file);
        else if (text[i] == '\t')
            fputs("\\t", file);
        else if (text[i] < 0x20)
            fprintf(file, "\\u%04x", (unsigned)text[i]);
        else
            i += write_character(file, text + i);
    }
    fputc('"', file);
}

/* One byte of valid UTF-8; what terminals obey is escaped as a whole, the lead bytes of such are
 * these. Returns how many further bytes that took. */
static size_t write_character(FILE *file, const unsigned char *at)
{
    size_t length = at[0] == 0x7f                    ? 1
                    : at[0] == 0xc2 || at[0] == 0xd8 ? 2
                    : at[0] == 0xe2 || at[0] == 0xef ? 3
                                                     : 0;
    if (length == 0 || !style_is_control(at, length)) {
        fputc(at[0], file);
        return 0;
    }
    fprintf(file, "\\u%04x", style_code_point(at, length));
    return length - 1;
}

static int reads_back(float value, int digits, char out[DECIMAL_BYTES])
{
    snprintf(out, DECIMAL_BYTES, "%.*e", digits - 1, (double)value);
    float back = strtof(out, NULL);
    return memcmp(&back, &value, sizeof value) == 0;
}
