/* A file that is being written may be copied with cp: the copy holds all that was acknowledged
 * before the copying began, nothing that was begun after it ended, every transaction whole. It is
 * read as it is, and whoever opens it for writing goes on where it ends.
 *
 * One thing a copy cannot always be told from: when the piece with the end of the data was copied
 * before a commit and the next piece after it was synced, synced data is missing in the middle.
 * Such a copy is read like any other and refuses to be written (EDB_READ_ONLY). It takes a copier
 * that is slow between two pieces; with cp it is the exception. */
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "embedcache.h"
#include "multiproc/audit_file.h"
#include "multiproc/judge_history.h"
#include "multiproc/run_worker.h"
#include "multiproc/write_load.h"
#include "support/stamped_row.h"
#include "unit/base/seeded_random.h"

#include <cmocka.h>

enum {
    COPIES = 200,
    SLOW_COPIES = 40,
    WRITERS_A_FILE = 4,
    WRITER_PAUSE_US = 300,
    SLOW_PIECE_BYTES = 16384,
    SLOW_PAUSE_US = 1000
};

extern char **environ;

static char place[PLACE_BYTES];
static char path[PLACE_BYTES + 16];
static char copy[PLACE_BYTES + 16];

struct totals {
    size_t copies;
    size_t read_only; /* copies that will not be written to */
    size_t acknowledged;
    size_t sightings;
    uint64_t bytes;
};

static void run_cp(void)
{
    char *argv[] = {"cp", path, copy, NULL};
    pid_t pid;
    int status;
    assert_int_equal(posix_spawnp(&pid, "cp", NULL, NULL, argv, environ), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* Takes its time between the pieces, as a copy over a network does. */
static void copy_slowly(struct worker *writer, struct history *history)
{
    static char piece[SLOW_PIECE_BYTES];
    ssize_t got;
    int from = open(path, O_RDONLY);
    int to = open(copy, O_WRONLY | O_CREAT | O_EXCL, 0644);
    assert_true(from >= 0 && to >= 0);
    while ((got = read(from, piece, sizeof piece)) > 0) {
        assert_int_equal(write(to, piece, (size_t)got), got);
        usleep(SLOW_PAUSE_US);
        assert_true(worker_listen(writer, history_note, history));
    }
    assert_int_equal(got, 0);
    close(from);
    close(to);
}

static void audit(uint32_t flags, uint64_t from_ns, uint64_t to_ns, struct history *history)
{
    struct audit_plan plan = {
        .path = copy, .flags = flags, .from_ns = from_ns, .to_ns = to_ns, .may_be_absent = true};
    assert_true(audit_file(&plan, history_note, history));
}

/* Whoever opens the copy for writing goes on where it ends. */
static void write_to_copy(struct totals *totals)
{
    edb *db;
    edb_space *space;
    edb_space_spec spec = EDB_SPACE_SPEC_INIT;
    float vector[2] = {1, 2}, found[2];
    spec.name = "of the copy";
    spec.dims = 2;
    assert_int_equal(edb_open(copy, NULL, &db), EDB_OK);
    edb_status status = edb_space_open(db, &spec, &space);
    if (status == EDB_OK)
        status = edb_put(space, "k", 1, vector, NULL);
    if (status == EDB_READ_ONLY) {
        totals->read_only++;
    } else {
        assert_int_equal(status, EDB_OK);
        assert_int_equal(edb_sync(db), EDB_OK);
        assert_int_equal(edb_get(space, "k", 1, found), EDB_OK);
        assert_memory_equal(found, vector, sizeof vector);
    }
    assert_int_equal(edb_close(db), EDB_OK);
}

static void copy_once(bool slow, struct worker *writer, struct history *history,
                      struct totals *totals)
{
    struct stat found;
    assert_true(worker_listen(writer, history_note, history));
    uint64_t from_ns = report_now();
    if (slow)
        copy_slowly(writer, history);
    else
        run_cp();
    uint64_t to_ns = report_now();
    assert_true(worker_listen(writer, history_note, history));
    audit(EDB_OPEN_READ_ONLY, from_ns, to_ns, history);
    write_to_copy(totals);
    audit(EDB_OPEN_EXISTING, from_ns, to_ns, history);
    assert_int_equal(stat(copy, &found), 0);
    totals->bytes += (uint64_t)found.st_size;
    totals->copies++;
    unlink(copy);
}

/* Copies of one file, whose writer is killed and followed by another now and then. */
static void copy_one_file(bool slow, struct random_source *random, struct totals *totals)
{
    struct history *history = history_open();
    for (uint64_t i = 1; i <= WRITERS_A_FILE; i++) {
        struct worker writer;
        uint64_t stamp = i * STAMPS_A_PROCESS;
        worker_start_writer(&writer, path, stamp, WRITER_PAUSE_US);
        while (access(path, F_OK) != 0)
            usleep(100);
        for (size_t j = 0; j < (slow ? 1 : 10); j++) {
            usleep((useconds_t)random_below(random, 20000));
            copy_once(slow, &writer, history, totals);
        }
        assert_true(worker_kill(&writer, history_note, history));
        history_note_death(history, stamp, report_now());
    }
    struct verdict verdict = history_judge(history);
    assert_int_equal(verdict.faults, 0);
    totals->acknowledged += verdict.acknowledged;
    totals->sightings += verdict.sightings;
    history_close(history);
    unlink(path);
}

static void copy_many(bool slow, size_t copies)
{
    struct random_source random = seeded_random(slow ? "slow copies" : "cp");
    struct totals totals = {0};
    place_open(place);
    snprintf(path, sizeof path, "%s/live.edb", place);
    snprintf(copy, sizeof copy, "%s/copy.edb", place);
    while (totals.copies < copies)
        copy_one_file(slow, &random, &totals);
    printf("%zu copies of %.1f MB together, beside %zu commits; %zu reads judged\n", totals.copies,
           (double)totals.bytes / 1e6, totals.acknowledged, totals.sightings);
    printf("%zu of them lack synced data before their end: read-only\n", totals.read_only);
    assert_true(totals.acknowledged > 10 * totals.copies);
    assert_true(slow || totals.read_only <= totals.copies / 20);
    place_close(place);
}

static void test_cp_of_a_live_file(void **state)
{
    (void)state;
    copy_many(false, COPIES);
}

static void test_slow_copy_of_a_live_file(void **state)
{
    (void)state;
    copy_many(true, SLOW_COPIES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cp_of_a_live_file),
        cmocka_unit_test(test_slow_copy_of_a_live_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
