/* The workloads. Called by the crash tests and by the mutants. */
#include "crash/crash_workload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "db/db_compact.h"
#include "embedcache.h"
#include "os/os_sim.h"

struct workload {
    enum workload_kind kind;
    struct random_source random;
    struct history *history;
    struct history_state now;
    edb *handles[2];
    edb_space *spaces[2][HISTORY_SPACES];
    edb *dropped[64]; /* handles of processes that died; closed when all is over */
    size_t dropped_count;
    size_t h;       /* whose turn it is */
    int meanwhile;  /* commits that are still to come while the file is compacted */
    bool wrote[2];  /* since it was opened: closing makes that durable */
    bool overtaken; /* the other one has compacted the file while this one's steps stood idle */
    bool unnamed;   /* the file was written anew, and power loss may bring the one before back */
    struct workload_counts *counts;
    uint64_t sessions; /* opened so far */
    uint64_t session[2];
    uint64_t last_session; /* that committed */
    bool lazy;             /* something was committed since the last sync */
    uint16_t ahead;        /* operations that will be noted before the one that is being made */
};

const char *workload_name(enum workload_kind kind)
{
    static const char *const names[] = {
        "durable puts",        "lazy puts",    "mixed", "reopen",     "two writers",
        "sync fails",          "sync reverts", "dying", "compaction", "compaction by one of two",
        "compaction in steps", "hand-over"};
    return names[kind];
}

static void die(const char *what, edb_status status)
{
    fprintf(stderr, "workload: %s: %s: %s\n", what, edb_status_name(status), edb_error_detail());
    exit(1);
}

static uint32_t below(struct workload *w, uint32_t limit)
{
    return (uint32_t)random_below(&w->random, limit);
}

/* What the device has of the slots, whatever the page cache says. */
static uint64_t generation_on_device(void)
{
    static uint8_t head[HISTORY_HEAD_BYTES];
    struct os_file *file;
    uint64_t generation = 0;
    if (os_sim.open(WORKLOAD_PATH, false, &file) != EDB_OK)
        return 0;
    if (os_sim.read_device(file, 0, head, sizeof head) == EDB_OK)
        generation = history_generation(head, sizeof head);
    os_sim.close(file);
    return generation;
}

/* The operation is over: what it left, and whether it was acknowledged as durable. */
static void note(struct workload *w, bool durable)
{
    struct history *history = w->history;
    if (history->count == HISTORY_OPERATIONS_MAX)
        die("too many operations", EDB_INVALID);
    w->now.durable = durable;
    w->unnamed &= !durable;
    if (!w->unnamed)
        w->now.generation = generation_on_device();
    history->states[history->count] = w->now;
    os_sim_mark(history->count);
    history->count++;
}

static uint16_t version_now(const struct workload *w)
{
    return (uint16_t)(w->history->count + w->ahead);
}

/* The handle whose turn it is has committed. */
static void count_commit(struct workload *w, bool durable)
{
    if (w->last_session != 0 && w->session[w->h] != w->last_session) {
        w->counts->hand_overs++;
        w->counts->taken_lazy += w->lazy;
    }
    w->last_session = w->session[w->h];
    w->lazy = !durable;
}

static void open_handle(struct workload *w, size_t h, bool durable)
{
    edb_open_options options = EDB_OPEN_OPTIONS_INIT;
    options.durability = durable ? EDB_DURABLE : EDB_LAZY;
    edb_status status = edb_open(WORKLOAD_PATH, &options, &w->handles[h]);
    w->wrote[h] = false;
    w->session[h] = ++w->sessions;
    if (status != EDB_OK)
        die("open", status);
    if (!w->now.exists) {
        w->now.exists = true;
        note(w, true);
    }
    for (uint32_t s = 0; s < HISTORY_SPACES; s++) {
        edb_space_spec spec = EDB_SPACE_SPEC_INIT;
        spec.name = s == 0 ? "a" : "b";
        spec.dims = history_dims(s);
        status = edb_space_open(w->handles[h], &spec, &w->spaces[h][s]);
        if (status != EDB_OK)
            die("space", status);
        if (w->now.spaces == s) {
            w->now.spaces = s + 1;
            w->wrote[h] = true;
            note(w, durable);
        }
    }
}

static void add_change(struct workload *w, edb_txn *txn, uint32_t s, uint32_t k, bool put)
{
    char key[HISTORY_TEXT_BYTES];
    char text[HISTORY_TEXT_BYTES];
    float vector[HISTORY_DIMS_MAX];
    uint16_t version = version_now(w);
    edb_put_options options = EDB_PUT_OPTIONS_INIT;
    edb_status status;
    history_key(s, k, key);
    history_vector(s, k, version, vector);
    if (history_text(k, version, text))
        options.text = text;
    if (put)
        status = edb_txn_put(txn, w->spaces[w->h][s], key, strlen(key), vector, &options);
    else
        status = edb_txn_delete(txn, w->spaces[w->h][s], key, strlen(key));
    if (status != EDB_OK)
        die("change", status);
    w->counts->deletes += !put && w->now.version[s][k] != 0;
    w->now.version[s][k] = put ? version : 0;
}

/* One transaction of `changes` changes in one or both spaces. */
static edb_status transact(struct workload *w, uint32_t changes, uint32_t deletes_in_ten,
                           bool durable)
{
    edb_txn *txn;
    struct history_state before = w->now;
    bool both = below(w, 3) == 0;
    uint32_t space = below(w, HISTORY_SPACES);
    edb_status status = edb_begin(w->handles[w->h], &txn);
    if (status != EDB_OK)
        die("begin", status);
    for (uint32_t i = 0; i < changes; i++)
        add_change(w, txn, both ? i % 2 : space, below(w, HISTORY_KEYS),
                   below(w, 10) >= deletes_in_ten);
    if (memcmp(before.version, w->now.version, sizeof before.version) != 0)
        w->wrote[w->h] = true;
    w->counts->transactions += changes > 1;
    return edb_commit(txn, durable ? EDB_DURABLE : EDB_LAZY);
}

static bool choose_durable(struct workload *w)
{
    if (w->kind == WORKLOAD_DURABLE_PUTS)
        return true;
    return w->kind != WORKLOAD_LAZY_PUTS && below(w, 3) == 0;
}

static void change_something(struct workload *w, bool durable)
{
    static const uint32_t sizes[] = {1, 1, 1, 2, 5, 24};
    bool large = w->kind == WORKLOAD_REOPEN && below(w, 2) == 0; /* enough for sections to be
                                                                    written */
    uint32_t changes = w->kind <= WORKLOAD_LAZY_PUTS ? 1 : large ? 40 : sizes[below(w, 6)];
    edb_status status = transact(w, changes, w->kind <= WORKLOAD_LAZY_PUTS ? 0 : 2, durable);
    if (status != EDB_OK)
        die("commit", status);
    count_commit(w, durable);
    note(w, durable);
}

/* Hits and misses, which the handle hands over when it is closed; and limits that drive nothing
 * out, so that it keeps marks of them. */
static void use_something(struct workload *w)
{
    edb *db = w->handles[w->h];
    edb_limits limits = EDB_LIMITS_INIT;
    edb_space *space;
    edb_view view;
    limits.max_rows = 1000000;
    if (below(w, 4) == 0 && edb_limits_set(db, NULL, &limits) != EDB_OK)
        die("limits", EDB_IO);
    if (edb_space_at(db, below(w, HISTORY_SPACES), &space) != EDB_OK)
        return;
    for (uint32_t i = 0; i < 6; i++) {
        uint32_t key = below(w, HISTORY_KEYS);
        if (edb_view_key(space, &key, 1 + i % 2, &view) == EDB_OK)
            edb_view_release(&view);
    }
}

static void close_and_open(struct workload *w)
{
    w->overtaken &= w->h != 0; /* which closes the compaction as well */
    if (w->kind == WORKLOAD_REOPEN || w->kind >= WORKLOAD_COMPACT)
        use_something(w);
    edb_status status = edb_close(w->handles[w->h]);
    if (status != EDB_OK)
        die("close", status);
    w->lazy = w->lazy && !w->wrote[w->h];
    note(w, w->wrote[w->h]);
    open_handle(w, w->h, false);
}

static void sync_all(struct workload *w)
{
    edb_status status = edb_sync(w->handles[w->h]);
    if (status != EDB_OK)
        die("sync", status);
    w->lazy = false;
    note(w, true);
}

/* The other handle commits while the copy is made. */
static int write_meanwhile(void *arg, uint64_t done, uint64_t total)
{
    struct workload *w = arg;
    (void)done;
    (void)total;
    if (w->kind != WORKLOAD_COMPACT_TWO || w->meanwhile == 0 || below(w, 2) == 0)
        return 0;
    w->meanwhile--;
    w->h = 1 - w->h;
    change_something(w, choose_durable(w));
    w->h = 1 - w->h;
    return 0;
}

/* The content stays what it was, and is durable whatever it was before. */
static void compact(struct workload *w)
{
    edb_compact_options options = EDB_COMPACT_OPTIONS_INIT;
    options.progress = write_meanwhile;
    options.arg = w;
    w->meanwhile = 3;
    edb_status status = edb_compact(w->handles[w->h], &options, NULL);
    if (status != EDB_OK)
        die("compact", status);
    w->counts->compactions++;
    w->lazy = false;
    note(w, true);
}

/* The one that is under way is given up, and nothing else. */
static void meet_another_file(struct workload *w)
{
    bool done;
    w->overtaken = false;
    edb_status status = db_compaction_step(w->handles[0], 0, &done);
    if (status != EDB_BUSY || db_compaction_is_open(w->handles[0]))
        die("a step of a compaction that was overtaken", status);
    w->counts->overtaken++;
}

/* The next piece, or the beginning. When it is done the content is what it was, in a file that may
 * not have its name for ever yet. */
static void compact_a_step(struct workload *w)
{
    bool done = false;
    edb *db = w->handles[0];
    if (w->overtaken) {
        meet_another_file(w);
        return;
    }
    bool begins = !db_compaction_is_open(db);
    edb_status status = begins ? db_compaction_begin(db) : db_compaction_step(db, 0, &done);
    if (status != EDB_OK)
        die("a step of a compaction", status);
    done = done && !begins;
    w->wrote[0] |= done;
    w->unnamed |= done;
    if (begins || done)
        note(w, false);
}

/* The other handle does it at once, whatever the steps of the first have come to. */
static void compact_meanwhile(struct workload *w)
{
    w->h = 1;
    compact(w);
    w->overtaken = db_compaction_is_open(w->handles[0]);
}

/* The process is gone, its handle is not closed. Its lock went with it: it was taken only inside
 * the calls. */
static void drop_handle(struct workload *w)
{
    w->counts->deaths++;
    if (w->dropped_count < sizeof w->dropped / sizeof w->dropped[0])
        w->dropped[w->dropped_count++] = w->handles[w->h];
    open_handle(w, w->h, false);
}

static bool is_there(struct workload *w, const struct history_state *state)
{
    for (uint32_t s = 0; s < HISTORY_SPACES; s++)
        for (uint32_t k = 0; k < HISTORY_KEYS; k++) {
            char key[HISTORY_TEXT_BYTES];
            float vector[HISTORY_DIMS_MAX];
            history_key(s, k, key);
            edb_status status = edb_get(w->spaces[w->h][s], key, strlen(key), vector);
            uint16_t version = status == EDB_OK ? (uint16_t)vector[0] : 0;
            if (version != state->version[s][k])
                return false;
        }
    return true;
}

/* The content is that of the newest operation which is still there: the unknown one, or (REVERT)
 * any since the last that was durable. */
static void fall_back(struct workload *w)
{
    const struct history *history = w->history;
    for (size_t n = history->count - 1;; n--) {
        if (is_there(w, &history->states[n])) {
            w->now = history->states[n];
            return;
        }
        if (n == 0 || history->states[n].durable)
            die("after a failed sync the content is that of no operation", EDB_CORRUPT);
    }
}

/* A durable commit whose sync fails: its outcome is unknown until the file is opened again. */
static void fail_a_sync(struct workload *w)
{
    bool reverts = w->kind == WORKLOAD_REVERT;
    os_sim_fail_sync(1, reverts ? OS_SIM_REVERT : OS_SIM_KEEP);
    edb_status status = transact(w, 1 + below(w, 3), 2, true);
    os_sim_fail_sync(0, OS_SIM_KEEP);
    if (status == EDB_OK) { /* nothing to write: deletes of absent keys */
        note(w, false);
        return;
    }
    if (status != EDB_IO)
        die("a commit whose sync fails", status);
    if (edb_sync(w->handles[w->h]) == EDB_OK) /* (11) */
        die("a sync was tried again", EDB_OK);
    *(reverts ? &w->counts->failed_reverted : &w->counts->failed_kept) += 1;
    count_commit(w, false);
    note(w, false);
    drop_handle(w);
    fall_back(w);
    note(w, false);
}

/* A transaction is filled by one session and committed behind a commit of the other. */
static void commit_across(struct workload *w)
{
    edb_txn *txn;
    size_t mine = w->h;
    struct history_state before = w->now;
    edb_status status = edb_begin(w->handles[mine], &txn);
    if (status != EDB_OK)
        die("begin", status);
    w->ahead = 1;
    for (uint32_t i = 0; i < 4; i++)
        add_change(w, txn, i % 2, below(w, HISTORY_KEYS), true);
    w->ahead = 0;
    struct history_state filled = w->now;
    w->now = before;
    w->h = 1 - mine;
    change_something(w, choose_durable(w));
    w->h = mine;
    for (uint32_t s = 0; s < HISTORY_SPACES; s++)
        for (uint32_t k = 0; k < HISTORY_KEYS; k++)
            if (filled.version[s][k] != before.version[s][k])
                w->now.version[s][k] = filled.version[s][k];
    bool durable = choose_durable(w);
    status = edb_commit(txn, durable ? EDB_DURABLE : EDB_LAZY);
    if (status != EDB_OK)
        die("commit behind another", status);
    w->counts->crossed++;
    w->wrote[mine] = true;
    count_commit(w, durable);
    note(w, durable);
}

/* The other session's turn, whatever this one has left unsynced. */
static void hand_over(struct workload *w)
{
    uint32_t dice = below(w, 20);
    w->h = 1 - w->h;
    if (dice < 8)
        for (uint32_t n = below(w, 3) + 1; n > 0; n--)
            change_something(w, false);
    else if (dice < 12)
        change_something(w, true);
    else if (dice < 15)
        commit_across(w);
    else if (dice < 17)
        drop_handle(w);
    else if (dice < 18)
        close_and_open(w);
    else if (dice < 19)
        sync_all(w);
    else
        fail_a_sync(w);
}

static void step(struct workload *w)
{
    if (w->kind == WORKLOAD_HAND_OVER) {
        hand_over(w);
        return;
    }
    uint32_t dice = below(w, 20);
    bool compacts = w->kind == WORKLOAD_COMPACT || w->kind == WORKLOAD_COMPACT_TWO;
    if (w->kind == WORKLOAD_TWO || w->kind >= WORKLOAD_COMPACT_TWO)
        w->h = below(w, 2);
    for (uint32_t left = w->kind == WORKLOAD_STEPS ? below(w, 8) : 0; left > 0; left--)
        compact_a_step(w);
    if (dice < 3 && compacts)
        compact(w);
    else if (dice == 19 && w->kind == WORKLOAD_STEPS)
        compact_meanwhile(w);
    else if ((dice < 5 && compacts) || (dice < 2 && w->kind == WORKLOAD_STEPS))
        close_and_open(w);
    else if (dice < 3 && (w->kind == WORKLOAD_REOPEN || w->kind == WORKLOAD_KEEP))
        close_and_open(w); /* which writes a slot that no sync follows */
    else if (dice < 3 && w->kind >= WORKLOAD_MIXED)
        sync_all(w);
    else if (dice < 8 && (w->kind == WORKLOAD_KEEP || w->kind == WORKLOAD_REVERT))
        fail_a_sync(w);
    else if (dice < 5 && w->kind == WORKLOAD_DYING)
        drop_handle(w);
    else
        change_something(w, choose_durable(w));
}

void workload_run(enum workload_kind kind, uint64_t seed, size_t operations,
                  struct history *history_out, struct workload_counts *counts)
{
    struct workload w = {.kind = kind, .history = history_out, .counts = counts};
    bool two = kind == WORKLOAD_TWO || kind >= WORKLOAD_COMPACT_TWO;
    w.random.state = seed;
    memset(history_out, 0, sizeof *history_out);
    history_out->count = 1; /* before everything: nothing */
    open_handle(&w, 0, false);
    if (two)
        open_handle(&w, 1, false);
    while (history_out->count < operations)
        step(&w);
    for (size_t h = 0; h < 2; h++) {
        if (w.handles[h] == NULL)
            continue;
        edb_status status = edb_close(w.handles[h]);
        if (status != EDB_OK)
            die("last close", status);
        note(&w, w.wrote[h]);
    }
    os_sim_record(false);
    for (size_t i = 0; i < w.dropped_count; i++)
        edb_close(w.dropped[i]);
}
