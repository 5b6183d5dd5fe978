/* edb_delete: a transaction of one change. The row dies when its DELETE record is applied. */
#include "db/db.h"

edb_status edb_delete(edb_space *space, const void *key, size_t key_bytes)
{
    if (space == NULL || (key == NULL && key_bytes > 0))
        return fail(EDB_INVALID, "edb_delete: an argument is NULL");
    struct db_change change = {.space = space, .operation = RECORD_DELETE};
    edb_status status = db_make_key(space, key, key_bytes, &change.key);
    if (status == EDB_OK)
        status = db_commit(space->db, &change, 1, EDB_DEFAULT);
    if (status == EDB_OK && (!change.found || change.expired))
        return fail(EDB_NOT_FOUND, "the key is not in space '%s'", space->spec.name);
    return status;
}
