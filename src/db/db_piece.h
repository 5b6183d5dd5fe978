/* A GROUP of which anything may be damaged, and the records in it that verify by themselves;
 * private to db/.
 *
 * A record's checksum covers its fields, key, text and metadata, and the vector's is bound to the
 * row. Only the preamble has nothing but the payload's checksum, and it says of which space the
 * records are: so a piece is READABLE when the payload verifies, or does once the preamble is
 * mended; or when something else in the payload is known to be what does not verify. */
#ifndef EDB_DB_DB_PIECE_H
#define EDB_DB_DB_PIECE_H

#include "db/db.h"

struct db_piece {
    uint64_t offset;
    const uint8_t *bytes; /* its first one in the map */
    uint64_t there;       /* bytes of it that are in the file */
    uint64_t seed;
    bool readable;
    bool whole;    /* the payload verifies, as it stands or mended */
    bool intact;   /* as it stands */
    bool headless; /* its header is lost */
    bool shallow;  /* vectors are not looked at: the caller's to set */
    struct group group;
};

/* The GROUP with this header. `spaces`: how many there can be. EDB_FORMAT: it is whole, and of a
 * newer format. EDB_NO_MEMORY. */
edb_status db_piece_open(struct store *store, const struct frame_header *header, uint32_t spaces,
                         struct db_piece *out);

/* What stands at `offset`, where a frame began whose header is lost, and ends before `limit`.
 * Readable when it looks like a GROUP and a record in it verifies. */
void db_piece_open_headless(struct store *store, uint64_t offset, uint64_t limit,
                            struct db_piece *out);

/* Where the next such GROUP begins, behind the one at `offset` (or behind `offset`, when there is
 * none), before `limit`, a multiple of 64 like both; `limit` when none is found. */
uint64_t db_piece_next_headless(struct store *store, uint64_t offset, uint64_t limit);

/* As db_piece_open_headless where the preamble is lost, too: the index says where a record of it
 * stands, and in which space. Readable when the record that stands there fits that, and any
 * verifies. */
void db_piece_open_placed(struct store *store, const struct row_place *place, uint32_t space,
                          uint64_t limit, struct db_piece *out);

enum db_piece_part {
    PIECE_LOST,      /* nothing of the record is known */
    PIECE_NO_VECTOR, /* all but its vector */
    PIECE_WHOLE
};

/* A record of a readable piece. EDB_FORMAT: it is whole, and of a newer format. */
edb_status db_piece_record(const struct db_piece *piece, uint32_t index, struct record *out,
                           enum db_piece_part *part_out);

#endif
