/* A set of 64-bit hashes: which images were looked at already. */
#ifndef EDB_TESTS_CRASH_SEEN_H
#define EDB_TESTS_CRASH_SEEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct crash_seen {
    uint64_t *slots; /* 0 = free */
    size_t capacity; /* a power of two, or 0 */
    size_t count;
};

/* Adds `hash`; false when it was there. A zeroed set is empty. */
bool crash_seen_add(struct crash_seen *seen, uint64_t hash);
void crash_seen_close(struct crash_seen *seen);

#endif
