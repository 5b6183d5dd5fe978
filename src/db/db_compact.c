/* edb_compact: the cache written anew.
 *
 *   1 begin               the lock on compaction, a snapshot of the file, room for the new one
 *   2 db_copy_all         what is live in the snapshot (db_copy.c), while others read and write
 *   3 catch_up            what came later, again and again until little is left; synced
 *   4 take_over           under the writer lock: the rest, one sync, the mark at the old file's
 *                         end,
 *                         the rename <- THE COMMIT POINT
 *   5 edb_sync            this handle moves over; the name becomes durable
 *
 * Before the rename a crash leaves the old file, and a temporary one that the next creation or
 * compaction removes; after it, either. The mark comes first, so that no reader stays behind: who
 * sees it looks at the path. Should the rename not come, it is an empty frame like others. */
#include <string.h>

#include "base/memory.h"
#include "db/db.h"
#include "db/db_copy.h"

static const uint64_t lag_bytes = 4u << 20;      /* that may be left when the lock is asked for */
static const uint64_t lag_bytes_max = 64u << 20; /* and when it has come */

enum {
    CATCH_UP_ROUNDS = 64,
    TAKE_OVER_TRIES = 8,
    PAUSE_MS = 100, /* of a throttled copy, at a time */
};

struct compaction {
    edb *db;
    edb_compact_options options;
    struct store *before; /* the old file, with the lock on compaction */
    edb *source;
    struct store_successor successor;
    struct db_copy copy;
    uint64_t begin_ms;
    uint64_t bytes; /* written so far */
    uint64_t rows;
    uint64_t rows_total;
    edb_compact_report report;
};

/* ----------------------------------------------------------------------------------- the pace */

static edb_status ask_progress(const struct compaction *c)
{
    const edb_compact_options *options = &c->options;
    uint64_t total = c->rows_total > c->rows ? c->rows_total : c->rows;
    if (options->progress == NULL || options->progress(options->arg, c->rows, total) == 0)
        return EDB_OK;
    return fail(EDB_CANCELLED, "%s: the compaction was cancelled; the file is as it was",
                c->db->path);
}

/* After each piece: tells how far it is, and waits as long as the throttle wants. */
static edb_status keep_pace(void *arg, uint64_t rows, uint64_t bytes)
{
    struct compaction *c = arg;
    const struct os_io *io = c->before->io;
    c->rows += rows;
    c->bytes += bytes;
    edb_status status = ask_progress(c);
    while (status == EDB_OK && c->options.bytes_per_s > 0) {
        double due_ms = (double)c->bytes * 1000 / (double)c->options.bytes_per_s;
        if ((double)(io->monotonic_ms() - c->begin_ms) >= due_ms)
            break;
        io->sleep_ms(PAUSE_MS);
        status = ask_progress(c);
    }
    return status;
}

/* Under the writer lock nobody is asked, and nothing is waited for. */
static edb_status make_haste(void *arg, uint64_t rows, uint64_t bytes)
{
    (void)arg;
    (void)rows;
    (void)bytes;
    return EDB_OK;
}

/* --------------------------------------------------------------------------------- beginning */

/* What stands in memory only goes into sections: the snapshot then needs little memory. */
static edb_status settle(edb *db)
{
    edb_status status = db_write_begin(db, false);
    if (status != EDB_OK)
        return status;
    db_flush(db, true);
    status = store_check_writable(db->store);
    db_write_end(db);
    return status;
}

static edb_status open_source(struct compaction *c)
{
    edb_open_options options = EDB_OPEN_OPTIONS_INIT;
    char *path;
    options.flags = EDB_OPEN_READ_ONLY | EDB_OPEN_SNAPSHOT;
    edb_status status = c->before->io->resolve(c->before->file, c->before->path, false, &path);
    if (status == EDB_OK)
        status = edb_open(path, &options, &c->source);
    memory_free(path);
    if (status != EDB_OK)
        return status;
    if (c->source->store->genesis.chain_seed != c->before->genesis.chain_seed)
        return fail(EDB_STALE, "%s was replaced while its compaction began", c->db->path);
    if (atomic_load(&c->source->store->damaged))
        return fail(EDB_CORRUPT, "%s is damaged: a compaction would lose what is behind the damage",
                    c->db->path);
    return c->before->io->size(c->before->file, &c->report.bytes_before);
}

static edb_status check_room(const struct compaction *c)
{
    uint64_t needed;
    uint64_t there;
    edb_status status = db_copy_estimate(c->source, &needed);
    if (status == EDB_OK)
        status = c->before->io->free_bytes(c->before->file, &there);
    if (status != EDB_OK || needed <= there)
        return status;
    return fail(EDB_FULL,
                "%s: the new file will have about %llu bytes, and the device has room for %llu: "
                "free some space and try again",
                c->db->path, (unsigned long long)needed, (unsigned long long)there);
}

static edb_status take_compaction(struct compaction *c)
{
    os_rwlock_read(&c->db->view_lock);
    struct store *store = store_share(c->db->store);
    os_rwlock_unlock(&c->db->view_lock);
    edb_status status = store->io->try_lock(store->file, OS_LOCK_COMPACTION);
    if (status == EDB_OK) {
        c->before = store;
        return EDB_OK;
    }
    store_close(store);
    return status;
}

static edb_status begin(struct compaction *c)
{
    edb_status status = settle(c->db);
    if (status == EDB_OK)
        status = take_compaction(c);
    if (status == EDB_OK)
        status = open_source(c);
    if (status == EDB_OK)
        status = check_room(c);
    if (status == EDB_OK)
        status = store_successor_create(c->before, &c->successor);
    if (status != EDB_OK)
        return status;
    for (uint32_t i = 0; i < c->source->space_count; i++)
        c->rows_total += c->source->spaces[i]->live;
    c->begin_ms = c->before->io->monotonic_ms();
    c->copy = (struct db_copy){
        .source = c->source, .target = c->successor.store, .pace = keep_pace, .arg = c};
    return EDB_OK;
}

static void end(struct compaction *c)
{
    db_copy_close(&c->copy);
    store_successor_close(&c->successor);
    (void)edb_close(c->source);
    if (c->before != NULL)
        c->before->io->unlock(c->before->file, OS_LOCK_COMPACTION);
    store_close(c->before);
}

/* --------------------------------------------------------------------------------- taking over */

static edb_status too_fast(const struct compaction *c)
{
    return fail(EDB_BUSY,
                "%s: others write faster than the copy: try again when there is less to do",
                c->db->path);
}

/* Each round leaves less, unless writers are faster than the copy. */
static edb_status catch_up(struct compaction *c)
{
    const struct store *source = c->source->store;
    for (int round = 0; round < CATCH_UP_ROUNDS; round++) {
        uint64_t from = source->end.offset;
        edb_status status = db_copy_later(&c->copy);
        if (status == EDB_OK)
            status = db_copy_sync(&c->copy);
        if (status != EDB_OK || source->end.offset - from <= lag_bytes)
            return status;
    }
    return too_fast(c);
}

/* The mark at the end of the old file. */
static edb_status mark(edb *db)
{
    struct frame_draft pad = {.type = FRAME_PAD,
                              .flags = FRAME_MOVES,
                              .offset = store_append_offset(db->store),
                              .frame_bytes = FRAME_HEADER_BYTES,
                              .payload = ""};
    return db_append(db, &pad, 1, false);
}

/* With the writer lock. Nobody appends: what the copy has not got now is the last of it. */
static edb_status finish(struct compaction *c)
{
    edb_status status = EDB_OK;
    if (c->db->store != c->before)
        status = fail(EDB_STALE, "%s was replaced while it was compacted", c->db->path);
    if (status == EDB_OK)
        status = db_copy_later(&c->copy);
    if (status == EDB_OK && c->source->store->end.offset != c->before->end.offset)
        status = fail(EDB_CORRUPT, "%s: the copy ends at %llu, the file at %llu", c->db->path,
                      (unsigned long long)c->source->store->end.offset,
                      (unsigned long long)c->before->end.offset);
    if (status == EDB_OK)
        status = db_copy_sync(&c->copy);
    if (status == EDB_OK)
        status = c->successor.store->io->size(c->successor.store->file, &c->report.bytes_after);
    if (status == EDB_OK)
        status = mark(c->db);
    return status == EDB_OK ? store_successor_publish(&c->successor) /* <- THE COMMIT POINT */
                            : status;
}

/* Whoever wrote while the lock was waited for may have written much: then the lock is given back,
 * for it is not to be held that long (19). */
static edb_status take_over(struct compaction *c)
{
    for (int i = 0; i < TAKE_OVER_TRIES; i++) {
        edb_status status = catch_up(c);
        if (status == EDB_OK)
            status = db_write_begin(c->db, false);
        if (status != EDB_OK)
            return status;
        bool is_near = c->db->store->end.offset <= c->source->store->end.offset + lag_bytes_max;
        c->copy.pace = make_haste;
        if (is_near)
            status = finish(c);
        c->copy.pace = keep_pace;
        db_write_end(c->db);
        if (is_near)
            return status;
    }
    return too_fast(c);
}

static edb_status compact(struct compaction *c)
{
    edb_status status = begin(c);
    if (status == EDB_OK)
        status = db_copy_all(&c->copy);
    c->report.rows = c->rows;
    if (status == EDB_OK)
        status = take_over(c);
    end(c);
    return status == EDB_OK ? edb_sync(c->db) : status;
}

edb_status edb_compact(edb *db, const edb_compact_options *options, edb_compact_report *report_out)
{
    if (db == NULL)
        return fail(EDB_INVALID, "edb_compact: db is NULL");
    struct compaction c = {.db = db};
    edb_status status = db_struct_read(&db_struct_compact_options, options, &c.options);
    if (status == EDB_OK && report_out != NULL)
        status = db_struct_write(&db_struct_compact_report, &c.report, report_out);
    if (status == EDB_OK)
        status = db_check_may_write(db);
    if (status != EDB_OK)
        return status;
    if (atomic_exchange(&db->compacting, true))
        return fail(EDB_BUSY, "%s is being compacted already", db->path);
    status = compact(&c);
    atomic_store(&db->compacting, false);
    if (status == EDB_OK && report_out != NULL)
        status = db_struct_write(&db_struct_compact_report, &c.report, report_out);
    return status;
}
