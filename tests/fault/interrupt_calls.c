/* System calls that are interrupted and transfers that are short, on a real file: the functions of
 * the C library are replaced in this program, and the n-th of those that a signal can interrupt
 * says EINTR, once; or each of them does, before it is let through; or each transfer does a part
 * only. All calls of all scenarios succeed as if nothing had happened (35). An interrupted sync
 * alone is a failed one (11): no false success then, and a good file.
 *
 * fail_io fails calls of the table of os.h; this is what stands below that table. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fault/count_memory.h"
#include "fault/play_scenario.h"
#include "os/os_sim.h"
#include "support/temporary_place.h"
#include "support/watch_case.h"

/* Last: it makes a macro of the name fail. */
#include <cmocka.h>

enum { CASE_SECONDS = 60, SHOWN = 4, UNIT = 4096, KEYS_READ = 600 };

enum interruption {
    NOTHING,
    ONE_CALL,        /* number `at`, syncs not counted */
    ONE_SYNC,        /* number `at` */
    EVERY_CALL,      /* once before it is let through */
    SHORT_TRANSFERS, /* all of them */
};

static struct {
    enum interruption kind;
    uint64_t at;
    uint64_t calls;
    uint64_t syncs;
    uint64_t strikes;
    bool let_through; /* the next call was interrupted already */
} faults;

/* ------------------------------------------------------------------------- the system's calls */

static bool strikes(bool is_now)
{
    faults.strikes += is_now;
    if (is_now)
        errno = EINTR;
    return is_now;
}

static bool interrupts_call(void)
{
    faults.calls++;
    if (faults.kind == EVERY_CALL) {
        faults.let_through = !faults.let_through;
        return strikes(faults.let_through);
    }
    return strikes(faults.kind == ONE_CALL && faults.calls == faults.at);
}

static bool interrupts_sync(void)
{
    faults.syncs++;
    return strikes(faults.kind == ONE_SYNC && faults.syncs == faults.at);
}

/* How much of a transfer is done. Whole units stay whole: a device gives nothing else. */
static size_t shorten(size_t bytes)
{
    if (faults.kind != SHORT_TRANSFERS || bytes < 2 || bytes == UNIT)
        return bytes;
    faults.strikes++;
    return bytes % UNIT == 0 ? bytes / UNIT / 2 * UNIT : bytes / 2;
}

ssize_t pread(int descriptor, void *buffer, size_t bytes, off_t offset)
{
    if (interrupts_call())
        return -1;
    return syscall(SYS_pread64, descriptor, buffer, shorten(bytes), offset);
}

ssize_t pwritev(int descriptor, const struct iovec *spans, int count, off_t offset)
{
    if (interrupts_call())
        return -1;
    if (faults.kind == SHORT_TRANSFERS)
        return syscall(SYS_pwrite64, descriptor, spans->iov_base, shorten(spans->iov_len), offset);
    return syscall(SYS_pwritev, descriptor, spans, count, offset, 0);
}

ssize_t getrandom(void *buffer, size_t bytes, unsigned flags)
{
    return interrupts_call() ? -1 : syscall(SYS_getrandom, buffer, shorten(bytes), flags);
}

int fallocate(int descriptor, int mode, off_t offset, off_t bytes)
{
    return interrupts_call() ? -1 : (int)syscall(SYS_fallocate, descriptor, mode, offset, bytes);
}

int open(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    int mode = flags & O_CREAT ? va_arg(args, int) : 0;
    va_end(args);
    return interrupts_call() ? -1 : (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int fcntl(int descriptor, int command, ...)
{
    va_list args;
    va_start(args, command);
    void *arg = va_arg(args, void *);
    va_end(args);
    if (command == F_OFD_SETLK && interrupts_call())
        return -1;
    return (int)syscall(SYS_fcntl, descriptor, command, arg);
}

/* The power does not fail here: nothing has to reach the device. */
int fdatasync(int descriptor)
{
    (void)descriptor;
    return interrupts_sync() ? -1 : 0;
}

int fsync(int descriptor)
{
    (void)descriptor;
    return interrupts_sync() ? -1 : 0;
}

/* ---------------------------------------------------------------------------------- the plays */

static void write_file(const struct production *production)
{
    FILE *file;
    unlink(stage_path);
    if (production->bytes == NULL)
        return;
    file = fopen(stage_path, "w");
    if (file == NULL ||
        fwrite(production->bytes, 1, production->count, file) != production->count ||
        fclose(file) != 0) {
        fprintf(stderr, "cannot write %s\n", stage_path);
        exit(1);
    }
}

/* A new handle finds every key as it must be, and nothing is damaged. */
static void judge_again(struct stage *stage, const struct scenario *scenario)
{
    stage_close(stage);
    edb_close(stage->other);
    stage->other = NULL;
    stage_open(stage, account_spaces(&stage->account, 0) > 0 ? EDB_OPEN_EXISTING : 0, EDB_LAZY);
    for (int space = 0; space < ACCOUNT_SPACES && stage->db != NULL; space++) {
        stage_space(stage, space);
        for (int key = 0; key < scenario->keys && key < KEYS_READ; key++)
            stage_get(stage, space, key);
    }
    edb_status status = stage->db != NULL ? edb_verify(stage->db, NULL, NULL, NULL) : EDB_OK;
    if (status != EDB_OK && !scenario->keeps_damage)
        stage_wrong(stage, "verify: %s", edb_error_detail());
    stage_close(stage);
}

/* Plays a scenario on the disk; only an interrupted sync may be heard of. */
static uint64_t play(const struct production *production, enum interruption kind, uint64_t at,
                     char wrong[512])
{
    const struct scenario *scenario = production->scenario;
    struct stage stage = {0};
    size_t held = count_memory_held();
    account_open(&stage.account, scenario->keys);
    account_copy(&stage.account, &production->account);
    write_file(production);
    if (scenario->arrange != NULL)
        scenario->arrange(&stage);
    stage.armed = kind == ONE_SYNC;
    stage.met_faults = stage.armed;
    memset(&faults, 0, sizeof faults);
    faults.kind = kind;
    faults.at = at;
    scenario->play(&stage);
    faults.kind = NOTHING;
    stage.armed = false;
    if (stage.db != NULL)
        stage_close(&stage);
    if (kind == ONE_SYNC && faults.strikes > 0 && stage.refused == 0)
        stage_wrong(&stage, "a sync was interrupted, and nobody was told");
    judge_again(&stage, scenario);
    account_close(&stage.account);
    if (count_memory_held() != held)
        stage_wrong(&stage, "memory was not given back");
    memcpy(wrong, stage.wrong, sizeof stage.wrong);
    return faults.strikes;
}

struct way {
    enum interruption kind;
    const char *name;
    bool one_by_one;
};

static const struct way ways[] = {{ONE_CALL, "one call is interrupted", true},
                                  {ONE_SYNC, "one sync is interrupted", true},
                                  {EVERY_CALL, "every call is interrupted", false},
                                  {SHORT_TRANSFERS, "every transfer is short", false}};

/* Returns how many plays were wrong. */
static size_t interrupt_each(const struct production *production, const struct way *way)
{
    const char *name = production->scenario->name;
    size_t failures = 0;
    uint64_t at = 1, plays = 0;
    char wrong[512];
    for (uint64_t struck = 1; struck > 0; at++) {
        watch_case(name, at, way->kind);
        struck = play(production, way->kind, at, wrong);
        plays += struck > 0;
        if (wrong[0] != '\0' && failures++ < SHOWN)
            fprintf(stderr, "%s, %s, %llu: %s\n", name, way->name, (unsigned long long)at, wrong);
        if (!way->one_by_one)
            break;
    }
    printf("%s: %s, %llu plays, %zu wrong\n", name, way->name, (unsigned long long)plays, failures);
    return failures;
}

static void test_scenario(void **state)
{
    const struct scenario *scenario = *state;
    struct production production;
    char wrong[512];
    size_t failures = 0;
    assert_true(production_open(&production, scenario));
    play(&production, NOTHING, 0, wrong);
    assert_string_equal(wrong, "");
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++)
        failures += interrupt_each(&production, &ways[i]);
    production_close(&production);
    assert_int_equal(failures, 0);
}

int main(void)
{
    struct CMUnitTest tests[64];
    char place[PLACE_BYTES];
    assert_true(scenario_count <= sizeof tests / sizeof tests[0]);
    for (size_t i = 0; i < scenario_count; i++)
        tests[i] = (struct CMUnitTest){scenarios[i].name, test_scenario, NULL, NULL,
                                       (void *)(uintptr_t)&scenarios[i]};
    place_open(place);
    if (chdir(place) != 0)
        return 1;
    watch_case_begin("interrupt_calls", CASE_SECONDS);
    int failed = _cmocka_run_group_tests("interrupt_calls", tests, scenario_count, NULL, NULL);
    os_sim_end();
    place_close(place);
    return failed;
}
