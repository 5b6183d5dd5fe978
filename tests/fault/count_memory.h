/* How many pieces of memory this program holds: what a scenario has taken from the heap it must
 * have given back, however its calls failed. */
#ifndef EDB_TESTS_FAULT_COUNT_MEMORY_H
#define EDB_TESTS_FAULT_COUNT_MEMORY_H

#include <stddef.h>

/* Pieces of the heap that were given out and not taken back, to anybody in this program. Always 0
 * under a sanitizer, which has an account of its own. */
size_t count_memory_held(void);

#endif
