/* edb_verify: reads every frame from the first on and believes nothing.
 *
 *   1 verify_sections   every block of the newest catalog's sections
 *   2 verify_frames     header, chain, payload; behind damage, the next header that verifies
 *   3 verify_group      every record, every vector
 *   4 verify_lookup     the index finds every record that is live, in its place
 *
 * The view lock is held for a section or a frame at a time: readers and writers go on. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "db/db.h"

struct verification {
    edb *db;
    struct store *store; /* as it was at first: the handle may move to another */
    edb_verify_function *found;
    void *arg;
    edb_verify_report report;
    uint64_t offset; /* of the next frame */
    uint64_t end;
    uint64_t chain;
    uint64_t sequence;
    bool chained;      /* false behind damage: what should come is not known */
    uint64_t live;     /* live records found */
    uint64_t expected; /* live records that the view speaks of */
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
static uint64_t find_next_header(struct verification *v, uint64_t from)
{
    struct store *store = v->store;
    for (uint64_t at = from; at + FRAME_HEADER_BYTES <= v->end; at += FRAME_ALIGN) {
        const uint8_t *bytes = store_at(store, at, FRAME_HEADER_BYTES);
        struct frame_header header;
        if (bytes != NULL && frame_header_decode(bytes, store->genesis.chain_seed, at, &header))
            return at;
    }
    return v->end;
}

static void check_chain(struct verification *v, const struct frame_header *header)
{
    if (v->chained && (header->chain != v->chain || header->sequence != v->sequence))
        report(v, header->offset, FRAME_HEADER_BYTES,
               "the frame does not follow the one before it");
    v->chain = header->header_checksum;
    v->sequence = header->sequence + 1;
    v->chained = true;
}

/* The row's key is looked up as any get would. */
static void verify_lookup(struct verification *v, const struct store_frame *frame,
                          const struct group *group, uint32_t index, const struct record *record)
{
    edb_space *space = v->db->spaces[group->space - 1];
    struct db_found found;
    edb_status status = db_locate_any_row(space, record->row, &found);
    if (status == EDB_NOT_FOUND)
        return;
    if (status == EDB_OK &&
        (found.place.frame != frame->header.offset || found.place.index != index))
        return; /* the row number was given anew, after this transaction was abandoned */
    v->live++;
    struct db_key key = {.bytes = record_key(frame->bytes, group, record),
                         .count = record->key_bytes,
                         .form = record->key_form,
                         .hash = record->key_hash};
    uint64_t seed = v->store->genesis.hash_seed;
    if (status == EDB_OK && record_key_hash(key.bytes, key.count, key.form, seed) != key.hash)
        status = EDB_CORRUPT;
    if (status == EDB_OK)
        status = db_locate_any(space, &key, &found);
    if (status != EDB_OK || found.row != record->row)
        report(v, frame->header.offset, frame->header.frame_bytes,
               "row %llu of space '%s' is not found by its key", (unsigned long long)record->row,
               space->spec.name);
}

static void verify_put(struct verification *v, const struct store_frame *frame,
                       const struct group *group, uint32_t index, const struct record *record)
{
    uint64_t seed = v->store->genesis.chain_seed;
    v->report.vectors++;
    if (!record_verify(frame->bytes, group, index, record, seed))
        report(v, frame->header.offset, frame->header.frame_bytes,
               "record %u (row %llu) is damaged", index, (unsigned long long)record->row);
    const uint8_t *vector = frame->bytes + record->vector_offset;
    if (record_vector_checksum(vector, record->vector_bytes, record->row, seed) !=
        record->vector_checksum)
        report(v, frame->header.offset + record->vector_offset, record->vector_bytes,
               "the vector of row %llu is damaged", (unsigned long long)record->row);
    verify_lookup(v, frame, group, index, record); /* a damaged vector is there all the same */
}

static void verify_group(struct verification *v, const struct store_frame *frame)
{
    struct group group;
    if (group_decode(frame->bytes + FRAME_HEADER_BYTES, frame->header.payload_bytes,
                     frame->header.frame_bytes, &group) != EDB_OK) {
        report(v, frame->header.offset, frame->header.frame_bytes, "%s", edb_error_detail());
        return;
    }
    bool known = group.space >= 1 && group.space <= v->db->space_count;
    for (uint32_t i = 0; i < group.count; i++) {
        struct record record;
        v->report.records++;
        if (record_decode(frame->bytes, &group, i, &record) != EDB_OK)
            report(v, frame->header.offset, frame->header.frame_bytes, "%s", edb_error_detail());
        else if (record.operation == RECORD_PUT && !known)
            report(v, frame->header.offset, frame->header.frame_bytes,
                   "records of space %u, which is not known", group.space);
        else if (record.operation == RECORD_PUT)
            verify_put(v, frame, &group, i, &record);
    }
}

/* What could not be read tells nothing about the file: only damage is a finding. */
static bool is_damage(edb_status status)
{
    return status == EDB_CORRUPT || status == EDB_FORMAT;
}

static void pass_damage(struct verification *v)
{
    uint64_t next = find_next_header(v, v->offset + FRAME_ALIGN);
    report(v, v->offset, next - v->offset, "a frame is damaged or missing here");
    v->report.bytes += next - v->offset;
    v->offset = next;
    v->chained = false;
}

/* With the view held still. */
static edb_status verify_next(struct verification *v)
{
    struct store_frame frame;
    store_read_ahead(v->store, v->offset, &v->asked_to);
    edb_status status = store_frame_at(v->store, v->offset, &frame);
    if (is_damage(status)) {
        pass_damage(v);
        return EDB_OK;
    }
    if (status != EDB_OK)
        return status;
    check_chain(v, &frame.header);
    v->report.frames++;
    if (frame.header.type == FRAME_GROUP)
        verify_group(v, &frame);
    uint64_t next = frame_next(&frame.header);
    v->report.bytes += next - v->offset;
    v->offset = next;
    return EDB_OK;
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

/* How many rows the view says are live. */
static uint64_t count_live(const edb *db)
{
    uint64_t live = 0;
    for (uint32_t i = 0; i < db->space_count; i++)
        live += db->spaces[i]->live;
    return live;
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
    v->end = v->store->end.offset;
    v->expected = count_live(db);
    if (atomic_load(&db->store->damaged))
        report(v, v->end, 0, "the data ends here, before data that was synced");
    db_leave(db);
    return is_damage(status) ? EDB_OK : status;
}

/* The live records are compared when nothing was added meanwhile. */
static edb_status end_verification(struct verification *v)
{
    edb *db = v->db;
    edb_status status = db_enter(db);
    if (status != EDB_OK)
        return status;
    if (db->store == v->store && v->store->end.offset == v->end && v->live != v->expected)
        report(v, 0, 0, "%llu records are live, but %llu were found",
               (unsigned long long)v->expected, (unsigned long long)v->live);
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
