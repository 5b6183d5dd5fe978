/* Random operations against a reference map: puts, overwrites, deletes, batches, transactions,
 * reads of every kind, through two handles on one file, with closing, opening and compacting in
 * between. The reference is an array; after each step what the library says must be what the array
 * says.
 *
 *   random_operations [operations]     EDB_SEED gives the seed, which is printed
 *
 * Invariants 23 and 30 of docs/format.md: every view is a prefix, every key is compared in full. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/random.h"
#include "embedcache.h"

enum {
    OPERATIONS = 100000,
    KEYS = 3000,
    SPACES = 3,
    DIMS_MAX = 40,
    BATCH_MAX = 64,
    KEY_BYTES_MAX = 400,
};

/* What the reference knows of a key: 0 when it is not there. */
struct cell {
    uint32_t version;
    uint64_t row;
};

struct model {
    struct random_source random;
    char path[256];
    edb *db[2];
    edb_space *space[2][SPACES];
    struct cell cells[SPACES][KEYS];
    uint64_t rows[SPACES];
    uint64_t live[SPACES];
    uint32_t clock;
    uint64_t counts[12];
};

static const uint32_t dims_of[SPACES] = {7, DIMS_MAX, 0};
static const uint32_t form_of[SPACES] = {EDB_KEY_BYTES, EDB_KEY_SHA256, EDB_KEY_BYTES};

static uint32_t below(struct model *m, uint32_t limit)
{
    return (uint32_t)random_below(&m->random, limit);
}

static void expect(struct model *m, int truth, const char *what)
{
    if (truth)
        return;
    fprintf(stderr, "operation %u: %s (%s)\n", m->clock, what, edb_error_detail());
    exit(1);
}

/* Keys that are easy to mix up: empty, prefixes of each other, separators, NULs, and some long
 * ones. */
static size_t make_key(uint32_t k, char *key)
{
    if (k == 0)
        return 0;
    size_t bytes =
        (size_t)snprintf(key, KEY_BYTES_MAX, "key%s%u", k % 3 == 0 ? "\x01" : ":", k / 2);
    if (k % 2 == 1)
        key[bytes++] = '\0';
    if (k % 50 == 7) {
        memset(key + bytes, (int)(k % 256), 300);
        bytes += 300;
    }
    return bytes;
}

/* The bytes that a version of a key has: floats that are all finite. */
static size_t make_value(uint32_t s, uint32_t k, uint32_t version, float *value)
{
    struct random_source source = {((uint64_t)s << 56) ^ ((uint64_t)k << 32) ^ version};
    uint32_t count = dims_of[s] > 0 ? dims_of[s] : version % DIMS_MAX;
    for (uint32_t i = 0; i < count; i++)
        value[i] = random_signed(&source);
    return 4 * (size_t)count;
}

static const char *make_text(uint32_t version, char text[32])
{
    snprintf(text, 32, "version %u", version);
    return version % 3 == 0 ? text : NULL;
}

static void open_handle(struct model *m, int h)
{
    edb_status status = edb_open(m->path, NULL, &m->db[h]);
    expect(m, status == EDB_OK, "open");
    for (int s = 0; s < SPACES; s++) {
        char name[16];
        snprintf(name, sizeof name, "space %d", s);
        edb_space_spec spec = EDB_SPACE_SPEC_INIT;
        spec.name = name;
        spec.dims = dims_of[s];
        spec.key_form = form_of[s];
        status = edb_space_open(m->db[h], &spec, &m->space[h][s]);
        expect(m, status == EDB_OK, "open a space");
    }
}

static void note_put(struct model *m, uint32_t s, uint32_t k)
{
    struct cell *cell = &m->cells[s][k];
    m->live[s] += cell->version == 0;
    cell->version = m->clock;
    cell->row = m->rows[s]++;
}

static void note_delete(struct model *m, uint32_t s, uint32_t k)
{
    m->live[s] -= m->cells[s][k].version != 0;
    m->cells[s][k].version = 0;
}

static void put_one(struct model *m, int h, uint32_t s, uint32_t k)
{
    char key[KEY_BYTES_MAX];
    char text[32];
    float value[DIMS_MAX];
    edb_put_options options = EDB_PUT_OPTIONS_INIT;
    size_t bytes = make_value(s, k, m->clock, value);
    options.text = make_text(m->clock, text);
    options.value_bytes = dims_of[s] == 0 ? bytes : 0;
    expect(m, edb_put(m->space[h][s], key, make_key(k, key), value, &options) == EDB_OK, "put");
    note_put(m, s, k);
}

static void put_batch(struct model *m, int h, uint32_t s)
{
    static char keys[BATCH_MAX][KEY_BYTES_MAX];
    static float values[BATCH_MAX * DIMS_MAX];
    edb_key given[BATCH_MAX];
    edb_put_options options[BATCH_MAX];
    char texts[BATCH_MAX][32];
    uint64_t rows[BATCH_MAX];
    uint32_t n = 1 + below(m, BATCH_MAX);
    size_t used = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t k = below(m, KEYS);
        size_t bytes = make_value(s, k, m->clock, values + used);
        options[i] = (edb_put_options)EDB_PUT_OPTIONS_INIT;
        options[i].text = make_text(m->clock, texts[i]);
        options[i].value_bytes = dims_of[s] == 0 ? bytes : 0;
        given[i] = (edb_key){keys[i], make_key(k, keys[i])};
        used += bytes / 4;
        note_put(m, s, k);
    }
    expect(m, edb_put_many(m->space[h][s], given, n, values, options, rows) == EDB_OK, "put_many");
    for (uint32_t i = 0; i < n; i++)
        expect(m, rows[i] == m->rows[s] - n + i, "rows of a batch follow each other");
}

static void delete_one(struct model *m, int h, uint32_t s, uint32_t k)
{
    char key[KEY_BYTES_MAX];
    edb_status status = edb_delete(m->space[h][s], key, make_key(k, key));
    expect(m, status == (m->cells[s][k].version ? EDB_OK : EDB_NOT_FOUND), "delete");
    note_delete(m, s, k);
}

static void transact(struct model *m, int h)
{
    edb_txn *txn;
    struct model *before = malloc(sizeof *before);
    int commit = below(m, 4) > 0;
    *before = *m;
    expect(m, edb_begin(m->db[h], &txn) == EDB_OK, "begin");
    for (uint32_t i = below(m, 20); i > 0; i--) {
        char key[KEY_BYTES_MAX];
        float value[DIMS_MAX];
        uint32_t s = below(m, SPACES);
        uint32_t k = below(m, KEYS);
        size_t key_bytes = make_key(k, key);
        edb_put_options options = EDB_PUT_OPTIONS_INIT;
        if (below(m, 4) == 0) {
            expect(m, edb_txn_delete(txn, m->space[h][s], key, key_bytes) == EDB_OK, "txn delete");
            note_delete(m, s, k);
            continue;
        }
        char text[32];
        size_t bytes = make_value(s, k, m->clock, value);
        options.text = make_text(m->clock, text);
        options.value_bytes = dims_of[s] == 0 ? bytes : 0;
        expect(m, edb_txn_put(txn, m->space[h][s], key, key_bytes, value, &options) == EDB_OK,
               "txn put");
        note_put(m, s, k);
    }
    if (commit) {
        expect(m, edb_commit(txn, below(m, 8) == 0 ? EDB_DURABLE : EDB_LAZY) == EDB_OK, "commit");
    } else {
        struct random_source random = m->random;
        edb_abort(txn);
        *m = *before;
        m->random = random;
    }
    free(before);
}

static void check_view(struct model *m, uint32_t s, uint32_t k, const edb_view *view)
{
    float value[DIMS_MAX];
    char text[32];
    uint32_t version = m->cells[s][k].version;
    size_t bytes = make_value(s, k, version, value);
    const char *expected = make_text(version, text);
    expect(m, view->row == m->cells[s][k].row, "row");
    expect(m,
           view->vector_bytes == bytes && (bytes == 0 || memcmp(view->vector, value, bytes) == 0),
           "value");
    expect(m, (view->has_text != 0) == (expected != NULL), "text or none");
    expect(m, expected == NULL || strcmp(view->text, expected) == 0, "text");
}

static void read_one(struct model *m, int h, uint32_t s, uint32_t k)
{
    char key[KEY_BYTES_MAX];
    edb_view view;
    size_t key_bytes = make_key(k, key);
    int there = m->cells[s][k].version != 0;
    edb_status wanted = there ? EDB_OK : EDB_NOT_FOUND;
    expect(m, edb_contains(m->space[h][s], key, key_bytes) == wanted, "contains");
    expect(m, edb_view_key(m->space[h][s], key, key_bytes, &view) == wanted, "view by key");
    if (!there)
        return;
    check_view(m, s, k, &view);
    edb_view_release(&view);
    expect(m, edb_view_row(m->space[h][s], m->cells[s][k].row, &view) == EDB_OK, "view by row");
    check_view(m, s, k, &view);
    edb_view_release(&view);
}

static void read_many(struct model *m, int h, uint32_t s)
{
    static char keys[BATCH_MAX][KEY_BYTES_MAX];
    static float matrix[BATCH_MAX * DIMS_MAX];
    edb_key given[BATCH_MAX];
    uint32_t chosen[BATCH_MAX];
    uint8_t found[BATCH_MAX];
    float value[DIMS_MAX];
    uint32_t n = 1 + below(m, BATCH_MAX);
    if (dims_of[s] == 0)
        return;
    for (uint32_t i = 0; i < n; i++) {
        chosen[i] = below(m, KEYS);
        given[i] = (edb_key){keys[i], make_key(chosen[i], keys[i])};
    }
    expect(m, edb_get_many(m->space[h][s], given, n, matrix, found) == EDB_OK, "get_many");
    for (uint32_t i = 0; i < n; i++) {
        uint32_t version = m->cells[s][chosen[i]].version;
        memset(value, 0, sizeof value);
        if (version != 0)
            make_value(s, chosen[i], version, value);
        expect(m, found[i] == (version != 0), "found");
        expect(m, memcmp(matrix + i * dims_of[s], value, 4 * dims_of[s]) == 0, "matrix");
    }
}

/* Everything: by iteration, by key, by count. */
static void check_all(struct model *m, int h)
{
    for (uint32_t s = 0; s < SPACES; s++) {
        edb_iterator *iterator;
        edb_view view;
        edb_space_stats stats = {0};
        uint64_t seen = 0;
        uint64_t last = 0;
        expect(m, edb_space_stats_get(m->space[h][s], &stats) == EDB_OK, "stats");
        expect(m, stats.rows == m->rows[s] && stats.live == m->live[s], "counts of a space");
        expect(m, edb_iterate(m->space[h][s], &iterator) == EDB_OK, "iterate");
        while (edb_next(iterator, &view) == EDB_OK) {
            expect(m, seen == 0 || view.row > last, "iteration goes up");
            last = view.row;
            seen++;
            edb_view_release(&view);
        }
        edb_iterator_close(iterator);
        expect(m, seen == m->live[s], "iteration sees every live record");
        for (uint32_t k = 0; k < KEYS; k++)
            read_one(m, h, s, k);
    }
}

static void close_and_open(struct model *m, int h)
{
    expect(m, edb_close(m->db[h]) == EDB_OK, "close");
    open_handle(m, h);
}

static void verify(struct model *m, int h)
{
    expect(m, edb_verify(m->db[h], NULL, NULL, NULL) == EDB_OK, "verify");
}

/* The other handle follows by itself. */
static void compact(struct model *m, int h)
{
    expect(m, edb_compact(m->db[h], NULL, NULL) == EDB_OK, "compact");
}

static void step(struct model *m)
{
    int h = (int)below(m, 2);
    uint32_t s = below(m, SPACES);
    uint32_t k = below(m, KEYS);
    uint32_t dice = below(m, 10000);
    m->clock++;
    if (dice < 3)
        check_all(m, h);
    else if (dice < 10)
        verify(m, h);
    else if (dice < 20)
        compact(m, h);
    else if (dice < 60)
        close_and_open(m, h);
    else if (dice < 500)
        put_batch(m, h, s);
    else if (dice < 900)
        transact(m, h);
    else if (dice < 3000)
        put_one(m, h, s, k);
    else if (dice < 4000)
        delete_one(m, h, s, k);
    else if (dice < 4500)
        read_many(m, h, s);
    else
        read_one(m, h, s, k);
}

int main(int argc, char **argv)
{
    static struct model m;
    const char *given = getenv("EDB_SEED");
    const char *folder = getenv("TMPDIR");
    uint32_t operations = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : OPERATIONS;
    m.random.state = given ? strtoull(given, NULL, 10) : 20261120;
    printf("seed %llu (EDB_SEED), %u operations\n", (unsigned long long)m.random.state, operations);
    snprintf(m.path, sizeof m.path, "%s/edb-model-%d.edb", folder ? folder : "/tmp", (int)getpid());
    open_handle(&m, 0);
    open_handle(&m, 1);
    while (m.clock < operations)
        step(&m);
    check_all(&m, 0);
    check_all(&m, 1);
    verify(&m, 0);
    printf("%llu rows were given, %llu are live: as in the reference\n",
           (unsigned long long)(m.rows[0] + m.rows[1] + m.rows[2]),
           (unsigned long long)(m.live[0] + m.live[1] + m.live[2]));
    expect(&m, edb_close(m.db[0]) == EDB_OK && edb_close(m.db[1]) == EDB_OK, "last close");
    unlink(m.path);
    return 0;
}
