/* LMDB as one of the stores that are measured.
 *
 * Its keys end at 511 bytes, so the key is the text's 128-bit XXH3 hash, computed inside the timed
 * call; the text itself is neither stored nor compared, which spares LMDB work that the other
 * stores do. Not synced: WRITEMAP, NOSYNC, MAPASYNC. Durable: its default, which is faster here
 * than WRITEMAP with a sync. No read-ahead, as it costs milliseconds at a cold first get. */
#include <lmdb.h>
#define XXH_INLINE_ALL
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "peer.h"

struct store {
    MDB_env *env;
    MDB_dbi dbi;
    MDB_txn *reading; /* begun by the first get */
    size_t vector_bytes;
    bool fresh;
};

static bool said(int code, const char *what)
{
    if (code != MDB_SUCCESS)
        fprintf(stderr, "lmdb: %s: %s\n", what, mdb_strerror(code));
    return code == MDB_SUCCESS;
}

static const char *version(void)
{
    static char text[32];
    int major, minor, patch;
    mdb_version(&major, &minor, &patch);
    snprintf(text, sizeof text, "%d.%d.%d", major, minor, patch);
    return text;
}

static bool close_store(void *handle)
{
    struct store *store = handle;
    if (store->reading != NULL)
        mdb_txn_abort(store->reading);
    mdb_env_close(store->env);
    free(store);
    return true;
}

static int open_table(struct store *store)
{
    MDB_txn *txn;
    int code = mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn);
    if (code != MDB_SUCCESS)
        return code;
    code = mdb_dbi_open(txn, NULL, 0, &store->dbi);
    if (code == MDB_SUCCESS)
        return mdb_txn_commit(txn);
    mdb_txn_abort(txn);
    return code;
}

static void *open_store(const struct peer_setting *setting)
{
    struct store *store = calloc(1, sizeof *store);
    if (store == NULL || !said(mdb_env_create(&store->env), "create")) {
        free(store);
        return NULL;
    }
    store->vector_bytes = setting->dims * sizeof(float);
    store->fresh = setting->fresh;
    unsigned flags = MDB_NORDAHEAD;
    if (setting->durability == PEER_LAZY)
        flags |= MDB_WRITEMAP | MDB_NOSYNC | MDB_MAPASYNC;
    int code = mdb_env_set_mapsize(store->env, 4 * setting->raw_bytes + (1u << 30));
    if (code == MDB_SUCCESS)
        code = mdb_env_open(store->env, setting->directory, flags, 0644);
    if (code == MDB_SUCCESS)
        code = open_table(store);
    if (said(code, "open"))
        return store;
    mdb_env_close(store->env);
    free(store);
    return NULL;
}

static int put_one(const struct store *store, MDB_txn *txn, const edb_key *key, const float *vector)
{
    XXH128_hash_t hash = XXH3_128bits(key->data, key->bytes);
    MDB_val name = {sizeof hash, &hash};
    MDB_val value = {store->vector_bytes, (void *)vector};
    return mdb_put(txn, store->dbi, &name, &value, 0);
}

static bool put_many(void *handle, const edb_key *keys, const float *vectors, size_t n)
{
    struct store *store = handle;
    MDB_txn *txn;
    size_t dims = store->vector_bytes / sizeof *vectors;
    if (!said(mdb_txn_begin(store->env, NULL, 0, &txn), "begin"))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (said(put_one(store, txn, &keys[i], vectors + i * dims), "put"))
            continue;
        mdb_txn_abort(txn);
        return false;
    }
    return said(mdb_txn_commit(txn), "commit");
}

static bool put(void *handle, const edb_key *key, const float *vector)
{
    return put_many(handle, key, vector, 1);
}

/* Points into the map, valid while the transaction lasts. */
static const void *find(struct store *store, const edb_key *key)
{
    int code = MDB_SUCCESS;
    if (store->reading == NULL)
        code = mdb_txn_begin(store->env, NULL, MDB_RDONLY, &store->reading);
    else if (store->fresh)
        code = mdb_txn_renew(store->reading);
    if (!said(code, "begin to read"))
        return NULL;
    XXH128_hash_t hash = XXH3_128bits(key->data, key->bytes);
    MDB_val name = {sizeof hash, &hash};
    MDB_val value = {0, NULL};
    return said(mdb_get(store->reading, store->dbi, &name, &value), "get") ? value.mv_data : NULL;
}

static void found(struct store *store)
{
    if (store->fresh)
        mdb_txn_reset(store->reading);
}

static bool get(void *handle, const edb_key *key, float *vector_out)
{
    struct store *store = handle;
    const void *vector = find(store, key);
    if (vector != NULL)
        memcpy(vector_out, vector, store->vector_bytes);
    found(store);
    return vector != NULL;
}

static bool view(void *handle, const edb_key *key, float *first_out)
{
    struct store *store = handle;
    const void *vector = find(store, key);
    if (vector != NULL)
        memcpy(first_out, vector, sizeof *first_out);
    found(store);
    return vector != NULL;
}

const struct peer peer_lmdb = {
    .name = "lmdb",
    .version = version,
    .open = open_store,
    .close = close_store,
    .put = put,
    .put_many = put_many,
    .get = get,
    .view = view,
};
