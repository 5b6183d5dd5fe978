/* Transactions: changes gathered in memory, committed in one go. They hold no lock before the
 * commit, so a slow program blocks nobody; the price is the limit on their size.
 *
 *   edb_txn_put, edb_txn_delete   check, copy into the transaction's own memory
 *   edb_commit                    db_commit */
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "codec/codec_metadata.h"
#include "db/db.h"

enum { CHUNK_BYTES = 1 << 20 };

/* Memory that is only ever given back as a whole. Vectors have one of their own, so that they stay
 * neighbours and go into the file as one piece. */
struct chunk {
    struct chunk *before;
    size_t used;
    size_t capacity;
    uint8_t *bytes;
};

struct edb_txn {
    edb *db;
    struct db_change *changes;
    size_t count;
    size_t capacity;
    size_t bytes;
    struct chunk *heap;
    struct chunk *vectors;
};

static edb_status add_chunk(struct chunk **chunks, size_t bytes)
{
    size_t capacity = bytes > CHUNK_BYTES ? bytes : CHUNK_BYTES;
    struct chunk *chunk = memory_zeroed(1, sizeof *chunk);
    uint8_t *memory = chunk != NULL ? memory_aligned(capacity) : NULL;
    if (memory == NULL) {
        memory_free(chunk);
        return memory_failed(capacity);
    }
    *chunk = (struct chunk){*chunks, 0, capacity, memory};
    *chunks = chunk;
    return EDB_OK;
}

/* A copy that lives as long as the transaction; NULL when there is no memory. */
static const void *keep(struct chunk **chunks, const void *bytes, size_t count)
{
    if (*chunks == NULL || (*chunks)->capacity - (*chunks)->used < count)
        if (add_chunk(chunks, count) != EDB_OK)
            return NULL;
    uint8_t *at = (*chunks)->bytes + (*chunks)->used;
    if (count > 0)
        memcpy(at, bytes, count);
    (*chunks)->used += count;
    return at;
}

static void free_chunks(struct chunk *chunk)
{
    while (chunk != NULL) {
        struct chunk *before = chunk->before;
        memory_free(chunk->bytes);
        memory_free(chunk);
        chunk = before;
    }
}

edb_status edb_begin(edb *db, edb_txn **txn_out)
{
    if (txn_out != NULL)
        *txn_out = NULL;
    if (db == NULL || txn_out == NULL)
        return fail(EDB_INVALID, "edb_begin: an argument is NULL");
    edb_status status = db_check_may_write(db);
    if (status != EDB_OK)
        return status;
    edb_txn *txn = memory_zeroed(1, sizeof *txn);
    if (txn == NULL)
        return memory_failed(sizeof *txn);
    txn->db = db;
    *txn_out = txn;
    return EDB_OK;
}

/* Replaces the caller's pointers by copies. */
static edb_status keep_change(edb_txn *txn, struct db_change *change)
{
    if (change->key.bytes != NULL)
        change->key.bytes = keep(&txn->heap, change->key.bytes, change->key.count);
    bool kept = change->key.bytes != NULL || change->key.form != EDB_KEY_BYTES;
    if (kept && change->has_text)
        kept = (change->text = keep(&txn->heap, change->text, change->text_bytes)) != NULL;
    if (kept && change->metadata_bytes > 0)
        kept =
            (change->metadata = keep(&txn->heap, change->metadata, change->metadata_bytes)) != NULL;
    if (kept && change->operation == RECORD_PUT)
        kept = (change->vector = keep(&txn->vectors, change->vector, change->vector_bytes)) != NULL;
    return kept ? EDB_OK : EDB_NO_MEMORY;
}

static edb_status add_change(edb_txn *txn, struct db_change *change)
{
    size_t bytes = db_change_bytes(change);
    if (bytes > EDB_TXN_BYTES_MAX - txn->bytes)
        return fail(EDB_INVALID, "the transaction goes past %u bytes: commit it before adding more",
                    EDB_TXN_BYTES_MAX);
    edb_status status =
        memory_reserve(&txn->changes, &txn->capacity, txn->count + 1, sizeof *txn->changes);
    if (status == EDB_OK)
        status = keep_change(txn, change);
    if (status != EDB_OK)
        return status;
    txn->bytes += bytes;
    txn->changes[txn->count++] = *change;
    return EDB_OK;
}

static edb_status check_belongs(const edb_txn *txn, const edb_space *space)
{
    if (txn == NULL || space == NULL)
        return fail(EDB_INVALID, "the transaction or the space is NULL");
    if (space->db != txn->db)
        return fail(EDB_INVALID, "space '%s' belongs to another handle than the transaction",
                    space->spec.name);
    return db_check_fork(txn->db);
}

edb_status edb_txn_put(edb_txn *txn, edb_space *space, const void *key, size_t key_bytes,
                       const void *vector, const edb_put_options *options)
{
    edb_status status = check_belongs(txn, space);
    if (status != EDB_OK)
        return status;
    struct buffer encoded;
    struct db_change change;
    edb_key one = {key, key_bytes};
    buffer_open(&encoded, CODEC_METADATA_ENCODED_MAX);
    status = db_check_put(space, &one, vector, options, &encoded, &change);
    change.metadata = encoded.bytes;
    if (status == EDB_OK)
        status = add_change(txn, &change);
    buffer_close(&encoded);
    return status;
}

edb_status edb_txn_delete(edb_txn *txn, edb_space *space, const void *key, size_t key_bytes)
{
    edb_status status = check_belongs(txn, space);
    if (status != EDB_OK)
        return status;
    if (key == NULL && key_bytes > 0)
        return fail(EDB_INVALID, "the key is NULL but has %zu bytes", key_bytes);
    struct db_change change = {.space = space, .operation = RECORD_DELETE};
    status = db_make_key(space, key, key_bytes, &change.key);
    return status == EDB_OK ? add_change(txn, &change) : status;
}

edb_status edb_commit(edb_txn *txn, edb_durability durability)
{
    if (txn == NULL)
        return fail(EDB_INVALID, "edb_commit: the transaction is NULL");
    edb_status status = EDB_OK;
    if (durability > EDB_DURABLE)
        status = fail(EDB_INVALID, "edb_commit: durability %u is not known", (unsigned)durability);
    else
        status = db_commit(txn->db, txn->changes, txn->count, durability);
    edb_abort(txn);
    return status;
}

void edb_abort(edb_txn *txn)
{
    if (txn == NULL)
        return;
    free_chunks(txn->heap);
    free_chunks(txn->vectors);
    memory_free(txn->changes);
    memory_free(txn);
}
