/* What a writer or reader tells, as fixed records through a pipe: outside knowledge that the file
 * is judged by. A record, and up to REPORTS_AT_ONCE of them in one write, go through a pipe whole
 * or not at all, so a process that is killed tells nothing half. Times are nanoseconds of the
 * monotonic clock, which all processes share. */
#ifndef EDB_TESTS_MULTIPROC_REPORT_H
#define EDB_TESTS_MULTIPROC_REPORT_H

#include <stdint.h>
#include <time.h>

enum report_kind {
    REPORT_BEGIN = 1, /* a writer is about to commit: stamp, reg, operation, from_ns */
    REPORT_ACK,       /* the commit returned EDB_OK: stamp, row where known, to_ns */
    REPORT_SEEN,      /* a read that ran between from_ns and to_ns gave stamp (row where known) */
    REPORT_ABSENT,    /* such a read found nothing under the key */
    REPORT_AUDIT,     /* REPORT_SEEN of all added rows there are follow */
    REPORT_READY,     /* a lock or a turn was reached */
    REPORT_BUSY,      /* a writer was told EDB_BUSY, and tries again */
    REPORT_GAUGE      /* a bystander's nap and sync lasted from from_ns to to_ns */
};

enum report_operation {
    OPERATION_DELETE = 1,
    OPERATION_DURABLE = 2,
    OPERATION_ADDS = 4 /* a row of the space that only grows is part of it */
};

struct report {
    uint32_t kind;
    uint32_t operation;
    uint32_t reg;
    uint32_t slot;
    uint64_t stamp;
    uint64_t row; /* of slot 0 in an acknowledgement, else of the key */
    uint64_t from_ns;
    uint64_t to_ns;
};

#define REPORT_ROW_UNKNOWN UINT64_MAX

enum { REPORTS_AT_ONCE = 4096 / sizeof(struct report), REPORT_DESCRIPTOR = 3 };

typedef void report_sink(void *arg, const struct report *report);

static inline uint64_t report_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Stops this process with a sentence: something was read that must not be, or a call failed. */
_Noreturn void report_fault(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A sink that writes to REPORT_DESCRIPTOR: at once, or gathered until report_flush. */
void report_send(void *unused, const struct report *report);
void report_gather(void *unused, const struct report *report);
void report_flush(void);

#endif
