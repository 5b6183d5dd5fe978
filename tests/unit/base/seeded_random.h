/* The random numbers of a test: a new seed each run, printed, and given back by
 * EDB_SEED=<number>. */
#ifndef EDB_TESTS_UNIT_BASE_SEEDED_RANDOM_H
#define EDB_TESTS_UNIT_BASE_SEEDED_RANDOM_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/random.h"

static inline struct random_source seeded_random(const char *test)
{
    const char *given = getenv("EDB_SEED");
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t seed = given != NULL ? strtoull(given, NULL, 0) : (uint64_t)now.tv_nsec;
    printf("%s: EDB_SEED=%" PRIu64 "\n", test, seed);
    return (struct random_source){seed};
}

#endif
