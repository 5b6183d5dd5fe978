/* edb_compact: the cache written anew, at once or in steps.
 *
 *   1 begin               the lock on compaction, a snapshot of the file
 *   2 survey              which rows are live; room for the new file, which is made
 *   3 db_copy_next        what is live in the snapshot (db_copy.c), while others read and write
 *   4 follow              what came later, again and again until little is left; synced
 *   5 take_over           under the writer lock: the rest, one sync, the mark at the old file's
 *                         end, the rename <- THE COMMIT POINT
 *   6 edb_sync            this handle moves over; the name becomes durable
 *
 * Each of 2 to 5 is done in pieces, a matter of milliseconds each; what comes between two pieces is
 * the caller's. In steps the lock is given back between them: another compaction may take the
 * file's place meanwhile, and this one is given up then.
 *
 * Before the rename a crash leaves the old file, and a temporary one that the next creation or
 * compaction removes; after it, either. The mark comes first, so that no reader stays behind: who
 * sees it looks at the path. Should the rename not come, it is an empty frame like others. */
#include "db/db_compact.h"

#include <string.h>

#include "base/memory.h"
#include "db/db_copy.h"

static const uint64_t piece_bytes = 4u << 20;    /* of what came later, at a time */
static const uint64_t lag_bytes = 1u << 20;      /* that may be left when the lock is asked for */
static const uint64_t lag_bytes_max = 16u << 20; /* and when it has come */

enum {
    ROUNDS = 64,
    TAKE_OVER_TRIES = 8,
    PAUSE_MS = 100, /* of a throttled copy, at a time */
};

enum stage { STAGE_SURVEY, STAGE_ROOM, STAGE_COPY, STAGE_FOLLOW, STAGE_TAKE_OVER };

struct db_compaction {
    edb *db;
    edb_compact_options options;
    struct store *before; /* the old file */
    edb *source;
    struct store_successor successor;
    struct db_copy copy;
    bool in_steps; /* or at once */
    enum stage stage;
    uint64_t round_from; /* a round of following: from here */
    uint64_t round_to;   /* to where the file ended when it began; 0: none has begun */
    int rounds;
    int tries;            /* to take over */
    uint32_t wait_ms;     /* for the writer lock */
    uint32_t piece_ms;    /* that a long piece took lately */
    uint64_t paced_ms;    /* since when the pace is kept */
    uint64_t paced_bytes; /* that were written before */
    uint64_t rows_total;
    edb_compact_report report;
};

/* --------------------------------------------------------------------------------- beginning */

/* What stands in memory only goes into sections: the snapshot then needs little memory. */
static edb_status settle(edb *db, uint32_t wait_ms)
{
    edb_status status = db_write_begin_within(db, false, wait_ms);
    if (status != EDB_OK)
        return status;
    db_flush_unmerged(db);
    status = store_check_writable(db->store);
    db_write_end(db);
    return status;
}

static edb_status open_source(struct db_compaction *c)
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

static edb_status take_compaction(struct db_compaction *c)
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

static void give_lock_back(struct db_compaction *c)
{
    c->before->io->unlock(c->before->file, OS_LOCK_COMPACTION);
}

static void release_compaction(struct db_compaction *c)
{
    give_lock_back(c);
    store_close(c->before);
    c->before = NULL;
}

static bool is_of_this_file(struct db_compaction *c)
{
    os_rwlock_read(&c->db->view_lock);
    bool same = c->db->store == c->before;
    os_rwlock_unlock(&c->db->view_lock);
    return same;
}

/* Asked in steps only. What has a file may stand idle, but most are at work: two would need twice
 * the room, and one of them in vain. */
static edb_status check_alone(const struct db_compaction *c)
{
    uint32_t living = 0;
    edb_status status = c->in_steps ? store_successors_living(c->before, &living) : EDB_OK;
    if (status == EDB_OK && living > 0)
        status = fail(EDB_BUSY, "%s: another compaction has begun and is not done", c->db->path);
    return status;
}

/* The lock comes first: who does not get it has written nothing. The handle may turn out to have to
 * move to another file. */
static edb_status take_settled(struct db_compaction *c)
{
    for (;;) {
        edb_status status = take_compaction(c);
        if (status == EDB_OK)
            status = check_alone(c);
        if (status == EDB_OK)
            status = settle(c->db, c->wait_ms);
        if (status != EDB_OK || is_of_this_file(c))
            return status;
        release_compaction(c);
    }
}

static edb_status begin(struct db_compaction *c)
{
    edb_status status = take_settled(c);
    if (status == EDB_OK)
        status = open_source(c);
    if (status != EDB_OK)
        return status;
    for (uint32_t i = 0; i < c->source->space_count; i++)
        c->rows_total += c->source->spaces[i]->live;
    c->copy.source = c->source;
    return EDB_OK;
}

/* In the child of a fork nothing is its own but the memory: the temporary file and the lock are the
 * parent's. */
static void end(struct db_compaction *c)
{
    bool forked = c->db->fork_generation != os_fork_generation();
    if (forked) {
        memory_free(c->successor.temporary);
        c->successor.temporary = NULL;
    }
    db_copy_close(&c->copy);
    store_successor_close(&c->successor);
    (void)edb_close(c->source);
    if (c->before != NULL && !forked)
        give_lock_back(c);
    store_close(c->before);
    memory_free(c);
}

/* A new one. NULL and the reason in *status_out: it did not come to anything. */
static struct db_compaction *open_compaction(edb *db, bool in_steps, edb_status *status_out)
{
    struct db_compaction *c = memory_zeroed(1, sizeof *c);
    *status_out = c != NULL ? EDB_OK : memory_failed(sizeof *c);
    if (c == NULL)
        return NULL;
    c->db = db;
    c->in_steps = in_steps;
    c->wait_ms = in_steps ? 0 : db->busy_wait_ms;
    *status_out = begin(c);
    if (*status_out == EDB_OK)
        return c;
    end(c);
    return NULL;
}

/* ------------------------------------------------------------------------------------ the copy */

static edb_status survey(struct db_compaction *c)
{
    bool done;
    edb_status status = db_copy_survey(&c->copy, &done);
    if (status == EDB_OK && done)
        c->stage = STAGE_ROOM;
    return status;
}

static edb_status check_room(const struct db_compaction *c, uint64_t needed)
{
    uint64_t there;
    edb_status status = c->before->io->free_bytes(c->before->file, &there);
    if (status != EDB_OK || needed <= there)
        return status;
    return fail(EDB_FULL,
                "%s: the new file will have about %llu bytes, and the device has room for %llu: "
                "free some space and try again",
                c->db->path, (unsigned long long)needed, (unsigned long long)there);
}

static edb_status make_room(struct db_compaction *c)
{
    bool done;
    uint64_t needed;
    edb_status status = db_copy_measure(&c->copy, &needed, &done);
    if (status != EDB_OK || !done)
        return status;
    status = check_alone(c);
    if (status == EDB_OK)
        status = check_room(c, needed);
    if (status == EDB_OK)
        status = store_successor_create(c->before, &c->successor);
    c->copy.target = c->successor.store;
    c->stage = STAGE_COPY;
    return status;
}

static edb_status copy_some(struct db_compaction *c)
{
    bool done;
    edb_status status = db_copy_next(&c->copy, &done);
    if (status == EDB_OK && done) {
        c->report.rows = c->copy.rows;
        c->stage = STAGE_FOLLOW;
    }
    return status;
}

/* ----------------------------------------------------------------------------------- following */

static edb_status too_fast(const struct db_compaction *c)
{
    return fail(EDB_BUSY,
                "%s: others write faster than the copy: try again when there is less to do",
                c->db->path);
}

/* Each round leaves less, unless writers are faster than the copy. */
static edb_status end_round(struct db_compaction *c)
{
    struct store *source = c->source->store;
    edb_status status = db_copy_sync(&c->copy);
    if (status != EDB_OK)
        return status;
    c->round_to = 0;
    if (source->end.offset - c->round_from <= lag_bytes || !store_has_news(source))
        c->stage = STAGE_TAKE_OVER;
    else if (++c->rounds == ROUNDS)
        return too_fast(c);
    return EDB_OK;
}

static edb_status follow(struct db_compaction *c)
{
    const struct store *source = c->source->store;
    edb_status status = EDB_OK;
    if (c->round_to == 0) {
        c->round_from = source->end.offset;
        status = source->io->size(source->file, &c->round_to);
    }
    uint64_t from = source->end.offset;
    if (status == EDB_OK)
        status = db_copy_later(&c->copy, piece_bytes);
    uint64_t to = source->end.offset;
    if (status != EDB_OK || (to < c->round_to && to - from >= piece_bytes))
        return status;
    return end_round(c);
}

/* --------------------------------------------------------------------------------- taking over */

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
static edb_status finish(struct db_compaction *c)
{
    edb_status status = db_copy_later(&c->copy, UINT64_MAX);
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
static edb_status take_over(struct db_compaction *c, bool *done_out)
{
    edb_status status = db_write_begin_within(c->db, false, c->wait_ms);
    if (status != EDB_OK)
        return status;
    bool same = c->db->store == c->before;
    bool near = same && c->before->end.offset <= c->source->store->end.offset + lag_bytes_max;
    if (!same)
        status = fail(EDB_STALE, "%s was replaced while it was compacted", c->db->path);
    else if (near)
        status = finish(c);
    db_write_end(c->db);
    c->stage = STAGE_FOLLOW;
    *done_out = near && status == EDB_OK;
    if (status == EDB_OK && !near && ++c->tries == TAKE_OVER_TRIES)
        status = too_fast(c);
    return status;
}

/* One piece, whatever is next. */
static edb_status advance(struct db_compaction *c, bool *done_out)
{
    *done_out = false;
    switch (c->stage) {
    case STAGE_SURVEY:
        return survey(c);
    case STAGE_ROOM:
        return make_room(c);
    case STAGE_COPY:
        return copy_some(c);
    case STAGE_FOLLOW:
        return follow(c);
    case STAGE_TAKE_OVER:
        break;
    }
    return take_over(c, done_out);
}

/* ------------------------------------------------------------------------------------- in steps */

/* One thread of the handle at a time. */
static edb_status enter(edb *db)
{
    edb_status status = db_check_may_write(db);
    if (status == EDB_OK && atomic_exchange(&db->compacting, true))
        status = fail(EDB_BUSY, "%s is being compacted already", db->path);
    return status;
}

static void leave(edb *db)
{
    atomic_store(&db->compaction_open, db->compaction != NULL);
    atomic_store(&db->compacting, false);
}

/* Whether the file has still its name. The handle may have moved on already, or does now. */
static edb_status check_place(struct db_compaction *c)
{
    bool same;
    edb_status status = c->before->io->same_file(c->before->file, c->before->path, &same, NULL);
    if (status == EDB_OK && !same)
        status = db_move(c->db);
    if (status == EDB_OK && !is_of_this_file(c))
        status = fail(EDB_BUSY, "%s was written anew by another compaction: this one is given up",
                      c->db->path);
    return status;
}

/* Between two steps anything may have happened. With the lock nobody else's compaction takes the
 * file's place: what is seen here stays so until the lock is given back (16). */
static edb_status retake(struct db_compaction *c)
{
    edb_status status = c->before->io->try_lock(c->before->file, OS_LOCK_COMPACTION);
    if (status == EDB_OK)
        status = check_place(c);
    if (status == EDB_OK && c->successor.store != NULL)
        status = store_successor_check(&c->successor);
    return status;
}

edb_status db_compaction_begin(edb *db)
{
    edb_status status = enter(db);
    if (status != EDB_OK)
        return status;
    if (db->compaction != NULL)
        status = fail(EDB_BUSY, "%s is being compacted already", db->path);
    else
        db->compaction = open_compaction(db, true, &status);
    if (status == EDB_OK)
        give_lock_back(db->compaction);
    leave(db);
    return status;
}

/* The longest of the last pieces, of which older ones count for less: a slow sync is soon
 * forgotten, a quick one between two batches changes little. */
static void note_piece(struct db_compaction *c, uint32_t took_ms)
{
    uint32_t before_ms = c->piece_ms - c->piece_ms / 4;
    c->piece_ms = took_ms > before_ms ? took_ms : before_ms;
}

/* Pieces, as long as there is time for one more. Who holds the writer lock is not waited for: what
 * he writes meanwhile follows in the next step. */
static edb_status take_step(struct db_compaction *c, uint64_t until_ms, bool *done_out)
{
    const struct os_io *io = c->before->io;
    uint64_t now_ms = io->monotonic_ms();
    do {
        uint64_t began_ms = now_ms;
        bool taking_over = c->stage == STAGE_TAKE_OVER;
        edb_status status = advance(c, done_out);
        if (taking_over && status == EDB_BUSY && c->tries < TAKE_OVER_TRIES) {
            c->stage = STAGE_FOLLOW;
            return EDB_OK;
        }
        if (status != EDB_OK)
            return status;
        now_ms = io->monotonic_ms();
        note_piece(c, (uint32_t)(now_ms - began_ms));
    } while (!*done_out && now_ms < until_ms && c->piece_ms <= until_ms - now_ms);
    return EDB_OK;
}

edb_status db_compaction_step(edb *db, uint64_t until_ms, bool *done_out)
{
    *done_out = false;
    edb_status status = enter(db);
    if (status != EDB_OK)
        return status;
    struct db_compaction *c = db->compaction;
    if (c == NULL)
        status = fail(EDB_INVALID, "%s: no compaction is under way", db->path);
    else
        status = retake(c);
    if (status == EDB_OK)
        status = take_step(c, until_ms, done_out);
    if (c != NULL && (status != EDB_OK || *done_out)) {
        db->compaction = NULL;
        end(c);
    } else if (c != NULL)
        give_lock_back(c);
    leave(db);
    return status;
}

bool db_compaction_is_open(const edb *db)
{
    return atomic_load(&db->compaction_open);
}

void db_compaction_abandon(edb *db)
{
    if (atomic_exchange(&db->compacting, true))
        return;
    if (db->compaction != NULL)
        end(db->compaction);
    db->compaction = NULL;
    leave(db);
}

/* -------------------------------------------------------------------------------------- at once */

static edb_status ask_progress(const struct db_compaction *c)
{
    const edb_compact_options *options = &c->options;
    uint64_t rows = c->copy.rows;
    uint64_t total = c->rows_total > rows ? c->rows_total : rows;
    if (options->progress == NULL || options->progress(options->arg, rows, total) == 0)
        return EDB_OK;
    return fail(EDB_CANCELLED, "%s: the compaction was cancelled; the file is as it was",
                c->db->path);
}

/* After each piece: tells how far it is, and waits as long as the throttle wants. */
static edb_status keep_pace(const struct db_compaction *c)
{
    const struct os_io *io = c->before->io;
    edb_status status = ask_progress(c);
    while (status == EDB_OK && c->options.bytes_per_s > 0) {
        double bytes = (double)(c->copy.bytes - c->paced_bytes);
        double due_ms = bytes * 1000 / (double)c->options.bytes_per_s;
        if ((double)(io->monotonic_ms() - c->paced_ms) >= due_ms)
            break;
        io->sleep_ms(PAUSE_MS);
        status = ask_progress(c);
    }
    return status;
}

/* The one that was begun in steps, if it can still come to its end; else a new one. */
static struct db_compaction *resume(edb *db, edb_status *status_out)
{
    struct db_compaction *c = db->compaction;
    db->compaction = NULL;
    *status_out = EDB_OK;
    if (c != NULL && retake(c) == EDB_OK) {
        c->in_steps = false;
        c->wait_ms = db->busy_wait_ms;
        return c;
    }
    if (c != NULL)
        end(c);
    return open_compaction(db, false, status_out);
}

static edb_status compact(edb *db, const edb_compact_options *options, edb_compact_report *report)
{
    bool done = false;
    edb_status status;
    struct db_compaction *c = resume(db, &status);
    if (c == NULL)
        return status;
    c->options = *options;
    c->paced_ms = c->before->io->monotonic_ms();
    c->paced_bytes = c->copy.bytes;
    while (status == EDB_OK && !done) {
        status = advance(c, &done);
        if (status == EDB_OK && !done)
            status = keep_pace(c);
    }
    *report = c->report;
    end(c);
    return status == EDB_OK ? edb_sync(db) : status;
}

edb_status edb_compact(edb *db, const edb_compact_options *options, edb_compact_report *report_out)
{
    edb_compact_options checked;
    edb_compact_report report = {0};
    if (db == NULL)
        return fail(EDB_INVALID, "edb_compact: db is NULL");
    edb_status status = db_struct_read(&db_struct_compact_options, options, &checked);
    if (status == EDB_OK && report_out != NULL)
        status = db_struct_write(&db_struct_compact_report, &report, report_out);
    if (status == EDB_OK)
        status = enter(db);
    if (status != EDB_OK)
        return status;
    status = compact(db, &checked, &report);
    leave(db);
    if (status == EDB_OK && report_out != NULL)
        status = db_struct_write(&db_struct_compact_report, &report, report_out);
    return status;
}
