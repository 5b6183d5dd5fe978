/* What no library would have written, though its checksums are right; private to db/. Shared by
 * verify, which tells of it, and by merge and repair, which take nothing of the kind over. */
#ifndef EDB_DB_DB_CONTENT_H
#define EDB_DB_DB_CONTENT_H

#include "db/db.h"

/* Looks at key, vector and metadata of a put as it stands in a file (see db_change_of). *fault_out
 * says what is wrong with the row, or is NULL. EDB_NO_MEMORY. */
edb_status db_content_check(const edb_space *space, const struct db_change *change,
                            const char **fault_out);

#endif
