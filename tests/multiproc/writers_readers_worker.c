/* The programs that tests start and kill: a writer, a reader, one that compacts, an auditor.
 * Reports go to the pipe that the test has opened for them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "embedcache.h"
#include "multiproc/audit_file.h"
#include "multiproc/read_load.h"
#include "multiproc/run_worker.h"
#include "multiproc/write_load.h"

static uint64_t number(const char *text)
{
    return strtoull(text, NULL, 10);
}

/* Tells of every compaction. It may find that somebody else is at it, or faster than it. */
_Noreturn static void compact_load(const char *path, uint64_t pause_us)
{
    edb *db;
    edb_status status = edb_open(path, NULL, &db);
    if (status != EDB_OK)
        report_fault("compactor: edb_open: %s", edb_error_detail());
    for (;;) {
        struct report report = {.kind = REPORT_READY, .from_ns = report_now()};
        status = edb_compact(db, NULL, NULL);
        if (status != EDB_OK && status != EDB_BUSY)
            report_fault("compactor: %s: %s", edb_status_name(status), edb_error_detail());
        report.to_ns = report_now();
        if (status == EDB_OK)
            report_send(NULL, &report);
        usleep((useconds_t)pause_us);
    }
}

static int audit(const char *path)
{
    struct audit_plan plan = {.path = path, .flags = EDB_OPEN_READ_ONLY};
    bool good = audit_file(&plan, report_gather, NULL);
    report_flush();
    return good ? 0 : 1;
}

int main(int argc, char **argv)
{
    worker_begin();
    if (argc == 7 && strcmp(argv[1], "writer") == 0) {
        struct write_plan plan = {.path = argv[2],
                                  .writer = (uint32_t)number(argv[3]),
                                  .writers = (uint32_t)number(argv[4]),
                                  .first_stamp = number(argv[5]),
                                  .pause_us = (uint32_t)number(argv[6])};
        write_load(&plan);
    }
    if (argc == 4 && strcmp(argv[1], "reader") == 0)
        read_load(argv[2], number(argv[3]));
    if (argc == 4 && strcmp(argv[1], "compactor") == 0)
        compact_load(argv[2], number(argv[3]));
    if (argc == 3 && strcmp(argv[1], "audit") == 0)
        return audit(argv[2]);
    fprintf(stderr,
            "usage: %s writer PATH NUMBER OF FIRST_STAMP PAUSE_US | reader PATH SEED | "
            "compactor PATH PAUSE_US | audit PATH\n",
            argv[0]);
    return 2;
}
