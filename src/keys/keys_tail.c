/* The tail: rows that no section covers yet, in an open-addressing table in memory. Called when
 * groups are applied. */
#include <string.h>

#include "base/memory.h"
#include "keys/keys.h"

enum { CAPACITY_MIN = 64 };

static size_t home_of(const struct keys_tail *tail, uint64_t hash)
{
    return (size_t)hash & (tail->capacity - 1);
}

static void place(struct keys_tail *tail, uint64_t hash, uint64_t row)
{
    size_t at = home_of(tail, hash);
    while (tail->slots[at].row_plus_1 != 0)
        at = (at + 1) & (tail->capacity - 1);
    tail->slots[at] = (struct keys_slot){hash, row + 1};
    tail->count++;
}

static edb_status resize(struct keys_tail *tail, size_t capacity)
{
    struct keys_tail grown = {memory_zeroed(capacity, sizeof *grown.slots), capacity, 0};
    if (grown.slots == NULL)
        return memory_failed(capacity * sizeof *grown.slots);
    for (size_t i = 0; i < tail->capacity; i++)
        if (tail->slots[i].row_plus_1 != 0)
            place(&grown, tail->slots[i].hash, tail->slots[i].row_plus_1 - 1);
    memory_free(tail->slots);
    *tail = grown;
    return EDB_OK;
}

edb_status keys_reserve(struct keys *keys, size_t count)
{
    size_t capacity = keys->tail.capacity ? keys->tail.capacity : CAPACITY_MIN;
    while (keys->tail.count + count > capacity / 2)
        capacity *= 2;
    return capacity == keys->tail.capacity ? EDB_OK : resize(&keys->tail, capacity);
}

/* The slot that holds this row, or NULL. */
static struct keys_slot *find_row(struct keys_tail *tail, uint64_t hash, uint64_t row)
{
    if (tail->capacity == 0)
        return NULL;
    for (size_t at = home_of(tail, hash); tail->slots[at].row_plus_1 != 0;
         at = (at + 1) & (tail->capacity - 1))
        if (tail->slots[at].row_plus_1 == row + 1 && tail->slots[at].hash == hash)
            return &tail->slots[at];
    return NULL;
}

void keys_insert(struct keys *keys, uint64_t hash, uint64_t row, uint64_t prior)
{
    struct keys_slot *slot = prior == ROW_NONE ? NULL : find_row(&keys->tail, hash, prior);
    if (slot != NULL)
        slot->row_plus_1 = row + 1;
    else
        place(&keys->tail, hash, row);
}

/* Closes the gap that a removed slot leaves, so that no later lookup stops at it. */
void keys_remove(struct keys *keys, uint64_t hash, uint64_t row)
{
    struct keys_tail *tail = &keys->tail;
    struct keys_slot *slot = find_row(tail, hash, row);
    if (slot == NULL)
        return;
    size_t mask = tail->capacity - 1;
    size_t gap = (size_t)(slot - tail->slots);
    for (size_t at = (gap + 1) & mask; tail->slots[at].row_plus_1 != 0; at = (at + 1) & mask) {
        size_t home = home_of(tail, tail->slots[at].hash);
        if (((at - home) & mask) >= ((at - gap) & mask)) {
            tail->slots[gap] = tail->slots[at];
            gap = at;
        }
    }
    tail->slots[gap].row_plus_1 = 0;
    tail->count--;
}

/* Forgets rows below `covered`. Memory is given back when nothing is left. */
static void forget_covered(struct keys_tail *tail, uint64_t covered)
{
    struct keys_slot *old = tail->slots;
    size_t capacity = tail->capacity;
    size_t kept = 0;
    for (size_t i = 0; i < capacity; i++)
        kept += old[i].row_plus_1 > covered;
    struct keys_slot *rest = memory_zeroed(kept, sizeof *rest);
    if (rest == NULL) /* no memory to tidy up: the rows stay named twice, which does no harm */
        return;
    for (size_t i = 0, at = 0; i < capacity; i++)
        if (old[i].row_plus_1 > covered)
            rest[at++] = old[i];
    memset(old, 0, capacity * sizeof *old);
    tail->count = 0;
    for (size_t i = 0; i < kept; i++)
        place(tail, rest[i].hash, rest[i].row_plus_1 - 1);
    memory_free(rest);
    if (kept == 0) {
        memory_free(old);
        memset(tail, 0, sizeof *tail);
    }
}

void keys_adopt(struct keys *keys, struct store_section_list *sections, uint64_t covered)
{
    store_section_list_replace(&keys->sections, sections);
    if (keys->tail.count > 0)
        forget_covered(&keys->tail, covered);
}

void keys_close(struct keys *keys)
{
    store_section_list_close(&keys->sections);
    memory_free(keys->tail.slots);
    memset(keys, 0, sizeof *keys);
}
