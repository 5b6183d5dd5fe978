/* Every bit of a file flipped, every length cut, every sector lost: a reader gives the right
 * record, none, or an error, and never a wrong one; it neither crashes nor hangs nor looks past the
 * end. Damage in a slot, an index section, a catalog or unused bytes changes no answer at all (28,
 * 29, 31). A case may take two seconds and 256 MB. Two processes share the work; with a sanitizer,
 * or EDB_STRIDE=<n>, samples are taken.
 *
 * The file has 68 KiB; built a second time as flip_bits_megabyte it has 1 MiB (`make proof`). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "corrupt/ask_everything.h"
#include "corrupt/frame_map.h"
#include "os/os_sim.h"
#include "support/bound_memory.h"
#include "support/memory_file.h"
#include "support/under_sanitizer.h"
#include "support/watch_case.h"

/* Last: it makes a macro of the name fail. */
#include <cmocka.h>

enum { WORKERS = 2, SECTOR = 512, FAILURES_SHOWN = 10, CASE_SECONDS = 60, CASE_MS_MAX = 2000 };

static const size_t memory_max = 256u << 20; /* beyond what the process has */

static struct sample_cache sample;
static struct frame_map map;

/* What one process has seen. */
struct tally {
    size_t cases;
    size_t opened;
    size_t whole;
    size_t partly; /* opened, with answers missing or refused */
    size_t failures;
};

static void failure(struct tally *tally, const char *kind, uint64_t offset, unsigned detail,
                    const char *reason)
{
    if (tally->failures++ < FAILURES_SHOWN)
        fprintf(stderr, "%s at %llu (%s), %u: %s\n", kind, (unsigned long long)offset,
                frame_map_part_name(frame_map_part(&map, offset)), detail, reason);
}

/* What must be so when only this part is damaged; NULL when it is. */
static const char *judge(enum file_part part, const struct answers *answers)
{
    if (answers->wrong[0] != '\0')
        return answers->wrong;
    switch (part) {
    case PART_SLOT:
    case PART_UNUSED:
    case PART_SECTION_BODY:
    case PART_CATALOG_BODY:
        return answers->whole ? NULL : "damage in derived or unused bytes changed an answer";
    case PART_GROUP_VECTORS:
        if (answers->open != EDB_OK || answers->missing > 0)
            return "a damaged vector made records disappear";
        return NULL;
    case PART_GROUP_HEADER:
    case PART_GROUP_PAYLOAD:
    case PART_SECTION_HEADER:
    case PART_CATALOG_HEADER:
    case PART_GENESIS:
        return answers->verify != EDB_OK ? NULL : "verify finds nothing";
    case PART_PAD:
        return NULL;
    }
    return NULL;
}

static void try_reading(struct tally *tally, const char *kind, uint64_t offset, unsigned detail,
                        bool one_part)
{
    struct answers answers;
    watch_case(kind, offset, detail);
    ask_everything(&sample, "damaged.edb", EDB_OPEN_READ_ONLY, &answers);
    tally->cases++;
    tally->opened += answers.open == EDB_OK;
    tally->whole += answers.whole;
    tally->partly += answers.open == EDB_OK && !answers.whole;
    const char *reason = answers.wrong[0] != '\0' ? answers.wrong : NULL;
    if (one_part)
        reason = judge(frame_map_part(&map, offset), &answers);
    if (reason != NULL)
        failure(tally, kind, offset, detail, reason);
}

/* ------------------------------------------------------------------------------------ processes */

typedef void do_share(int worker, struct tally *tally);

static size_t stride(void)
{
    const char *given = getenv("EDB_STRIDE");
    size_t number = given != NULL ? strtoul(given, NULL, 10) : UNDER_SANITIZER ? 53 : 1;
    return number > 0 ? number : 1;
}

static void run_worker(do_share *share, const char *name, int worker, int report)
{
    static const uint8_t other_boot[16] = {1};
    struct tally tally = {0};
    watch_case_begin(name, CASE_SECONDS);
    watch_case_limit(CASE_MS_MAX);
    if (!memory_file_begin(sample.bytes, sample.count))
        _exit(1);
    /* What is taken once is no case's. */
    os_sim_begin(2);
    os_sim_load("damaged.edb", sample.bytes, sample.count);
    bound_memory(memory_max);
    /* One of them reads in the boot that wrote the file, the other after it. */
    memory_file_set_boot_id(worker == 0 ? sample.boot_id : other_boot);
    os_use(&memory_file);
    share(worker, &tally);
    if (memory_file_open_count() != 0)
        failure(&tally, "close", 0, 0, "a file was left open");
    watch_case_end();
    _exit(write(report, &tally, sizeof tally) != (ssize_t)sizeof tally);
}

static void share_work(do_share *share, const char *name)
{
    struct tally sum = {0};
    int reports[WORKERS][2];
    for (int i = 0; i < WORKERS; i++) {
        assert_int_equal(pipe(reports[i]), 0);
        fflush(NULL);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0)
            run_worker(share, name, i, reports[i][1]);
        close(reports[i][1]);
    }
    for (int i = 0; i < WORKERS; i++) {
        struct tally tally;
        int ended = 0;
        assert_int_equal(read(reports[i][0], &tally, sizeof tally), sizeof tally);
        assert_true(wait(&ended) > 0 && ended == 0);
        close(reports[i][0]);
        sum.cases += tally.cases;
        sum.opened += tally.opened;
        sum.whole += tally.whole;
        sum.partly += tally.partly;
        sum.failures += tally.failures;
    }
    printf("%s: %zu cases, %zu opened, %zu whole, %zu in part, %zu failures\n", name, sum.cases,
           sum.opened, sum.whole, sum.partly, sum.failures);
    assert_int_equal(sum.failures, 0);
    assert_true(sum.cases > 0 && sum.opened > 0);
}

/* ---------------------------------------------------------------------------------------- tests */

static void flip_bits(int worker, struct tally *tally)
{
    uint8_t *bytes = memory_file_bytes();
    size_t step = stride();
    for (size_t number = (size_t)worker; number < 8 * sample.count; number += WORKERS * step) {
        /* Both processes get every bit position in turn when the stride is odd. */
        size_t at = number / 8;
        unsigned bit = number % 8;
        bytes[at] ^= (uint8_t)(1u << bit);
        try_reading(tally, "flip of a bit", at, bit, true);
        bytes[at] ^= (uint8_t)(1u << bit);
    }
}

static void test_every_bit(void **state)
{
    (void)state;
    share_work(flip_bits, "every bit");
}

static void cut_lengths(int worker, struct tally *tally)
{
    uint8_t *bytes = memory_file_bytes();
    for (size_t cut = 1 + (size_t)worker; cut <= sample.count; cut += WORKERS * stride()) {
        size_t left = sample.count - cut;
        memory_file_resize(left);
        try_reading(tally, "cut", left, 0, left >= map.end);
    }
    memory_file_resize(sample.count);
    memcpy(bytes, sample.bytes, sample.count);
}

static void test_every_length(void **state)
{
    (void)state;
    share_work(cut_lengths, "every length");
}

static void fill_ranges(struct tally *tally, size_t unit, uint8_t value, size_t first, size_t step)
{
    uint8_t *bytes = memory_file_bytes();
    for (size_t at = first * unit; at < sample.count; at += step * unit) {
        size_t count = sample.count - at < unit ? sample.count - at : unit;
        memset(bytes + at, value, count);
        try_reading(tally, "fill", at, (unsigned)unit, false);
        memcpy(bytes + at, sample.bytes + at, count);
    }
}

static void lose_sectors(int worker, struct tally *tally)
{
    for (int value = 0; value < 2; value++) {
        fill_ranges(tally, SECTOR, value == 0 ? 0 : 0xff, (size_t)worker, WORKERS);
        fill_ranges(tally, PAGE_BYTES, value == 0 ? 0 : 0xff, (size_t)worker, WORKERS);
    }
}

static void test_every_sector(void **state)
{
    (void)state;
    share_work(lose_sectors, "every sector");
}

/* -------------------------------------------------------------------------------------- writing */

/* A put into a damaged file is refused, or is there afterwards and took nothing with it. */
static void try_writing(struct tally *tally, const uint8_t *damaged, uint64_t offset, unsigned bit)
{
    static const char key[] = "one more";
    const float vector[SAMPLE_DIMS] = {0.5f};
    float got[SAMPLE_DIMS];
    struct answers before = {0};
    edb *db = NULL;
    edb_space *space;
    watch_case("write after the flip of a bit", offset, bit);
    os_sim_begin(2);
    os_sim_record(false);
    os_sim_load("damaged.edb", damaged, sample.count);
    tally->cases++;
    if (edb_open("damaged.edb", NULL, &db) != EDB_OK)
        return;
    tally->opened++;
    ask_handle(&sample, db, &before);
    edb_status status = edb_space_find(db, sample_space_names[SAMPLE_DOCS], &space);
    if (status == EDB_OK)
        status = edb_put(space, key, sizeof key, vector, NULL);
    if (status != EDB_OK && status != EDB_NOT_FOUND && status != EDB_READ_ONLY &&
        status != EDB_CORRUPT)
        failure(tally, "write", offset, bit, edb_status_name(status));
    edb_status closed = edb_close(db);
    if (closed != EDB_OK && closed != EDB_READ_ONLY && closed != EDB_CORRUPT)
        failure(tally, "close", offset, bit, edb_status_name(closed));
    if (status != EDB_OK || edb_open("damaged.edb", NULL, &db) != EDB_OK)
        return;
    tally->partly++;
    if (edb_space_find(db, sample_space_names[SAMPLE_DOCS], &space) != EDB_OK ||
        edb_get(space, key, sizeof key, got) != EDB_OK || memcmp(got, vector, sizeof got) != 0)
        failure(tally, "write", offset, bit, "what was put is not there");
    edb_close(db);
}

static void write_after_flips(int worker, struct tally *tally)
{
    uint8_t *damaged = malloc(sample.count);
    memcpy(damaged, sample.bytes, sample.count);
    os_use(&os_sim);
    for (size_t number = (size_t)worker * 97; number < 8 * sample.count;
         number += WORKERS * 97 * (stride() > 1 ? 11 : 1)) {
        damaged[number / 8] ^= (uint8_t)(1u << number % 8);
        try_writing(tally, damaged, number / 8, number % 8);
        damaged[number / 8] ^= (uint8_t)(1u << number % 8);
    }
    os_sim_end();
    free(damaged);
}

static void test_write_after_flips(void **state)
{
    (void)state;
    share_work(write_after_flips, "writing");
}

/* -------------------------------------------------------------------------------------- fixture */

/* The undamaged file gives every answer, and holds what the tests above are about. */
static void test_sample_is_whole(void **state)
{
    (void)state;
    struct answers answers;
    size_t types[FRAME_PAD + 1] = {0};
    assert_true(memory_file_begin(sample.bytes, sample.count));
    os_use(&memory_file);
    ask_everything(&sample, "sample.edb", EDB_OPEN_READ_ONLY, &answers);
    os_use(&os_posix);
    memory_file_end();
    assert_string_equal(answers.wrong, "");
    assert_true(answers.whole);
    assert_int_equal(answers.verify, EDB_OK);
    for (size_t i = 0; i < map.count; i++)
        types[map.frames[i].type]++;
    printf("sample: %zu bytes, %zu states, %zu groups, %zu sections, %zu catalogs, %zu pads\n",
           sample.count, sample.state_count, types[FRAME_GROUP], types[FRAME_SECTION],
           types[FRAME_CATALOG], types[FRAME_PAD]);
    assert_true(sample.count >= (SAMPLE_DIMS > 12 ? 1u << 20 : 64u << 10));
    assert_true(types[FRAME_GROUP] > 20 && types[FRAME_SECTION] > 8);
    assert_true(types[FRAME_CATALOG] >= 2 && types[FRAME_PAD] >= 1);
    assert_int_equal(map.frames[map.count - 1].type, FRAME_PAD);
}

static int make_sample(void **state)
{
    (void)state;
    return !sample_cache_write(&sample) || !frame_map_make(sample.bytes, sample.count, &map);
}

static int free_sample(void **state)
{
    (void)state;
    sample_cache_free(&sample);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sample_is_whole), cmocka_unit_test(test_every_sector),
        cmocka_unit_test(test_every_length),    cmocka_unit_test(test_write_after_flips),
        cmocka_unit_test(test_every_bit),
    };
    return cmocka_run_group_tests(tests, make_sample, free_sample);
}
