/* Marks of rows, in chunks; what was touched; the ghosts. Called by db/ when groups and notes are
 * applied, and by every read of a space that has a budget. */
#include <string.h>

#include "base/memory.h"
#include "evict/evict.h"
#include "evict/evict_mark.h"
#include "format/format.h"

/* Where the chunk is, or would be. */
static size_t place_of(const struct evict *evict, uint64_t number)
{
    size_t low = 0;
    size_t high = evict->chunk_count;
    if (number < high && evict->chunks[number].number == number)
        return (size_t)number;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (evict->chunks[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct evict_chunk *chunk_of(const struct evict *evict, uint64_t row)
{
    uint64_t number = row / EVICT_CHUNK_ROWS;
    size_t at = place_of(evict, number);
    bool there = at < evict->chunk_count && evict->chunks[at].number == number;
    return there ? &evict->chunks[at] : NULL;
}

static void drop_chunk(struct evict *evict, size_t at)
{
    struct evict_chunk *chunk = &evict->chunks[at];
    memory_free(chunk->marks);
    memory_free((void *)chunk->uses);
    evict->chunk_count--;
    memmove(chunk, chunk + 1, (evict->chunk_count - at) * sizeof *chunk);
}

/* The newest chunk is kept when its rows are gone, for more come there; until a newer one comes. */
edb_status evict_reserve(struct evict *evict, uint64_t row)
{
    size_t count = evict->chunk_count;
    if (chunk_of(evict, row) != NULL)
        return EDB_OK;
    if (count > 0 && evict->chunks[count - 1].emptied &&
        evict->chunks[count - 1].number < row / EVICT_CHUNK_ROWS)
        drop_chunk(evict, count - 1);
    size_t at = place_of(evict, row / EVICT_CHUNK_ROWS);
    struct evict_chunk *grown = memory_resize(evict->chunks, evict->chunk_count + 1, sizeof *grown);
    if (grown == NULL)
        return memory_failed((evict->chunk_count + 1) * sizeof *grown);
    evict->chunks = grown;
    uint16_t *marks = memory_zeroed(EVICT_CHUNK_ROWS, sizeof *marks);
    void *uses = memory_zeroed(EVICT_CHUNK_ROWS, 1);
    if (marks == NULL || uses == NULL) {
        memory_free(marks);
        memory_free(uses);
        return memory_failed(3 * EVICT_CHUNK_ROWS);
    }
    memmove(grown + at + 1, grown + at, (evict->chunk_count - at) * sizeof *grown);
    memset(&grown[at], 0, sizeof *grown);
    grown[at].number = row / EVICT_CHUNK_ROWS;
    grown[at].marks = marks;
    grown[at].uses = uses;
    evict->chunk_count++;
    return EDB_OK;
}

void evict_count(struct evict *evict, uint64_t row, uint32_t rows)
{
    struct evict_chunk *chunk = chunk_of(evict, row);
    if (chunk == NULL)
        return;
    chunk->live += rows;
    chunk->emptied = false;
    evict->rows += rows;
}

/* Rows only come behind the newest chunk: one without rows is not asked for again. */
void evict_uncount(struct evict *evict, uint64_t row)
{
    struct evict_chunk *chunk = chunk_of(evict, row);
    if (chunk == NULL || chunk->live == 0)
        return;
    chunk->live--;
    evict->rows--;
    size_t at = (size_t)(chunk - evict->chunks);
    chunk->emptied = chunk->live == 0;
    if (chunk->emptied && at + 1 < evict->chunk_count)
        drop_chunk(evict, at);
}

void evict_note_saved(struct evict *evict, const struct catalog_section *section)
{
    struct evict_chunk *chunk = chunk_of(evict, section->first);
    if (chunk == NULL)
        return;
    chunk->saved = *section;
    chunk->changed = false;
}

void evict_close(struct evict *evict)
{
    for (size_t i = 0; i < evict->chunk_count; i++) {
        memory_free(evict->chunks[i].marks);
        memory_free((void *)evict->chunks[i].uses);
    }
    memory_free(evict->chunks);
    memory_free(evict->ghosts.slots);
    memset(evict, 0, sizeof *evict);
}

uint16_t evict_mark(const struct evict *evict, uint64_t row)
{
    const struct evict_chunk *chunk = chunk_of(evict, row);
    return chunk != NULL ? chunk->marks[row % EVICT_CHUNK_ROWS] : 0;
}

void evict_set_mark(struct evict *evict, uint64_t row, uint16_t mark)
{
    struct evict_chunk *chunk = chunk_of(evict, row);
    if (chunk == NULL || chunk->marks[row % EVICT_CHUNK_ROWS] == mark)
        return;
    chunk->marks[row % EVICT_CHUNK_ROWS] = mark;
    chunk->changed = true;
}

/* ----------------------------------------------------------------------------- what was touched */

/* Two threads at once may count one use: it is a hint. */
void evict_touch(struct evict *evict, uint64_t row)
{
    struct evict_chunk *chunk = chunk_of(evict, row);
    if (chunk == NULL)
        return;
    _Atomic uint8_t *uses = &chunk->uses[row % EVICT_CHUNK_ROWS];
    uint8_t count = atomic_load_explicit(uses, memory_order_relaxed);
    if (count < EVICT_USES_MAX)
        atomic_store_explicit(uses, (uint8_t)(count + 1), memory_order_relaxed);
    if (!atomic_load_explicit(&chunk->touched, memory_order_relaxed))
        atomic_store_explicit(&chunk->touched, true, memory_order_relaxed);
}

/* Whether none of the eight rows from `i` on was touched: mostly that is so. */
static bool eight_untouched(const struct evict_chunk *chunk, size_t i)
{
    const void *at = (const void *)&chunk->uses[i];
    return __atomic_load_n((const uint64_t *)at, __ATOMIC_RELAXED) == 0;
}

static bool touched_in_chunk(struct evict_chunk *chunk, uint64_t *row, unsigned *uses_out)
{
    for (size_t i = *row % EVICT_CHUNK_ROWS; i < EVICT_CHUNK_ROWS; i++) {
        if (i % 8 == 0 && eight_untouched(chunk, i)) {
            i += 7;
            continue;
        }
        uint8_t count = atomic_load_explicit(&chunk->uses[i], memory_order_relaxed);
        if (count == 0)
            continue;
        atomic_store_explicit(&chunk->uses[i], 0, memory_order_relaxed);
        *row = chunk->number * EVICT_CHUNK_ROWS + i;
        *uses_out = count;
        return true;
    }
    return false;
}

bool evict_touched(struct evict *evict, uint64_t row, uint64_t *row_out, unsigned *uses_out)
{
    for (size_t at = place_of(evict, row / EVICT_CHUNK_ROWS); at < evict->chunk_count; at++) {
        struct evict_chunk *chunk = &evict->chunks[at];
        uint64_t from = chunk->number * EVICT_CHUNK_ROWS;
        *row_out = row > from ? row : from;
        if (!atomic_exchange(&chunk->touched, false))
            continue;
        if (touched_in_chunk(chunk, row_out, uses_out)) {
            atomic_store_explicit(&chunk->touched, true, memory_order_relaxed); /* maybe more */
            return true;
        }
        row = from + EVICT_CHUNK_ROWS;
    }
    return false;
}

/* ---------------------------------------------------------------------------------- the ghosts */

enum { GHOST_GROUP = 4, GHOSTS_MIN = 1 << 10, GHOSTS_MAX = 1 << 20 };

static struct evict_ghost *group_of(const struct evict_ghosts *ghosts, uint64_t key_hash)
{
    return &ghosts->slots[(size_t)key_hash & ghosts->mask & ~(size_t)(GHOST_GROUP - 1)];
}

/* As many as there are rows, within bounds; what was remembered is forgotten when there are many
 * more. Without memory for it there are none. */
void evict_size_ghosts(struct evict_ghosts *ghosts, uint64_t rows)
{
    size_t wanted = GHOSTS_MIN;
    while (wanted < rows && wanted < GHOSTS_MAX)
        wanted *= 2;
    if (ghosts->slots != NULL && ghosts->mask + 1 >= wanted)
        return;
    memory_free(ghosts->slots);
    *ghosts = (struct evict_ghosts){.slots = memory_zeroed(wanted, sizeof *ghosts->slots),
                                    .mask = wanted - 1,
                                    .clock = GHOSTS_MAX};
}

void evict_add_ghost(struct evict_ghosts *ghosts, uint64_t key_hash)
{
    if (ghosts->slots == NULL)
        return;
    struct evict_ghost *group = group_of(ghosts, key_hash);
    struct evict_ghost *oldest = group;
    for (int i = 1; i < GHOST_GROUP; i++)
        if (ghosts->clock - group[i].when > ghosts->clock - oldest->when)
            oldest = &group[i];
    ghosts->clock++;
    *oldest = (struct evict_ghost){(uint32_t)(key_hash >> 32), ghosts->clock};
}

bool evict_take_ghost(struct evict_ghosts *ghosts, uint64_t key_hash, uint64_t age_max)
{
    if (ghosts->slots == NULL)
        return false;
    struct evict_ghost *group = group_of(ghosts, key_hash);
    for (int i = 0; i < GHOST_GROUP; i++)
        if (group[i].tag == (uint32_t)(key_hash >> 32) &&
            ghosts->clock - group[i].when <= age_max) {
            group[i].when = ghosts->clock - GHOSTS_MAX;
            return true;
        }
    return false;
}
