/* One commit's worth of keys, vectors, texts and metadata in one piece of memory each. Bounded: 8
 * MiB, or one record where that is larger. */
#include "record_batch.h"

#include <stdlib.h>
#include <string.h>

#include "key_hash.h"
#include "report_error.h"

enum { KEY, TEXT, METADATA, VALUE, PIECES };

static struct batch_piece *piece_of(const struct batch *batch, size_t row, int which);
static int add_piece(struct batch *batch, int which, const char *bytes, size_t count);
static uint32_t *find_slot(const struct batch *batch, const void *key, size_t bytes);

int batch_open(struct batch *batch, size_t dims, size_t rows_wanted)
{
    size_t fitting = dims == 0 ? rows_wanted : BATCH_BYTES_MAX / (dims * sizeof(float));
    size_t rows = fitting < rows_wanted ? fitting : rows_wanted;
    size_t slots = 16;
    memset(batch, 0, sizeof *batch);
    batch->dims = dims;
    batch->rows_max = rows;
    while (slots < rows * 2)
        slots *= 2;
    batch->table_mask = slots - 1;
    batch->memory_capacity = 65536;
    batch->vectors = malloc(rows * dims * sizeof *batch->vectors + 1);
    batch->pieces = malloc(rows * PIECES * sizeof *batch->pieces);
    batch->terms = malloc(rows * sizeof *batch->terms);
    batch->memory = malloc(batch->memory_capacity);
    batch->table = calloc(slots, sizeof *batch->table);
    batch->keys = malloc(rows * sizeof *batch->keys);
    batch->options = malloc(rows * sizeof *batch->options);
    batch->row_numbers = malloc(rows * sizeof *batch->row_numbers);
    int complete = batch->vectors && batch->pieces && batch->terms && batch->memory &&
                   batch->table && batch->keys && batch->options && batch->row_numbers;
    return complete ? CODE_OK : report_no_memory();
}

int batch_is_full(const struct batch *batch)
{
    return batch->rows == batch->rows_max || batch_bytes(batch) >= BATCH_BYTES_MAX;
}

size_t batch_bytes(const struct batch *batch)
{
    return batch->memory_used + batch->rows * batch->dims * sizeof(float);
}

float *batch_next_vector(struct batch *batch)
{
    return batch->vectors + batch->rows * batch->dims;
}

int batch_has_key(const struct batch *batch, const void *key, size_t bytes)
{
    return *find_slot(batch, key, bytes) != 0;
}

int batch_find_row(const struct batch *batch, const void *key, size_t bytes, size_t *row_out)
{
    uint32_t row = *find_slot(batch, key, bytes);
    *row_out = row == 0 ? 0 : row - 1;
    return row != 0;
}

const char *batch_text_of(const struct batch *batch, size_t row, size_t *bytes_out)
{
    const struct batch_piece *text = piece_of(batch, row, TEXT);
    *bytes_out = text->bytes;
    return text->present ? batch->memory + text->at : NULL;
}

int batch_add(struct batch *batch, const struct record *record)
{
    int code = add_piece(batch, KEY, record->key, record->key_bytes);
    if (code == CODE_OK)
        code = add_piece(batch, TEXT, record->text, record->text_bytes);
    if (code == CODE_OK)
        code = add_piece(batch, METADATA, record->metadata, record->metadata_bytes);
    if (code == CODE_OK)
        code = add_piece(batch, VALUE, record->value, record->value_bytes);
    if (code != CODE_OK)
        return code;
    batch->terms[batch->rows] = record->terms;
    *find_slot(batch, record->key, record->key_bytes) = (uint32_t)batch->rows + 1;
    batch->rows++;
    return CODE_OK;
}

void batch_move_row(struct batch *batch, size_t from, size_t to)
{
    memmove(piece_of(batch, to, 0), piece_of(batch, from, 0), PIECES * sizeof *batch->pieces);
    batch->terms[to] = batch->terms[from];
}

void batch_aim(struct batch *batch)
{
    for (size_t row = 0; row < batch->rows; row++) {
        const struct batch_piece *key = piece_of(batch, row, KEY);
        const struct batch_piece *text = piece_of(batch, row, TEXT);
        const struct batch_piece *metadata = piece_of(batch, row, METADATA);
        const struct record_terms *terms = &batch->terms[row];
        edb_put_options options = EDB_PUT_OPTIONS_INIT;
        batch->keys[row].data = batch->memory + key->at;
        batch->keys[row].bytes = key->bytes;
        options.text = text->present ? batch->memory + text->at : NULL;
        options.text_bytes = text->bytes;
        options.metadata_json = metadata->present ? batch->memory + metadata->at : NULL;
        options.metadata_bytes = metadata->bytes;
        options.ttl_s = terms->ttl_s;
        options.expiry_s = terms->expiry_s;
        options.cost = terms->cost;
        options.pinned = terms->pinned;
        batch->options[row] = options;
    }
}

edb_status batch_store_matrix(struct batch *batch, edb_space *space, const float *vectors)
{
    batch_aim(batch);
    return edb_put_many(space, batch->keys, batch->rows, vectors, batch->options,
                        batch->row_numbers);
}

edb_status batch_put(struct batch *batch, edb_txn *txn, edb_space *space)
{
    edb_status status = EDB_OK;
    batch_aim(batch);
    for (size_t row = 0; row < batch->rows && status == EDB_OK; row++) {
        const struct batch_piece *value = piece_of(batch, row, VALUE);
        const void *vector = batch->vectors + row * batch->dims;
        if (batch->dims == 0) {
            vector = batch->memory + value->at;
            batch->options[row].value_bytes = value->bytes;
        }
        status = edb_txn_put(txn, space, batch->keys[row].data, batch->keys[row].bytes, vector,
                             &batch->options[row]);
    }
    return status;
}

void batch_clear(struct batch *batch)
{
    batch->rows = 0;
    batch->memory_used = 0;
    memset(batch->table, 0, (batch->table_mask + 1) * sizeof *batch->table);
}

void batch_close(struct batch *batch)
{
    free(batch->vectors);
    free(batch->pieces);
    free(batch->terms);
    free(batch->memory);
    free(batch->table);
    free(batch->keys);
    free(batch->options);
    free(batch->row_numbers);
    memset(batch, 0, sizeof *batch);
}

static struct batch_piece *piece_of(const struct batch *batch, size_t row, int which)
{
    return &batch->pieces[row * PIECES + (size_t)which];
}

/* Each piece has a NUL behind it: an empty text is told from none. */
static int add_piece(struct batch *batch, int which, const char *bytes, size_t count)
{
    struct batch_piece *piece = piece_of(batch, batch->rows, which);
    if (batch->memory_capacity - batch->memory_used <= count) {
        size_t capacity = batch->memory_capacity;
        while (capacity - batch->memory_used <= count)
            capacity *= 2;
        char *grown = realloc(batch->memory, capacity);
        if (grown == NULL)
            return report_no_memory();
        batch->memory = grown;
        batch->memory_capacity = capacity;
    }
    piece->at = batch->memory_used;
    piece->bytes = count;
    piece->present = bytes != NULL;
    if (count > 0)
        memcpy(batch->memory + piece->at, bytes, count);
    batch->memory[piece->at + count] = '\0';
    batch->memory_used += count + 1;
    return CODE_OK;
}

/* The slot of the key, or the empty slot where it would go. */
static uint32_t *find_slot(const struct batch *batch, const void *key, size_t bytes)
{
    size_t slot = (size_t)key_hash(key, bytes) & batch->table_mask;
    while (batch->table[slot] != 0) {
        const struct batch_piece *piece = piece_of(batch, batch->table[slot] - 1, KEY);
        if (piece->bytes == bytes &&
            (bytes == 0 || memcmp(batch->memory + piece->at, key, bytes) == 0))
            break;
        slot = (slot + 1) & batch->table_mask;
    }
    return &batch->table[slot];
}
