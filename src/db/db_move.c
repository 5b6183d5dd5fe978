/* Following a cache that was written anew: another file has taken its name. Who wrote it left a
 * mark at the end of the old file before the rename, so whoever has that open looks at the path
 * from then on. Called at the door of every call, and by who finds another file at the path when he
 * has the lock. */
#include <string.h>

#include "base/memory.h"
#include "db/db_budget.h"

bool db_may_have_moved(const edb *db)
{
    const struct frame_header *last = &db->store->last;
    return last->type == FRAME_PAD && (last->flags & FRAME_MOVES);
}

static edb_status replaced(const edb *db)
{
    return fail(EDB_STALE,
                "%s was replaced or removed since it was opened: close it and open it again",
                db->path);
}

static edb_status open_next(edb *db, struct store **next_out)
{
    char *path;
    *next_out = NULL;
    edb_status status = db->store->io->resolve(db->store->file, db->store->path, false, &path);
    if (status == EDB_OK)
        status = store_open(path, db->writable, next_out);
    memory_free(path);
    if (status == EDB_NOT_FOUND)
        return replaced(db);
    if (status == EDB_OK && !genesis_succeeds(&(*next_out)->genesis, &db->store->genesis)) {
        store_close(*next_out);
        return replaced(db);
    }
    return status;
}

/* Rows keep their numbers and so their marks: they are lent to the view that is built anew. */
static struct evict *take_marks(edb *db)
{
    struct evict *marks = memory_zeroed(db->space_known, sizeof *marks);
    for (uint32_t i = 0; i < db->space_known && marks != NULL; i++) {
        marks[i] = db->spaces[i]->evict;
        db->spaces[i]->evict = (struct evict){0};
    }
    return marks;
}

static void give_marks(edb *db, struct evict *marks, uint32_t count)
{
    for (uint32_t i = 0; i < count && marks != NULL; i++) {
        edb_space *space = db->spaces[i];
        if (space->evicts)
            evict_inherit(&space->evict, &marks[i]);
        evict_close(&marks[i]);
    }
    memory_free(marks);
}

/* The view is lost with the old store, and built again from the new one. */
static edb_status exchange(edb *db, struct store *next)
{
    os_rwlock_write(&db->view_lock);
    db->store = next;
    db_claimed_move(&db->claimed, next);
    db->lost = true;
    db->walk_limits = (struct store_limits){0};
    db->sections_from = 0;
    db->damaged_count = 0;
    db->compaction_from = 0;
    db->steps_from = 0;
    uint32_t known = db->space_known;
    struct evict *marks = take_marks(db);
    edb_status status = db_load(db);
    give_marks(db, marks, known);
    os_rwlock_unlock(&db->view_lock);
    return status;
}

/* With the write lock: nobody else moves the handle. The store that it had is for the caller to
 * close: NULL when it has it still. */
static edb_status follow(edb *db, struct store **left_out)
{
    struct store *next;
    struct store *before = db->store;
    bool same;
    *left_out = NULL;
    edb_status status = db->store->io->same_file(db->store->file, db->store->path, &same, NULL);
    if (status != EDB_OK || same)
        return status;
    status = open_next(db, &next);
    if (status != EDB_OK)
        return status;
    *left_out = before;
    status = exchange(db, next);
    if (status == EDB_OK)
        log_event(EDB_LOG_INFO, "%s was written anew: edition %llu is read from now on", db->path,
                  (unsigned long long)next->genesis.edition);
    return status;
}

/* The last user of a large file waits, when he closes it, until the system has taken it back (some
 * 0.3 ms a megabyte on ext4): writers need not. */
edb_status db_move(edb *db)
{
    struct store *left;
    bool held = atomic_load(&db->writer) == os_thread_mark();
    if (!held)
        os_mutex_lock(&db->write_lock);
    edb_status status = follow(db, &left);
    if (!held)
        os_mutex_unlock(&db->write_lock);
    store_close(left);
    return status;
}
