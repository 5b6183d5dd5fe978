/* Keeping within a budget. Called after commits (db_maintain.c).
 *
 *   1 excess          of which space, and how many rows
 *   2 evict_next      the policy names rows (evict_policy.c); pinned ones stay
 *   3 db_run_lay_out  a transaction of DELETEs, marked as evictions
 *   4 db_append       committed and applied like any other */
#include <string.h>

#include "base/memory.h"
#include "db/db_budget.h"
#include "db/db_group.h"

enum {
    BATCH_ROWS = 256,
    LOOKS_MAX = 4096, /* at rows that turn out to be pinned, for one batch */
    IN_VAIN_MAX = 4,  /* batches without a row: then all that is left is pinned */
    STUCK_ROWS = 64,  /* that come before it is tried again */
    SLACK = 128,      /* evicting goes on to one in so many rows below the budget */
};

/* ----------------------------------------------------------------------------------- how much */

uint64_t db_live_bytes(const edb_space *space)
{
    const struct account *account = &space->account;
    if (account->rows == 0)
        return 0;
    double bytes = (double)account->bytes / (double)account->rows * (double)space->live;
    return bytes < (double)FILE_BYTES_MAX ? (uint64_t)bytes : FILE_BYTES_MAX;
}

/* How many of `live` rows, which take `bytes`, are too many. */
static uint64_t too_many(uint64_t live, uint64_t bytes, uint64_t max_rows, uint64_t max_bytes)
{
    uint64_t rows = max_rows > 0 && live > max_rows ? live - (max_rows - max_rows / SLACK) : 0;
    if (max_bytes == 0 || bytes <= max_bytes)
        return rows;
    uint64_t target = max_bytes - max_bytes / SLACK;
    uint64_t more = (uint64_t)((double)(bytes - target) / (double)bytes * (double)live) + 1;
    return more > rows ? more : rows;
}

/* Of the file's size a budget leaves a quarter to what is dead: without it the file would be
 * written anew at every put. */
static uint64_t live_bytes_max(const edb *db)
{
    return db->limits.max_bytes - db->limits.max_bytes / 4;
}

static uint64_t file_excess(const edb *db)
{
    uint64_t live = 0;
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < db->space_count; i++) {
        if (db_is_own(db->spaces[i]))
            continue;
        live += db->spaces[i]->live;
        bytes += db_live_bytes(db->spaces[i]);
    }
    bool full = db->store->end.offset > db->limits.max_bytes;
    return too_many(live, bytes, db->limits.max_rows, full ? live_bytes_max(db) : 0);
}

/* Where all that is left is pinned nothing is looked for at every commit. */
static bool can_give(const edb_space *space)
{
    return space->evicts && space->live >= space->stuck_at;
}

/* The space that gives rows for the file's sake: the one that takes most. */
static edb_space *largest_space(const edb *db)
{
    edb_space *largest = NULL;
    for (uint32_t i = 0; i < db->space_count; i++) {
        edb_space *space = db->spaces[i];
        bool larger = largest == NULL || db_live_bytes(space) > db_live_bytes(largest);
        if (can_give(space) && space->live > 0 && larger)
            largest = space;
    }
    return largest;
}

/* A space with too many rows, and how many; NULL: there is none. */
static edb_space *excess(const edb *db, uint64_t *rows_out)
{
    for (uint32_t i = 0; i < db->space_count; i++) {
        edb_space *space = db->spaces[i];
        *rows_out = too_many(space->live, db_live_bytes(space), space->limits.max_rows,
                             space->limits.max_bytes);
        if (can_give(space) && *rows_out > 0)
            return space;
    }
    *rows_out = file_excess(db);
    return *rows_out > 0 ? largest_space(db) : NULL;
}

bool db_over_budget(const edb *db)
{
    uint64_t rows;
    return excess(db, &rows) != NULL;
}

/* -------------------------------------------------------------------------------------- naming */

/* A batch of victims. */
struct naming {
    edb_space *space;
    uint64_t wanted;
    struct rows_word word; /* live rows that were read last */
    struct db_change changes[BATCH_ROWS];
    size_t count;
};

static edb_status next_live(void *arg, uint64_t row, uint64_t *row_out)
{
    struct naming *naming = arg;
    edb_space *space = naming->space;
    struct rows_word *word = &naming->word;
    *row_out = row >= word->first ? rows_word_next(word, row) : ROW_NONE;
    if (*row_out != ROW_NONE)
        return EDB_OK;
    edb_status status = rows_next_live(&space->rows, row, space->next_row, word);
    if (status != EDB_OK)
        return status;
    *row_out = rows_word_next(word, row);
    if (*row_out == ROW_NONE && word->bits != 0)
        return next_live(arg, word->first + ROWS_WORD_ROWS, row_out);
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
    if (db_locate_any_row(naming->space, row, &found) != EDB_OK ||
        (found.place.extras & RECORD_PINNED) ||
        db_read_record(naming->space, &found, &group, &record) != EDB_OK) {
        evict_keep(&naming->space->evict, row);
        return;
    }
    naming->changes[naming->count++] = (struct db_change){
        .space = naming->space,
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

/* A step, with the view held still. Marks are changed by who has the write lock only. */
static edb_status name_victims(void *arg)
{
    struct naming *naming = arg;
    edb_space *space = naming->space;
    struct evict_rows rows = {next_live, naming, space->live, space->next_row};
    uint64_t row;
    naming->count = 0;
    naming->word = (struct rows_word){0};
    space->evict.cost_mean =
        space->account.rows > 0 ? space->account.cost / space->account.rows : 0;
    for (int look = 0; look < LOOKS_MAX; look++) {
        if (naming->count == BATCH_ROWS || naming->count == naming->wanted)
            return EDB_OK;
        edb_status status = evict_next(&space->evict, &rows, &row);
        if (status == EDB_NOT_FOUND || (status == EDB_OK && is_named(naming, row)))
            return EDB_OK;
        if (status != EDB_OK)
            return status;
        add_victim(naming, row);
    }
    return EDB_OK;
}

/* ------------------------------------------------------------------------------------- evicting */

static edb_status reserve_kills(const struct naming *naming)
{
    edb_space *space = naming->space;
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
    return status;
}

/* Until more rows have come. */
static void give_up(edb_space *space)
{
    os_rwlock_write(&space->db->view_lock);
    space->stuck_at = space->live + space->live / SLACK + STUCK_ROWS;
    os_rwlock_unlock(&space->db->view_lock);
}

static edb_space *look_for_excess(edb *db, uint64_t *rows_out)
{
    os_rwlock_read(&db->view_lock);
    edb_space *space = excess(db, rows_out);
    os_rwlock_unlock(&db->view_lock);
    return space;
}

edb_status db_evict(edb *db, uint64_t until_ms)
{
    edb_status status = EDB_OK;
    struct naming *naming = NULL;
    unsigned in_vain = 0;
    for (bool first = true; status == EDB_OK; first = false) {
        uint64_t rows;
        edb_space *space = look_for_excess(db, &rows);
        if (space == NULL || (!first && db->store->io->monotonic_ms() >= until_ms))
            break;
        if (first) {
            db_hand_over(db, true); /* what was used just now is not to go */
            naming = memory_zeroed(1, sizeof *naming);
        }
        if (naming == NULL)
            return memory_failed(sizeof *naming);
        naming->space = space;
        naming->wanted = rows;
        status = evict_batch(db, naming);
        in_vain = naming->count == 0 ? in_vain + 1 : 0;
        if (in_vain == IN_VAIN_MAX) {
            give_up(space);
            in_vain = 0;
        }
    }
    memory_free(naming);
    return status;
}
