/* Keeping within a budget. Called after commits (db_maintain.c).
 *
 *   1 excess           of which space, and how much
 *   2 db_next_expired  rows whose time is over (db_expired.c)
 *   3 evict_next       the policy names rows (evict_policy.c); pinned ones stay
 *   4 db_run_lay_out   a transaction of DELETEs, marked as evictions
 *   5 db_append        committed and applied like any other */
#include <string.h>

#include "base/memory.h"
#include "db/db_budget.h"
#include "db/db_group.h"

enum {
    BATCH_ROWS = 256,
    LOOKS_MAX = 4096,        /* at rows that turn out to be pinned, for one batch */
    IN_VAIN_MAX = 4,         /* batches without a row: then all that is left is pinned */
    STUCK_ROWS = 64,         /* that come before it is tried again */
    SLACK = 128,             /* evicting goes on to one in so many below the budget */
    EXPIRED_LOOKS = 1 << 16, /* at rows that may have expired, for one batch */
};

/* ----------------------------------------------------------------------------------- how much */

uint64_t db_live_bytes(const edb_space *space)
{
    return space->account.bytes;
}

/* A space that has too much, and how much. */
struct excess {
    edb_space *space;
    uint64_t rows;
    uint64_t bytes;
    bool fresh_too; /* nothing is left but rows of the commit at hand */
};

static bool is_over(uint64_t rows, uint64_t bytes, uint64_t max_rows, uint64_t max_bytes,
                    struct excess *out)
{
    bool many = max_rows > 0 && rows > max_rows;
    bool large = max_bytes > 0 && bytes > max_bytes;
    out->rows = many ? rows - (max_rows - max_rows / SLACK) : 0;
    out->bytes = large ? bytes - (max_bytes - max_bytes / SLACK) : 0;
    return many || large;
}

/* Of the file's size a budget leaves a quarter to what is dead: without it the file would be
 * written anew at every put. */
static uint64_t live_bytes_max(const edb *db)
{
    return db->limits.max_bytes - db->limits.max_bytes / 4;
}

static bool is_file_over(const edb *db, struct excess *out)
{
    uint64_t rows = 0;
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < db->space_count; i++) {
        if (db_is_own(db->spaces[i]))
            continue;
        rows += db->spaces[i]->live;
        bytes += db_live_bytes(db->spaces[i]);
    }
    bool full = db->store->end.offset > db->limits.max_bytes;
    return is_over(rows, bytes, db->limits.max_rows, full ? live_bytes_max(db) : 0, out);
}

/* Live rows of the commit at hand. */
static uint64_t fresh_rows(const edb_space *space)
{
    uint64_t count = 0;
    uint64_t row = space->fresh_from;
    struct rows_word word;
    while (row < space->next_row &&
           rows_next_live(&space->rows, row, space->next_row, &word) == EDB_OK && word.bits != 0) {
        uint64_t before = row > word.first ? row - word.first : 0;
        count += (uint64_t)__builtin_popcountll(word.bits >> before);
        row = word.first + ROWS_WORD_ROWS;
    }
    return count;
}

/* Where all that is left is pinned nothing is looked for at every commit. */
static bool can_give(const edb_space *space, bool fresh_too)
{
    return space->evicts && space->live > 0 && space->live >= space->stuck_at &&
           (fresh_too || space->live > fresh_rows(space));
}

/* The space that gives rows for the file's sake: the one that takes most. */
static edb_space *largest_space(const edb *db, bool fresh_too)
{
    edb_space *largest = NULL;
    for (uint32_t i = 0; i < db->space_count; i++) {
        edb_space *space = db->spaces[i];
        bool larger = largest == NULL || db_live_bytes(space) > db_live_bytes(largest);
        if (larger && can_give(space, fresh_too))
            largest = space;
    }
    return largest;
}

static bool find_excess(const edb *db, bool fresh_too, struct excess *out)
{
    for (uint32_t i = 0; i < db->space_count; i++) {
        edb_space *space = db->spaces[i];
        *out = (struct excess){.space = space, .fresh_too = fresh_too};
        if (is_over(space->live, db_live_bytes(space), space->limits.max_rows,
                    space->limits.max_bytes, out) &&
            can_give(space, fresh_too))
            return true;
    }
    *out = (struct excess){.fresh_too = fresh_too};
    if (is_file_over(db, out))
        out->space = largest_space(db, fresh_too);
    return out->space != NULL;
}

/* Rows of the commit at hand go when no others are left. */
static bool excess(const edb *db, struct excess *out)
{
    return find_excess(db, false, out) || find_excess(db, true, out);
}

bool db_over_budget(const edb *db)
{
    struct excess found;
    return excess(db, &found);
}

/* -------------------------------------------------------------------------------------- naming */

/* A batch of victims. */
struct naming {
    struct excess wanted;
    uint64_t end;          /* rows from it on stay */
    struct rows_word word; /* live rows that were read last */
    struct db_change changes[BATCH_ROWS];
    size_t count;
    uint64_t bytes; /* of them */
};

static edb_status next_live(void *arg, uint64_t row, uint64_t *row_out)
{
    struct naming *naming = arg;
    edb_space *space = naming->wanted.space;
    struct rows_word *word = &naming->word;
    *row_out = row >= word->first ? rows_word_next(word, row) : ROW_NONE;
    if (*row_out == ROW_NONE) {
        edb_status status = rows_next_live(&space->rows, row, naming->end, word);
        if (status != EDB_OK)
            return status;
        *row_out = rows_word_next(word, row);
    }
    if (*row_out == ROW_NONE && word->bits != 0)
        return next_live(arg, word->first + ROWS_WORD_ROWS, row_out);
    if (*row_out >= naming->end)
        *row_out = ROW_NONE;
    return EDB_OK;
}

static bool is_named(const struct naming *naming, uint64_t row)
{
    for (size_t i = 0; i < naming->count; i++)
        if (naming->changes[i].row == row)
            return true;
    return false;
}

/* A pinned row stays, and one of which the record is damaged: it is not for this to find out. */
static void add_victim(struct naming *naming, uint64_t row)
{
    struct db_found found;
    struct group group;
    struct record record;
    edb_space *space = naming->wanted.space;
    if (db_locate_any_row(space, row, &found) != EDB_OK || (found.place.extras & RECORD_PINNED) ||
        db_read_record(space, &found, &group, &record) != EDB_OK) {
        evict_keep(&space->evict, row);
        return;
    }
    naming->bytes += db_place_bytes(&found.place);
    naming->changes[naming->count++] = (struct db_change){
        .space = space,
        .operation = RECORD_DELETE,
        .found = true,
        .evicted = true,
        .key = {.bytes = record_key(found.frame, &group, &record),
                .count = record.key_bytes,
                .form = record.key_form,
                .hash = record.key_hash},
        .put_s = (uint32_t)found.store->io->calendar_s(),
        .row = row,
        .prior_row = ROW_NONE,
    };
}

static bool is_enough(const struct naming *naming)
{
    const struct excess *wanted = &naming->wanted;
    return naming->count == BATCH_ROWS ||
           (naming->count >= wanted->rows && naming->bytes >= wanted->bytes);
}

/* Rows whose time is over take places that others could have: they go before the policy is
 * asked. */
static edb_status name_expired(struct naming *naming)
{
    uint64_t row = 0;
    uint64_t looks = EXPIRED_LOOKS;
    edb_status status = EDB_OK;
    while (status == EDB_OK && row != ROW_NONE && !is_enough(naming)) {
        status = db_next_expired(naming->wanted.space, &looks, &row);
        if (status == EDB_OK && row != ROW_NONE && !is_named(naming, row))
            add_victim(naming, row);
    }
    return status;
}

static edb_status name_by_policy(struct naming *naming)
{
    edb_space *space = naming->wanted.space;
    uint64_t hidden = naming->wanted.fresh_too ? 0 : fresh_rows(space);
    struct evict_rows rows = {next_live, naming, space->live, naming->end, hidden};
    edb_status status = EDB_OK;
    uint64_t row;
    uint64_t in_vain = 0; /* rows one after another that stay: at most all there are */
    space->evict.cost_mean = space->live > 0 ? space->account.cost / space->live : 0;
    for (int look = 0; look < LOOKS_MAX && status == EDB_OK && in_vain <= space->live - hidden &&
                       !is_enough(naming);
         look++) {
        size_t before = naming->count;
        status = evict_next(&space->evict, &rows, &row);
        if (status == EDB_OK && !is_named(naming, row))
            add_victim(naming, row);
        in_vain = naming->count > before ? 0 : in_vain + 1;
    }
    return status == EDB_NOT_FOUND ? EDB_OK : status;
}

/* A step, with the view held still. Marks are changed by who has the write lock only. */
static edb_status name_victims(void *arg)
{
    struct naming *naming = arg;
    const edb_space *space = naming->wanted.space;
    bool all = naming->wanted.fresh_too || space->fresh_from == ROW_NONE;
    naming->count = 0;
    naming->bytes = 0;
    naming->word = (struct rows_word){0};
    naming->end = all ? space->next_row : space->fresh_from;
    edb_status status = name_expired(naming);
    return status == EDB_OK ? name_by_policy(naming) : status;
}

/* ------------------------------------------------------------------------------------- evicting */

static edb_status reserve_kills(const struct naming *naming)
{
    edb_space *space = naming->wanted.space;
    edb_status status = EDB_OK;
    os_rwlock_write(&space->db->view_lock);
    for (size_t i = 0; i < naming->count && status == EDB_OK; i++)
        status = rows_reserve_kill(&space->rows, naming->changes[i].row);
    os_rwlock_unlock(&space->db->view_lock);
    return status;
}

static edb_status evict_batch(edb *db, struct naming *naming)
{
    struct db_run run = {0};
    edb_status status = db_with_view(db, name_victims, naming);
    if (status != EDB_OK || naming->count == 0)
        return status;
    status = reserve_kills(naming);
    if (status == EDB_OK)
        status = db_run_lay_out(db->store, db->space_count, naming->changes, naming->count, &run);
    if (status == EDB_OK)
        status = db_append(db, run.drafts, run.count, false);
    db_run_close(&run);
    naming->wanted.space->expiry.passed |= status != EDB_OK; /* they are still there */
    return status;
}

/* What is older than the commit at hand is pinned: then its own rows go. Else until more rows have
 * come. */
static void give_up(edb_space *space)
{
    os_rwlock_write(&space->db->view_lock);
    if (space->fresh_from != ROW_NONE)
        space->fresh_from = ROW_NONE;
    else
        space->stuck_at = space->live + space->live / SLACK + STUCK_ROWS;
    os_rwlock_unlock(&space->db->view_lock);
}

static bool look_for_excess(edb *db, struct excess *out)
{
    os_rwlock_read(&db->view_lock);
    bool found = excess(db, out);
    os_rwlock_unlock(&db->view_lock);
    return found;
}

static edb_status evict_until(edb *db, uint64_t until_ms, struct naming *naming)
{
    edb_status status = EDB_OK;
    unsigned in_vain = 0;
    do {
        status = evict_batch(db, naming);
        in_vain = naming->count == 0 ? in_vain + 1 : 0;
        if (in_vain == IN_VAIN_MAX) {
            give_up(naming->wanted.space);
            in_vain = 0;
        }
    } while (status == EDB_OK && look_for_excess(db, &naming->wanted) &&
             db->store->io->monotonic_ms() < until_ms);
    return status;
}

edb_status db_evict(edb *db, uint64_t until_ms)
{
    struct excess wanted;
    if (!look_for_excess(db, &wanted))
        return EDB_OK;
    struct naming *naming = memory_zeroed(1, sizeof *naming);
    if (naming == NULL)
        return memory_failed(sizeof *naming);
    db_hand_over(db, true); /* what was used just now is not to go */
    edb_status status = EDB_OK;
    if (look_for_excess(db, &naming->wanted))
        status = evict_until(db, until_ms, naming);
    memory_free(naming);
    return status;
}
