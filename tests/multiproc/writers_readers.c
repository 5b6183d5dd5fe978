/* Two writers and eight readers on one file, each a program of its own; every 100 ms one of them is
 * killed and started again. What the writers acknowledged and the readers saw is judged from
 * outside (judge_history.h), and a fresh process reads all of it at the end. Then the same with one
 * more that writes the file anew again and again, and is killed in the middle of it (16, 17).
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
    HAND_OVER_MS_MAX = 1000,
    WITHOUT_ACK_MS_MAX = 1000,
    COMPACT_SECONDS = 10,
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
    struct worker workers[WORKERS_MAX]; /* the writers, the readers, the compactors */
    uint32_t writers;
    uint32_t readers;
    uint32_t compactors;
    uint64_t started; /* processes so far */
    struct kill kills[KILLS_MAX];
    size_t writer_kills;
    size_t reader_kills;
    size_t compactor_kills;
    size_t compactions;
    uint64_t acks[ACKS_MAX]; /* their times */
    size_t ack_count;
} crowd;

static uint32_t count_workers(const struct crowd *c)
{
    return c->writers + c->readers + c->compactors;
}

static const char *role_of(const struct crowd *c, uint32_t i)
{
    return i < c->writers ? "writer" : i < c->writers + c->readers ? "reader" : "compactor";
}

/* A report_sink. */
static void note(void *arg, const struct report *report)
{
    struct crowd *c = arg;
    if (report->kind == REPORT_READY) {
        c->compactions++;
        return;
    }
    if (report->kind == REPORT_ACK && c->ack_count < ACKS_MAX)
        c->acks[c->ack_count++] = report->to_ns;
    history_note(c->history, report);
}

static uint32_t from_environment(const char *name, uint32_t usual)
{
    const char *given = getenv(name);
    return given != NULL ? (uint32_t)strtoul(given, NULL, 10) : usual;
}

static void start(struct crowd *c, uint32_t i)
{
    char number[16], count[16], stamp[24];
    uint64_t first = ++c->started * STAMPS_A_PROCESS;
    snprintf(number, sizeof number, "%" PRIu32, i);
    snprintf(count, sizeof count, "%" PRIu32, c->writers);
    snprintf(stamp, sizeof stamp, "%" PRIu64, i < c->writers ? first : random_u64(&c->random) >> 1);
    const char *const writer[] = {"writer", c->path, number, count, stamp, "0", NULL};
    const char *const reader[] = {"reader", c->path, stamp, NULL};
    const char *const compactor[] = {"compactor", c->path, "100000", NULL};
    bool reads = i < c->writers + c->readers;
    c->workers[i].first_stamp = first;
    worker_start(&c->workers[i], "writers_readers_worker",
                 i < c->writers ? writer
                 : reads        ? reader
                                : compactor);
}

static void kill_one(struct crowd *c, uint32_t i)
{
    uint64_t now = report_now();
    if (!worker_kill(&c->workers[i], note, c))
        fail_msg("%s %u died by itself", role_of(c, i), i);
    if (i >= c->writers) {
        *(i < c->writers + c->readers ? &c->reader_kills : &c->compactor_kills) += 1;
        return;
    }
    assert_true(c->writer_kills < KILLS_MAX);
    uint64_t stamp = history_note_death(c->history, c->workers[i].first_stamp, report_now());
    c->kills[c->writer_kills++] = (struct kill){now, stamp};
}

/* Of the kills a quarter hits a compactor, if there is one; half of the others a writer. */
static uint32_t choose_victim(struct crowd *c)
{
    if (c->compactors > 0 && random_below(&c->random, 4) == 0)
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
                fail_msg("%s %u ended by itself", role_of(c, i), i);
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

static void run_crowd(struct crowd *c, uint32_t seconds)
{
    uint32_t count = count_workers(c);
    uint64_t next = report_now();
    uint64_t end = next + seconds * (uint64_t)1000000000;
    for (uint32_t i = 0; i < count; i++)
        start(c, i);
    while (next < end) {
        next += (uint64_t)KILL_EVERY_MS * 1000000;
        listen_until(c, next);
        uint32_t victim = choose_victim(c);
        kill_one(c, victim);
        start(c, victim);
    }
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
    assert_true(waits[count - 1] <= (uint64_t)HAND_OVER_MS_MAX * 1000000);
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
    assert_true(verdict.acknowledged > 1000 && verdict.durable > 100);
    assert_true(verdict.sightings > 10000);
    check_hand_over(c);
    history_close(c->history);
    place_close(c->place);
}

static void test_kills_among_writers_and_readers(void **state)
{
    struct crowd *c = &crowd;
    (void)state;
    begin_crowd(c, __func__);
    run_crowd(c, from_environment("EDB_SECONDS", 30));
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
    assert_true(longest <= (uint64_t)WITHOUT_ACK_MS_MAX * 1000000);
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
    run_crowd(c, from_environment("EDB_SECONDS", COMPACT_SECONDS));
    compact_once_more(c);
    check_acks(c);
    assert_true(c->compactions > COMPACT_SECONDS && c->compactor_kills > COMPACT_SECONDS / 2);
    judge_crowd(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kills_among_writers_and_readers),
        cmocka_unit_test(test_kills_while_the_file_is_written_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
