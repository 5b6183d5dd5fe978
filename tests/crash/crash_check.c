/* The check of a crash image. It trusts nothing that recovery says of itself: every key that the
 * workload ever used is read, and every value must be one that was written, whole. Together they
 * must be the content after one operation that the acknowledgements allow: nothing durable is
 * missing, nothing is half there, nothing comes from nowhere. */
#include "crash/crash_check.h"

#include <stdio.h>
#include <string.h>

#include "crash/crash_workload.h"
#include "embedcache.h"
#include "os/os_sim.h"

static const char extra_key[] = "written after the crash";

/* Acknowledged by the recovered file; above all numbers of a workload. */
enum { AFTER_MARK = 1 << 20 };

/* A sentence about what is wrong; empty while all is well. */
struct verdict {
    char text[400];
};

static bool object(struct verdict *verdict, const char *what)
{
    if (verdict->text[0] == '\0')
        snprintf(verdict->text, sizeof verdict->text, "%s: %s", what, edb_error_detail());
    return false;
}

static bool read_value(edb_space *space, uint32_t s, uint32_t k, uint16_t *version_out,
                       struct verdict *verdict)
{
    char key[HISTORY_TEXT_BYTES];
    char text[HISTORY_TEXT_BYTES];
    float expected[HISTORY_DIMS_MAX];
    edb_view view;
    *version_out = 0;
    history_key(s, k, key);
    edb_status status = edb_view_key(space, key, strlen(key), &view);
    if (status == EDB_NOT_FOUND)
        return true;
    if (status != EDB_OK)
        return object(verdict, "a record cannot be read");
    memcpy(expected, view.vector, sizeof expected[0]);
    uint16_t version = (uint16_t)expected[0];
    history_vector(s, k, version, expected);
    bool has_text = history_text(k, version, text);
    bool right = view.vector_bytes == 4 * history_dims(s) &&
                 memcmp(view.vector, expected, view.vector_bytes) == 0 &&
                 (view.has_text != 0) == has_text && (!has_text || strcmp(view.text, text) == 0);
    edb_view_release(&view);
    *version_out = version;
    return right || object(verdict, "a wrong value");
}

static bool read_space(edb *db, uint32_t s, struct history_state *found, struct verdict *verdict)
{
    edb_space *space;
    edb_status status = edb_space_find(db, s == 0 ? "a" : "b", &space);
    if (status == EDB_NOT_FOUND)
        return true;
    if (status != EDB_OK)
        return object(verdict, "a space cannot be opened");
    found->spaces++;
    for (uint32_t k = 0; k < HISTORY_KEYS; k++)
        if (!read_value(space, s, k, &found->version[s][k], verdict))
            return false;
    return true;
}

static bool read_content(edb *db, struct history_state *found, struct verdict *verdict)
{
    memset(found, 0, sizeof *found);
    found->exists = true;
    for (uint32_t s = 0; s < HISTORY_SPACES; s++)
        if (!read_space(db, s, found, verdict))
            return false;
    return true;
}

/* Opens the file as it is, reads all of it, and closes it. */
static bool look(uint32_t flags, struct history_state *found, bool verify, struct verdict *verdict)
{
    edb *db;
    edb_open_options options = EDB_OPEN_OPTIONS_INIT;
    options.flags = flags | EDB_OPEN_EXISTING;
    edb_status status = edb_open(WORKLOAD_PATH, &options, &db);
    if (status == EDB_NOT_FOUND) {
        memset(found, 0, sizeof *found);
        return true;
    }
    if (status != EDB_OK)
        return object(verdict, "the file cannot be opened");
    bool good = read_content(db, found, verdict);
    if (good && verify && edb_verify(db, NULL, NULL, NULL) != EDB_OK)
        good = object(verdict, "verify finds damage");
    edb_close(db);
    return good;
}

/* One lazy put, as the workloads make them: where it stands, bytes of a lost group may stand behind
 * it. */
static bool put_after(edb *db, struct history_state *content)
{
    edb_space *space;
    edb_txn *txn;
    char key[HISTORY_TEXT_BYTES];
    char text[HISTORY_TEXT_BYTES];
    float vector[HISTORY_DIMS_MAX];
    edb_put_options options = EDB_PUT_OPTIONS_INIT;
    if (content->spaces == 0)
        return true;
    history_key(0, HISTORY_KEYS / 2, key);
    history_vector(0, HISTORY_KEYS / 2, HISTORY_AFTER, vector);
    if (history_text(HISTORY_KEYS / 2, HISTORY_AFTER, text))
        options.text = text;
    content->version[0][HISTORY_KEYS / 2] = HISTORY_AFTER;
    return edb_space_find(db, "a", &space) == EDB_OK && edb_begin(db, &txn) == EDB_OK &&
           edb_txn_put(txn, space, key, strlen(key), vector, &options) == EDB_OK &&
           edb_commit(txn, EDB_LAZY) == EDB_OK;
}

/* Recovery must leave a file that takes a lazy and a durable commit, and keeps what was there.
 * `content` becomes what is there now. */
static bool write_after(struct history_state *content, struct verdict *verdict)
{
    edb *db;
    edb_space *space;
    edb_open_options options = EDB_OPEN_OPTIONS_INIT;
    options.flags = EDB_OPEN_EXISTING;
    options.durability = EDB_DURABLE;
    float vector[HISTORY_DIMS_MAX] = {7};
    struct history_state again;
    if (edb_open(WORKLOAD_PATH, &options, &db) != EDB_OK)
        return object(verdict, "the file cannot be opened for writing");
    edb_space_spec spec = EDB_SPACE_SPEC_INIT;
    spec.name = "after";
    spec.dims = 3;
    bool good = put_after(db, content) && edb_space_open(db, &spec, &space) == EDB_OK &&
                edb_put(space, extra_key, sizeof extra_key, vector, NULL) == EDB_OK;
    if (good)
        os_sim_mark(AFTER_MARK);
    else
        object(verdict, "the recovered file cannot be written");
    if (edb_close(db) != EDB_OK)
        good = object(verdict, "the recovered file cannot be closed");
    if (!good || !look(EDB_OPEN_READ_ONLY, &again, true, verdict))
        return false;
    return memcmp(again.version, content->version, sizeof again.version) == 0 ||
           object(verdict, "the content changed when the file was recovered");
}

static bool allowed(const struct crash_checker *checker, uint64_t acknowledged,
                    const struct history_state *found, struct verdict *verdict)
{
    return history_allows(checker->history, acknowledged, found) ||
           object(verdict, "the content is that of no operation that the acknowledgements allow");
}

/* A slot that was whole on the device stays so until a newer one is (7): opening never falls back
 * further than to it. */
static bool a_slot_survives(const struct crash_checker *checker, const struct crash_state *state)
{
    uint64_t acknowledged = state->acknowledged < checker->history->count ? state->acknowledged : 0;
    uint64_t expected = checker->history->states[acknowledged].generation;
    for (size_t i = 0; i < state->file_count; i++)
        if (strcmp(state->files[i].name, WORKLOAD_PATH) == 0)
            return history_generation(state->files[i].bytes, state->files[i].count) >= expected;
    return expected == 0;
}

/* What the check of a crashed recovery needs to know of the states before it. */
struct second {
    struct crash_checker *checker;
    uint64_t acknowledged;        /* when the power failed for the first time */
    struct history_state content; /* of the recovered file */
    unsigned depth;               /* how often it has failed in the images that are checked now */
};

static bool check_recovery(struct crash_checker *checker, const struct crash_state *state,
                           uint64_t acknowledged, const struct history_state *found,
                           unsigned depth);

/* Whether the recovery from an image of this depth is to be crashed, too. */
static bool is_chosen(const struct crash_checker *checker, const struct crash_state *state,
                      unsigned depth)
{
    return depth < checker->depth && state->hash % checker->recover_one_in[depth - 1] == 0;
}

/* An image that a crash of the recovery left: the content is still the same, and the extra key is
 * there once it was acknowledged, by whichever of the recoveries. */
static bool check_second(void *arg, const struct crash_state *state)
{
    struct second *second = arg;
    struct crash_checker *checker = second->checker;
    struct verdict verdict = {""};
    struct history_state found;
    checker->states[second->depth - 1]++;
    crash_install(state, checker->seed);
    bool good = look(EDB_OPEN_READ_ONLY, &found, false, &verdict);
    /* What was not durable may be lost by this crash, as by the first one. */
    if (good)
        good = allowed(checker, second->acknowledged, &found, &verdict);
    if (good && state->acknowledged == AFTER_MARK &&
        memcmp(found.version, second->content.version, sizeof found.version) != 0)
        good = object(&verdict, "after a durable commit something older is missing");
    if (good && is_chosen(checker, state, second->depth))
        return check_recovery(checker, state, second->acknowledged, &found, second->depth) ||
               !checker->stop_at_first;
    if (good)
        return true;
    checker->bad++;
    if (!checker->quiet)
        fprintf(stderr, "BAD after %u crashes (%s, operation %zu): %s\n", second->depth,
                crash_kind_name(state->kind), state->operations, verdict.text);
    return !checker->stop_at_first;
}

/* A quarter of those who recover write the file anew at once. */
static bool recover(struct crash_checker *checker, const struct crash_state *state,
                    struct history_state *content)
{
    struct verdict verdict = {""};
    edb *db;
    edb_open_options options = EDB_OPEN_OPTIONS_INIT;
    options.flags = EDB_OPEN_EXISTING;
    if (!write_after(content, &verdict))
        return false;
    if (state->hash / 4096 % 4 != 0)
        return true;
    checker->compacted++;
    bool good = edb_open(WORKLOAD_PATH, &options, &db) == EDB_OK;
    good = good && edb_compact(db, NULL, NULL) == EDB_OK;
    return edb_close(db) == EDB_OK && good;
}

/* Crashes the recovery from an image of that depth. */
static bool check_recovery(struct crash_checker *checker, const struct crash_state *state,
                           uint64_t acknowledged, const struct history_state *found, unsigned depth)
{
    struct os_sim_journal journal;
    struct crash_counts counts = {0};
    struct crash_options options = {checker->seed ^ state->hash, 24};
    struct second second = {checker, acknowledged, *found, depth + 1};
    uint64_t bad = checker->bad;
    crash_install(state, checker->seed);
    if (!recover(checker, state, &second.content)) {
        checker->bad++;
        if (!checker->quiet)
            fprintf(stderr,
                    "BAD after %u crashes (%s, operation %zu): it cannot be recovered: %s\n", depth,
                    crash_kind_name(state->kind), state->operations, edb_error_detail());
        return false;
    }
    if (os_sim_journal_copy(&journal) != EDB_OK)
        return true;
    crash_explore(&journal, state, &options, check_second, &second, &counts);
    os_sim_journal_free(&journal);
    return checker->bad == bad;
}

bool crash_check_state(void *arg, const struct crash_state *state)
{
    struct crash_checker *checker = arg;
    struct verdict verdict = {""};
    struct history_state found;
    checker->states[0]++;
    bool good = a_slot_survives(checker, state);
    if (!good) {
        checker->slots_lost++;
        object(&verdict, "the newest slot on the device was lost with no newer one in its place");
    }
    crash_install(state, checker->seed);
    good = good && look(EDB_OPEN_READ_ONLY, &found, state->hash % 16 == 0, &verdict) &&
           allowed(checker, state->acknowledged, &found, &verdict);
    struct history_state content = found;
    if (good && found.exists && state->hash % 4 == 0)
        good = write_after(&content, &verdict);
    if (good && found.exists && is_chosen(checker, state, 1))
        return check_recovery(checker, state, state->acknowledged, &found, 1) ||
               !checker->stop_at_first;
    if (good)
        return true;
    checker->bad++;
    if (!checker->quiet)
        fprintf(stderr, "BAD (%s, operation %zu, acknowledged %llu): %s\n",
                crash_kind_name(state->kind), state->operations,
                (unsigned long long)state->acknowledged, verdict.text);
    return !checker->stop_at_first;
}
