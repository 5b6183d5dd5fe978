/* Starting, hearing and killing workers. Called by the tests of processes. */
#include "multiproc/run_worker.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static void find_program(const char *program, char path[PLACE_BYTES])
{
    const char *folder = getenv("EDB_TEST_BIN");
    if (program == NULL)
        snprintf(path, PLACE_BYTES, "/proc/self/exe");
    else if (folder != NULL)
        snprintf(path, PLACE_BYTES, "%s/%s", folder, program);
    else { /* beside this one */
        ssize_t length = readlink("/proc/self/exe", path, PLACE_BYTES - 256);
        path[length > 0 ? length : 0] = '\0';
        char *name = strrchr(path, '/');
        if (name != NULL)
            snprintf(name, 256, "/%s", program);
    }
}

void worker_start(struct worker *worker, const char *program, const char *const *arguments)
{
    char path[PLACE_BYTES];
    char *argv[WORKER_ARGUMENTS_MAX + 2] = {path};
    int ends[2];
    posix_spawn_file_actions_t actions;
    find_program(program, path);
    for (size_t i = 0; i < WORKER_ARGUMENTS_MAX && arguments[i] != NULL; i++)
        argv[i + 1] = (char *)(uintptr_t)arguments[i];
    if (pipe2(ends, O_CLOEXEC) != 0)
        report_fault("pipe: %s", strerror(errno));
    /* dup2 of a descriptor onto itself would leave it to be closed by the exec. */
    int writing = fcntl(ends[1], F_DUPFD_CLOEXEC, REPORT_DESCRIPTOR + 1);
    close(ends[1]);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, writing, REPORT_DESCRIPTOR);
    int error = posix_spawn(&worker->pid, path, &actions, NULL, argv, environ);
    if (error != 0)
        report_fault("cannot start %s: %s", path, strerror(error));
    posix_spawn_file_actions_destroy(&actions);
    close(writing);
    worker->reports = fcntl(ends[0], F_DUPFD_CLOEXEC, REPORT_DESCRIPTOR + 1);
    close(ends[0]);
}

void worker_start_writer(struct worker *worker, const char *path, uint64_t first_stamp,
                         uint32_t pause_us)
{
    char stamp[24], pause[24];
    snprintf(stamp, sizeof stamp, "%" PRIu64, first_stamp);
    snprintf(pause, sizeof pause, "%" PRIu32, pause_us);
    const char *const arguments[] = {"writer", path, "0", "1", stamp, pause, "0", NULL};
    worker->first_stamp = first_stamp;
    worker_start(worker, "writers_readers_worker", arguments);
}

/* One read of what is there; 0 at the end of the pipe. Writes of whole reports come as whole
 * reports. */
static size_t receive(struct worker *worker, struct report *reports, size_t count)
{
    ssize_t got;
    do
        got = read(worker->reports, reports, count * sizeof *reports);
    while (got < 0 && errno == EINTR);
    size_t bytes = got > 0 ? (size_t)got : 0;
    while (bytes % sizeof *reports != 0) { /* the rest of one whose page was full */
        got = read(worker->reports, (char *)reports + bytes,
                   sizeof *reports - bytes % sizeof *reports);
        if (got <= 0)
            report_fault("a report is cut off");
        bytes += (size_t)got;
    }
    if (bytes == 0) {
        close(worker->reports);
        worker->reports = -1;
    }
    return bytes / sizeof *reports;
}

bool worker_listen(struct worker *worker, report_sink *sink, void *arg)
{
    struct report reports[512];
    struct pollfd waiting = {worker->reports, POLLIN, 0};
    while (worker->reports >= 0 && poll(&waiting, 1, 0) > 0) {
        size_t count = receive(worker, reports, sizeof reports / sizeof reports[0]);
        for (size_t i = 0; i < count; i++)
            sink(arg, &reports[i]);
    }
    return worker->reports >= 0;
}

bool worker_hear(struct worker *worker, struct report *report_out)
{
    return worker->reports >= 0 && receive(worker, report_out, 1) == 1;
}

int worker_wait(struct worker *worker, report_sink *sink, void *arg)
{
    struct report report;
    int status;
    while (worker_hear(worker, &report))
        sink(arg, &report);
    while (waitpid(worker->pid, &status, 0) < 0)
        if (errno != EINTR)
            report_fault("waitpid: %s", strerror(errno));
    return status;
}

bool worker_kill(struct worker *worker, report_sink *sink, void *arg)
{
    kill(worker->pid, SIGKILL);
    int status = worker_wait(worker, sink, arg);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

void worker_begin(void)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
}
