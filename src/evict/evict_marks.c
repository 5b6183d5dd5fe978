/* Marks of rows, in chunks; what was touched; the ghosts. Called by db/ when groups and notes are
 * applied, and by every read of a space that has a budget. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/numbered.h"
#include "embedcache.h"
#include "evict/evict.h"
#include "evict/evict_mark.h"
#include "format/format.h"

static size_t place_of(const struct evict *evict, uint64_t number)
{
    return numbered_place(evict->chunks, evict->chunk_count, sizeof *evict->chunks, number);
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
    void *uses = memory_zeroed(EVICT_CHUNK_ROWS, sizeof *grown->uses);
    if (marks == NULL || uses == NULL) {
        memory_free(marks);
        memory_free(uses);
        return memory_failed(4 * EVICT_CHUNK_ROWS);
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

enum { TICKS_MAX = UINT16_MAX, TICK_SHARE = 256 };

/* In LRU: when it is, since the last uses were handed over. Behind the last tick all is the same
 * time. */
static uint16_t tick_of(struct evict *evict)
{
    uint64_t touch = atomic_fetch_add_explicit(&evict->touches, 1, memory_order_relaxed);
    uint64_t tick = touch / (evict->touches_tick + 1) + 1;
    return (uint16_t)(tick < TICKS_MAX ? tick : TICKS_MAX);
}

/* Two threads at once may count one use: it is a hint. */
void evict_touch(struct evict *evict, uint64_t row)
{
    struct evict_chunk *chunk = chunk_of(evict, row);
    if (chunk == NULL)
        return;
    _Atomic uint16_t *uses = &chunk->uses[row % EVICT_CHUNK_ROWS];
    uint16_t count = atomic_load_explicit(uses, memory_order_relaxed);
    if (evict->policy == EDB_EVICT_LRU)
        atomic_store_explicit(uses, tick_of(evict), memory_order_relaxed);
    else if (count < EVICT_USES_MAX)
        atomic_store_explicit(uses, (uint16_t)(count + 1), memory_order_relaxed);
    if (!atomic_load_explicit(&chunk->touched, memory_order_relaxed))
        atomic_store_explicit(&chunk->touched, true, memory_order_relaxed);
}

/* Whether none of the four rows from `i` on was touched: mostly that is so. */
static bool four_untouched(const struct evict_chunk *chunk, size_t i)
{
    const void *at = (const void *)&chunk->uses[i];
    return __atomic_load_n((const uint64_t *)at, __ATOMIC_RELAXED) == 0;
}

static size_t take_of_chunk(struct evict_chunk *chunk, struct evict_used *out, size_t max)
{
    size_t count = 0;
    for (size_t i = 0; i < EVICT_CHUNK_ROWS && count < max; i++) {
        if (i % 4 == 0 && four_untouched(chunk, i)) {
            i += 3;
            continue;
        }
        uint16_t uses = atomic_exchange_explicit(&chunk->uses[i], 0, memory_order_relaxed);
        if (uses > 0)
            out[count++] = (struct evict_used){chunk->number * EVICT_CHUNK_ROWS + i, uses};
    }
    if (count == max) /* maybe there are more */
        atomic_store_explicit(&chunk->touched, true, memory_order_relaxed);
    return count;
}

static int compare_ticks(const void *left, const void *right)
{
    const struct evict_used *a = left;
    const struct evict_used *b = right;
    if (a->uses != b->uses)
        return a->uses < b->uses ? -1 : 1;
    return a->row < b->row ? -1 : a->row > b->row;
}

/* What is left keeps its ticks; when nothing is, they begin anew. */
static void put_in_order(struct evict *evict, struct evict_used *used, size_t count, bool all)
{
    qsort(used, count, sizeof *used, compare_ticks);
    for (size_t i = 0; i < count; i++)
        used[i].uses = 1;
    if (!all)
        return;
    evict->touches_tick = evict->rows / TICK_SHARE;
    atomic_store_explicit(&evict->touches, 0, memory_order_relaxed);
}

size_t evict_take_touched(struct evict *evict, struct evict_used *out, size_t max)
{
    size_t count = 0;
    for (size_t i = 0; i < evict->chunk_count && count < max; i++)
        if (atomic_exchange(&evict->chunks[i].touched, false))
            count += take_of_chunk(&evict->chunks[i], out + count, max - count);
    if (evict->policy == EDB_EVICT_LRU && count > 0)
        put_in_order(evict, out, count, count < max);
    return count;
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
