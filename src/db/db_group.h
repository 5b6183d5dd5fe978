/* Laying out a transaction as a run of GROUP frames, private to db/. */
#ifndef EDB_DB_DB_GROUP_H
#define EDB_DB_DB_GROUP_H

#include "db/db.h"

/* What a frame of the run needs until it is written. */
struct db_group_draft {
    uint8_t *payload;
    struct frame_piece *pieces;
    uint8_t *turned; /* CODEC_VECTOR_IN_PLACE: NULL. Else the vector block */
};

struct db_run {
    struct frame_draft *drafts;
    struct db_group_draft *groups;
    size_t count;
    size_t capacity;
};

/* Encodes planned changes of the first `spaces` spaces for the end of a file. Deletes of keys that
 * are not there leave no record; a run may be empty. EDB_NO_MEMORY. */
edb_status db_run_lay_out(const struct store *store, uint32_t spaces, struct db_change *changes,
                          size_t count, struct db_run *run_out);

/* The same for changes of one space, one at least, whose vectors are to start on a page in each
 * GROUP, however few they are: they can then be mapped behind others. EDB_NO_MEMORY. */
edb_status db_run_lay_out_on_pages(const struct store *store, struct db_change *changes,
                                   size_t count, struct db_run *run_out);

void db_run_close(struct db_run *run);

/* A record as a change that leads to it. */
struct db_change db_change_of(const edb_space *space, const uint8_t *frame,
                              const struct group *group, const struct record *record);

/* One GROUP that defines a space. */
edb_status db_run_define_space(const struct store *store, uint32_t id, const struct spec *spec,
                               struct db_run *run_out);

/* One GROUP that sets the limits of a space, or with space 0 of the file. */
edb_status db_run_set_limits(const struct store *store, uint32_t space, const struct limits *limits,
                             struct db_run *run_out);

#endif
