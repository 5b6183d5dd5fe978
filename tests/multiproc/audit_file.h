/* Reads a whole file as a stranger: every record by iteration and again by its key, all content,
 * then edb_verify. Tells what is there; whether that is right is the judge's business. */
#ifndef EDB_TESTS_MULTIPROC_AUDIT_FILE_H
#define EDB_TESTS_MULTIPROC_AUDIT_FILE_H

#include <stdbool.h>

#include "multiproc/report.h"

struct audit_plan {
    const char *path;
    uint32_t flags;     /* to open with */
    uint64_t from_ns;   /* what was acknowledged before must be there; 0 = now */
    uint64_t to_ns;     /* what was begun after cannot; 0 = when all is read */
    bool may_be_absent; /* no file, or one without its spaces, is as good as empty */
};

/* False (with words on stderr) when something cannot be read, was never written, or edb_verify
 * finds a problem. */
bool audit_file(const struct audit_plan *plan, report_sink *sink, void *arg);

#endif
