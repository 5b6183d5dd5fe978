/* The rows of a space as they were at one moment, private to db/: for whoever goes through them
 * without holding the view lock all the time (23). Which rows were live is written down, two bits
 * a row, and the row directory is kept; the records themselves never change, so later writes do not
 * show. */
#ifndef EDB_DB_DB_MOMENT_H
#define EDB_DB_DB_MOMENT_H

#include "db/db.h"

struct db_moment {
    edb_space *space;
    uint64_t end; /* rows [0, end) */
    struct rows_live live;
    size_t at; /* the word of `live` that was looked at last */
    struct rows rows;
    struct store *store; /* the file then: the handle may have moved to another since */
    uint32_t replaced;   /* store->replaced then: places of other bytes mean nothing */
    uint64_t asked_to;   /* how far the file was asked for ahead of reading */
};

/* Takes the view lock, shared, for as long as it takes. EDB_NO_MEMORY, EDB_CORRUPT, EDB_FORKED. */
edb_status db_moment_open(edb_space *space, struct db_moment *moment_out);

/* A zeroed one is allowed. */
void db_moment_close(struct db_moment *moment);

/* The first row from `row` on that was live; `end` when there is none. */
uint64_t db_moment_next(struct db_moment *moment, uint64_t row);

/* The record of a row that was live, also if it is gone by now. Needs the view lock, shared.
 * EDB_CORRUPT; EDB_STALE when other bytes were copied over the file since. */
edb_status db_moment_locate(struct db_moment *moment, uint64_t row, struct db_found *out);

#endif
