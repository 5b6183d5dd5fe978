/* The tail of the row directory, the bits of rows that are gone, and which vectors were verified.
 * Called when groups are applied and when sections are adopted. */
#include <assert.h>
#include <string.h>

#include "base/memory.h"
#include "rows/rows.h"
#include "rows/rows_section.h"

enum { CHUNK_BITS_BYTES = ROWS_CHUNK_ROWS / 8 };

static edb_status grow_array(void **array, size_t *count, size_t wanted, size_t bytes)
{
    if (wanted <= *count)
        return EDB_OK;
    uint8_t *grown = memory_resize(*array, wanted, bytes);
    if (grown == NULL)
        return memory_failed(wanted * bytes);
    memset(grown + *count * bytes, 0, (wanted - *count) * bytes);
    *array = grown;
    *count = wanted;
    return EDB_OK;
}

/* Room to note, for every row below `limit`, that its vector was verified. */
static edb_status reserve_checked(struct rows_checked *checked, uint64_t limit)
{
    size_t wanted = (size_t)((limit + ROWS_CHUNK_ROWS - 1) / ROWS_CHUNK_ROWS);
    return grow_array((void **)&checked->chunks, &checked->count, wanted, sizeof *checked->chunks);
}

edb_status rows_reserve(struct rows *rows, size_t count)
{
    size_t needed = rows->tail_count + count;
    if (needed > rows->tail_capacity) {
        size_t capacity = rows->tail_capacity ? 2 * rows->tail_capacity : 64;
        if (capacity < needed)
            capacity = needed;
        uint8_t *grown = memory_resize(rows->tail, capacity, ROWS_ENTRY_BYTES);
        if (grown == NULL)
            return memory_failed(capacity * ROWS_ENTRY_BYTES);
        rows->tail = grown;
        rows->tail_capacity = capacity;
    }
    return reserve_checked(&rows->checked, rows->tail_first + needed);
}

/* Fills the copy in memory with what the section says. */
static edb_status copy_bits(struct rows_chunk *chunk)
{
    struct store_section_copy copy = {0};
    uint8_t *bits = memory_zeroed(CHUNK_BITS_BYTES, 1);
    if (bits == NULL)
        return memory_failed(CHUNK_BITS_BYTES);
    if (chunk->section != NULL) {
        uint64_t bytes = chunk->section->descriptor.body_bytes - ROWS_HEAD_BYTES;
        for (uint64_t at = 0; at < bytes; at++) {
            const uint8_t *byte =
                store_section_copy_at(&copy, chunk->section, ROWS_HEAD_BYTES + at, 1);
            if (byte == NULL) {
                memory_free(bits);
                return rows_section_damaged(chunk->section);
            }
            bits[at] = *byte;
        }
    }
    chunk->bits = bits;
    return EDB_OK;
}

edb_status rows_reserve_kill(struct rows *rows, uint64_t victim)
{
    size_t number = (size_t)(victim / ROWS_CHUNK_ROWS);
    edb_status status =
        grow_array((void **)&rows->chunks, &rows->chunk_count, number + 1, sizeof *rows->chunks);
    if (status == EDB_OK && rows->chunks[number].bits == NULL)
        status = copy_bits(&rows->chunks[number]);
    return status;
}

void rows_add(struct rows *rows, const struct row_place *place)
{
    assert(rows->tail_count < rows->tail_capacity);
    rows_encode_place(place, rows->tail + rows->tail_count * ROWS_ENTRY_BYTES);
    rows->tail_count++;
}

bool rows_kill(struct rows *rows, uint64_t row)
{
    struct rows_chunk *chunk = &rows->chunks[row / ROWS_CHUNK_ROWS];
    uint8_t *byte = &chunk->bits[row % ROWS_CHUNK_ROWS / 8];
    uint8_t bit = (uint8_t)(1u << (row % 8));
    if (*byte & bit)
        return false;
    *byte |= bit;
    chunk->changed = true;
    return true;
}

void rows_adopt(struct rows *rows, struct store_section_list *sections, uint64_t covered)
{
    store_section_list_replace(&rows->sections, sections);
    if (covered <= rows->tail_first)
        return;
    uint64_t gone = covered - rows->tail_first;
    if (gone > rows->tail_count)
        gone = rows->tail_count;
    rows->tail_count -= (size_t)gone;
    if (rows->tail_count > 0)
        memmove(rows->tail, rows->tail + gone * ROWS_ENTRY_BYTES,
                rows->tail_count * ROWS_ENTRY_BYTES);
    rows->tail_first = covered;
    if (rows->tail_count == 0) {
        memory_free(rows->tail);
        rows->tail = NULL;
        rows->tail_capacity = 0;
    }
}

/* Whether a section says what the copy in memory says: then the copy is not needed. */
static bool section_equals(struct store_section *section, const uint8_t *bits)
{
    uint64_t bytes = section->descriptor.body_bytes - ROWS_HEAD_BYTES;
    for (uint64_t at = 0; at < bytes; at += SECTION_BLOCK_BYTES / 2) {
        size_t count =
            bytes - at < SECTION_BLOCK_BYTES / 2 ? (size_t)(bytes - at) : SECTION_BLOCK_BYTES / 2;
        const uint8_t *part = store_section_at(section, ROWS_HEAD_BYTES + at, count);
        if (part == NULL || memcmp(part, bits + at, count) != 0)
            return false;
    }
    for (uint64_t at = bytes; at < CHUNK_BITS_BYTES; at++)
        if (bits[at] != 0)
            return false;
    return true;
}

static void adopt_chunk(struct rows_chunk *chunk, struct store_section *section)
{
    store_section_close(chunk->section);
    chunk->section = store_section_share(section);
    if (chunk->bits != NULL && section_equals(section, chunk->bits)) {
        memory_free(chunk->bits);
        chunk->bits = NULL;
        chunk->changed = false;
    }
}

static size_t chunk_of(const struct store_section *section)
{
    return (size_t)(section->entry.first / ROWS_CHUNK_ROWS);
}

edb_status rows_adopt_dead(struct rows *rows, const struct store_section_list *sections)
{
    if (sections->count == 0)
        return EDB_OK;
    size_t wanted = chunk_of(sections->items[sections->count - 1]) + 1;
    edb_status status =
        grow_array((void **)&rows->chunks, &rows->chunk_count, wanted, sizeof *rows->chunks);
    for (size_t i = 0; i < sections->count && status == EDB_OK; i++)
        adopt_chunk(&rows->chunks[chunk_of(sections->items[i])], sections->items[i]);
    return status;
}

edb_status rows_keep(const struct rows *rows, struct rows *kept_out)
{
    memset(kept_out, 0, sizeof *kept_out);
    kept_out->tail = memory_zeroed(rows->tail_count, ROWS_ENTRY_BYTES);
    if (kept_out->tail == NULL)
        return memory_failed(rows->tail_count * ROWS_ENTRY_BYTES);
    edb_status status = store_section_list_share(&rows->sections, &kept_out->sections);
    if (status != EDB_OK) {
        rows_close(kept_out);
        return status;
    }
    kept_out->tail_first = rows->tail_first;
    kept_out->tail_count = rows->tail_count;
    if (rows->tail_count > 0)
        memcpy(kept_out->tail, rows->tail, rows->tail_count * ROWS_ENTRY_BYTES);
    return EDB_OK;
}

void rows_close(struct rows *rows)
{
    store_section_list_close(&rows->sections);
    for (size_t i = 0; i < rows->chunk_count; i++) {
        store_section_close(rows->chunks[i].section);
        memory_free(rows->chunks[i].bits);
    }
    for (size_t i = 0; i < rows->checked.count; i++)
        memory_free((void *)atomic_load(&rows->checked.chunks[i]));
    memory_free((void *)rows->checked.chunks);
    memory_free(rows->chunks);
    memory_free(rows->tail);
    memset(rows, 0, sizeof *rows);
}
