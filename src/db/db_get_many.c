/* edb_get_many and edb_get_rows: many records in one matrix, under one look at the view. Keys are
 * looked up a few ahead of the copying, so that the memory is on its way when it is needed. */
#include <string.h>

#include "base/memory.h"
#include "db/db.h"

struct gathering {
    edb_space *space;
    const edb_key *keys; /* or NULL: rows */
    const uint64_t *rows;
    size_t n;
    float *matrix;
    uint8_t *found;
};

static edb_status locate(const struct gathering *g, size_t i, struct db_found *found)
{
    struct db_key key;
    if (g->keys == NULL)
        return db_locate_row(g->space, g->rows[i], found);
    if (g->keys[i].data == NULL && g->keys[i].bytes > 0)
        return fail(EDB_INVALID, "key %zu is NULL but has %zu bytes", i, g->keys[i].bytes);
    edb_status status = db_make_key(g->space, g->keys[i].data, g->keys[i].bytes, &key);
    return status == EDB_OK ? db_locate(g->space, &key, found) : status;
}

static edb_status gather_one(const struct gathering *g, size_t i)
{
    struct db_found found;
    const uint8_t *vector;
    size_t dims = g->space->spec.dims;
    edb_status status = locate(g, i, &found);
    if (status == EDB_OK)
        status = db_vector(g->space, &found, &vector);
    if (status == EDB_OK)
        memcpy(g->matrix + i * dims, vector, 4 * dims);
    else
        memset(g->matrix + i * dims, 0, 4 * dims);
    g->found[i] = status == EDB_OK;
    return status == EDB_NOT_FOUND ? EDB_OK : status;
}

/* Damage in one record does not keep the others back; anything else ends it. */
static edb_status gather_all(const struct gathering *g)
{
    edb_status result = EDB_OK;
    edb_status status = db_enter(g->space->db);
    if (status != EDB_OK)
        return status;
    for (size_t i = 0; i < g->n; i++) {
        status = gather_one(g, i);
        if (status != EDB_OK)
            result = status;
        if (status != EDB_OK && status != EDB_CORRUPT)
            break;
    }
    db_leave(g->space->db);
    return result;
}

static edb_status gather(const struct gathering *g)
{
    edb_status status;
    bool again = true;
    if (g->n > 0 && (g->matrix == NULL || g->found == NULL))
        return fail(EDB_INVALID, "matrix_out or found_out is NULL");
    if (g->space->spec.dims == 0)
        return fail(EDB_INVALID, "space '%s' holds byte values: use edb_view_key",
                    g->space->spec.name);
    while (again) {
        again = false;
        status = gather_all(g);
        if (status == EDB_CORRUPT)
            status = db_retry(g->space->db, status, &again);
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
    return gather(&g);
}

edb_status edb_get_rows(edb_space *space, const uint64_t *rows, size_t n, float *matrix_out,
                        uint8_t *found_out)
{
    if (space == NULL || (rows == NULL && n > 0))
        return fail(EDB_INVALID, "edb_get_rows: an argument is NULL");
    struct gathering g = {space, NULL, rows, n, matrix_out, found_out};
    return gather(&g);
}
