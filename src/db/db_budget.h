/* Counting hits, handing over what was used, keeping within a budget; private to db/.
 *
 * A hit touches memory of this process only: a tally of its thread, and a mark of the row where the
 * space has a budget. A handle that writes hands both over in a NOTE, at a commit, when that has
 * the lock anyway. So no read ever writes, and other handles learn of it as of anything: by
 * walking. */
#ifndef EDB_DB_DB_BUDGET_H
#define EDB_DB_DB_BUDGET_H

#include "db/db.h"

/* --------------------------------------------------------------------------------- db_limits.c */

/* Applies a LIMITS record: nothing has changed when it fails. EDB_CORRUPT, EDB_NO_MEMORY. */
edb_status db_apply_limits(edb *db, uint32_t space, const uint8_t *bytes, size_t count);

/* Makes `evicts` and what hangs on it what the limits say, for all spaces. Needs the view lock,
 * exclusive. EDB_NO_MEMORY, EDB_CORRUPT. */
edb_status db_settle_budgets(edb *db);

/* Whether the space is one in which the command keeps its own records: it has no budget. */
bool db_is_own(const edb_space *space);

/* Whether any limit is set. */
bool db_any_limit(const struct limits *limits);

/* ---------------------------------------------------------------------------------- db_tally.c */

/* EDB_NO_MEMORY. */
edb_status db_tally_open(edb_space *space);

/* A key was found, or not. Needs the view lock, shared. */
void db_tally_hit(edb_space *space, const struct db_found *found);
void db_tally_miss(edb_space *space);

/* What this handle has counted and not yet handed over. */
struct ledger db_tally_pending(const edb_space *space);

/* ----------------------------------------------------------------------------------- db_note.c */

/* Hands over what was counted, if there is much or some time went by; `now`: whatever there is.
 * Between db_write_begin and db_write_end. A failure is no failure of the commit before it. */
void db_hand_over(edb *db, bool now);

/* Whether there is anything to hand over. */
bool db_has_counted(edb *db);

/* Applies a NOTE. One that is damaged, or of another version, is passed over. */
void db_apply_note(edb *db, const struct store_frame *frame);

/* ---------------------------------------------------------------------------------- db_evict.c */

/* Whether a space or the file is over its budget. Needs the view lock, shared. */
bool db_over_budget(const edb *db);

/* Evicts until all budgets are kept, none can be, or it is `until_ms`. Between db_write_begin and
 * db_write_end. Statuses as for a commit. */
edb_status db_evict(edb *db, uint64_t until_ms);

/* How many bytes the live rows of a space take. Needs the view lock, shared. */
uint64_t db_live_bytes(const edb_space *space);

/* -------------------------------------------------------------------------------- db_expired.c */

/* The next row whose time is over; `looks` is how many are looked at, about, and what is left of
 * that. ROW_NONE: none was met. Needs the write lock and the view lock, shared. EDB_CORRUPT. */
edb_status db_next_expired(edb_space *space, uint64_t *looks, uint64_t *row_out);

/* Counts on, without naming any. As above. */
edb_status db_count_expired(edb_space *space, uint64_t looks);

/* What expired rows take, as far as they were met. */
uint64_t db_expired_bytes(const edb_space *space);

/* A row is gone, or one has come. Needs the view lock, exclusive. */
void db_forget_expired(edb_space *space, uint64_t row, const struct row_place *place);
void db_expect_expiry(edb_space *space, uint32_t expiry_s);

/* ------------------------------------------------------------------------------- db_maintain.c */

/* The rows of a commit are the last that it evicts: between the two. */
void db_begin_fresh(struct db_change *changes, size_t count);
void db_end_fresh(struct db_change *changes, size_t count);

/* After a commit: what is due, for maintenance_ms at most. Between db_write_begin and
 * db_write_end. */
void db_look_after(edb *db);

/* The same for compaction, behind db_write_end. */
void db_go_on_compacting(edb *db);

/* All that is due, at once; the lock on the file is waited for so long. As edb_maintain. */
edb_status db_maintain(edb *db, uint32_t wait_ms);

/* Before the handle is closed: all that is due. A failure is told to the log. */
void db_maintain_last(edb *db);

#endif
