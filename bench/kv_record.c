/* Making the records of the key-value benchmark. A row's key begins with 16 hexadecimal digits that
 * no other row has; letters and blanks follow up to the row's length. */
#include "kv_record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { UNIQUE_BYTES = 16 };

/* splitmix64 (Steele, Lea, Flood 2014): a bijection, so different rows give different numbers. */
static uint64_t mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static uint64_t key_seed(const struct kv_shape *shape, uint64_t row)
{
    return mix(shape->seed + row);
}

static uint32_t key_length(const struct kv_shape *shape, uint64_t row)
{
    uint32_t spread = shape->key_bytes_max - shape->key_bytes_min + 1;
    return shape->key_bytes_min + (uint32_t)(mix(key_seed(shape, row)) % spread);
}

static size_t write_key(const struct kv_shape *shape, uint64_t row, char *out)
{
    static const char digits[] = "0123456789abcdef";
    static const char letters[] =
        "etaoinshrdlucmfwypvbgkjqxz etaoin etaoin shrdlu cmfwyp eeeaaatttt";
    uint32_t length = key_length(shape, row);
    uint64_t unique = key_seed(shape, row);
    for (uint32_t i = 0; i < UNIQUE_BYTES; i++)
        out[i] = digits[(unique >> (4 * i)) & 15];
    uint64_t random = unique;
    for (uint32_t i = UNIQUE_BYTES; i < length; i++) {
        if (i % 8 == 0)
            random = mix(random);
        out[i] = letters[(random >> (8 * (i % 8))) & 63];
    }
    return length;
}

/* Noise in [-1, 1) with all 24 bits of a float32 in use. */
static float element(uint32_t random)
{
    return (float)((int32_t)random >> 8) * (1.0f / 8388608.0f);
}

static void write_vector(const struct kv_shape *shape, uint64_t row, float *out)
{
    uint64_t state = mix(~key_seed(shape, row)) | 1;
    for (uint32_t i = 0; i < shape->dims; i += 2) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        out[i] = element((uint32_t)state);
        if (i + 1 < shape->dims)
            out[i + 1] = element((uint32_t)(state >> 32));
    }
}

float kv_record_first(const struct kv_shape *shape, uint64_t row)
{
    struct kv_shape narrow = *shape;
    narrow.dims = 1;
    float first;
    write_vector(&narrow, row, &first);
    return first;
}

bool kv_record_matches(const struct kv_shape *shape, uint64_t row, const float *vector)
{
    static float expected[EDB_DIMS_MAX];
    write_vector(shape, row, expected);
    return memcmp(expected, vector, shape->dims * sizeof *vector) == 0;
}

uint64_t kv_record_raw_bytes(const struct kv_shape *shape, uint64_t rows)
{
    uint64_t bytes = rows * shape->dims * sizeof(float);
    for (uint64_t row = 0; row < rows; row++)
        bytes += key_length(shape, row);
    return bytes;
}

static void *allocate(size_t count, size_t bytes)
{
    void *memory = calloc(count > 0 ? count : 1, bytes);
    if (memory == NULL) {
        fprintf(stderr, "bench_kv: no memory for %zu x %zu bytes\n", count, bytes);
        exit(1);
    }
    return memory;
}

void kv_batch_open(struct kv_batch *batch, const struct kv_shape *shape, size_t capacity,
                   bool with_vectors)
{
    *batch = (struct kv_batch){.shape = *shape, .capacity = capacity};
    batch->keys = allocate(capacity, sizeof *batch->keys);
    batch->rows = allocate(capacity, sizeof *batch->rows);
    batch->text = allocate(capacity, shape->key_bytes_max);
    if (with_vectors)
        batch->vectors = allocate(capacity, shape->dims * sizeof(float));
}

void kv_batch_close(struct kv_batch *batch)
{
    free(batch->keys);
    free(batch->rows);
    free(batch->text);
    free(batch->vectors);
    *batch = (struct kv_batch){.count = 0};
}

static void fill(struct kv_batch *batch, size_t count)
{
    char *text = batch->text;
    for (size_t i = 0; i < count; i++) {
        size_t bytes = write_key(&batch->shape, batch->rows[i], text);
        batch->keys[i] = (edb_key){text, bytes};
        text += bytes;
        if (batch->vectors != NULL)
            write_vector(&batch->shape, batch->rows[i], batch->vectors + i * batch->shape.dims);
    }
    batch->count = count;
}

void kv_batch_fill_range(struct kv_batch *batch, uint64_t first, size_t count)
{
    for (size_t i = 0; i < count; i++)
        batch->rows[i] = first + i;
    fill(batch, count);
}

void kv_batch_fill_random(struct kv_batch *batch, uint64_t rows, size_t count, uint64_t draw)
{
    for (size_t i = 0; i < count; i++)
        batch->rows[i] = mix(batch->shape.seed ^ mix(draw + 1) ^ (i << 32)) % rows;
    fill(batch, count);
}
