/* What a fuzz target is: one function that takes any bytes, as libFuzzer names it, and the good
 * cases that fuzzing begins with.
 *
 * Built with clang and EDB_SANITIZE=fuzz each fuzz_*.c is a fuzzer (`make fuzz`). In every other
 * build replay_corpus.c is its main(), and it is a test: the seeds, the cases that are kept in
 * fuzz/corpus/<target>/, and some thousand changed ones. */
#ifndef EDB_TESTS_FUZZ_TARGET_H
#define EDB_TESTS_FUZZ_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CASE_BYTES_MAX = 65536 };

/* One case. Returns 0; what must not be ends the process (target_hold). */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

/* Writes good case `number` (from 0), at most CASE_BYTES_MAX bytes. Returns its bytes, 0 behind the
 * last one. The same bytes each time. */
size_t target_seed(size_t number, uint8_t *out);

/* A target may have its own way to change a case. */
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t count, size_t room, unsigned seed);

/* Changes a case at random: libFuzzer's, or replay_corpus.c's. */
size_t LLVMFuzzerMutate(uint8_t *bytes, size_t count, size_t room);

/* Ends the process with the sentence, unless it is true. */
void target_hold(bool truth, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* From now on what the code under test says on stderr is dropped. */
void target_quiet(void);

/* Copies the bytes to a block of the heap of exactly that size, where a sanitizer sees the first
 * byte that is read behind them. Free it. */
uint8_t *target_exact(const uint8_t *bytes, size_t count);

/* A number that stands for the bytes, for comparing. Begin with 0. */
uint64_t target_digest(uint64_t before, const void *bytes, size_t count);

#endif
