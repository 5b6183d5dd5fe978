/* A writer that never rests: single puts, groups in one transaction, overwrites, deletes, lazily
 * and durably, in random order; before and after each commit it tells. */
#ifndef EDB_TESTS_MULTIPROC_WRITE_LOAD_H
#define EDB_TESTS_MULTIPROC_WRITE_LOAD_H

#include "multiproc/report.h"

struct write_plan {
    const char *path;
    uint32_t writer; /* of `writers`: which registers are its own */
    uint32_t writers;
    uint64_t first_stamp;
    uint32_t pause_us;     /* between two operations */
    uint32_t busy_wait_ms; /* for the lock, before it tells that the file is busy; 0: as usual */
};

/* Operations of one process have stamps below first_stamp + STAMPS_A_PROCESS. */
#define STAMPS_A_PROCESS ((uint64_t)1 << 24)

/* Writes until it is killed. Reports through report_send. */
_Noreturn void write_load(const struct write_plan *plan);

#endif
