/* A failing system for tests: passes every call on to another table, counts it, and fails the one
 * it was told to.
 *
 * The way to use it: run a scenario once and read the counts; run it again for each n with the n-th
 * call failing, until the plan no longer strikes. Counters are atomic: a scenario may have threads.
 * Not part of the library: built into tests only. */
#ifndef EDB_OS_OS_FAULT_H
#define EDB_OS_OS_FAULT_H

#include "os/os.h"

enum os_fault_class {
    OS_FAULT_OPEN,          /* for reading */
    OS_FAULT_OPEN_WRITABLE, /* from here to OS_FAULT_LOCK: what a reader never does */
    OS_FAULT_CREATE,
    OS_FAULT_PUBLISH,
    OS_FAULT_SYNC_DIRECTORY,
    OS_FAULT_REMOVE,
    OS_FAULT_WRITE,
    OS_FAULT_SYNC,
    OS_FAULT_RESERVE,
    OS_FAULT_LOCK,
    OS_FAULT_SIZE,
    OS_FAULT_READ,
    OS_FAULT_READ_DEVICE,
    OS_FAULT_MAP,
    OS_FAULT_SAME_FILE,
    OS_FAULT_RANDOM,
    OS_FAULT_CLASSES,
    OS_FAULT_ANY = OS_FAULT_CLASSES
};

enum os_fault_kind {
    OS_FAULT_IO,         /* EDB_IO */
    OS_FAULT_FULL,       /* EDB_FULL where the table's contract knows it, else EDB_IO */
    OS_FAULT_SHORT,      /* a write does half of its bytes, then as OS_FAULT_IO */
    OS_FAULT_SHORT_FULL, /* a write does half of its bytes, then as OS_FAULT_FULL */
    OS_FAULT_KINDS
};

struct os_fault_plan {
    enum os_fault_class class;
    enum os_fault_kind kind;
    uint64_t number; /* of the call, from 1, counted from os_fault_arm; 0 = none fails */
    bool for_ever;   /* and all later ones of the class */
};

extern const struct os_io os_fault;

/* Passes on to `inner` from now on; nothing fails. No file of os_fault may be open. */
void os_fault_begin(const struct os_io *inner);

/* Sets all counts to zero and the plan in force. */
void os_fault_arm(const struct os_fault_plan *plan);

/* Calls since os_fault_arm or os_fault_begin. */
uint64_t os_fault_calls(enum os_fault_class class);

/* How many of them failed by the plan. */
uint64_t os_fault_strikes(void);

/* Whether a call among them that failed by a plan of kind OS_FAULT_IO would have failed in another
 * way, or with another status than any kind before it gives, by one of `kind`. */
bool os_fault_differs(enum os_fault_kind kind);

/* Calls among them that change something, or would: 0 proves that a file was only read. */
uint64_t os_fault_write_calls(void);

/* Files that are open. */
uint64_t os_fault_open_files(void);

#endif
