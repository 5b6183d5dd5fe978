/* Handing over what this handle has counted. Called at commits, at close and by edb_maintain.
 *
 *   1 db_tally_pending    hits and misses since the last time
 *   2 evict_take_touched  rows that were used, where the space has a budget
 *   3 db_append           a NOTE
 *   4 db_apply_note       the walk meets it, here as in every other handle */
#include <string.h>

#include "base/buffer.h"
#include "base/checked.h"
#include "base/memory.h"
#include "db/db_budget.h"

enum {
    COUNTS_MIN = 4096,  /* that are worth a NOTE */
    INTERVAL_MS = 1000, /* or so long after the last */
    LIST_ROWS_MAX = 32 << 10,
    LIST_BYTES_MAX = 256 << 10, /* of them */
    NOTE_BYTES_MAX = 4 << 20,
};

static uint64_t pending_counts(edb *db)
{
    uint64_t count = 0;
    os_rwlock_read(&db->view_lock);
    for (uint32_t i = 0; i < db->space_count; i++) {
        struct ledger pending = db_tally_pending(db->spaces[i]);
        count += pending.hits + pending.misses;
    }
    os_rwlock_unlock(&db->view_lock);
    return count;
}

bool db_has_counted(edb *db)
{
    return db->writable && pending_counts(db) > 0;
}

/* What is not taken now stays for the next NOTE that has room. */
static bool add_rows(struct note_writer *writer, edb_space *space)
{
    struct evict_used *used = memory_aligned(LIST_ROWS_MAX * sizeof *used);
    size_t count = used != NULL ? evict_take_touched(&space->evict, used, LIST_ROWS_MAX) : 0;
    bool whole = used != NULL;
    for (size_t i = 0; i < count && whole; i++)
        whole = note_add_row(writer, used[i].row, used[i].uses);
    memory_free(used);
    return whole;
}

static bool add_space(struct note_writer *writer, edb_space *space)
{
    struct ledger pending = db_tally_pending(space);
    if (ledger_is_zero(&pending) || writer->out->count > NOTE_BYTES_MAX - 2 * LIST_BYTES_MAX)
        return true;
    if (!note_begin_space(writer, space->id, &pending) ||
        (space->evicts && !add_rows(writer, space)))
        return false;
    note_end_space(writer);
    ledger_add(&space->handed, &pending);
    return true;
}

/* With the view lock, exclusive: who asks for statistics sees counts handed over or not. */
static bool gather(edb *db, struct buffer *out)
{
    struct note_writer writer;
    bool whole = note_begin(&writer, out);
    for (uint32_t i = 0; i < db->space_count && whole; i++)
        whole = add_space(&writer, db->spaces[i]);
    return whole && writer.spaces > 0;
}

/* What did not get into the file is handed over another time; the uses are lost. */
static void take_back(edb *db, const struct buffer *payload)
{
    struct note_reader reader;
    if (!note_open(&reader, payload->bytes, payload->count))
        return;
    os_rwlock_write(&db->view_lock);
    while (note_next_space(&reader))
        ledger_subtract(&db->spaces[reader.space - 1]->handed, &reader.ledger);
    os_rwlock_unlock(&db->view_lock);
}

static edb_status append_note(edb *db, const struct buffer *payload)
{
    struct frame_piece piece = {FRAME_HEADER_BYTES, payload->bytes, payload->count};
    struct frame_draft draft = {.type = FRAME_NOTE,
                                .offset = store_append_offset(db->store),
                                .frame_bytes =
                                    round_up(FRAME_HEADER_BYTES + payload->count, FRAME_ALIGN),
                                .payload_bytes = payload->count,
                                .payload = payload->bytes,
                                .pieces = &piece,
                                .piece_count = 1};
    return db_append(db, &draft, 1, false);
}

/* What the commit at hand has put came after the uses that were handed over behind it. */
static void renew_fresh(edb_space *space)
{
    struct rows_word word;
    uint64_t row = space->fresh_from;
    while (space->evicts && row < space->next_row &&
           rows_next_live(&space->rows, row, space->next_row, &word) == EDB_OK && word.bits != 0) {
        for (uint64_t bits = word.bits; bits != 0; bits &= bits - 1) {
            uint64_t live = word.first + (uint64_t)__builtin_ctzll(bits);
            if (live >= space->fresh_from)
                evict_renew(&space->evict, live);
        }
        row = word.first + ROWS_WORD_ROWS;
    }
}

static void renew_fresh_rows(edb *db)
{
    os_rwlock_write(&db->view_lock);
    for (uint32_t i = 0; i < db->space_count; i++)
        renew_fresh(db->spaces[i]);
    os_rwlock_unlock(&db->view_lock);
}

void db_hand_over(edb *db, bool now)
{
    struct buffer payload;
    uint64_t ms = db->store->io->monotonic_ms();
    uint64_t pending = pending_counts(db);
    bool due = now || pending >= COUNTS_MIN || ms - db->handed_over_ms >= INTERVAL_MS;
    if (pending == 0 || !due)
        return;
    db->handed_over_ms = ms;
    buffer_open(&payload, NOTE_BYTES_MAX);
    os_rwlock_write(&db->view_lock);
    bool any = gather(db, &payload);
    os_rwlock_unlock(&db->view_lock);
    if (any && append_note(db, &payload) != EDB_OK) {
        log_event(EDB_LOG_WARNING, "%s: hits were not handed over: %s", db->path,
                  edb_error_detail());
        any = false;
    }
    if (any)
        renew_fresh_rows(db);
    else if (payload.bytes != NULL)
        take_back(db, &payload);
    buffer_close(&payload);
}

static void apply_space(edb_space *space, struct note_reader *reader)
{
    uint64_t row;
    unsigned uses;
    ledger_add(&space->ledger, &reader->ledger);
    while (space->evicts && note_next_row(reader, &row, &uses))
        if (row < space->next_row)
            evict_use(&space->evict, row, uses);
}

void db_apply_note(edb *db, const struct store_frame *frame)
{
    struct note_reader reader;
    if (!store_payload_verifies(db->store, frame) ||
        !note_open(&reader, frame->bytes + FRAME_HEADER_BYTES, frame->header.payload_bytes))
        return;
    while (note_next_space(&reader))
        if (reader.space >= 1 && reader.space <= db->space_count)
            apply_space(db->spaces[reader.space - 1], &reader);
}
