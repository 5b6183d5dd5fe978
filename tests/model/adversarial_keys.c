/* Keys that are made to be taken for each other, against a reference: separators that shift,
 * prefixes, NULs, binary, look-alikes, the longest that are stored as they are and longer ones, and
 * the very digests of other keys; the same ones in spaces of every key form. Put, overwritten and
 * deleted in every way, across compaction and reopening; after each round every key is asked for,
 * in every way, and beside it keys that were never put. No answer may be wrong (30).
 *
 *   adversarial_keys [keys]     EDB_SEED gives the seed, which is printed
 *
 * Built once more with a hash of keys that has one bit (EDB_ONE_BIT_HASH): then each key collides
 * with half of all others, in the tail and in the sections. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/random.h"
#include "codec/codec_digest.h"
#include "embedcache.h"
#include "format/record.h"

enum {
    KEYS = 150000, /* of which a third comes twice */
    ROUNDS = 3,
    SPACES = 4,
    DIMS = 3,
    BATCH = 128,
    LONG_KEYS = 12,
    KEY_BYTES_USUAL = 1024,
    KEY_BYTES_ROOM = EDB_KEY_BYTES_MAX + 2,
};

/* One key, in the reference's memory. */
struct key {
    const uint8_t *bytes;
    size_t count;
};

static struct reference {
    struct random_source random;
    char path[256];
    edb *db;
    edb_space *spaces[SPACES];
    uint8_t *memory;
    size_t used;
    struct key *keys; /* in order, each once */
    size_t count;
    uint32_t *versions[SPACES]; /* 0: the key is not there */
    uint64_t live[SPACES];
    uint64_t asked;
} ref;

static const uint32_t dims_of[SPACES] = {DIMS, DIMS, DIMS, 0};
static const uint32_t form_of[SPACES] = {EDB_KEY_BYTES, EDB_KEY_SHA256, EDB_KEY_BLAKE2B,
                                         EDB_KEY_BYTES};
/* A key with one of these before it is a key of another space for whoever glues them together. */
static const char *const names[SPACES] = {"a", "a:a", "a/a", "aa"};

static void expect(bool truth, const char *what, int space, const struct key *key)
{
    if (truth)
        return;
    fprintf(stderr, "%s: space '%s', key of %zu bytes '%.*s': %s\n", what, names[space], key->count,
            key->count < 40 ? (int)key->count : 40, (const char *)key->bytes, edb_error_detail());
    exit(1);
}

static uint32_t below(uint32_t limit)
{
    return (uint32_t)random_below(&ref.random, limit);
}

/* ------------------------------------------------------------------------------------- the keys */

/* Parts and separators, so that "ab" "c" and "a" "bc" are as near as they can be. */
static size_t make_separated(uint8_t *out)
{
    static const char letters[] = {'a', 'a', 'b', ':', '/', '\0', '\x1f', '|', '\n', ','};
    size_t count = below(12);
    for (size_t i = 0; i < count; i++)
        out[i] = (uint8_t)letters[below(sizeof letters)];
    return count;
}

static size_t make_prefix(uint8_t *out)
{
    struct random_source same = {4711};
    size_t count = below(3000);
    for (size_t i = 0; i < count; i++)
        out[i] = (uint8_t)random_u64(&same);
    return count;
}

static size_t make_nuls(uint8_t *out)
{
    size_t count = below(600);
    memset(out, 0, count);
    if (count > 0 && below(2) == 0)
        out[below(2) == 0 ? 0 : count - 1] = (uint8_t)below(2);
    return count;
}

static size_t make_binary(uint8_t *out)
{
    size_t count = 1 + below(48);
    for (size_t i = 0; i < count; i++)
        out[i] = (uint8_t)below(256);
    return count;
}

/* The same number, or letter, as people and programs write it in several ways. */
static size_t make_look_alike(uint8_t *out)
{
    static const char *const around[][2] = {
        {"", ""},   {"0", ""}, {"", ".0"},           {"", " "},         {" ", ""},        {"+", ""},
        {"", "\n"}, {"-", ""}, {"\xef\xbb\xbf", ""}, {"e\xcc\x81", ""}, {"\xc3\xa9", ""}, {"E", ""},
        {"e", ""}};
    const char *const *way = around[below(sizeof around / sizeof around[0])];
    char text[32];
    int count = snprintf(text, sizeof text, "%s%u%s", way[0], below(4000), way[1]);
    memcpy(out, text, (size_t)count);
    return (size_t)count;
}

/* A key that was made before, with one bit changed, one byte less, or one byte more. */
static size_t make_neighbour(const struct key *key, uint8_t *out)
{
    memcpy(out, key->bytes, key->count);
    uint32_t draw = below(4);
    if (key->count > 0 && draw == 0)
        out[below((uint32_t)key->count)] ^= (uint8_t)(1u << below(8));
    else if (key->count > 0 && draw == 1)
        return key->count - 1;
    else
        out[key->count] = draw == 2 ? '\0' : (uint8_t)below(256);
    return draw > 1 || key->count == 0 ? key->count + 1 : key->count;
}

/* What stands in the file for another key. */
static size_t make_digest(const struct key *key, uint8_t *out)
{
    edb_key_form form = below(2) == 0 ? EDB_KEY_BLAKE2B : EDB_KEY_SHA256;
    expect(codec_digest(form, key->bytes, key->count, out) == EDB_OK, "digest", 0, key);
    return CODEC_DIGEST_BYTES;
}

/* Around the length beyond which a digest is stored; all alike but for the last byte. */
static size_t make_long(size_t number, uint8_t *out)
{
    size_t count = EDB_KEY_BYTES_MAX - 1 + number % 3;
    memset(out, 'x', count);
    out[count - 1] = (uint8_t)(number / 3);
    return count;
}

static size_t make_key(size_t number, uint8_t *out)
{
    static size_t (*const ways[])(uint8_t *) = {make_separated, make_prefix, make_nuls, make_binary,
                                                make_look_alike};
    enum { WAYS = sizeof ways / sizeof ways[0] };
    if (number < LONG_KEYS)
        return make_long(number, out);
    size_t draw = below(WAYS + 5);
    const struct key *earlier = &ref.keys[below((uint32_t)ref.count)];
    if (draw < WAYS)
        return ways[draw](out);
    if (draw == WAYS || earlier->count > 4000)
        return make_digest(earlier, out);
    return make_neighbour(earlier, out);
}

static int compare_keys(const void *left, const void *right)
{
    const struct key *a = left;
    const struct key *b = right;
    if (a->count != b->count)
        return a->count < b->count ? -1 : 1;
    return memcmp(a->bytes, b->bytes, a->count);
}

static void make_keys(size_t wanted)
{
    ref.keys = calloc(wanted, sizeof *ref.keys);
    size_t room = wanted * KEY_BYTES_USUAL + (LONG_KEYS + 1) * (size_t)KEY_BYTES_ROOM;
    ref.memory = malloc(room);
    expect(ref.keys != NULL && ref.memory != NULL, "memory", 0, &(struct key){0});
    for (size_t i = 0; i < wanted; i++) {
        uint8_t *at = ref.memory + ref.used;
        expect(room - ref.used >= KEY_BYTES_ROOM, "keys are longer than usual", 0,
               &(struct key){0});
        size_t count = make_key(i, at);
        ref.keys[ref.count++] = (struct key){at, count};
        ref.used += count;
    }
    qsort(ref.keys, ref.count, sizeof *ref.keys, compare_keys);
    size_t kept = 0;
    for (size_t i = 0; i < ref.count; i++)
        if (kept == 0 || compare_keys(&ref.keys[kept - 1], &ref.keys[i]) != 0)
            ref.keys[kept++] = ref.keys[i];
    ref.count = kept;
    for (int space = 0; space < SPACES; space++) {
        ref.versions[space] = calloc(ref.count, sizeof *ref.versions[space]);
        expect(ref.versions[space] != NULL, "memory", space, &ref.keys[0]);
    }
}

static bool is_known(const struct key *key)
{
    return bsearch(key, ref.keys, ref.count, sizeof *ref.keys, compare_keys) != NULL;
}

/* With a hash of one bit there are two of them. */
static void count_hashes(void)
{
    uint64_t first = record_key_hash("", 0, 0, 1);
    size_t other = 0;
    uint64_t second = first;
    bool more = false;
    for (size_t i = 0; i < ref.count; i++) {
        uint64_t hash = record_key_hash(ref.keys[i].bytes, ref.keys[i].count, 0, 1);
        more = more || (hash != first && second != first && hash != second);
        second = hash != first ? hash : second;
        other += hash != first;
    }
#ifdef EDB_ONE_BIT_HASH
    expect(!more && other > 0, "the hash has more than one bit", 0, &ref.keys[0]);
#else
    expect(more, "the hash has one bit", 0, &ref.keys[0]);
#endif
}

/* ------------------------------------------------------------------------------------- changing */

static void make_value(int space, size_t k, uint32_t version, float value[DIMS])
{
    value[0] = (float)space;
    value[1] = (float)k;
    value[2] = (float)version;
}

static void open_file(void)
{
    const struct key none = {(const uint8_t *)"", 0};
    expect(edb_open(ref.path, NULL, &ref.db) == EDB_OK, "open", 0, &none);
    for (int space = 0; space < SPACES; space++) {
        edb_space_spec spec = EDB_SPACE_SPEC_INIT;
        spec.name = names[space];
        spec.dims = dims_of[space];
        spec.metric = EDB_L2;
        spec.key_form = form_of[space];
        expect(edb_space_open(ref.db, &spec, &ref.spaces[space]) == EDB_OK, "open a space", space,
               &none);
    }
}

static void note_put(int space, size_t k, uint32_t version)
{
    ref.live[space] += ref.versions[space][k] == 0;
    ref.versions[space][k] = version;
}

static void delete_one(int space, size_t k)
{
    bool there = ref.versions[space][k] != 0;
    edb_status status = edb_delete(ref.spaces[space], ref.keys[k].bytes, ref.keys[k].count);
    expect(status == (there ? EDB_OK : EDB_NOT_FOUND), "delete", space, &ref.keys[k]);
    ref.live[space] -= there;
    ref.versions[space][k] = 0;
}

static void put_batch(int space, const size_t *chosen, size_t n, uint32_t version)
{
    static float values[BATCH * DIMS];
    edb_key keys[BATCH];
    edb_put_options options[BATCH];
    for (size_t i = 0; i < n; i++) {
        make_value(space, chosen[i], version, values + i * DIMS);
        keys[i] = (edb_key){ref.keys[chosen[i]].bytes, ref.keys[chosen[i]].count};
        options[i] = (edb_put_options)EDB_PUT_OPTIONS_INIT;
        options[i].value_bytes = dims_of[space] == 0 ? DIMS * sizeof values[0] : 0;
        note_put(space, chosen[i], version);
    }
    expect(n == 0 || edb_put_many(ref.spaces[space], keys, n, values, options, NULL) == EDB_OK,
           "put", space, &ref.keys[chosen[0]]);
}

/* One key in so many is put, one deleted. */
static void change_space(int space, uint32_t version)
{
    size_t chosen[BATCH];
    size_t n = 0;
    for (size_t k = 0; k < ref.count; k++) {
        uint32_t draw = below(8);
        if (draw < 3)
            chosen[n++] = k;
        else if (draw == 3 && version > 1)
            delete_one(space, k);
        if (n == BATCH || (n > 0 && k + 1 == ref.count)) {
            put_batch(space, chosen, n, version);
            n = 0;
        }
    }
}

/* --------------------------------------------------------------------------------------- asking */

static void check_view(int space, size_t k, const edb_view *view)
{
    float value[DIMS];
    const struct key *key = &ref.keys[k];
    make_value(space, k, ref.versions[space][k], value);
    expect(view->vector_bytes == sizeof value && memcmp(view->vector, value, sizeof value) == 0,
           "WRONG HIT", space, key);
    bool as_it_is = form_of[space] == EDB_KEY_BYTES && key->count <= EDB_KEY_BYTES_MAX;
    if (as_it_is)
        expect(view->key_form == EDB_KEY_BYTES && view->key_bytes == key->count &&
                   memcmp(view->key, key->bytes, key->count) == 0,
               "another key", space, key);
    else
        expect(view->key_form != EDB_KEY_BYTES && view->key_bytes == CODEC_DIGEST_BYTES,
               "no digest", space, key);
}

static void ask_one(int space, size_t k)
{
    edb_view view;
    float got[DIMS];
    float value[DIMS];
    const struct key *key = &ref.keys[k];
    edb_status wanted = ref.versions[space][k] != 0 ? EDB_OK : EDB_NOT_FOUND;
    ref.asked++;
    expect(edb_contains(ref.spaces[space], key->bytes, key->count) == wanted, "contains", space,
           key);
    expect(edb_view_key(ref.spaces[space], key->bytes, key->count, &view) == wanted, "view", space,
           key);
    if (wanted == EDB_OK)
        check_view(space, k, &view);
    edb_view_release(&view);
    if (dims_of[space] == 0)
        return;
    expect(edb_get(ref.spaces[space], key->bytes, key->count, got) == wanted, "get", space, key);
    make_value(space, k, ref.versions[space][k], value);
    if (wanted == EDB_OK)
        expect(memcmp(got, value, sizeof value) == 0, "WRONG HIT of get", space, key);
}

/* A key that is one step away from a known one, and is none itself. */
static void ask_neighbour(int space, size_t k)
{
    static uint8_t bytes[KEY_BYTES_ROOM];
    struct key near = {bytes, 0};
    near.count = make_neighbour(&ref.keys[k], bytes);
    if (is_known(&near))
        return;
    ref.asked++;
    expect(edb_contains(ref.spaces[space], bytes, near.count) == EDB_NOT_FOUND,
           "WRONG HIT of a key that was never put", space, &near);
}

static void ask_many(int space, size_t first)
{
    static float matrix[BATCH * DIMS];
    edb_key keys[BATCH] = {{NULL, 0}};
    uint8_t found[BATCH];
    size_t n = ref.count - first < BATCH ? ref.count - first : BATCH;
    for (size_t i = 0; i < n; i++)
        keys[i] = (edb_key){ref.keys[first + i].bytes, ref.keys[first + i].count};
    expect(edb_get_many(ref.spaces[space], keys, n, matrix, found) == EDB_OK, "get_many", space,
           &ref.keys[first]);
    for (size_t i = 0; i < n; i++) {
        float value[DIMS] = {0};
        uint32_t version = ref.versions[space][first + i];
        if (version != 0)
            make_value(space, first + i, version, value);
        expect(found[i] == (version != 0) && memcmp(matrix + i * DIMS, value, sizeof value) == 0,
               "WRONG HIT of get_many", space, &ref.keys[first + i]);
    }
}

/* What a record says of itself is enough to know which key it has to be of. */
static void iterate(int space)
{
    edb_iterator *iterator;
    edb_view view;
    uint64_t seen = 0;
    expect(edb_iterate(ref.spaces[space], &iterator) == EDB_OK, "iterate", space, &ref.keys[0]);
    while (edb_next(iterator, &view) == EDB_OK) {
        float value[DIMS];
        memcpy(value, view.vector, sizeof value);
        size_t k = (size_t)value[1];
        expect(k < ref.count && value[0] == (float)space, "a record of no key", space,
               &ref.keys[0]);
        check_view(space, k, &view);
        edb_view_release(&view);
        seen++;
    }
    edb_iterator_close(iterator);
    expect(seen == ref.live[space], "records are missing", space, &ref.keys[0]);
}

static void check_all(void)
{
    for (int space = 0; space < SPACES; space++) {
        for (size_t k = 0; k < ref.count; k++) {
            ask_one(space, k);
            ask_neighbour(space, k);
        }
        for (size_t first = 0; dims_of[space] > 0 && first < ref.count; first += BATCH)
            ask_many(space, first);
        iterate(space);
    }
}

/* Sections, none, and those of another file. */
static void turn_over(uint32_t round)
{
    const struct key none = {(const uint8_t *)"", 0};
    if (round == 2)
        expect(edb_compact(ref.db, NULL, NULL) == EDB_OK, "compact", 0, &none);
    if (round == 1) {
        expect(edb_close(ref.db) == EDB_OK, "close", 0, &none);
        open_file();
    }
}

int main(int argc, char **argv)
{
    const char *given = getenv("EDB_SEED");
    const char *folder = getenv("TMPDIR");
    size_t keys = argc > 1 ? strtoul(argv[1], NULL, 10) : KEYS;
    ref.random.state = given != NULL ? strtoull(given, NULL, 10) : 20261121;
    printf("seed %llu (EDB_SEED), %zu keys\n", (unsigned long long)ref.random.state, keys);
    snprintf(ref.path, sizeof ref.path, "%s/edb-keys-%d.edb", folder != NULL ? folder : "/tmp",
             (int)getpid());
    make_keys(keys > LONG_KEYS ? keys : LONG_KEYS + 1);
    count_hashes();
    open_file();
    for (uint32_t round = 1; round <= ROUNDS; round++) {
        for (int space = 0; space < SPACES; space++)
            change_space(space, round);
        turn_over(round);
        check_all();
    }
    expect(edb_verify(ref.db, NULL, NULL, NULL) == EDB_OK, "verify", 0, &ref.keys[0]);
    expect(edb_close(ref.db) == EDB_OK, "close", 0, &ref.keys[0]);
    unlink(ref.path);
    printf("%zu different keys in %d spaces, asked for %llu times: 0 wrong\n", ref.count, SPACES,
           (unsigned long long)ref.asked);
    return 0;
}
