/* A key index section that is built in parts finds the same rows as one that is built at once: out
 * of several sections and the tail, with hashes spread evenly, and with so many alike that they
 * spill over the end of parts, and from the last bucket to the first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "keys/keys.h"

/* Last: it makes a macro of the name fail. */
#include <cmocka.h>

enum {
    ROWS = 20000,
    SECTIONS = 3,
    ALIKE = 600,     /* hashes of one tag: more than a part has room for */
    AT_THE_END = 60, /* and of the last tag: more than the last buckets have */
    PART_BYTES = 4096,
};
static const uint64_t chain_seed = 0x5eed;

static uint64_t hashes[ROWS];
static struct store_section_draft drafts[SECTIONS];

static void choose_hashes(struct random_source *random, bool alike)
{
    for (size_t row = 0; row < ROWS; row++)
        hashes[row] = random_u64(random);
    for (size_t i = 0; i < ALIKE && alike; i++)
        hashes[random_below(random, ROWS)] = (0x80000000ull << 32) + i;
    for (size_t i = 0; i < AT_THE_END && alike; i++)
        hashes[random_below(random, ROWS)] = UINT64_MAX - i;
}

/* Two in three rows are live. */
static bool is_live(void *arg, uint64_t row)
{
    (void)arg;
    return row % 3 != 1;
}

static bool is_any(void *arg, uint64_t row)
{
    (void)arg;
    (void)row;
    return true;
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
    assert_true(keys_section_valid(section));
    return section;
}

/* Rows in three sections and the tail, those that are gone among them. */
static void fill(struct keys *keys)
{
    struct store_section_list list = {memory_zeroed(SECTIONS, sizeof *list.items), 0};
    uint64_t row = 0;
    for (int s = 0; s < SECTIONS; s++) {
        struct keys tail = {0};
        uint64_t first = row;
        for (; row < first + ROWS / (SECTIONS + 1); row++) {
            assert_int_equal(keys_reserve(&tail, 1), EDB_OK);
            keys_insert(&tail, hashes[row], row, ROW_NONE);
        }
        drafts[s] = (struct store_section_draft){.descriptor = {.first = first, .last = row}};
        assert_int_equal(keys_build(&tail, 0, &drafts[s], is_any, NULL), EDB_OK);
        list.items[list.count++] = open_draft(&drafts[s]);
        keys_close(&tail);
    }
    keys_adopt(keys, &list, row);
    for (; row < ROWS; row++) {
        assert_int_equal(keys_reserve(keys, 1), EDB_OK);
        keys_insert(keys, hashes[row], row, ROW_NONE);
    }
}

static void close_all(struct keys *keys)
{
    keys_close(keys);
    for (int s = 0; s < SECTIONS; s++)
        store_section_draft_close(&drafts[s]);
}

static uint64_t live_rows(void)
{
    uint64_t live = 0;
    for (uint64_t row = 0; row < ROWS; row++)
        live += is_live(NULL, row);
    return live;
}

static struct keys_builder builder_of(const struct keys *keys)
{
    return (struct keys_builder){.keys = keys, .last = ROWS, .keep = is_live};
}

/* Parts come in any order, each once, and make up the whole body. */
static void build_in_parts(const struct keys *keys, size_t part_bytes,
                           struct store_section_draft *draft)
{
    struct keys_builder builder = builder_of(keys);
    assert_int_equal(keys_builder_open(&builder, live_rows(), part_bytes), EDB_OK);
    uint8_t *body = memory_aligned((size_t)builder.body_bytes);
    uint64_t bytes = 0;
    int parts = 0;
    while (!keys_builder_is_done(&builder)) {
        struct keys_part part;
        edb_status status = keys_builder_next(&builder, &part);
        if (status != EDB_OK)
            fail_msg("%s", edb_error_detail());
        assert_true(part.at + part.count <= builder.body_bytes);
        if (part.count > 0)
            memcpy(body + part.at, part.bytes, part.count);
        bytes += part.count;
        parts += part.count > 0;
    }
    assert_int_equal(bytes, builder.body_bytes);
    assert_true(part_bytes == SIZE_MAX ? parts == 1 : parts > 30);
    *draft = (struct store_section_draft){.body = body};
    keys_builder_describe(&builder, &draft->descriptor);
    keys_builder_close(&builder);
}

/* Every live row is found once by its hash, and no other row is there. */
static void check_section(struct store_section_draft *draft)
{
    struct keys found = {0};
    struct store_section *section = open_draft(draft);
    found.sections = (struct store_section_list){memory_zeroed(1, sizeof section), 1};
    found.sections.items[0] = section;
    for (uint64_t row = 0; row < ROWS; row++) {
        struct keys_probe probe;
        uint64_t candidate;
        int times = 0;
        keys_probe_begin(&found, hashes[row], &probe);
        while (keys_probe_next(&found, &probe, &candidate) == EDB_OK) {
            assert_true(is_live(NULL, candidate) && candidate < ROWS);
            assert_int_equal(hashes[candidate] >> 32, hashes[row] >> 32);
            times += candidate == row;
        }
        assert_int_equal(times, is_live(NULL, row) ? 1 : 0);
    }
    keys_close(&found);
    store_section_draft_close(draft);
}

static void test_parts_find_what_the_whole_finds(void **state)
{
    struct random_source random = {0x9a7};
    (void)state;
    for (int alike = 0; alike < 2; alike++) {
        struct keys keys = {0};
        struct store_section_draft draft = {.descriptor = {.last = ROWS}};
        choose_hashes(&random, alike);
        fill(&keys);
        assert_int_equal(keys_build(&keys, 0, &draft, is_live, NULL), EDB_OK);
        check_section(&draft);
        build_in_parts(&keys, SIZE_MAX, &draft);
        check_section(&draft);
        build_in_parts(&keys, PART_BYTES, &draft);
        check_section(&draft);
        close_all(&keys);
    }
}

/* An index that names more rows, or fewer, than are live is found out, and nothing is written past
 * the body. */
static void test_another_number_of_entries(void **state)
{
    struct random_source random = {0x9a8};
    struct keys keys = {0};
    (void)state;
    choose_hashes(&random, false);
    fill(&keys);
    for (int more = -1; more <= 1; more += 2) {
        struct keys_builder builder = builder_of(&keys);
        struct keys_part part;
        edb_status status = keys_builder_open(&builder, live_rows() + (uint64_t)more, PART_BYTES);
        while (status == EDB_OK && !keys_builder_is_done(&builder))
            status = keys_builder_next(&builder, &part);
        assert_int_equal(status, EDB_CORRUPT);
        keys_builder_close(&builder);
    }
    close_all(&keys);
}

static void flip_checksum(uint64_t block)
{
    drafts[0].table[8 * block] ^= 1;
}

/* A part that meets a damaged block is built again when it is mended. */
static void test_a_part_is_taken_again(void **state)
{
    struct random_source random = {0x9a9};
    struct keys keys = {0};
    struct keys_part part;
    int damaged = 0;
    (void)state;
    choose_hashes(&random, true);
    fill(&keys);
    uint64_t block = section_blocks(drafts[0].descriptor.body_bytes) / 2;
    struct keys_builder builder = builder_of(&keys);
    assert_int_equal(keys_builder_open(&builder, live_rows(), PART_BYTES), EDB_OK);
    struct store_section_draft draft = {.body = memory_aligned((size_t)builder.body_bytes)};
    while (!keys_builder_is_done(&builder)) {
        flip_checksum(block);
        edb_status status = keys_builder_next(&builder, &part);
        flip_checksum(block);
        if (status == EDB_CORRUPT) {
            damaged++;
            status = keys_builder_next(&builder, &part);
        }
        assert_int_equal(status, EDB_OK);
        if (part.count > 0)
            memcpy(draft.body + part.at, part.bytes, part.count);
    }
    assert_true(damaged > 0);
    keys_builder_describe(&builder, &draft.descriptor);
    keys_builder_close(&builder);
    check_section(&draft);
    close_all(&keys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts_find_what_the_whole_finds),
        cmocka_unit_test(test_another_number_of_entries),
        cmocka_unit_test(test_a_part_is_taken_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
