/* Specs, catalogs and section descriptors: what was encoded is decoded again; a cut, a value out of
 * range, a wrong order or anything that contradicts is refused; no byte behind the count is
 * read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/bytes.h"
#include "format/catalog.h"
#include "format/section.h"
#include "unit/base/seeded_random.h"

/* Last: it makes a macro of the name fail. */
#include <cmocka.h>

enum { ROUNDS = 300, SPACES = 3, SECTIONS = 9, BEFORE = 1 << 20 };

static void invent_name(struct random_source *random, char out[256])
{
    size_t count = (size_t)random_below(random, 256);
    for (size_t i = 0; i < count; i++)
        out[i] = (char)(1 + random_below(random, 127));
    out[count] = '\0';
}

static struct spec invent_spec(struct random_source *random)
{
    struct spec spec;
    memset(&spec, 0, sizeof spec);
    invent_name(random, spec.name);
    invent_name(random, spec.model);
    invent_name(random, spec.revision);
    spec.dims = (uint32_t)random_below(random, EDB_DIMS_MAX + 1);
    spec.metric = (uint8_t)random_below(random, 3);
    spec.role = (uint8_t)random_below(random, 3);
    spec.key_form = (uint8_t)random_below(random, 3);
    return spec;
}

/* From a buffer of exactly `count` bytes. */
static edb_status decode_spec(const uint8_t *bytes, size_t count, struct spec *out)
{
    uint8_t *exact = malloc(count > 0 ? count : 1);
    memcpy(exact, bytes, count);
    edb_status status = spec_decode(exact, count, out);
    free(exact);
    return status;
}

static void assert_same_spec(const struct spec *a, const struct spec *b)
{
    assert_string_equal(a->name, b->name);
    assert_string_equal(a->model, b->model);
    assert_string_equal(a->revision, b->revision);
    assert_int_equal(a->dims, b->dims);
    assert_int_equal(a->metric, b->metric);
    assert_int_equal(a->role, b->role);
    assert_int_equal(a->element, b->element);
    assert_int_equal(a->key_form, b->key_form);
}

static void test_spec_round_trip(void **state)
{
    (void)state;
    struct random_source random = seeded_random("test_catalog_bytes");
    for (int i = 0; i < ROUNDS; i++) {
        struct spec spec = invent_spec(&random);
        struct spec out;
        uint8_t bytes[SPEC_BYTES_MAX];
        size_t count = spec_encode(&spec, bytes);
        assert_true(count <= sizeof bytes);
        assert_int_equal(decode_spec(bytes, count, &out), EDB_OK);
        assert_same_spec(&out, &spec);
        for (size_t cut = 0; cut < count; cut++)
            assert_int_equal(decode_spec(bytes, cut, &out), EDB_CORRUPT);
    }
}

static void test_spec_refuses(void **state)
{
    (void)state;
    struct random_source random = seeded_random("test_catalog_bytes");
    struct spec spec = invent_spec(&random);
    struct spec out;
    uint8_t good[SPEC_BYTES_MAX];
    uint8_t bytes[SPEC_BYTES_MAX];
    static const struct {
        int at;
        uint8_t value;
    } unknown[] = {{0, 2}, {0, 0}, {1, 3}, {2, 3}, {3, 1}, {4, 3}, {10, 2}};
    memcpy(spec.name, "abc", 4);
    size_t count = spec_encode(&spec, good);
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        memcpy(bytes, good, count);
        bytes[unknown[i].at] = unknown[i].value;
        assert_int_equal(decode_spec(bytes, count, &out), EDB_FORMAT);
    }
    memcpy(bytes, good, count);
    bytes[18] = 0; /* a NUL in the name */
    assert_int_equal(decode_spec(bytes, count, &out), EDB_CORRUPT);
    bytes[18] = 0xff; /* not UTF-8 */
    assert_int_equal(decode_spec(bytes, count, &out), EDB_CORRUPT);
    store_u16(bytes + 16, UINT16_MAX);
    assert_int_equal(decode_spec(bytes, count, &out), EDB_CORRUPT);
    memset(bytes, 1, sizeof bytes);
    assert_int_not_equal(decode_spec(bytes, sizeof bytes, &out), EDB_OK);
}

/* ------------------------------------------------------------------------------------- catalogs */

/* Sections in order, three of each kind for each space. */
static void invent_sections(struct random_source *random, const struct catalog *catalog,
                            struct catalog_section sections[SECTIONS])
{
    for (uint32_t i = 0; i < SECTIONS; i++) {
        const struct catalog_space *space = &catalog->spaces[i / 3];
        sections[i] = (struct catalog_section){
            .kind = (uint16_t)(1 + i % 3),
            .space = i / 3 + 1,
            .first = random_below(random, space->next_row - 1),
            .last = space->next_row,
            .offset = FIRST_FRAME_OFFSET + random_below(random, 1000) * FRAME_ALIGN,
            .frame_bytes = random_below(random, 1000) * FRAME_ALIGN,
            .sequence = random_u64(random),
        };
    }
}

static struct catalog invent(struct random_source *random, struct catalog_space spaces[SPACES],
                             struct catalog_section sections[SECTIONS])
{
    struct catalog catalog = {
        .position = FIRST_FRAME_OFFSET + random_below(random, 1000) * FRAME_ALIGN,
        .chain = random_u64(random),
        .sequence = random_u64(random),
        .spaces = spaces,
        .space_count = SPACES,
        .sections = sections,
        .section_count = SECTIONS,
    };
    for (uint32_t i = 0; i < SPACES; i++) {
        spaces[i].id = i + 1;
        spaces[i].next_row = 2 + random_below(random, ROWS_MAX - 2);
        spaces[i].live = random_below(random, spaces[i].next_row + 1);
        spaces[i].clock = random_u64(random);
        spaces[i].account = (struct account){random_u64(random), random_u64(random)};
        spaces[i].spec = invent_spec(random);
    }
    invent_sections(random, &catalog, sections);
    return catalog;
}

static edb_status decode(const uint8_t *bytes, size_t count, struct catalog *out)
{
    uint8_t *exact = malloc(count > 0 ? count : 1);
    memcpy(exact, bytes, count);
    edb_status status = catalog_decode(exact, count, BEFORE, out);
    free(exact);
    return status;
}

/* The status of a catalog that is encoded as it is. */
static edb_status judge(const struct catalog *catalog)
{
    struct catalog out;
    size_t count = catalog_bytes(catalog);
    uint8_t *bytes = malloc(count);
    catalog_encode(catalog, bytes);
    edb_status status = decode(bytes, count, &out);
    catalog_close(&out);
    free(bytes);
    return status;
}

static void assert_same_catalog(const struct catalog *a, const struct catalog *b)
{
    assert_int_equal(a->position, b->position);
    assert_int_equal(a->chain, b->chain);
    assert_int_equal(a->sequence, b->sequence);
    assert_int_equal(a->space_count, b->space_count);
    assert_int_equal(a->section_count, b->section_count);
    for (uint32_t i = 0; i < a->space_count; i++) {
        assert_int_equal(a->spaces[i].id, b->spaces[i].id);
        assert_int_equal(a->spaces[i].next_row, b->spaces[i].next_row);
        assert_int_equal(a->spaces[i].live, b->spaces[i].live);
        assert_int_equal(a->spaces[i].clock, b->spaces[i].clock);
        assert_int_equal(a->spaces[i].account.bytes, b->spaces[i].account.bytes);
        assert_int_equal(a->spaces[i].account.cost, b->spaces[i].account.cost);
        assert_same_spec(&a->spaces[i].spec, &b->spaces[i].spec);
    }
    for (uint32_t i = 0; i < a->section_count; i++) {
        assert_int_equal(a->sections[i].kind, b->sections[i].kind);
        assert_int_equal(a->sections[i].space, b->sections[i].space);
        assert_int_equal(a->sections[i].first, b->sections[i].first);
        assert_int_equal(a->sections[i].last, b->sections[i].last);
        assert_int_equal(a->sections[i].offset, b->sections[i].offset);
        assert_int_equal(a->sections[i].frame_bytes, b->sections[i].frame_bytes);
        assert_int_equal(a->sections[i].sequence, b->sections[i].sequence);
    }
}

static void test_catalog_round_trip(void **state)
{
    (void)state;
    struct random_source random = seeded_random("test_catalog_bytes");
    struct catalog_space spaces[SPACES];
    struct catalog_section sections[SECTIONS];
    for (int i = 0; i < ROUNDS; i++) {
        struct catalog catalog = invent(&random, spaces, sections);
        struct catalog out;
        size_t count = catalog_bytes(&catalog);
        uint8_t *bytes = malloc(count);
        catalog_encode(&catalog, bytes);
        assert_int_equal(decode(bytes, count, &out), EDB_OK);
        assert_same_catalog(&out, &catalog);
        catalog_close(&out);
        for (size_t cut = 0; cut < count; cut += 1 + cut / 8)
            assert_int_equal(decode(bytes, cut, &out), EDB_CORRUPT);
        free(bytes);
    }
}

/* One thing wrong, all else right. */
static void test_catalog_refuses(void **state)
{
    (void)state;
    struct random_source random = seeded_random("test_catalog_bytes");
    struct catalog_space spaces[SPACES];
    struct catalog_section sections[SECTIONS];
    for (int fault = 0; fault < 16; fault++) {
        struct catalog catalog = invent(&random, spaces, sections);
        assert_int_equal(judge(&catalog), EDB_OK);
        struct catalog_section *section = &sections[4];
        struct catalog_section kept = *section;
        switch (fault) {
        case 0:
            catalog.position = BEFORE + FRAME_ALIGN;
            break;
        case 1:
            catalog.position += 8;
            break;
        case 2:
            catalog.position = 0;
            break;
        case 3:
            spaces[1].id = 3;
            break;
        case 4:
            spaces[2].next_row = ROWS_MAX + 1;
            break;
        case 5:
            spaces[0].live = spaces[0].next_row + 1;
            break;
        case 6:
            section->space = 0;
            break;
        case 7:
            section->space = SPACES + 1;
            break;
        case 8:
            section->first = section->last + 1;
            break;
        case 9:
            section->first = section->last;
            break;
        case 10:
            section->last++;
            break;
        case 11:
            section->offset = BEFORE;
            section->frame_bytes = FRAME_ALIGN;
            break;
        case 12:
            section->frame_bytes = UINT64_MAX - 63;
            break;
        case 13:
            section->offset += 4;
            break;
        case 14: /* the same twice */
            sections[3] = kept;
            break;
        default: /* in another order */
            *section = sections[5];
            sections[5] = kept;
        }
        assert_int_equal(judge(&catalog), EDB_CORRUPT);
    }
}

static void test_catalog_refuses_counts(void **state)
{
    (void)state;
    struct random_source random = seeded_random("test_catalog_bytes");
    struct catalog_space spaces[SPACES];
    struct catalog_section sections[SECTIONS];
    struct catalog catalog = invent(&random, spaces, sections);
    struct catalog out;
    static const uint32_t counts[] = {0, SPACES + 1, EDB_SPACES_MAX + 1, 0x80000000, UINT32_MAX};
    size_t count = catalog_bytes(&catalog);
    uint8_t *bytes = malloc(count);
    catalog_encode(&catalog, bytes);
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        for (size_t field = 4; field <= 8; field += 4) {
            uint32_t kept = load_u32(bytes + field);
            store_u32(bytes + field, counts[i]);
            assert_int_equal(decode(bytes, count, &out), EDB_CORRUPT);
            store_u32(bytes + field, kept);
        }
    store_u32(bytes, 2); /* the version */
    assert_int_equal(decode(bytes, count, &out), EDB_CORRUPT);
    free(bytes);
}

/* ------------------------------------------------------------------------------------- sections */

static void test_section_round_trip(void **state)
{
    (void)state;
    struct random_source random = seeded_random("test_catalog_bytes");
    for (int i = 0; i < 10 * ROUNDS; i++) {
        struct section_descriptor descriptor = {
            .kind = (uint16_t)random_u64(&random),
            .version = (uint16_t)random_u64(&random),
            .space = (uint32_t)random_u64(&random),
            .last = random_below(&random, ROWS_MAX + 1),
            .from = random_u64(&random),
            .to = random_u64(&random),
            .body_bytes = random_below(&random, 1 << 20),
        };
        struct section_descriptor out;
        uint8_t bytes[SECTION_DESCRIPTOR_BYTES];
        descriptor.first = random_below(&random, descriptor.last + 1);
        uint64_t at = random_below(&random, 1000) * FRAME_ALIGN;
        uint64_t frame_bytes = section_layout(&descriptor, at);
        uint64_t unit = descriptor.body_bytes >= BLOCK_ALIGNED_BYTES ? PAGE_BYTES : FRAME_ALIGN;
        assert_int_equal((at + descriptor.body_offset) % unit, 0);
        assert_int_equal(frame_bytes % FRAME_ALIGN, 0);
        section_encode(&descriptor, bytes);
        assert_int_equal(section_decode(bytes, sizeof bytes, frame_bytes, &out), EDB_OK);
        assert_int_equal(out.first, descriptor.first);
        assert_int_equal(out.last, descriptor.last);
        assert_int_equal(out.from, descriptor.from);
        assert_int_equal(out.to, descriptor.to);
        assert_int_equal(out.body_bytes, descriptor.body_bytes);
        assert_int_equal(out.kind, descriptor.kind);
        assert_int_equal(out.version, descriptor.version);
        assert_int_equal(out.space, descriptor.space);
        assert_int_equal(out.body_offset, descriptor.body_offset);
        assert_int_equal(section_decode(bytes, sizeof bytes - 1, frame_bytes, &out), EDB_CORRUPT);
        if (descriptor.body_bytes > 0)
            assert_int_equal(section_decode(bytes, sizeof bytes,
                                            descriptor.body_offset + descriptor.body_bytes - 1,
                                            &out),
                             EDB_CORRUPT);
    }
}

static edb_status judge_section(const struct section_descriptor *descriptor, uint64_t frame_bytes)
{
    struct section_descriptor out;
    uint8_t bytes[SECTION_DESCRIPTOR_BYTES];
    section_encode(descriptor, bytes);
    return section_decode(bytes, sizeof bytes, frame_bytes, &out);
}

static void test_section_refuses(void **state)
{
    (void)state;
    struct section_descriptor good = {.kind = SECTION_KEYS, .last = 10, .body_bytes = 10000};
    uint64_t frame_bytes = section_layout(&good, FIRST_FRAME_OFFSET);
    struct section_descriptor bad = good;
    assert_int_equal(judge_section(&good, frame_bytes), EDB_OK);
    bad.first = 11;
    assert_int_equal(judge_section(&bad, frame_bytes), EDB_CORRUPT);
    bad = good;
    bad.last = ROWS_MAX + 1;
    assert_int_equal(judge_section(&bad, frame_bytes), EDB_CORRUPT);
    bad = good;
    bad.body_offset += 4;
    assert_int_equal(judge_section(&bad, frame_bytes), EDB_CORRUPT);
    bad = good;
    bad.body_offset -= FRAME_ALIGN; /* over the checksums of the blocks */
    assert_int_equal(judge_section(&bad, frame_bytes), EDB_CORRUPT);
    bad = good;
    bad.body_bytes = frame_bytes;
    assert_int_equal(judge_section(&bad, frame_bytes), EDB_CORRUPT);
    bad.body_bytes = SECTION_BYTES_MAX + 1;
    assert_int_equal(judge_section(&bad, UINT64_MAX), EDB_CORRUPT);
    bad.body_bytes = UINT64_MAX;
    assert_int_equal(judge_section(&bad, UINT64_MAX), EDB_CORRUPT);
}

/* A block's checksum is bound to its section, its place and its file. */
static void test_section_block_checksum(void **state)
{
    (void)state;
    const uint8_t block[100] = {1, 2, 3};
    struct section_descriptor a = {.kind = SECTION_KEYS, .space = 1, .first = 5};
    struct section_descriptor b = a;
    uint64_t sum = section_block_checksum(&a, 0, block, sizeof block, 7);
    assert_int_not_equal(sum, section_block_checksum(&a, 1, block, sizeof block, 7));
    assert_int_not_equal(sum, section_block_checksum(&a, 0, block, sizeof block, 8));
    assert_int_not_equal(sum, section_block_checksum(&a, 0, block, sizeof block - 1, 7));
    b.kind = SECTION_ROWS;
    assert_int_not_equal(sum, section_block_checksum(&b, 0, block, sizeof block, 7));
    b = a;
    b.space = 2;
    assert_int_not_equal(sum, section_block_checksum(&b, 0, block, sizeof block, 7));
    b = a;
    b.first = 6;
    assert_int_not_equal(sum, section_block_checksum(&b, 0, block, sizeof block, 7));
    assert_int_equal(section_blocks(0), 0);
    assert_int_equal(section_blocks(1), 1);
    assert_int_equal(section_blocks(4096), 1);
    assert_int_equal(section_blocks(4097), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spec_round_trip),
        cmocka_unit_test(test_spec_refuses),
        cmocka_unit_test(test_catalog_round_trip),
        cmocka_unit_test(test_catalog_refuses),
        cmocka_unit_test(test_catalog_refuses_counts),
        cmocka_unit_test(test_section_round_trip),
        cmocka_unit_test(test_section_refuses),
        cmocka_unit_test(test_section_block_checksum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
