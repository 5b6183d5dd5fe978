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

edb_status rows_copy_gone(const struct rows *rows, uint64_t first, uint64_t last,
                          struct rows_gone *out)
{
    struct store_section_copy copy = {0};
    edb_status status = EDB_OK;
    size_t bytes = (size_t)((last - first) / 8 + 1);
    *out = (struct rows_gone){first, memory_zeroed(bytes, 1)};
    if (out->bits == NULL)
        return memory_failed(bytes);
    for (uint64_t row = first; row < last && status == EDB_OK; row++) {
        bool dead = false;
        status = rows_dead_copied(rows, row, &copy, &dead);
        out->bits[(row - first) / 8] |= (uint8_t)(dead << ((row - first) % 8));
    }
    return status;
}

/* Whether any row of [first, last) is still there. */
static bool any_live(const struct rows_gone *gone, uint64_t first, uint64_t last)
{
    for (uint64_t row = first; row < last; row++)
        if (!rows_is_gone(gone, row))
            return true;
    return false;
}

/* Copies the entries of [first, last) to `at`. Entries of dead pages stay zero. */
static edb_status copy_page(const struct rows *rows, uint64_t first, uint64_t last,
                            struct rows_copy *copy, uint8_t *at)
{
    for (uint64_t row = first; row < last; row++, at += ROWS_ENTRY_BYTES) {
        struct row_place place;
        edb_status status = rows_place_copied(rows, row, copy, &place);
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
    struct rows_gone gone = {0};
    struct rows_copy copy = {0};
    edb_status status = open_body(draft, SECTION_ROWS, start + (last - first) * ROWS_ENTRY_BYTES);
    if (status == EDB_OK)
        status = rows_copy_gone(rows, first, last, &gone);
    uint32_t stored = 0;
    uint64_t end = start;
    for (uint64_t page = 0; page < pages && status == EDB_OK; page++) {
        uint64_t begin = first + page * ROWS_PAGE_ROWS;
        uint64_t stop = last - begin < ROWS_PAGE_ROWS ? last : begin + ROWS_PAGE_ROWS;
        if (!any_live(&gone, begin, stop))
            continue;
        uint64_t at = start + (uint64_t)stored * ROWS_PAGE_BYTES;
        status = copy_page(rows, begin, stop, &copy, draft->body + at);
        end = at + (stop - begin) * ROWS_ENTRY_BYTES;
        store_u32(draft->body + ROWS_HEAD_BYTES + 4 * page, ++stored);
    }
    memory_free(gone.bits);
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
