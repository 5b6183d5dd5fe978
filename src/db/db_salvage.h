/* Going through a damaged file transaction by transaction; private to db/. Which frames are a
 * transaction, and whether it was committed, is told by their flags, and is doubtful where frames
 * are missing:
 *
 *   BEGIN … COMMIT without a gap     committed
 *   a gap, no BEGIN … COMMIT         committed: its beginning is lost
 *   BEGIN … and a gap                in doubt: COMMIT was in the gap, or it was abandoned
 *   a group whose header is lost     in doubt
 *   BEGIN … BEGIN, BEGIN … the end   abandoned: no reader ever saw it; passed over */
#ifndef EDB_DB_DB_SALVAGE_H
#define EDB_DB_DB_SALVAGE_H

#include "store/store_scan.h"

/* A GROUP that was found. */
struct db_part {
    struct frame_header header; /* of one whose header is lost only the offset */
    uint64_t limit;             /* where it ends at the latest, when its header is lost; else 0 */
};

/* A place where frames are missing. */
struct db_gap {
    uint64_t from;
    uint64_t to;
    uint64_t missing; /* frames; 0: nobody knows */
    uint64_t first;   /* sequence of the first */
};

struct db_salvage_visitor {
    edb_status (*group)(void *arg, const struct db_part *part, bool certain);
    edb_status (*catalog)(void *arg, const struct frame_header *header); /* NULL = not */
    uint64_t (*indexed)(void *arg, uint64_t from); /* where the first GROUP behind `from` begins, by
                                                      the index; UINT64_MAX: nobody knows */
    edb_status (*gap)(void *arg, const struct db_gap *gap); /* behind what was found in it; or
                                                               NULL */
    void *arg;
};

/* Visits what a scan has found, in order. EDB_FORMAT: a critical frame of a newer format;
 * EDB_NO_MEMORY; what a visit returned. */
edb_status db_salvage_visit(struct store *store, const struct store_scan *scan,
                            const struct db_salvage_visitor *visitor);

#endif
