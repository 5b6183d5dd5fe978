/* Keeping a moment of a space. Called by db_iterate and db_search. */
#include "db/db_moment.h"

#include <string.h>

#include "base/memory.h"

static edb_status note_live(struct db_moment *moment)
{
    for (uint64_t row = 0; row < moment->end; row++) {
        bool dead;
        edb_status status = rows_dead(&moment->space->rows, row, &dead);
        if (status != EDB_OK)
            return status;
        if (!dead)
            moment->live[row / 8] |= (uint8_t)(1u << (row % 8));
    }
    return EDB_OK;
}

/* A step, with the view held still. */
static edb_status note_moment(void *arg)
{
    struct db_moment *moment = arg;
    edb_space *space = moment->space;
    moment->end = space->next_row;
    moment->replaced = atomic_load(&space->db->store->replaced);
    moment->live = memory_zeroed((size_t)(moment->end / 8 + 1), 1);
    if (moment->live == NULL)
        return memory_failed((size_t)(moment->end / 8 + 1));
    edb_status status = note_live(moment);
    if (status == EDB_OK)
        status = rows_keep(&space->rows, &moment->rows);
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
    rows_close(&moment->rows);
    memory_free(moment->live);
    memset(moment, 0, sizeof *moment);
}

uint64_t db_moment_next(const struct db_moment *moment, uint64_t row)
{
    while (row < moment->end && !(moment->live[row / 8] >> (row % 8) & 1))
        row++;
    return row;
}

/* If the kept directory is damaged, the space's own may not be. */
edb_status db_moment_locate(struct db_moment *moment, uint64_t row, struct db_found *out)
{
    struct row_place place;
    edb_space *space = moment->space;
    if (atomic_load(&space->db->store->replaced) != moment->replaced)
        return store_tell_replaced(space->db->store);
    edb_status status = rows_place(&moment->rows, row, &place);
    if (status == EDB_CORRUPT)
        status = rows_place(&space->rows, row, &place);
    if (status != EDB_OK)
        return status;
    store_read_ahead(space->db->store, place.frame, &moment->asked_to);
    return db_locate_place(space, row, &place, out);
}
