/* edb_get_many and edb_get_rows: many records in one matrix, under one look at the view. Keys are
 * looked up sixteen at a time, so that the memory is on its way when it is needed. */
#include <string.h>

#include "codec/codec_vector.h"
#include "db/db_budget.h"

enum { AHEAD = 16 };

struct gathering {
    edb_space *space;
    const edb_key *keys; /* or NULL: rows */
    const uint64_t *rows;
    size_t n;
    float *matrix;
    uint8_t *found;
};

/* Copies what was located, or zeros. A miss is no failure. */
static edb_status take(const struct gathering *g, size_t i, const struct db_found *found,
                       edb_status status)
{
    const uint8_t *vector;
    size_t dims = g->space->spec.dims;
    if (status == EDB_OK)
        status = db_vector(g->space, found, &vector);
    if (status == EDB_OK)
        codec_vector_copy(vector, dims, g->matrix + i * dims);
    else
        memset(g->matrix + i * dims, 0, 4 * dims);
    g->found[i] = status == EDB_OK;
    return status == EDB_NOT_FOUND ? EDB_OK : status;
}

static edb_status make_keys(const struct gathering *g, size_t first, size_t count,
                            struct db_ahead *ahead)
{
    for (size_t i = 0; i < count; i++) {
        const edb_key *key = &g->keys[first + i];
        if (key->data == NULL && key->bytes > 0)
            return fail(EDB_INVALID, "key %zu is NULL but has %zu bytes", first + i, key->bytes);
        edb_status status = db_make_key(g->space, key->data, key->bytes, &ahead[i].key);
        if (status != EDB_OK)
            return status;
    }
    return EDB_OK;
}

/* Damage in one record does not keep the others back; anything else ends it. */
static bool goes_on(edb_status status, edb_status *result)
{
    if (status != EDB_OK)
        *result = status;
    return status == EDB_OK || status == EDB_CORRUPT;
}

static edb_status gather_keys(const struct gathering *g)
{
    struct db_ahead ahead[AHEAD];
    edb_status result = EDB_OK;
    for (size_t first = 0; first < g->n; first += AHEAD) {
        size_t count = g->n - first < AHEAD ? g->n - first : AHEAD;
        edb_status status = make_keys(g, first, count, ahead);
        if (status != EDB_OK)
            return status;
        db_locate_ahead(g->space, ahead, count);
        for (size_t i = 0; i < count; i++) {
            struct db_found found;
            status = db_locate(g->space, &ahead[i].key, &found);
            bool goes = goes_on(take(g, first + i, &found, status), &result);
            if (g->found[first + i])
                db_tally_hit(g->space, &found);
            else if (status == EDB_NOT_FOUND)
                db_tally_miss(g->space);
            if (!goes)
                return result;
        }
    }
    return result;
}

static edb_status gather_rows(const struct gathering *g)
{
    edb_status result = EDB_OK;
    for (size_t i = 0; i < g->n; i++) {
        struct db_found found;
        edb_status status = db_locate_row(g->space, g->rows[i], &found);
        if (!goes_on(take(g, i, &found, status), &result))
            return result;
    }
    return result;
}

/* A step, with the view held still. */
static edb_status gather_once(void *arg)
{
    const struct gathering *g = arg;
    return g->keys != NULL ? gather_keys(g) : gather_rows(g);
}

/* What was not filled is cleared; with EDB_CORRUPT all that could be is filled. */
static edb_status gather(struct gathering *g, const char *call)
{
    if (g->n > 0 && (g->matrix == NULL || g->found == NULL))
        return fail(EDB_INVALID, "%s: matrix_out or found_out is NULL", call);
    if (g->space->spec.dims == 0)
        return fail(EDB_INVALID, "%s: space '%s' holds byte values: use edb_view_key", call,
                    g->space->spec.name);
    edb_status status = db_with_view(g->space->db, gather_once, g);
    if (status != EDB_OK && status != EDB_CORRUPT && g->n > 0) {
        memset(g->matrix, 0,
               g->n * codec_vector_bytes(g->space->spec.element, g->space->spec.dims));
        memset(g->found, 0, g->n);
    }
    return status;
}

edb_status edb_get_many(edb_space *space, const edb_key *keys, size_t n, float *matrix_out,
                        uint8_t *found_out)
{
    if (space == NULL || (keys == NULL && n > 0))
        return fail(EDB_INVALID, "edb_get_many: an argument is NULL");
    static const edb_key none;
    struct gathering g = {space, keys != NULL ? keys : &none, NULL, n, matrix_out, found_out};
    return gather(&g, "edb_get_many");
}

edb_status edb_get_rows(edb_space *space, const uint64_t *rows, size_t n, float *matrix_out,
                        uint8_t *found_out)
{
    if (space == NULL || (rows == NULL && n > 0))
        return fail(EDB_INVALID, "edb_get_rows: an argument is NULL");
    struct gathering g = {space, NULL, rows, n, matrix_out, found_out};
    return gather(&g, "edb_get_rows");
}
