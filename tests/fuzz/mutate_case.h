/* Chance of the changed cases: one seed, one run. */
#ifndef EDB_TESTS_FUZZ_MUTATE_CASE_H
#define EDB_TESTS_FUZZ_MUTATE_CASE_H

#include "base/random.h"

void mutate_begin(uint64_t seed);

#endif
