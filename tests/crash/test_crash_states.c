/* The crash states of small journals are exactly those of the model: counted out by hand for the
 * plain cases, and by a second, naive computation for random journals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "crash/crash_states.h"
#include "unit/base/seeded_random.h"

/* Last: it makes a macro of the name fail. */
#include <cmocka.h>

enum { SECTOR = OS_SIM_SECTOR_BYTES, PAGE = CRASH_PAGE_BYTES, NOTES_MAX = 400000 };

/* -------------------------------------------------------------------------------------- fixture */

/* What a check saw: each state's image as one letter per sector of the file "f", then the mark. */
struct note {
    enum crash_kind kind;
    char text[64];
};

static struct note *notes;
static size_t note_count;

static struct crash_counts counts;

static int begin(void **state)
{
    (void)state;
    os_sim_begin(1);
    memset(&counts, 0, sizeof counts);
    note_count = 0;
    return 0;
}

static int make_notes(void **state)
{
    (void)state;
    notes = malloc(NOTES_MAX * sizeof *notes);
    return notes == NULL;
}

static int end(void **state)
{
    (void)state;
    free(notes);
    os_sim_end();
    return 0;
}

/* The letter that fills a sector; '?' when it is none, '0' for zeros. */
static char letter_of(const uint8_t *sector)
{
    for (int i = 1; i < SECTOR; i++) {
        if (sector[i] != sector[0])
            return '?';
    }
    return sector[0] == 0 ? '0' : (char)sector[0];
}

static void spell(const uint8_t *bytes, uint64_t count, uint64_t mark, char text[64])
{
    size_t used = 0;
    for (uint64_t at = 0; at + SECTOR <= count && used < 40; at += SECTOR)
        text[used++] = letter_of(bytes + at);
    snprintf(text + used, 64 - used, ":%llu", (unsigned long long)mark);
}

static bool take_note(void *arg, const struct crash_state *state)
{
    (void)arg;
    struct note *note = &notes[note_count++];
    assert_true(note_count < NOTES_MAX);
    note->kind = state->kind;
    snprintf(note->text, sizeof note->text, "none:%llu", (unsigned long long)state->acknowledged);
    for (size_t i = 0; i < state->file_count; i++) {
        if (strcmp(state->files[i].name, "f") == 0)
            spell(state->files[i].bytes, state->files[i].count, state->acknowledged, note->text);
    }
    return true;
}

static bool saw(enum crash_kind kind, const char *text)
{
    for (size_t i = 0; i < note_count; i++) {
        if (notes[i].kind == kind && strcmp(notes[i].text, text) == 0)
            return true;
    }
    return false;
}

static size_t saw_of(enum crash_kind kind)
{
    size_t found = 0;
    for (size_t i = 0; i < note_count; i++)
        found += notes[i].kind == kind;
    return found;
}

/* The file "f" as it was synced: one letter per sector. */
static struct crash_state make_old(const char *letters, struct crash_file *file)
{
    static uint8_t bytes[64 * SECTOR];
    size_t sectors = strlen(letters);
    for (size_t i = 0; i < sectors; i++)
        memset(bytes + i * SECTOR, letters[i], SECTOR);
    *file = (struct crash_file){"f", bytes, sectors * SECTOR};
    return (struct crash_state){.files = file, .file_count = 1};
}

static struct os_file *open_old(const struct crash_state *old)
{
    struct os_file *file;
    crash_install(old, 5);
    assert_int_equal(os_sim.open("f", true, &file), EDB_OK);
    return file;
}

static void write_letters(struct os_file *file, double sector, char letter, double sectors)
{
    static char letters[64 * SECTOR];
    memset(letters, letter, sizeof letters);
    struct os_span span = {letters, (size_t)(sectors * SECTOR)};
    assert_int_equal(os_sim.write(file, (uint64_t)(sector * SECTOR), &span, 1), EDB_OK);
}

/* Explores what the machine has recorded. */
static void explore(const struct crash_state *before, uint64_t limit)
{
    const struct crash_options options = {.seed = 3, .states_per_interval_max = limit};
    struct os_sim_journal journal;
    assert_int_equal(os_sim_journal_copy(&journal), EDB_OK);
    assert_true(crash_explore(&journal, before, &options, take_note, NULL, &counts));
    os_sim_journal_free(&journal);
}

static void expect_lost(const char *const *texts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!saw(CRASH_LOST, texts[i]))
            print_message("not seen: %s\n", texts[i]);
        assert_true(saw(CRASH_LOST, texts[i]));
    }
    assert_int_equal(saw_of(CRASH_LOST), count);
}

#define EXPECT_LOST(...)                                                                           \
    expect_lost((const char *const[]){__VA_ARGS__},                                                \
                sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

/* ------------------------------------------------------------------------------- small journals */

static void test_subsets_of_two_writes(void **state)
{
    (void)state;
    struct crash_file data;
    const struct crash_state old = make_old("ooo", &data);
    struct os_file *file = open_old(&old);
    write_letters(file, 0, 'A', 1);
    write_letters(file, 2, 'B', 1);
    explore(&old, 0);
    EXPECT_LOST("ooo:0", "Aoo:0", "AoB:0", "ooB:0");
    assert_int_equal(counts.points, 3);
    assert_int_equal(counts.states[CRASH_LOST], 4);
    assert_int_equal(counts.states[CRASH_TORN], 0);
    os_sim.close(file);
}

static void test_what_was_synced_stays(void **state)
{
    (void)state;
    struct crash_file data;
    const struct crash_state old = make_old("ooo", &data);
    struct os_file *file = open_old(&old);
    write_letters(file, 0, 'A', 1);
    assert_int_equal(os_sim.sync(file), EDB_OK);
    os_sim_mark(1);
    write_letters(file, 1, 'B', 1);
    os_sim_mark(2);
    explore(&old, 0);
    EXPECT_LOST("ooo:0", "Aoo:0", "Aoo:1", "ABo:1", "ABo:2", "Aoo:2");
    os_sim.close(file);
}

static void test_growth_is_lost_apart_from_data(void **state)
{
    (void)state;
    struct crash_file data;
    const struct crash_state old = make_old("o", &data);
    struct os_file *file = open_old(&old);
    write_letters(file, 1, 'A', 1);
    os_sim_mark(1);
    write_letters(file, 2, 'B', 1);
    explore(&old, 0);
    EXPECT_LOST("o:0", "o0:0", "oA:0", "o:1", "o0:1", "oA:1", "o00:1", "oA0:1", "o0B:1", "oAB:1");
    os_sim.close(file);
}

static void test_a_sync_is_of_one_file(void **state)
{
    (void)state;
    struct crash_file data[2];
    struct crash_state old = make_old("oo", &data[0]);
    data[1] = (struct crash_file){"g", data[0].bytes, SECTOR};
    old.file_count = 2;
    struct os_file *file = open_old(&old), *other;
    assert_int_equal(os_sim.open("g", true, &other), EDB_OK);
    write_letters(file, 0, 'A', 1);
    write_letters(other, 0, 'B', 1);
    assert_int_equal(os_sim.sync(other), EDB_OK);
    os_sim_mark(1);
    explore(&old, 0);
    assert_true(saw(CRASH_LOST, "oo:1") && saw(CRASH_LOST, "Ao:1"));
    os_sim.close(file);
    os_sim.close(other);
}

static void test_names_need_a_directory_sync(void **state)
{
    (void)state;
    struct os_file *file;
    char *temporary;
    assert_int_equal(os_sim.create_temporary("f", 0644, &file, &temporary), EDB_OK);
    write_letters(file, 0, 'A', 1);
    assert_int_equal(os_sim.sync(file), EDB_OK);
    assert_int_equal(os_sim.publish(temporary, "f"), EDB_OK);
    os_sim_mark(1);
    assert_int_equal(os_sim.sync_directory("f"), EDB_OK);
    os_sim_mark(2);
    assert_int_equal(os_sim.remove("f"), EDB_OK);
    os_sim_mark(3);
    explore(NULL, 0);
    assert_true(saw(CRASH_LOST, "none:0"));
    assert_true(saw(CRASH_LOST, "A:0"));
    assert_true(saw(CRASH_LOST, "none:1"));
    assert_true(saw(CRASH_LOST, "A:1"));
    assert_true(saw(CRASH_LOST, "A:2"));
    assert_true(saw(CRASH_LOST, "none:2"));
    assert_true(saw(CRASH_LOST, "none:3"));
    assert_true(saw(CRASH_LOST, "A:3"));
    /* The data was synced before it had a name: it is there whole or not at all. */
    for (size_t i = 0; i < note_count; i++)
        assert_true(notes[i].text[0] == 'A' || notes[i].text[0] == 'n');
    os_sim.close(file);
    memory_free(temporary);
}

static void test_a_failed_sync_drops_its_writes(void **state)
{
    (void)state;
    struct crash_file data;
    const struct crash_state old = make_old("ooo", &data);
    struct os_file *file = open_old(&old);
    write_letters(file, 0, 'A', 2);
    os_sim_fail_sync(1, OS_SIM_KEEP);
    assert_int_equal(os_sim.sync(file), EDB_IO);
    os_sim_mark(1);
    assert_int_equal(os_sim.sync(file), EDB_OK);
    os_sim_mark(2);
    write_letters(file, 1.5, 'A', 0.25);
    assert_int_equal(os_sim.sync(file), EDB_OK);
    os_sim_mark(3);
    explore(&old, 0);
    EXPECT_LOST("ooo:0", "AAo:0", "ooo:1", "ooo:2", "oAo:2", "oAo:3");
    os_sim.close(file);
}

/* -------------------------------------------------------------------------------- spoilt writes */

static void test_torn_at_every_sector_boundary(void **state)
{
    (void)state;
    struct crash_file data;
    const struct crash_state old = make_old("ooooo", &data);
    struct os_file *file = open_old(&old);
    write_letters(file, 0.5, 'A', 3);
    explore(&old, 0);
    EXPECT_LOST("ooooo:0", "?AA?o:0");
    assert_true(saw(CRASH_TORN, "?oooo:0"));
    assert_true(saw(CRASH_TORN, "?Aooo:0"));
    assert_true(saw(CRASH_TORN, "?AAoo:0"));
    assert_true(saw(CRASH_TORN, "oAA?o:0"));
    assert_true(saw(CRASH_TORN, "ooA?o:0"));
    assert_true(saw(CRASH_TORN, "ooo?o:0"));
    assert_int_equal(saw_of(CRASH_TORN), 6);
    os_sim.close(file);
}

struct reach {
    const struct crash_state *old;
    uint64_t first[CRASH_KINDS]; /* lowest and highest byte that any state of a kind has changed */
    uint64_t last[CRASH_KINDS];
};

static bool measure_reach(void *arg, const struct crash_state *state)
{
    struct reach *reach = arg;
    for (uint64_t i = 0; i < state->files[0].count; i++) {
        if (state->files[0].bytes[i] == reach->old->files[0].bytes[i])
            continue;
        if (i < reach->first[state->kind])
            reach->first[state->kind] = i;
        if (i > reach->last[state->kind])
            reach->last[state->kind] = i;
    }
    return true;
}

/* A few bytes in the middle of a sector spoil all of it, or its whole page, and nothing beyond. */
static void test_garbage_fills_the_sector_and_the_page(void **state)
{
    (void)state;
    struct crash_file data;
    const struct crash_state old = make_old("oooooooooooooooooooooooo", &data);
    struct reach reach = {.old = &old};
    memset(reach.first, 0xff, sizeof reach.first);
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct os_file *file = open_old(&old);
        write_letters(file, 10.25, 'A', 0.25);
        const struct crash_options options = {.seed = seed};
        struct os_sim_journal journal;
        assert_int_equal(os_sim_journal_copy(&journal), EDB_OK);
        assert_true(crash_explore(&journal, &old, &options, measure_reach, &reach, &counts));
        os_sim_journal_free(&journal);
        os_sim.close(file);
    }
    const uint64_t sector = 10 * SECTOR;
    assert_in_range(reach.first[CRASH_TRASHED_SECTOR], sector, sector + 20);
    assert_in_range(reach.last[CRASH_TRASHED_SECTOR], sector + SECTOR - 20, sector + SECTOR - 1);
    assert_in_range(reach.first[CRASH_TRASHED_PAGE], PAGE, PAGE + 20);
    assert_in_range(reach.last[CRASH_TRASHED_PAGE], 2 * PAGE - 20, 2 * PAGE - 1);
}

/* -------------------------------------------------------------------------------- long journals */

static void test_many_in_flight(void **state)
{
    (void)state;
    enum { WRITES = 20 };
    struct crash_file data;
    const struct crash_state old = make_old("oooooooooooooooooooo", &data);
    struct os_file *file = open_old(&old);
    for (int i = 0; i < WRITES; i++)
        write_letters(file, i, 'A', 1);
    explore(&old, 0);
    char all[] = "AAAAAAAAAAAAAAAAAAAA:0", none[] = "oooooooooooooooooooo:0";
    for (int i = 0; i < WRITES; i++) {
        char text[64];
        snprintf(text, sizeof text, "%s", all);
        text[i] = 'o';
        assert_true(saw(CRASH_LOST, text));
        snprintf(text, sizeof text, "%s", none);
        text[i] = 'A';
        assert_true(saw(CRASH_LOST, text));
        snprintf(text, sizeof text, "%.*s%s", i, all, none + i);
        assert_true(saw(CRASH_LOST, text));
    }
    assert_true(saw(CRASH_LOST, all));
    assert_true(saw_of(CRASH_LOST) > 512 + 11 * 64);
    os_sim.close(file);
}

static void test_limit_is_kept(void **state)
{
    (void)state;
    struct crash_file data;
    const struct crash_state old = make_old("oooooooooooooooooooo", &data);
    struct os_file *file = open_old(&old);
    for (int i = 0; i < 19; i++)
        write_letters(file, i, 'A', 1);
    explore(&old, 200);
    uint64_t total = 0;
    for (int kind = 0; kind < CRASH_KINDS; kind++)
        total += counts.states[kind];
    assert_in_range(total, 150, 200);
    assert_true(counts.left_out > 1000);
    assert_true(saw(CRASH_LOST, "AAAAAAAAAAAAAAAAAAAo:0"));
    os_sim.close(file);
}

/* ----------------------------------------------------------------- against a second computation */

/* One letter per sector, operations of whole sectors only: then a state is a string. */
enum { SECTORS = 6, OPERATIONS = 12 };

struct step {
    char kind; /* w write, s sync, k sync that fails and keeps, r ... and reverts, m mark */
    int first;
    int count;
    char letter;
};

/* All images after a prefix of the steps, by brute force over subsets of what is in flight. */
static size_t compute(const struct step *steps, size_t count, char images[][SECTORS + 1])
{
    char device[SECTORS + 1] = "oooooo";
    const struct step *flight[OPERATIONS];
    size_t flying = 0;
    for (size_t i = 0; i < count; i++) {
        if (steps[i].kind == 'w')
            flight[flying++] = &steps[i];
        for (size_t j = 0; steps[i].kind == 's' && j < flying; j++)
            memset(device + flight[j]->first, flight[j]->letter, (size_t)flight[j]->count);
        if (strchr("skr", steps[i].kind) != NULL)
            flying = 0;
    }
    for (size_t mask = 0; mask < (size_t)1 << flying; mask++) {
        memcpy(images[mask], device, sizeof device);
        for (size_t j = 0; j < flying; j++) {
            if (mask >> j & 1)
                memset(images[mask] + flight[j]->first, flight[j]->letter,
                       (size_t)flight[j]->count);
        }
    }
    return (size_t)1 << flying;
}

static void run_steps(const struct step *steps, const struct crash_state *old)
{
    struct os_file *file = open_old(old);
    for (size_t i = 0; i < OPERATIONS; i++) {
        if (steps[i].kind == 'w')
            write_letters(file, steps[i].first, steps[i].letter, steps[i].count);
        else if (steps[i].kind == 'm')
            os_sim_mark(i);
        else {
            os_sim_fail_sync(steps[i].kind != 's',
                             steps[i].kind == 'k' ? OS_SIM_KEEP : OS_SIM_REVERT);
            assert_int_equal(os_sim.sync(file), steps[i].kind == 's' ? EDB_OK : EDB_IO);
        }
    }
    os_sim.close(file);
}

static void make_steps(struct random_source *random, struct step *steps)
{
    for (int i = 0; i < OPERATIONS; i++) {
        int first = (int)random_below(random, SECTORS);
        int count = 1 + (int)random_below(random, (uint64_t)(SECTORS - first));
        char kind = "wwwwwwwsskrm"[random_below(random, 12)];
        steps[i] = (struct step){kind, first, count, (char)('A' + i)};
    }
}

/* Looks a computed state up in what was seen, strikes it from the list, and gives whether it was
 * there. */
static bool strike(const char image[SECTORS + 1], size_t mark)
{
    char text[64];
    snprintf(text, sizeof text, "%.*s:%zu", SECTORS, image, mark);
    bool found = false;
    for (size_t i = 0; i < note_count; i++) {
        if (strcmp(notes[i].text, text) != 0)
            continue;
        found = true;
        if (notes[i].kind == CRASH_LOST)
            notes[i].kind = CRASH_KINDS;
    }
    return found;
}

/* Every computed state was seen; every state that was seen without damage was computed. */
static void test_random_journals(void **state)
{
    struct random_source random = seeded_random(__func__);
    static char images[1 << OPERATIONS][SECTORS + 1];
    for (int round = 0; round < 60; round++) {
        struct step steps[OPERATIONS];
        struct crash_file data;
        begin(state);
        const struct crash_state old = make_old("oooooo", &data);
        make_steps(&random, steps);
        run_steps(steps, &old);
        explore(&old, 0);
        size_t mark = 0;
        for (size_t point = 0; point <= OPERATIONS; point++) {
            if (point > 0 && steps[point - 1].kind == 'm')
                mark = point - 1;
            size_t count = compute(steps, point, images);
            for (size_t i = 0; i < count; i++)
                assert_true(strike(images[i], mark) || count > 512);
        }
        assert_int_equal(saw_of(CRASH_LOST), 0);
        assert_true(saw_of(CRASH_KINDS) > 0);
    }
}

/* --------------------------------------------------------------------- a crash while recovering */

struct depth {
    uint64_t outer;
    uint64_t inner;
    uint64_t wrong;
};

static bool check_inner(void *arg, const struct crash_state *state)
{
    struct depth *depth = arg;
    depth->inner++;
    depth->wrong += state->acknowledged != 9 || state->files[0].count < 2 * SECTOR;
    return true;
}

/* A "recovery" that writes one sector and syncs it, explored in turn. */
static bool recover_and_explore(void *arg, const struct crash_state *state)
{
    struct depth *depth = arg;
    const struct crash_options options = {.seed = depth->outer++};
    struct crash_counts inner = {0};
    struct os_sim_journal journal;
    struct os_file *file;
    crash_install(state, 77);
    uint64_t size = 0;
    const uint8_t *bytes = os_sim_file("f", &size);
    depth->wrong +=
        size != state->files[0].count || memcmp(bytes, state->files[0].bytes, size) != 0;
    assert_int_equal(os_sim.open("f", true, &file), EDB_OK);
    write_letters(file, 1, 'R', 1);
    assert_int_equal(os_sim.sync(file), EDB_OK);
    os_sim.close(file);
    assert_int_equal(os_sim_journal_copy(&journal), EDB_OK);
    assert_int_equal(journal.count, 2);
    bool going = crash_explore(&journal, state, &options, check_inner, depth, &inner);
    os_sim_journal_free(&journal);
    return going;
}

static void test_a_recovery_may_crash_too(void **state)
{
    (void)state;
    struct crash_file data;
    struct crash_state old = make_old("oo", &data);
    old.acknowledged = 9;
    struct os_file *file = open_old(&old);
    write_letters(file, 0, 'A', 3);
    os_sim.close(file);
    struct depth depth = {0, 0, 0};
    const struct crash_options options = {.seed = 1};
    struct os_sim_journal journal;
    assert_int_equal(os_sim_journal_copy(&journal), EDB_OK);
    assert_true(crash_explore(&journal, &old, &options, recover_and_explore, &depth, &counts));
    os_sim_journal_free(&journal);
    assert_true(depth.outer > 10 && depth.inner > depth.outer * 4);
    assert_int_equal(depth.wrong, 0);
}

static bool stop_at_third(void *arg, const struct crash_state *state)
{
    (void)state;
    return ++*(int *)arg < 3;
}

static void test_a_check_can_end_it(void **state)
{
    (void)state;
    struct crash_file data;
    const struct crash_state old = make_old("oo", &data);
    struct os_file *file = open_old(&old);
    write_letters(file, 0, 'A', 2);
    os_sim.close(file);
    const struct crash_options options = {.seed = 1};
    struct os_sim_journal journal;
    int calls = 0;
    assert_int_equal(os_sim_journal_copy(&journal), EDB_OK);
    assert_false(crash_explore(&journal, &old, &options, stop_at_third, &calls, &counts));
    assert_int_equal(calls, 3);
    os_sim_journal_free(&journal);
}

#define CASE(name) cmocka_unit_test_setup(name, begin)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_subsets_of_two_writes),
        CASE(test_what_was_synced_stays),
        CASE(test_growth_is_lost_apart_from_data),
        CASE(test_a_sync_is_of_one_file),
        CASE(test_names_need_a_directory_sync),
        CASE(test_a_failed_sync_drops_its_writes),
        CASE(test_torn_at_every_sector_boundary),
        CASE(test_garbage_fills_the_sector_and_the_page),
        CASE(test_many_in_flight),
        CASE(test_limit_is_kept),
        CASE(test_random_journals),
        CASE(test_a_recovery_may_crash_too),
        CASE(test_a_check_can_end_it),
    };
    return cmocka_run_group_tests_name("crash_states", tests, make_notes, end);
}
