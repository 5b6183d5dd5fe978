/* A writer is killed 500 times: at a random moment within its first 20 ms, or, three times in four,
 * within a few milliseconds of a random one of its first reports, so that a slow machine makes
 * nobody die before he has done anything; after each the file is opened, everything that was
 * acknowledged is read by content, and edb_verify finds nothing. A file lives through fifty of
 * them. EDB_KILLS makes it longer. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "embedcache.h"
#include "multiproc/audit_file.h"
#include "multiproc/judge_history.h"
#include "multiproc/run_worker.h"
#include "multiproc/write_load.h"
#include "unit/base/seeded_random.h"

#include <cmocka.h>

enum { KILLS = 500, KILLS_A_FILE = 50, LIFE_US_MAX = 20000, REPORTS_MAX = 60, LATER_US_MAX = 4000 };

struct totals {
    size_t kills;
    size_t inside;
    size_t acknowledged;
    size_t durable;
    size_t unknown_there;
    size_t sightings;
};

/* Half of the times whoever opens the file next may write, and so recovers it. */
static void read_all(const char *path, struct history *history, struct random_source *random)
{
    struct audit_plan plan = {.path = path, .may_be_absent = true};
    plan.flags =
        random_below(random, 2) == 0 ? (uint32_t)EDB_OPEN_READ_ONLY : (uint32_t)EDB_OPEN_EXISTING;
    assert_true(audit_file(&plan, history_note, history));
}

/* Lets it live. */
static void wait_a_while(struct worker *worker, struct history *history,
                         struct random_source *random)
{
    struct report report;
    if (random_below(random, 4) == 0) {
        usleep((useconds_t)random_below(random, LIFE_US_MAX));
        return;
    }
    for (uint64_t left = 1 + random_below(random, REPORTS_MAX); left > 0; left--) {
        assert_true(worker_hear(worker, &report));
        history_note(history, &report);
    }
    usleep((useconds_t)random_below(random, LATER_US_MAX));
}

static void kill_one_writer(const char *path, struct history *history, uint64_t first_stamp,
                            struct random_source *random, struct totals *totals)
{
    struct worker worker;
    worker_start_writer(&worker, path, first_stamp, 0);
    wait_a_while(&worker, history, random);
    assert_true(worker_kill(&worker, history_note, history));
    totals->inside += history_note_death(history, first_stamp, report_now()) != 0;
    totals->kills++;
    read_all(path, history, random);
}

static void wear_out_a_file(const char *path, size_t kills, struct random_source *random,
                            struct totals *totals)
{
    struct history *history = history_open();
    for (size_t i = 0; i < kills; i++)
        kill_one_writer(path, history, (i + 1) * STAMPS_A_PROCESS, random, totals);
    struct verdict verdict = history_judge(history);
    assert_int_equal(verdict.faults, 0);
    totals->acknowledged += verdict.acknowledged;
    totals->durable += verdict.durable;
    totals->unknown_there += verdict.unknown_there;
    totals->sightings += verdict.sightings;
    history_close(history);
}

static void test_kill_at_any_moment(void **state)
{
    char place[PLACE_BYTES], path[PLACE_BYTES + 32];
    struct random_source random = seeded_random(__func__);
    struct totals totals = {0};
    const char *given = getenv("EDB_KILLS");
    size_t kills = given != NULL ? strtoul(given, NULL, 10) : KILLS;
    (void)state;
    place_open(place);
    for (size_t done = 0; done < kills; done += KILLS_A_FILE) {
        snprintf(path, sizeof path, "%s/%zu.edb", place, done);
        size_t left = kills - done;
        wear_out_a_file(path, left < KILLS_A_FILE ? left : KILLS_A_FILE, &random, &totals);
        unlink(path);
    }
    printf("%zu kills, %zu inside a commit, of which %zu were in the file\n", totals.kills,
           totals.inside, totals.unknown_there);
    printf("%zu commits acknowledged (%zu durable), %zu reads judged\n", totals.acknowledged,
           totals.durable, totals.sightings);
    assert_true(totals.inside > 0);
    assert_true(totals.acknowledged > 10 * totals.kills);
    place_close(place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kill_at_any_moment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
