/* Opens a crash image through the public API and holds every record in it against the history. */
#ifndef EDB_TESTS_CRASH_CHECK_H
#define EDB_TESTS_CRASH_CHECK_H

#include "crash/crash_history.h"
#include "crash/crash_states.h"

/* Power may fail in the workload, in the recovery from that, and in the recovery from that one. */
enum { CRASH_DEPTH_MAX = 3 };

struct crash_checker {
    const struct history *history;
    uint64_t seed;
    unsigned depth;                           /* how often in a row the power may fail */
    unsigned recover_one_in[CRASH_DEPTH_MAX]; /* images whose recovery is crashed, by their depth */
    uint64_t states[CRASH_DEPTH_MAX];         /* looked at, by how often the power has failed - 1 */
    uint64_t compacted; /* recoveries that wrote the file anew and were crashed */
    uint64_t bad;
    uint64_t slots_lost; /* images that have only an older slot than they should: counted as bad */
    bool stop_at_first;
    bool quiet;
};

/* A crash_check. */
bool crash_check_state(void *checker, const struct crash_state *state);

#endif
