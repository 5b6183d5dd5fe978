/* Frame headers: what was encoded is decoded again, field for field; a changed byte, another file,
 * another place or an impossible length is refused; and where the next frame stands. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checksum.h"
#include "format/frame.h"
#include "unit/base/seeded_random.h"

/* Last: it makes a macro of the name fail. */
#include <cmocka.h>

enum { ROUNDS = 2000, AT_HEADER_CHECKSUM = 120 };

/* A header that can be true. */
static struct frame_header invent(struct random_source *random)
{
    uint64_t units = 2 + random_below(random, 1000);
    return (struct frame_header){
        .type = (uint8_t)(1 + random_below(random, 4)),
        .flags = (uint16_t)random_u64(random),
        .frame_bytes = units * FRAME_ALIGN,
        .offset = random_below(random, 1ull << 38) * FRAME_ALIGN,
        .sequence = random_u64(random),
        .epoch = random_u64(random),
        .chain = random_u64(random),
        .synced_to = random_u64(random),
        .payload_bytes = random_below(random, units * FRAME_ALIGN - FRAME_HEADER_BYTES + 1),
        .payload_checksum = random_u64(random),
    };
}

static void assert_same(const struct frame_header *a, const struct frame_header *b)
{
    assert_int_equal(a->type, b->type);
    assert_int_equal(a->flags, b->flags);
    assert_int_equal(a->frame_bytes, b->frame_bytes);
    assert_int_equal(a->offset, b->offset);
    assert_int_equal(a->sequence, b->sequence);
    assert_int_equal(a->epoch, b->epoch);
    assert_int_equal(a->chain, b->chain);
    assert_int_equal(a->synced_to, b->synced_to);
    assert_int_equal(a->payload_bytes, b->payload_bytes);
    assert_int_equal(a->payload_checksum, b->payload_checksum);
    assert_int_equal(a->header_checksum, b->header_checksum);
}

/* Whether the header is taken, encoded as it is, from a buffer of exactly its size. */
static bool taken(struct frame_header *header, uint64_t seed)
{
    struct frame_header out;
    uint8_t *bytes = malloc(FRAME_HEADER_BYTES);
    frame_header_encode(header, seed, bytes);
    bool result = frame_header_decode(bytes, seed, header->offset, &out);
    free(bytes);
    return result;
}

static void test_round_trip(void **state)
{
    (void)state;
    struct random_source random = seeded_random("test_frame_bytes");
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t seed = random_u64(&random);
        struct frame_header header = invent(&random);
        struct frame_header out;
        uint8_t bytes[FRAME_HEADER_BYTES];
        frame_header_encode(&header, seed, bytes);
        assert_true(frame_header_decode(bytes, seed, header.offset, &out));
        assert_same(&header, &out);
        assert_int_equal(header.header_checksum, checksum(bytes, AT_HEADER_CHECKSUM, seed));
        assert_false(frame_header_decode(bytes, seed + 1, header.offset, &out));
        assert_false(frame_header_decode(bytes, seed, header.offset + FRAME_ALIGN, &out));
    }
}

static void test_every_changed_bit_is_refused(void **state)
{
    (void)state;
    struct random_source random = seeded_random("test_frame_bytes");
    struct frame_header header = invent(&random);
    struct frame_header out;
    uint8_t bytes[FRAME_HEADER_BYTES];
    frame_header_encode(&header, 1, bytes);
    for (int bit = 0; bit < 8 * (int)FRAME_HEADER_BYTES; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(frame_header_decode(bytes, 1, header.offset, &out));
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_true(frame_header_decode(bytes, 1, header.offset, &out));
}

static void test_blank_bytes_are_no_header(void **state)
{
    (void)state;
    struct frame_header out;
    uint8_t bytes[FRAME_HEADER_BYTES] = {0};
    assert_false(frame_header_decode(bytes, 0, 0, &out));
    memset(bytes, 0xff, sizeof bytes);
    assert_false(frame_header_decode(bytes, 0, UINT64_MAX, &out));
}

/* Lengths that cannot be true, under a right checksum. */
static void test_impossible_lengths(void **state)
{
    (void)state;
    struct frame_header good = {.type = FRAME_GROUP,
                                .frame_bytes = FRAME_BYTES_MAX,
                                .offset = FIRST_FRAME_OFFSET,
                                .payload_bytes = FRAME_BYTES_MAX - FRAME_HEADER_BYTES};
    struct frame_header bad = good;
    assert_true(taken(&good, 3));
    bad.frame_bytes = FRAME_BYTES_MAX + FRAME_ALIGN;
    assert_false(taken(&bad, 3));
    bad.type = FRAME_SECTION;
    assert_true(taken(&bad, 3));
    bad.frame_bytes = SECTION_BYTES_MAX + FRAME_ALIGN;
    assert_false(taken(&bad, 3));
    bad = good;
    bad.payload_bytes++;
    assert_false(taken(&bad, 3));
    bad = good;
    bad.frame_bytes = FRAME_HEADER_BYTES - FRAME_ALIGN;
    bad.payload_bytes = 0;
    assert_false(taken(&bad, 3));
    bad = good;
    bad.frame_bytes -= 1;
    assert_false(taken(&bad, 3));
    bad = good;
    bad.offset += 8;
    assert_false(taken(&bad, 3));
    bad = good;
    bad.offset = FILE_BYTES_MAX - FRAME_ALIGN;
    assert_false(taken(&bad, 3));
    bad.offset = UINT64_MAX - FRAME_ALIGN + 1;
    assert_false(taken(&bad, 3));
}

static void test_where_the_next_frame_stands(void **state)
{
    (void)state;
    struct frame_header header = {.offset = 12288 + 64, .frame_bytes = 192};
    assert_int_equal(frame_end(&header), 12288 + 256);
    assert_int_equal(frame_next(&header), 12288 + 256);
    header.flags = FRAME_SEALED;
    assert_int_equal(frame_next(&header), 16384);
    header.frame_bytes = 4096 - 64;
    assert_int_equal(frame_next(&header), 16384);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_every_changed_bit_is_refused),
        cmocka_unit_test(test_blank_bytes_are_no_header),
        cmocka_unit_test(test_impossible_lengths),
        cmocka_unit_test(test_where_the_next_frame_stands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
