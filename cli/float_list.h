/* Lists of decimals, as JSON, CSV and people write vectors. */
#ifndef EMBEDCACHE_CLI_FLOAT_LIST_H
#define EMBEDCACHE_CLI_FLOAT_LIST_H

#include <stddef.h>
#include <stdint.h>

enum float_list_form {
    FLOAT_LIST_JSON, /* [0.25, -1] */
    FLOAT_LIST_LOOSE /* as well without brackets, with blanks or ';' between the numbers, and with
                        numbers like +1, .5 and 1. (as NumPy prints them) */
};

struct float_list_found {
    size_t count;     /* numbers that the list has */
    char phrase[128]; /* what is wrong, where that has a number in it */
};

/* Reads all of the text as one list, each decimal straight to the nearest float32. At most `room`
 * numbers are written to `out`. Returns NULL, or what is wrong: a phrase that follows the list's
 * name, valid as long as `found`. */
const char *float_list_read(const char *text, size_t bytes, enum float_list_form form, float *out,
                            size_t room, struct float_list_found *found);

/* Reads the number at the beginning of the text, to the nearest float32: infinite where it is too
 * large. Returns its length; 0 when there is none. */
size_t float_read(const char *text, size_t bytes, enum float_list_form form, float *out);

/* digits * 10^exponent as the nearest float; 0 where this fast way cannot be sure of it. */
int float_scale(uint64_t digits, int exponent, float *out);

#endif
