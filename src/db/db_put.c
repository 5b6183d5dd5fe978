/* edb_put and edb_put_many.
 *
 *   1 db_check_put      arguments against the space: finite vector, lengths, metadata encoded
 *   2 db_commit         write lock, plan, lay out
 *   3 store_append      write                                   <- the commit point is there
 *   4 db_apply          keys_insert, rows_add: by the walk
 *   5 store_sync        when durable */
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "codec/codec_metadata.h"
#include "codec/codec_vector.h"
#include "db/db.h"

static edb_status check_vector(const edb_space *space, const void *vector,
                               const edb_put_options *options, size_t *bytes_out)
{
    uint32_t dims = space->spec.dims;
    if (dims == 0) {
        *bytes_out = options->value_bytes;
        if (*bytes_out > EDB_VALUE_BYTES_MAX)
            return fail(EDB_INVALID, "a value of %zu bytes; at most %u are possible", *bytes_out,
                        EDB_VALUE_BYTES_MAX);
        if (vector == NULL && *bytes_out > 0)
            return fail(EDB_INVALID, "the value is NULL");
        return EDB_OK;
    }
    *bytes_out = codec_vector_bytes(space->spec.element, dims);
    if (vector == NULL)
        return fail(EDB_INVALID, "the vector is NULL");
    size_t bad = codec_vector_first_bad(vector, dims);
    if (bad < dims)
        return fail(EDB_INVALID, "element %zu of the vector is NaN or infinite", bad);
    if (options->value_bytes != 0 && options->value_bytes != *bytes_out)
        return fail(EDB_INVALID,
                    "a vector of %zu bytes for space '%s' of %u dimensions (%zu bytes)",
                    options->value_bytes, space->spec.name, dims, *bytes_out);
    return EDB_OK;
}

static edb_status check_text(const edb_put_options *options, struct db_change *out)
{
    if (options->text == NULL) {
        if (options->text_bytes > 0)
            return fail(EDB_INVALID, "text_bytes is %zu but text is NULL", options->text_bytes);
        return EDB_OK;
    }
    out->has_text = true;
    out->text = options->text;
    out->text_bytes = options->text_bytes > 0 ? options->text_bytes : strlen(options->text);
    if (out->text_bytes > EDB_TEXT_BYTES_MAX)
        return fail(EDB_INVALID, "a text of %zu bytes; at most %u are possible", out->text_bytes,
                    EDB_TEXT_BYTES_MAX);
    return EDB_OK;
}

static edb_status check_metadata(const edb_put_options *options, struct buffer *encoded,
                                 struct db_change *out)
{
    if (options->metadata_json == NULL) {
        if (options->metadata_bytes > 0)
            return fail(EDB_INVALID, "metadata_bytes is %zu but metadata_json is NULL",
                        options->metadata_bytes);
        return EDB_OK;
    }
    size_t bytes =
        options->metadata_bytes > 0 ? options->metadata_bytes : strlen(options->metadata_json);
    if (bytes > EDB_METADATA_BYTES_MAX)
        return fail(EDB_INVALID, "metadata of %zu bytes; at most %u are possible", bytes,
                    EDB_METADATA_BYTES_MAX);
    size_t before = encoded->count;
    edb_status status = codec_metadata_encode(options->metadata_json, bytes, encoded);
    out->metadata_at = before;
    out->metadata_bytes = encoded->count - before;
    return status;
}

static edb_status check_times(const edb_put_options *options, struct db_change *out)
{
    if (options->ttl_s != 0 && options->expiry_s != 0)
        return fail(EDB_INVALID, "ttl_s is %u and expiry_s is %u: give one of them", options->ttl_s,
                    options->expiry_s);
    out->ttl_s = options->ttl_s;
    out->expiry_s = options->expiry_s;
    out->cost = options->cost;
    out->pinned = options->pinned != 0;
    return EDB_OK;
}

edb_status db_check_put(edb_space *space, const edb_key *key, const void *vector,
                        const edb_put_options *given, struct buffer *encoded, struct db_change *out)
{
    edb_put_options options;
    *out = (struct db_change){.space = space, .operation = RECORD_PUT, .vector = vector};
    if (key->data == NULL && key->bytes > 0)
        return fail(EDB_INVALID, "the key is NULL but has %zu bytes", key->bytes);
    edb_status status = db_struct_read(&db_struct_put_options, given, &options);
    if (status == EDB_OK)
        status = check_vector(space, vector, &options, &out->vector_bytes);
    if (status == EDB_OK)
        status = check_times(&options, out);
    if (status == EDB_OK)
        status = check_text(&options, out);
    if (status == EDB_OK)
        status = check_metadata(&options, encoded, out);
    if (status == EDB_OK)
        status = db_make_key(space, key->data, key->bytes, &out->key);
    return status;
}

/* Entry i of the caller's array, whose structs may be longer than ours. */
static const edb_put_options *options_at(const edb_put_options *options, size_t i)
{
    if (options == NULL)
        return NULL;
    size_t stride = db_struct_bytes(&db_struct_put_options, options);
    return (const edb_put_options *)(const void *)((const uint8_t *)options + i * stride);
}

size_t db_change_bytes(const struct db_change *change)
{
    return change->key.count + change->text_bytes + change->metadata_bytes + change->vector_bytes +
           RECORD_BYTES;
}

/* Says which row of a batch the sentence is about. */
static edb_status at_row(edb_status status, size_t row, size_t n)
{
    return n == 1 ? status : fail(status, "row %zu of the batch: %s", row, edb_error_detail());
}

/* What edb_put_many was given, and what becomes of it. */
struct batch {
    edb_space *space;
    const edb_key *keys;
    size_t n;
    const uint8_t *vectors;
    const edb_put_options *options;
    struct buffer encoded; /* metadata of all rows */
    struct db_change *changes;
};

static edb_status fill_changes(struct batch *batch)
{
    const uint8_t *vector = batch->vectors;
    size_t total = 0;
    for (size_t i = 0; i < batch->n; i++) {
        struct db_change *change = &batch->changes[i];
        edb_status status = db_check_put(batch->space, &batch->keys[i], vector,
                                         options_at(batch->options, i), &batch->encoded, change);
        if (status != EDB_OK)
            return at_row(status, i, batch->n);
        vector += change->vector_bytes;
        total += db_change_bytes(change);
        if (total > EDB_TXN_BYTES_MAX)
            return fail(EDB_INVALID, "row %zu of the batch goes past %u bytes: use smaller batches",
                        i, EDB_TXN_BYTES_MAX);
    }
    for (size_t i = 0; i < batch->n; i++)
        if (batch->changes[i].metadata_bytes > 0)
            batch->changes[i].metadata = batch->encoded.bytes + batch->changes[i].metadata_at;
    return EDB_OK;
}

static edb_status check_batch(const struct batch *batch)
{
    bool missing = batch->n > 0 && (batch->keys == NULL || batch->vectors == NULL);
    if (batch->space == NULL || missing)
        return fail(EDB_INVALID, "edb_put_many: an argument is NULL");
    if (batch->n > EDB_TXN_BYTES_MAX / RECORD_BYTES)
        return fail(EDB_INVALID, "a batch of %zu rows goes past %u bytes: use smaller batches",
                    batch->n, EDB_TXN_BYTES_MAX);
    return EDB_OK;
}

edb_status edb_put_many(edb_space *space, const edb_key *keys, size_t n, const void *vectors,
                        const edb_put_options *options, uint64_t *rows_out)
{
    struct batch batch = {space, keys, n, vectors, options, {0}, NULL};
    if (rows_out != NULL)
        memset(rows_out, 0xff, n * sizeof *rows_out);
    edb_status status = check_batch(&batch);
    if (status == EDB_OK)
        status = db_check_may_write(space->db);
    if (status != EDB_OK || n == 0)
        return status;
    buffer_open(&batch.encoded, EDB_TXN_BYTES_MAX);
    batch.changes = memory_zeroed(n, sizeof *batch.changes);
    status = batch.changes != NULL ? EDB_OK : memory_failed(n * sizeof *batch.changes);
    if (status == EDB_OK)
        status = fill_changes(&batch);
    if (status == EDB_OK)
        status = db_commit(space->db, batch.changes, n, EDB_DEFAULT);
    for (size_t i = 0; i < n && status == EDB_OK && rows_out != NULL; i++)
        rows_out[i] = batch.changes[i].row;
    memory_free(batch.changes);
    buffer_close(&batch.encoded);
    return status;
}

edb_status edb_put(edb_space *space, const void *key, size_t key_bytes, const void *vector,
                   const edb_put_options *options)
{
    if (space == NULL)
        return fail(EDB_INVALID, "edb_put: the space is NULL");
    struct buffer encoded;
    struct db_change change;
    edb_key one = {key, key_bytes};
    buffer_open(&encoded, CODEC_METADATA_ENCODED_MAX);
    edb_status status = db_check_put(space, &one, vector, options, &encoded, &change);
    change.metadata = encoded.bytes;
    if (status == EDB_OK)
        status = db_commit(space->db, &change, 1, EDB_DEFAULT);
    buffer_close(&encoded);
    return status;
}
