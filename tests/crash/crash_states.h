/* Every state in which a crash may leave the files of a simulated machine.
 *
 * THE MODEL. In flight are the writes and growths of a file since its last successful sync, and the
 * creations, renames and removals since the last sync of the directory. The power may fail after
 * any operation of the journal. Then
 *   - of what is in flight any subset has happened;
 *   - a write may have happened in part, up to or from a sector boundary;
 *   - one sector (512 bytes) or one page (4 KiB) that was being written may hold garbage, including
 *     those of its bytes that no write in flight touched;
 *   - a growth may be lost while the data behind the old end was written (that data is gone then),
 *     or may have happened without it (zeros).
 * What was synced before is there, whatever comes. Writes that a failed sync has dropped are not.
 *
 * Each state is handed to a check, which installs it (crash_install), opens it and looks at it.
 * States that equal an earlier one, byte for byte and with the same acknowledgement, are counted as
 * duplicates and not checked again. */
#ifndef EDB_TESTS_CRASH_STATES_H
#define EDB_TESTS_CRASH_STATES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crash/crash_plan.h"
#include "os/os_sim.h"

struct crash_file {
    const char *name;
    const uint8_t *bytes;
    uint64_t count;
};

/* Valid inside the check only. */
struct crash_state {
    const struct crash_file *files;
    size_t file_count;
    uint64_t acknowledged; /* the last mark at or before the crash */
    size_t operations;     /* how many of the journal had been asked for */
    enum crash_kind kind;
    uint64_t hash; /* of names and bytes */
};

/* False ends the exploration. */
typedef bool crash_check(void *arg, const struct crash_state *state);

struct crash_options {
    uint64_t seed;
    uint64_t states_per_interval_max; /* between two syncs; 0 = no limit. Above it they are drawn at
                                         random */
};

struct crash_counts {
    uint64_t points; /* at which the power failed */
    uint64_t states[CRASH_KINDS];
    uint64_t checked[CRASH_KINDS]; /* states less duplicates */
    uint64_t duplicates;
    uint64_t images;   /* distinct, whatever was acknowledged */
    uint64_t left_out; /* by the limit */
};

/* Builds the states of a journal that began on the files of `before` (NULL = none) and hands each
 * to `check`. The counts are added to *counts_out. False when a check said so. A check may call it
 * again, for the journal of a recovery. */
bool crash_explore(const struct os_sim_journal *journal, const struct crash_state *before,
                   const struct crash_options *options, crash_check *check, void *arg,
                   struct crash_counts *counts_out);

/* Boots the simulated machine, with another boot identity, on the files of a state. */
void crash_install(const struct crash_state *state, uint64_t seed);

/* Name of a kind, for reports. */
const char *crash_kind_name(enum crash_kind kind);

#endif
