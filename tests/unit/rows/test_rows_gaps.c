/* A row directory in which most row numbers have no entry: in sections of any borders, in the tail,
 * and with some rows marked as gone; against a sorted list of what was put in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "rows/rows.h"

/* Last: it makes a macro of the name fail. */
#include <cmocka.h>

enum { ROWS_COUNT = 30000, SECTIONS = 3 };
static const uint64_t chain_seed = 0x5eed;

static uint64_t numbers[ROWS_COUNT]; /* ascending */
static bool dead[ROWS_COUNT];

/* Runs, small gaps, and gaps of billions. */
static void choose_rows(struct random_source *random)
{
    uint64_t next = random_below(random, 5000);
    for (size_t i = 0; i < ROWS_COUNT; i++) {
        numbers[i] = next;
        dead[i] = random_below(random, 10) == 0;
        uint64_t kind = random_below(random, 100);
        next += kind < 60    ? 1
                : kind < 90  ? 1 + random_below(random, 200)
                : kind < 99  ? 1 + random_below(random, 20000)
                : i % 4 == 0 ? 1 + random_below(random, 1ull << 26)
                             : 1;
    }
}

static struct row_place place_of(size_t i)
{
    return (struct row_place){.frame = 64 * (i + 1), .index = (uint32_t)i, .key_bytes = 7};
}

static void add(struct rows *rows, size_t i)
{
    struct row_place place = place_of(i);
    struct row_place killed;
    assert_int_equal(rows_reserve(rows, 1, 1), EDB_OK);
    rows_add(rows, numbers[i], &place);
    if (dead[i]) {
        assert_int_equal(rows_reserve_kill(rows, numbers[i]), EDB_OK);
        assert_true(rows_kill(rows, numbers[i], &killed));
        assert_int_equal(killed.frame, place.frame);
    }
}

/* A section in use, without a file. */
static struct store_section *open_draft(struct store_section_draft *draft)
{
    struct frame_draft frame;
    struct store_section *section = memory_zeroed(1, sizeof *section);
    draft->descriptor.space = 1;
    assert_int_equal(store_section_draft_lay_out(draft, 12288, chain_seed, &frame, &section->entry),
                     EDB_OK);
    section->descriptor = draft->descriptor;
    section->body = draft->body;
    section->table = draft->table;
    section->chain_seed = chain_seed;
    section->verified = memory_zeroed(section_blocks(draft->descriptor.body_bytes) / 8 + 1, 1);
    atomic_store(&section->users, 1);
    assert_true(rows_section_valid(section));
    return section;
}

static void assert_place(const struct rows *rows, size_t i)
{
    struct row_place place;
    struct row_place expected = place_of(i);
    assert_int_equal(rows_place(rows, numbers[i], &place), EDB_OK);
    assert_int_equal(place.frame, expected.frame);
    assert_int_equal(place.index, expected.index);
}

/* Everything that is asked of a directory whose rows are numbers[0, count). Rows that are marked as
 * gone may have lost their places below `built`. */
static void assert_rows(const struct rows *rows, size_t count, uint64_t built)
{
    uint64_t end = numbers[count - 1] + 1;
    uint64_t row = 0;
    struct rows_word word = {0};
    size_t i = 0;
    for (; row < end; row = word.first + ROWS_WORD_ROWS) {
        assert_int_equal(rows_next_live(rows, row, end, &word), EDB_OK);
        for (uint64_t bits = word.bits; bits != 0; bits &= bits - 1) {
            while (dead[i])
                i++;
            assert_int_equal(word.first + (uint64_t)__builtin_ctzll(bits), numbers[i++]);
        }
    }
    while (i < count && dead[i])
        i++;
    assert_int_equal(i, count);
    for (i = 0; i < count; i++) {
        struct row_place place;
        if (!dead[i] || numbers[i] >= built)
            assert_place(rows, i);
        if (i + 1 < count && numbers[i] + 1 < numbers[i + 1]) {
            assert_int_equal(rows_place(rows, numbers[i] + 1, &place), EDB_NOT_FOUND);
            assert_int_equal(rows_place(rows, numbers[i + 1] - 1, &place), EDB_NOT_FOUND);
        }
    }
}

static void assert_live(const struct rows *rows, size_t count)
{
    struct rows_live live;
    assert_int_equal(rows_live_open(rows, 0, numbers[count - 1] + 1, &live), EDB_OK);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(rows_live_has(&live, numbers[i]), !dead[i]);
        if (i + 1 < count && numbers[i] + 1 < numbers[i + 1])
            assert_false(rows_live_has(&live, numbers[i] + 1));
    }
    rows_live_close(&live);
}

/* Builds the next section out of the tail, or (`whole`) one out of everything, and uses it. */
static void adopt_next(struct rows *rows, struct store_section_draft *draft, size_t count,
                       bool whole)
{
    uint64_t covered = numbers[count - 1] + 1;
    size_t from = whole ? 0 : rows->sections.count;
    struct store_section_list list;
    memset(draft, 0, sizeof *draft);
    assert_int_equal(rows_build(rows, from, covered, draft), EDB_OK);
    assert_int_equal(store_section_list_share(&rows->sections, &list), EDB_OK);
    while (list.count > from)
        store_section_close(list.items[--list.count]);
    struct store_section **grown = memory_resize(list.items, list.count + 1, sizeof *grown);
    assert_non_null(grown);
    list.items = grown;
    list.items[list.count++] = open_draft(draft);
    rows_adopt(rows, &list, covered);
}

static void test_gaps(void **state)
{
    (void)state;
    struct random_source random = {0x6a95};
    for (int round = 0; round < 4; round++) {
        struct rows rows = {0};
        struct rows kept;
        struct store_section_draft drafts[SECTIONS + 1];
        choose_rows(&random);
        size_t at = 0;
        uint64_t built = 0;
        for (int section = 0; section < SECTIONS; section++) {
            size_t stop = at + 1 + random_below(&random, ROWS_COUNT / (SECTIONS + 1));
            while (at < stop)
                add(&rows, at++);
            adopt_next(&rows, &drafts[section], at, false);
            built = numbers[at - 1] + 1;
        }
        while (at < ROWS_COUNT)
            add(&rows, at++);
        assert_rows(&rows, ROWS_COUNT, built);
        assert_live(&rows, ROWS_COUNT);
        assert_int_equal(rows_keep(&rows, &kept), EDB_OK);
        adopt_next(&rows, &drafts[SECTIONS], ROWS_COUNT - 1, true);
        assert_rows(&rows, ROWS_COUNT, numbers[ROWS_COUNT - 2] + 1);
        assert_live(&rows, ROWS_COUNT);
        for (size_t i = 0; i < ROWS_COUNT; i++)
            if (!dead[i])
                assert_place(&kept, i);
        rows_close(&kept);
        rows_close(&rows);
        for (int i = 0; i <= SECTIONS; i++)
            store_section_draft_close(&drafts[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_gaps)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
