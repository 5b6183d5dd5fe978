/* Keeping a moment of a space. Called by db_iterate, db_search, db_vectors and db_merge. */
#include "db/db_moment.h"

#include <string.h>

#include "base/memory.h"

/* A step, with the view held still. */
static edb_status note_moment(void *arg)
{
    struct db_moment *moment = arg;
    edb_space *space = moment->space;
    moment->end = space->next_row;
    moment->store = store_share(space->db->store);
    moment->replaced = atomic_load(&moment->store->replaced);
    edb_status status = rows_live_open(&space->rows, 0, moment->end, &moment->live);
    if (status == EDB_OK)
        status = rows_keep(&space->rows, &moment->rows);
    if (status == EDB_OK && db_may_expire(space))
        status = rows_drop_expired(&space->rows, moment->store->io->calendar_s(), 0, &moment->live);
    if (status != EDB_OK)
        db_moment_close(moment);
    moment->space = space;
    return status;
}

edb_status db_moment_open(edb_space *space, struct db_moment *moment_out)
{
    *moment_out = (struct db_moment){.space = space};
    return db_with_view(space->db, note_moment, moment_out);
}

void db_moment_close(struct db_moment *moment)
{
    store_close(moment->store);
    rows_close(&moment->rows);
    rows_live_close(&moment->live);
    memset(moment, 0, sizeof *moment);
}

uint64_t db_moment_next(struct db_moment *moment, uint64_t row)
{
    const struct rows_live *live = &moment->live;
    if (moment->at >= live->count || live->words[moment->at].first > row)
        moment->at = 0;
    uint64_t next = rows_live_next(live, &moment->at, row);
    return next != ROW_NONE ? next : moment->end;
}

/* If the kept directory is damaged, the space's own may not be. */
static edb_status find_place(const struct db_moment *moment, uint64_t row, struct row_place *out)
{
    const edb_space *space = moment->space;
    edb_status status = rows_place(&moment->rows, row, out);
    if (status == EDB_CORRUPT && moment->store == space->db->store)
        status = rows_place(&space->rows, row, out);
    return status;
}

edb_status db_moment_locate(struct db_moment *moment, uint64_t row, struct db_found *out)
{
    struct row_place place;
    const edb_space *space = moment->space;
    if (atomic_load(&moment->store->replaced) != moment->replaced)
        return store_tell_replaced(moment->store);
    edb_status status = find_place(moment, row, &place);
    if (status != EDB_OK)
        return status;
    store_read_ahead(moment->store, place.frame, &moment->asked_to);
    status = db_locate_place(moment->store, row, &place, out);
    if (status == EDB_CORRUPT && moment->store == space->db->store)
        rows_lose_place(&space->rows, row);
    return status;
}
