/* Opens a crash image through the public API and holds every record in it against the history. */
#ifndef EDB_TESTS_CRASH_CHECK_H
#define EDB_TESTS_CRASH_CHECK_H

#include "crash/crash_history.h"
#include "crash/crash_states.h"

struct crash_checker {
    const struct history *history;
    uint64_t seed;
    unsigned depth;          /* how often recovery itself may crash */
    unsigned recover_one_in; /* images whose recovery is crashed, too */
    uint64_t states;         /* looked at, those of crashed recoveries included */
    uint64_t recovery_states;
    uint64_t bad;
    uint64_t slots_lost; /* images that have only an older slot than they should: counted as bad */
    bool stop_at_first;
    bool quiet;
};

/* A crash_check. */
bool crash_check_state(void *checker, const struct crash_state *state);

#endif
