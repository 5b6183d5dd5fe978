/* The layout of ROWS and DEAD sections, private to rows/.
 *
 *   ROWS   rows that have no entry are gone; they cost next to nothing, however many there are
 *     groups    16 bytes for every 4,096 rows up to the last that has an entry: u64 which of its 64
 *               words are stored, u64 how many words are stored before them
 *     words     16 bytes for every 64 rows of which one has an entry: u64 which of them have one,
 *               u64 how many entries there are before them; padded to 64
 *     entries   32 bytes a row
 *   entry of a row
 *     u64 frame, u32 index, u32 key offset, u32 key bytes with (form + extras << 4) << 24,
 *     u32 vector offset, u32 vector bytes, u32 expiry
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
#include "rows/rows.h"

enum {
    ROWS_SECTION_VERSION = 1,
    ROWS_SET_BYTES = 16, /* a group, or a word */
    ROWS_GROUP_ROWS = 4096,
    DEAD_HEAD_BYTES = 64,
};

static inline void rows_encode_place(const struct row_place *place, uint8_t *at)
{
    store_u64(at, place->frame);
    store_u32(at + 8, place->index);
    store_u32(at + 12, place->key_offset);
    uint32_t kind = place->key_form | (uint32_t)place->extras << 4;
    store_u32(at + 16, place->key_bytes | kind << 24);
    store_u32(at + 20, place->vector_offset);
    store_u32(at + 24, place->vector_bytes);
    store_u32(at + 28, place->expiry_s);
}

static inline void rows_decode_place(const uint8_t *at, struct row_place *out)
{
    out->frame = load_u64(at);
    out->index = load_u32(at + 8);
    out->key_offset = load_u32(at + 12);
    out->key_bytes = load_u32(at + 16) & 0xffffffu;
    out->key_form = at[19] & 15;
    out->extras = at[19] >> 4;
    out->vector_offset = load_u32(at + 20);
    out->vector_bytes = load_u32(at + 24);
    out->expiry_s = load_u32(at + 28);
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
