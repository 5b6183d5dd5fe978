/* The heap's functions, counted, in the place of the C library's: everybody in the program gets
 * these, the libraries that EmbedCache stands on too. Called by the judgement of scenarios. */
#include "fault/count_memory.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>

#include "support/under_sanitizer.h"

static _Atomic size_t held;

size_t count_memory_held(void)
{
    return atomic_load(&held);
}

#if !UNDER_SANITIZER

extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t count, size_t bytes);
extern void *__libc_realloc(void *memory, size_t bytes);
extern void *__libc_memalign(size_t alignment, size_t bytes);
extern void __libc_free(void *memory);

static void *count_one(void *memory)
{
    if (memory != NULL)
        atomic_fetch_add_explicit(&held, 1, memory_order_relaxed);
    return memory;
}

void *malloc(size_t bytes)
{
    return count_one(__libc_malloc(bytes));
}

void *calloc(size_t count, size_t bytes)
{
    return count_one(__libc_calloc(count, bytes));
}

void *realloc(void *memory, size_t bytes)
{
    if (memory == NULL)
        return malloc(bytes);
    return __libc_realloc(memory, bytes > 0 ? bytes : 1);
}

void *aligned_alloc(size_t alignment, size_t bytes)
{
    return count_one(__libc_memalign(alignment, bytes));
}

int posix_memalign(void **memory_out, size_t alignment, size_t bytes)
{
    *memory_out = aligned_alloc(alignment, bytes);
    return *memory_out != NULL ? 0 : ENOMEM;
}

void free(void *memory)
{
    if (memory != NULL)
        atomic_fetch_sub_explicit(&held, 1, memory_order_relaxed);
    __libc_free(memory);
}

#endif
