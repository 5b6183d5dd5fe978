/* Open addressing with linear probing, at most three quarters full. Called by crash_states.c. */
#include "crash/crash_seen.h"

#include <stdlib.h>
#include <string.h>

static bool insert(uint64_t *slots, size_t capacity, uint64_t hash)
{
    size_t at = (size_t)hash & (capacity - 1);
    while (slots[at] != 0 && slots[at] != hash)
        at = (at + 1) & (capacity - 1);
    bool is_new = slots[at] == 0;
    slots[at] = hash;
    return is_new;
}

static void grow(struct crash_seen *seen)
{
    size_t capacity = seen->capacity == 0 ? 1024 : seen->capacity * 2;
    uint64_t *slots = calloc(capacity, sizeof *slots);
    if (slots == NULL)
        abort();
    for (size_t i = 0; i < seen->capacity; i++) {
        if (seen->slots[i] != 0)
            insert(slots, capacity, seen->slots[i]);
    }
    free(seen->slots);
    seen->slots = slots;
    seen->capacity = capacity;
}

bool crash_seen_add(struct crash_seen *seen, uint64_t hash)
{
    if (seen->count >= seen->capacity / 4 * 3)
        grow(seen);
    bool is_new = insert(seen->slots, seen->capacity, hash == 0 ? 1 : hash);
    seen->count += is_new;
    return is_new;
}

void crash_seen_close(struct crash_seen *seen)
{
    free(seen->slots);
    memset(seen, 0, sizeof *seen);
}
