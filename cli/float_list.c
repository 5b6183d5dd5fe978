/* Decimals to floats, fast: importing JSON and CSV spends its time here.
 *
 * A decimal is w * 10^e with w its digits as a whole number. Where w is below 2^53 and |e| at most
 * 22, both are exact doubles, so that their product or quotient is the decimal rounded once. That
 * double becomes the nearest float too, unless it lies exactly half way between two floats: then,
 * and in all other cases, strtof decides. Digits beyond the 16th are first tried as "between these
 * two"; where both ends give one float it is that one. */
#include "float_list.h"

#include <ctype.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBER_BYTES = 64, DIGITS_KEPT = 15, POWER_MAX = 22 };

/* The parts of a decimal. */
struct decimal {
    int is_negative;
    uint64_t digits; /* the first DIGITS_KEPT that count */
    int cut;         /* further digits follow */
    int exponent;    /* of ten, for `digits` */
    size_t length;
};

struct list {
    const char *at;
    const char *end;
    enum float_list_form form;
    int has_brackets;
};

static size_t take_decimal(const char *text, size_t bytes, enum float_list_form form,
                           struct decimal *decimal);
static const char *take_digits(const char *at, const char *end, struct decimal *decimal,
                               int is_fraction);
static size_t take_exponent(const char *at, const char *end, struct decimal *decimal);
static float read_slowly(const char *text, size_t length);
static int take_open(struct list *list);
static int take_next(struct list *list);
static int is_closed(struct list *list);
static void skip_blank(struct list *list);

const char *float_list_read(const char *text, size_t bytes, enum float_list_form form, float *out,
                            size_t room, struct float_list_found *found)
{
    struct list list = {text, text + bytes, form, 0};
    size_t count = 0;
    found->count = 0;
    if (!take_open(&list))
        return "is no list of numbers: write it like [0.25, -1]";
    do {
        float number;
        skip_blank(&list);
        size_t length = float_read(list.at, (size_t)(list.end - list.at), form, &number);
        if (length == 0 || !isfinite(number)) {
            snprintf(found->phrase, sizeof found->phrase,
                     length == 0 ? "has an element %zu that is no number: write it like [0.25, -1]"
                                 : "has an element %zu that does not fit float32",
                     count);
            return found->phrase;
        }
        list.at += length;
        if (count < room)
            out[count] = number;
        count++;
    } while (take_next(&list));
    found->count = count;
    return is_closed(&list) ? NULL
                            : "is a list that does not end where it should: write it like "
                              "[0.25, -1]";
}

size_t float_read(const char *text, size_t bytes, enum float_list_form form, float *out)
{
    struct decimal decimal;
    float low;
    float high;
    if (take_decimal(text, bytes, form, &decimal) == 0)
        return 0;
    int is_sure = float_scale(decimal.digits, decimal.exponent, &low);
    if (is_sure && decimal.cut)
        is_sure = float_scale(decimal.digits + 1, decimal.exponent, &high) && low == high;
    if (!is_sure)
        *out = read_slowly(text, decimal.length);
    else
        *out = decimal.is_negative ? -low : low;
    return decimal.length;
}

/* The length of the number; 0 when there is none. */
static size_t take_decimal(const char *text, size_t bytes, enum float_list_form form,
                           struct decimal *decimal)
{
    int is_loose = form == FLOAT_LIST_LOOSE;
    const char *at = text;
    const char *end = text + bytes;
    memset(decimal, 0, sizeof *decimal);
    if (at < end && (*at == '-' || (*at == '+' && is_loose)))
        decimal->is_negative = *at++ == '-';
    const char *whole = at;
    at = take_digits(at, end, decimal, 0);
    ptrdiff_t digits = at - whole;
    if ((digits == 0 && !is_loose) || (digits > 1 && *whole == '0'))
        return 0;
    if (at < end && *at == '.') {
        const char *fraction = at + 1;
        at = take_digits(fraction, end, decimal, 1);
        if (at == fraction && !is_loose)
            return 0;
        digits += at - fraction;
    }
    if (digits == 0)
        return 0;
    if (at < end && (*at == 'e' || *at == 'E')) {
        size_t length = take_exponent(at, end, decimal);
        if (length == 0)
            return 0;
        at += length;
    }
    decimal->length = (size_t)(at - text);
    return decimal->length;
}

static const char *take_digits(const char *at, const char *end, struct decimal *decimal,
                               int is_fraction)
{
    const uint64_t full = UINT64_C(100000000000000); /* has DIGITS_KEPT digits */
    for (; at < end && *at >= '0' && *at <= '9'; at++) {
        if (decimal->digits >= full) {
            decimal->cut |= *at != '0';
            decimal->exponent += !is_fraction;
            continue;
        }
        decimal->digits = decimal->digits * 10 + (uint64_t)(*at - '0');
        decimal->exponent -= is_fraction;
    }
    return at;
}

static size_t take_exponent(const char *at, const char *end, struct decimal *decimal)
{
    const char *first = at++;
    int is_negative = at < end && *at == '-';
    if (at < end && (*at == '-' || *at == '+'))
        at++;
    const char *digits = at;
    int exponent = 0;
    for (; at < end && *at >= '0' && *at <= '9'; at++)
        exponent = exponent > 9999 ? exponent : exponent * 10 + (*at - '0');
    decimal->exponent += is_negative ? -exponent : exponent;
    return at == digits ? 0 : (size_t)(at - first);
}

int float_scale(uint64_t digits, int exponent, float *out)
{
    static const double powers[POWER_MAX + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                 1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                                 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    const uint64_t below_half = 0x1fffffff; /* the bits of a double that a float has not */
    const uint64_t half = 0x10000000;
    if (digits == 0) {
        *out = 0;
        return 1;
    }
    if (exponent < -POWER_MAX || exponent > POWER_MAX)
        return 0;
    double value =
        exponent < 0 ? (double)digits / powers[-exponent] : (double)digits * powers[exponent];
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    *out = (float)value;
    int is_normal = value >= 0x1p-126 && value <= 0x1p127;
    return is_normal && (bits & below_half) != half;
}

static float read_slowly(const char *text, size_t length)
{
    char number[NUMBER_BYTES];
    char *decimal = length < sizeof number ? number : malloc(length + 1);
    if (decimal == NULL)
        return NAN;
    memcpy(decimal, text, length);
    decimal[length] = '\0';
    float value = strtof(decimal, NULL);
    if (decimal != number)
        free(decimal);
    return value;
}

static int take_open(struct list *list)
{
    skip_blank(list);
    list->has_brackets = list->at < list->end && *list->at == '[';
    list->at += list->has_brackets;
    return list->has_brackets || (list->form == FLOAT_LIST_LOOSE && list->at < list->end);
}

/* Whether another number follows; steps over what is between. */
static int take_next(struct list *list)
{
    const char *before = list->at;
    skip_blank(list);
    if (list->at == list->end)
        return 0;
    if (*list->at == ',' || (*list->at == ';' && list->form == FLOAT_LIST_LOOSE)) {
        list->at++;
        return 1;
    }
    return list->form == FLOAT_LIST_LOOSE && list->at > before && *list->at != ']';
}

static int is_closed(struct list *list)
{
    skip_blank(list);
    if (list->has_brackets) {
        if (list->at == list->end || *list->at != ']')
            return 0;
        list->at++;
    }
    skip_blank(list);
    return list->at == list->end;
}

static void skip_blank(struct list *list)
{
    while (list->at < list->end &&
           (*list->at == ' ' || *list->at == '\t' || *list->at == '\n' || *list->at == '\r'))
        list->at++;
}
