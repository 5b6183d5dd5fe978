/* Strings and numbers as JSON. The C library prints and reads numbers with the decimal point of the
 * process's locale, which is not ours to change: what it printed is translated afterwards. */
#include "codec/codec_json_write.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    NUMBER_BYTES = 64, /* 24 characters, and room for a decimal point of several bytes */
    DIGITS_SAFE = 15,  /* a decimal of so many digits survives the way through a double */
    DIGITS_ALL = 17    /* a double survives the way through a decimal of so many digits */
};

static edb_status write_escape(struct buffer *text, uint8_t byte);
static size_t translate(const char *local, char *json);

edb_status codec_json_write_string(struct buffer *text, const uint8_t *utf8, size_t bytes)
{
    edb_status status = buffer_append(text, "\"", 1);
    size_t plain = 0; /* where the bytes begin that are not yet written */
    for (size_t i = 0; i < bytes && status == EDB_OK; i++) {
        if (utf8[i] >= 0x20 && utf8[i] != '"' && utf8[i] != '\\')
            continue;
        status = buffer_append(text, utf8 + plain, i - plain);
        if (status == EDB_OK)
            status = write_escape(text, utf8[i]);
        plain = i + 1;
    }
    if (status == EDB_OK)
        status = buffer_append(text, utf8 + plain, bytes - plain);
    return status == EDB_OK ? buffer_append(text, "\"", 1) : status;
}

static edb_status write_escape(struct buffer *text, uint8_t byte)
{
    static const char named[] = "\"\"\\\\\bb\ff\nn\rr\tt"; /* the byte, the letter that names it */
    for (size_t i = 0; i < sizeof named - 1; i += 2)
        if (byte == (uint8_t)named[i])
            return buffer_append(text, (char[2]){'\\', named[i + 1]}, 2);
    char escape[8];
    snprintf(escape, sizeof escape, "\\u%04x", byte);
    return buffer_append(text, escape, 6);
}

edb_status codec_json_write_integer(struct buffer *text, int64_t value)
{
    char digits[24];
    int count = snprintf(digits, sizeof digits, "%" PRId64, value);
    return buffer_append(text, digits, (size_t)count);
}

edb_status codec_json_write_number(struct buffer *text, double value)
{
    char local[NUMBER_BYTES];
    char json[NUMBER_BYTES];
    /* Below DBL_MIN a double has fewer digits than a decimal of 15. */
    int digits = fabs(value) < DBL_MIN ? 1 : DIGITS_SAFE;
    do
        snprintf(local, sizeof local, "%.*g", digits, value);
    while (digits++ < DIGITS_ALL && strtod(local, NULL) != value);
    return buffer_append(text, json, translate(local, json));
}

/* A number as printf gives it, with whatever stands for the decimal point made a point and with
 * ".0" where there is neither point nor exponent. Returns the length. */
static size_t translate(const char *local, char *json)
{
    size_t count = 0;
    bool has_point = false;
    bool has_exponent = false;
    for (; *local != '\0'; local++) {
        bool sign_or_digit = strchr("+-0123456789", *local) != NULL;
        has_exponent |= *local == 'e';
        if (sign_or_digit || *local == 'e') {
            json[count++] = *local;
        } else if (!has_point) {
            json[count++] = '.';
            has_point = true;
        }
    }
    if (!has_point && !has_exponent) {
        json[count++] = '.';
        json[count++] = '0';
    }
    return count;
}
