/* Reading base64; json_emit.c writes it. */
#include "base64_read.h"

#include <stdint.h>
#include <stdlib.h>

char *base64_read(const char *text, size_t bytes, size_t *count_out, int *is_valid_out)
{
    size_t padding = 0;
    while (padding < 2 && padding < bytes && text[bytes - 1 - padding] == '=')
        padding++;
    *is_valid_out = bytes % 4 == 0;
    char *out = malloc(bytes / 4 * 3 + 1);
    size_t used = 0;
    uint32_t group = 0;
    for (size_t i = 0; i < bytes && out != NULL && *is_valid_out; i++) {
        int digit = i < bytes - padding ? base64_digit(text[i]) : 0;
        *is_valid_out = digit >= 0;
        group = group << 6 | ((uint32_t)digit & 63);
        if (i % 4 != 3)
            continue;
        out[used++] = (char)(group >> 16 & 255);
        out[used++] = (char)(group >> 8 & 255);
        out[used++] = (char)(group & 255);
        group = 0;
    }
    if (out == NULL || !*is_valid_out) {
        free(out);
        return NULL;
    }
    *count_out = used - padding;
    out[*count_out] = '\0';
    return out;
}

int base64_digit(char digit)
{
    if (digit >= 'A' && digit <= 'Z')
        return digit - 'A';
    if (digit >= 'a' && digit <= 'z')
        return digit - 'a' + 26;
    if (digit >= '0' && digit <= '9')
        return digit - '0' + 52;
    return digit == '+' ? 62 : digit == '/' ? 63 : -1;
}
