/* GROUPs and their records: what was encoded is decoded again and verifies; lengths that leave the
 * frame are refused whatever they are; a changed byte of a record is seen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/bytes.h"
#include "format/frame.h"
#include "format/record.h"
#include "unit/base/seeded_random.h"

/* Last: it makes a macro of the name fail. */
#include <cmocka.h>

enum { ROUNDS = 2000, RECORDS = 4, HEAP = 200, VECTOR = 16, SEED = 99 };

/* A frame of RECORDS records in memory of exactly its size. */
struct frame {
    uint8_t *bytes;
    uint64_t frame_bytes;
    uint64_t payload_bytes;
    struct group group;
    struct record records[RECORDS];
};

static void free_frame(struct frame *frame)
{
    free(frame->bytes);
}

static struct record invent_record(struct random_source *random, uint32_t index)
{
    struct record record = {
        .operation = RECORD_PUT,
        .flags =
            (uint8_t)(RECORD_CRITICAL | (random_u64(random) & (RECORD_TEXT | RECORD_METADATA))),
        .key_form = (uint8_t)random_below(random, 3),
        .key_bytes = (uint32_t)random_below(random, 20),
        .key_hash = random_u64(random),
        .row = 1 + random_below(random, ROWS_MAX - 1),
        .heap_offset = index * (HEAP / RECORDS),
        .metadata_bytes = (uint32_t)random_below(random, 10),
        .vector_bytes = VECTOR,
        .expiry_s = (uint32_t)random_u64(random),
        .put_s = (uint32_t)random_u64(random),
        .cost = (uint32_t)random_u64(random),
        .vector_checksum = random_u64(random),
    };
    record.prior_row = random_below(random, 2) ? ROW_NONE : random_below(random, record.row);
    if (record.flags & RECORD_TEXT)
        record.text_bytes = (uint32_t)random_below(random, 19);
    return record;
}

static void make_frame(struct random_source *random, struct frame *out)
{
    out->payload_bytes = GROUP_PREAMBLE_BYTES + RECORDS * RECORD_BYTES + HEAP;
    uint64_t block = (FRAME_HEADER_BYTES + out->payload_bytes + 63) / 64 * 64;
    out->frame_bytes = block + RECORDS * VECTOR;
    out->bytes = malloc(out->frame_bytes);
    for (uint64_t i = 0; i < out->frame_bytes; i++)
        out->bytes[i] = (uint8_t)random_u64(random);
    out->group = (struct group){.space = (uint32_t)random_u64(random),
                                .count = RECORDS,
                                .entry_bytes = RECORD_BYTES,
                                .dictionary = (uint32_t)random_u64(random),
                                .heap_bytes = HEAP,
                                .block_offset = (uint32_t)block,
                                .block_bytes = RECORDS * VECTOR};
    uint8_t *preamble = out->bytes + FRAME_HEADER_BYTES;
    uint8_t *heap = preamble + GROUP_PREAMBLE_BYTES + RECORDS * RECORD_BYTES;
    group_encode(&out->group, preamble);
    for (uint32_t i = 0; i < RECORDS; i++) {
        struct record *record = &out->records[i];
        *record = invent_record(random, i);
        record->vector_offset = (uint32_t)(block + i * VECTOR);
        uint8_t *part = heap + record->heap_offset;
        if (record->flags & RECORD_TEXT)
            part[record->key_bytes + record->text_bytes] = '\0';
        record_encode(record, part, SEED, preamble + GROUP_PREAMBLE_BYTES + i * RECORD_BYTES);
    }
}

static edb_status decode_group(const struct frame *frame, struct group *out)
{
    return group_decode(frame->bytes + FRAME_HEADER_BYTES, frame->payload_bytes, frame->frame_bytes,
                        out);
}

static void assert_same_record(const struct record *a, const struct record *b)
{
    assert_int_equal(a->operation, b->operation);
    assert_int_equal(a->flags, b->flags);
    assert_int_equal(a->key_form, b->key_form);
    assert_int_equal(a->key_bytes, b->key_bytes);
    assert_int_equal(a->key_hash, b->key_hash);
    assert_int_equal(a->row, b->row);
    assert_int_equal(a->prior_row, b->prior_row);
    assert_int_equal(a->heap_offset, b->heap_offset);
    assert_int_equal(a->text_bytes, b->text_bytes);
    assert_int_equal(a->metadata_bytes, b->metadata_bytes);
    assert_int_equal(a->vector_bytes, b->vector_bytes);
    assert_int_equal(a->vector_offset, b->vector_offset);
    assert_int_equal(a->expiry_s, b->expiry_s);
    assert_int_equal(a->put_s, b->put_s);
    assert_int_equal(a->cost, b->cost);
    assert_int_equal(a->vector_checksum, b->vector_checksum);
}

static void assert_frame(const struct frame *frame)
{
    struct group group;
    assert_int_equal(decode_group(frame, &group), EDB_OK);
    assert_int_equal(group.space, frame->group.space);
    assert_int_equal(group.count, RECORDS);
    assert_int_equal(group.dictionary, frame->group.dictionary);
    assert_int_equal(group.block_offset, frame->group.block_offset);
    assert_int_equal(group.entries_offset, FRAME_HEADER_BYTES + GROUP_PREAMBLE_BYTES);
    for (uint32_t i = 0; i < RECORDS; i++) {
        struct record out;
        const struct record *record = &frame->records[i];
        assert_int_equal(record_decode(frame->bytes, &group, i, &out), EDB_OK);
        assert_same_record(&out, record);
        assert_true(record_verify(frame->bytes, &group, i, &out, SEED));
        assert_false(record_verify(frame->bytes, &group, i, &out, SEED + 1));
        const uint8_t *key = frame->bytes + group.heap_offset + record->heap_offset;
        uint64_t text = record->flags & RECORD_TEXT ? record->text_bytes + 1u : 0;
        assert_ptr_equal(record_key(frame->bytes, &group, &out), key);
        assert_ptr_equal(record_text(frame->bytes, &group, &out), key + record->key_bytes);
        assert_int_equal(record_heap_bytes(&out),
                         record->key_bytes + text + record->metadata_bytes);
    }
}

static void test_round_trip(void **state)
{
    (void)state;
    struct random_source random = seeded_random("test_record_bytes");
    for (int i = 0; i < ROUNDS; i++) {
        struct frame frame;
        make_frame(&random, &frame);
        assert_frame(&frame);
        free_frame(&frame);
    }
}

/* Whatever numbers stand there: decoding reads no byte behind the frame (a sanitizer would see it),
 * and what is accepted lies inside of the frame. */
static void test_any_numbers(void **state)
{
    (void)state;
    struct random_source random = seeded_random("test_record_bytes");
    size_t accepted = 0;
    for (int i = 0; i < 20 * ROUNDS; i++) {
        struct frame frame;
        struct group group;
        make_frame(&random, &frame);
        uint64_t room = GROUP_PREAMBLE_BYTES + RECORDS * RECORD_BYTES;
        uint8_t *number = frame.bytes + FRAME_HEADER_BYTES + random_below(&random, room / 4) * 4;
        store_u32(number, (uint32_t)(random_u64(&random) >> random_below(&random, 32)));
        if (decode_group(&frame, &group) == EDB_OK) {
            for (uint32_t r = 0; r < group.count; r++) {
                struct record record;
                if (record_decode(frame.bytes, &group, r, &record) != EDB_OK ||
                    record.operation != RECORD_PUT)
                    continue;
                accepted++;
                record_verify(frame.bytes, &group, r, &record, SEED);
                assert_true(record.vector_offset + (uint64_t)record.vector_bytes <=
                            frame.frame_bytes);
                const uint8_t *end =
                    record_key(frame.bytes, &group, &record) + record_heap_bytes(&record);
                assert_true(end <= frame.bytes + FRAME_HEADER_BYTES + frame.payload_bytes);
            }
        }
        free_frame(&frame);
    }
    assert_true(accepted > ROUNDS);
}

static void test_changed_bits_are_seen(void **state)
{
    (void)state;
    struct random_source random = seeded_random("test_record_bytes");
    struct frame frame;
    struct group group;
    make_frame(&random, &frame);
    assert_int_equal(decode_group(&frame, &group), EDB_OK);
    uint64_t first = group.entries_offset + RECORD_BYTES;
    for (uint64_t bit = 8 * first; bit < 8 * (first + RECORD_BYTES); bit++) {
        struct record record;
        frame.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (record_decode(frame.bytes, &group, 1, &record) == EDB_OK)
            assert_false(record_verify(frame.bytes, &group, 1, &record, SEED));
        frame.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    uint64_t heap = group.heap_offset + frame.records[1].heap_offset;
    for (uint64_t at = heap; at < heap + record_heap_bytes(&frame.records[1]); at++) {
        struct record record;
        frame.bytes[at] ^= 8;
        if (record_decode(frame.bytes, &group, 1, &record) == EDB_OK)
            assert_false(record_verify(frame.bytes, &group, 1, &record, SEED));
        frame.bytes[at] ^= 8;
    }
    assert_frame(&frame);
    free_frame(&frame);
}

/* The status of record 0 after one of its fields was changed. */
static edb_status with_field(struct frame *frame, uint64_t at, uint64_t value, int width)
{
    struct group group;
    struct record record;
    uint8_t kept[8];
    uint8_t raw[8];
    uint8_t *field = frame->bytes + FRAME_HEADER_BYTES + GROUP_PREAMBLE_BYTES + at;
    memcpy(kept, field, sizeof kept);
    store_u64(raw, value);
    memcpy(field, raw, (size_t)width);
    assert_int_equal(decode_group(frame, &group), EDB_OK);
    edb_status status = record_decode(frame->bytes, &group, 0, &record);
    memcpy(field, kept, sizeof kept);
    return status;
}

static void test_refused_fields(void **state)
{
    (void)state;
    struct random_source random = seeded_random("test_record_bytes");
    struct frame frame;
    make_frame(&random, &frame);
    assert_int_equal(with_field(&frame, 0, 9, 1), EDB_FORMAT);         /* operation, critical */
    assert_int_equal(with_field(&frame, 0, 9, 2), EDB_OK);             /* and not critical */
    assert_int_equal(with_field(&frame, 4, HEAP + 1, 4), EDB_CORRUPT); /* key_bytes */
    assert_int_equal(with_field(&frame, 4, UINT32_MAX, 4), EDB_CORRUPT);
    assert_int_equal(with_field(&frame, 16, ROWS_MAX, 8), EDB_CORRUPT);             /* row */
    assert_int_equal(with_field(&frame, 24, frame.records[0].row, 8), EDB_CORRUPT); /* prior_row */
    assert_int_equal(with_field(&frame, 32, HEAP + 1, 4), EDB_CORRUPT);   /* heap_offset */
    assert_int_equal(with_field(&frame, 40, UINT32_MAX, 4), EDB_CORRUPT); /* metadata_bytes */
    assert_int_equal(with_field(&frame, 44, RECORDS * VECTOR + 1, 4), EDB_CORRUPT);
    assert_int_equal(with_field(&frame, 48, frame.group.block_offset - 1, 4), EDB_CORRUPT);
    assert_int_equal(with_field(&frame, 48, frame.frame_bytes, 4), EDB_CORRUPT);
    free_frame(&frame);
}

/* The status of the group after one of its fields was changed. */
static edb_status with_preamble(struct frame *frame, uint64_t at, uint64_t value, int width)
{
    struct group group;
    uint8_t kept[8];
    uint8_t raw[8];
    uint8_t *field = frame->bytes + FRAME_HEADER_BYTES + at;
    memcpy(kept, field, sizeof kept);
    store_u64(raw, value);
    memcpy(field, raw, (size_t)width);
    edb_status status = decode_group(frame, &group);
    memcpy(field, kept, sizeof kept);
    return status;
}

static void test_refused_preambles(void **state)
{
    (void)state;
    struct random_source random = seeded_random("test_record_bytes");
    struct frame frame;
    struct group group;
    make_frame(&random, &frame);
    assert_int_equal(with_preamble(&frame, 4, RECORDS + 1, 4), EDB_CORRUPT);
    assert_int_equal(with_preamble(&frame, 4, UINT32_MAX, 4), EDB_CORRUPT);
    assert_int_equal(with_preamble(&frame, 8, RECORD_BYTES - 1, 2), EDB_CORRUPT);
    assert_int_equal(with_preamble(&frame, 10, 1, 2), EDB_FORMAT); /* codec */
    assert_int_equal(with_preamble(&frame, 16, HEAP + 1, 4), EDB_CORRUPT);
    assert_int_equal(with_preamble(&frame, 20, FRAME_HEADER_BYTES, 4), EDB_CORRUPT);
    assert_int_equal(with_preamble(&frame, 24, frame.frame_bytes, 4), EDB_CORRUPT);
    assert_int_equal(with_preamble(&frame, 24, UINT32_MAX, 4), EDB_CORRUPT);
    for (uint64_t count = 0; count < GROUP_PREAMBLE_BYTES; count++) {
        uint8_t *exact = malloc(count + 1);
        memcpy(exact, frame.bytes + FRAME_HEADER_BYTES, count);
        assert_int_equal(group_decode(exact, count, frame.frame_bytes, &group), EDB_CORRUPT);
        free(exact);
    }
    free_frame(&frame);
}

/* A text without its NUL is no text: what a view hands out can be used as a C string. */
static void test_text_needs_its_nul(void **state)
{
    (void)state;
    struct random_source random = seeded_random("test_record_bytes");
    struct frame frame;
    struct group group;
    struct record record;
    do {
        make_frame(&random, &frame);
        if (frame.records[2].flags & RECORD_TEXT)
            break;
        free_frame(&frame);
    } while (true);
    assert_int_equal(decode_group(&frame, &group), EDB_OK);
    frame.bytes[group.heap_offset + frame.records[2].heap_offset + frame.records[2].key_bytes +
                frame.records[2].text_bytes] = 'x';
    assert_int_equal(record_decode(frame.bytes, &group, 2, &record), EDB_CORRUPT);
    free_frame(&frame);
}

/* A vector's checksum is bound to its row and file, a key's hash to its form and file. */
static void test_bound_checksums(void **state)
{
    (void)state;
    const float vector[3] = {1, 2, 3};
    uint64_t sum = record_vector_checksum(vector, sizeof vector, 5, SEED);
    assert_int_equal(sum, record_vector_checksum(vector, sizeof vector, 5, SEED));
    assert_int_not_equal(sum, record_vector_checksum(vector, sizeof vector, 6, SEED));
    assert_int_not_equal(sum, record_vector_checksum(vector, sizeof vector, 5, SEED + 1));
    assert_int_not_equal(sum, record_vector_checksum(vector, 8, 5, SEED));
    uint64_t hash = record_key_hash("key", 3, 0, SEED);
    assert_int_not_equal(hash, record_key_hash("key", 3, 1, SEED));
    assert_int_not_equal(hash, record_key_hash("key", 3, 0, SEED + 7));
    assert_int_not_equal(hash, record_key_hash("kez", 3, 0, SEED));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_any_numbers),
        cmocka_unit_test(test_changed_bits_are_seen),
        cmocka_unit_test(test_refused_fields),
        cmocka_unit_test(test_refused_preambles),
        cmocka_unit_test(test_text_needs_its_nul),
        cmocka_unit_test(test_bound_checksums),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
