/* The heap, with a counter that tests use to make one allocation fail. No other file of src/ calls
 * malloc or free. */
#include "base/memory.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { ELEMENTS_FIRST = 64 }; /* of an array that grows */

static _Atomic size_t allocations;
static _Atomic size_t fail_at;
static _Atomic int fail_for_ever;

static int refuse(void)
{
    size_t number = atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed) + 1;
    size_t limit = atomic_load_explicit(&fail_at, memory_order_relaxed);
    if (limit == 0)
        return 0;
    return number == limit || (number > limit && atomic_load(&fail_for_ever));
}

size_t memory_fail_at(size_t n, int for_ever)
{
    size_t made = atomic_exchange(&allocations, 0);
    atomic_store(&fail_for_ever, for_ever);
    atomic_store(&fail_at, n);
    return made;
}

void *memory_zeroed(size_t count, size_t bytes)
{
    if (refuse())
        return NULL;
    return calloc(count ? count : 1, bytes ? bytes : 1);
}

void *memory_aligned(size_t bytes)
{
    if (refuse() || bytes > SIZE_MAX - 63)
        return NULL;
    return aligned_alloc(64, bytes ? (bytes + 63) / 64 * 64 : 64);
}

void *memory_resize(void *memory, size_t count, size_t bytes)
{
    size_t total;
    if (refuse() || __builtin_mul_overflow(count, bytes, &total))
        return NULL;
    return realloc(memory, total ? total : 1);
}

edb_status memory_reserve(void *array, size_t *capacity, size_t needed, size_t bytes)
{
    void *elements;
    if (needed <= *capacity)
        return EDB_OK;
    size_t wanted = *capacity ? 2 * *capacity : ELEMENTS_FIRST;
    wanted = wanted < needed ? needed : wanted;
    memcpy(&elements, array, sizeof elements);
    elements = memory_resize(elements, wanted, bytes);
    if (elements == NULL)
        return memory_failed(wanted * bytes);
    memcpy(array, &elements, sizeof elements);
    *capacity = wanted;
    return EDB_OK;
}

char *memory_copy_text(const char *text, size_t bytes)
{
    char *copy = bytes == SIZE_MAX ? NULL : memory_resize(NULL, bytes + 1, 1);
    if (copy == NULL)
        return NULL;
    if (bytes > 0)
        memcpy(copy, text, bytes);
    copy[bytes] = '\0';
    return copy;
}

void memory_free(void *memory)
{
    free(memory);
}

void edb_free(void *memory)
{
    memory_free(memory);
}

edb_status memory_failed(size_t bytes)
{
    return fail(EDB_NO_MEMORY, "out of memory: %zu bytes were refused", bytes);
}
