/* Sentences about damage. The row directory leads from rows to frames; rows of a space stand in the
 * file in the order of their numbers, so the rows of a range are found by bisection. */
#include "db/db_held.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

enum {
    SPACES_NAMED = 3,    /* in one sentence */
    KEY_SHOWN_BYTES = 80 /* longer keys are not named */
};

static void add(struct db_held *held, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void add(struct db_held *held, const char *format, ...)
{
    size_t used = strlen(held->text);
    va_list args;
    va_start(args, format);
    vsnprintf(held->text + used, sizeof held->text - used, format, args);
    va_end(args);
}

/* --------------------------------------------------------------------- rows of a range of bytes */

bool db_held_next_row(const edb_space *space, uint64_t row, uint64_t *row_out,
                      struct row_place *place_out)
{
    struct rows_word word;
    while (row < space->next_row) {
        if (rows_next_live(&space->rows, row, space->next_row, &word) != EDB_OK || word.bits == 0)
            return false;
        *row_out = rows_word_next(&word, row);
        if (*row_out != ROW_NONE)
            return rows_place(&space->rows, *row_out, place_out) == EDB_OK;
        row = word.first + ROWS_WORD_ROWS;
    }
    return false;
}

uint64_t db_held_row_from(const edb_space *space, uint64_t from)
{
    uint64_t low = 0;
    uint64_t high = space->next_row;
    while (low < high) {
        uint64_t row;
        struct row_place place;
        uint64_t middle = low + (high - low) / 2;
        if (!db_held_next_row(space, middle, &row, &place) || place.frame >= from)
            high = middle;
        else
            low = row + 1;
    }
    return low;
}

struct span_of_rows {
    uint64_t first;
    uint64_t last;
    uint64_t count;
};

static struct span_of_rows rows_within(const edb_space *space, uint64_t from, uint64_t to)
{
    struct span_of_rows span = {0};
    uint64_t row = db_held_row_from(space, from);
    struct row_place place;
    while (db_held_next_row(space, row, &row, &place) && place.frame >= from && place.frame < to) {
        span.first = span.count == 0 ? row : span.first;
        span.last = row++;
        span.count++;
    }
    return span;
}

static void add_rows(struct db_held *held, const char *space, const struct span_of_rows *span)
{
    unsigned long long first = span->first;
    unsigned long long last = span->last;
    if (span->count == 1)
        add(held, "row %llu of space '%s'", first, space);
    else if (last - first + 1 == span->count)
        add(held, "rows %llu to %llu of space '%s'", first, last, space);
    else
        add(held, "%llu of the rows %llu to %llu of space '%s'", (unsigned long long)span->count,
            first, last, space);
}

/* "; it held rows 3 to 5 of space 'docs'" */
static void add_range(struct db_held *held, edb *db, uint64_t from, uint64_t to)
{
    int spaces = 0;
    if (db == NULL || db->store->end.offset <= from) {
        add(held, "; what it held is not known");
        return;
    }
    for (uint32_t i = 0; i < db->space_count; i++) {
        const edb_space *space = db->spaces[i];
        struct span_of_rows span = rows_within(space, from, to);
        held->rows += span.count;
        if (span.count == 0 || ++spaces > SPACES_NAMED)
            continue;
        add(held, spaces == 1 ? "; by the index it held " : ", ");
        add_rows(held, space->spec.name, &span);
    }
    if (spaces > SPACES_NAMED)
        add(held, " and rows of %d spaces more", spaces - SPACES_NAMED);
    if (spaces == 0)
        add(held, "; the index knows of no live record in it");
}

/* -------------------------------------------------------------------------------- the sentences */

void db_held_gap(edb *db, const struct db_gap *gap, struct db_held *out)
{
    memset(out, 0, sizeof *out);
    if (gap->missing > 1)
        add(out, "%llu frames are damaged or missing here", (unsigned long long)gap->missing);
    else
        add(out, "a frame is damaged or missing here");
    if (gap->to > gap->from)
        add_range(out, db, gap->from, gap->to);
}

void db_held_group(edb *db, uint64_t from, uint64_t to, struct db_held *out)
{
    memset(out, 0, sizeof *out);
    add(out, "a group is damaged so that nobody knows of which space it is");
    add_range(out, db, from, to);
}

static void add_space(struct db_held *held, const char *space)
{
    if (space != NULL)
        add(held, " of space '%s'", space);
}

bool db_held_add(struct db_held_records *records, uint32_t index, const struct record *record)
{
    if (records->count > 0 && index != records->first + records->count)
        return false;
    if (records->count++ == 0) {
        records->first = index;
        records->first_row = record->row;
    }
    records->last_row = record->row;
    return true;
}

/* Row numbers that do not verify are named where they fit each other. */
void db_held_records(const char *space, const struct db_held_records *records, struct db_held *out)
{
    unsigned long long first = records->first_row;
    unsigned long long last = records->last_row;
    bool fit = last >= first && last - first == records->count - 1 && last < ROWS_MAX;
    memset(out, 0, sizeof *out);
    if (records->count == 1)
        add(out, "record %u of a group", records->first);
    else
        add(out, "records %u to %u of a group", records->first,
            records->first + records->count - 1);
    add_space(out, space);
    add(out, records->count == 1 ? " is damaged" : " are damaged");
    if (fit && records->count == 1)
        add(out, "; row %llu", first);
    else if (fit)
        add(out, "; rows %llu to %llu", first, last);
}

static bool is_shown(const uint8_t *key, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (key[i] < ' ' || key[i] == 0x7f)
            return false;
    return utf8_first_bad((const char *)key, count) == count;
}

void db_held_key(const struct db_key *key, char out[HELD_KEY_BYTES])
{
    const uint8_t *bytes = db_key_bytes(key);
    if (key->form != EDB_KEY_BYTES)
        snprintf(out, HELD_KEY_BYTES, "a key that is kept as a digest");
    else if (key->count <= KEY_SHOWN_BYTES && is_shown(bytes, key->count))
        snprintf(out, HELD_KEY_BYTES, "key '%.*s'", (int)key->count, (const char *)bytes);
    else
        snprintf(out, HELD_KEY_BYTES, "a key of %zu bytes", key->count);
}

void db_held_vector(const char *space, const struct db_piece *piece, const struct record *record,
                    struct db_held *out)
{
    char name[HELD_KEY_BYTES];
    const struct db_key key = {.bytes = record_key(piece->bytes, &piece->group, record),
                               .count = record->key_bytes,
                               .form = record->key_form};
    db_held_key(&key, name);
    memset(out, 0, sizeof *out);
    add(out, "the vector of row %llu", (unsigned long long)record->row);
    add_space(out, space);
    add(out, " is damaged; %s", name);
}

void db_held_space(uint32_t id, uint64_t records, struct db_held *out)
{
    memset(out, 0, sizeof *out);
    add(out, "nothing tells what space %u is; %llu of its records verify and are gone with it", id,
        (unsigned long long)records);
}

void db_held_saved(uint64_t records, struct db_held *held)
{
    add(held, "; %llu records in it were saved", (unsigned long long)records);
}
