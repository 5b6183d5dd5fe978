/* edb_verify: reads every frame from the first on and believes nothing.
 *
 *   1 verify_sections   every block of the newest catalog's sections
 *   2 verify_frames     header, chain, payload; behind damage, the next header that verifies, also
 *                       behind the end of the view when data was synced there
 *   3 verify_group      every record, every vector
 *   4 verify_lookup     the index finds every record that is live, in its place
 *   5 verify_content    it is one that a library could have written
 *
 * What a damaged range held is told by db_held.c, as in repair.
 *
 * The view lock is held for a section or a frame at a time: readers and writers go on. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "db/db.h"
#include "db/db_content.h"
#include "db/db_group.h"
#include "db/db_held.h"

struct verification {
    edb *db;
    struct store *store; /* as it was at first: the handle may move to another */
    edb_verify_function *found;
    void *arg;
    edb_verify_report report;
    uint64_t offset; /* of the next frame */
    uint64_t end;
    uint64_t view_end; /* what the handle serves ends here */
    uint64_t proven;   /* bytes before it were in the file once */
    uint64_t chain;
    uint64_t sequence;
    bool chained; /* false behind damage: what should come is not known */
    struct count {
        uint64_t rows;
        struct account account;
    } live, expected; /* live records found, and those that the view speaks of */
    uint64_t asked_to;
};

static void report(struct verification *v, uint64_t offset, uint64_t bytes, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static void report(struct verification *v, uint64_t offset, uint64_t bytes, const char *format, ...)
{
    char message[256];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    v->report.problems++;
    if (v->found != NULL)
        v->found(v->arg, offset, bytes, message);
}

/* Behind damage: the next place where a header of this file stands. */
static uint64_t find_next_header(struct verification *v, uint64_t from, struct frame_header *out)
{
    uint64_t file_bytes = atomic_load(&v->store->file_bytes);
    uint64_t end = v->end < file_bytes ? v->end : file_bytes;
    for (uint64_t at = from; range_within(at, FRAME_HEADER_BYTES, end); at += FRAME_ALIGN)
        if (store_scan_header(v->store, at, out))
            return at;
    memset(out, 0, sizeof *out);
    return v->end;
}

static void check_chain(struct verification *v, const struct frame_header *header)
{
    if (v->chained && (header->chain != v->chain || header->sequence != v->sequence))
        report(v, header->offset, FRAME_HEADER_BYTES,
               "the frame does not follow the one before it");
    if (header->synced_to > v->proven && header->synced_to <= header->offset)
        v->proven = header->synced_to;
    v->chain = header->header_checksum;
    v->sequence = header->sequence + 1;
    v->chained = true;
}

static void report_row(struct verification *v, const struct store_frame *frame,
                       const struct record *record, const edb_space *space, const char *what)
{
    report(v, frame->header.offset, frame->header.frame_bytes, "row %llu of space '%s' %s",
           (unsigned long long)record->row, space->spec.name, what);
}

/* Whether the row that a record replaced had another key. Where it is not known any more, no. */
static bool replaced_another(edb_space *space, const struct record *record,
                             const struct db_key *key)
{
    struct row_place place;
    struct db_found found;
    struct group group;
    struct record prior;
    if (record->prior_row == ROW_NONE ||
        rows_place(&space->rows, record->prior_row, &place) != EDB_OK ||
        db_locate_place(space->db->store, record->prior_row, &place, &found) != EDB_OK ||
        db_read_record(space, &found, &group, &prior) != EDB_OK ||
        !record_verify(found.frame, &group, place.index, &prior,
                       space->db->store->genesis.chain_seed))
        return false;
    return prior.key_form != key->form || prior.key_bytes != key->count ||
           memcmp(record_key(found.frame, &group, &prior), key->bytes, key->count) != 0;
}

/* Checksums tell who wrote a record, not that it keeps to the format. Of one that is live and
 * whole. */
static edb_status verify_content(struct verification *v, const struct store_frame *frame,
                                 const struct group *group, const struct record *record)
{
    const char *fault;
    edb_space *space = v->db->spaces[group->space - 1];
    const struct db_change change = db_change_of(space, frame->bytes, group, record);
    edb_status status = db_content_check(space, &change, &fault);
    if (status == EDB_OK && fault != NULL)
        report_row(v, frame, record, space, fault);
    if (replaced_another(space, record, &change.key))
        report_row(v, frame, record, space, "has replaced a row with another key");
    return status;
}

/* The row's key is looked up as any get would. Whether this record is live. */
static bool verify_lookup(struct verification *v, const struct store_frame *frame, edb_space *space,
                          uint32_t index, const struct record *record, const struct db_key *key)
{
    struct db_found found;
    edb_status status = db_locate_any_row(space, record->row, &found);
    if (status == EDB_NOT_FOUND)
        return false;
    if (status == EDB_OK &&
        (found.place.frame != frame->header.offset || found.place.index != index))
        return false; /* the row number was given anew, after this transaction was abandoned */
    v->live.rows++;
    if (status == EDB_OK)
        db_account_add(&v->live.account, &found.place);
    uint64_t seed = v->store->genesis.hash_seed;
    if (status == EDB_OK && record_key_hash(key->bytes, key->count, key->form, seed) != key->hash)
        status = EDB_CORRUPT;
    if (status == EDB_OK)
        status = db_locate_any(space, key, &found);
    if (status != EDB_OK || found.row != record->row)
        report_row(v, frame, record, space, "is not found by its key");
    return true;
}

static const char *space_name(const struct verification *v, uint32_t id)
{
    return id >= 1 && id <= v->db->space_count ? v->db->spaces[id - 1]->spec.name : NULL;
}

static void report_record(struct verification *v, const struct db_piece *piece, uint32_t index,
                          const struct record *record)
{
    struct db_held held;
    struct db_held_records records = {0};
    const struct group *group = &piece->group;
    (void)db_held_add(&records, index, record);
    db_held_records(space_name(v, group->space), &records, &held);
    report(v, piece->offset + group->entries_offset + (uint64_t)index * group->entry_bytes,
           group->entry_bytes, "%s", held.text);
}

static void report_vector(struct verification *v, const struct db_piece *piece,
                          const struct record *record)
{
    struct db_held held;
    db_held_vector(space_name(v, piece->group.space), piece, record, &held);
    report(v, piece->offset + record->vector_offset, record->vector_bytes, "%s", held.text);
}

/* Of a space that is known. A damaged vector is there all the same. */
static edb_status verify_put(struct verification *v, const struct store_frame *frame,
                             const struct db_piece *piece, uint32_t index,
                             const struct record *record, bool whole)
{
    edb_space *space = v->db->spaces[piece->group.space - 1];
    const struct db_key key = {.bytes = record_key(frame->bytes, &piece->group, record),
                               .count = record->key_bytes,
                               .form = record->key_form,
                               .hash = record->key_hash};
    v->report.vectors++;
    if (!whole)
        report_vector(v, piece, record);
    bool live = verify_lookup(v, frame, space, index, record, &key);
    return live && whole ? verify_content(v, frame, &piece->group, record) : EDB_OK;
}

static edb_status verify_record(struct verification *v, const struct store_frame *frame,
                                const struct db_piece *piece, uint32_t index)
{
    struct record record;
    enum db_piece_part part;
    edb_status status = db_piece_record(piece, index, &record, &part);
    bool put = record.operation == RECORD_PUT;
    v->report.records++;
    if (status != EDB_OK)
        return status;
    if (part == PIECE_LOST)
        report_record(v, piece, index, &record);
    else if (put && space_name(v, piece->group.space) == NULL)
        report(v, frame->header.offset, frame->header.frame_bytes,
               "records of space %u, which is not known", piece->group.space);
    else if (put)
        return verify_put(v, frame, piece, index, &record, part == PIECE_WHOLE);
    return EDB_OK;
}

/* The records of a GROUP whose header verifies, and of which anything else may be damaged. */
static edb_status verify_group(struct verification *v, const struct frame_header *header)
{
    struct db_piece piece;
    uint64_t problems = v->report.problems;
    edb_status status = db_piece_open(v->store, header, v->db->space_count, &piece);
    if (status == EDB_OK && !piece.readable) {
        struct db_held held;
        db_held_group(v->db, header->offset, frame_end(header), &held);
        report(v, header->offset, header->frame_bytes, "%s", held.text);
        return EDB_OK;
    }
    const struct store_frame frame = {*header, piece.bytes};
    for (uint32_t i = 0; i < piece.group.count && status == EDB_OK; i++)
        status = verify_record(v, &frame, &piece, i);
    if (status == EDB_OK && !piece.intact && v->report.problems == problems)
        report(v, header->offset, header->frame_bytes,
               "the head of a group is damaged; its records are whole");
    return status;
}

/* What could not be read tells nothing about the file: only damage is a finding. */
static bool is_damage(edb_status status)
{
    return status == EDB_CORRUPT || status == EDB_FORMAT;
}

/* Behind what is known to have been written, the data ends. */
static void pass_damage(struct verification *v)
{
    struct frame_header next;
    struct db_held held;
    uint64_t at =
        v->offset >= v->proven ? v->end : find_next_header(v, v->offset + FRAME_ALIGN, &next);
    if (at >= v->end) {
        memset(&next, 0, sizeof next);
        at = v->proven > v->offset ? v->proven : v->offset;
        v->end = at;
    }
    struct db_gap gap = {.from = v->offset, .to = at};
    if (v->chained && next.sequence > v->sequence)
        gap.missing = next.sequence - v->sequence;
    if (at > v->offset) {
        db_held_gap(v->db, &gap, &held);
        report(v, v->offset, at - v->offset, "%s", held.text);
    }
    v->report.bytes += at - v->offset;
    v->offset = at;
    v->chained = false;
}

static bool reaches_file(const struct verification *v, const struct frame_header *header)
{
    return frame_end(header) <= atomic_load(&v->store->file_bytes);
}

/* A frame whose header verifies. A section's body is another matter: see verify_sections. */
static edb_status verify_frame(struct verification *v, const struct frame_header *header)
{
    struct store_frame frame;
    edb_status status = EDB_OK;
    if (header->type == FRAME_GROUP)
        status = verify_group(v, header);
    else if (header->type == FRAME_CATALOG)
        status = store_frame_at(v->store, header->offset, &frame);
    if (status == EDB_FORMAT)
        report(v, header->offset, header->frame_bytes, "%s", edb_error_detail());
    else if (status == EDB_CORRUPT)
        report(v, header->offset, header->frame_bytes,
               "a catalog is damaged; it held nothing that is not told elsewhere");
    return is_damage(status) ? EDB_OK : status;
}

/* With the view held still. */
static edb_status verify_next(struct verification *v)
{
    struct frame_header header;
    store_read_ahead(v->store, v->offset, &v->asked_to);
    bool whole = store_scan_header(v->store, v->offset, &header);
    if (!whole || (header.type != FRAME_GROUP && !reaches_file(v, &header)) ||
        (!v->chained && v->offset >= v->proven)) {
        pass_damage(v);
        return EDB_OK;
    }
    check_chain(v, &header);
    v->report.frames++;
    edb_status status = verify_frame(v, &header);
    uint64_t next = frame_next(&header);
    v->report.bytes += next - v->offset;
    v->offset = next;
    return status;
}

static void verify_blocks(struct verification *v, struct store_section *section)
{
    uint64_t body_bytes = section->descriptor.body_bytes;
    for (uint64_t at = 0; at < body_bytes; at += SECTION_BLOCK_BYTES) {
        uint64_t left = body_bytes - at;
        size_t count = left < SECTION_BLOCK_BYTES ? (size_t)left : SECTION_BLOCK_BYTES;
        if (!store_section_verify(section, at, count))
            report(v, section->entry.offset + section->descriptor.body_offset + at, count,
                   "a block of an index section is damaged; it will be rebuilt");
    }
}

/* With the view held still. */
static edb_status verify_section(struct verification *v, const struct catalog_section *entry)
{
    struct store_section *section;
    edb_status status = store_section_open(v->store, entry, &section);
    v->report.sections++;
    if (status == EDB_OK)
        verify_blocks(v, section);
    else if (is_damage(status))
        report(v, entry->offset, entry->frame_bytes,
               "an index section is damaged; it will be rebuilt");
    store_section_close(section);
    return is_damage(status) ? EDB_OK : status;
}

/* The sections of the newest catalog, whether the view could use them or not. */
static edb_status verify_sections(struct verification *v, const struct catalog *catalog)
{
    edb_status status = EDB_OK;
    for (uint32_t i = 0; i < catalog->section_count && status == EDB_OK; i++) {
        status = db_enter(v->db);
        if (status != EDB_OK)
            return status;
        status = verify_section(v, &catalog->sections[i]);
        db_leave(v->db);
    }
    return status;
}

static edb_status verify_frames(struct verification *v)
{
    edb_status status = EDB_OK;
    while (v->offset < v->end && status == EDB_OK) {
        status = db_enter(v->db);
        if (status != EDB_OK)
            return status;
        status = verify_next(v);
        db_leave(v->db);
    }
    return status;
}

/* How many rows the view says are live, and what it says that they take. */
static struct count count_live(const edb *db)
{
    struct count live = {0};
    for (uint32_t i = 0; i < db->space_count; i++) {
        live.rows += db->spaces[i]->live;
        live.account.bytes += db->spaces[i]->account.bytes;
        live.account.cost += db->spaces[i]->account.cost;
    }
    return live;
}

/* A damaged file is verified to its end, where whatever was written once is looked for. */
static void look_beyond(struct verification *v)
{
    uint64_t reach;
    uint64_t synced_to = atomic_load(&v->store->synced_to);
    if (store_slots_reach(v->store, &reach) == EDB_OK && reach > v->proven)
        v->proven = reach;
    if (synced_to > v->proven)
        v->proven = synced_to;
    v->end = atomic_load(&v->store->file_bytes);
    v->end = v->proven > v->end ? v->proven : v->end;
}

/* How far there is something to verify, and what should be found. A catalog that is damaged is met
 * again among the frames. */
static edb_status begin_verification(struct verification *v, struct catalog *catalog_out)
{
    edb *db = v->db;
    memset(catalog_out, 0, sizeof *catalog_out);
    edb_status status = db_enter(db);
    if (status != EDB_OK)
        return status;
    v->store = store_share(db->store);
    struct store_position first = store_first_position(v->store);
    v->chain = first.chain;
    v->sequence = first.sequence;
    v->chained = true;
    if (v->store->newest_catalog.catalog != 0)
        status = db_read_catalog(db, &v->store->newest_catalog, catalog_out);
    v->end = v->view_end = v->proven = v->store->end.offset;
    v->expected = count_live(db);
    if (atomic_load(&db->store->damaged)) {
        report(v, v->end, 0, "what is served ends here, before data that was synced");
        look_beyond(v);
    }
    db_leave(db);
    return is_damage(status) ? EDB_OK : status;
}

static void compare_live(struct verification *v)
{
    const struct count *expected = &v->expected;
    const struct count *live = &v->live;
    if (live->rows != expected->rows)
        report(v, 0, 0, "%llu records are live, but %llu were found",
               (unsigned long long)expected->rows, (unsigned long long)live->rows);
    else if (live->account.bytes != expected->account.bytes ||
             live->account.cost != expected->account.cost)
        report(v, 0, 0, "the live records take %llu bytes and cost %llu, not %llu and %llu",
               (unsigned long long)live->account.bytes, (unsigned long long)live->account.cost,
               (unsigned long long)expected->account.bytes,
               (unsigned long long)expected->account.cost);
}

/* The live records are compared when nothing was added meanwhile. */
static edb_status end_verification(struct verification *v)
{
    edb *db = v->db;
    edb_status status = db_enter(db);
    if (status != EDB_OK)
        return status;
    if (db->store == v->store && v->store->end.offset == v->view_end)
        compare_live(v);
    db_leave(db);
    return EDB_OK;
}

static edb_status verify_all(struct verification *v)
{
    struct catalog catalog;
    edb_status status = begin_verification(v, &catalog);
    if (status == EDB_OK)
        status = verify_sections(v, &catalog);
    if (status == EDB_OK)
        status = verify_frames(v);
    if (status == EDB_OK)
        status = end_verification(v);
    catalog_close(&catalog);
    return status;
}

edb_status edb_verify(edb *db, edb_verify_function *found, void *arg, edb_verify_report *report_out)
{
    if (db == NULL)
        return fail(EDB_INVALID, "edb_verify: db is NULL");
    struct verification v = {.db = db, .found = found, .arg = arg, .offset = FIRST_FRAME_OFFSET};
    edb_status status = EDB_OK;
    if (report_out != NULL)
        status = db_struct_write(&db_struct_verify_report, &v.report, report_out);
    if (status != EDB_OK)
        return status;
    status = verify_all(&v);
    store_close(v.store);
    if (report_out != NULL)
        (void)db_struct_write(&db_struct_verify_report, &v.report, report_out);
    if (status == EDB_OK && v.report.problems > 0)
        return fail(EDB_CORRUPT, "%s: %llu problems were found", db->path,
                    (unsigned long long)v.report.problems);
    return status;
}
