/* A whole .edb file of any bytes, its checksums as they come: what is read of it was once written
 * (27, 28, 29, 31).
 *
 * As a fuzzer it is to be run with -use_cmp=0: a fuzzer that sees what checksums are compared with
 * forges them, and forged records were never written. Those are fuzz_file_repaired's. */
#include "fuzz/packed_file.h"
#include "fuzz/target.h"
#include "fuzz/told_cache.h"
#include "fuzz/use_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    use_file(bytes, count, true);
    return 0;
}

size_t target_seed(size_t number, uint8_t *out)
{
    static const uint8_t options[] = {PACKED_WRITE | PACKED_SAME_BOOT, 0};
    enum { WAYS = sizeof options / sizeof options[0] };
    static uint8_t file[CASE_BYTES_MAX];
    size_t count = told_cache_write(number / WAYS, file, sizeof file);
    return count == 0 ? 0
                      : packed_file_pack(file, count, options[number % WAYS], out, CASE_BYTES_MAX);
}
