/* A compaction that is done in steps, private to db/: by the writer's own calls, in between of
 * which the handle and everybody else go on. It belongs to its handle, which edb_close ends it
 * with.
 *
 * No lock is held between steps, so that one that stands idle keeps nobody waiting: each step takes
 * the lock on compaction anew, and gives up what was begun when another compaction has that lock or
 * has taken the file's place. None of the handle's locks may be held by who calls. When a step
 * fails, and when it is done, there is none under way. */
#ifndef EDB_DB_DB_COMPACT_H
#define EDB_DB_DB_COMPACT_H

#include "db/db.h"

/* Begins one: writes what stands in memory only into sections, and opens a snapshot. Waits for
 * nobody. EDB_BUSY: somebody writes, or a compaction is under way, by this handle or, as far as it
 * can be seen, another: it has the lock, or a temporary file. Others as for edb_compact. */
edb_status db_compaction_begin(edb *db);

/* Does pieces of the one that is under way, at least one, until the clock of the system's table
 * shows `until_ms`: each is a matter of milliseconds, and none is begun that would, by the last
 * ones, go past that time. The last is to take over; *done_out says that the new file has the name,
 * though that may not be on the device yet (see edb_sync). When others hold the writer lock that is
 * left to a later step.
 *
 * EDB_INVALID: none is under way. EDB_BUSY: another thread of the handle is at it, which alone ends
 * nothing; another compaction is at work or was faster; writers were faster than the copy.
 * EDB_STALE: something else is at the path, or under the temporary name. Others as for
 * edb_compact. */
edb_status db_compaction_step(edb *db, uint64_t until_ms, bool *done_out);

/* Whether one is under way. */
bool db_compaction_is_open(const edb *db);

/* Gives it up: the file is as it was, the temporary one is removed. In the child of a fork only the
 * memory is freed. None under way is allowed. */
void db_compaction_abandon(edb *db);

#endif
