/* EmbedCache as one of the stores that are measured: the public calls, nothing else. Keys are the
 * texts themselves, compared in full at each get; each get sees the newest commit. */
#include <stdio.h>
#include <stdlib.h>

#include "peer.h"

enum { FOUND_MAX = 4096 };

struct store {
    edb *db;
    edb_space *space;
    uint8_t found[FOUND_MAX];
};

static bool said(edb_status status, const char *what)
{
    if (status != EDB_OK)
        fprintf(stderr, "embedcache: %s: %s: %s\n", what, edb_status_name(status),
                edb_error_detail());
    return status == EDB_OK;
}

static bool close_store(void *handle)
{
    struct store *store = handle;
    bool done = said(edb_close(store->db), "close");
    free(store);
    return done;
}

static void *open_store(const struct peer_setting *setting)
{
    char path[4096];
    struct store *store = calloc(1, sizeof *store);
    if (store == NULL)
        return NULL;
    peer_path(setting, "cache.edb", path, sizeof path);
    edb_open_options options = EDB_OPEN_OPTIONS_INIT;
    options.durability = setting->durability == PEER_DURABLE ? EDB_DURABLE : EDB_LAZY;
    edb_space_spec spec = EDB_SPACE_SPEC_INIT;
    spec.dims = setting->dims;
    if (said(edb_open(path, &options, &store->db), "open") &&
        said(edb_space_open(store->db, &spec, &store->space), "open the space"))
        return store;
    edb_close(store->db);
    free(store);
    return NULL;
}

static bool put(void *handle, const edb_key *key, const float *vector)
{
    struct store *store = handle;
    return said(edb_put(store->space, key->data, key->bytes, vector, NULL), "put");
}

static bool put_many(void *handle, const edb_key *keys, const float *vectors, size_t n)
{
    struct store *store = handle;
    return said(edb_put_many(store->space, keys, n, vectors, NULL, NULL), "put_many");
}

static bool get(void *handle, const edb_key *key, float *vector_out)
{
    struct store *store = handle;
    return said(edb_get(store->space, key->data, key->bytes, vector_out), "get");
}

static bool view(void *handle, const edb_key *key, float *first_out)
{
    struct store *store = handle;
    edb_view borrowed;
    if (!said(edb_view_key(store->space, key->data, key->bytes, &borrowed), "view"))
        return false;
    *first_out = *(const float *)borrowed.vector;
    edb_view_release(&borrowed);
    return true;
}

static bool get_many(void *handle, const edb_key *keys, size_t n, float *matrix_out)
{
    struct store *store = handle;
    if (n > FOUND_MAX ||
        !said(edb_get_many(store->space, keys, n, matrix_out, store->found), "get_many"))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!store->found[i])
            return said(EDB_NOT_FOUND, "get_many");
    return true;
}

const struct peer peer_edb = {
    .name = "edb",
    .version = edb_version,
    .open = open_store,
    .close = close_store,
    .put = put,
    .put_many = put_many,
    .get = get,
    .view = view,
    .get_many = get_many,
};
