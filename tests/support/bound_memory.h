/* A limit on the memory that a test may ask for from now on. */
#ifndef EDB_TESTS_SUPPORT_BOUND_MEMORY_H
#define EDB_TESTS_SUPPORT_BOUND_MEMORY_H

#include <stddef.h>

/* Address space: what the process has, and so many bytes more. Allocations beyond it fail. Nothing
 * happens under a sanitizer, whose shadow is far larger. */
void bound_memory(size_t bytes);

#endif
