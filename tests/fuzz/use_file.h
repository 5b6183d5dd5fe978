/* Everything that is done with a file of a fuzzer: opened, verified, asked for every key in every
 * way, iterated, searched; and, where the case says so, written to, compacted and opened again. */
#ifndef EDB_TESTS_FUZZ_USE_FILE_H
#define EDB_TESTS_FUZZ_USE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One case, packed (packed_file.h). Whatever it is, nothing is out of proportion and what is handed
 * out can be read to its last byte. With `told` its checksums are what they were: each record that
 * comes out was put in (told_cache.h), and each answer fits the others. */
void use_file(const uint8_t *bytes, size_t count, bool told);

#endif
