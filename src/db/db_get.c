/* edb_get, edb_contains and the two ways to borrow a record.
 *
 *   1 db_make_key  the key, or its digest; its hash
 *   2 db_enter     the view, up to date: two loads when nothing is new
 *   3 db_locate    keys_probe_next: hash -> row; rows_place: -> place; the full key compared
 *   4 db_vector    checked bytes in the map: a checksum on the first touch of a row
 *   5 a copy, or a view that pins the map */
#include <string.h>

#include "codec/codec_metadata.h"
#include "codec/codec_vector.h"
#include "db/db_budget.h"

/* What is done with a record once it is found, with the view lock held. */
typedef edb_status use_record(edb_space *space, const struct db_found *found, void *out);

/* What is asked for, and what becomes of it. */
struct question {
    edb_space *space;
    const struct db_key *key; /* or NULL: `row` */
    uint64_t row;
    use_record *use;
    void *out;
    bool counts; /* in the ledger */
};

/* A step, with the view held still. */
static edb_status answer(void *arg)
{
    const struct question *question = arg;
    struct db_found found;
    edb_status status = question->key != NULL
                            ? db_locate(question->space, question->key, &found)
                            : db_locate_row(question->space, question->row, &found);
    if (status == EDB_OK)
        status = question->use(question->space, &found, question->out);
    if (question->counts && status == EDB_OK)
        db_tally_hit(question->space, &found);
    if (question->counts && status == EDB_NOT_FOUND)
        db_tally_miss(question->space);
    return status;
}

/* Asking whether a key is there is no use of it. */
static edb_status nothing(edb_space *space, const struct db_found *found, void *out)
{
    (void)space;
    (void)found;
    (void)out;
    return EDB_OK;
}

static edb_status ask_key(edb_space *space, const void *key, size_t key_bytes, use_record *use,
                          void *out)
{
    struct db_key made;
    edb_status status = db_make_key(space, key, key_bytes, &made);
    if (status != EDB_OK)
        return status;
    struct question question = {
        .space = space, .key = &made, .use = use, .out = out, .counts = use != nothing};
    status = db_with_view(space->db, answer, &question);
    if (status == EDB_NOT_FOUND)
        return fail(status, "the key is not in space '%s'", space->spec.name);
    return status;
}

static edb_status copy_vector(edb_space *space, const struct db_found *found, void *out)
{
    const uint8_t *vector;
    edb_status status = db_vector(space, found, &vector);
    if (status == EDB_OK)
        codec_vector_copy(vector, space->spec.dims, out);
    return status;
}

static edb_status borrow(edb_space *space, const struct db_found *found, void *out)
{
    return db_fill_view(space, found, out);
}

static edb_status check_key(const edb_space *space, const void *key, size_t key_bytes)
{
    if (space == NULL)
        return fail(EDB_INVALID, "the space is NULL");
    if (key == NULL && key_bytes > 0)
        return fail(EDB_INVALID, "the key is NULL but has %zu bytes", key_bytes);
    return EDB_OK;
}

edb_status edb_get(edb_space *space, const void *key, size_t key_bytes, float *vector_out)
{
    if (space == NULL || vector_out == NULL)
        return fail(EDB_INVALID, "edb_get: the space or vector_out is NULL");
    if (space->spec.dims == 0)
        return fail(EDB_INVALID, "edb_get: space '%s' holds byte values: use edb_view_key",
                    space->spec.name);
    edb_status status = check_key(space, key, key_bytes);
    if (status == EDB_OK)
        status = ask_key(space, key, key_bytes, copy_vector, vector_out);
    if (status != EDB_OK)
        memset(vector_out, 0, 4u * space->spec.dims);
    return status;
}

edb_status edb_contains(edb_space *space, const void *key, size_t key_bytes)
{
    edb_status status = check_key(space, key, key_bytes);
    return status == EDB_OK ? ask_key(space, key, key_bytes, nothing, NULL) : status;
}

edb_status edb_view_key(edb_space *space, const void *key, size_t key_bytes, edb_view *view_out)
{
    if (view_out == NULL)
        return fail(EDB_INVALID, "edb_view_key: view_out is NULL");
    memset(view_out, 0, sizeof *view_out);
    edb_status status = check_key(space, key, key_bytes);
    return status == EDB_OK ? ask_key(space, key, key_bytes, borrow, view_out) : status;
}

edb_status edb_view_row(edb_space *space, uint64_t row, edb_view *view_out)
{
    if (view_out == NULL || space == NULL)
        return fail(EDB_INVALID, "edb_view_row: an argument is NULL");
    memset(view_out, 0, sizeof *view_out);
    struct question question = {.space = space, .row = row, .use = borrow, .out = view_out};
    edb_status status = db_with_view(space->db, answer, &question);
    if (status == EDB_NOT_FOUND)
        return fail(status, "row %llu is not in space '%s'", (unsigned long long)row,
                    space->spec.name);
    return status;
}

void edb_view_release(edb_view *view)
{
    if (view == NULL)
        return;
    if (view->pin != NULL)
        db_view_unpin(view->pin);
    memset(view, 0, sizeof *view);
}

edb_status edb_view_metadata_json(const edb_view *view, char **json_out)
{
    if (view == NULL || json_out == NULL)
        return fail(EDB_INVALID, "edb_view_metadata_json: an argument is NULL");
    *json_out = NULL;
    if (view->metadata == NULL)
        return EDB_OK;
    return codec_metadata_decode(view->metadata, view->metadata_bytes, json_out);
}
