/* The policies: what a use changes, and which row goes. Called by db/; evict_marks.c keeps the
 * marks. */
#include <string.h>

#include "base/bytes.h"
#include "base/memory.h"
#include "embedcache.h"
#include "evict/evict.h"
#include "evict/evict_mark.h"
#include "format/format.h"

enum {
    SMALL_SHARE = 10,      /* the small queue has a tenth of the rows */
    SMALL_USES = 2,        /* that take a row from the small queue to the main one */
    PERIODS = 64,          /* LRU: uses of so many periods are as many as the rows */
    SAMPLE_ROWS = 1 << 16, /* LRU: that are looked at to find what is old */
    STEPS_MAX = 1 << 16,   /* of one search for a victim */
};

/* --------------------------------------------------------------------------------- what happens */

static bool is_lru(const struct evict *evict)
{
    return evict->policy == EDB_EVICT_LRU;
}

static bool is_fifo(const struct evict *evict)
{
    return evict->policy == EDB_EVICT_FIFO;
}

static bool in_main(const struct evict *evict, uint64_t row, uint16_t mark)
{
    return row < evict->small_hand || (mark & MARK_MAIN);
}

unsigned evict_age_of(const struct evict *evict, uint16_t mark)
{
    uint16_t age = (uint16_t)((uint16_t)evict->clock - mark);
    return age < AGE_MAX ? age : AGE_MAX;
}

uint16_t evict_mark_of(const struct evict *evict, uint64_t age)
{
    return (uint16_t)(evict->clock - (age < AGE_MAX ? age : AGE_MAX));
}

/* A mark has the lower 16 bits of the clock: it is moved on before they come again. */
static void hold_ages(struct evict *evict)
{
    struct evict_place place = {0};
    struct evict_leaf *leaf;
    while ((leaf = evict_next_leaf(evict, &place)) != NULL)
        for (size_t i = 0; i < EVICT_LEAF_ROWS; i++)
            leaf->marks[i] = evict_mark_of(evict, evict_age_of(evict, leaf->marks[i]));
}

/* One more put or use. */
static void pass_time(struct evict *evict)
{
    evict->events++;
    if (evict->events < evict->rows / PERIODS)
        return;
    evict->events = 0;
    evict->clock++;
    if (evict->clock % AGE_MAX == 0)
        hold_ages(evict);
}

/* What costs more than twice, or four times, the mean is given one or two more chances. */
static uint16_t credit_of(const struct evict *evict, uint32_t cost)
{
    if (!evict->cost_aware || evict->cost_mean == 0)
        return 0;
    return (uint16_t)((cost > 2 * evict->cost_mean) + (cost > 4 * evict->cost_mean));
}

/* The first mark of a row in S3-FIFO. What replaces a record goes on with its mark, used once
 * more. */
static uint16_t begin_mark(struct evict *evict, uint64_t prior, uint64_t key_hash, uint32_t cost)
{
    uint16_t credit = credit_of(evict, cost);
    uint16_t mark = (uint16_t)(credit << MARK_CREDIT_SHIFT | credit << MARK_LEFT_SHIFT);
    if (prior != ROW_NONE) {
        uint16_t before = evict_mark(evict, prior);
        unsigned uses = (before & MARK_USES) + 1u;
        mark |= (uint16_t)(uses < EVICT_USES_MAX ? uses : EVICT_USES_MAX);
        if (in_main(evict, prior, before))
            mark |= MARK_MAIN;
    } else if (evict_take_ghost(&evict->ghosts, key_hash, evict->live))
        mark |= MARK_MAIN;
    return mark;
}

void evict_renew(struct evict *evict, uint64_t row)
{
    if (!is_lru(evict))
        return;
    evict_set_mark(evict, row, evict_mark_of(evict, 0));
    pass_time(evict);
}

void evict_insert(struct evict *evict, uint64_t row, uint64_t prior, uint64_t key_hash,
                  uint32_t cost)
{
    evict_count_in(evict, row);
    if (is_fifo(evict))
        return;
    if (is_lru(evict)) {
        evict_renew(evict, row);
        return;
    }
    uint16_t mark = begin_mark(evict, prior, key_hash, cost);
    evict_set_mark(evict, row, mark);
    evict->small_count += !(mark & MARK_MAIN);
}

/* Another handle named the row: its hand was there, and ours need not go there again. */
static void follow_hand(struct evict *evict, uint64_t row)
{
    if (row >= evict->small_hand)
        evict->small_hand = row + 1;
    else
        evict->main_hand = row + 1;
}

static void remove_from_queues(struct evict *evict, uint64_t row, uint64_t key_hash, bool evicted)
{
    uint16_t mark = evict_mark(evict, row);
    bool named = mark & MARK_NAMED;
    bool small = named ? !(mark & MARK_MAIN) : !in_main(evict, row, mark);
    if (small && !named && evict->small_count > 0)
        evict->small_count--;
    if ((mark & MARK_KEPT) && evict->kept > 0)
        evict->kept--;
    if (evicted && small)
        evict_add_ghost(&evict->ghosts, key_hash);
    if (evicted && !named)
        follow_hand(evict, row);
}

void evict_remove(struct evict *evict, uint64_t row, uint64_t key_hash, bool evicted)
{
    if (evict->policy == EDB_EVICT_S3_FIFO)
        remove_from_queues(evict, row, key_hash, evicted);
    evict_set_mark(evict, row, 0);
    evict_uncount(evict, row);
}

void evict_use(struct evict *evict, uint64_t row, unsigned uses)
{
    if (is_fifo(evict))
        return;
    if (is_lru(evict)) {
        evict_renew(evict, row);
        return;
    }
    uint16_t mark = evict_mark(evict, row);
    uses += mark & MARK_USES;
    if (uses > EVICT_USES_MAX)
        uses = EVICT_USES_MAX;
    unsigned credit = mark >> MARK_CREDIT_SHIFT & 3u;
    mark &= MARK_MAIN | MARK_KEPT | 3u << MARK_CREDIT_SHIFT;
    evict_set_mark(evict, row, (uint16_t)(mark | uses | credit << MARK_LEFT_SHIFT));
}

/* ------------------------------------------------------------------------------------ what goes */

/* One look of the small hand: EDB_OK with a victim, EDB_NOT_FOUND when the row goes on. The queue
 * ends with the last row. */
static edb_status look_small(struct evict *evict, const struct evict_rows *rows, uint64_t *row_out)
{
    edb_status status = rows->next(rows->arg, evict->small_hand, row_out);
    if (status != EDB_OK)
        return status;
    if (*row_out == ROW_NONE) {
        evict->small_count = rows->hidden;
        return EDB_NOT_FOUND;
    }
    uint64_t row = *row_out;
    uint16_t mark = evict_mark(evict, row);
    evict->small_hand = row + 1;
    if (mark & MARK_MAIN)
        return EDB_NOT_FOUND;
    if (evict->small_count > 0)
        evict->small_count--;
    unsigned left = mark >> MARK_LEFT_SHIFT & 3u;
    if ((mark & MARK_USES) + left < SMALL_USES) {
        evict_set_mark(evict, row, mark | MARK_NAMED);
        return EDB_OK;
    }
    evict_set_mark(evict, row, (uint16_t)(mark & ~MARK_USES));
    return EDB_NOT_FOUND;
}

/* One look of the main hand. */
static edb_status look_main(struct evict *evict, const struct evict_rows *rows, uint64_t *row_out)
{
    edb_status status = rows->next(rows->arg, evict->main_hand, row_out);
    if (status != EDB_OK)
        return status;
    uint64_t row = *row_out;
    if (row == ROW_NONE || row >= evict->small_hand) {
        evict->main_hand = 0;
        evict->laps++;
        return EDB_NOT_FOUND;
    }
    evict->main_hand = row + 1;
    uint16_t mark = evict_mark(evict, row);
    if (mark & MARK_KEPT)
        return EDB_NOT_FOUND;
    if (mark & MARK_USES)
        mark--;
    else if (mark >> MARK_LEFT_SHIFT & 3)
        mark = (uint16_t)(mark - (1u << MARK_LEFT_SHIFT));
    else {
        evict_set_mark(evict, row, mark | MARK_NAMED | MARK_MAIN);
        return EDB_OK;
    }
    evict_set_mark(evict, row, mark);
    return EDB_NOT_FOUND;
}

/* Rows that were there before anything was counted. */
static edb_status count_small(struct evict *evict, const struct evict_rows *rows)
{
    uint64_t row = ROW_NONE;
    edb_status status = EDB_OK;
    bool all = evict->small_hand == 0;
    evict->small_count = all ? rows->live : rows->hidden;
    if (!all)
        status = rows->next(rows->arg, evict->small_hand, &row);
    while (status == EDB_OK && row != ROW_NONE) {
        evict->small_count += !(evict_mark(evict, row) & MARK_MAIN);
        status = rows->next(rows->arg, row + 1, &row);
    }
    evict->small_counted = status == EDB_OK;
    return status;
}

/* Hidden rows are in the small queue, too: they make it large, but are not to be had. */
static bool is_small_due(const struct evict *evict, const struct evict_rows *rows)
{
    uint64_t queued = rows->live - evict->kept;
    return evict->small_count > rows->hidden && evict->small_count > queued / SMALL_SHARE;
}

/* A lap of the main hand that meets no row means that all are in the small queue. */
static edb_status next_s3_fifo(struct evict *evict, const struct evict_rows *rows,
                               uint64_t *row_out)
{
    edb_status status = evict->small_counted ? EDB_OK : count_small(evict, rows);
    if (status != EDB_OK)
        return status;
    bool small =
        is_small_due(evict, rows) || evict->small_hand == 0 || evict->laps > 2 * EVICT_USES_MAX + 2;
    status = small ? look_small(evict, rows, row_out) : look_main(evict, rows, row_out);
    if (small && *row_out == ROW_NONE)
        evict->laps = 0;
    return status;
}

static edb_status next_fifo(struct evict *evict, const struct evict_rows *rows, uint64_t *row_out)
{
    edb_status status = rows->next(rows->arg, evict->small_hand, row_out);
    if (status != EDB_OK)
        return status;
    bool any = *row_out != ROW_NONE;
    evict->small_hand = any ? *row_out + 1 : 0;
    return any ? EDB_OK : EDB_NOT_FOUND;
}

/* From which age on rows go: about one in PERIODS of them, after which it is asked again. */
static edb_status find_old_age(struct evict *evict, const struct evict_rows *rows)
{
    uint32_t *counts = memory_zeroed(AGE_MAX + 1, sizeof *counts);
    uint64_t stride = rows->end / SAMPLE_ROWS + 1;
    uint64_t row = 0;
    uint64_t looked = 0;
    uint64_t found = 0;
    unsigned age = AGE_MAX + 1;
    if (counts == NULL)
        return memory_failed((AGE_MAX + 1) * sizeof *counts);
    edb_status status = rows->next(rows->arg, 0, &row);
    while (status == EDB_OK && row != ROW_NONE) {
        counts[evict_age_of(evict, evict_mark(evict, row))]++;
        looked++;
        status = rows->next(rows->arg, row + stride, &row);
    }
    while (age > 0 && found <= looked / PERIODS)
        found += counts[--age];
    evict->old_age = (uint16_t)age;
    evict->old_rows = rows->live / PERIODS + 1;
    memory_free(counts);
    return status;
}

static edb_status next_lru(struct evict *evict, const struct evict_rows *rows, uint64_t *row_out)
{
    edb_status status = EDB_OK;
    if (evict->main_hand == 0 || evict->old_rows == 0)
        status = find_old_age(evict, rows);
    if (status == EDB_OK)
        status = rows->next(rows->arg, evict->main_hand, row_out);
    if (status != EDB_OK)
        return status;
    bool any = *row_out != ROW_NONE;
    evict->main_hand = any ? *row_out + 1 : 0;
    if (!any || evict_age_of(evict, evict_mark(evict, *row_out)) < evict->old_age)
        return EDB_NOT_FOUND;
    evict->old_rows--;
    evict_set_mark(evict, *row_out, evict_mark_of(evict, 0)); /* not named twice */
    return EDB_OK;
}

edb_status evict_next(struct evict *evict, const struct evict_rows *rows, uint64_t *row_out)
{
    *row_out = ROW_NONE;
    evict->live = rows->live;
    if (rows->live <= evict->kept + rows->hidden)
        return EDB_NOT_FOUND;
    if (evict->policy == EDB_EVICT_S3_FIFO)
        evict_size_ghosts(&evict->ghosts, rows->live);
    for (int step = 0; step < STEPS_MAX; step++) {
        edb_status status = is_lru(evict)    ? next_lru(evict, rows, row_out)
                            : is_fifo(evict) ? next_fifo(evict, rows, row_out)
                                             : next_s3_fifo(evict, rows, row_out);
        if (status == EDB_OK)
            evict->laps = 0;
        if (status != EDB_NOT_FOUND)
            return status;
    }
    return EDB_NOT_FOUND;
}

/* In S3-FIFO it is in no queue from now on; in FIFO the hand has moved on by itself. */
void evict_keep(struct evict *evict, uint64_t row)
{
    uint16_t mark = evict_mark(evict, row);
    if (evict->policy == EDB_EVICT_S3_FIFO)
        evict->kept += !(mark & MARK_KEPT);
    mark = (uint16_t)((mark & ~MARK_NAMED) | MARK_KEPT);
    evict_set_mark(evict, row, is_lru(evict) ? evict_mark_of(evict, 0) : mark);
}
