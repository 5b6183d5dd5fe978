/* Applying frames to the view: the one way in which a handle learns anything. Called by the walk,
 * with the view lock held exclusively. A group is first checked whole, and memory for all of it
 * reserved; then nothing can fail. */
#include <string.h>

#include "base/memory.h"
#include "db/db_budget.h"

edb_status db_add_space(edb *db, uint32_t id, const struct spec *spec)
{
    if (id != db->space_count + 1 || id > EDB_SPACES_MAX)
        return fail(EDB_CORRUPT, "space %u follows space %u", id, db->space_count);
    if (id > db->space_known) {
        edb_space **grown = memory_resize(db->spaces, id, sizeof *grown);
        if (grown == NULL)
            return memory_failed(id * sizeof *grown);
        db->spaces = grown;
        edb_space *space = memory_zeroed(1, sizeof *space);
        if (space == NULL)
            return memory_failed(sizeof *space);
        space->db = db;
        space->id = id;
        space->fresh_from = ROW_NONE;
        space->spec = *spec;
        db->spaces[id - 1] = space;
        db->space_known = id;
        if (db->writable && db_tally_open(space) != EDB_OK)
            return EDB_NO_MEMORY;
    } else if (memcmp(&db->spaces[id - 1]->spec, spec, sizeof *spec) != 0)
        return fail(EDB_STALE, "space %u is another one now: close the file and open it again", id);
    db->space_count = id;
    return EDB_OK;
}

struct application {
    const struct store_frame *frame;
    struct group group;
    edb_space *space;
    uint64_t next; /* row number, as the check goes on */
    size_t puts;
    size_t runs; /* of following rows */
};

/* Where rows may be left out, those in between are gone. */
static edb_status check_row(const struct application *a, const struct record *record)
{
    bool gaps = a->frame->header.flags & FRAME_GAPS;
    if (record->row == a->next || (gaps && record->row > a->next))
        return EDB_OK;
    return fail(EDB_CORRUPT, "row %llu where row %llu should come", (unsigned long long)record->row,
                (unsigned long long)a->next);
}

static edb_status check_put(const struct application *a, const struct record *record)
{
    const struct spec *spec = &a->space->spec;
    uint64_t at = a->frame->header.offset + record->vector_offset;
    if (spec->dims > 0 && (record->vector_bytes != 4u * spec->dims || at % 4 != 0))
        return fail(EDB_CORRUPT, "a vector of %u bytes at %llu in a space of %u dimensions",
                    record->vector_bytes, (unsigned long long)at, spec->dims);
    if (record->key_form > EDB_KEY_SHA256 || record->key_bytes > EDB_KEY_BYTES_MAX)
        return fail(EDB_CORRUPT, "a key of %u bytes and form %u", record->key_bytes,
                    record->key_form);
    return EDB_OK;
}

/* What could be wrong or missing with one record; and counts it. */
static edb_status check_record(struct application *a, const struct record *record)
{
    struct rows *rows = &a->space->rows;
    uint64_t victim = ROW_NONE;
    edb_status status = EDB_OK;
    if (record->operation == RECORD_PUT) {
        status = check_row(a, record);
        if (status == EDB_OK)
            status = check_put(a, record);
        if (status == EDB_OK)
            status = rows_reserve_chunk(rows, record->row);
        if (status == EDB_OK && a->space->evicts)
            status = evict_reserve(&a->space->evict, record->row);
        a->runs += a->puts == 0 || record->row != a->next;
        a->puts++;
        a->next = record->row + 1;
        victim = record->prior_row;
    } else if (record->operation == RECORD_ADVANCE) {
        status = check_row(a, record);
        a->next = record->row;
    } else if (record->operation == RECORD_DELETE) {
        if (record->row >= a->next)
            return fail(EDB_CORRUPT, "row %llu is deleted before it exists",
                        (unsigned long long)record->row);
        victim = record->row;
    }
    if (status == EDB_OK && victim != ROW_NONE)
        status = rows_reserve_kill(rows, victim);
    return status;
}

/* Everything that could be wrong or missing, before anything is changed. */
static edb_status check_records(struct application *a)
{
    edb_status status = EDB_OK;
    a->next = a->space->next_row;
    for (uint32_t i = 0; i < a->group.count && status == EDB_OK; i++) {
        struct record record;
        status = record_decode(a->frame->bytes, &a->group, i, &record);
        if (status == EDB_OK)
            status = check_record(a, &record);
    }
    if (status == EDB_OK)
        status = rows_reserve(&a->space->rows, a->puts, a->runs);
    return status == EDB_OK ? keys_reserve(&a->space->keys, a->puts) : status;
}

void db_account_add(struct account *account, const struct row_place *place)
{
    account->bytes += db_place_bytes(place);
    account->cost += place->cost;
}

/* A catalog that was forged may have said less. */
static void take_from_account(struct account *account, const struct row_place *place)
{
    uint64_t bytes = db_place_bytes(place);
    account->bytes -= bytes < account->bytes ? bytes : account->bytes;
    account->cost -= place->cost < account->cost ? place->cost : account->cost;
}

/* No policy has named an expired row: its queues are not to think so. */
static bool was_over(const struct row_place *place, const struct record *record)
{
    return place->expiry_s != 0 && place->expiry_s <= record->put_s;
}

static void kill_row(edb_space *space, uint64_t row, const struct record *record)
{
    bool evicted = record->flags & RECORD_EVICTED;
    struct row_place place;
    if (!rows_kill(&space->rows, row, &place))
        return;
    space->live -= space->live > 0; /* a forged catalog may have said less */
    space->stuck_at = 0;
    take_from_account(&space->account, &place);
    db_forget_expired(space, row, &place);
    space->ledger.evictions += evicted;
    if (space->evicts)
        evict_remove(&space->evict, row, record->key_hash, evicted && !was_over(&place, record));
}

struct row_place db_place_of(const struct store_frame *frame, const struct group *group,
                             uint32_t index, const struct record *record)
{
    return (struct row_place){
        .frame = frame->header.offset,
        .index = index,
        .key_offset = (uint32_t)(group->heap_offset + record->heap_offset),
        .key_bytes = record->key_bytes,
        .key_form = record->key_form,
        .extras = record->flags & RECORD_EXTRAS,
        .vector_offset = record->vector_offset,
        .vector_bytes = record->vector_bytes,
        .extra_bytes = (uint32_t)(record_heap_bytes(record) - record->key_bytes),
        .expiry_s = record->expiry_s,
        .cost = record->cost,
    };
}

static void note_expiry(edb_space *space, uint32_t expiry_s)
{
    db_expect_expiry(space, expiry_s);
    if (expiry_s != 0 && (space->first_expiry_s == 0 || expiry_s < space->first_expiry_s))
        space->first_expiry_s = expiry_s;
}

static void apply_put(const struct application *a, uint32_t index, const struct record *record)
{
    edb_space *space = a->space;
    struct row_place place = db_place_of(a->frame, &a->group, index, record);
    rows_add(&space->rows, record->row, &place);
    keys_insert(&space->keys, record->key_hash, record->row, record->prior_row);
    if (space->evicts)
        evict_insert(&space->evict, record->row, record->prior_row, record->key_hash, record->cost);
    if (record->prior_row != ROW_NONE)
        kill_row(space, record->prior_row, record);
    db_account_add(&space->account, &place);
    note_expiry(space, record->expiry_s);
    space->next_row = record->row + 1;
    space->live++;
}

static void apply_record(const struct application *a, uint32_t index, const struct record *record)
{
    edb_space *space = a->space;
    if (record->operation == RECORD_PUT)
        apply_put(a, index, record);
    else if (record->operation == RECORD_ADVANCE)
        space->next_row = record->row;
    else if (record->operation == RECORD_DELETE) {
        keys_remove(&space->keys, record->key_hash, record->row);
        kill_row(space, record->row, record);
    }
}

static edb_status apply_space(edb *db, const struct application *a)
{
    struct record record;
    struct spec spec;
    edb_status status = record_decode(a->frame->bytes, &a->group, 0, &record);
    if (status != EDB_OK)
        return status;
    status = spec_decode(record_key(a->frame->bytes, &a->group, &record), record.key_bytes, &spec);
    if (status != EDB_OK)
        return status;
    return db_add_space(db, a->group.space, &spec);
}

static edb_status apply_limits(edb *db, const struct application *a)
{
    struct record record;
    edb_status status = record_decode(a->frame->bytes, &a->group, 0, &record);
    if (status != EDB_OK)
        return status;
    return db_apply_limits(db, a->group.space, record_key(a->frame->bytes, &a->group, &record),
                           record.key_bytes);
}

static edb_status apply_group(edb *db, const struct store_frame *frame)
{
    struct application a = {.frame = frame};
    edb_status status = group_decode(frame->bytes + FRAME_HEADER_BYTES, frame->header.payload_bytes,
                                     frame->header.frame_bytes, &a.group);
    if (status != EDB_OK)
        return status;
    uint8_t first = a.group.count == 1 ? frame->bytes[a.group.entries_offset] : 0;
    if (first == RECORD_SPACE)
        return apply_space(db, &a);
    if (first == RECORD_LIMITS)
        return apply_limits(db, &a);
    if (a.group.space == 0 || a.group.space > db->space_count)
        return fail(EDB_CORRUPT, "records of space %u, which was not created", a.group.space);
    a.space = db->spaces[a.group.space - 1];
    status = check_records(&a);
    for (uint32_t i = 0; i < a.group.count && status == EDB_OK; i++) {
        struct record record;
        status = record_decode(frame->bytes, &a.group, i, &record);
        if (status == EDB_OK)
            apply_record(&a, i, &record);
    }
    return status;
}

static bool is_named(const edb *db, uint64_t catalog)
{
    for (size_t i = 0; i < 4; i++)
        if (db->named_catalogs[i] == catalog)
            return true;
    return false;
}

/* Sections that were not yet synced when their catalog was written are believed only if no power
 * failure can lie between. What stands before the anchor of a slot is on the device, but may have
 * lost parts before it came there: of the catalogs there only the one that the slot names was in
 * use. */
static bool sections_written(const edb *db, const struct store_frame *frame,
                             const struct catalog *catalog)
{
    uint64_t deep_from = db->walk_limits.deep_from;
    if (deep_from == UINT64_MAX || is_named(db, frame->header.offset))
        return true;
    if (frame->header.offset + frame->header.frame_bytes <= deep_from)
        return false;
    for (uint32_t i = 0; i < catalog->section_count; i++)
        if (catalog->sections[i].offset + catalog->sections[i].frame_bytes >
            frame->header.synced_to)
            return false;
    return true;
}

/* A catalog that cannot be used is no loss: what it covers stays in the tail. */
static edb_status apply_catalog(edb *db, const struct store_frame *frame)
{
    struct catalog catalog;
    edb_status status = EDB_OK;
    memset(&catalog, 0, sizeof catalog);
    if (!store_payload_verifies(db->store, frame))
        status = fail(EDB_CORRUPT, "its payload does not verify");
    else
        status = catalog_decode(frame->bytes + FRAME_HEADER_BYTES, frame->header.payload_bytes,
                                frame->header.offset, &catalog);
    if (status == EDB_OK && sections_written(db, frame, &catalog)) {
        bool used = frame->header.offset >= db->sections_from && !db_names_damaged(db, &catalog);
        db->store->newest_catalog = store_anchor_of(&frame->header);
        if (used)
            status = db_adopt(db, &catalog, false);
        if (used && status == EDB_OK) /* the anchors never lead to one that cannot be used */
            db->store->catalog = db->store->newest_catalog;
    }
    catalog_close(&catalog);
    if (status == EDB_CORRUPT) {
        log_event(EDB_LOG_WARNING, "%s: the catalog at %llu is not used: %s", db->store->path,
                  (unsigned long long)frame->header.offset, edb_error_detail());
        return EDB_OK;
    }
    return status;
}

static edb_status name_file(const edb *db, const struct store_frame *frame)
{
    return fail(EDB_FORMAT, "%s, frame at %llu: %s", db->store->path,
                (unsigned long long)frame->header.offset, edb_error_detail());
}

edb_status db_apply(void *arg, const struct store_frame *frame)
{
    edb *db = arg;
    edb_status status = EDB_OK;
    if (frame->header.type == FRAME_GROUP)
        status = apply_group(db, frame);
    else if (frame->header.type == FRAME_CATALOG)
        status = apply_catalog(db, frame);
    else if (frame->header.type == FRAME_NOTE)
        db_apply_note(db, frame);
    return status == EDB_FORMAT ? name_file(db, frame) : status;
}
