/* Writing the sample file, and its account. Called by tests of damage; knows nothing of the
 * format. */
#include "support/sample_cache.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "os/os_sim.h"

const char *const sample_space_names[SAMPLE_SPACES] = {"docs", "blobs", "late"};
const uint32_t sample_space_dims[SAMPLE_SPACES] = {SAMPLE_DIMS, 0, 3};

static const char *const path = "sample.edb";

/* What one session works with. */
struct session {
    struct sample_cache *sample;
    edb *db;
    edb_space *spaces[SAMPLE_SPACES];
    struct sample_state now; /* as of the last commit */
    bool good;
};

/* What an edb_put takes, kept alive until it is called. */
struct arguments {
    edb_key key;
    edb_put_options options;
};

static edb_key name_of(const struct session *session, int space, int key)
{
    const char *name = session->sample->keys[space][key];
    return (edb_key){name, strlen(name)};
}

static bool hold(struct session *session, edb_status status, const char *what)
{
    if (status != EDB_OK && session->good)
        fprintf(stderr, "sample cache: %s: %s: %s\n", what, edb_status_name(status),
                edb_error_detail());
    session->good = session->good && status == EDB_OK;
    return session->good;
}

void sample_query(float query[SAMPLE_DIMS])
{
    struct random_source random = {4711};
    for (int i = 0; i < SAMPLE_DIMS; i++)
        query[i] = random_signed(&random);
}

/* ----------------------------------------------------------------------------------- the values */

static void invent_vector(int space, struct random_source *random, struct sample_value *value)
{
    float floats[SAMPLE_DIMS];
    size_t dims = sample_space_dims[space];
    for (size_t i = 0; i < dims; i++)
        floats[i] = random_signed(random);
    value->vector_bytes = 4 * dims;
    memcpy(value->vector, floats, value->vector_bytes);
    if (dims > 0)
        return;
    value->vector_bytes = (size_t)random_below(random, 17);
    for (size_t i = 0; i < value->vector_bytes; i++)
        value->vector[i] = (uint8_t)random_u64(random);
}

/* The version of a key that is put now. */
static void invent(int space, int key, int version, struct sample_value *value)
{
    struct random_source random = {(uint64_t)(space * 1000 + key) * 1000 + (uint64_t)version};
    memset(value, 0, sizeof *value);
    invent_vector(space, &random, value);
    value->has_text = (key + version) % 3 != 0;
    if (value->has_text && (key + version) % 7 != 0)
        snprintf(value->text, sizeof value->text, "text %d/%d/%d", space, key, version);
    if ((key + version) % 4 == 0)
        snprintf(value->metadata, sizeof value->metadata, "{\"key\":%d,\"tags\":[%d,null]%s}", key,
                 version, key % 8 == 0 ? ",\"w\":0.5" : "");
}

/* Makes the next version of a key and the arguments that put it. */
static const struct sample_value *prepare(struct session *session, int space, int key,
                                          struct arguments *out)
{
    int version = session->now.version[space][key] + 1;
    /* A deleted key begins again behind the versions that it had. */
    while (session->sample->values[space][key][version].row != UINT64_MAX)
        version++;
    struct sample_value *value = &session->sample->values[space][key][version];
    invent(space, key, version, value);
    value->row = session->now.rows[space]++;
    session->now.live[space] += session->now.version[space][key] == 0;
    session->now.version[space][key] = (uint8_t)version;
    out->key = name_of(session, space, key);
    out->options = (edb_put_options)EDB_PUT_OPTIONS_INIT;
    if (value->has_text)
        out->options.text = value->text;
    if (value->metadata[0] != '\0')
        out->options.metadata_json = value->metadata;
    if (sample_space_dims[space] == 0)
        out->options.value_bytes = value->vector_bytes;
    return value;
}

static void forget(struct session *session, int space, int key)
{
    session->now.version[space][key] = 0;
    session->now.live[space]--;
}

/* ----------------------------------------------------------------------------------- the states */

static double cosine(const float *a, const float *b, size_t dims)
{
    double dot = 0;
    double aa = 0;
    double bb = 0;
    for (size_t i = 0; i < dims; i++) {
        dot += (double)a[i] * b[i];
        aa += (double)a[i] * a[i];
        bb += (double)b[i] * b[i];
    }
    return dot / sqrt(aa * bb);
}

/* The nearest rows, by looking at all of them SAMPLE_HITS times. */
static void find_hits(const struct sample_cache *sample, struct sample_state *state)
{
    float query[SAMPLE_DIMS];
    double above = 2;
    sample_query(query);
    for (int hit = 0; hit < SAMPLE_HITS; hit++) {
        double best = -2;
        state->hits[hit] = UINT64_MAX;
        for (int key = 0; key < SAMPLE_KEYS; key++) {
            int version = state->version[SAMPLE_DOCS][key];
            const struct sample_value *value = &sample->values[SAMPLE_DOCS][key][version];
            float vector[SAMPLE_DIMS];
            memcpy(vector, value->vector, sizeof vector);
            double score = version == 0 ? -3 : cosine(query, vector, SAMPLE_DIMS);
            if (score > best && score < above) {
                best = score;
                state->hits[hit] = value->row;
            }
        }
        above = best;
    }
}

/* The commit is in the file: what is true from its last frame on. */
static void note_commit(struct session *session)
{
    edb_stats stats = {.struct_size = sizeof stats};
    struct sample_cache *sample = session->sample;
    if (!hold(session, edb_stats_get(session->db, &stats), "stats"))
        return;
    session->now.sequence = stats.sequence;
    find_hits(sample, &session->now);
    if (sample->state_count == SAMPLE_STATES)
        hold(session, EDB_FULL, "too many states");
    else
        sample->states[sample->state_count++] = session->now;
}

const struct sample_state *sample_state_at(const struct sample_cache *sample, uint64_t sequence)
{
    size_t i = sample->state_count;
    while (i > 1 && sample->states[i - 1].sequence > sequence)
        i--;
    return &sample->states[i - 1];
}

/* ---------------------------------------------------------------------------------- the commits */

static void put(struct session *session, int space, int key)
{
    struct arguments a;
    const struct sample_value *value = prepare(session, space, key, &a);
    hold(session,
         edb_put(session->spaces[space], a.key.data, a.key.bytes, value->vector, &a.options),
         "put");
    note_commit(session);
}

static void put_batch(struct session *session, int space, int first, int count)
{
    struct arguments a[SAMPLE_KEYS];
    edb_key keys[SAMPLE_KEYS];
    edb_put_options options[SAMPLE_KEYS];
    uint8_t vectors[SAMPLE_KEYS * SAMPLE_VECTOR_BYTES];
    size_t used = 0;
    for (int i = 0; i < count; i++) {
        const struct sample_value *value = prepare(session, space, first + i, &a[i]);
        keys[i] = a[i].key;
        options[i] = a[i].options;
        memcpy(vectors + used, value->vector, value->vector_bytes);
        used += value->vector_bytes;
    }
    hold(session, edb_put_many(session->spaces[space], keys, (size_t)count, vectors, options, NULL),
         "put_many");
    note_commit(session);
}

static void delete (struct session *session, int space, int key)
{
    edb_key name = name_of(session, space, key);
    hold(session, edb_delete(session->spaces[space], name.data, name.bytes), "delete");
    forget(session, space, key);
    note_commit(session);
}

static void txn_put(struct session *session, edb_txn *txn, int space, int key)
{
    struct arguments a;
    const struct sample_value *value = prepare(session, space, key, &a);
    hold(session,
         edb_txn_put(txn, session->spaces[space], a.key.data, a.key.bytes, value->vector,
                     &a.options),
         "txn_put");
}

/* Keys of two spaces in one transaction: puts, an overwrite, a delete. */
static void commit_both(struct session *session, int key, edb_durability durability)
{
    edb_txn *txn;
    if (!hold(session, edb_begin(session->db, &txn), "begin"))
        return;
    for (int i = 0; i < 3; i++) {
        txn_put(session, txn, SAMPLE_DOCS, key + i);
        txn_put(session, txn, SAMPLE_BLOBS, key + i);
    }
    edb_key gone = name_of(session, SAMPLE_DOCS, key + 3);
    hold(session, edb_txn_delete(txn, session->spaces[SAMPLE_DOCS], gone.data, gone.bytes),
         "txn_delete");
    forget(session, SAMPLE_DOCS, key + 3);
    hold(session, edb_commit(txn, durability), "commit");
    note_commit(session);
}

static void open_space(struct session *session, int space)
{
    static const uint32_t metrics[SAMPLE_SPACES] = {EDB_COSINE, EDB_COSINE, EDB_L2};
    edb_space_spec spec = EDB_SPACE_SPEC_INIT;
    spec.name = sample_space_names[space];
    spec.model = "invented-3";
    spec.dims = sample_space_dims[space];
    spec.metric = metrics[space];
    spec.key_form = space == SAMPLE_BLOBS ? EDB_KEY_SHA256 : EDB_KEY_BYTES;
    bool there = session->now.spaces > (uint32_t)space;
    if (!hold(session, edb_space_open(session->db, &spec, &session->spaces[space]), "space"))
        return;
    session->now.spaces += !there;
    if (!there)
        note_commit(session);
}

/* --------------------------------------------------------------------------------- the sessions */

static void begin_session(struct session *session)
{
    if (!hold(session, edb_open(path, NULL, &session->db), "open"))
        return;
    for (int space = 0; space < (int)session->now.spaces; space++)
        open_space(session, space);
}

static void end_session(struct session *session)
{
    if (session->db != NULL)
        hold(session, edb_close(session->db), "close");
    session->db = NULL;
}

/* Enough rows that closing writes sections. */
static void first_session(struct session *session)
{
    begin_session(session);
    note_commit(session);
    open_space(session, SAMPLE_DOCS);
    open_space(session, SAMPLE_BLOBS);
    put_batch(session, SAMPLE_DOCS, 0, 24);
    put_batch(session, SAMPLE_BLOBS, 0, 20);
    for (int key = 0; key < 4 && session->good; key++)
        put(session, SAMPLE_DOCS, key);
    delete (session, SAMPLE_DOCS, 6);
    put_batch(session, SAMPLE_DOCS, 22, 10);
    put_batch(session, SAMPLE_BLOBS, 4, 6);
    end_session(session);
}

/* As many again: these sections are merged with the first. */
static void second_session(struct session *session)
{
    begin_session(session);
    put_batch(session, SAMPLE_DOCS, 6, 20);
    put_batch(session, SAMPLE_BLOBS, 10, 16);
    commit_both(session, 24, EDB_LAZY);
    put(session, SAMPLE_BLOBS, 0);
    put_batch(session, SAMPLE_BLOBS, 0, 22);
    delete (session, SAMPLE_BLOBS, 20);
    delete (session, SAMPLE_DOCS, 2);
    end_session(session);
}

/* Behind the last catalog: groups that only a walk finds, some of them durable. */
static void third_session(struct session *session)
{
    begin_session(session);
    commit_both(session, 12, EDB_DURABLE);
    put(session, SAMPLE_DOCS, 2);
    put(session, SAMPLE_DOCS, 32);
    delete (session, SAMPLE_DOCS, 30);
    open_space(session, SAMPLE_LATE);
    put_batch(session, SAMPLE_LATE, 0, 5);
    hold(session, edb_sync(session->db), "sync");
    put(session, SAMPLE_BLOBS, 20);
    put(session, SAMPLE_LATE, 1);
    delete (session, SAMPLE_LATE, 3);
    end_session(session);
}

/* Takes the file over, less the space that was reserved behind one zero page. */
static void take_bytes(struct session *session, size_t used)
{
    struct sample_cache *sample = session->sample;
    uint64_t count;
    const uint8_t *bytes = os_sim_file(path, &count);
    sample->count = (used + 4095) / 4096 * 4096 + 4096;
    sample->bytes = malloc(sample->count);
    if (bytes == NULL || count < sample->count || sample->bytes == NULL) {
        hold(session, EDB_IO, "the file has an unexpected size");
        return;
    }
    memcpy(sample->bytes, bytes, sample->count);
    os_sim.boot_id(sample->boot_id);
}

static void name_keys(struct sample_cache *sample)
{
    for (int space = 0; space < SAMPLE_SPACES; space++)
        for (int key = 0; key < SAMPLE_KEYS; key++) {
            snprintf(sample->keys[space][key], 8, "%c%03d", "dbl"[space], key);
            for (int version = 0; version <= SAMPLE_VERSIONS; version++)
                sample->values[space][key][version].row = UINT64_MAX;
        }
}

bool sample_cache_write(struct sample_cache *sample)
{
    struct session session = {.sample = sample, .good = true};
    edb_stats stats = {.struct_size = sizeof stats};
    memset(sample, 0, sizeof *sample);
    name_keys(sample);
    os_sim_begin(1);
    os_sim_record(false);
    os_use(&os_sim);
    first_session(&session);
    second_session(&session);
    third_session(&session);
    begin_session(&session);
    if (hold(&session, edb_stats_get(session.db, &stats), "stats"))
        take_bytes(&session, (size_t)stats.used_bytes);
    end_session(&session);
    os_use(&os_posix);
    os_sim_end();
    return session.good;
}

void sample_cache_free(struct sample_cache *sample)
{
    free(sample->bytes);
}
