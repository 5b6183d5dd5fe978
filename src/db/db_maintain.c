/* edb_maintain, and what a commit does beside itself.
 *
 *   1 db_hand_over  hits and uses, for everybody to know
 *   2 db_evict      what is over a budget */
#include "db/db_budget.h"

static void tell(const edb *db, edb_status status)
{
    if (status != EDB_OK)
        log_event(EDB_LOG_WARNING, "%s: the budget is not kept: %s", db->path, edb_error_detail());
}

void db_look_after(edb *db)
{
    if (db->maintenance_ms == EDB_MAINTENANCE_OFF)
        return;
    db_hand_over(db, false);
    tell(db, db_evict(db, db->store->io->monotonic_ms() + db->maintenance_ms));
}

edb_status edb_maintain(edb *db)
{
    if (db == NULL)
        return fail(EDB_INVALID, "edb_maintain: db is NULL");
    edb_status status = db_write_begin_at_once(db);
    if (status != EDB_OK)
        return status;
    db_hand_over(db, true);
    status = db_evict(db, UINT64_MAX);
    db_write_end(db);
    return status;
}
