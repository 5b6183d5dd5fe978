/* Two writers and eight readers on one file, each a program of its own; every 100 ms one of them is
 * killed and started again. What the writers acknowledged and the readers saw is judged from
 * outside (judge_history.h), and a fresh process reads all of it at the end. Then the same with one
 * more that writes the file anew again and again, and is killed in the middle of it (16, 17). Then
 * they are not killed but stopped, longer than the others wait for the lock, while the file is
 * written anew every now and then: writers are told EDB_BUSY, readers notice nothing, and who was
 * stopped goes on (19, 20).
 *
 * What others had to wait is held against a bystander, who naps and syncs a file of his own: a
 * machine that is slow for everybody makes nothing fail. For the same reason a crowd works on, up
 * to three times as long, until it has done enough to be judged.
 *
 * EDB_SECONDS, EDB_WRITERS and EDB_READERS make it longer and wider. */
#include <dirent.h>
#include <inttypes.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "embedcache.h"
#include "multiproc/judge_history.h"
#include "multiproc/run_worker.h"
#include "multiproc/write_load.h"
#include "support/stamped_row.h"
#include "support/under_sanitizer.h"
#include "unit/base/seeded_random.h"

#include <cmocka.h>

enum {
    WORKERS_MAX = 256,
    KILLS_MAX = 100000,
    ACKS_MAX = 1 << 20,
    KILL_EVERY_MS = 100,
    HAND_OVER_MS_MAX = 1000,   /* and four times what the bystander needed at worst */
    WITHOUT_ACK_MS_MAX = 1000, /* likewise */
    COMPACT_SECONDS = 10,
    STOP_SECONDS = 10,
    STOP_MS = 500,
    STOPPED_WAIT_MS = 200, /* of the others, for the lock */
    STOPPED_COMPACT_US = 1500000,
    GO_ON_MS_MAX = 30000,
    ENOUGH_ACKS = 1000,
    ENOUGH_DURABLE = 100,
    ENOUGH_READS = 10000,
};

struct kill {
    uint64_t at_ns;
    uint64_t stamp; /* the operation it fell into */
};

static struct crowd {
    char place[PLACE_BYTES];
    char path[PLACE_BYTES + 16];
    struct random_source random;
    struct history *history;
    struct worker workers[WORKERS_MAX]; /* the writers, the readers, the compactors, the gauge */
    uint32_t writers;
    uint32_t readers;
    uint32_t compactors;
    uint32_t busy_wait_ms; /* of the writers; 0: as usual */
    uint32_t compact_pause_us;
    uint64_t started; /* processes so far */
    struct kill kills[KILLS_MAX];
    size_t writer_kills;
    size_t reader_kills;
    size_t compactor_kills;
    size_t compactions;
    size_t least_compactions; /* for it to be enough */
    size_t least_busy;        /* likewise */
    size_t stops;
    size_t durable; /* commits begun */
    size_t reads;
    size_t busy;          /* times that a writer was told so */
    uint64_t gauge_ns;    /* what the bystander needed at worst */
    uint64_t stopped_ns;  /* since when somebody is stopped */
    size_t stopped_reads; /* begun since then */
    uint64_t continued_ns;
    uint64_t continued_stamp; /* the first of the writer that was stopped last */
    bool went_on;             /* and has acknowledged something since */
    uint64_t acks[ACKS_MAX];  /* their times */
    size_t ack_count;
} crowd;

static uint32_t count_workers(const struct crowd *c)
{
    return c->writers + c->readers + c->compactors + 1;
}

enum role { WRITER, READER, COMPACTOR, GAUGE };

static const char *const role_names[] = {"writer", "reader", "compactor", "gauge"};

static enum role role_of(const struct crowd *c, uint32_t i)
{
    return i < c->writers                                ? WRITER
           : i < c->writers + c->readers                 ? READER
           : i < c->writers + c->readers + c->compactors ? COMPACTOR
                                                         : GAUGE;
}

static void note_ack(struct crowd *c, const struct report *report)
{
    if (c->ack_count < ACKS_MAX)
        c->acks[c->ack_count++] = report->to_ns;
    if (report->stamp >= c->continued_stamp &&
        report->stamp - c->continued_stamp < STAMPS_A_PROCESS && report->to_ns > c->continued_ns)
        c->went_on = true;
}

/* A report_sink. */
static void note(void *arg, const struct report *report)
{
    struct crowd *c = arg;
    bool read = report->kind == REPORT_SEEN || report->kind == REPORT_ABSENT;
    c->reads += read;
    c->stopped_reads += read && report->from_ns > c->stopped_ns;
    c->durable += report->kind == REPORT_BEGIN && (report->operation & OPERATION_DURABLE) != 0;
    c->busy += report->kind == REPORT_BUSY;
    c->compactions += report->kind == REPORT_READY;
    if (report->kind == REPORT_ACK)
        note_ack(c, report);
    if (report->kind == REPORT_GAUGE && report->to_ns - report->from_ns > c->gauge_ns)
        c->gauge_ns = report->to_ns - report->from_ns;
    if (report->kind != REPORT_READY && report->kind != REPORT_GAUGE)
        history_note(c->history, report);
}

/* What may be waited for in so many milliseconds on a machine that has nothing else to do. */
static uint64_t patience(const struct crowd *c, uint64_t ms)
{
    return ms * 1000000 + 4 * c->gauge_ns;
}

static uint32_t from_environment(const char *name, uint32_t usual)
{
    const char *given = getenv(name);
    return given != NULL ? (uint32_t)strtoul(given, NULL, 10) : usual;
}

static void start(struct crowd *c, uint32_t i)
{
    char number[16], count[16], stamp[24], wait[16], pause[16];
    uint64_t first = ++c->started * STAMPS_A_PROCESS;
    snprintf(number, sizeof number, "%" PRIu32, i);
    snprintf(count, sizeof count, "%" PRIu32, c->writers);
    snprintf(stamp, sizeof stamp, "%" PRIu64, i < c->writers ? first : random_u64(&c->random) >> 1);
    snprintf(wait, sizeof wait, "%" PRIu32, c->busy_wait_ms);
    snprintf(pause, sizeof pause, "%" PRIu32, c->compact_pause_us);
    const char *const writer[] = {"writer", c->path, number, count, stamp, "0", wait, NULL};
    const char *const reader[] = {"reader", c->path, stamp, NULL};
    const char *const compactor[] = {"compactor", c->path, pause, NULL};
    const char *const gauge[] = {"gauge", c->path, NULL};
    const char *const *const arguments[] = {writer, reader, compactor, gauge};
    c->workers[i].first_stamp = first;
    worker_start(&c->workers[i], "writers_readers_worker", arguments[role_of(c, i)]);
}

static void kill_one(struct crowd *c, uint32_t i)
{
    uint64_t now = report_now();
    if (!worker_kill(&c->workers[i], note, c))
        fail_msg("%s %u died by itself", role_names[role_of(c, i)], i);
    c->reader_kills += role_of(c, i) == READER;
    c->compactor_kills += role_of(c, i) == COMPACTOR;
    if (role_of(c, i) != WRITER)
        return;
    assert_true(c->writer_kills < KILLS_MAX);
    uint64_t stamp = history_note_death(c->history, c->workers[i].first_stamp, report_now());
    c->kills[c->writer_kills++] = (struct kill){now, stamp};
}

/* A compactor that is killed again and again before it has finished would never finish. */
static bool may_kill_compactor(const struct crowd *c)
{
    return c->compactors > 0 && c->compactor_kills <= c->compactions + COMPACT_SECONDS / 2;
}

/* Of the kills a quarter hits a compactor, if there is one; half of the others a writer. */
static uint32_t choose_victim(struct crowd *c)
{
    if (may_kill_compactor(c) && random_below(&c->random, 4) == 0)
        return c->writers + c->readers + (uint32_t)random_below(&c->random, c->compactors);
    if (random_below(&c->random, 2) == 0)
        return (uint32_t)random_below(&c->random, c->writers);
    return c->writers + (uint32_t)random_below(&c->random, c->readers);
}

static void listen_until(struct crowd *c, uint64_t until_ns)
{
    struct pollfd waiting[WORKERS_MAX];
    uint32_t count = count_workers(c);
    for (uint64_t now = report_now(); now < until_ns; now = report_now()) {
        for (uint32_t i = 0; i < count; i++)
            waiting[i] = (struct pollfd){c->workers[i].reports, POLLIN, 0};
        poll(waiting, count, (int)((until_ns - now) / 1000000 + 1));
        for (uint32_t i = 0; i < count; i++)
            if (!worker_listen(&c->workers[i], note, c))
                fail_msg("%s %u ended by itself", role_names[role_of(c, i)], i);
    }
}

static void make_file(const char *path)
{
    edb *db;
    edb_space *spaces[2];
    assert_int_equal(edb_open(path, NULL, &db), EDB_OK);
    assert_int_equal(stamped_spaces(db, spaces), EDB_OK);
    assert_int_equal(edb_close(db), EDB_OK);
}

static bool is_enough(const struct crowd *c)
{
    return c->ack_count > ENOUGH_ACKS && c->durable > 2 * ENOUGH_DURABLE &&
           c->reads > ENOUGH_READS &&
           c->compactions >= c->least_compactions + (c->compactors > 0) && c->busy >= c->least_busy;
}

/* What the crowd goes through, again and again. */
typedef void trial(struct crowd *c);

static void kill_somebody(struct crowd *c)
{
    listen_until(c, report_now() + (uint64_t)KILL_EVERY_MS * 1000000);
    uint32_t victim = choose_victim(c);
    kill_one(c, victim);
    start(c, victim);
}

static void run_crowd(struct crowd *c, uint32_t seconds, trial *go_through)
{
    uint32_t count = count_workers(c);
    uint64_t begin = report_now(), second = 1000000000;
    for (uint32_t i = 0; i < count; i++)
        start(c, i);
    while (report_now() < begin + seconds * second ||
           (!is_enough(c) && report_now() < begin + 3 * seconds * second))
        go_through(c);
    for (uint32_t i = 0; i < count; i++)
        kill_one(c, i);
}

static void audit_by_stranger(struct crowd *c)
{
    const char *const arguments[] = {"audit", c->path, NULL};
    struct worker auditor;
    worker_start(&auditor, "writers_readers_worker", arguments);
    int status = worker_wait(&auditor, note, c);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static int compare_ns(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* From a writer's death to the next acknowledgement of any; the kills of the end have none. */
static void check_hand_over(struct crowd *c)
{
    static uint64_t waits[KILLS_MAX];
    size_t count = 0, inside = 0;
    for (size_t i = 0; i < c->writer_kills; i++) {
        uint64_t ack = history_ack_after(c->history, c->kills[i].at_ns);
        inside += c->kills[i].stamp != 0;
        if (ack != UINT64_MAX && c->kills[i].stamp != 0)
            waits[count++] = ack - c->kills[i].at_ns;
    }
    printf("kills: %zu writers (%zu inside a commit), %zu readers\n", c->writer_kills, inside,
           c->reader_kills);
    assert_true(inside > 0 && count > 0);
    qsort(waits, count, sizeof *waits, compare_ns);
    printf(
        "lock hand-over after a kill inside a commit: median %.2f ms, p99 %.2f ms, max %.2f ms\n",
        (double)waits[count / 2] / 1e6, (double)waits[count * 99 / 100] / 1e6,
        (double)waits[count - 1] / 1e6);
    printf("a bystander's nap and sync: %.2f ms at worst\n", (double)c->gauge_ns / 1e6);
    assert_true(waits[count - 1] <= patience(c, HAND_OVER_MS_MAX));
}

static void report_verdict(const struct crowd *c, const struct verdict *v)
{
    struct stat file;
    assert_int_equal(stat(c->path, &file), 0);
    printf("acknowledged: %zu commits, %zu of them durable\n", v->acknowledged, v->durable);
    printf("begun and not acknowledged: %zu, of which %zu are in the file, whole\n", v->unknown,
           v->unknown_there);
    printf("reads judged: %zu; added rows re-read at the end: %zu; file %.1f MB\n", v->sightings,
           v->added, (double)file.st_size / 1e6);
}

static void begin_crowd(struct crowd *c, const char *test)
{
    memset(c, 0, sizeof *c);
    place_open(c->place);
    snprintf(c->path, sizeof c->path, "%s/crowd.edb", c->place);
    c->random = seeded_random(test);
    c->writers = from_environment("EDB_WRITERS", 2);
    c->readers = from_environment("EDB_READERS", 8);
    c->compact_pause_us = 100000;
    assert_true(c->writers > 0 && c->readers > 0 && c->writers + c->readers < WORKERS_MAX);
    c->history = history_open();
    make_file(c->path);
}

static void judge_crowd(struct crowd *c)
{
    audit_by_stranger(c);
    struct verdict verdict = history_judge(c->history);
    report_verdict(c, &verdict);
    assert_int_equal(verdict.faults, 0);
    assert_true(verdict.acknowledged > ENOUGH_ACKS && verdict.durable > ENOUGH_DURABLE);
    assert_true(verdict.sightings > ENOUGH_READS);
    history_close(c->history);
    place_close(c->place);
}

static void test_kills_among_writers_and_readers(void **state)
{
    struct crowd *c = &crowd;
    (void)state;
    begin_crowd(c, __func__);
    run_crowd(c, from_environment("EDB_SECONDS", 30), kill_somebody);
    check_hand_over(c);
    judge_crowd(c);
}

/* ------------------------------------------------------------------------------- written anew */

/* Nobody holds the lock for long: writers acknowledge all the time. */
static void check_acks(struct crowd *c)
{
    uint64_t longest = 0;
    assert_true(c->ack_count > 1);
    qsort(c->acks, c->ack_count, sizeof *c->acks, compare_ns);
    for (size_t i = 1; i < c->ack_count; i++)
        if (c->acks[i] - c->acks[i - 1] > longest)
            longest = c->acks[i] - c->acks[i - 1];
    printf("compactions: %zu, compactors killed: %zu; longest time without an acknowledgement: "
           "%.1f ms\n",
           c->compactions, c->compactor_kills, (double)longest / 1e6);
    assert_true(longest <= patience(c, WITHOUT_ACK_MS_MAX));
}

static size_t count_files(const char *place)
{
    size_t count = 0;
    DIR *folder = opendir(place);
    assert_non_null(folder);
    while (readdir(folder) != NULL)
        count++;
    closedir(folder);
    return count - 2;
}

/* What the killed ones left is gone after the next compaction. */
static void compact_once_more(const struct crowd *c)
{
    edb *db;
    assert_int_equal(edb_open(c->path, NULL, &db), EDB_OK);
    edb_status status = edb_compact(db, NULL, NULL);
    if (status != EDB_OK)
        fail_msg("compact: %s: %s", edb_status_name(status), edb_error_detail());
    assert_int_equal(edb_close(db), EDB_OK);
    assert_int_equal(count_files(c->place), 1);
}

static void test_kills_while_the_file_is_written_anew(void **state)
{
    struct crowd *c = &crowd;
    (void)state;
    if (UNDER_SANITIZER)
        skip();
    begin_crowd(c, __func__);
    c->compactors = 1;
    c->least_compactions = COMPACT_SECONDS;
    run_crowd(c, from_environment("EDB_SECONDS", COMPACT_SECONDS), kill_somebody);
    compact_once_more(c);
    check_acks(c);
    check_hand_over(c);
    assert_true(c->compactions > COMPACT_SECONDS && c->compactor_kills > COMPACT_SECONDS / 2);
    judge_crowd(c);
}

/* ------------------------------------------------------------------------------------- stopped */

static bool somebody_read(const struct crowd *c)
{
    return c->stopped_reads > 0;
}

static bool victim_went_on(const struct crowd *c)
{
    return c->went_on;
}

/* Listens until it has happened; false when it does not. */
static bool listen_for(struct crowd *c, bool (*happened)(const struct crowd *c))
{
    uint64_t end = report_now() + (uint64_t)GO_ON_MS_MAX * 1000000;
    while (!happened(c) && report_now() < end)
        listen_until(c, report_now() + 10000000);
    return happened(c);
}

/* While one is stopped, wherever it is, the readers read on; then it goes on itself. */
static void stop_somebody(struct crowd *c)
{
    listen_until(c, report_now() + (uint64_t)KILL_EVERY_MS * 1000000);
    uint32_t victim = choose_victim(c);
    struct worker *worker = &c->workers[victim];
    kill(worker->pid, SIGSTOP);
    c->stopped_ns = report_now();
    c->stopped_reads = 0;
    listen_until(c, c->stopped_ns + (uint64_t)STOP_MS * 1000000);
    assert_true(listen_for(c, somebody_read));
    c->stops++;
    c->continued_ns = report_now();
    c->continued_stamp = worker->first_stamp;
    c->went_on = role_of(c, victim) != WRITER;
    kill(worker->pid, SIGCONT);
    assert_true(listen_for(c, victim_went_on));
}

static void test_stops_among_writers_and_readers(void **state)
{
    struct crowd *c = &crowd;
    uint32_t seconds = from_environment("EDB_SECONDS", STOP_SECONDS);
    (void)state;
    if (UNDER_SANITIZER)
        skip();
    begin_crowd(c, __func__);
    c->compactors = 1;
    c->busy_wait_ms = STOPPED_WAIT_MS;
    c->compact_pause_us = STOPPED_COMPACT_US;
    c->least_compactions = 2;
    c->least_busy = 1;
    run_crowd(c, seconds, stop_somebody);
    compact_once_more(c);
    printf("stopped for %d ms: %zu times; EDB_BUSY to the others: %zu times; compactions: %zu\n",
           STOP_MS, c->stops, c->busy, c->compactions);
    assert_true(c->stops > 3 && c->busy > 0 && c->compactions > 0);
    judge_crowd(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kills_among_writers_and_readers),
        cmocka_unit_test(test_kills_while_the_file_is_written_anew),
        cmocka_unit_test(test_stops_among_writers_and_readers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
