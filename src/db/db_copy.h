/* Writing a cache anew: its live records, with their row numbers, into a file that nobody has open
 * yet; private to db/. The copies are checked twice, where they stand and where they will stand,
 * and every checksum is made anew, for another file has other seeds.
 *
 * The work is done in pieces, each a matter of milliseconds (some megabytes at most, a larger
 * record aside), with nothing held in between but what is in struct db_copy: some 30 MiB and two
 * bits for each live row. */
#ifndef EDB_DB_DB_COPY_H
#define EDB_DB_DB_COPY_H

#include "db/db.h"

/* What is done with one space, in this order. */
enum db_copy_part {
    DB_COPY_DEFINITION,
    DB_COPY_RECORDS, /* and their ROWS */
    DB_COPY_LAST_ROWS,
    DB_COPY_KEYS,
    DB_COPY_PARTS
};

struct db_copy {
    /* Set by the caller; the rest is zero at first. */
    edb *source;          /* a snapshot handle of its own */
    struct store *target; /* with no frame yet; set before the first db_copy_next */

    uint64_t rows;  /* copied so far */
    uint64_t bytes; /* written so far */

    uint64_t now_s;         /* rows that expired by then are left out */
    struct rows_live *live; /* of each space */
    uint32_t spaces;        /* how many there were at first */
    uint64_t source_end;    /* where the view of the source ended then */
    uint32_t surveyed;      /* spaces whose live rows are known */
    uint32_t space;         /* at hand: number of it in `source` */
    enum db_copy_part part;
    uint64_t row;              /* of the space at hand: those below are done */
    size_t word;               /* of its live words: those below are done */
    size_t first_word;         /* where the batch at hand begins */
    struct rows_writer places; /* of its rows that no section has yet */
    uint64_t places_last;      /* the row behind the last of them, or where their section begins */
    uint32_t first_expiry_s;   /* of the rows of the space at hand; 0: none expires */
    struct account account;    /* of them */
    struct keys_builder keys;  /* of a section in the making */
    struct store_section_draft keys_draft;
    uint64_t asked_to;        /* how far GROUPs of the source were asked for ahead of reading */
    uint64_t places_asked_to; /* and the ROWS section at hand */
    size_t section;           /* its number */
    uint64_t needed;          /* bytes, of the spaces that were measured */
    uint64_t samples;         /* rows of the next one that were */
    uint64_t sampled_bytes;

    struct db_change *changes; /* a group in the making: they lead into the source */
    size_t count;
    uint64_t batch_bytes; /* of their vectors, keys and texts */

    struct catalog catalog;
    size_t sections;    /* that catalog.sections has room for */
    uint64_t announced; /* the device was told that bytes before this will be synced */
    uint64_t unsynced;  /* bytes written since the last sync */
};

/* Notes the next live rows, of all spaces. EDB_CORRUPT: the index cannot be mended.
 * EDB_NO_MEMORY. */
edb_status db_copy_survey(struct db_copy *copy, bool *done_out);

/* How many bytes the copy will take, by a sample of the records: known when it is done. Behind the
 * survey. EDB_CORRUPT, EDB_NO_MEMORY. */
edb_status db_copy_measure(struct db_copy *copy, uint64_t *bytes_out, bool *done_out);

/* The next piece: for each space its SPACE, GROUPs with GAPS, ROWS and KEYS; then a CATALOG.
 * EDB_CORRUPT: a record does not verify. EDB_FULL, EDB_IO, EDB_NO_MEMORY. */
edb_status db_copy_next(struct db_copy *copy, bool *done_out);

/* Copies what was appended to the source since, as it stands there, until there is no more or
 * `bytes` of the source have been copied; a transaction is not divided. The source is a snapshot no
 * more. */
edb_status db_copy_later(struct db_copy *copy, uint64_t bytes);

/* Makes the copy durable and quick to open. */
edb_status db_copy_sync(struct db_copy *copy);

void db_copy_close(struct db_copy *copy);

/* --------------------------------------------------- db_copy.c, for what comes later: changes */

enum {
    DB_COPY_BATCH_ROWS = 1 << 14, /* a multiple of the rows that fill whole pages */
    DB_COPY_BATCH_BYTES = 4 << 20,
};

/* Takes a step with the view of the source held still. EDB_CORRUPT also: the view was built anew
 * since the survey began, and ends before what it knew then: the file is damaged. */
edb_status db_copy_with_view(struct db_copy *copy, db_step *step, void *arg);

/* Walks over what was appended to the target: it is read back, and where records stand is noted. */
edb_status db_copy_walk(struct db_copy *copy);

/* Appends frames to the target and walks over them. */
edb_status db_copy_append(struct db_copy *copy, struct frame_draft *drafts, size_t count);

#endif
