/* The programs that tests start and kill: a writer, a reader, one that compacts, a gauge of the
 * machine, an auditor.
 * Reports go to the pipe that the test has opened for them. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "embedcache.h"
#include "multiproc/audit_file.h"
#include "multiproc/read_load.h"
#include "multiproc/run_worker.h"
#include "multiproc/write_load.h"

enum { GAUGE_NAP_US = 2000, GAUGE_BYTES = 1 << 20 };

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

/* What the machine makes of a nap and a sync that have nothing to do with the library: the measure
 * for what others had to wait. */
_Noreturn static void gauge_load(const char *path)
{
    char name[PLACE_BYTES + 32], page[4096] = {0};
    snprintf(name, sizeof name, "%s.gauge", path);
    int file = open(name, O_CREAT | O_WRONLY | O_TRUNC, 0600);
    unlink(name);
    for (off_t at = 0;; at += (off_t)sizeof page) {
        struct report report = {.kind = REPORT_GAUGE, .from_ns = report_now()};
        usleep(GAUGE_NAP_US);
        if (pwrite(file, page, sizeof page, at % GAUGE_BYTES) != (ssize_t)sizeof page ||
            fdatasync(file) != 0)
            report_fault("gauge: %s", name);
        report.to_ns = report_now();
        report_send(NULL, &report);
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
    if (argc == 8 && strcmp(argv[1], "writer") == 0) {
        struct write_plan plan = {.path = argv[2],
                                  .writer = (uint32_t)number(argv[3]),
                                  .writers = (uint32_t)number(argv[4]),
                                  .first_stamp = number(argv[5]),
                                  .pause_us = (uint32_t)number(argv[6]),
                                  .busy_wait_ms = (uint32_t)number(argv[7])};
        write_load(&plan);
    }
    if (argc == 4 && strcmp(argv[1], "reader") == 0)
        read_load(argv[2], number(argv[3]));
    if (argc == 4 && strcmp(argv[1], "compactor") == 0)
        compact_load(argv[2], number(argv[3]));
    if (argc == 3 && strcmp(argv[1], "gauge") == 0)
        gauge_load(argv[2]);
    if (argc == 3 && strcmp(argv[1], "audit") == 0)
        return audit(argv[2]);
    fprintf(stderr,
            "usage: %s writer PATH NUMBER OF FIRST_STAMP PAUSE_US WAIT_MS | reader PATH SEED | "
            "compactor PATH PAUSE_US | gauge PATH | audit PATH\n",
            argv[0]);
    return 2;
}
