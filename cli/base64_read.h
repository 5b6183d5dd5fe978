/* Base64, as export writes bytes that are no text. */
#ifndef EMBEDCACHE_CLI_BASE64_READ_H
#define EMBEDCACHE_CLI_BASE64_READ_H

#include <stddef.h>

/* Reads the standard alphabet with padding, nothing else. Returns the bytes and a NUL behind them,
 * which the caller frees; NULL where the text is no base64 (*is_valid_out is 0) or memory is
 * short. */
char *base64_read(const char *text, size_t bytes, size_t *count_out, int *is_valid_out);

/* What a digit of base64 stands for; -1 for what is no digit. */
int base64_digit(char digit);

#endif
