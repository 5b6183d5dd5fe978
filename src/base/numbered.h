/* Finding a thing by its number in an array that is in the order of the numbers. Called where a
 * space keeps something for each chunk of its rows. */
#ifndef EDB_BASE_NUMBERED_H
#define EDB_BASE_NUMBERED_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The number is what an item begins with. */
static inline uint64_t numbered_at(const void *items, size_t item_bytes, size_t at)
{
    uint64_t number;
    memcpy(&number, (const uint8_t *)items + at * item_bytes, sizeof number);
    return number;
}

/* Where the number is, or would be. Mostly all numbers from 0 on are there: then it is at its own
 * place. */
static inline size_t numbered_place(const void *items, size_t count, size_t item_bytes,
                                    uint64_t number)
{
    size_t low = 0;
    size_t high = count;
    if (number < count && numbered_at(items, item_bytes, (size_t)number) == number)
        return (size_t)number;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (numbered_at(items, item_bytes, middle) < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

#endif
