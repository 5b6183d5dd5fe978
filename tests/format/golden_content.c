/* The rule of the golden file, and the one program that writes it. The first session ends with
 * index sections, the second adds a tail, with each kind of commit.
 *
 *   space 0 "default"  50 keys in rows 0 to 49; keys 5, 15, 25, 35, 45 overwritten by rows 50 to
 *                      54; keys 3, 13, 23, 33, 43 deleted
 *   space 1 "opaque"   30 values under SHA-256 keys in rows 0 to 29
 *   space 2 "queries"  L2, four keys in the tail, one of them deleted */
#include "format/golden_content.h"

#include <stdio.h>
#include <string.h>

static const char short_json[] = "{\"i\":7}";
static const char long_json[] =
    "{\"a\":1,\"b\":[true,false,null,\"\xc3\xa9\"],\"c\":0.5,\"d\":{\"e\":-2}}";

edb_space_spec golden_spec(int space)
{
    edb_space_spec spec = EDB_SPACE_SPEC_INIT;
    if (space == 0) {
        spec.model = "golden-model";
        spec.revision = "2026-01";
        spec.dims = 4;
    } else if (space == 1) {
        spec.name = "opaque";
        spec.key_form = EDB_KEY_SHA256;
    } else {
        spec.name = "queries";
        spec.dims = 2;
        spec.metric = EDB_L2;
        spec.role = EDB_ROLE_QUERY;
    }
    return spec;
}

int golden_keys(int space)
{
    static const int keys[GOLDEN_SPACES] = {50, 30, 4};
    return keys[space];
}

uint64_t golden_rows(int space)
{
    static const uint64_t rows[GOLDEN_SPACES] = {55, 30, 4};
    return rows[space];
}

uint64_t golden_live(int space)
{
    static const uint64_t live[GOLDEN_SPACES] = {45, 30, 3};
    return live[space];
}

/* ------------------------------------------------------------------------------------- the rule */

static size_t make_key(int key, const void **out)
{
    static char name[16];
    static char long_key[GOLDEN_LONG_KEY];
    *out = name;
    if (key == 0)
        return 0;
    if (key == 1) {
        memset(long_key, 'k', sizeof long_key);
        *out = long_key;
        return sizeof long_key;
    }
    return (size_t)snprintf(name, sizeof name, key == 2 ? "%c\xff key" : "key %02d",
                            key == 2 ? 0 : key);
}

static void make_vector(int space, int key, int version, struct golden_record *out)
{
    float floats[GOLDEN_DIMS_MAX];
    size_t dims = golden_spec(space).dims;
    for (size_t d = 0; d < dims; d++)
        floats[d] = (float)(key + 100 * version) + (float)d / 8;
    out->vector_bytes = 4 * dims;
    memcpy(out->vector, floats, out->vector_bytes);
    if (dims > 0)
        return;
    out->vector_bytes = (size_t)key;
    for (int i = 0; i < key; i++)
        out->vector[i] = (uint8_t)(7 * key + i);
}

/* Version 1 or 2 of a key, wherever it stands. */
static void make_record(int space, int key, int version, struct golden_record *out)
{
    memset(out, 0, sizeof *out);
    out->key_bytes = make_key(key, &out->key);
    make_vector(space, key, version, out);
    out->has_text = key % 4 != 0;
    if (key % 4 > 1)
        snprintf(out->text, sizeof out->text, "text %d.%d", key, version);
    out->pinned = key % 9 == 4;
    out->expiry_s = key % 7 == 3 ? 4000000000u + (uint32_t)key : 0;
    out->cost = key % 6 == 1 ? 10 * (uint32_t)key : 0;
    if (key % 5 == 2)
        out->metadata_json = key % 2 == 0 ? short_json : long_json;
    out->row = version == 2 ? 50 + (uint64_t)key / 10 : (uint64_t)key;
}

static bool is_deleted(int space, int key)
{
    return (space == 0 && key % 10 == 3) || (space == 2 && key == 1);
}

bool golden_record(int space, int key, struct golden_record *out)
{
    make_record(space, key, space == 0 && key % 10 == 5 ? 2 : 1, out);
    return !is_deleted(space, key);
}

const uint8_t *golden_metadata(const char *json, size_t *count_out)
{
    static const uint8_t short_bytes[] = {
        1,                                           /* version */
        8, 14, 0, 0, 0,   1, 0, 0, 0,                /* object, 14 bytes, 1 member */
        1, 0,  0, 0, 'i', 4, 7, 0, 0, 0, 0, 0, 0, 0, /* "i": integer 7 */
    };
    static const uint8_t long_bytes[] = {
        1,                                                                /* version */
        8, 80, 0, 0, 0,   4, 0,    0,    0,                               /* object, 4 members */
        1, 0,  0, 0, 'a', 4, 1,    0,    0,    0,    0,    0,    0,    0, /* "a": integer 1 */
        1, 0,  0, 0, 'b', 7, 10,   0,    0,    0,    4,    0,    0,    0, /* "b": array of 4 */
        3, 2,  1, 6, 2,   0, 0,    0,    0xc3, 0xa9, /* true, false, null, string */
        1, 0,  0, 0, 'c', 5, 0,    0,    0,    0,    0,    0,    0xe0, 0x3f, /* "c": number 0.5 */
        1, 0,  0, 0, 'd', 8, 14,   0,    0,    0,    1,    0,    0,    0,    /* "d": object of 1 */
        1, 0,  0, 0, 'e', 4, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, /* "e": -2 */
    };
    bool is_short = strcmp(json, short_json) == 0;
    *count_out = is_short ? sizeof short_bytes : sizeof long_bytes;
    return is_short ? short_bytes : long_bytes;
}

/* ---------------------------------------------------------------------------------- the writing */

static edb_put_options options_of(const struct golden_record *record)
{
    edb_put_options options = EDB_PUT_OPTIONS_INIT;
    if (record->has_text)
        options.text = record->text;
    options.metadata_json = record->metadata_json;
    options.pinned = record->pinned;
    options.expiry_s = record->expiry_s;
    options.cost = record->cost;
    return options;
}

static edb_status put(edb_space *space, int number, int key, int version)
{
    struct golden_record record;
    make_record(number, key, version, &record);
    edb_put_options options = options_of(&record);
    if (golden_spec(number).dims == 0)
        options.value_bytes = record.vector_bytes;
    return edb_put(space, record.key, record.key_bytes, record.vector, &options);
}

static edb_status txn_put(edb_txn *txn, edb_space *space, int number, int key)
{
    struct golden_record record;
    make_record(number, key, 1, &record);
    edb_put_options options = options_of(&record);
    if (golden_spec(number).dims == 0)
        options.value_bytes = record.vector_bytes;
    return edb_txn_put(txn, space, record.key, record.key_bytes, record.vector, &options);
}

static edb_status delete_key(edb_space *space, int key)
{
    const void *bytes;
    size_t count = make_key(key, &bytes);
    return edb_delete(space, bytes, count);
}

/* Keys of spaces 0 and 1 in one transaction. */
static edb_status put_both(edb *db, edb_space *const spaces[GOLDEN_SPACES], int keys)
{
    edb_txn *txn;
    edb_status status = edb_begin(db, &txn);
    for (int key = 0; key < keys && status == EDB_OK; key++) {
        status = txn_put(txn, spaces[0], 0, key);
        if (status == EDB_OK && key < golden_keys(1))
            status = txn_put(txn, spaces[1], 1, key);
    }
    if (status == EDB_OK)
        return edb_commit(txn, EDB_LAZY);
    edb_abort(txn);
    return status;
}

/* Limits, and uses that they are interested in. */
static edb_status limit_and_use(edb *db, edb_space *const spaces[GOLDEN_SPACES])
{
    edb_limits limits = EDB_LIMITS_INIT;
    limits.dead_percent = 60;
    edb_status status = edb_limits_set(db, NULL, &limits);
    limits = (edb_limits)EDB_LIMITS_INIT;
    limits.max_rows = 1000;
    if (status == EDB_OK)
        status = edb_limits_set(db, spaces[0], &limits);
    limits.ttl_s = 86400;
    limits.eviction = EDB_EVICT_LRU;
    if (status == EDB_OK)
        status = edb_limits_set(db, spaces[1], &limits);
    for (int key = 0; key < GOLDEN_HITS + GOLDEN_MISSES && status == EDB_OK; key++) {
        float vector[GOLDEN_DIMS_MAX];
        const void *bytes;
        size_t count = make_key(key < GOLDEN_HITS ? 30 + key % 2 : 1000 + key, &bytes);
        status = edb_get(spaces[0], bytes, count, vector);
        status = status == EDB_NOT_FOUND ? EDB_OK : status;
    }
    return status;
}

/* Before its rows come, so that their marks are of when they came. */
static edb_status begin_least_recent(edb *db, edb_space *space)
{
    edb_limits limits = EDB_LIMITS_INIT;
    limits.max_rows = 1000;
    limits.eviction = EDB_EVICT_LRU;
    return edb_limits_set(db, space, &limits);
}

static edb_status first_session(edb *db)
{
    edb_space *spaces[GOLDEN_SPACES];
    edb_status status = EDB_OK;
    for (int i = 0; i < 2 && status == EDB_OK; i++) {
        edb_space_spec spec = golden_spec(i);
        status = edb_space_open(db, &spec, &spaces[i]);
    }
    if (status == EDB_OK)
        status = begin_least_recent(db, spaces[1]);
    if (status == EDB_OK)
        status = put_both(db, spaces, 46);
    for (int key = 46; key < golden_keys(0) && status == EDB_OK; key++)
        status = put(spaces[0], 0, key, 1);
    for (int key = 5; key < 30 && status == EDB_OK; key += 10)
        status = put(spaces[0], 0, key, 2);
    for (int key = 3; key < 20 && status == EDB_OK; key += 10)
        status = delete_key(spaces[0], key);
    return status == EDB_OK ? limit_and_use(db, spaces) : status;
}

static edb_status second_session(edb *db)
{
    edb_space *space;
    edb_space *queries;
    edb_space_spec spec = golden_spec(2);
    edb_status status = edb_space_find(db, NULL, &space);
    for (int key = 35; key < 50 && status == EDB_OK; key += 10)
        status = put(space, 0, key, 2);
    for (int key = 23; key < 50 && status == EDB_OK; key += 10)
        status = delete_key(space, key);
    if (status == EDB_OK)
        status = edb_sync(db);
    if (status == EDB_OK)
        status = edb_space_open(db, &spec, &queries);
    for (int key = 0; key < golden_keys(2) && status == EDB_OK; key++)
        status = put(queries, 2, key, 1);
    return status == EDB_OK ? delete_key(queries, 1) : status;
}

edb_status golden_write(const char *path)
{
    edb *db;
    edb_status status = edb_open(path, NULL, &db);
    if (status == EDB_OK)
        status = first_session(db);
    if (status == EDB_OK)
        status = edb_close(db);
    if (status == EDB_OK)
        status = edb_open(path, NULL, &db);
    if (status == EDB_OK)
        status = second_session(db);
    return status == EDB_OK ? edb_close(db) : status;
}

static edb_status put_and_delete(edb *db, int number)
{
    static const uint8_t zeros[4 * GOLDEN_DIMS_MAX];
    edb_space *space;
    edb_status status = edb_space_at(db, (size_t)number, &space);
    if (status == EDB_OK)
        status = edb_put(space, "gone", 4, zeros, NULL);
    return status == EDB_OK ? edb_delete(space, "gone", 4) : status;
}

edb_status golden_write_compacted(const char *path)
{
    edb *db;
    edb_status status = golden_write(path);
    if (status == EDB_OK)
        status = edb_open(path, NULL, &db);
    for (int number = 0; number < GOLDEN_SPACES && status == EDB_OK; number++)
        status = put_and_delete(db, number);
    if (status == EDB_OK)
        status = edb_compact(db, NULL, NULL);
    return status == EDB_OK ? edb_close(db) : status;
}
