/* Checksums that fit, for a file of which nothing is known. */
#ifndef EDB_TESTS_FUZZ_RESIGN_FILE_H
#define EDB_TESTS_FUZZ_RESIGN_FILE_H

#include <stddef.h>
#include <stdint.h>

/* Computes the checksums of GENESIS, slots, frames and of what is in them again, links the chain,
 * and counts the sequence, as far as the lengths that the bytes claim lead. Magics and offsets are
 * written as they should be; everything else stays what it is. */
void resign_file(uint8_t *file, size_t count);

#endif
