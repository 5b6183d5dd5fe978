/* The shortest decimal of a float, by trying: its value scaled to a whole number of n digits, n
 * from 6 up or down, and read back. Scaling is one rounding in double, far finer than nine digits;
 * where it comes near the middle between two whole numbers, printf decides (json_emit.c). */
#include "decimal_write.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "float_list.h"

/* Six digits are the watershed: decimals that people typed need fewer, computed values more. */
enum { DIGITS_FIRST = 6, DIGITS_MAX = 9 };

enum attempt { READS_BACK, READS_OTHER, UNSURE };

static const double powers[] = {1e0, 1e1, 1e2, 1e3,  1e4,  1e5,  1e6,
                                1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13};

static int find_exponent(double size);
static int find_shortest(float size, int exponent, int *digits_out, uint64_t *whole_out);
static enum attempt try_digits(float size, int exponent, int digits, uint64_t *whole_out);
static void write_whole(uint64_t whole, int digits, int exponent, char *out);

int decimal_write(float value, char out[DECIMAL_ROOM])
{
    float size = fabsf(value);
    uint64_t whole;
    int digits;
    if (!(size >= 1e-4f && size < 9e6f))
        return 0;
    int exponent = find_exponent((double)size);
    if (!find_shortest(size, exponent, &digits, &whole))
        return 0;
    if (signbit(value))
        *out++ = '-';
    write_whole(whole, digits, exponent, out);
    return 1;
}

/* Of ten: 10^exponent <= size < 10^(exponent + 1). */
static int find_exponent(double size)
{
    int exponent = -4;
    while (exponent < 6 &&
           size >= (exponent < -1 ? 1 / powers[-exponent - 1] : powers[exponent + 1]))
        exponent++;
    return exponent;
}

static int find_shortest(float size, int exponent, int *digits_out, uint64_t *whole_out)
{
    int digits = DIGITS_FIRST;
    enum attempt attempt = try_digits(size, exponent, digits, whole_out);
    while (attempt == READS_OTHER && digits < DIGITS_MAX)
        attempt = try_digits(size, exponent, ++digits, whole_out);
    *digits_out = digits;
    if (attempt != READS_BACK || digits > DIGITS_FIRST)
        return attempt == READS_BACK;
    while (digits > 1) {
        uint64_t shorter;
        attempt = try_digits(size, exponent, digits - 1, &shorter);
        if (attempt != READS_BACK)
            return attempt == READS_OTHER;
        *whole_out = shorter;
        *digits_out = --digits;
    }
    return 1;
}

static enum attempt try_digits(float size, int exponent, int digits, uint64_t *whole_out)
{
    int shift = digits - 1 - exponent;
    double scaled = shift < 0 ? (double)size / powers[-shift] : (double)size * powers[shift];
    double whole = floor(scaled + 0.5);
    float back;
    *whole_out = (uint64_t)whole;
    if (fabs(fabs(scaled - whole) - 0.5) < 1e-5 || whole < powers[digits - 1] ||
        whole >= powers[digits])
        return UNSURE;
    if (!float_scale((uint64_t)whole, -shift, &back))
        return UNSURE;
    return memcmp(&back, &size, sizeof back) == 0 ? READS_BACK : READS_OTHER;
}

/* whole / 10^(digits - 1 - exponent), with at least one digit before and behind the point. */
static void write_whole(uint64_t whole, int digits, int exponent, char *out)
{
    char text[DIGITS_MAX];
    for (int i = digits - 1; i >= 0; i--, whole /= 10)
        text[i] = (char)('0' + whole % 10);
    int next = 0; /* of text */
    for (int place = exponent > 0 ? exponent : 0; place >= 0; place--)
        *out++ = place <= exponent && next < digits ? text[next++] : '0';
    *out++ = '.';
    if (next == digits)
        *out++ = '0';
    for (int place = -1; next < digits; place--)
        *out++ = place <= exponent ? text[next++] : '0';
    *out = '\0';
}
