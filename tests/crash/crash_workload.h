/* Seeded programs against the public API, on the simulated machine, with a mark in its journal for
 * every acknowledgement. */
#ifndef EDB_TESTS_CRASH_WORKLOAD_H
#define EDB_TESTS_CRASH_WORKLOAD_H

#include "crash/crash_history.h"

#define WORKLOAD_PATH "cache.edb"

enum workload_kind {
    WORKLOAD_DURABLE_PUTS,
    WORKLOAD_LAZY_PUTS,
    WORKLOAD_MIXED,       /* puts, deletes, batches, transactions, syncs; lazy and durable */
    WORKLOAD_REOPEN,      /* as mixed, with closing in between: sections and catalogs are written */
    WORKLOAD_TWO,         /* two handles take turns as writers */
    WORKLOAD_KEEP,        /* syncs fail, the pages stay as they are in memory */
    WORKLOAD_REVERT,      /* syncs fail, the pages fall back */
    WORKLOAD_DYING,       /* handles are dropped without closing, as if the process were killed */
    WORKLOAD_COMPACT,     /* as reopen, and the file is written anew in between */
    WORKLOAD_COMPACT_TWO, /* by one of two handles that take turns */
    WORKLOAD_STEPS,       /* in steps, with the commits of two handles between them; now and then
                             the other one compacts it meanwhile */
    WORKLOAD_HAND_OVER,   /* the lock passes from session to session, each leaving lazy commits; one
                             dies, one meets a sync that fails */
    WORKLOAD_KINDS
};

/* What really happened in a workload: a test that does not do what its name says is noticed. All
 * are uint64_t. */
struct workload_counts {
    uint64_t transactions; /* of several changes */
    uint64_t deletes;      /* of keys that were there */
    uint64_t compactions;
    uint64_t overtaken;   /* that were begun in steps, and given up as another was faster */
    uint64_t hand_overs;  /* commits of another session than the one before */
    uint64_t taken_lazy;  /* of them behind lazy commits that no sync had covered */
    uint64_t crossed;     /* transactions that were begun before another session's commit */
    uint64_t deaths;      /* sessions that did not close */
    uint64_t failed_kept; /* syncs that failed, by what became of the pages */
    uint64_t failed_reverted;
};

const char *workload_name(enum workload_kind kind);

/* Runs one; the machine has been begun. Ends the test program when an operation fails that must
 * not. Adds to the counts. */
void workload_run(enum workload_kind kind, uint64_t seed, size_t operations,
                  struct history *history_out, struct workload_counts *counts);

#endif
