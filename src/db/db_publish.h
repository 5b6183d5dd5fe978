/* Sections on their way into the file, with the CATALOG that names them; private to db/. */
#ifndef EDB_DB_DB_PUBLISH_H
#define EDB_DB_DB_PUBLISH_H

#include "db/db.h"

/* What a catalog says of a space. */
struct catalog_space db_catalog_space(const edb_space *space);

/* A CATALOG on its way. Not to be moved: the frame leads to the piece. */
struct db_catalog_draft {
    uint8_t *payload; /* freed with memory_free */
    struct frame_piece piece;
    struct frame_draft frame;
};

/* Sorts the catalog's sections and lays it out for file offset `at`. EDB_FULL: it is too large.
 * EDB_NO_MEMORY. */
edb_status db_catalog_lay_out(struct catalog *catalog, uint64_t at, struct db_catalog_draft *out);

struct db_publication {
    edb *db;
    struct store_section_draft **drafts;
    size_t count;
    size_t capacity;
    struct frame_draft *frames; /* `count` sections, then the catalog */
    struct db_catalog_draft catalog;
};

void db_publication_open(struct db_publication *publication, edb *db);
void db_publication_close(struct db_publication *publication);

/* A new draft for a section of `space`; the caller fills descriptor (first, last, kind) and
 * body. */
edb_status db_publication_add(struct db_publication *publication, const edb_space *space,
                              struct store_section_draft **draft_out);

/* Lays out all frames from the end of the file on, and writes the catalog: the sections there are,
 * less those whose rows a new one of the same kind covers, and the new ones. Needs the view lock,
 * shared. */
edb_status db_publication_lay_out(struct db_publication *publication);

#endif
