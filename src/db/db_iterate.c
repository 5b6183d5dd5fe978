/* edb_iterate and edb_next: over a space as it was at one moment.
 *
 *   1 db_moment_open    which rows are live, and where they stand
 *   2 db_moment_next    the next of them
 *   3 db_moment_locate  its record, also if it is gone by now
 *   4 db_fill_view      checked bytes in the map */
#include <string.h>

#include "base/memory.h"
#include "db/db_moment.h"

struct edb_iterator {
    struct db_moment moment;
    uint64_t next;
};

edb_status edb_iterate(edb_space *space, edb_iterator **iterator_out)
{
    if (iterator_out != NULL)
        *iterator_out = NULL;
    if (space == NULL || iterator_out == NULL)
        return fail(EDB_INVALID, "edb_iterate: an argument is NULL");
    edb_iterator *iterator = memory_zeroed(1, sizeof *iterator);
    if (iterator == NULL)
        return memory_failed(sizeof *iterator);
    edb_status status = db_moment_open(space, &iterator->moment);
    if (status != EDB_OK) {
        edb_iterator_close(iterator);
        return status;
    }
    *iterator_out = iterator;
    return EDB_OK;
}

struct reading {
    struct db_moment *moment;
    uint64_t row;
    edb_view *view;
};

/* A step, with the view held still. */
static edb_status read_row(void *arg)
{
    const struct reading *reading = arg;
    struct db_found found;
    edb_status status = db_moment_locate(reading->moment, reading->row, &found);
    if (status == EDB_OK)
        status = db_fill_view(reading->moment->space, &found, reading->view);
    return status;
}

/* Damage is passed over; what may go away can be tried again. */
static bool is_passed(edb_status status)
{
    return status == EDB_OK || status == EDB_CORRUPT;
}

edb_status edb_next(edb_iterator *iterator, edb_view *view_out)
{
    if (iterator == NULL || view_out == NULL)
        return fail(EDB_INVALID, "edb_next: an argument is NULL");
    memset(view_out, 0, sizeof *view_out);
    struct db_moment *moment = &iterator->moment;
    edb_space *space = moment->space;
    edb_status status = db_check_fork(space->db);
    if (status != EDB_OK)
        return status;
    uint64_t row = db_moment_next(moment, iterator->next);
    if (row == moment->end)
        return fail(EDB_NOT_FOUND, "the end of space '%s' is reached", space->spec.name);
    struct reading reading = {moment, row, view_out};
    status = db_with_view(space->db, read_row, &reading);
    if (status == EDB_NOT_FOUND)
        status = fail(EDB_CORRUPT, "row %llu of space '%s' is lost", (unsigned long long)row,
                      space->spec.name);
    iterator->next = is_passed(status) ? row + 1 : row;
    return status;
}

void edb_iterator_close(edb_iterator *iterator)
{
    if (iterator == NULL)
        return;
    db_moment_close(&iterator->moment);
    memory_free(iterator);
}
