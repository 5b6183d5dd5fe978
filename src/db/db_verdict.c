/* Two passes over the groups of a damaged file: first its spaces, then its rows. Called by
 * db_repair. */
#include "db/db_verdict.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "db/db_held.h"

enum { SPACE_GROUP_BYTES = 4096 }; /* the payload of a GROUP that defines a space is shorter */

/* ----------------------------------------------------------------------------------- the spaces */

static void learn_space(struct db_verdict *v, uint32_t id, const struct spec *spec)
{
    if (id == 0 || id > EDB_SPACES_MAX)
        return;
    struct verdict_space *space = &v->spaces[id - 1];
    if (id > v->space_count)
        v->space_count = id;
    if (!space->known)
        space->spec = *spec;
    space->known = true;
}

static void raise_next_row(struct db_verdict *v, uint32_t id, uint64_t next_row)
{
    if (next_row > v->spaces[id - 1].next_row)
        v->spaces[id - 1].next_row = next_row;
}

/* Those that were set last. */
static void learn_limits(struct db_verdict *v, const struct db_piece *piece,
                         const struct record *record)
{
    uint32_t id = piece->group.space;
    if (record->key_bytes < LIMITS_BYTES || id > EDB_SPACES_MAX)
        return;
    limits_decode(record_key(piece->bytes, &piece->group, record),
                  id == 0 ? &v->limits : &v->spaces[id - 1].limits);
}

static edb_status learn_from_group(void *arg, const struct db_part *part, bool certain)
{
    struct db_verdict *v = arg;
    struct db_piece piece;
    struct record record;
    enum db_piece_part what;
    struct spec spec;
    (void)certain;
    if (part->header.payload_bytes > SPACE_GROUP_BYTES)
        return EDB_OK;
    edb_status status = db_verdict_open(v, part, &piece);
    if (status != EDB_OK || !piece.readable || piece.group.count != 1)
        return status;
    piece.shallow = true;
    status = db_piece_record(&piece, 0, &record, &what);
    if (status == EDB_OK && what != PIECE_LOST && record.operation == RECORD_LIMITS)
        learn_limits(v, &piece, &record);
    if (status != EDB_OK || what == PIECE_LOST || record.operation != RECORD_SPACE)
        return status;
    status = spec_decode(record_key(piece.bytes, &piece.group, &record), record.key_bytes, &spec);
    if (status == EDB_OK)
        learn_space(v, piece.group.space, &spec);
    return status == EDB_FORMAT ? status : EDB_OK;
}

/* A catalog tells of spaces whose own record is lost. */
static edb_status learn_from_catalog(void *arg, const struct frame_header *header)
{
    struct db_verdict *v = arg;
    struct catalog catalog;
    struct store_frame frame = {.header = *header};
    if (frame_end(header) > atomic_load(&v->store->file_bytes))
        return EDB_OK;
    frame.bytes = store_at(v->store, header->offset, header->frame_bytes);
    if (frame.bytes == NULL || !store_payload_verifies(v->store, &frame))
        return EDB_OK;
    edb_status status = catalog_decode(frame.bytes + FRAME_HEADER_BYTES, header->payload_bytes,
                                       header->offset, &catalog);
    for (uint32_t i = 0; i < catalog.space_count && status == EDB_OK; i++) {
        learn_space(v, i + 1, &catalog.spaces[i].spec);
        raise_next_row(v, i + 1, catalog.spaces[i].next_row);
        v->spaces[i].limits = catalog.spaces[i].limits;
    }
    if (status == EDB_OK)
        v->limits = catalog.limits;
    catalog_close(&catalog);
    return status == EDB_NO_MEMORY ? status : EDB_OK;
}

/* ---------------------------------------------------------------------------------- belief */

/* Each live row that the index knows to stand in the frame may lead to all of it. */
static void open_by_index(const struct db_verdict *v, const struct db_part *part,
                          struct db_piece *piece_out)
{
    uint64_t frame = part->header.offset;
    if (v->aid == NULL || db_enter(v->aid) != EDB_OK)
        return;
    for (uint32_t i = 0; i < v->aid->space_count && !piece_out->readable; i++) {
        const edb_space *space = v->aid->spaces[i];
        struct row_place place;
        uint64_t row = db_held_row_from(space, frame);
        while (!piece_out->readable && db_held_next_row(space, row, &row, &place) &&
               place.frame == frame) {
            db_piece_open_placed(v->store, &place, space->id, part->limit, piece_out);
            row++;
        }
    }
    db_leave(v->aid);
}

edb_status db_verdict_open(const struct db_verdict *v, const struct db_part *part,
                           struct db_piece *piece_out)
{
    if (part->limit == 0)
        return db_piece_open(v->store, &part->header, v->space_count, piece_out);
    db_piece_open_headless(v->store, part->header.offset, part->limit, piece_out);
    if (!piece_out->readable)
        open_by_index(v, part, piece_out);
    return EDB_OK;
}

uint64_t db_verdict_indexed(const struct db_verdict *v, uint64_t from)
{
    uint64_t found = UINT64_MAX;
    if (v->aid == NULL || db_enter(v->aid) != EDB_OK)
        return found;
    for (uint32_t i = 0; i < v->aid->space_count; i++) {
        uint64_t row;
        struct row_place place;
        const edb_space *space = v->aid->spaces[i];
        if (db_held_next_row(space, db_held_row_from(space, from + 1), &row, &place) &&
            place.frame > from && place.frame < found)
            found = place.frame;
    }
    db_leave(v->aid);
    return found;
}

/* What the index says of a row: nothing, that it stands here, or elsewhere. */
enum indexed { INDEXED_NOT, INDEXED_HERE, INDEXED_ELSEWHERE };

static enum indexed ask_index(const struct db_verdict *v, const struct db_piece *piece,
                              uint32_t index, uint64_t row)
{
    struct row_place place;
    uint32_t id = piece->group.space;
    if (v->aid == NULL || db_enter(v->aid) != EDB_OK)
        return INDEXED_NOT;
    bool known = id <= v->aid->space_count && row < v->aid->spaces[id - 1]->next_row &&
                 rows_place(&v->aid->spaces[id - 1]->rows, row, &place) == EDB_OK;
    db_leave(v->aid);
    if (!known)
        return INDEXED_NOT;
    return place.frame == piece->offset && place.index == index ? INDEXED_HERE : INDEXED_ELSEWHERE;
}

static bool vector_fits(const struct spec *spec, const struct record *record)
{
    return spec->dims == 0 || record->vector_bytes == 4u * spec->dims;
}

/* The first PUT that verifies speaks for all. */
bool db_verdict_believes(const struct db_verdict *v, const struct db_piece *piece)
{
    uint32_t id = piece->group.space;
    if (!piece->readable || id > EDB_SPACES_MAX)
        return false;
    if (piece->whole) /* 0: limits of the file */
        return id > 0 || (piece->group.count == 1 &&
                          piece->bytes[piece->group.entries_offset] == RECORD_LIMITS);
    if (id == 0)
        return false;
    const struct verdict_space *space = &v->spaces[id - 1];
    struct db_piece shallow = *piece;
    shallow.shallow = true;
    for (uint32_t i = 0; i < piece->group.count; i++) {
        struct record record;
        enum db_piece_part part;
        if (db_piece_record(&shallow, i, &record, &part) != EDB_OK || part == PIECE_LOST ||
            record.operation != RECORD_PUT)
            continue;
        return space->known && vector_fits(&space->spec, &record) &&
               ask_index(v, piece, i, record.row) != INDEXED_ELSEWHERE;
    }
    return space->known;
}

bool db_verdict_confirms(const struct db_verdict *v, const struct db_piece *piece)
{
    struct db_piece shallow = *piece;
    shallow.shallow = true;
    for (uint32_t i = 0; i < piece->group.count; i++) {
        struct record record;
        enum db_piece_part part;
        if (db_piece_record(&shallow, i, &record, &part) == EDB_OK && part != PIECE_LOST &&
            record.operation == RECORD_PUT && ask_index(v, piece, i, record.row) == INDEXED_HERE)
            return true;
    }
    return false;
}

/* ------------------------------------------------------------------------------------- the rows */

static edb_status add_death(struct db_verdict *v, uint32_t space, uint64_t row)
{
    edb_status status =
        memory_reserve(&v->deaths, &v->death_capacity, v->death_count + 1, sizeof *v->deaths);
    if (status != EDB_OK)
        return status;
    v->deaths[v->death_count++] = (struct verdict_death){row, space};
    return EDB_OK;
}

static edb_status add_doubt(struct db_verdict *v, const struct verdict_doubt *doubt)
{
    edb_status status =
        memory_reserve(&v->doubts, &v->doubt_capacity, v->doubt_count + 1, sizeof *v->doubts);
    if (status != EDB_OK)
        return status;
    v->doubts[v->doubt_count++] = *doubt;
    return EDB_OK;
}

/* Whoever was in doubt and had the row number, or a higher one, was abandoned. */
static void settle_doubts(struct db_verdict *v, struct verdict_space *space, uint64_t row)
{
    while (space->doubt != 0 && v->doubts[space->doubt - 1].last_row >= row) {
        struct verdict_doubt *doubt = &v->doubts[space->doubt - 1];
        doubt->abandoned = true;
        for (size_t i = doubt->deaths_from; i < doubt->deaths_to; i++)
            v->deaths[i].row = ROW_NONE;
        space->doubt = doubt->below;
    }
}

/* What one record says of others. */
static edb_status judge_record(struct db_verdict *v, uint32_t id, const struct record *record)
{
    if (record->operation == RECORD_PUT) {
        raise_next_row(v, id, record->row + 1);
        return record->prior_row == ROW_NONE ? EDB_OK : add_death(v, id, record->prior_row);
    }
    if (record->operation == RECORD_ADVANCE)
        raise_next_row(v, id, record->row);
    return record->operation == RECORD_DELETE ? add_death(v, id, record->row) : EDB_OK;
}

static edb_status judge_records(struct db_verdict *v, struct db_piece *piece, uint64_t *first_out,
                                uint64_t *last_out)
{
    edb_status status = EDB_OK;
    piece->shallow = true;
    *first_out = ROW_NONE;
    for (uint32_t i = 0; i < piece->group.count && status == EDB_OK; i++) {
        struct record record;
        enum db_piece_part part;
        status = db_piece_record(piece, i, &record, &part);
        if (status != EDB_OK || part == PIECE_LOST)
            continue;
        if (record.operation == RECORD_PUT) {
            *first_out = *first_out == ROW_NONE ? record.row : *first_out;
            *last_out = record.row;
        }
        status = judge_record(v, piece->group.space, &record);
    }
    return status;
}

static edb_status judge_group(void *arg, const struct db_part *part, bool certain)
{
    struct db_verdict *v = arg;
    struct db_piece piece;
    uint64_t first;
    edb_status status = db_verdict_open(v, part, &piece);
    if (status == EDB_OK)
        status = v->pace(v->arg, part->header.offset);
    if (status != EDB_OK || !db_verdict_believes(v, &piece))
        return status;
    if (piece.group.space > v->space_count) /* whose spec is lost */
        v->space_count = piece.group.space;
    struct verdict_doubt doubt = {.deaths_from = v->death_count};
    struct verdict_space *space = &v->spaces[piece.group.space - 1];
    status = judge_records(v, &piece, &first, &doubt.last_row);
    if (status != EDB_OK)
        return status;
    if (first != ROW_NONE)
        settle_doubts(v, space, first);
    if (certain)
        return EDB_OK;
    doubt.deaths_to = v->death_count;
    doubt.below = space->doubt;
    status = add_doubt(v, &doubt);
    if (status == EDB_OK && first != ROW_NONE)
        space->doubt = v->doubt_count;
    return status;
}

static int compare_deaths(const void *left, const void *right)
{
    const struct verdict_death *a = left;
    const struct verdict_death *b = right;
    if (a->space != b->space)
        return a->space < b->space ? -1 : 1;
    return a->row < b->row ? -1 : a->row > b->row;
}

bool db_verdict_is_dead(const struct db_verdict *v, uint32_t space, uint64_t row)
{
    struct verdict_death death = {row, space};
    return v->death_count > 0 &&
           bsearch(&death, v->deaths, v->death_count, sizeof death, compare_deaths) != NULL;
}

static uint64_t indexed(void *arg, uint64_t from)
{
    return db_verdict_indexed(arg, from);
}

edb_status db_verdict_reach(struct db_verdict *v, const struct store_scan *scan)
{
    const struct db_salvage_visitor spaces = {
        .group = learn_from_group, .catalog = learn_from_catalog, .indexed = indexed, .arg = v};
    const struct db_salvage_visitor rows = {.group = judge_group, .indexed = indexed, .arg = v};
    v->spaces = memory_zeroed(EDB_SPACES_MAX, sizeof *v->spaces);
    if (v->spaces == NULL)
        return memory_failed(EDB_SPACES_MAX * sizeof *v->spaces);
    edb_status status = db_salvage_visit(v->store, scan, &spaces);
    if (status == EDB_OK)
        status = db_salvage_visit(v->store, scan, &rows);
    if (status == EDB_OK && v->death_count > 0)
        qsort(v->deaths, v->death_count, sizeof *v->deaths, compare_deaths);
    return status;
}

void db_verdict_close(struct db_verdict *v)
{
    memory_free(v->spaces);
    memory_free(v->deaths);
    memory_free(v->doubts);
    memset(v, 0, sizeof *v);
}
