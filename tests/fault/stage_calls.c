/* The calls of a scenario: each asks the library, looks at what came back, and keeps the account.
 * Called by scenarios.c and by the judgement. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "db/db_compact.h"
#include "fault/play_scenario.h"

const char *const stage_path = "stage.edb";

static const char *const space_names[ACCOUNT_SPACES] = {"first", "second"};

/* What a put takes; the options point into the rest. */
struct value {
    char key[16];
    size_t key_bytes;
    float vector[ACCOUNT_DIMS];
    char text[32];
    char metadata[32];
    edb_put_options options;
};

void stage_wrong(struct stage *stage, const char *format, ...)
{
    va_list args;
    if (stage->wrong[0] != '\0')
        return;
    va_start(args, format);
    vsnprintf(stage->wrong, sizeof stage->wrong, format, args);
    va_end(args);
}

static size_t name_key(int key, char name[16])
{
    return (size_t)snprintf(name, 16, "k%05d", key);
}

static void fill_vector(int space, int key, uint8_t version, float vector[ACCOUNT_DIMS])
{
    vector[0] = (float)key;
    vector[1] = version;
    vector[2] = (float)space + 0.5f;
}

static void fill_value(const struct stage *stage, int space, int key, uint8_t version,
                       struct value *out)
{
    out->key_bytes = name_key(key, out->key);
    fill_vector(space, key, version, out->vector);
    out->options = (edb_put_options)EDB_PUT_OPTIONS_INIT;
    snprintf(out->text, sizeof out->text, "version %u of %d", version, key);
    snprintf(out->metadata, sizeof out->metadata, "{\"version\":%u}", version);
    if (key % 3 == 0)
        out->options.text = out->text;
    if (key % 4 == 0)
        out->options.metadata_json = out->metadata;
    out->options.pinned = key % ACCOUNT_PINNED == 0;
    out->options.expiry_s = out->options.pinned ? 0 : stage->expiry_s;
}

/* The version that the next put of a key gets: above all that are possible now. */
static uint8_t next_version(const struct kept_account *account, int space, int key)
{
    uint8_t highest = 0;
    for (size_t state = 0; state < account->count; state++) {
        uint8_t version = account_version(account, state, space, key);
        highest = version > highest ? version : highest;
    }
    return (uint8_t)(highest + 1);
}

/* --------------------------------------------------------------------------------- the statuses */

/* Whether the handle may have given up writing: because of a fault, never because it takes the
 * fault for damage. */
static bool may_give_up(const struct stage *stage)
{
    return stage->read_only || (stage->met_faults && strstr(edb_error_detail(), "damaged") == NULL);
}

/* What a write may say: a failing system explains some errors, and those have consequences. */
static void judge_write(struct stage *stage, edb_status status, const char *call)
{
    bool known = status == EDB_OK;
    if (stage->armed)
        known = known || status == EDB_IO || status == EDB_FULL || status == EDB_NO_MEMORY;
    if (status == EDB_READ_ONLY && may_give_up(stage))
        known = true;
    if (!known)
        stage_wrong(stage, "%s: %s: %s", call, edb_status_name(status), edb_error_detail());
    stage->read_only = stage->read_only || status == EDB_IO;
    stage->refused += status != EDB_OK;
}

static void judge_read(struct stage *stage, edb_status status, const char *call)
{
    bool known = status == EDB_OK || status == EDB_NOT_FOUND;
    if (stage->armed)
        known = known || status == EDB_IO || status == EDB_NO_MEMORY;
    if (!known)
        stage_wrong(stage, "%s: %s: %s", call, edb_status_name(status), edb_error_detail());
}

/* The commit that was being made is over. */
static void settle(struct stage *stage, edb_status status, bool durable)
{
    account_settle(&stage->account, status);
    if (status == EDB_OK && durable)
        account_promise(&stage->account);
}

/* After a failed write the handle cannot promise what it wrote before: it has to say so. */
static void judge_close(struct stage *stage, edb_status status)
{
    bool explained = stage->armed || stage->met_faults;
    bool known = status == EDB_OK;
    if (explained)
        known = known || status == EDB_IO || status == EDB_FULL || status == EDB_NO_MEMORY;
    if (!known)
        stage_wrong(stage, "close: %s: %s", edb_status_name(status), edb_error_detail());
    stage->refused += status != EDB_OK;
    /* What another handle committed is not this one's to promise. */
    if (status == EDB_OK && stage->other == NULL)
        account_promise(&stage->account);
}

/* ---------------------------------------------------------------------------------- the handles */

void stage_open(struct stage *stage, uint32_t flags, uint32_t durability)
{
    edb_open_options options = EDB_OPEN_OPTIONS_INIT;
    options.flags = flags;
    options.durability = durability;
    edb_status status = edb_open(stage_path, &options, &stage->db);
    judge_write(stage, status, "open");
    stage->durable = durability == EDB_DURABLE;
    stage->read_only = stage->read_only && stage->db != NULL;
    if ((stage->db != NULL) != (status == EDB_OK))
        stage_wrong(stage, "open: %s, and a handle is %s", edb_status_name(status),
                    stage->db != NULL ? "there" : "missing");
}

void stage_open_other(struct stage *stage)
{
    edb_status status = edb_open(stage_path, NULL, &stage->other);
    for (int space = 0; space < ACCOUNT_SPACES && status == EDB_OK; space++)
        status = edb_space_find(stage->other, space_names[space], &stage->other_spaces[space]);
    if (status != EDB_OK)
        stage_wrong(stage, "open of the other handle: %s", edb_error_detail());
}

void stage_space(struct stage *stage, int space)
{
    edb_space_spec spec = EDB_SPACE_SPEC_INIT;
    spec.name = space_names[space];
    spec.dims = ACCOUNT_DIMS;
    spec.metric = space == 0 ? EDB_COSINE : EDB_L2;
    if (stage->db == NULL)
        return;
    edb_status status = edb_space_open(stage->db, &spec, &stage->spaces[space]);
    judge_write(stage, status, "space");
    account_settle_space(&stage->account, space, status);
    if (status == EDB_OK && stage->durable)
        account_promise(&stage->account);
}

void stage_close(struct stage *stage)
{
    if (stage->db == NULL)
        return;
    edb_status status = edb_close(stage->db);
    judge_close(stage, status);
    stage->db = NULL;
    stage->read_only = false;
    memset(stage->spaces, 0, sizeof stage->spaces);
}

/* -------------------------------------------------------------------------------------- writing */

static void put_into(struct stage *stage, edb_space *handle, int space, int key)
{
    struct value value;
    uint8_t version = next_version(&stage->account, space, key);
    if (handle == NULL)
        return;
    fill_value(stage, space, key, version, &value);
    account_change(&stage->account, space, key, version);
    edb_status status = edb_put(handle, value.key, value.key_bytes, value.vector, &value.options);
    judge_write(stage, status, "put");
    settle(stage, status, stage->durable && handle == stage->spaces[space]);
}

void stage_put(struct stage *stage, int space, int key)
{
    put_into(stage, stage->spaces[space], space, key);
}

void stage_put_other(struct stage *stage, int space, int key)
{
    put_into(stage, stage->other_spaces[space], space, key);
}

void stage_put_many(struct stage *stage, int space, int first, int count)
{
    struct value *values = calloc((size_t)count, sizeof *values);
    edb_key *keys = calloc((size_t)count, sizeof *keys);
    edb_put_options *options = calloc((size_t)count, sizeof *options);
    float *vectors = calloc((size_t)count, sizeof values->vector);
    for (int i = 0; i < count; i++) {
        uint8_t version = next_version(&stage->account, space, first + i);
        fill_value(stage, space, first + i, version, &values[i]);
        account_change(&stage->account, space, first + i, version);
        keys[i] = (edb_key){values[i].key, values[i].key_bytes};
        options[i] = values[i].options;
        memcpy(vectors + i * ACCOUNT_DIMS, values[i].vector, sizeof values->vector);
    }
    edb_status status = EDB_INVALID;
    if (stage->spaces[space] != NULL) {
        status = edb_put_many(stage->spaces[space], keys, (size_t)count, vectors, options, NULL);
        judge_write(stage, status, "put_many");
    }
    settle(stage, status, stage->durable);
    free(values);
    free(keys);
    free(options);
    free(vectors);
}

void stage_delete(struct stage *stage, int space, int key)
{
    char name[16];
    size_t bytes = name_key(key, name);
    if (stage->spaces[space] == NULL)
        return;
    edb_status status = edb_delete(stage->spaces[space], name, bytes);
    if (status == EDB_NOT_FOUND && account_knows(&stage->account, space, key) == 1)
        stage_wrong(stage, "delete: key %d is not found", key);
    if (status != EDB_NOT_FOUND)
        judge_write(stage, status, "delete");
    account_change(&stage->account, space, key, 0);
    settle(stage, status, stage->durable);
}

/* One call of the transaction; false when it is not to go on. */
static bool added(struct stage *stage, edb_status status, const char *call)
{
    judge_write(stage, status, call);
    return status == EDB_OK;
}

static bool fill_transaction(struct stage *stage, edb_txn *txn, int first)
{
    struct value value;
    for (int i = 0; i < 6; i++) {
        int space = i % 2;
        int key = first + i / 2;
        uint8_t version = next_version(&stage->account, space, key);
        fill_value(stage, space, key, version, &value);
        account_change(&stage->account, space, key, version);
        if (!added(stage,
                   edb_txn_put(txn, stage->spaces[space], value.key, value.key_bytes, value.vector,
                               &value.options),
                   "txn_put"))
            return false;
    }
    char name[16];
    size_t bytes = name_key(first + 3, name);
    account_change(&stage->account, 0, first + 3, 0);
    return added(stage, edb_txn_delete(txn, stage->spaces[0], name, bytes), "txn_delete");
}

void stage_transaction(struct stage *stage, int first, edb_durability durability)
{
    edb_txn *txn = NULL;
    edb_status status = EDB_INVALID;
    if (stage->spaces[0] == NULL || stage->spaces[1] == NULL)
        return;
    if (added(stage, edb_begin(stage->db, &txn), "begin") && fill_transaction(stage, txn, first)) {
        status = edb_commit(txn, durability);
        judge_write(stage, status, "commit");
    } else
        edb_abort(txn);
    settle(stage, status, durability == EDB_DURABLE);
}

void stage_transaction_over_compaction(struct stage *stage, int space, int first, int count)
{
    struct value value;
    edb_txn *txn = NULL;
    edb_status status = EDB_INVALID;
    if (stage->spaces[space] == NULL || !added(stage, edb_begin(stage->db, &txn), "begin"))
        return;
    bool goes_on = true;
    for (int key = first; key < first + count && goes_on; key++) {
        if (key == first + count / 2)
            stage_compact(stage);
        uint8_t version = next_version(&stage->account, space, key);
        fill_value(stage, space, key, version, &value);
        account_change(&stage->account, space, key, version);
        goes_on = added(stage,
                        edb_txn_put(txn, stage->spaces[space], value.key, value.key_bytes,
                                    value.vector, &value.options),
                        "txn_put");
    }
    if (goes_on) {
        status = edb_commit(txn, EDB_LAZY);
        judge_write(stage, status, "commit");
    } else
        edb_abort(txn);
    settle(stage, status, false);
}

void stage_sync(struct stage *stage)
{
    if (stage->db == NULL)
        return;
    edb_status status = edb_sync(stage->db);
    judge_write(stage, status, "sync");
    if (status == EDB_OK)
        account_promise(&stage->account);
}

/* Whatever it says, no record has changed; the new file is durable. */
void stage_compact(struct stage *stage)
{
    if (stage->db == NULL)
        return;
    stage->compacts = true;
    edb_status status = edb_compact(stage->db, NULL, NULL);
    judge_write(stage, status, "compact");
    if (status == EDB_OK)
        account_promise(&stage->account);
}

/* ------------------------------------------------------------------------------------- a budget */

void stage_limits(struct stage *stage, int space, const edb_limits *limits, int least)
{
    edb_limits told = EDB_LIMITS_INIT;
    edb_space *handle = space >= 0 ? stage->spaces[space] : NULL;
    if (stage->db == NULL || (space >= 0 && handle == NULL))
        return;
    for (int each = 0; each < ACCOUNT_SPACES; each++)
        if (space < 0 || space == each)
            account_shed(&stage->account, each, least);
    edb_status status = edb_limits_set(stage->db, handle, limits);
    judge_write(stage, status, "limits");
    edb_status asked = edb_limits_get(stage->db, handle, &told);
    judge_read(stage, asked, "limits_get");
    bool same = told.max_rows == limits->max_rows && told.max_bytes == limits->max_bytes &&
                told.eviction == limits->eviction;
    if (status == EDB_OK && asked == EDB_OK && !same)
        stage_wrong(stage, "limits: others than were set");
}

/* Whatever is over a budget is gone afterwards. */
static void judge_budget(struct stage *stage, int space)
{
    edb_limits limits = EDB_LIMITS_INIT;
    edb_space_stats stats = {.struct_size = sizeof stats};
    if (stage->spaces[space] == NULL ||
        edb_limits_get(stage->db, stage->spaces[space], &limits) != EDB_OK ||
        edb_space_stats_get(stage->spaces[space], &stats) != EDB_OK)
        return;
    if (limits.max_rows > 0 && stats.live > limits.max_rows)
        stage_wrong(stage, "%llu records, where %llu are allowed", (unsigned long long)stats.live,
                    (unsigned long long)limits.max_rows);
    if (limits.max_bytes > 0 && stats.live_bytes > limits.max_bytes)
        stage_wrong(stage, "%llu bytes, where %llu are allowed",
                    (unsigned long long)stats.live_bytes, (unsigned long long)limits.max_bytes);
}

void stage_maintain(struct stage *stage)
{
    if (stage->db == NULL)
        return;
    edb_status status = edb_maintain(stage->db);
    judge_write(stage, status, "maintain");
    for (int space = 0; space < ACCOUNT_SPACES && status == EDB_OK; space++)
        judge_budget(stage, space);
}

void stage_hits(struct stage *stage, int space)
{
    edb_space_stats stats = {.struct_size = sizeof stats};
    uint64_t made = stage->account.hits[space];
    if (stage->spaces[space] == NULL)
        return;
    edb_status status = edb_space_stats_get(stage->spaces[space], &stats);
    judge_read(stage, status, "stats");
    bool wrong = stats.hits > made || (!stage->met_faults && stats.hits != made);
    if (status == EDB_OK && wrong)
        stage_wrong(stage, "%llu hits are told, where %llu were made",
                    (unsigned long long)stats.hits, (unsigned long long)made);
}

void stage_compaction_step(struct stage *stage)
{
    bool done = false;
    if (stage->db == NULL)
        return;
    stage->compacts = true;
    edb_status status = EDB_OK;
    if (!db_compaction_is_open(stage->db))
        status = db_compaction_begin(stage->db);
    else
        status = db_compaction_step(stage->db, 0, &done);
    judge_write(stage, status, "step");
    stage->compacted = stage->compacted || done;
}

/* -------------------------------------------------------------------------------------- reading */

/* A record that came is the key's, in a version that it may have now. */
static void judge_vector(struct stage *stage, int space, int key, const float *vector,
                         const char *call)
{
    float expected[ACCOUNT_DIMS];
    uint8_t version = (uint8_t)vector[1];
    fill_vector(space, key, version, expected);
    if (memcmp(vector, expected, sizeof expected) != 0)
        stage_wrong(stage, "%s: key %d has the vector of another", call, key);
    else if (!account_allows(&stage->account, space, key, version))
        stage_wrong(stage, "%s: key %d is found in version %u", call, key, version);
}

static void judge_absence(struct stage *stage, int space, int key, const char *call)
{
    if (!account_allows(&stage->account, space, key, 0))
        stage_wrong(stage, "%s: key %d is not found", call, key);
}

static void view(struct stage *stage, int space, int key)
{
    edb_view view;
    char name[16];
    char expected[32];
    size_t bytes = name_key(key, name);
    edb_status status = edb_view_key(stage->spaces[space], name, bytes, &view);
    judge_read(stage, status, "view");
    if (status == EDB_NOT_FOUND)
        judge_absence(stage, space, key, "view");
    if (status == EDB_OK) {
        stage->account.hits[space]++;
        judge_vector(stage, space, key, view.vector, "view");
        char *json = NULL;
        edb_status decoded = edb_view_metadata_json(&view, &json);
        judge_read(stage, decoded, "metadata");
        snprintf(expected, sizeof expected, "{\"version\":%u}",
                 (unsigned)((const float *)view.vector)[1]);
        if (decoded == EDB_OK && key % 4 == 0 && (json == NULL || strcmp(json, expected) != 0))
            stage_wrong(stage, "view: key %d has other metadata", key);
        edb_free(json);
    }
    edb_view_release(&view);
}

void stage_get(struct stage *stage, int space, int key)
{
    char name[16];
    float vector[ACCOUNT_DIMS];
    size_t bytes = name_key(key, name);
    if (stage->spaces[space] == NULL)
        return;
    edb_status status = edb_get(stage->spaces[space], name, bytes, vector);
    judge_read(stage, status, "get");
    stage->account.hits[space] += status == EDB_OK;
    if (status == EDB_OK)
        judge_vector(stage, space, key, vector, "get");
    if (status == EDB_NOT_FOUND)
        judge_absence(stage, space, key, "get");
    view(stage, space, key);
}

void stage_get_many(struct stage *stage, int space, int first, int count)
{
    enum { MANY = 64 };
    char names[MANY][16];
    edb_key keys[MANY] = {{NULL, 0}};
    float matrix[MANY * ACCOUNT_DIMS];
    uint8_t found[MANY];
    count = count < MANY ? count : MANY;
    if (stage->spaces[space] == NULL)
        return;
    for (int i = 0; i < count; i++)
        keys[i] = (edb_key){names[i], name_key(first + i, names[i])};
    edb_status status = edb_get_many(stage->spaces[space], keys, (size_t)count, matrix, found);
    judge_read(stage, status, "get_many");
    for (int i = 0; i < count && status == EDB_OK; i++) {
        stage->account.hits[space] += found[i];
        if (found[i])
            judge_vector(stage, space, first + i, matrix + i * ACCOUNT_DIMS, "get_many");
        else
            judge_absence(stage, space, first + i, "get_many");
    }
}

static void iterate(struct stage *stage, int space, int compact_at)
{
    edb_iterator *iterator;
    edb_view view;
    int seen = 0;
    if (stage->spaces[space] == NULL)
        return;
    edb_status status = edb_iterate(stage->spaces[space], &iterator);
    judge_read(stage, status, "iterate");
    if (status != EDB_OK)
        return;
    /* Every record comes once, or an error in its place. */
    while ((status = edb_next(iterator, &view)) != EDB_NOT_FOUND && seen <= stage->account.keys) {
        seen++;
        judge_read(stage, status, "next");
        if (status == EDB_OK)
            judge_vector(stage, space, (int)((const float *)view.vector)[0], view.vector, "next");
        edb_view_release(&view);
        if (seen == compact_at)
            stage_compact(stage);
    }
    int sure = 0;
    for (int key = 0; key < stage->account.keys; key++)
        sure += account_knows(&stage->account, space, key) == 1;
    if (seen < sure)
        stage_wrong(stage, "next: %d records, where %d are", seen, sure);
    edb_iterator_close(iterator);
}

/* Whether what is said of each key is possible. */
static void judge_claims(struct stage *stage, int space, int first, edb_status status,
                         const edb_claims *claims)
{
    judge_read(stage, status, "claim");
    for (size_t i = 0; claims != NULL && i < claims->n; i++) {
        int key = first + (int)i;
        int knows = account_knows(&stage->account, space, key);
        if (knows == (claims->states[i] == EDB_CLAIM_HIT ? 0 : 1))
            stage_wrong(stage, "claim: key %d is %d", key, claims->states[i]);
    }
}

/* What the other handle is told while the keys of `held` are claimed, and when they no longer are
 * (NULL). */
static void claim_other(struct stage *stage, int space, const edb_key *keys, size_t count,
                        const edb_claims *held)
{
    edb_claims *claims;
    if (stage->other_spaces[space] == NULL ||
        edb_claim(stage->other_spaces[space], keys, count, &claims) != EDB_OK)
        return;
    for (size_t i = 0; held != NULL && i < count; i++)
        if (held->states[i] == EDB_CLAIM_MINE && claims->states[i] == EDB_CLAIM_MINE)
            stage_wrong(stage, "claim: key %zu has two owners", i);
    if (held == NULL && claims->waiting > 0)
        stage_wrong(stage, "claim: %zu keys are claimed by nobody", claims->waiting);
    edb_claim_release(claims);
}

void stage_claim(struct stage *stage, int space, int first, int count, bool compacts)
{
    enum { MANY = 64 };
    char names[MANY][16];
    edb_key keys[MANY] = {{NULL, 0}};
    edb_claims *claims;
    if (stage->spaces[space] == NULL)
        return;
    for (int i = 0; i < count; i++)
        keys[i] = (edb_key){names[i], name_key(first + i, names[i])};
    edb_status status = edb_claim(stage->spaces[space], keys, (size_t)count, &claims);
    judge_claims(stage, space, first, status, claims);
    if ((claims != NULL) != (status == EDB_OK))
        stage_wrong(stage, "claim: %s gave claims, or none", edb_status_name(status));
    if (status == EDB_OK)
        claim_other(stage, space, keys, (size_t)count, claims);
    if (status == EDB_OK && compacts)
        stage_compact(stage);
    for (int i = 0; status == EDB_OK && i < count; i++)
        if (claims->states[i] == EDB_CLAIM_MINE)
            stage_put(stage, space, first + i);
    if (status == EDB_OK)
        judge_claims(stage, space, first, edb_claim_wait(claims, 0), claims);
    edb_claim_release(claims);
    claim_other(stage, space, keys, (size_t)count, NULL);
}

void stage_iterate(struct stage *stage, int space)
{
    iterate(stage, space, -1);
}

void stage_iterate_over_compaction(struct stage *stage, int space)
{
    iterate(stage, space, 3);
}

/* The past is judged by the account of then. */
void stage_look_back(struct stage *stage, int space, void (*go_on)(struct stage *stage))
{
    struct stage past = {.armed = stage->armed, .met_faults = stage->met_faults};
    edb_open_options options = EDB_OPEN_OPTIONS_INIT;
    options.flags = EDB_OPEN_SNAPSHOT;
    account_open(&past.account, stage->account.keys);
    account_copy(&past.account, &stage->account);
    edb_status status = edb_open(stage_path, &options, &past.db);
    if (status == EDB_OK)
        status = edb_space_find(past.db, space_names[space], &past.spaces[space]);
    judge_write(&past, status, "snapshot");
    go_on(stage);
    for (int key = 0; key < past.account.keys && status == EDB_OK; key++)
        stage_get(&past, space, key);
    stage_iterate(&past, space);
    edb_close(past.db);
    if (past.wrong[0] != '\0')
        stage_wrong(stage, "looking back: %s", past.wrong);
    account_close(&past.account);
}

void stage_search(struct stage *stage, int space)
{
    float query[ACCOUNT_DIMS];
    edb_result *results;
    edb_search_options options = EDB_SEARCH_OPTIONS_INIT;
    options.k = 1;
    if (stage->spaces[space] == NULL)
        return;
    fill_vector(space, 1, 1, query);
    edb_status status = edb_search(stage->spaces[space], query, 1, &options, &results);
    judge_read(stage, status, "search");
    if (status == EDB_OK && account_knows(&stage->account, space, 1) == 1) {
        if (results->count != 1)
            stage_wrong(stage, "search: %zu hits", results->count);
        else if (space == 1 && !account_allows(&stage->account, 1, 1, 2) &&
                 results->hits[0].score != 0.0f)
            stage_wrong(stage, "search: the nearest is %f away", (double)results->hits[0].score);
    }
    edb_free(results);
}
