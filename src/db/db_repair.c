/* edb_repair: what is left of a damaged file, in a new one.
 *
 *   1 store_open_damaged   the identity, from a slot if need be
 *   2 store_scan_open      every header that verifies: which frames there are, and which are
 *                          missing
 *   3 db_verdict_reach     the spaces; which rows are gone
 *   4 begin_target         a new file with a temporary name
 *   5 save_group           every record that verifies and is live, under its row number, in
 *                          transactions of some megabytes; what is damaged is told (db_held.c)
 *   6 finish               index, one sync, the name
 *
 * Slots, catalogs and sections are needed for nothing. An index that still works tells what stood
 * where nothing can be read: a read-only handle of the damaged file is asked, if one can be
 * opened. */
#include <string.h>

#include "base/memory.h"
#include "db/db_budget.h"
#include "db/db_content.h"
#include "db/db_group.h"
#include "db/db_held.h"
#include "db/db_verdict.h"

static const uint64_t batch_bytes = 16u << 20;
static const uint64_t record_bytes_max = 56u << 20; /* of all parts of a record together */

enum { BATCH_ROWS = 1 << 16 };

struct repair {
    const char *path;
    const char *new_path;
    edb_repair_options options;
    edb_repair_report report;
    struct store *source;
    bool genesis_lost;
    struct store_scan scan;
    struct db_verdict verdict;
    struct store_successor successor;
    edb *db;                /* of the new file, with its writer lock */
    edb_space **targets;    /* of each space of the verdict; NULL: its spec is lost */
    uint64_t *gone;         /* records of spaces without one */
    size_t doubt;           /* the next one that is met */
    uint64_t saved_in_gap;  /* records of a group without its header */
    uint64_t lost_in_gap;   /* likewise */
    uint64_t passed_before; /* bytes, in earlier passes */
    struct db_change *changes;
    size_t count;
    uint64_t bytes;
};

/* ------------------------------------------------------------------------------------- telling */

static void tell(struct repair *r, uint64_t offset, uint64_t bytes, const struct db_held *held)
{
    r->report.ranges++;
    if (r->options.found != NULL)
        r->options.found(r->options.arg, offset, bytes, held->text);
}

static edb_status keep_pace(void *arg, uint64_t offset)
{
    const struct repair *r = arg;
    uint64_t file_bytes = atomic_load(&r->source->file_bytes);
    if (r->options.progress == NULL ||
        r->options.progress(r->options.arg, r->passed_before + offset, 2 * file_bytes) == 0)
        return EDB_OK;
    return fail(EDB_CANCELLED, "the repair of %s was cancelled; no file was made", r->path);
}

/* The handle that knows the index, with its view held; NULL when there is none. */
static edb *enter_aid(const struct repair *r)
{
    edb *aid = r->verdict.aid;
    return aid != NULL && db_enter(aid) == EDB_OK ? aid : NULL;
}

static void leave_aid(edb *aid)
{
    if (aid != NULL)
        db_leave(aid);
}

static edb_status tell_gap(void *arg, const struct db_gap *gap)
{
    struct repair *r = arg;
    struct db_held held;
    edb *aid = enter_aid(r);
    db_held_gap(aid, gap, &held);
    leave_aid(aid);
    if (r->saved_in_gap > 0)
        db_held_saved(r->saved_in_gap, &held);
    /* Of the same records the index tells, where it knows them, and the group. */
    uint64_t lost = held.rows > r->saved_in_gap ? held.rows - r->saved_in_gap : 0;
    r->report.lost += lost > r->lost_in_gap ? lost : r->lost_in_gap;
    r->report.frames_missing += gap->missing > 0 ? gap->missing : 1;
    r->saved_in_gap = 0;
    r->lost_in_gap = 0;
    tell(r, gap->from, gap->to - gap->from, &held);
    return EDB_OK;
}

static void tell_group(struct repair *r, const struct frame_header *header)
{
    struct db_held held;
    edb *aid = enter_aid(r);
    db_held_group(aid, header->offset, frame_end(header), &held);
    leave_aid(aid);
    r->report.lost += held.rows;
    tell(r, header->offset, header->frame_bytes, &held);
}

static const char *space_name(const struct repair *r, uint32_t id)
{
    const struct verdict_space *space = &r->verdict.spaces[id - 1];
    return space->known ? space->spec.name : NULL;
}

static void count_lost(struct repair *r, const struct db_piece *piece, uint64_t records)
{
    if (piece->headless)
        r->lost_in_gap += records;
    else
        r->report.lost += records;
}

/* Records that do not verify; the collection is empty then. */
static void tell_records(struct repair *r, const struct db_piece *piece,
                         struct db_held_records *records)
{
    struct db_held held;
    const struct group *group = &piece->group;
    if (records->count == 0)
        return;
    count_lost(r, piece, records->count);
    db_held_records(space_name(r, group->space), records, &held);
    tell(r, piece->offset + group->entries_offset + (uint64_t)records->first * group->entry_bytes,
         (uint64_t)records->count * group->entry_bytes, &held);
    memset(records, 0, sizeof *records);
}

static void tell_vector(struct repair *r, const struct db_piece *piece, const struct record *record)
{
    struct db_held held;
    count_lost(r, piece, 1);
    db_held_vector(space_name(r, piece->group.space), piece, record, &held);
    tell(r, piece->offset + record->vector_offset, record->vector_bytes, &held);
}

/* ------------------------------------------------------------------------------------- saving */

static edb_status write_batch(struct repair *r)
{
    edb_status status = r->count > 0 ? db_commit_held(r->db, r->changes, r->count, false) : EDB_OK;
    r->count = 0;
    r->bytes = 0;
    return status;
}

/* A record that verifies may still contradict others, or what its space is. */
static bool fits(const edb_space *space, const struct record *record, uint64_t next_row)
{
    uint32_t dims = space->spec.dims;
    bool digest = record->key_form != EDB_KEY_BYTES;
    return (dims == 0 || record->vector_bytes == 4u * dims) && record->row >= next_row &&
           record->key_form <= EDB_KEY_SHA256 && (!digest || record->key_bytes == 32) &&
           record->key_bytes <= EDB_KEY_BYTES_MAX &&
           record_heap_bytes(record) + record->vector_bytes <= record_bytes_max;
}

static edb_status save_record(struct repair *r, const struct db_piece *piece,
                              const struct record *record, bool certain)
{
    const char *fault = NULL;
    uint32_t id = piece->group.space;
    edb_space *space = r->targets[id - 1];
    uint64_t *next_row = &r->verdict.spaces[id - 1].saved_to;
    if (space == NULL)
        r->gone[id - 1]++;
    if (space == NULL || !fits(space, record, *next_row)) {
        count_lost(r, piece, 1);
        return EDB_OK;
    }
    struct db_change change = db_change_of(space, piece->bytes, &piece->group, record);
    edb_status status = db_content_check(space, &change, &fault);
    if (status != EDB_OK || fault != NULL) { /* no library wrote that */
        count_lost(r, piece, 1);
        return status;
    }
    change.has_row = true;
    change.key.hash =
        record_key_hash(change.key.bytes, change.key.count, change.key.form, r->db->hash_seed);
    *next_row = record->row + 1;
    r->changes[r->count++] = change;
    r->bytes += RECORD_BYTES + record_heap_bytes(record) + record->vector_bytes;
    r->report.uncertain += !certain;
    r->saved_in_gap += piece->headless;
    return r->count == BATCH_ROWS || r->bytes >= batch_bytes ? write_batch(r) : EDB_OK;
}

static edb_status save_records(struct repair *r, const struct db_piece *piece, bool certain)
{
    struct db_held_records damaged = {0};
    uint32_t id = piece->group.space;
    edb_status status = EDB_OK;
    for (uint32_t i = 0; i < piece->group.count && status == EDB_OK; i++) {
        struct record record;
        enum db_piece_part part;
        status = db_piece_record(piece, i, &record, &part);
        if (status != EDB_OK)
            break;
        if (part == PIECE_LOST) {
            (void)db_held_add(&damaged, i, &record);
            continue;
        }
        tell_records(r, piece, &damaged);
        if (record.operation != RECORD_PUT || db_verdict_is_dead(&r->verdict, id, record.row))
            continue;
        if (part == PIECE_NO_VECTOR)
            tell_vector(r, piece, &record);
        else
            status = save_record(r, piece, &record, certain);
    }
    tell_records(r, piece, &damaged);
    return status;
}

static edb_status save_group(void *arg, const struct db_part *part, bool certain)
{
    struct repair *r = arg;
    struct db_piece piece;
    edb_status status = db_verdict_open(&r->verdict, part, &piece);
    if (status == EDB_OK)
        status = keep_pace(r, part->header.offset);
    if (status != EDB_OK)
        return status;
    if (!db_verdict_believes(&r->verdict, &piece)) {
        if (part->limit == 0)
            tell_group(r, &part->header);
        return EDB_OK;
    }
    if (!certain && r->doubt == r->verdict.doubt_count)
        return fail(EDB_STALE, "%s was changed while it was read", r->path);
    if (!certain && r->verdict.doubts[r->doubt++].abandoned)
        return EDB_OK;
    return save_records(r, &piece, certain || db_verdict_confirms(&r->verdict, &piece));
}

/* --------------------------------------------------------------------------------- the new file */

static edb_status define_space(struct repair *r, const struct spec *spec, edb_space **space_out)
{
    struct db_run run;
    uint32_t id = r->db->space_count + 1;
    edb_status status = db_run_define_space(r->db->store, id, spec, &run);
    if (status == EDB_OK)
        status = db_append(r->db, run.drafts, run.count, false);
    db_run_close(&run);
    if (status == EDB_OK)
        *space_out = r->db->spaces[id - 1];
    return status;
}

static bool is_named(const edb *db, const char *name)
{
    for (uint32_t i = 0; i < db->space_count; i++)
        if (strcmp(db->spaces[i]->spec.name, name) == 0)
            return true;
    return false;
}

static edb_status define_spaces(struct repair *r)
{
    edb_status status = EDB_OK;
    r->targets = memory_zeroed(EDB_SPACES_MAX, sizeof *r->targets);
    r->gone = memory_zeroed(EDB_SPACES_MAX, sizeof *r->gone);
    r->changes = memory_zeroed(BATCH_ROWS, sizeof *r->changes);
    if (r->targets == NULL || r->gone == NULL || r->changes == NULL)
        return memory_failed(BATCH_ROWS * sizeof *r->changes);
    for (uint32_t i = 0; i < r->verdict.space_count && status == EDB_OK; i++) {
        const struct verdict_space *space = &r->verdict.spaces[i];
        if (space->known && !is_named(r->db, space->spec.name))
            status = define_space(r, &space->spec, &r->targets[i]);
    }
    return status;
}

static edb_status begin_target(struct repair *r)
{
    edb *db;
    edb_status status = store_rescue_create(r->source, r->new_path, &r->successor);
    if (status == EDB_OK)
        status = db_open_store(r->new_path, r->successor.store, &db);
    if (status != EDB_OK)
        return status;
    status = db_write_begin(db, false);
    if (status == EDB_OK)
        r->db = db;
    else
        (void)edb_close(db);
    return status == EDB_OK ? define_spaces(r) : status;
}

/* Numbers that were given are not given again. */
static edb_status advance_rows(struct repair *r)
{
    edb_status status = EDB_OK;
    for (uint32_t i = 0; i < r->verdict.space_count && status == EDB_OK; i++) {
        edb_space *space = r->targets[i];
        uint64_t next_row = r->verdict.spaces[i].next_row;
        if (space == NULL || next_row <= space->next_row)
            continue;
        struct db_change change = {.space = space,
                                   .operation = RECORD_ADVANCE,
                                   .has_row = true,
                                   .row = next_row,
                                   .prior_row = ROW_NONE};
        status = db_commit_held(r->db, &change, 1, false);
    }
    return status;
}

static edb_status set_limits(struct repair *r, uint32_t space, const struct limits *limits)
{
    struct db_run run;
    if (!db_any_limit(limits))
        return EDB_OK;
    edb_status status = db_run_set_limits(r->db->store, space, limits, &run);
    if (status == EDB_OK)
        status = db_append(r->db, run.drafts, run.count, false);
    db_run_close(&run);
    return status;
}

/* Behind all records: the repair itself evicts nothing. */
static edb_status save_limits(struct repair *r)
{
    edb_status status = set_limits(r, 0, &r->verdict.limits);
    for (uint32_t i = 0; i < r->verdict.space_count && status == EDB_OK; i++)
        if (r->targets[i] != NULL)
            status = set_limits(r, r->targets[i]->id, &r->verdict.spaces[i].limits);
    return status;
}

static edb_status publish(struct repair *r)
{
    struct store *store = r->db->store;
    db_flush(r->db, true);
    edb_status status = EDB_OK;
    if (store->writer.poisoned)
        status =
            fail(EDB_IO, "%s: the index cannot be written: %s", r->new_path, edb_error_detail());
    if (status == EDB_OK)
        status = db_make_durable(r->db);
    if (status == EDB_OK)
        status = store_slot_write(store);
    if (status == EDB_OK)
        status = store_sync_file(store);
    if (status == EDB_OK)
        status = store->io->size(store->file, &r->report.bytes);
    for (uint32_t i = 0; i < r->db->space_count; i++)
        r->report.records += r->db->spaces[i]->live;
    r->report.spaces = r->db->space_count;
    return status == EDB_OK ? store_rescue_publish(&r->successor) : status;
}

static void tell_lost_spaces(struct repair *r)
{
    for (uint32_t i = 0; i < r->verdict.space_count; i++) {
        struct db_held held;
        if (r->targets[i] != NULL)
            continue;
        r->report.spaces_lost++;
        db_held_space(i + 1, r->gone[i], &held);
        tell(r, 0, 0, &held);
    }
}

/* ----------------------------------------------------------------------------------- the source */

/* Before anything long is done. */
static edb_status check_new_path(const char *path)
{
    struct os_file *file;
    edb_status status = os_current()->open(path, false, &file);
    if (status == EDB_OK)
        os_current()->close(file);
    return status == EDB_OK || status == EDB_FORMAT
               ? fail(EDB_EXISTS, "%s is there already: name a file that is not", path)
               : EDB_OK;
}

static edb_status read_source(struct repair *r)
{
    edb_open_options reading = EDB_OPEN_OPTIONS_INIT;
    reading.flags = EDB_OPEN_READ_ONLY | EDB_OPEN_SNAPSHOT;
    edb_status status = store_open_damaged(r->path, &r->source, &r->genesis_lost);
    if (status == EDB_OK)
        status = store_scan_open(r->source, &r->scan);
    if (status != EDB_OK)
        return status;
    r->verdict.store = r->source;
    r->verdict.pace = keep_pace;
    r->verdict.arg = r;
    status = edb_open(r->path, &reading, &r->verdict.aid);
    if (status == EDB_NO_MEMORY)
        return status;
    status = db_verdict_reach(&r->verdict, &r->scan);
    r->passed_before = atomic_load(&r->source->file_bytes);
    return status;
}

static uint64_t indexed(void *arg, uint64_t from)
{
    const struct repair *r = arg;
    return db_verdict_indexed(&r->verdict, from);
}

static edb_status save_all(struct repair *r)
{
    const struct db_salvage_visitor visitor = {
        .group = save_group, .indexed = indexed, .gap = tell_gap, .arg = r};
    struct db_held held = {.text = "the identity of the file is damaged; it was taken from a slot"};
    if (r->genesis_lost)
        tell(r, GENESIS_OFFSET, GENESIS_BYTES, &held);
    edb_status status = db_salvage_visit(r->source, &r->scan, &visitor);
    if (status == EDB_OK)
        status = write_batch(r);
    if (status == EDB_OK)
        status = advance_rows(r);
    if (status == EDB_OK)
        status = save_limits(r);
    if (status == EDB_OK)
        tell_lost_spaces(r);
    for (size_t i = 0; i < r->scan.count; i++)
        r->report.frames += r->scan.stretches[i].last - r->scan.stretches[i].first + 1;
    r->report.left_out = r->scan.left_out;
    return status;
}

static void end(struct repair *r)
{
    if (r->db != NULL) {
        db_write_end(r->db);
        r->db->wrote = false; /* it is durable, or to be removed */
        (void)edb_close(r->db);
    }
    store_successor_close(&r->successor);
    (void)edb_close(r->verdict.aid);
    db_verdict_close(&r->verdict);
    store_scan_close(&r->scan);
    store_close(r->source);
    memory_free(r->targets);
    memory_free(r->gone);
    memory_free(r->changes);
}

static edb_status repair(struct repair *r)
{
    edb_status status = check_new_path(r->new_path);
    if (status == EDB_OK)
        status = read_source(r);
    if (status == EDB_OK)
        status = begin_target(r);
    if (status == EDB_OK)
        status = save_all(r);
    if (status == EDB_OK)
        status = publish(r);
    end(r);
    return status;
}

edb_status edb_repair(const char *damaged_path, const char *new_path,
                      const edb_repair_options *options, edb_repair_report *report_out)
{
    if (damaged_path == NULL || damaged_path[0] == '\0')
        return fail(EDB_INVALID, "edb_repair: damaged_path is empty");
    if (new_path == NULL || new_path[0] == '\0')
        return fail(EDB_INVALID, "edb_repair: new_path is empty");
    struct repair r = {.path = damaged_path, .new_path = new_path};
    edb_status status = db_struct_read(&db_struct_repair_options, options, &r.options);
    if (status == EDB_OK && report_out != NULL)
        status = db_struct_write(&db_struct_repair_report, &r.report, report_out);
    if (status == EDB_OK)
        status = repair(&r);
    if (status == EDB_OK && report_out != NULL)
        status = db_struct_write(&db_struct_repair_report, &r.report, report_out);
    return status;
}
