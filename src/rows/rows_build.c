/* Building ROWS and DEAD sections. Called by db_flush; rows_find.c reads them. */
#include <string.h>

#include "base/memory.h"
#include "rows/rows.h"
#include "rows/rows_section.h"

static edb_status open_body(struct store_section_draft *draft, uint16_t kind, uint64_t bytes)
{
    draft->body = memory_aligned((size_t)bytes);
    if (draft->body == NULL)
        return memory_failed((size_t)bytes);
    memset(draft->body, 0, (size_t)bytes);
    draft->descriptor.kind = kind;
    draft->descriptor.version = ROWS_SECTION_VERSION;
    draft->descriptor.body_bytes = bytes;
    return EDB_OK;
}

/* Whether any row of [first, last) is still there. */
static edb_status any_live(const struct rows *rows, uint64_t first, uint64_t last, bool *live_out)
{
    *live_out = false;
    for (uint64_t row = first; row < last && !*live_out; row++) {
        bool dead;
        edb_status status = rows_dead(rows, row, &dead);
        if (status != EDB_OK)
            return status;
        *live_out = !dead;
    }
    return EDB_OK;
}

/* Copies the entries of [first, last) to `at`. Entries of dead pages stay zero. */
static edb_status copy_page(const struct rows *rows, uint64_t first, uint64_t last, uint8_t *at)
{
    for (uint64_t row = first; row < last; row++, at += ROWS_ENTRY_BYTES) {
        struct row_place place;
        edb_status status = rows_place(rows, row, &place);
        if (status == EDB_OK)
            rows_encode_place(&place, at);
        else if (status != EDB_NOT_FOUND)
            return status;
    }
    return EDB_OK;
}

edb_status rows_build(const struct rows *rows, size_t from, uint64_t last,
                      struct store_section_draft *draft)
{
    uint64_t first = from < rows->sections.count ? rows->sections.items[from]->descriptor.first
                                                 : rows->tail_first;
    uint64_t pages = rows_pages_of(last - first);
    uint64_t start = rows_pages_offset(pages);
    draft->descriptor.first = first;
    draft->descriptor.last = last;
    edb_status status = open_body(draft, SECTION_ROWS, start + (last - first) * ROWS_ENTRY_BYTES);
    uint32_t stored = 0;
    uint64_t end = start;
    for (uint64_t page = 0; page < pages && status == EDB_OK; page++) {
        uint64_t begin = first + page * ROWS_PAGE_ROWS;
        uint64_t stop = last - begin < ROWS_PAGE_ROWS ? last : begin + ROWS_PAGE_ROWS;
        bool live;
        status = any_live(rows, begin, stop, &live);
        if (status != EDB_OK || !live)
            continue;
        uint64_t at = start + (uint64_t)stored * ROWS_PAGE_BYTES;
        status = copy_page(rows, begin, stop, draft->body + at);
        end = at + (stop - begin) * ROWS_ENTRY_BYTES;
        store_u32(draft->body + ROWS_HEAD_BYTES + 4 * page, ++stored);
    }
    if (status != EDB_OK)
        return status;
    store_u64(draft->body, last - first);
    store_u64(draft->body + 8, pages);
    store_u64(draft->body + 16, stored);
    draft->descriptor.body_bytes = end;
    return EDB_OK;
}

edb_status rows_build_dead(const struct rows *rows, size_t index, uint64_t last,
                           struct store_section_draft *draft)
{
    uint64_t first = (uint64_t)index * ROWS_CHUNK_ROWS;
    uint64_t count = last - first < ROWS_CHUNK_ROWS ? last - first : ROWS_CHUNK_ROWS;
    draft->descriptor.first = first;
    draft->descriptor.last = first + count;
    edb_status status = open_body(draft, SECTION_DEAD, ROWS_HEAD_BYTES + (count + 7) / 8);
    if (status != EDB_OK)
        return status;
    store_u64(draft->body, count);
    memcpy(draft->body + ROWS_HEAD_BYTES, rows->chunks[index].bits, (count + 7) / 8);
    return EDB_OK;
}

static bool dead_section_valid(const struct store_section *section, uint64_t rows)
{
    const struct section_descriptor *descriptor = &section->descriptor;
    return descriptor->first % ROWS_CHUNK_ROWS == 0 && rows <= ROWS_CHUNK_ROWS &&
           descriptor->body_bytes == ROWS_HEAD_BYTES + (rows + 7) / 8;
}

bool rows_section_valid(const struct store_section *section)
{
    const struct section_descriptor *descriptor = &section->descriptor;
    uint64_t rows = descriptor->last - descriptor->first;
    if (descriptor->version != ROWS_SECTION_VERSION || rows == 0)
        return false;
    if (descriptor->kind == SECTION_DEAD)
        return dead_section_valid(section, rows);
    return descriptor->kind == SECTION_ROWS &&
           descriptor->body_bytes >= rows_pages_offset(rows_pages_of(rows));
}
