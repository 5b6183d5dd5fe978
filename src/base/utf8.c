/* The test for well-formed UTF-8, one character at a time, eight bytes at a time while they are
 * ASCII. */
#include "base/utf8.h"

#include <stdint.h>
#include <string.h>

static size_t character(const uint8_t *at, size_t left);

size_t utf8_first_bad(const void *bytes, size_t count)
{
    const uint8_t *text = bytes;
    size_t at = 0;
    while (at < count) {
        uint64_t eight;
        if (count - at >= sizeof eight) {
            memcpy(&eight, text + at, sizeof eight);
            if ((eight & 0x8080808080808080u) == 0) {
                at += sizeof eight;
                continue;
            }
        }
        size_t length = character(text + at, count - at);
        if (length == 0)
            break;
        at += length;
    }
    return at;
}

static int follows(uint8_t byte, uint8_t low, uint8_t high)
{
    return byte >= low && byte <= high;
}

/* The length of the character that begins here; 0 when none does. What the second byte may be
 * depends on the first: that is where overlong forms, surrogates and the end of Unicode show. */
static size_t character(const uint8_t *at, size_t left)
{
    uint8_t first = at[0];
    if (first < 0x80)
        return 1;
    if (first < 0xc2 || first > 0xf4)
        return 0;
    size_t length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (left < length)
        return 0;
    uint8_t low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    uint8_t high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    if (!follows(at[1], low, high))
        return 0;
    for (size_t i = 2; i < length; i++)
        if (!follows(at[i], 0x80, 0xbf))
            return 0;
    return length;
}
