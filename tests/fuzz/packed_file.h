/* A whole .edb file as a case of a fuzzer: what is always zero is left out, so that most changes
 * hit something.
 *
 *   options 1 | the whole file                                       PACKED_RAW
 *   options 1 | slot 256 | slot 256 | GENESIS 256 | frames           else
 */
#ifndef EDB_TESTS_FUZZ_PACKED_FILE_H
#define EDB_TESTS_FUZZ_PACKED_FILE_H

#include <stddef.h>
#include <stdint.h>

enum packed_option {
    PACKED_RAW = 1,
    PACKED_NO_TAIL = 2,   /* the file ends with the bytes: no zero page is behind them */
    PACKED_SAME_BOOT = 4, /* it is read in the boot that wrote it */
    PACKED_WRITE = 8,     /* it is written to, and compacted */
};

enum { PACKED_HEAD_BYTES = 1 + 3 * 256, PACKED_FILE_MAX = 12288 + 65536 + 2 * 4096 };

/* The file that the case means. Returns its length. */
size_t packed_file_open(const uint8_t *bytes, size_t count, uint8_t file[PACKED_FILE_MAX]);

/* The case that means the file, with these options. Returns its length, 0 when it is over `room`.
 * The zeros behind the last frame are left out, unless PACKED_NO_TAIL is given. */
size_t packed_file_pack(const uint8_t *file, size_t count, uint8_t options, uint8_t *out,
                        size_t room);

#endif
