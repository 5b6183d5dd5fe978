/* Writing and judging. A vector begins with its version, everything else is drawn from space, key
 * and version. Each file comes from a machine of its own seed: no frame of one decodes in
 * another. */
#include "fuzz/told_cache.h"

#include <stdio.h>
#include <string.h>

#include "base/random.h"
#include "codec/codec_digest.h"
#include "format/format.h"
#include "fuzz/target.h"
#include "os/os_sim.h"

const char *const told_space_names[TOLD_SPACES] = {"cosine", "l2", "values", "digests"};

static const uint32_t dims_of[TOLD_SPACES] = {4, 6, 0, 2};
static const char path[] = "told.edb";

enum { VALUES = 2, DIGESTS = 3 };

/* What is put under a key. */
struct told {
    float vector[TOLD_DIMS_MAX];
    size_t vector_bytes;
    char text[32];
    char metadata[32];
    bool has_text;
    bool has_metadata;
};

size_t told_key(int key, char name[TOLD_KEY_BYTES])
{
    return (size_t)snprintf(name, TOLD_KEY_BYTES, "k%d", key);
}

int told_space(const char *name)
{
    for (int space = 0; space < TOLD_SPACES; space++)
        if (strcmp(told_space_names[space], name) == 0)
            return space;
    return -1;
}

static void tell(int space, int key, uint32_t version, struct told *out)
{
    struct random_source random = {((uint64_t)space << 40) + ((uint64_t)key << 20) + version};
    memset(out, 0, sizeof *out);
    for (int i = 1; i < TOLD_DIMS_MAX; i++)
        out->vector[i] = random_signed(&random);
    out->vector[0] = (float)version;
    out->vector_bytes = 4 * (size_t)dims_of[space];
    if (space == VALUES)
        out->vector_bytes = 4 + (size_t)random_below(&random, 17);
    out->has_text = (key + (int)version) % 3 == 0;
    out->has_metadata = (key + (int)version) % 4 == 0;
    if (key % 2 == 0) /* an empty text is one, too */
        snprintf(out->text, sizeof out->text, "text %d %d %u", space, key, version);
    snprintf(out->metadata, sizeof out->metadata, "{\"k\":%d,\"v\":[%u]}", key, version);
}

/* -------------------------------------------------------------------------------------- judging */

static bool digest_matches(const edb_view *view, const char *name, size_t bytes)
{
    uint8_t digest[CODEC_DIGEST_BYTES];
    return codec_digest(EDB_KEY_SHA256, name, bytes, digest) == EDB_OK &&
           view->key_bytes == sizeof digest && memcmp(view->key, digest, sizeof digest) == 0;
}

static int key_of(int space, const edb_view *view)
{
    for (int key = 0; key < TOLD_KEYS; key++) {
        char name[TOLD_KEY_BYTES];
        size_t bytes = told_key(key, name);
        if (space == DIGESTS ? view->key_form == EDB_KEY_SHA256 && digest_matches(view, name, bytes)
                             : view->key_form == EDB_KEY_BYTES && view->key_bytes == bytes &&
                                   memcmp(view->key, name, bytes) == 0)
            return key;
    }
    return -1;
}

static bool same_text(const edb_view *view, const struct told *told)
{
    if (!told->has_text)
        return !view->has_text;
    return view->has_text && view->text_bytes == strlen(told->text) &&
           memcmp(view->text, told->text, view->text_bytes + 1) == 0;
}

static bool same_metadata(const edb_view *view, const struct told *told)
{
    char *json;
    if (edb_view_metadata_json(view, &json) != EDB_OK)
        return false;
    bool same =
        told->has_metadata ? json != NULL && strcmp(json, told->metadata) == 0 : json == NULL;
    edb_free(json);
    return same;
}

const char *told_wrong(int space, const edb_view *view)
{
    struct told told;
    float version = 0;
    int key = key_of(space, view);
    if (key < 0)
        return "a key that was never put";
    if (view->vector_bytes < sizeof version)
        return "a vector of another length";
    memcpy(&version, view->vector, sizeof version);
    if (!(version >= 1 && version < 1000))
        return "a vector of no version";
    tell(space, key, (uint32_t)version, &told);
    if (view->vector_bytes != told.vector_bytes ||
        memcmp(view->vector, told.vector, told.vector_bytes) != 0)
        return "another vector";
    if (!same_text(view, &told))
        return "another text";
    return same_metadata(view, &told) ? NULL : "other metadata";
}

/* -------------------------------------------------------------------------------------- writing */

struct writer {
    edb *db;
    edb_space *spaces[TOLD_SPACES];
    uint32_t versions[TOLD_SPACES][TOLD_KEYS];
};

static void hold(edb_status status, const char *what)
{
    target_hold(status == EDB_OK, "told cache: %s: %s: %s", what, edb_status_name(status),
                edb_error_detail());
}

static void open_cache(struct writer *writer, int spaces)
{
    static const uint32_t metrics[TOLD_SPACES] = {EDB_COSINE, EDB_L2, EDB_COSINE, EDB_DOT};
    hold(edb_open(path, NULL, &writer->db), "open");
    for (int space = 0; space < spaces; space++) {
        edb_space_spec spec = EDB_SPACE_SPEC_INIT;
        spec.name = told_space_names[space];
        spec.model = "told";
        spec.dims = dims_of[space];
        spec.metric = metrics[space];
        spec.key_form = space == DIGESTS ? EDB_KEY_SHA256 : EDB_KEY_BYTES;
        hold(edb_space_open(writer->db, &spec, &writer->spaces[space]), "space");
    }
}

static void close_cache(struct writer *writer)
{
    hold(edb_close(writer->db), "close");
}

static void prepare(struct writer *writer, int space, int key, struct told *told,
                    edb_put_options *options)
{
    tell(space, key, ++writer->versions[space][key], told);
    *options = (edb_put_options)EDB_PUT_OPTIONS_INIT;
    options->text = told->has_text ? told->text : NULL;
    options->metadata_json = told->has_metadata ? told->metadata : NULL;
    options->value_bytes = space == VALUES ? told->vector_bytes : 0;
}

static void put(struct writer *writer, int space, int key)
{
    char name[TOLD_KEY_BYTES];
    struct told told;
    edb_put_options options;
    prepare(writer, space, key, &told, &options);
    hold(edb_put(writer->spaces[space], name, told_key(key, name), told.vector, &options), "put");
}

static void delete_key(struct writer *writer, int space, int key)
{
    char name[TOLD_KEY_BYTES];
    hold(edb_delete(writer->spaces[space], name, told_key(key, name)), "delete");
}

/* Keys [first, last) of a space in one transaction. */
static void put_together(struct writer *writer, int space, int first, int last,
                         edb_durability durability)
{
    edb_txn *txn;
    hold(edb_begin(writer->db, &txn), "begin");
    for (int key = first; key < last; key++) {
        char name[TOLD_KEY_BYTES];
        struct told told;
        edb_put_options options;
        prepare(writer, space, key, &told, &options);
        hold(edb_txn_put(txn, writer->spaces[space], name, told_key(key, name), told.vector,
                         &options),
             "txn put");
    }
    hold(edb_commit(txn, durability), "commit");
}

static void write_nothing(struct writer *writer)
{
    open_cache(writer, 0);
}

static void write_little(struct writer *writer)
{
    open_cache(writer, 1);
    put(writer, 0, 0);
}

static void write_changes(struct writer *writer)
{
    open_cache(writer, TOLD_SPACES);
    for (int space = 0; space < TOLD_SPACES; space++)
        put_together(writer, space, 0, 6, EDB_LAZY);
    for (int space = 0; space < TOLD_SPACES; space++) {
        put(writer, space, 3);
        delete_key(writer, space, 4);
    }
}

static void write_durably(struct writer *writer)
{
    open_cache(writer, 2);
    put_together(writer, 0, 0, 3, EDB_DURABLE);
    put(writer, 1, 1);
    hold(edb_sync(writer->db), "sync");
    put(writer, 0, 1);
}

/* Closing writes sections, and a catalog that names them. */
static void write_sections(struct writer *writer)
{
    open_cache(writer, 1);
    put_together(writer, 0, 0, 70, EDB_LAZY);
    put_together(writer, 0, 10, 14, EDB_LAZY);
    delete_key(writer, 0, 20);
}

static void write_more_sections(struct writer *writer)
{
    write_sections(writer);
    close_cache(writer);
    open_cache(writer, 2);
    put_together(writer, 1, 0, 3, EDB_LAZY);
    put_together(writer, 0, 12, 80, EDB_LAZY);
    close_cache(writer);
    open_cache(writer, 2);
    put(writer, 0, 0);
    delete_key(writer, 1, 2);
}

static void write_compacted(struct writer *writer)
{
    write_changes(writer);
    hold(edb_compact(writer->db, NULL, NULL), "compact");
}

/* And a tail behind the catalog. */
static void write_compacted_sections(struct writer *writer)
{
    write_sections(writer);
    hold(edb_compact(writer->db, NULL, NULL), "compact");
    put_together(writer, 0, 30, 34, EDB_LAZY);
    delete_key(writer, 0, 31);
}

static void (*const ways[])(struct writer *) = {
    write_nothing,  write_little,        write_changes,   write_durably,
    write_sections, write_more_sections, write_compacted, write_compacted_sections,
};

size_t told_cache_write(size_t number, uint8_t *file, size_t room)
{
    static struct writer writer;
    uint64_t count = 0;
    if (number >= sizeof ways / sizeof ways[0])
        return 0;
    memset(&writer, 0, sizeof writer);
    os_sim_begin(1000 + number);
    os_sim_record(false);
    os_use(&os_sim);
    ways[number](&writer);
    close_cache(&writer);
    const uint8_t *bytes = os_sim_file(path, &count);
    while (count > FIRST_FRAME_OFFSET && bytes[count - 1] == 0)
        count--;
    count += 64; /* what no frame ends before */
    target_hold(count <= room, "told cache %zu has %llu bytes", number, (unsigned long long)count);
    memcpy(file, bytes, count);
    os_use(&os_posix);
    return count;
}
