/* As fuzz_file, but each change is followed by a repair: every checksum and link fits again, so
 * that nothing but the library's bounds stands between the bytes and it (27, 28). What such a file
 * answers may be anything. */
#include <string.h>

#include "corrupt/repair_file.h"
#include "fuzz/packed_file.h"
#include "fuzz/resign_file.h"
#include "fuzz/target.h"
#include "fuzz/told_cache.h"
#include "fuzz/use_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    use_file(bytes, count, false);
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t count, size_t room, unsigned seed)
{
    static uint8_t file[PACKED_FILE_MAX];
    (void)seed;
    count = LLVMFuzzerMutate(bytes, count, room);
    if (count == 0 || bytes[0] & PACKED_RAW)
        return count;
    size_t file_bytes = packed_file_open(bytes, count, file);
    resign_file(file, file_bytes);
    /* Zeros at the end may have become bytes that count. */
    size_t packed = packed_file_pack(file, file_bytes, bytes[0], bytes, room);
    return packed > 0 ? packed : count;
}

size_t target_seed(size_t number, uint8_t *out)
{
    static uint8_t file[CASE_BYTES_MAX];
    size_t count = told_cache_write(number, file, sizeof file);
    uint8_t options = number % 2 == 0 ? PACKED_WRITE : PACKED_SAME_BOOT;
    return count == 0 ? 0 : packed_file_pack(file, count, options, out, CASE_BYTES_MAX);
}
