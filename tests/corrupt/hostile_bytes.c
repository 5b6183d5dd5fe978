/* Files made to do harm: lengths, offsets, counts, rows, ranges and links take extreme values and
 * all checksums are right. The library may answer what it likes, but it does not crash, hang, look
 * past the end of the file or ask for memory out of proportion, and what it hands out can be read
 * to its last byte (27, 28, 29).
 *
 * EDB_SEED and EDB_CASES choose the run; a case is repeated by EDB_SEED=<its seed> EDB_CASES=1. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "corrupt/frame_map.h"
#include "corrupt/repair_file.h"
#include "format/record.h"
#include "format/section.h"
#include "format/spec.h"
#include "os/os_sim.h"
#include "support/bound_memory.h"
#include "support/memory_file.h"
#include "support/sample_cache.h"
#include "support/under_sanitizer.h"
#include "support/watch_case.h"
#include "unit/base/seeded_random.h"

/* Last: it makes a macro of the name fail. */
#include <cmocka.h>

enum {
    CASES = UNDER_SANITIZER ? 3000 : 40000,
    WRITE_EVERY = 8, /* one case in so many is also opened for writing, repaired, merged */
    CASE_SECONDS = 60,
    CASE_MS_MAX = UNDER_SANITIZER ? 4000 : 1000,
    RECORDS_MAX = 1 << 22, /* more than rows could be named in a file of this size */
};

static const size_t memory_max = 256u << 20; /* beyond what the process has */

static struct sample_cache sample;
static struct frame_map map;
static float vector_room[EDB_DIMS_MAX];
static volatile unsigned eaten; /* so that reading what was handed out is not left away */

struct tally {
    size_t opened;
    size_t records;
    size_t failures;
    uint64_t seed; /* of the case */
};

static void failure(struct tally *tally, const char *reason, edb_status status)
{
    if (tally->failures++ < 10)
        fprintf(stderr, "EDB_SEED=%llu EDB_CASES=1: %s: %s: %s\n", (unsigned long long)tally->seed,
                reason, edb_status_name(status), edb_error_detail());
}

/* ------------------------------------------------------------------------------------- mutating */

static uint64_t any_value(struct random_source *random, uint64_t old)
{
    static const uint64_t extremes[] = {0,
                                        1,
                                        2,
                                        127,
                                        128,
                                        255,
                                        256,
                                        4095,
                                        4096,
                                        65535,
                                        65536,
                                        0x7fffffff,
                                        0x80000000,
                                        0xfffffffe,
                                        UINT32_MAX,
                                        1ull << 32,
                                        1ull << 46,
                                        ROWS_MAX,
                                        ROWS_MAX - 1,
                                        INT64_MAX,
                                        UINT64_MAX - 1,
                                        UINT64_MAX,
                                        UINT64_MAX - 63,
                                        (uint64_t)1 << 63};
    switch (random_below(random, 6)) {
    case 0:
        return extremes[random_below(random, sizeof extremes / sizeof extremes[0])];
    case 1:
        return old + 1 + random_below(random, 3);
    case 2:
        return old - 1 - random_below(random, 3);
    case 3:
        return old ^ 1ull << random_below(random, 64);
    case 4:
        return random_below(random, sample.count) / 64 * 64;
    default:
        return random_u64(random) >> random_below(random, 64);
    }
}

/* Changes one little-endian number of 1, 2, 4 or 8 bytes in [at, at + bytes). */
static void change_number(struct random_source *random, uint8_t *at, size_t bytes)
{
    static const size_t widths[] = {1, 2, 4, 4, 4, 8, 8, 8};
    size_t width = widths[random_below(random, 8)];
    if (bytes < width)
        return;
    uint8_t *number = at + random_below(random, bytes / width) * width;
    uint8_t raw[8] = {0};
    memcpy(raw, number, width);
    store_u64(raw, any_value(random, load_u64(raw)));
    memcpy(number, raw, width);
}

/* A frame of one type, drawn; the type is in the sample. */
static size_t draw_frame(struct random_source *random, uint8_t type)
{
    size_t index;
    do
        index = (size_t)random_below(random, map.count);
    while (map.frames[index].type != type);
    return index;
}

static uint8_t *payload_of(struct hostile_file *file, size_t index)
{
    file->touched[index] = true;
    return file->bytes + map.frames[index].offset + FRAME_HEADER_BYTES;
}

static void change_group(struct random_source *random, struct hostile_file *file)
{
    size_t index = draw_frame(random, FRAME_GROUP);
    uint8_t *payload = payload_of(file, index);
    uint64_t payload_bytes = map.frames[index].payload_bytes;
    uint32_t count = load_u32(payload + 4);
    uint64_t draw = random_below(random, 8);
    if (draw == 0)
        change_number(random, payload, GROUP_PREAMBLE_BYTES);
    else if (draw == 1)
        change_number(random, payload, (size_t)payload_bytes);
    else if (count > 0 && count < 64)
        change_number(random,
                      payload + GROUP_PREAMBLE_BYTES + random_below(random, count) * RECORD_BYTES,
                      RECORD_BYTES);
}

/* A group with gaps, or one that leaves any number of rows out, or moves the next number on. */
static void change_gaps(struct random_source *random, struct hostile_file *file)
{
    size_t index = draw_frame(random, FRAME_GROUP);
    uint8_t *payload = payload_of(file, index);
    uint32_t count = load_u32(payload + 4);
    if (count == 0 || count >= 64)
        return;
    uint8_t *entry = payload + GROUP_PREAMBLE_BYTES + random_below(random, count) * RECORD_BYTES;
    file->frames[index].flags |= FRAME_GAPS;
    store_u64(entry + 16, any_value(random, load_u64(entry + 16)));
    if (random_below(random, 3) == 0)
        entry[0] = RECORD_ADVANCE;
}

/* Where the body stands in a section's payload, if that is inside of the frame. */
static size_t body_at(const uint8_t *payload, uint64_t inside)
{
    uint64_t at = load_u32(payload + 48);
    return at >= FRAME_HEADER_BYTES && at - FRAME_HEADER_BYTES + 64 <= inside
               ? (size_t)at - FRAME_HEADER_BYTES
               : SECTION_DESCRIPTOR_BYTES;
}

static void change_section(struct random_source *random, struct hostile_file *file)
{
    size_t index = draw_frame(random, FRAME_SECTION);
    uint8_t *payload = payload_of(file, index);
    uint64_t inside = map.frames[index].frame_bytes - FRAME_HEADER_BYTES;
    uint64_t draw = random_below(random, 9);
    if (draw == 0)
        change_number(random, payload, SECTION_DESCRIPTOR_BYTES);
    else if (draw == 8) /* groups and words */
        change_number(random, payload + 52, 12);
    else if (draw == 1) /* the head of the body */
        change_number(random, payload + body_at(payload, inside), 64);
    else
        change_number(random, payload + SECTION_DESCRIPTOR_BYTES,
                      (size_t)inside - SECTION_DESCRIPTOR_BYTES);
}

enum { CATALOG_HEAD = 128, CATALOG_SPACE = 160 + SPEC_BYTES_MAX, CATALOG_SECTION = 56 };

/* The section of a space's catalog that the entries begin at. */
static uint8_t *catalog_entries(uint8_t *payload)
{
    return payload + CATALOG_HEAD + (size_t)load_u32(payload + 4) * CATALOG_SPACE;
}

/* An entry comes twice, or two change places. */
static void change_entries(struct random_source *random, uint8_t *payload)
{
    uint8_t kept[CATALOG_SECTION];
    uint32_t count = load_u32(payload + 8);
    uint8_t *entries = catalog_entries(payload);
    if (count == 0 || count > 64 || load_u32(payload + 4) > 8)
        return;
    uint8_t *a = entries + random_below(random, count) * CATALOG_SECTION;
    uint8_t *b = entries + random_below(random, count) * CATALOG_SECTION;
    memcpy(kept, a, sizeof kept);
    memmove(a, b, sizeof kept);
    if (random_below(random, 2) == 0)
        memcpy(b, kept, sizeof kept);
}

static void change_catalog(struct random_source *random, struct hostile_file *file)
{
    size_t index = draw_frame(random, FRAME_CATALOG);
    uint8_t *payload = payload_of(file, index);
    uint32_t spaces = load_u32(payload + 4);
    uint32_t sections = load_u32(payload + 8);
    uint64_t draw = random_below(random, 5);
    file->keep_chain = random_below(random, 8) == 0;
    if (draw == 0)
        change_number(random, payload, CATALOG_HEAD);
    else if (draw == 1 && spaces > 0 && spaces < 8)
        change_number(random, payload + CATALOG_HEAD + random_below(random, spaces) * CATALOG_SPACE,
                      64);
    else if (draw == 2)
        change_entries(random, payload);
    else if (spaces < 8 && sections > 0 && sections < 64)
        change_number(random,
                      catalog_entries(payload) + random_below(random, sections) * CATALOG_SECTION,
                      CATALOG_SECTION);
}

/* A section grows or shrinks in its descriptor and in every catalog alike, so that it is still the
 * one that the catalog means. */
static void change_range(struct random_source *random, struct hostile_file *file)
{
    size_t index = draw_frame(random, FRAME_SECTION);
    uint8_t *payload = payload_of(file, index);
    size_t field = 8 * (1 + (size_t)random_below(random, 2)); /* first, last */
    uint64_t value = any_value(random, load_u64(payload + field));
    store_u64(payload + field, value);
    for (size_t i = 0; i < map.count; i++) {
        if (map.frames[i].type != FRAME_CATALOG)
            continue;
        uint8_t *catalog = payload_of(file, i);
        uint8_t *entries = catalog_entries(catalog);
        for (uint32_t e = 0; load_u32(catalog + 4) < 8 && e < load_u32(catalog + 8) && e < 64;
             e++, entries += CATALOG_SECTION)
            if (load_u64(entries + 24) == map.frames[index].offset)
                store_u64(entries + field, value);
    }
}

static void change_header(struct random_source *random, struct hostile_file *file)
{
    struct frame_header *header = &file->frames[random_below(random, map.count)];
    switch (random_below(random, 7)) {
    case 0:
        header->type = (uint8_t)any_value(random, header->type);
        break;
    case 1:
        header->flags = (uint16_t)any_value(random, header->flags);
        break;
    case 2:
        header->frame_bytes = any_value(random, header->frame_bytes) / 64 * 64;
        break;
    case 3:
        header->sequence = any_value(random, header->sequence);
        break;
    case 4:
        header->synced_to = any_value(random, header->synced_to);
        break;
    case 5:
        header->payload_bytes = any_value(random, header->payload_bytes);
        break;
    default:
        header->epoch = any_value(random, header->epoch);
    }
}

static void change_slot(struct random_source *random, struct hostile_file *file)
{
    struct slot *slot = &file->slots[random_below(random, 2)];
    struct anchor *anchor = random_below(random, 2) ? &slot->synced : &slot->live;
    switch (random_below(random, 4)) {
    case 0:
        anchor->position = any_value(random, anchor->position);
        break;
    case 1:
        anchor->catalog = any_value(random, anchor->catalog);
        break;
    case 2: /* any frame as the catalog */
        anchor->catalog = map.frames[random_below(random, map.count)].offset;
        break;
    default:
        slot->generation = any_value(random, slot->generation);
    }
}

/* How often the cache was written anew, which compaction and who follows it go by; and the mark by
 * which they look for a later one. */
static void change_edition(struct random_source *random, struct hostile_file *file)
{
    struct genesis genesis = map.genesis;
    struct frame_header *header = &file->frames[random_below(random, map.count)];
    genesis.edition = any_value(random, genesis.edition);
    genesis_encode(&genesis, file->bytes + GENESIS_OFFSET);
    if (header->type == FRAME_PAD)
        header->flags ^= FRAME_MOVES;
}

typedef void mutation(struct random_source *random, struct hostile_file *file);

static void make_hostile(struct random_source *random, uint8_t *bytes)
{
    static mutation *const mutations[] = {
        change_group,   change_group, change_section, change_section, change_gaps,   change_catalog,
        change_catalog, change_range, change_header,  change_slot,    change_edition};
    static struct hostile_file file;
    hostile_file_begin(&file, &map, sample.bytes, bytes, sample.count);
    for (uint64_t left = 1 + random_below(random, 3); left > 0; left--)
        mutations[random_below(random, sizeof mutations / sizeof mutations[0])](random, &file);
    hostile_file_repair(&file);
}

/* --------------------------------------------------------------------------------------- asking */

static void eat(const void *bytes, size_t count)
{
    const uint8_t *at = bytes;
    for (size_t i = 0; i < count; i++)
        eaten += at[i];
}

/* Any status is an answer; a call for too much memory is not. */
static bool note(struct tally *tally, edb_status status, const char *what)
{
    if (status == EDB_NO_MEMORY || status == EDB_INVALID || status == EDB_IO)
        failure(tally, what, status);
    return status == EDB_OK;
}

static void eat_view(struct tally *tally, edb_view *view)
{
    char *json;
    tally->records++;
    eat(view->vector, view->vector_bytes);
    eat(view->key, view->key_bytes);
    if (view->has_text) {
        eat(view->text, view->text_bytes + 1);
        if (view->text[view->text_bytes] != '\0')
            failure(tally, "a text without its NUL", EDB_OK);
    }
    if (note(tally, edb_view_metadata_json(view, &json), "metadata"))
        edb_free(json);
    edb_view_release(view);
}

static void read_keys(struct tally *tally, edb_space *space, uint32_t dims)
{
    for (int from = 0; from < SAMPLE_SPACES; from++)
        for (int key = 0; key < SAMPLE_KEYS; key++) {
            const char *name = sample.keys[from][key];
            size_t bytes = strlen(name);
            edb_view view;
            note(tally, edb_contains(space, name, bytes), "contains");
            if (dims > 0 && note(tally, edb_get(space, name, bytes, vector_room), "get"))
                eat(vector_room, 4 * (size_t)dims);
            if (note(tally, edb_view_key(space, name, bytes, &view), "view"))
                eat_view(tally, &view);
        }
}

static void read_rows(struct tally *tally, edb_space *space, struct random_source *random)
{
    edb_iterator *iterator;
    edb_view view;
    edb_status status;
    size_t count = 0;
    for (int i = 0; i < 8; i++)
        if (note(tally, edb_view_row(space, any_value(random, 100), &view), "row"))
            eat_view(tally, &view);
    if (!note(tally, edb_iterate(space, &iterator), "iterate"))
        return;
    while ((status = edb_next(iterator, &view)) != EDB_NOT_FOUND && status != EDB_STALE &&
           count < RECORDS_MAX) {
        count++;
        if (note(tally, status, "next"))
            eat_view(tally, &view);
    }
    if (count == RECORDS_MAX)
        failure(tally, "an iteration without end", status);
    edb_iterator_close(iterator);
}

static void read_space(struct tally *tally, edb_space *space, struct random_source *random)
{
    edb_space_spec spec = EDB_SPACE_SPEC_INIT;
    edb_result *results;
    if (!note(tally, edb_space_describe(space, &spec), "describe"))
        return;
    eat(spec.name, strlen(spec.name));
    eat(spec.model, strlen(spec.model));
    read_keys(tally, space, spec.dims);
    read_rows(tally, space, random);
    if (spec.dims == 0)
        return;
    for (uint32_t i = 0; i < spec.dims; i++)
        vector_room[i] = 0.25f;
    if (note(tally, edb_search(space, vector_room, 1, NULL, &results), "search"))
        edb_free(results);
}

static void read_file(struct tally *tally, struct random_source *random)
{
    edb *db;
    edb_space *space;
    edb_stats stats = {.struct_size = sizeof stats};
    edb_open_options options = EDB_OPEN_OPTIONS_INIT;
    options.flags = EDB_OPEN_READ_ONLY;
    if (!note(tally, edb_open("hostile.edb", &options, &db), "open"))
        return;
    tally->opened++;
    note(tally, edb_stats_get(db, &stats), "stats");
    for (size_t i = 0; i < EDB_SPACES_MAX && edb_space_at(db, i, &space) == EDB_OK; i++)
        read_space(tally, space, random);
    note(tally, edb_verify(db, NULL, NULL, NULL), "verify");
    edb_close(db);
}

/* A writer trusts no more than a reader: it refuses, or what it wrote is there. */
static void write_file(struct tally *tally, const uint8_t *bytes)
{
    edb *db;
    edb_space *space;
    os_sim_begin(tally->seed);
    os_sim_record(false);
    os_sim_load("hostile.edb", bytes, sample.count);
    os_use(&os_sim);
    if (note(tally, edb_open("hostile.edb", NULL, &db), "open for writing")) {
        for (int from = 0; from < SAMPLE_SPACES; from++) {
            edb_space_spec spec = EDB_SPACE_SPEC_INIT;
            if (edb_space_find(db, sample_space_names[from], &space) != EDB_OK ||
                edb_space_describe(space, &spec) != EDB_OK)
                continue;
            memset(vector_room, 0, sizeof vector_room);
            for (int key = 0; key < SAMPLE_KEYS; key++) {
                const char *name = sample.keys[from][key];
                if (key % 3 == 0)
                    edb_delete(space, name, strlen(name));
                else
                    edb_put(space, name, strlen(name), vector_room, NULL);
            }
        }
        edb_stats stats = {.struct_size = sizeof stats};
        if (note(tally, edb_compact(db, NULL, NULL), "compact") &&
            !note(tally, edb_stats_get(db, &stats), "stats of a compacted file"))
            failure(tally, "the handle did not follow its own compaction", EDB_OK);
        edb_close(db);
    }
    os_use(&memory_file);
}

/* Whatever the file says, what is saved of it is a good one. */
static void repair_file(struct tally *tally, const uint8_t *bytes)
{
    edb *saved = NULL;
    os_sim_begin(tally->seed);
    os_sim_record(false);
    os_sim_load("hostile.edb", bytes, sample.count);
    os_use(&os_sim);
    bool made = note(tally, edb_repair("hostile.edb", "saved.edb", NULL, NULL), "repair");
    if (made && edb_open("saved.edb", NULL, &saved) != EDB_OK)
        failure(tally, "what was saved does not open", EDB_OK);
    if (saved != NULL && edb_verify(saved, NULL, NULL, NULL) != EDB_OK)
        failure(tally, "what was saved is damaged", EDB_OK);
    edb_close(saved);
    if (os_sim_open_files() != 0 || os_sim_named_files() != (made ? 2 : 1))
        failure(tally, "a repair left a file behind", EDB_OK);
    os_use(&memory_file);
}

/* A hostile file is merged into a good one, which stays good. */
static void merge_file(struct tally *tally, const uint8_t *bytes)
{
    edb *good = NULL;
    edb *hostile = NULL;
    os_sim_begin(tally->seed);
    os_sim_record(false);
    os_sim_load("hostile.edb", bytes, sample.count);
    os_sim_load("good.edb", sample.bytes, sample.count);
    os_use(&os_sim);
    if (note(tally, edb_open("hostile.edb", NULL, &hostile), "open") &&
        edb_open("good.edb", NULL, &good) == EDB_OK) {
        note(tally, edb_merge(good, hostile, NULL, NULL), "merge");
        if (edb_verify(good, NULL, NULL, NULL) != EDB_OK)
            failure(tally, "a merge damaged the file", EDB_OK);
    }
    edb_close(good);
    edb_close(hostile);
    os_use(&memory_file);
}

/* ---------------------------------------------------------------------------------------- tests */

/* Of this process's own work: a busy machine is not the library's fault. */
static uint64_t milliseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void run_cases(const char *test, size_t usual)
{
    const char *given = getenv("EDB_CASES");
    size_t cases = given != NULL ? strtoul(given, NULL, 10) : usual;
    struct tally tally = {0};
    tally.seed = seeded_random(test).state;
    watch_case_begin("hostile_bytes", CASE_SECONDS);
    for (size_t i = 0; i < cases; i++, tally.seed++) {
        struct random_source random = {tally.seed};
        uint64_t begin = milliseconds();
        watch_case("EDB_CASES=1 EDB_SEED", tally.seed, i);
        make_hostile(&random, memory_file_bytes());
        read_file(&tally, &random);
        if (i % WRITE_EVERY == 0)
            write_file(&tally, memory_file_bytes());
        if (i % WRITE_EVERY == 1)
            repair_file(&tally, memory_file_bytes());
        if (i % WRITE_EVERY == 2)
            merge_file(&tally, memory_file_bytes());
        if (milliseconds() - begin > CASE_MS_MAX)
            failure(&tally, "a case took too long", EDB_OK);
        if (memory_file_open_count() != 0)
            failure(&tally, "a file was left open", EDB_OK);
    }
    printf("%zu files: %zu opened, %zu records read\n", cases, tally.opened, tally.records);
    watch_case_end();
    assert_int_equal(tally.failures, 0);
    assert_true(cases < 100 || tally.opened > cases / 4);
}

static void test_hostile_files(void **state)
{
    (void)state;
    run_cases("hostile_bytes", CASES);
}

/* Compacts the file as of an edition. True when the file that then has the name is another one. */
static bool compact_edition(uint64_t edition, edb_status *status_out)
{
    struct genesis genesis = map.genesis;
    uint64_t count;
    edb *db;
    genesis.edition = edition;
    memcpy(memory_file_bytes(), sample.bytes, sample.count);
    genesis_encode(&genesis, memory_file_bytes() + GENESIS_OFFSET);
    os_sim_begin(3);
    os_sim_record(false);
    os_sim_load("hostile.edb", memory_file_bytes(), sample.count);
    os_use(&os_sim);
    assert_int_equal(edb_open("hostile.edb", NULL, &db), EDB_OK);
    *status_out = edb_compact(db, NULL, NULL);
    assert_int_equal(edb_close(db), EDB_OK);
    os_use(&memory_file);
    return !genesis_is_of(os_sim_file("hostile.edb", &count) + GENESIS_OFFSET, &genesis);
}

/* A file that was written anew as often as can be counted is not written anew once more: nobody
 * would follow. */
static void test_last_edition(void **state)
{
    (void)state;
    edb_status status;
    assert_true(compact_edition(UINT64_MAX - 1, &status));
    assert_int_equal(status, EDB_OK);
    assert_false(compact_edition(UINT64_MAX, &status));
    assert_int_equal(status, EDB_CORRUPT);
}

/* Every section that any catalog of the sample names; returns how many. */
static size_t gather_entries(uint8_t pool[][CATALOG_SECTION], size_t room)
{
    size_t count = 0;
    for (size_t i = 0; i < map.count; i++) {
        if (map.frames[i].type != FRAME_CATALOG)
            continue;
        uint8_t *payload = sample.bytes + map.frames[i].offset + FRAME_HEADER_BYTES;
        uint8_t *entry = catalog_entries(payload);
        for (uint32_t e = 0; e < load_u32(payload + 8); e++, entry += CATALOG_SECTION) {
            bool known = false;
            for (size_t k = 0; k < count; k++)
                known = known || load_u64(pool[k] + 24) == load_u64(entry + 24);
            if (!known && count < room)
                memcpy(pool[count++], entry, CATALOG_SECTION);
        }
    }
    return count;
}

/* The newest catalog names any three sections in the place of its last three: the same twice, old
 * and new ones in turn, those of another space. */
static void test_catalogs_of_any_sections(void **state)
{
    (void)state;
    enum { POOL = 24, STEP = UNDER_SANITIZER ? 3 : 1 };
    static struct hostile_file file;
    uint8_t pool[POOL][CATALOG_SECTION];
    struct tally tally = {0};
    size_t count = gather_entries(pool, POOL);
    size_t newest = map.count - 1;
    while (map.frames[newest].type != FRAME_CATALOG)
        newest--;
    assert_true(count >= 8);
    watch_case_begin("hostile_bytes", CASE_SECONDS);
    for (size_t number = 0; number < count * count * count; number += STEP) {
        struct random_source random = {number};
        size_t chosen[3] = {number % count, number / count % count, number / count / count};
        tally.seed = number;
        watch_case("three sections", number, 0);
        hostile_file_begin(&file, &map, sample.bytes, memory_file_bytes(), sample.count);
        uint8_t *payload = payload_of(&file, newest);
        uint8_t *last = catalog_entries(payload) + (load_u32(payload + 8) - 3) * CATALOG_SECTION;
        for (int i = 0; i < 3; i++)
            memcpy(last + i * CATALOG_SECTION, pool[chosen[i]], CATALOG_SECTION);
        hostile_file_repair(&file);
        read_file(&tally, &random);
    }
    watch_case_end();
    assert_int_equal(tally.failures, 0);
    assert_true(tally.opened > 0);
}

/* Repairing the good file changes nothing: the repair is right, and so the cases above pass the
 * checksums. */
static void test_repair_is_exact(void **state)
{
    (void)state;
    static struct hostile_file file;
    hostile_file_begin(&file, &map, sample.bytes, memory_file_bytes(), sample.count);
    for (size_t i = 0; i < map.count; i++)
        file.touched[i] = true;
    hostile_file_repair(&file);
    size_t differ = 0;
    for (size_t at = 0; at < sample.count; at++)
        if (memory_file_bytes()[at] != sample.bytes[at] && differ++ < 10)
            fprintf(stderr, "byte %zu (%s) differs\n", at,
                    frame_map_part_name(frame_map_part(&map, at)));
    assert_int_equal(differ, 0);
}

/* The sample as it is after compaction: groups with gaps, a row moved on, sparse row directories;
 * and a tail behind them. */
static bool compact_sample(void)
{
    edb *db;
    edb_space *space;
    uint64_t count = 0;
    const char *gone = sample.keys[SAMPLE_BLOBS][0];
    os_sim_begin(2);
    os_sim_record(false);
    os_sim_set_boot_id(sample.boot_id);
    os_sim_load("hostile.edb", sample.bytes, sample.count);
    os_use(&os_sim);
    bool good = edb_open("hostile.edb", NULL, &db) == EDB_OK &&
                edb_space_find(db, sample_space_names[SAMPLE_BLOBS], &space) == EDB_OK &&
                edb_put(space, gone, strlen(gone), "", NULL) == EDB_OK &&
                edb_delete(space, gone, strlen(gone)) == EDB_OK &&
                edb_compact(db, NULL, NULL) == EDB_OK &&
                edb_put(space, "tail", 4, "", NULL) == EDB_OK && edb_sync(db) == EDB_OK;
    edb_close(db);
    const uint8_t *compacted = os_sim_file("hostile.edb", &count);
    uint8_t *bytes = good ? malloc(count) : NULL;
    if (bytes == NULL)
        return false;
    memcpy(bytes, compacted, count);
    free(sample.bytes);
    sample.bytes = bytes;
    sample.count = count;
    os_use(&memory_file);
    return true;
}

static int begin_compacted(void **state)
{
    (void)state;
    memory_file_end();
    bool good = compact_sample() && frame_map_make(sample.bytes, sample.count, &map) &&
                memory_file_begin(sample.bytes, sample.count);
    return good ? 0 : -1;
}

static void test_hostile_compacted_files(void **state)
{
    (void)state;
    run_cases("hostile_compacted", CASES / 4);
}

static int begin(void **state)
{
    (void)state;
    if (!sample_cache_write(&sample) || !frame_map_make(sample.bytes, sample.count, &map) ||
        !memory_file_begin(sample.bytes, sample.count))
        return -1;
    memory_file_set_boot_id(sample.boot_id);
    os_use(&memory_file);
    os_sim_begin(1);
    os_sim_load("hostile.edb", sample.bytes, sample.count);
    bound_memory(memory_max);
    return 0;
}

static int end(void **state)
{
    (void)state;
    os_use(&os_posix);
    os_sim_end();
    memory_file_end();
    sample_cache_free(&sample);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_repair_is_exact),
        cmocka_unit_test(test_catalogs_of_any_sections),
        cmocka_unit_test(test_hostile_files),
        cmocka_unit_test(test_last_edition),
        cmocka_unit_test_setup(test_hostile_compacted_files, begin_compacted),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
