/* Marks of rows, in leaves of chunks; what was touched; the ghosts. Called by db/ when groups and
 * notes are applied, and by every read of a space that has a budget. Leaves come and go with the
 * view lock exclusive, by evict_reserve and by what counts rows: a read finds that of a live
 * row. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/numbered.h"
#include "embedcache.h"
#include "evict/evict.h"
#include "evict/evict_mark.h"
#include "format/format.h"

enum { LEAVES_A_WORD = 64 };

size_t evict_chunk_from(const struct evict *evict, uint64_t number)
{
    return numbered_place(evict->chunks, evict->chunk_count, sizeof *evict->chunks, number);
}

static struct evict_chunk *chunk_of(const struct evict *evict, uint64_t row)
{
    uint64_t number = row / EVICT_CHUNK_ROWS;
    size_t at = evict_chunk_from(evict, number);
    bool there = at < evict->chunk_count && evict->chunks[at].number == number;
    return there ? &evict->chunks[at] : NULL;
}

static uint64_t leaf_number(uint64_t row)
{
    return row / EVICT_LEAF_ROWS % EVICT_CHUNK_LEAVES;
}

static bool is_present(const struct evict_chunk *chunk, uint64_t leaf)
{
    return chunk->present[leaf / LEAVES_A_WORD] >> (leaf % LEAVES_A_WORD) & 1;
}

/* How many leaves stand before one, whether it is there or not. */
static size_t leaf_place(const struct evict_chunk *chunk, uint64_t leaf)
{
    uint64_t lower = (1ull << (leaf % LEAVES_A_WORD)) - 1;
    return chunk->before[leaf / LEAVES_A_WORD] +
           (size_t)__builtin_popcountll(chunk->present[leaf / LEAVES_A_WORD] & lower);
}

static void note_presence(struct evict_chunk *chunk, uint64_t leaf)
{
    chunk->present[leaf / LEAVES_A_WORD] ^= 1ull << (leaf % LEAVES_A_WORD);
    int more = is_present(chunk, leaf) ? 1 : -1;
    chunk->leaf_count += (size_t)more;
    for (uint64_t word = leaf / LEAVES_A_WORD + 1; word < EVICT_CHUNK_LEAVES / LEAVES_A_WORD;
         word++)
        chunk->before[word] = (uint16_t)(chunk->before[word] + more);
}

static struct evict_leaf *leaf_of(const struct evict_chunk *chunk, uint64_t row)
{
    uint64_t leaf = leaf_number(row);
    bool there = chunk != NULL && is_present(chunk, leaf);
    return there ? chunk->leaves[leaf_place(chunk, leaf)] : NULL;
}

struct evict_leaf *evict_leaf_of(const struct evict *evict, uint64_t row)
{
    return leaf_of(chunk_of(evict, row), row);
}

struct evict_leaf *evict_next_leaf(const struct evict *evict, struct evict_place *place)
{
    while (place->chunk < evict->chunk_count &&
           place->leaf == evict->chunks[place->chunk].leaf_count) {
        place->chunk++;
        place->leaf = 0;
    }
    return place->chunk < evict->chunk_count ? evict->chunks[place->chunk].leaves[place->leaf++]
                                             : NULL;
}

/* ------------------------------------------------------------------------------ room for marks */

static void drop_leaf(struct evict_chunk *chunk, uint64_t leaf)
{
    size_t at = leaf_place(chunk, leaf);
    memory_free(chunk->leaves[at]);
    note_presence(chunk, leaf);
    memmove(chunk->leaves + at, chunk->leaves + at + 1,
            (chunk->leaf_count - at) * sizeof(struct evict_leaf *));
}

static void close_chunk(struct evict_chunk *chunk)
{
    for (size_t i = 0; i < chunk->leaf_count; i++)
        memory_free(chunk->leaves[i]);
    memory_free(chunk->leaves);
}

static void drop_chunk(struct evict *evict, size_t at)
{
    struct evict_chunk *chunk = &evict->chunks[at];
    close_chunk(chunk);
    evict->chunk_count--;
    memmove(chunk, chunk + 1, (evict->chunk_count - at) * sizeof *chunk);
}

static edb_status reserve_chunk(struct evict *evict, uint64_t number)
{
    size_t at = evict_chunk_from(evict, number);
    if (at < evict->chunk_count && evict->chunks[at].number == number)
        return EDB_OK;
    edb_status status = memory_reserve(&evict->chunks, &evict->chunk_capacity,
                                       evict->chunk_count + 1, sizeof *evict->chunks);
    if (status != EDB_OK)
        return status;
    struct evict_chunk *chunk = &evict->chunks[at];
    memmove(chunk + 1, chunk, (evict->chunk_count - at) * sizeof *chunk);
    memset(chunk, 0, sizeof *chunk);
    chunk->number = number;
    evict->chunk_count++;
    return EDB_OK;
}

static edb_status add_leaf(struct evict_chunk *chunk, uint64_t row)
{
    edb_status status = memory_reserve(&chunk->leaves, &chunk->leaf_capacity, chunk->leaf_count + 1,
                                       sizeof(struct evict_leaf *));
    struct evict_leaf *leaf = status == EDB_OK ? memory_zeroed(1, sizeof *leaf) : NULL;
    if (leaf == NULL)
        return status == EDB_OK ? memory_failed(sizeof *leaf) : status;
    leaf->first = row - row % EVICT_LEAF_ROWS;
    size_t at = leaf_place(chunk, leaf_number(row));
    memmove(chunk->leaves + at + 1, chunk->leaves + at,
            (chunk->leaf_count - at) * sizeof(struct evict_leaf *));
    chunk->leaves[at] = leaf;
    note_presence(chunk, leaf_number(row));
    return EDB_OK;
}

edb_status evict_reserve(struct evict *evict, uint64_t row)
{
    edb_status status = reserve_chunk(evict, row / EVICT_CHUNK_ROWS);
    if (status != EDB_OK)
        return status;
    struct evict_chunk *chunk = chunk_of(evict, row);
    return leaf_of(chunk, row) == NULL ? add_leaf(chunk, row) : EDB_OK;
}

/* Drops leaves of a chunk that have no live row and of which all rows are below `end`. */
static void drop_empty(struct evict_chunk *chunk, uint64_t end)
{
    for (size_t i = chunk->leaf_count; i-- > 0;)
        if (chunk->leaves[i]->live == 0 && chunk->leaves[i]->first + EVICT_LEAF_ROWS <= end)
            drop_leaf(chunk, leaf_number(chunk->leaves[i]->first));
}

/* Rows only come behind the newest one: what is empty before its leaf is not asked for again. */
static void leave_behind(struct evict *evict, uint64_t row)
{
    uint64_t left = evict->newest_row;
    uint64_t end = row - row % EVICT_LEAF_ROWS;
    if (row <= left)
        return;
    evict->newest_row = row;
    if (left >= end)
        return;
    size_t at = evict_chunk_from(evict, left / EVICT_CHUNK_ROWS);
    while (at < evict->chunk_count && evict->chunks[at].number * EVICT_CHUNK_ROWS < end) {
        drop_empty(&evict->chunks[at], end);
        if (evict->chunks[at].leaf_count == 0)
            drop_chunk(evict, at);
        else
            at++;
    }
}

void evict_count(struct evict *evict, uint64_t first, uint64_t live)
{
    struct evict_chunk *chunk = chunk_of(evict, first);
    struct evict_leaf *leaf = leaf_of(chunk, first);
    uint64_t more = leaf != NULL ? live & ~leaf->live : 0;
    if (more == 0)
        return;
    uint32_t rows = (uint32_t)__builtin_popcountll(more);
    leaf->live |= more;
    chunk->live += rows;
    evict->rows += rows;
    leave_behind(evict, first + 63 - (uint64_t)__builtin_clzll(more));
}

void evict_count_in(struct evict *evict, uint64_t row)
{
    evict_count(evict, row - row % EVICT_LEAF_ROWS, 1ull << (row % EVICT_LEAF_ROWS));
}

static struct evict_leaf *leaf_of_live(const struct evict_chunk *chunk, uint64_t row)
{
    struct evict_leaf *leaf = leaf_of(chunk, row);
    return leaf != NULL && (leaf->live >> (row % EVICT_LEAF_ROWS) & 1) ? leaf : NULL;
}

void evict_uncount(struct evict *evict, uint64_t row)
{
    struct evict_chunk *chunk = chunk_of(evict, row);
    struct evict_leaf *leaf = leaf_of_live(chunk, row);
    if (leaf == NULL)
        return;
    leaf->live &= ~(1ull << (row % EVICT_LEAF_ROWS));
    chunk->live--;
    evict->rows--;
    if (leaf->live == 0 && leaf->first + EVICT_LEAF_ROWS <= evict->newest_row)
        drop_leaf(chunk, leaf_number(row));
    if (chunk->leaf_count == 0)
        drop_chunk(evict, (size_t)(chunk - evict->chunks));
}

void evict_close(struct evict *evict)
{
    for (size_t i = 0; i < evict->chunk_count; i++)
        close_chunk(&evict->chunks[i]);
    memory_free(evict->chunks);
    memory_free(evict->ghosts.slots);
    memset(evict, 0, sizeof *evict);
}

uint16_t evict_mark(const struct evict *evict, uint64_t row)
{
    const struct evict_leaf *leaf = leaf_of_live(chunk_of(evict, row), row);
    return leaf != NULL ? leaf->marks[row % EVICT_LEAF_ROWS] : 0;
}

void evict_set_mark(struct evict *evict, uint64_t row, uint16_t mark)
{
    struct evict_chunk *chunk = chunk_of(evict, row);
    struct evict_leaf *leaf = leaf_of_live(chunk, row);
    if (leaf == NULL || leaf->marks[row % EVICT_LEAF_ROWS] == mark)
        return;
    leaf->marks[row % EVICT_LEAF_ROWS] = mark;
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
    struct evict_leaf *leaf = leaf_of_live(chunk, row);
    if (leaf == NULL)
        return;
    _Atomic uint16_t *uses = &leaf->uses[row % EVICT_LEAF_ROWS];
    uint16_t count = atomic_load_explicit(uses, memory_order_relaxed);
    if (evict->policy == EDB_EVICT_LRU)
        atomic_store_explicit(uses, tick_of(evict), memory_order_relaxed);
    else if (count < EVICT_USES_MAX)
        atomic_store_explicit(uses, (uint16_t)(count + 1), memory_order_relaxed);
    if (!atomic_load_explicit(&chunk->touched, memory_order_relaxed))
        atomic_store_explicit(&chunk->touched, true, memory_order_relaxed);
}

/* Whether none of the four rows from `i` on was touched: mostly that is so. */
static bool four_untouched(const struct evict_leaf *leaf, size_t i)
{
    const void *at = (const void *)&leaf->uses[i];
    return __atomic_load_n((const uint64_t *)at, __ATOMIC_RELAXED) == 0;
}

static size_t take_of_leaf(struct evict_leaf *leaf, struct evict_used *out, size_t max)
{
    size_t count = 0;
    for (size_t i = 0; i < EVICT_LEAF_ROWS && count < max; i++) {
        if (i % 4 == 0 && four_untouched(leaf, i)) {
            i += 3;
            continue;
        }
        uint16_t uses = atomic_exchange_explicit(&leaf->uses[i], 0, memory_order_relaxed);
        if (uses > 0)
            out[count++] = (struct evict_used){leaf->first + i, uses};
    }
    return count;
}

static size_t take_of_chunk(struct evict_chunk *chunk, struct evict_used *out, size_t max)
{
    size_t count = 0;
    for (size_t i = 0; i < chunk->leaf_count && count < max; i++)
        count += take_of_leaf(chunk->leaves[i], out + count, max - count);
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
