/* Marks from file to file: what sections keep of them, and what another view knew. Called by db/
 * where sections are written and adopted, and where the file was written anew. */
#include <string.h>

#include "base/bytes.h"
#include "base/memory.h"
#include "embedcache.h"
#include "evict/evict.h"
#include "evict/evict_mark.h"
#include "format/section.h"

enum {
    HEAD_BYTES = 64,
    HEAD_AT_CLOCK = 0,
    HEAD_AT_ENTRIES = 8,
    HEAD_AT_POLICY = 16,
    ENTRY_BYTES = 6,
    ENTRY_AT_MARK = 4,
    MARK_SAVED = 0xff & ~MARK_NAMED, /* S3-FIFO: what is for others, too */
    REACH_LIVE = EVICT_CHUNK_ROWS,   /* rows */
    INHERITED = 1 << 15,             /* rows that were touched, at a time */
};

static bool is_lru(const struct evict *evict)
{
    return evict->policy == EDB_EVICT_LRU;
}

/* -------------------------------------------------------------------------------- the sections */

bool evict_next_reach(const struct evict *evict, size_t from, uint64_t next_row,
                      struct evict_reach *out)
{
    const struct evict_chunk *chunks = evict->chunks;
    while (from < evict->chunk_count && chunks[from].live == 0)
        from++;
    if (from == evict->chunk_count)
        return false;
    size_t to = from + 1;
    uint64_t live = chunks[from].live;
    while (to < evict->chunk_count && live + chunks[to].live <= REACH_LIVE &&
           chunks[to].number - chunks[from].number < USES_ROWS_MAX / EVICT_CHUNK_ROWS)
        live += chunks[to++].live;
    uint64_t last = (chunks[to - 1].number + 1) * EVICT_CHUNK_ROWS;
    *out = (struct evict_reach){.from = from,
                                .to = to,
                                .first = chunks[from].number * EVICT_CHUNK_ROWS,
                                .last = last < next_row ? last : next_row};
    return true;
}

const struct catalog_section *evict_saved(const struct evict *evict,
                                          const struct evict_reach *reach)
{
    const struct catalog_section *saved = &evict->chunks[reach->from].saved;
    if (saved->frame_bytes == 0 ||
        (saved->last - 1) / EVICT_CHUNK_ROWS != (reach->last - 1) / EVICT_CHUNK_ROWS)
        return NULL;
    for (size_t i = reach->from; i < reach->to; i++)
        if (evict->chunks[i].changed)
            return NULL;
    return saved;
}

/* What an entry says; 0 in S3-FIFO, and the age of rows of which nothing is known in LRU, need
 * none. */
static uint16_t saved_mark(const struct evict *evict, uint16_t mark)
{
    return is_lru(evict) ? (uint16_t)evict_age_of(evict, mark) : mark & MARK_SAVED;
}

static bool has_entry(const struct evict *evict, const struct evict_leaf *leaf, size_t i)
{
    uint16_t mark = saved_mark(evict, leaf->marks[i]);
    bool says = is_lru(evict) ? mark < AGE_MAX && mark < evict->clock
                              : mark != 0 && evict->policy == EDB_EVICT_S3_FIFO;
    return says && (leaf->live >> i & 1);
}

static uint64_t count_entries(const struct evict *evict, const struct evict_reach *reach)
{
    struct evict_place place = {.chunk = reach->from};
    const struct evict_leaf *leaf;
    uint64_t count = 0;
    while ((leaf = evict_next_leaf(evict, &place)) != NULL && leaf->first < reach->last)
        for (size_t i = 0; i < EVICT_LEAF_ROWS; i++)
            count += has_entry(evict, leaf, i);
    return count;
}

bool evict_is_unsaved(const struct evict *evict)
{
    bool changed = false;
    for (size_t i = 0; i < evict->chunk_count; i++) {
        changed |= evict->chunks[i].changed;
        if (evict->chunks[i].saved.frame_bytes > 0)
            return false;
    }
    return changed && count_entries(evict, &(struct evict_reach){.last = UINT64_MAX}) > 0;
}

size_t evict_save_bytes(const struct evict *evict, const struct evict_reach *reach)
{
    uint64_t entries = count_entries(evict, reach);
    return entries > 0 ? HEAD_BYTES + ENTRY_BYTES * (size_t)entries : 0;
}

/* Of LRU the age counts, beside the time at which it was saved: a section of which nothing changes
 * is not written again. */
void evict_save(const struct evict *evict, const struct evict_reach *reach, uint8_t *bytes)
{
    struct evict_place place = {.chunk = reach->from};
    const struct evict_leaf *leaf;
    uint8_t *at = bytes + HEAD_BYTES;
    memset(bytes, 0, HEAD_BYTES);
    while ((leaf = evict_next_leaf(evict, &place)) != NULL && leaf->first < reach->last)
        for (size_t i = 0; i < EVICT_LEAF_ROWS; i++) {
            if (!has_entry(evict, leaf, i))
                continue;
            store_u32(at, (uint32_t)(leaf->first + i - reach->first));
            store_u16(at + ENTRY_AT_MARK, saved_mark(evict, leaf->marks[i]));
            at += ENTRY_BYTES;
        }
    store_u64(bytes + HEAD_AT_CLOCK, evict->clock);
    store_u64(bytes + HEAD_AT_ENTRIES, (uint64_t)(at - bytes - HEAD_BYTES) / ENTRY_BYTES);
    bytes[HEAD_AT_POLICY] = evict->policy;
}

/* Entries ascend, and are of rows of the section. */
static bool is_in_order(const uint8_t *entries, uint64_t count, uint64_t rows)
{
    uint64_t least = 0;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t row = load_u32(entries + ENTRY_BYTES * i);
        if (row < least || row >= rows)
            return false;
        least = row + 1;
    }
    return true;
}

/* As evict_set_mark, for entries that follow one another: a leaf is looked for once. */
static void take_entries(struct evict *evict, uint64_t first, uint64_t since,
                         const uint8_t *entries, uint64_t count)
{
    struct evict_leaf *leaf = NULL;
    uint64_t leaf_end = 0;
    for (uint64_t i = 0; i < count; i++) {
        const uint8_t *entry = entries + ENTRY_BYTES * i;
        uint64_t row = first + load_u32(entry);
        uint16_t mark = load_u16(entry + ENTRY_AT_MARK);
        if (row >= leaf_end) {
            leaf = evict_leaf_of(evict, row);
            leaf_end = row - row % EVICT_LEAF_ROWS + EVICT_LEAF_ROWS;
        }
        if (leaf != NULL && (leaf->live >> (row % EVICT_LEAF_ROWS) & 1))
            leaf->marks[row % EVICT_LEAF_ROWS] =
                is_lru(evict) ? evict_mark_of(evict, since + mark) : mark & MARK_SAVED;
    }
}

bool evict_load(struct evict *evict, uint64_t first, uint64_t last, const uint8_t *bytes,
                size_t count)
{
    if (count < HEAD_BYTES || bytes[HEAD_AT_POLICY] != evict->policy)
        return false;
    const uint8_t *entries = bytes + HEAD_BYTES;
    uint64_t entry_count = load_u64(bytes + HEAD_AT_ENTRIES);
    uint64_t clock = load_u64(bytes + HEAD_AT_CLOCK);
    uint64_t since = evict->clock > clock ? evict->clock - clock : 0;
    if (entry_count > (count - HEAD_BYTES) / ENTRY_BYTES ||
        !is_in_order(entries, entry_count, last - first))
        return false;
    take_entries(evict, first, since, entries, entry_count);
    return true;
}

void evict_forget_saved(struct evict *evict)
{
    for (size_t i = 0; i < evict->chunk_count; i++)
        evict->chunks[i].saved = (struct catalog_section){0};
}

void evict_note_saved(struct evict *evict, const struct catalog_section *section)
{
    size_t at = evict_chunk_from(evict, section->first / EVICT_CHUNK_ROWS);
    if (at == evict->chunk_count || evict->chunks[at].number != section->first / EVICT_CHUNK_ROWS)
        return;
    evict->chunks[at].saved = *section;
    for (; at < evict->chunk_count && evict->chunks[at].number * EVICT_CHUNK_ROWS < section->last;
         at++)
        evict->chunks[at].changed = false;
}

void evict_set_clock(struct evict *evict, uint64_t clock)
{
    struct evict_place place = {0};
    struct evict_leaf *leaf;
    evict->clock = clock;
    while (is_lru(evict) && (leaf = evict_next_leaf(evict, &place)) != NULL)
        for (size_t i = 0; i < EVICT_LEAF_ROWS; i++)
            leaf->marks[i] = evict_mark_of(evict, clock);
}

/* ------------------------------------------------------------------------------ another view's */

static void inherit_marks(struct evict *evict, const struct evict *from)
{
    const uint16_t own = is_lru(evict) ? 0 : MARK_NAMED | MARK_KEPT; /* pinned rows are met anew */
    struct evict_place place = {0};
    const struct evict_leaf *leaf;
    while ((leaf = evict_next_leaf(from, &place)) != NULL)
        for (size_t i = 0; i < EVICT_LEAF_ROWS; i++)
            evict_set_mark(evict, leaf->first + i, leaf->marks[i] & (uint16_t)~own);
}

/* In the order in which they were, as far as one handing-over knows it. Without memory they are
 * lost: they are hints. */
static void inherit_touches(struct evict *evict, struct evict *from)
{
    struct evict_used *used = memory_aligned(INHERITED * sizeof *used);
    size_t count = used != NULL ? INHERITED : 0;
    while (count == INHERITED) {
        count = evict_take_touched(from, used, INHERITED);
        for (size_t i = 0; i < count; i++)
            for (unsigned uses = 0; uses < used[i].uses; uses++)
                evict_touch(evict, used[i].row);
    }
    memory_free(used);
}

void evict_inherit(struct evict *evict, struct evict *from)
{
    if (from->policy != evict->policy || from->chunk_count == 0)
        return;
    inherit_marks(evict, from);
    inherit_touches(evict, from);
    evict->small_hand = from->small_hand;
    evict->main_hand = from->main_hand;
    evict->small_counted = false;
    evict->clock = from->clock;
    evict->live = from->live;
    memory_free(evict->ghosts.slots);
    evict->ghosts = from->ghosts;
    from->ghosts = (struct evict_ghosts){0};
}
