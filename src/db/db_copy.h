/* Writing a cache anew: its live records, with their row numbers, into a file that nobody has open
 * yet; private to db/. The copies are checked twice, where they stand and where they will stand,
 * and every checksum is made anew, for another file has other seeds. */
#ifndef EDB_DB_DB_COPY_H
#define EDB_DB_DB_COPY_H

#include "db/db_moment.h"

/* Called after each piece of the work. Anything but EDB_OK ends it. */
typedef edb_status db_copy_pace(void *arg, uint64_t rows, uint64_t bytes);

struct db_copy {
    /* Set by the caller; the rest is zero at first. */
    edb *source;          /* a snapshot handle of its own */
    struct store *target; /* with no frame yet */
    db_copy_pace *pace;   /* of the rows and bytes that were written just now */
    void *arg;

    struct db_moment moment;   /* of the space at hand */
    struct rows_writer places; /* of its rows that no section has yet */
    uint64_t places_last;      /* the row behind the last of them */
    uint32_t first_expiry_s;   /* of the space's rows; 0: none expires */
    struct account account;    /* of them */
    struct db_change *changes; /* a group in the making: they lead into the source */
    size_t count;
    uint64_t bytes; /* of their vectors, keys and texts */
    struct catalog catalog;
    size_t sections; /* that catalog.sections has room for */
};

/* Copies every live record of the snapshot: for each space its SPACE, GROUPs with GAPS, ROWS and
 * KEYS; then a CATALOG. EDB_CORRUPT: a record does not verify. EDB_FULL, EDB_IO, EDB_NO_MEMORY; and
 * what `pace` says. */
edb_status db_copy_all(struct db_copy *copy);

/* Copies what was appended to the source since, as it stands there; the source is a snapshot no
 * more. */
edb_status db_copy_later(struct db_copy *copy);

/* Makes the copy durable and quick to open. */
edb_status db_copy_sync(struct db_copy *copy);

/* How many bytes the copy will take, by a sample of the records. */
edb_status db_copy_estimate(edb *source, uint64_t *bytes_out);

void db_copy_close(struct db_copy *copy);

#endif
