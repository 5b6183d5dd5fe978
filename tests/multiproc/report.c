/* The workers' end of the pipe. Called by the loads and the audit. */
#include "multiproc/report.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct report gathered[REPORTS_AT_ONCE];
static size_t gathered_count;

void report_fault(const char *format, ...)
{
    va_list args;
    fprintf(stderr, "process %ld: ", (long)getpid());
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\n");
    exit(1);
}

static void send_all(const struct report *reports, size_t count)
{
    ssize_t sent;
    if (count == 0)
        return;
    do
        sent = write(REPORT_DESCRIPTOR, reports, count * sizeof *reports);
    while (sent < 0 && errno == EINTR);
    if (sent != (ssize_t)(count * sizeof *reports))
        report_fault("the pipe is gone: %s", strerror(errno));
}

void report_send(void *unused, const struct report *report)
{
    (void)unused;
    send_all(report, 1);
}

void report_gather(void *unused, const struct report *report)
{
    (void)unused;
    gathered[gathered_count++] = *report;
    if (gathered_count == REPORTS_AT_ONCE)
        report_flush();
}

void report_flush(void)
{
    send_all(gathered, gathered_count);
    gathered_count = 0;
}
