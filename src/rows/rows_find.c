/* Looking up a row: tail, or the one section that covers it. Called by every read. */

#include "base/memory.h"
#include "rows/rows.h"
#include "rows/rows_section.h"

/* The section that covers `row`, which is below tail_first. */
static struct store_section *covering_section(const struct rows *rows, uint64_t row)
{
    size_t low = 0;
    size_t high = rows->sections.count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (rows->sections.items[middle]->descriptor.last <= row)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == rows->sections.count || rows->sections.items[low]->descriptor.first > row)
        return NULL;
    return rows->sections.items[low];
}

edb_status rows_section_damaged(const struct store_section *section)
{
    return fail(EDB_CORRUPT, "the %s at %llu is damaged",
                section->entry.kind == SECTION_DEAD ? "section of deleted rows"
                                                    : "row directory section",
                (unsigned long long)section->entry.offset);
}

/* In place, or in a copy that verifies now when there is one. */
static inline const uint8_t *bytes_at(struct store_section *section, uint64_t offset, size_t count,
                                      struct store_section_copy *copy)
{
    return copy != NULL ? store_section_copy_at(copy, section, offset, count)
                        : store_section_at(section, offset, count);
}

/* Where the entry stands in the section's body; *offset_out is 0 when its page is dead. */
static edb_status entry_offset(struct store_section *section, uint64_t row,
                               struct store_section_copy *copy, uint64_t *offset_out)
{
    uint64_t index = row - section->descriptor.first;
    uint64_t pages = rows_pages_of(section->descriptor.last - section->descriptor.first);
    const uint8_t *slot =
        bytes_at(section, ROWS_HEAD_BYTES + 4 * (index / ROWS_PAGE_ROWS), 4, copy);
    if (slot == NULL)
        return rows_section_damaged(section);
    uint32_t stored = load_u32(slot);
    *offset_out = 0;
    if (stored != 0)
        *offset_out = rows_pages_offset(pages) + (uint64_t)(stored - 1) * ROWS_PAGE_BYTES +
                      index % ROWS_PAGE_ROWS * ROWS_ENTRY_BYTES;
    return EDB_OK;
}

static edb_status find_in_section(const struct rows *rows, uint64_t row, struct rows_copy *copy,
                                  struct row_place *place_out)
{
    struct store_section *section = covering_section(rows, row);
    if (section == NULL)
        return EDB_NOT_FOUND;
    uint64_t offset = 0;
    edb_status status = entry_offset(section, row, copy ? &copy->table : NULL, &offset);
    if (status != EDB_OK)
        return status;
    if (offset == 0)
        return EDB_NOT_FOUND;
    const uint8_t *entry =
        bytes_at(section, offset, ROWS_ENTRY_BYTES, copy ? &copy->entries : NULL);
    if (entry == NULL)
        return rows_section_damaged(section);
    rows_decode_place(entry, place_out);
    return EDB_OK;
}

edb_status rows_place(const struct rows *rows, uint64_t row, struct row_place *place_out)
{
    return rows_place_copied(rows, row, NULL, place_out);
}

edb_status rows_place_copied(const struct rows *rows, uint64_t row, struct rows_copy *copy,
                             struct row_place *place_out)
{
    if (row < rows->tail_first)
        return find_in_section(rows, row, copy, place_out);
    if (row - rows->tail_first >= rows->tail_count)
        return EDB_NOT_FOUND;
    rows_decode_place(rows->tail + (row - rows->tail_first) * ROWS_ENTRY_BYTES, place_out);
    return EDB_OK;
}

void rows_lose_place(const struct rows *rows, uint64_t row)
{
    struct store_section *section = row < rows->tail_first ? covering_section(rows, row) : NULL;
    if (section != NULL)
        atomic_store(&section->lost, true);
}

/* Guesses that no page before it is dead: a wrong guess costs nothing but the guess. */
void rows_prefetch(const struct rows *rows, uint64_t row)
{
    const struct store_section *section =
        row < rows->tail_first ? covering_section(rows, row) : NULL;
    if (section == NULL)
        return;
    uint64_t index = row - section->descriptor.first;
    uint64_t pages = rows_pages_of(section->descriptor.last - section->descriptor.first);
    __builtin_prefetch(section->body + rows_pages_offset(pages) + index * ROWS_ENTRY_BYTES);
}

edb_status rows_dead(const struct rows *rows, uint64_t row, bool *dead_out)
{
    return rows_dead_copied(rows, row, NULL, dead_out);
}

edb_status rows_dead_copied(const struct rows *rows, uint64_t row, struct store_section_copy *copy,
                            bool *dead_out)
{
    uint64_t number = row / ROWS_CHUNK_ROWS;
    *dead_out = false;
    if (number >= rows->chunk_count)
        return EDB_OK;
    const struct rows_chunk *chunk = &rows->chunks[number];
    uint64_t bit = row % ROWS_CHUNK_ROWS;
    const uint8_t *byte = NULL;
    if (chunk->bits != NULL)
        byte = chunk->bits + bit / 8;
    else if (chunk->section != NULL && row < chunk->section->descriptor.last) {
        byte = bytes_at(chunk->section, ROWS_HEAD_BYTES + bit / 8, 1, copy);
        if (byte == NULL)
            return rows_section_damaged(chunk->section);
    }
    *dead_out = byte != NULL && (*byte >> (bit % 8) & 1);
    return EDB_OK;
}

bool rows_is_checked(const struct rows *rows, uint64_t row)
{
    uint64_t number = row / ROWS_CHUNK_ROWS;
    if (number >= rows->checked.count)
        return false;
    rows_checked_word *chunk =
        atomic_load_explicit(&rows->checked.chunks[number], memory_order_acquire);
    uint64_t bit = row % ROWS_CHUNK_ROWS;
    return chunk != NULL &&
           (atomic_load_explicit(&chunk[bit / 64], memory_order_relaxed) >> (bit % 64) & 1);
}

/* The bits of a chunk, made when they are not there; NULL for want of memory. */
static rows_checked_word *checked_chunk(_Atomic(rows_checked_word *) *place)
{
    rows_checked_word *there = atomic_load_explicit(place, memory_order_acquire);
    if (there != NULL)
        return there;
    rows_checked_word *made = memory_zeroed(ROWS_CHUNK_ROWS / 64, sizeof *made);
    if (made == NULL || atomic_compare_exchange_strong(place, &there, made))
        return made;
    memory_free((void *)made); /* another thread was first */
    return there;
}

void rows_set_checked(struct rows *rows, uint64_t row)
{
    uint64_t number = row / ROWS_CHUNK_ROWS;
    if (number >= rows->checked.count)
        return;
    rows_checked_word *chunk = checked_chunk(&rows->checked.chunks[number]);
    uint64_t bit = row % ROWS_CHUNK_ROWS;
    if (chunk != NULL) /* else it is verified again next time */
        atomic_fetch_or_explicit(&chunk[bit / 64], 1ull << (bit % 64), memory_order_relaxed);
}
