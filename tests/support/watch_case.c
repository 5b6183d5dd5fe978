/* Signals of a crash and of the alarm clock. Called by tests that do a hundred thousand cases in
 * one process. The clock is wound once a second at most: a case costs two stores, and a system call
 * where its own time is limited. */
#include "support/watch_case.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "support/under_sanitizer.h"

static const char *volatile test_name = "";
static const char *volatile case_kind = "";
static volatile unsigned long long case_a;
static volatile unsigned long long case_b;
static unsigned limit_seconds;
static unsigned limit_own_ms;
static time_t wound_at;

static const int crashes[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL};

static void tell(int number)
{
    char line[256];
    int count = snprintf(line, sizeof line, "%s: signal %d (%s) at %s %llu %llu\n", test_name,
                         number, number == SIGALRM || number == SIGPROF ? "too long" : "crash",
                         case_kind, case_a, case_b);
    if (write(STDERR_FILENO, line, (size_t)count) < 0)
        _exit(98);
    _exit(99);
}

static void handle(int number, void (*handler)(int))
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    sigaction(number, &action, NULL);
}

void watch_case_begin(const char *test, unsigned seconds)
{
    test_name = test;
    limit_seconds = seconds;
    for (size_t i = 0; i < sizeof crashes / sizeof crashes[0] && !UNDER_SANITIZER; i++)
        handle(crashes[i], tell);
    handle(SIGALRM, tell);
    handle(SIGPROF, tell);
    wound_at = 0;
}

static void wind_own(unsigned ms)
{
    struct itimerval timer = {.it_value = {ms / 1000, (suseconds_t)(ms % 1000) * 1000}};
    setitimer(ITIMER_PROF, &timer, NULL);
}

void watch_case_limit(unsigned own_ms)
{
    limit_own_ms = own_ms;
}

void watch_case(const char *kind, unsigned long long a, unsigned long long b)
{
    struct timespec now;
    case_kind = kind;
    case_a = a;
    case_b = b;
    if (limit_own_ms > 0)
        wind_own(limit_own_ms);
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    if (now.tv_sec == wound_at)
        return;
    wound_at = now.tv_sec;
    alarm(limit_seconds);
}

void watch_case_end(void)
{
    alarm(0);
    wind_own(0);
    handle(SIGALRM, SIG_DFL);
}
