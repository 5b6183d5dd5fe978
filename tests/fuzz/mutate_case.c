/* LLVMFuzzerMutate where there is no libFuzzer: the same few kinds of change. Called by
 * replay_corpus.c, and by targets that change cases in their own way. */
#include "fuzz/mutate_case.h"

#include <string.h>

#include "base/bytes.h"
#include "fuzz/target.h"

static struct random_source chance;

void mutate_begin(uint64_t seed)
{
    chance.state = seed;
}

static size_t below(size_t limit)
{
    return (size_t)random_below(&chance, limit);
}

/* A number of 1, 2, 4 or 8 bytes becomes a neighbour, a limit or anything. */
static void change_number(uint8_t *bytes, size_t count)
{
    static const uint64_t limits[] = {0,          1,         127,       255,        256,
                                      4096,       65535,     65536,     UINT32_MAX, 1ull << 31,
                                      1ull << 48, INT64_MAX, UINT64_MAX};
    uint8_t raw[8] = {0};
    size_t width = (size_t)1 << below(4);
    if (count < width)
        return;
    size_t at = below(count - width + 1);
    memcpy(raw, bytes + at, width);
    uint64_t old = load_u64(raw);
    uint64_t changed[] = {old + 1 + below(8), old - 1 - below(8),
                          limits[below(sizeof limits / sizeof limits[0])], random_u64(&chance)};
    store_u64(raw, changed[below(4)]);
    memcpy(bytes + at, raw, width);
}

static size_t remove_piece(uint8_t *bytes, size_t count)
{
    size_t at = below(count);
    size_t piece = 1 + below(count - at);
    piece = below(4) > 0 && piece > 16 ? 1 + below(16) : piece;
    memmove(bytes + at, bytes + at + piece, count - at - piece);
    return count - piece;
}

/* A piece of the case comes a second time: over other bytes, or between them. */
static size_t copy_piece(uint8_t *bytes, size_t count, size_t room)
{
    static uint8_t piece[CASE_BYTES_MAX];
    size_t from = below(count);
    size_t to = below(count);
    size_t length = 1 + below(count - from < 64 ? count - from : 64);
    memcpy(piece, bytes + from, length);
    if (below(2) == 0 && count + length <= room) {
        memmove(bytes + to + length, bytes + to, count - to);
        count += length;
    }
    memcpy(bytes + to, piece, length < count - to ? length : count - to);
    return count;
}

static void put_character(uint8_t *bytes, size_t count)
{
    static const char telling[] = "{}[]\",:;\\\n\r\t 0-9eE.+/=\xc3\xff";
    bytes[below(count)] = (uint8_t)telling[below(sizeof telling)];
}

size_t LLVMFuzzerMutate(uint8_t *bytes, size_t count, size_t room)
{
    if (count == 0) {
        bytes[0] = (uint8_t)below(256);
        return 1;
    }
    switch (below(7)) {
    case 0:
        bytes[below(count)] ^= (uint8_t)(1u << below(8));
        break;
    case 1:
        bytes[below(count)] = (uint8_t)below(256);
        break;
    case 2:
        return remove_piece(bytes, count);
    case 3:
        return copy_piece(bytes, count, room);
    case 4:
        put_character(bytes, count);
        break;
    default:
        change_number(bytes, count);
    }
    return count;
}
