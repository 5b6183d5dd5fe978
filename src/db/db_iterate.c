/* Iterating over a space as it was at one moment (23). When the iteration begins, which rows are
 * live is written down, one bit a row, and the row directory is kept; the records themselves never
 * change, so later writes do not show. */
#include <string.h>

#include "base/memory.h"
#include "db/db.h"

struct edb_iterator {
    edb_space *space;
    uint64_t next;
    uint64_t end;
    uint8_t *live; /* one bit a row of [0, end) */
    struct rows rows;
    uint64_t asked_to;
};

static edb_status note_live(edb_iterator *iterator)
{
    for (uint64_t row = 0; row < iterator->end; row++) {
        bool dead;
        edb_status status = rows_dead(&iterator->space->rows, row, &dead);
        if (status != EDB_OK)
            return status;
        if (!dead)
            iterator->live[row / 8] |= (uint8_t)(1u << (row % 8));
    }
    return EDB_OK;
}

static edb_status begin_once(edb_iterator *iterator)
{
    edb *db = iterator->space->db;
    edb_status status = db_enter(db);
    if (status != EDB_OK)
        return status;
    iterator->end = iterator->space->next_row;
    memory_free(iterator->live);
    rows_close(&iterator->rows);
    iterator->live = memory_zeroed((size_t)(iterator->end / 8 + 1), 1);
    status = iterator->live != NULL ? note_live(iterator)
                                    : memory_failed((size_t)(iterator->end / 8 + 1));
    if (status == EDB_OK)
        status = rows_keep(&iterator->space->rows, &iterator->rows);
    db_leave(db);
    return status;
}

edb_status edb_iterate(edb_space *space, edb_iterator **iterator_out)
{
    if (iterator_out != NULL)
        *iterator_out = NULL;
    if (space == NULL || iterator_out == NULL)
        return fail(EDB_INVALID, "edb_iterate: an argument is NULL");
    edb_iterator *iterator = memory_zeroed(1, sizeof *iterator);
    if (iterator == NULL)
        return memory_failed(sizeof *iterator);
    iterator->space = space;
    edb_status status;
    bool again = true;
    while (again) {
        again = false;
        status = begin_once(iterator);
        if (status == EDB_CORRUPT)
            status = db_retry(space->db, status, &again);
    }
    if (status != EDB_OK) {
        edb_iterator_close(iterator);
        return status;
    }
    *iterator_out = iterator;
    return EDB_OK;
}

/* A row that is gone by now still has its record. If the kept directory is damaged, the space's own
 * may not be. */
static edb_status read_row(edb_iterator *iterator, uint64_t row, edb_view *view_out)
{
    edb_space *space = iterator->space;
    struct db_found found;
    struct row_place place;
    edb_status status = db_enter(space->db);
    if (status != EDB_OK)
        return status;
    status = rows_place(&iterator->rows, row, &place);
    if (status == EDB_CORRUPT)
        status = rows_place(&space->rows, row, &place);
    if (status == EDB_OK) {
        store_read_ahead(space->db->store, place.frame, &iterator->asked_to);
        status = db_locate_place(space, row, &place, &found);
    }
    if (status == EDB_OK)
        status = db_fill_view(space, &found, view_out);
    db_leave(space->db);
    return status;
}

edb_status edb_next(edb_iterator *iterator, edb_view *view_out)
{
    if (iterator == NULL || view_out == NULL)
        return fail(EDB_INVALID, "edb_next: an argument is NULL");
    memset(view_out, 0, sizeof *view_out);
    while (iterator->next < iterator->end) {
        uint64_t row = iterator->next++;
        if (!(iterator->live[row / 8] >> (row % 8) & 1))
            continue;
        edb_status status;
        bool again = true;
        while (again) {
            again = false;
            status = read_row(iterator, row, view_out);
            if (status == EDB_CORRUPT)
                status = db_retry(iterator->space->db, status, &again);
        }
        if (status != EDB_NOT_FOUND)
            return status;
    }
    return EDB_NOT_FOUND;
}

void edb_iterator_close(edb_iterator *iterator)
{
    if (iterator == NULL)
        return;
    rows_close(&iterator->rows);
    memory_free(iterator->live);
    memory_free(iterator);
}
