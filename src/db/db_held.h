/* What a damaged range held, in words: as far as the rest of the file tells; private to db/. Shared
 * by verify and repair, so that both say the same of the same place. */
#ifndef EDB_DB_DB_HELD_H
#define EDB_DB_DB_HELD_H

#include "db/db_piece.h"
#include "db/db_salvage.h"

enum { HELD_TEXT_BYTES = 512, HELD_KEY_BYTES = 96 };

/* The first live row from `row` on, and where it stands. False: there is none, or the index is
 * damaged. Needs the view lock, shared, as all that takes a handle here. */
bool db_held_next_row(const edb_space *space, uint64_t row, uint64_t *row_out,
                      struct row_place *place_out);

/* A row number from which on all live rows stand at offset `from` or behind. */
uint64_t db_held_row_from(const edb_space *space, uint64_t from);

/* How a key is named in a sentence: "key 'abc'"; one that is long or cannot be printed, and a
 * digest, by what it is. */
void db_held_key(const struct db_key *key, char out[HELD_KEY_BYTES]);

/* A sentence in the making. */
struct db_held {
    uint64_t rows; /* live rows that the row directory knows to stand in the range */
    char text[HELD_TEXT_BYTES];
};

/* A place without a frame. `db` is a handle of the file that knows its index, with the view lock
 * held, shared; NULL: nobody knows. */
void db_held_gap(edb *db, const struct db_gap *gap, struct db_held *out);

/* A GROUP in which nothing can be read. */
void db_held_group(edb *db, uint64_t from, uint64_t to, struct db_held *out);

/* Records of a GROUP, one behind another, whose own checksums do not verify. */
struct db_held_records {
    uint32_t first;
    uint32_t count;
    uint64_t first_row; /* as it stands in the first of them, and in the last */
    uint64_t last_row;
};

/* Adds record `index` behind those there are; false when it is not the next one. */
bool db_held_add(struct db_held_records *records, uint32_t index, const struct record *record);

/* `space` is the name, or NULL. */
void db_held_records(const char *space, const struct db_held_records *records, struct db_held *out);

/* A record whose vector alone does not verify. */
void db_held_vector(const char *space, const struct db_piece *piece, const struct record *record,
                    struct db_held *out);

/* A space whose spec is lost, and how many of its records were met. */
void db_held_space(uint32_t id, uint64_t records, struct db_held *out);

/* Adds that some records were saved all the same. */
void db_held_saved(uint64_t records, struct db_held *held);

#endif
