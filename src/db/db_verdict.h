/* What a damaged file says of its spaces and rows, all of it taken together: which spaces there
 * are, which rows are gone, and which transactions in doubt were abandoned; private to db/.
 *
 * A transaction in doubt was abandoned when a later one gave its row numbers anew: then no reader
 * ever saw it. Else it is taken for committed. What a record that verifies deletes or replaces is
 * gone, whatever became of the record's own vector. */
#ifndef EDB_DB_DB_VERDICT_H
#define EDB_DB_DB_VERDICT_H

#include "db/db_piece.h"
#include "db/db_salvage.h"

struct verdict_space {
    bool known;
    struct spec spec;
    struct limits limits;
    uint64_t next_row; /* the first number that was never given */
    uint64_t saved_to; /* the caller's: behind the last row that was saved */
    size_t doubt;      /* number of the newest transaction in doubt, from 1; 0: there is none */
};

/* A row that is gone. */
struct verdict_death {
    uint64_t row;
    uint32_t space;
};

/* A GROUP in doubt. */
struct verdict_doubt {
    uint64_t last_row;
    size_t deaths_from; /* of verdict.deaths, that it speaks of */
    size_t deaths_to;
    size_t below; /* the one before it in its space */
    bool abandoned;
};

struct db_verdict {
    struct store *store;
    edb *aid; /* a handle of the damaged file, for what its index tells; NULL: it cannot be
                 opened */
    struct verdict_space *spaces; /* EDB_SPACES_MAX of them */
    uint32_t space_count;
    struct limits limits;         /* of the file */
    struct verdict_death *deaths; /* in order, once all was judged */
    size_t death_count;
    size_t death_capacity;
    struct verdict_doubt *doubts; /* in the order in which they are visited */
    size_t doubt_count;
    size_t doubt_capacity;
    edb_status (*pace)(void *arg, uint64_t offset); /* called for each GROUP that is judged */
    void *arg;
};

/* Goes through all groups twice, without their vectors. `store`, `aid` and `pace` are set, the rest
 * is zero. EDB_FORMAT, EDB_NO_MEMORY; what `pace` says. */
edb_status db_verdict_reach(struct db_verdict *verdict, const struct store_scan *scan);
void db_verdict_close(struct db_verdict *verdict);

/* Opens a part that the salvage visits. */
edb_status db_verdict_open(const struct db_verdict *verdict, const struct db_part *part,
                           struct db_piece *piece_out);

/* Where the first GROUP of a live row behind `from` begins, by the index; UINT64_MAX when it knows
 * of none. */
uint64_t db_verdict_indexed(const struct db_verdict *verdict, uint64_t from);

/* Whether the records of a piece are of the space that it names, as far as that can be told. Says
 * the same each time once the spaces are known. */
bool db_verdict_believes(const struct db_verdict *verdict, const struct db_piece *piece);

/* Whether the index knows a record of a piece: then its transaction was committed. */
bool db_verdict_confirms(const struct db_verdict *verdict, const struct db_piece *piece);

/* Whether a row is gone. */
bool db_verdict_is_dead(const struct db_verdict *verdict, uint32_t space, uint64_t row);

#endif
