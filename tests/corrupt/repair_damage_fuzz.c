/* edb_repair of a file with every bit flipped, every page zeroed, every length, and random damage.
 *
 * What must be in the new file is computed from the good file alone: where each record, its heap
 * part, its vector, its preamble and its header stand. A live record of which no byte was touched
 * is there, bit for bit, under its row; a row that is gone comes back only where the record that
 * killed it was touched; and nothing else is there. (31)
 *
 * EDB_SEED and EDB_CASES choose the run of random damage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "corrupt/frame_map.h"
#include "format/record.h"
#include "format/slot.h"
#include "os/os_sim.h"
#include "support/sample_cache.h"
#include "support/under_sanitizer.h"
#include "support/watch_case.h"
#include "unit/base/seeded_random.h"

/* Last: it makes a macro of the name fail. */
#include <cmocka.h>

enum {
    RECORDS_MAX = 512,
    FILE_BYTES_MAX_HERE = 1 << 20,
    RANDOM_CASES = UNDER_SANITIZER ? 300 : 6000,
    BIT_STEP = UNDER_SANITIZER ? 61 : 1,
    CASE_SECONDS = 20,
};

/* A PUT or DELETE of the good file, and which bytes speak of it. */
struct known {
    uint32_t space;
    uint8_t operation;
    uint64_t row;
    uint64_t prior_row;
    size_t frame; /* in the map */
    struct range {
        uint64_t from;
        uint64_t to;
    } entry, heap, vector, preamble, header;
    bool dead;     /* in the good file */
    size_t killer; /* the record that says so */
};

static struct {
    uint8_t *good;
    uint8_t *damaged;
    size_t count;
    struct frame_map map;
    struct known records[RECORDS_MAX];
    size_t record_count;
    struct range definitions[8]; /* of each space, its whole GROUP */
    bool in_catalog;             /* of the spaces: a catalog tells of them, too */
    uint64_t indexed_to;         /* the newest catalog */
} file;

static const char *const damaged_name = "damaged.edb";
static const char *const saved_name = "saved.edb";

/* ------------------------------------------------------------------------------- the good file */

static void add_record(size_t frame, const struct group *group, uint32_t index)
{
    const struct frame_header *header = &file.map.frames[frame];
    const uint8_t *bytes = file.good + header->offset;
    struct record record;
    assert_int_equal(record_decode(bytes, group, index, &record), EDB_OK);
    if (record.operation == RECORD_SPACE) {
        file.definitions[group->space] = (struct range){header->offset, frame_end(header)};
        return;
    }
    assert_true(file.record_count < RECORDS_MAX);
    struct known *known = &file.records[file.record_count++];
    uint64_t entry = header->offset + group->entries_offset + (uint64_t)index * RECORD_BYTES;
    uint64_t heap = header->offset + group->heap_offset + record.heap_offset;
    uint64_t vector = header->offset + record.vector_offset;
    *known = (struct known){
        .space = group->space,
        .operation = record.operation,
        .row = record.row,
        .prior_row = record.prior_row,
        .frame = frame,
        .entry = {entry, entry + RECORD_BYTES},
        .heap = {heap, heap + record_heap_bytes(&record)},
        .vector = {vector, vector + record.vector_bytes},
        .preamble = {header->offset + FRAME_HEADER_BYTES,
                     header->offset + FRAME_HEADER_BYTES + GROUP_PREAMBLE_BYTES},
        .header = {header->offset, header->offset + FRAME_HEADER_BYTES},
    };
}

static struct known *find_put(uint32_t space, uint64_t row)
{
    for (size_t i = 0; i < file.record_count; i++)
        if (file.records[i].operation == RECORD_PUT && file.records[i].space == space &&
            file.records[i].row == row)
            return &file.records[i];
    return NULL;
}

static void note_deaths(void)
{
    for (size_t i = 0; i < file.record_count; i++) {
        const struct known *known = &file.records[i];
        uint64_t victim = known->operation == RECORD_PUT ? known->prior_row : known->row;
        struct known *put = victim == ROW_NONE ? NULL : find_put(known->space, victim);
        if (put == NULL)
            continue;
        put->dead = true;
        put->killer = i;
    }
}

static void begin_file(const uint8_t *bytes, size_t count)
{
    memset(&file, 0, sizeof file);
    file.good = malloc(count);
    file.damaged = malloc(count);
    assert_true(file.good != NULL && file.damaged != NULL);
    memcpy(file.good, bytes, count);
    file.count = count;
    assert_true(frame_map_make(file.good, count, &file.map));
    for (size_t i = 0; i < file.map.count; i++) {
        const struct frame_header *header = &file.map.frames[i];
        struct group group;
        file.in_catalog = file.in_catalog || header->type == FRAME_CATALOG;
        file.indexed_to = header->type == FRAME_CATALOG ? header->offset : file.indexed_to;
        if (header->type != FRAME_GROUP)
            continue;
        assert_int_equal(group_decode(file.good + header->offset + FRAME_HEADER_BYTES,
                                      header->payload_bytes, header->frame_bytes, &group),
                         EDB_OK);
        for (uint32_t r = 0; r < group.count; r++)
            add_record(i, &group, r);
    }
    note_deaths();
}

static void end_file(void)
{
    free(file.good);
    free(file.damaged);
}

/* --------------------------------------------------------------------------- what must be there */

/* What was done to the file. */
struct damage {
    size_t cut_to;                     /* bytes that are left */
    bool single;                       /* one bit: a preamble is mended */
    uint64_t indexed;                  /* of groups before it the index tells */
    uint64_t first;                    /* byte that differs */
    uint64_t end;                      /* of the data, as far as can be proven */
    uint8_t mask[FILE_BYTES_MAX_HERE]; /* of bytes that differ, 1 each */
};

static struct damage damage;

static bool touched(const struct range *range)
{
    if (range->to > damage.cut_to)
        return true;
    for (uint64_t at = range->from; at < range->to; at++)
        if (damage.mask[at])
            return true;
    return false;
}

/* Whether something that is left shows that the byte at `offset` was on the device. */
static bool is_proven(uint64_t offset)
{
    for (int i = 0; i < 2; i++) {
        const struct range range = {SLOT_OFFSET(i), SLOT_OFFSET(i) + SLOT_BYTES};
        struct slot slot;
        if (!touched(&range) &&
            slot_decode(file.good + SLOT_OFFSET(i), file.map.genesis.uuid, &slot) &&
            slot.synced.position > offset)
            return true;
    }
    for (size_t i = 0; i < file.map.count; i++) {
        const struct frame_header *header = &file.map.frames[i];
        const struct range range = {header->offset, header->offset + FRAME_HEADER_BYTES};
        if (!touched(&range) && header->synced_to > offset)
            return true;
    }
    return false;
}

/* Where the data ends: at a frame that is lost, and of which nothing shows that it was there. */
static uint64_t find_end(void)
{
    for (size_t i = 0; i < file.map.count; i++) {
        uint64_t offset = file.map.frames[i].offset;
        const struct range range = {offset, offset + FRAME_HEADER_BYTES};
        if (touched(&range) && !is_proven(offset))
            return offset;
    }
    return file.map.end;
}

static bool frame_touched(const struct known *known)
{
    bool told = damage.single || known->header.from < damage.indexed;
    return known->header.from >= damage.end || (!told && touched(&known->preamble));
}

static bool space_touched(uint32_t space)
{
    return file.definitions[space].from >= damage.end || touched(&file.definitions[space]);
}

static bool must_be_kept(const struct known *known)
{
    return known->operation == RECORD_PUT && !known->dead && !space_touched(known->space) &&
           !frame_touched(known) && !touched(&known->entry) && !touched(&known->heap) &&
           !touched(&known->vector);
}

static bool may_be_kept(const struct known *known)
{
    if (!known->dead)
        return true;
    const struct known *killer = &file.records[known->killer];
    return frame_touched(killer) || touched(&killer->entry) || touched(&killer->heap);
}

static bool same_content(const struct known *known, const edb_view *view)
{
    const uint8_t *heap = file.good + known->heap.from;
    size_t heap_bytes = (size_t)(known->heap.to - known->heap.from);
    size_t text_bytes = view->has_text ? view->text_bytes + 1 : 0;
    return view->vector_bytes == known->vector.to - known->vector.from &&
           memcmp(view->vector, file.good + known->vector.from, view->vector_bytes) == 0 &&
           view->key_bytes + text_bytes + view->metadata_bytes == heap_bytes &&
           memcmp(view->key, heap, view->key_bytes) == 0 &&
           (!view->has_text || memcmp(view->text, heap + view->key_bytes, text_bytes) == 0) &&
           (view->metadata_bytes == 0 ||
            memcmp(view->metadata, heap + view->key_bytes + text_bytes, view->metadata_bytes) == 0);
}

/* -------------------------------------------------------------------------------------- judging */

static uint32_t space_id(const char *name)
{
    static const char *const names[] = {"", "one", "two"};
    for (uint32_t id = 1; id < 3; id++)
        if (strcmp(name, names[id]) == 0)
            return id;
    for (uint32_t id = 0; id < SAMPLE_SPACES; id++)
        if (strcmp(name, sample_space_names[id]) == 0)
            return id + 1;
    fail_msg("a space '%s'", name);
    return 0;
}

static void judge_space(edb_space *space, uint8_t seen[RECORDS_MAX])
{
    edb_space_spec spec = EDB_SPACE_SPEC_INIT;
    edb_iterator *iterator;
    edb_view view;
    edb_status status;
    assert_int_equal(edb_space_describe(space, &spec), EDB_OK);
    uint32_t id = space_id(spec.name);
    assert_int_equal(edb_iterate(space, &iterator), EDB_OK);
    while ((status = edb_next(iterator, &view)) == EDB_OK) {
        const struct known *known = find_put(id, view.row);
        if (known == NULL || !may_be_kept(known) || !same_content(known, &view))
            fail_msg(
                "space %u: row %llu must not be there, or not like this; damage from %llu (%s)", id,
                (unsigned long long)view.row, (unsigned long long)damage.first,
                frame_map_part_name(frame_map_part(&file.map, damage.first)));
        seen[known - file.records] = 1;
        edb_view_release(&view);
    }
    assert_int_equal(status, EDB_NOT_FOUND);
    edb_iterator_close(iterator);
}

static void judge_saved(void)
{
    edb_open_options options = EDB_OPEN_OPTIONS_INIT;
    uint8_t seen[RECORDS_MAX] = {0};
    edb *db;
    edb_space *space;
    options.flags = EDB_OPEN_READ_ONLY;
    assert_int_equal(edb_open(saved_name, &options, &db), EDB_OK);
    for (size_t i = 0; edb_space_at(db, i, &space) == EDB_OK; i++)
        judge_space(space, seen);
    if (edb_verify(db, NULL, NULL, NULL) != EDB_OK)
        fail_msg("the new file: %s", edb_error_detail());
    for (size_t i = 0; i < file.record_count; i++)
        if (must_be_kept(&file.records[i]) && !seen[i])
            fail_msg(
                "space %u: row %llu was not touched and is gone; damage from %llu (%s), cut %zu",
                file.records[i].space, (unsigned long long)file.records[i].row,
                (unsigned long long)damage.first,
                frame_map_part_name(frame_map_part(&file.map, damage.first)), damage.cut_to);
    assert_int_equal(edb_close(db), EDB_OK);
}

/* The identity in all three places is what nothing can do without. */
static bool identity_lost(void)
{
    const struct range places[] = {{SLOT_OFFSET(0), SLOT_OFFSET(0) + 256},
                                   {SLOT_OFFSET(1), SLOT_OFFSET(1) + 256},
                                   {GENESIS_OFFSET, GENESIS_OFFSET + GENESIS_BYTES}};
    return touched(&places[0]) && touched(&places[1]) && touched(&places[2]);
}

static edb_repair_report repair(void)
{
    edb_repair_report report = {.struct_size = sizeof report};
    damage.end = find_end();
    os_sim_begin(7);
    os_sim_record(false);
    os_sim_load(damaged_name, file.damaged, damage.cut_to);
    edb_status status = edb_repair(damaged_name, saved_name, NULL, &report);
    uint64_t count = 0;
    const uint8_t *left = os_sim_file(damaged_name, &count);
    assert_true(count == damage.cut_to && memcmp(left, file.damaged, count) == 0);
    assert_int_equal(os_sim_open_files(), 0);
    if (status != EDB_OK) {
        assert_int_equal(os_sim_named_files(), 1);
        if (!identity_lost())
            fail_msg("%s: %s", edb_status_name(status), edb_error_detail());
        return report;
    }
    assert_int_equal(os_sim_named_files(), 2);
    judge_saved();
    return report;
}

static void begin_damage(void)
{
    assert_true(file.count <= sizeof damage.mask);
    memcpy(file.damaged, file.good, file.count);
    memset(damage.mask, 0, file.count);
    damage.single = false;
    damage.indexed = 0;
    damage.first = file.count;
    damage.cut_to = file.count;
}

static void change_byte(uint64_t at, uint8_t byte)
{
    damage.mask[at] |= file.damaged[at] != byte;
    damage.first = at < damage.first ? at : damage.first;
    file.damaged[at] = byte;
}

static uint64_t used_bytes(void)
{
    return file.map.end;
}

/* ------------------------------------------------------------------------------------ the cases */

static void test_a_good_file(void **state)
{
    (void)state;
    begin_damage();
    edb_repair_report report = repair();
    assert_int_equal(report.ranges, 0);
    assert_int_equal(report.lost, 0);
    assert_int_equal(report.uncertain, 0);
    assert_int_equal(report.frames, file.map.count);
}

static void test_every_bit(void **state)
{
    (void)state;
    watch_case_begin("repair_damage_fuzz", CASE_SECONDS);
    for (uint64_t bit = 0; bit < used_bytes() * 8; bit += BIT_STEP) {
        uint64_t at = bit / 8;
        if (file.good[at] == 0 && frame_map_part(&file.map, at) == PART_UNUSED)
            continue;
        watch_case("bit", bit, 0);
        begin_damage();
        damage.single = true;
        change_byte(at, file.damaged[at] ^ (uint8_t)(1u << bit % 8));
        (void)repair();
    }
    watch_case_end();
}

static void test_every_length(void **state)
{
    (void)state;
    watch_case_begin("repair_damage_fuzz", CASE_SECONDS);
    for (size_t length = 0; length < file.count; length += UNDER_SANITIZER ? 97 : 7) {
        watch_case("length", length, 0);
        begin_damage();
        damage.cut_to = length;
        (void)repair();
    }
    watch_case_end();
}

static void zero(uint64_t from, uint64_t bytes)
{
    for (uint64_t at = from; at < from + bytes && at < file.count; at++)
        change_byte(at, 0);
}

static void test_every_zeroed_sector_and_page(void **state)
{
    (void)state;
    watch_case_begin("repair_damage_fuzz", CASE_SECONDS);
    for (uint64_t bytes = 64; bytes <= 65536; bytes *= 2)
        for (uint64_t from = 0; from < file.count; from += bytes) {
            watch_case("zeroes", from, bytes);
            begin_damage();
            zero(from, bytes);
            (void)repair();
        }
    watch_case_end();
}

/* A group whose header is lost is found by its preamble, wherever it stands in the gap. */
static void test_neighbouring_headers(void **state)
{
    (void)state;
    for (size_t run = 2; run <= 5; run++)
        for (size_t first = 0; first + run <= file.map.count; first++) {
            begin_damage();
            for (size_t i = first; i < first + run; i++)
                change_byte(file.map.frames[i].offset + 8 * i % FRAME_HEADER_BYTES, 0xa5);
            (void)repair();
        }
}

/* Where the preambles are lost, too, the index leads to what is behind them. */
static void test_neighbouring_headers_and_preambles(void **state)
{
    (void)state;
    const size_t bytes = FRAME_HEADER_BYTES + GROUP_PREAMBLE_BYTES;
    for (size_t run = 1; run <= 4; run++)
        for (size_t first = 0; first + run <= file.map.count; first++) {
            bool groups = true;
            begin_damage();
            for (size_t i = first; i < first + run; i++) {
                const struct frame_header *header = &file.map.frames[i];
                groups = groups && header->type == FRAME_GROUP;
                zero(header->offset, header->type == FRAME_GROUP ? bytes : 0);
            }
            damage.indexed = file.indexed_to;
            if (groups)
                (void)repair();
        }
}

static void test_random_damage(void **state)
{
    (void)state;
    const char *given = getenv("EDB_CASES");
    size_t cases = given != NULL ? strtoul(given, NULL, 10) : RANDOM_CASES;
    uint64_t seed = seeded_random("repair_damage_fuzz").state;
    watch_case_begin("repair_damage_fuzz", CASE_SECONDS);
    for (size_t i = 0; i < cases; i++, seed++) {
        struct random_source random = {seed};
        watch_case("EDB_CASES=1 EDB_SEED", seed, i);
        begin_damage();
        for (uint64_t hits = 1 + random_below(&random, 4); hits > 0; hits--) {
            uint64_t from = random_below(&random, used_bytes());
            uint64_t bytes = 1 + random_below(&random, 300);
            for (uint64_t at = from; at < from + bytes && at < used_bytes(); at++)
                change_byte(at, (uint8_t)random_u64(&random));
        }
        (void)repair();
    }
    watch_case_end();
}

/* ------------------------------------------------------------------------------------ the files */

static void put(edb_space *space, const char *key, int version)
{
    edb_put_options options = EDB_PUT_OPTIONS_INIT;
    char text[32];
    float vector[4] = {(float)version, 1, 2, (float)key[0]};
    snprintf(text, sizeof text, "text %s %d", key, version);
    options.text = text;
    options.metadata_json = version % 2 ? "{\"n\":1}" : NULL;
    assert_int_equal(edb_put(space, key, strlen(key), vector, &options), EDB_OK);
}

static edb_space *open_space(edb *db, const char *name)
{
    edb_space_spec spec = EDB_SPACE_SPEC_INIT;
    edb_space *space;
    spec.name = name;
    spec.dims = 4;
    assert_int_equal(edb_space_open(db, &spec, &space), EDB_OK);
    return space;
}

static void put_both(edb *db, edb_space *one, edb_space *two)
{
    edb_txn *txn;
    const float vector[4] = {5, 6, 7, 8};
    assert_int_equal(edb_begin(db, &txn), EDB_OK);
    assert_int_equal(edb_txn_put(txn, one, "t1", 2, vector, NULL), EDB_OK);
    assert_int_equal(edb_txn_put(txn, two, "t2", 2, vector, NULL), EDB_OK);
    assert_int_equal(edb_txn_put(txn, one, "a", 1, vector, NULL), EDB_OK);
    assert_int_equal(edb_txn_delete(txn, two, "c", 1), EDB_OK);
    assert_int_equal(edb_commit(txn, EDB_DURABLE), EDB_OK);
}

/* Two spaces, some kilobytes: transactions over both, overwritten and deleted rows, rows in one
 * group. No catalog: it is too small for one. */
static int begin_small(void **state)
{
    edb *db;
    uint64_t count;
    (void)state;
    os_use(&os_sim);
    os_sim_begin(3);
    os_sim_record(false);
    assert_int_equal(edb_open("small.edb", NULL, &db), EDB_OK);
    edb_space *one = open_space(db, "one");
    edb_space *two = open_space(db, "two");
    put(one, "a", 1);
    put(one, "b", 1);
    put(two, "c", 1);
    const edb_key keys[] = {{"m1", 2}, {"m2", 2}, {"m3", 2}, {"b", 1}};
    const float vectors[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5, 6, 7};
    assert_int_equal(edb_put_many(two, keys, 4, vectors, NULL, NULL), EDB_OK);
    put_both(db, one, two);
    put(one, "b", 2);
    assert_int_equal(edb_delete(two, "m2", 2), EDB_OK);
    put(two, "d", 1);
    put(one, "e", 1);
    assert_int_equal(edb_close(db), EDB_OK);
    const uint8_t *bytes = os_sim_file("small.edb", &count);
    begin_file(bytes, (size_t)count);
    assert_false(file.in_catalog);
    return 0;
}

static int begin_sample(void **state)
{
    struct sample_cache sample;
    (void)state;
    if (!sample_cache_write(&sample))
        return -1;
    os_use(&os_sim);
    begin_file(sample.bytes, sample.count);
    sample_cache_free(&sample);
    return file.in_catalog ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    end_file();
    os_sim_end();
    os_use(&os_posix);
    return 0;
}

int main(void)
{
    const struct CMUnitTest small[] = {
        cmocka_unit_test(test_a_good_file),
        cmocka_unit_test(test_every_bit),
        cmocka_unit_test(test_every_length),
        cmocka_unit_test(test_every_zeroed_sector_and_page),
        cmocka_unit_test(test_neighbouring_headers),
        cmocka_unit_test(test_neighbouring_headers_and_preambles),
        cmocka_unit_test(test_random_damage),
    };
    const struct CMUnitTest large[] = {
        cmocka_unit_test(test_a_good_file),
        cmocka_unit_test(test_every_zeroed_sector_and_page),
        cmocka_unit_test(test_neighbouring_headers),
        cmocka_unit_test(test_neighbouring_headers_and_preambles),
        cmocka_unit_test(test_random_damage),
    };
    int failed = cmocka_run_group_tests(small, begin_small, end);
    return failed + cmocka_run_group_tests(large, begin_sample, end);
}
