/* SQLite as one of the stores that are measured: write-ahead log, pages of 8 KiB (a record fits
 * one), mapped reads, prepared statements. The row is found by the text's 64-bit XXH3 hash as its
 * integer key, the fastest lookup SQLite has; the text is stored beside it and compared at a get.
 * Not synced: synchronous OFF. Safe: NORMAL. Durable: FULL. */
#include <sqlite3.h>
#define XXH_INLINE_ALL
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "peer.h"

enum { BEGIN, COMMIT, PUT, GET, STATEMENTS };

static const char *const statement_texts[STATEMENTS] = {
    [BEGIN] = "BEGIN",
    [COMMIT] = "COMMIT",
    [PUT] = "INSERT OR REPLACE INTO record (hash, key, vector) VALUES (?1, ?2, ?3)",
    [GET] = "SELECT key, vector FROM record WHERE hash = ?1",
};

struct store {
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENTS];
    int vector_bytes;
    bool fresh;
    bool reading; /* the one transaction of all gets is open */
};

static bool said(struct store *store, bool right, const char *what)
{
    if (!right)
        fprintf(stderr, "sqlite: %s: %s\n", what, sqlite3_errmsg(store->db));
    return right;
}

static bool close_store(void *handle)
{
    struct store *store = handle;
    for (int i = 0; i < STATEMENTS; i++)
        sqlite3_finalize(store->statements[i]);
    bool done = said(store, sqlite3_close(store->db) == SQLITE_OK, "close");
    free(store);
    return done;
}

static bool run(struct store *store, const char *text)
{
    return said(store, sqlite3_exec(store->db, text, NULL, NULL, NULL) == SQLITE_OK, text);
}

static bool prepare(struct store *store, enum peer_durability durability)
{
    static const char *const synchronous[] = {
        [PEER_LAZY] = "PRAGMA synchronous = OFF",
        [PEER_SAFE] = "PRAGMA synchronous = NORMAL",
        [PEER_DURABLE] = "PRAGMA synchronous = FULL",
    };
    bool done = run(store, "PRAGMA page_size = 8192") &&
                run(store, "PRAGMA mmap_size = 2147418112") &&
                run(store, "PRAGMA journal_mode = WAL") && run(store, synchronous[durability]) &&
                run(store, "CREATE TABLE IF NOT EXISTS record (hash INTEGER PRIMARY KEY,"
                           " key BLOB NOT NULL, vector BLOB NOT NULL)");
    for (int i = 0; i < STATEMENTS && done; i++)
        done = said(store,
                    sqlite3_prepare_v3(store->db, statement_texts[i], -1, SQLITE_PREPARE_PERSISTENT,
                                       &store->statements[i], NULL) == SQLITE_OK,
                    "prepare");
    return done;
}

static void *open_store(const struct peer_setting *setting)
{
    char path[4096];
    struct store *store = calloc(1, sizeof *store);
    if (store == NULL)
        return NULL;
    store->vector_bytes = (int)(setting->dims * sizeof(float));
    store->fresh = setting->fresh;
    peer_path(setting, "cache.sqlite", path, sizeof path);
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    if (said(store, sqlite3_open_v2(path, &store->db, flags, NULL) == SQLITE_OK, "open") &&
        prepare(store, setting->durability))
        return store;
    close_store(store);
    return NULL;
}

static sqlite3_int64 row_id(const edb_key *key)
{
    return (sqlite3_int64)XXH3_64bits(key->data, key->bytes);
}

static bool step(struct store *store, int which, int wanted)
{
    int code = sqlite3_step(store->statements[which]);
    bool right = said(store, code == wanted, statement_texts[which]);
    if (wanted == SQLITE_DONE)
        sqlite3_reset(store->statements[which]);
    return right;
}

static bool put(void *handle, const edb_key *key, const float *vector)
{
    struct store *store = handle;
    sqlite3_stmt *statement = store->statements[PUT];
    sqlite3_bind_int64(statement, 1, row_id(key));
    sqlite3_bind_blob(statement, 2, key->data, (int)key->bytes, SQLITE_STATIC);
    sqlite3_bind_blob(statement, 3, vector, store->vector_bytes, SQLITE_STATIC);
    return step(store, PUT, SQLITE_DONE);
}

static bool put_many(void *handle, const edb_key *keys, const float *vectors, size_t n)
{
    struct store *store = handle;
    size_t dims = (size_t)store->vector_bytes / sizeof *vectors;
    if (!step(store, BEGIN, SQLITE_DONE))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!put(store, &keys[i], vectors + i * dims))
            return false;
    return step(store, COMMIT, SQLITE_DONE);
}

/* The row's text must be the key, its vector of the right length. */
static const void *check_row(struct store *store, const edb_key *key)
{
    sqlite3_stmt *statement = store->statements[GET];
    const void *text = sqlite3_column_blob(statement, 0);
    const void *vector = sqlite3_column_blob(statement, 1);
    bool right = text != NULL && (size_t)sqlite3_column_bytes(statement, 0) == key->bytes &&
                 memcmp(text, key->data, key->bytes) == 0 &&
                 sqlite3_column_bytes(statement, 1) == store->vector_bytes;
    return right ? vector : NULL;
}

static bool get(void *handle, const edb_key *key, float *vector_out)
{
    struct store *store = handle;
    if (!store->fresh && !store->reading)
        store->reading = step(store, BEGIN, SQLITE_DONE);
    sqlite3_bind_int64(store->statements[GET], 1, row_id(key));
    const void *vector = step(store, GET, SQLITE_ROW) ? check_row(store, key) : NULL;
    if (vector != NULL)
        memcpy(vector_out, vector, (size_t)store->vector_bytes);
    sqlite3_reset(store->statements[GET]);
    return vector != NULL;
}

const struct peer peer_sqlite = {
    .name = "sqlite",
    .version = sqlite3_libversion,
    .open = open_store,
    .close = close_store,
    .put = put,
    .put_many = put_many,
    .get = get,
};
