/* Which rows are gone, and which vectors were verified, a chunk of rows at a time. Called by every
 * read, when groups are applied, and when sections are adopted. */
#include <string.h>

#include "base/memory.h"
#include "base/numbered.h"
#include "rows/rows.h"
#include "rows/rows_section.h"

enum { CHUNK_BITS_BYTES = ROWS_CHUNK_ROWS / 8 };

static size_t place_of(const struct rows *rows, uint64_t number)
{
    return numbered_place(rows->chunks, rows->chunk_count, sizeof *rows->chunks, number);
}

/* NULL when nothing is known of it. */
static struct rows_chunk *chunk_of(const struct rows *rows, uint64_t row)
{
    uint64_t number = row / ROWS_CHUNK_ROWS;
    size_t at = place_of(rows, number);
    bool there = at < rows->chunk_count && rows->chunks[at].number == number;
    return there ? &rows->chunks[at] : NULL;
}

edb_status rows_reserve_chunk(struct rows *rows, uint64_t row)
{
    if (chunk_of(rows, row) != NULL)
        return EDB_OK;
    size_t at = place_of(rows, row / ROWS_CHUNK_ROWS);
    struct rows_chunk *grown = memory_resize(rows->chunks, rows->chunk_count + 1, sizeof *grown);
    if (grown == NULL)
        return memory_failed((rows->chunk_count + 1) * sizeof *grown);
    rows->chunks = grown;
    memmove(grown + at + 1, grown + at, (rows->chunk_count - at) * sizeof *grown);
    memset(&grown[at], 0, sizeof *grown);
    grown[at].number = row / ROWS_CHUNK_ROWS;
    rows->chunk_count++;
    return EDB_OK;
}

/* --------------------------------------------------------------------------------- what is gone */

edb_status rows_reserve_chunks(struct rows *rows)
{
    edb_status status = EDB_OK;
    for (size_t i = 0; i < rows->sections.count; i++) {
        const struct section_descriptor *descriptor = &rows->sections.items[i]->descriptor;
        uint64_t end = descriptor->groups > 0 ? rows_groups_end(descriptor) : 0;
        for (uint64_t row = descriptor->first; row < end && status == EDB_OK;
             row = (row / ROWS_CHUNK_ROWS + 1) * ROWS_CHUNK_ROWS)
            status = rows_reserve_chunk(rows, row);
    }
    return status;
}

/* Bytes of bits from row number `bit` of the chunk on; NULL: none of those rows is gone. */
static edb_status bits_at(const struct rows_chunk *chunk, uint64_t bit, size_t count,
                          struct store_section_copy *copy, const uint8_t **bits_out)
{
    *bits_out = NULL;
    if (chunk == NULL)
        return EDB_OK;
    if (chunk->bits != NULL) {
        *bits_out = chunk->bits + bit / 8;
        return EDB_OK;
    }
    if (chunk->section == NULL)
        return EDB_OK;
    uint64_t bytes = chunk->section->descriptor.body_bytes - DEAD_HEAD_BYTES;
    if (bit / 8 + count > bytes)
        return EDB_OK;
    *bits_out = rows_bytes_at(chunk->section, DEAD_HEAD_BYTES + bit / 8, count, copy);
    return *bits_out != NULL ? EDB_OK : rows_section_damaged(chunk->section);
}

edb_status rows_dead(const struct rows *rows, uint64_t row, bool *dead_out)
{
    const uint8_t *byte;
    uint64_t bit = row % ROWS_CHUNK_ROWS;
    edb_status status = bits_at(chunk_of(rows, row), bit, 1, NULL, &byte);
    *dead_out = byte != NULL && (*byte >> (bit % 8) & 1);
    return status;
}

edb_status rows_dead_word(const struct rows *rows, uint64_t row, struct store_section_copy *copy,
                          uint64_t *bits_out)
{
    const struct rows_chunk *chunk = chunk_of(rows, row);
    edb_status status = EDB_OK;
    *bits_out = 0;
    for (unsigned i = 0; i < ROWS_WORD_ROWS / 8 && status == EDB_OK; i++) {
        const uint8_t *byte;
        status = bits_at(chunk, row % ROWS_CHUNK_ROWS + 8ull * i, 1, copy, &byte);
        if (byte != NULL)
            *bits_out |= (uint64_t)*byte << (8 * i);
    }
    return status;
}

/* What the section says, a piece at a time that no block's end divides. */
static edb_status copy_section(struct store_section *section, uint8_t *bits)
{
    struct store_section_copy copy = {0};
    uint64_t bytes = section->descriptor.body_bytes - DEAD_HEAD_BYTES;
    for (uint64_t at = 0; at < bytes; at += DEAD_HEAD_BYTES) {
        size_t count = bytes - at < DEAD_HEAD_BYTES ? (size_t)(bytes - at) : DEAD_HEAD_BYTES;
        const uint8_t *piece = store_section_copy_at(&copy, section, DEAD_HEAD_BYTES + at, count);
        if (piece == NULL)
            return rows_section_damaged(section);
        memcpy(bits + at, piece, count);
    }
    return EDB_OK;
}

/* Fills the copy in memory. */
static edb_status copy_bits(struct rows_chunk *chunk)
{
    uint8_t *bits = memory_zeroed(CHUNK_BITS_BYTES, 1);
    if (bits == NULL)
        return memory_failed(CHUNK_BITS_BYTES);
    edb_status status = chunk->section != NULL ? copy_section(chunk->section, bits) : EDB_OK;
    if (status != EDB_OK)
        memory_free(bits);
    else
        chunk->bits = bits;
    return status;
}

edb_status rows_reserve_kill(struct rows *rows, uint64_t victim)
{
    struct row_place place;
    edb_status status = rows_place(rows, victim, &place);
    if (status == EDB_OK || status == EDB_NOT_FOUND)
        status = rows_reserve_chunk(rows, victim);
    if (status != EDB_OK)
        return status;
    struct rows_chunk *chunk = chunk_of(rows, victim);
    return chunk->bits == NULL ? copy_bits(chunk) : EDB_OK;
}

/* A compaction leaves expired rows out that others may name later: they have no place. */
bool rows_kill(struct rows *rows, uint64_t row, struct row_place *place_out)
{
    struct rows_chunk *chunk = chunk_of(rows, row);
    uint8_t *byte = &chunk->bits[row % ROWS_CHUNK_ROWS / 8];
    uint8_t bit = (uint8_t)(1u << (row % 8));
    if (*byte & bit || rows_place(rows, row, place_out) != EDB_OK)
        return false;
    *byte |= bit;
    chunk->changed = true;
    return true;
}

/* Whether a section says what the copy in memory says: then the copy is not needed. */
static bool section_equals(struct store_section *section, const uint8_t *bits)
{
    uint64_t bytes = section->descriptor.body_bytes - DEAD_HEAD_BYTES;
    for (uint64_t at = 0; at < bytes; at += SECTION_BLOCK_BYTES / 2) {
        size_t count =
            bytes - at < SECTION_BLOCK_BYTES / 2 ? (size_t)(bytes - at) : SECTION_BLOCK_BYTES / 2;
        const uint8_t *part = store_section_at(section, DEAD_HEAD_BYTES + at, count);
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

edb_status rows_adopt_dead(struct rows *rows, const struct store_section_list *sections)
{
    edb_status status = EDB_OK;
    for (size_t i = 0; i < sections->count && status == EDB_OK; i++)
        status = rows_reserve_chunk(rows, sections->items[i]->entry.first);
    for (size_t i = 0; i < sections->count && status == EDB_OK; i++)
        adopt_chunk(chunk_of(rows, sections->items[i]->entry.first), sections->items[i]);
    return status;
}

/* ---------------------------------------------------------------------------- what was verified */

bool rows_is_checked(const struct rows *rows, uint64_t row)
{
    const struct rows_chunk *chunk = chunk_of(rows, row);
    if (chunk == NULL)
        return false;
    rows_checked_word *words = atomic_load_explicit(&chunk->checked, memory_order_acquire);
    uint64_t bit = row % ROWS_CHUNK_ROWS;
    return words != NULL &&
           (atomic_load_explicit(&words[bit / 64], memory_order_relaxed) >> (bit % 64) & 1);
}

/* The bits of a chunk, made when they are not there; NULL for want of memory. */
static rows_checked_word *checked_words(struct rows_chunk *chunk)
{
    rows_checked_word *there = atomic_load_explicit(&chunk->checked, memory_order_acquire);
    if (there != NULL)
        return there;
    rows_checked_word *made = memory_zeroed(ROWS_CHUNK_ROWS / 64, sizeof *made);
    if (made == NULL || atomic_compare_exchange_strong(&chunk->checked, &there, made))
        return made;
    memory_free((void *)made); /* another thread was first */
    return there;
}

void rows_set_checked(struct rows *rows, uint64_t row)
{
    struct rows_chunk *chunk = chunk_of(rows, row);
    if (chunk == NULL)
        return; /* it is verified again next time */
    rows_checked_word *words = checked_words(chunk);
    uint64_t bit = row % ROWS_CHUNK_ROWS;
    if (words != NULL)
        atomic_fetch_or_explicit(&words[bit / 64], 1ull << (bit % 64), memory_order_relaxed);
}
