/* The layout of ROWS and DEAD sections, private to rows/.
 *
 *   ROWS   rows that have no entry are gone; they cost next to nothing, however many there are
 *     groups    16 bytes for every 4,096 rows up to the last that has an entry: u64 which of its 64
 *               words are stored, u64 how many words are stored before them
 *     words     16 bytes for every 64 rows of which one has an entry: u64 which of them have one,
 *               u64 how many entries there are before them; padded to 64
 *     entries   32 bytes a row
 *   entry of a row
 *     u64 frame / 64 (40 bits), key bytes (17), key form (4), extras / 2 (3)
 *     u64 key offset (27), index (20), extra bytes: the low 17 bits
 *     u64 vector offset (27), vector bytes (26), extra bytes: the high 11 bits
 *     u32 expiry, u32 cost
 *   DEAD
 *     head 64   u64 rows
 *     bits      the first row of the chunk in the lowest bit of the first byte
 *
 * Words and groups are those of all row numbers: row r has bit r % 64 of word r / 64, which is bit
 * r / 64 % 64 of group r / 4096. */
#ifndef EDB_ROWS_ROWS_SECTION_H
#define EDB_ROWS_ROWS_SECTION_H

#include "base/bytes.h"
#include "base/checked.h"
#include "format/format.h"
#include "rows/rows.h"

enum {
    ROWS_SECTION_VERSION = 1,
    ROWS_SET_BYTES = 16, /* a group, or a word */
    ROWS_GROUP_ROWS = 4096,
    DEAD_HEAD_BYTES = 64,
};

enum {
    PLACE_FRAME_BITS = 40, /* a file of 64 TiB in steps of 64 bytes */
    PLACE_KEY_BITS = 17,
    PLACE_FORM_BITS = 4,
    PLACE_OFFSET_BITS = 27, /* in a GROUP of 64 MiB, its end included */
    PLACE_INDEX_BITS = 20,  /* of its records, 80 bytes each */
    PLACE_VECTOR_BITS = 26,
    PLACE_EXTRA_LOW_BITS = 64 - PLACE_OFFSET_BITS - PLACE_INDEX_BITS,
    PLACE_FORM_AT = PLACE_FRAME_BITS + PLACE_KEY_BITS,
    PLACE_EXTRAS_AT = PLACE_FORM_AT + PLACE_FORM_BITS,
};

/* Bits [from, from + count) of a number. */
static inline uint32_t rows_bits(uint64_t number, unsigned from, unsigned count)
{
    return (uint32_t)(number >> from & ((1ull << count) - 1));
}

static inline void rows_encode_place(const struct row_place *place, uint8_t *at)
{
    uint64_t kind = place->key_form | (uint64_t)(place->extras >> 1) << PLACE_FORM_BITS;
    uint64_t extra = place->extra_bytes;
    store_u64(at, place->frame / FRAME_ALIGN | (uint64_t)place->key_bytes << PLACE_FRAME_BITS |
                      kind << PLACE_FORM_AT);
    store_u64(at + 8, place->key_offset | (uint64_t)place->index << PLACE_OFFSET_BITS |
                          extra << (PLACE_OFFSET_BITS + PLACE_INDEX_BITS));
    store_u64(at + 16,
              place->vector_offset | (uint64_t)place->vector_bytes << PLACE_OFFSET_BITS |
                  extra >> PLACE_EXTRA_LOW_BITS << (PLACE_OFFSET_BITS + PLACE_VECTOR_BITS));
    store_u32(at + 24, place->expiry_s);
    store_u32(at + 28, place->cost);
}

static inline void rows_decode_place(const uint8_t *at, struct row_place *out)
{
    uint64_t record = load_u64(at);
    uint64_t key = load_u64(at + 8);
    uint64_t vector = load_u64(at + 16);
    out->frame = (record & ((1ull << PLACE_FRAME_BITS) - 1)) * FRAME_ALIGN;
    out->key_bytes = rows_bits(record, PLACE_FRAME_BITS, PLACE_KEY_BITS);
    out->key_form = (uint8_t)rows_bits(record, PLACE_FORM_AT, PLACE_FORM_BITS);
    out->extras = (uint8_t)(record >> PLACE_EXTRAS_AT << 1);
    out->key_offset = rows_bits(key, 0, PLACE_OFFSET_BITS);
    out->index = rows_bits(key, PLACE_OFFSET_BITS, PLACE_INDEX_BITS);
    out->vector_offset = rows_bits(vector, 0, PLACE_OFFSET_BITS);
    out->vector_bytes = rows_bits(vector, PLACE_OFFSET_BITS, PLACE_VECTOR_BITS);
    out->extra_bytes =
        (uint32_t)(key >> (PLACE_OFFSET_BITS + PLACE_INDEX_BITS) |
                   vector >> (PLACE_OFFSET_BITS + PLACE_VECTOR_BITS) << PLACE_EXTRA_LOW_BITS);
    out->expiry_s = load_u32(at + 24);
    out->cost = load_u32(at + 28);
}

/* The row behind those that the groups speak of; what is between it and the section's last is
 * gone. */
static inline uint64_t rows_groups_end(const struct section_descriptor *descriptor)
{
    uint64_t end = (descriptor->first / ROWS_GROUP_ROWS + descriptor->groups) * ROWS_GROUP_ROWS;
    return end < descriptor->last ? end : descriptor->last;
}

static inline uint64_t rows_words_offset(const struct section_descriptor *descriptor)
{
    return (uint64_t)ROWS_SET_BYTES * descriptor->groups;
}

static inline uint64_t rows_entries_offset(const struct section_descriptor *descriptor)
{
    return round_up(rows_words_offset(descriptor) + ROWS_SET_BYTES * descriptor->words, 64);
}

/* Blocks of sections that verify now, for what goes into a new section. */
struct rows_copy {
    struct store_section_copy groups;
    struct store_section_copy words;
    struct store_section_copy entries;
    struct store_section_copy dead;
};

/* rows_place and rows_next_live out of copies that verify now, for rows asked for in order. NULL:
 * as they are in the map. */
edb_status rows_place_copied(const struct rows *rows, uint64_t row, struct rows_copy *copy,
                             struct row_place *place_out);
edb_status rows_next_live_copied(const struct rows *rows, uint64_t row, uint64_t end,
                                 struct rows_copy *copy, struct rows_word *out);

/* Bytes of a section: in place, or in a copy that verifies now when there is one. */
static inline const uint8_t *rows_bytes_at(struct store_section *section, uint64_t offset,
                                           size_t count, struct store_section_copy *copy)
{
    return copy != NULL ? store_section_copy_at(copy, section, offset, count)
                        : store_section_at(section, offset, count);
}

/* EDB_CORRUPT with the sentence. */
edb_status rows_section_damaged(const struct store_section *section);

/* ------------------------------------------------------------------------------- rows_tail.c */

/* The entry of a row in the tail; NULL when it has none. */
const uint8_t *rows_tail_entry(const struct rows_tail *tail, uint64_t row);

/* Which rows of the word that begins with `row` have an entry in the tail. */
uint64_t rows_tail_word(const struct rows_tail *tail, uint64_t row);

/* The first row from `row` on that has an entry in the tail; ROW_NONE when there is none. */
uint64_t rows_tail_next(const struct rows_tail *tail, uint64_t row);

/* ------------------------------------------------------------------------------ rows_chunk.c */

/* Which rows of the word that begins with `row` are marked as gone. */
edb_status rows_dead_word(const struct rows *rows, uint64_t row, struct store_section_copy *copy,
                          uint64_t *bits_out);

#endif
