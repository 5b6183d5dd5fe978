/* The only door to the heap. Tests make the n-th allocation fail here. */
#ifndef EDB_BASE_MEMORY_H
#define EDB_BASE_MEMORY_H

#include <stddef.h>

#include "base/status.h"

/* Memory for count * bytes, zeroed; NULL when there is none (or on overflow). */
void *memory_zeroed(size_t count, size_t bytes);

/* Memory of `bytes`, not initialised, aligned to 64; NULL when there is none. */
void *memory_aligned(size_t bytes);

/* Grows or shrinks to count * bytes; NULL (and the old memory untouched) when there is none. */
void *memory_resize(void *memory, size_t count, size_t bytes);

/* Makes room for `needed` elements of `bytes` in an array that grows by doubling. `array` leads to
 * the pointer to it, which is changed, as *capacity is, where there is too little. EDB_NO_MEMORY:
 * all is as it was. */
edb_status memory_reserve(void *array, size_t *capacity, size_t needed, size_t bytes);

/* A copy of `bytes` bytes and a NUL behind them. */
char *memory_copy_text(const char *text, size_t bytes);

/* NULL is allowed. */
void memory_free(void *memory);

/* The status of a failed allocation. */
edb_status memory_failed(size_t bytes);

/* Test hook: allocation number n (from 1, counted from this call) fails, once or for ever. 0 =
 * none. Returns how many allocations were made since the last call. */
size_t memory_fail_at(size_t n, int for_ever);

#endif
