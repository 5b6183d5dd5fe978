/* Programs that a test starts, listens to and kills. */
#ifndef EDB_TESTS_MULTIPROC_RUN_WORKER_H
#define EDB_TESTS_MULTIPROC_RUN_WORKER_H

#include <stdbool.h>
#include <sys/types.h>

#include "multiproc/report.h"
#include "support/temporary_place.h"

struct worker {
    pid_t pid;
    int reports; /* the end of its pipe that is read; -1 when it is closed */
    uint64_t first_stamp;
};

enum { WORKER_ARGUMENTS_MAX = 8 };

/* Starts the workers' program of this folder, or (program NULL) this very program again, with
 * arguments that end with NULL. It finds its pipe at REPORT_DESCRIPTOR. */
void worker_start(struct worker *worker, const char *program, const char *const *arguments);

/* A writer with the load of write_load.h. */
void worker_start_writer(struct worker *worker, const char *path, uint64_t first_stamp,
                         uint32_t pause_us);

/* Notes what has come so far; waits for nothing. False at the end of the pipe. */
bool worker_listen(struct worker *worker, report_sink *sink, void *arg);

/* Waits for the next report; false when the worker has ended before it. */
bool worker_hear(struct worker *worker, struct report *report_out);

/* kill -9, waits for its death, notes what it still said. False when it had died before by
 * itself. */
bool worker_kill(struct worker *worker, report_sink *sink, void *arg);

/* Waits for its end and notes what it says until then; returns what waitpid says. */
int worker_wait(struct worker *worker, report_sink *sink, void *arg);

/* To be called first in a worker: it shall not outlive the test. */
void worker_begin(void);

#endif
