/* The layout of ROWS and DEAD sections, private to rows/.
 *
 *   ROWS
 *     head 64   u64 rows, u64 pages in the table, u64 pages stored
 *     table     u32 a page of 128 rows: number of the stored page + 1, or 0 when all its rows are
 *               gone; padded to 64
 *     pages     128 entries of 32 bytes each; the last one may be shorter
 *   entry of a row
 *     u64 frame, u32 index, u32 key offset, u32 key bytes with (form + extras << 4) << 24,
 *     u32 vector offset, u32 vector bytes, u32 zero (kept for an expiry)
 *   DEAD
 *     head 64   u64 rows
 *     bits      the first row of the chunk in the lowest bit of the first byte
 */
#ifndef EDB_ROWS_ROWS_SECTION_H
#define EDB_ROWS_ROWS_SECTION_H

#include "base/bytes.h"
#include "base/checked.h"
#include "rows/rows.h"

enum {
    ROWS_SECTION_VERSION = 1,
    ROWS_HEAD_BYTES = 64,
    ROWS_PAGE_ROWS = 128,
    ROWS_PAGE_BYTES = 4096,
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
    store_u32(at + 28, 0);
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
}

/* Blocks of a ROWS section that verify now: of its table of pages, and of its entries. */
struct rows_copy {
    struct store_section_copy table;
    struct store_section_copy entries;
};

/* rows_place and rows_dead for what goes into a new section: out of copies that verify now, for
 * rows asked for in order. NULL: as they are in the map. */
edb_status rows_place_copied(const struct rows *rows, uint64_t row, struct rows_copy *copy,
                             struct row_place *place_out);
edb_status rows_dead_copied(const struct rows *rows, uint64_t row, struct store_section_copy *copy,
                            bool *dead_out);

/* EDB_CORRUPT with the sentence. */
edb_status rows_section_damaged(const struct store_section *section);

static inline uint64_t rows_pages_of(uint64_t rows)
{
    return (rows + ROWS_PAGE_ROWS - 1) / ROWS_PAGE_ROWS;
}

/* Offset of the first stored page in a body whose table has `pages` entries. */
static inline uint64_t rows_pages_offset(uint64_t pages)
{
    return round_up(ROWS_HEAD_BYTES + 4 * pages, 64);
}

#endif
