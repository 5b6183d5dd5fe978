/* Reading base64; json_emit.c writes it. */
#include "base64_read.h"

#include <stdint.h>
#include <stdlib.h>

static int digit_of(char letter);

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
        int digit = i < bytes - padding ? digit_of(text[i]) : 0;
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

static int digit_of(char letter)
{
    if (letter >= 'A' && letter <= 'Z')
        return letter - 'A';
    if (letter >= 'a' && letter <= 'z')
        return letter - 'a' + 26;
    if (letter >= '0' && letter <= '9')
        return letter - '0' + 52;
    return letter == '+' ? 62 : letter == '/' ? 63 : -1;
}
