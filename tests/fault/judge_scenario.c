/* Playing a scenario on the simulated machine and judging what is left: by the handle that met the
 * faults, by a new handle, and by one that has only what the device has. Called by fail_io and
 * fail_memory. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fault/count_memory.h"
#include "fault/play_scenario.h"
#include "os/os_fault.h"
#include "os/os_sim.h"

enum { SEED = 7, KEYS_READ = 128 };

/* ----------------------------------------------------------------------------- what is in there */

/* Reads the whole file into a state of the account: how many spaces, which version of each key. */
static void read_state(struct stage *stage, edb *db, struct kept_account *seen)
{
    char name[16];
    float vector[ACCOUNT_DIMS];
    static const char *const names[ACCOUNT_SPACES] = {"first", "second"};
    for (int space = 0; space < ACCOUNT_SPACES; space++) {
        edb_space *handle;
        edb_status status = edb_space_find(db, names[space], &handle);
        if (status == EDB_NOT_FOUND)
            continue;
        account_settle_space(seen, space, EDB_OK);
        for (int key = 0; key < seen->keys && status == EDB_OK; key++) {
            size_t bytes = (size_t)snprintf(name, sizeof name, "k%05d", key);
            status = edb_get(handle, name, bytes, vector);
            if (status == EDB_OK)
                account_change(seen, space, key, (uint8_t)vector[1]);
            if (status == EDB_NOT_FOUND)
                status = EDB_OK;
        }
        if (status != EDB_OK)
            stage_wrong(stage, "reading afterwards: %s: %s", edb_status_name(status),
                        edb_error_detail());
    }
    account_settle(seen, EDB_OK);
}

static void tell_problem(void *arg, uint64_t offset, uint64_t bytes, const char *message)
{
    stage_wrong(arg, "verify: at %llu, %llu bytes: %s", (unsigned long long)offset,
                (unsigned long long)bytes, message);
}

/* Holds the file that the machine has now against the states from `from` on. */
static void judge_file(struct stage *stage, const struct scenario *scenario, size_t from,
                       const char *which)
{
    struct kept_account seen;
    edb *db = NULL;
    edb_open_options options = EDB_OPEN_OPTIONS_INIT;
    options.flags = EDB_OPEN_EXISTING;
    edb_status status = edb_open(stage_path, &options, &db);
    bool never_made =
        status == EDB_NOT_FOUND && from == 0 && account_spaces(&stage->account, 0) == 0;
    if (never_made)
        return;
    if (status != EDB_OK) {
        stage_wrong(stage, "%s does not open: %s: %s", which, edb_status_name(status),
                    edb_error_detail());
        return;
    }
    account_open(&seen, stage->account.keys);
    read_state(stage, db, &seen);
    bool matches = false;
    const struct kept_account *account = &stage->account;
    for (size_t state = from; state < account->count && !matches; state++)
        matches = account_matches(account, state, &seen);
    if (!matches)
        stage_wrong(stage, "%s is in none of the states that it may be in", which);
    if (!scenario->keeps_damage)
        edb_verify(db, tell_problem, stage, NULL);
    account_close(&seen);
    edb_close(db);
}

/* What failed left at most a temporary file, and the next compaction removes that. */
static void judge_next_compaction(struct stage *stage)
{
    edb *db;
    edb_open_options options = EDB_OPEN_OPTIONS_INIT;
    options.flags = EDB_OPEN_EXISTING;
    edb_status status = edb_open(stage_path, &options, &db);
    if (status == EDB_OK)
        status = edb_compact(db, NULL, NULL);
    edb_close(db);
    if (status != EDB_OK)
        stage_wrong(stage, "the next compaction: %s: %s", edb_status_name(status),
                    edb_error_detail());
    if (os_sim_named_files() != 1)
        stage_wrong(stage, "a temporary file is left");
}

/* What the device has of the file, in malloc'ed memory; NULL when there is no file. */
static uint8_t *take_device(size_t *count_out)
{
    struct os_file *file;
    uint64_t count = 0;
    uint8_t *bytes = NULL;
    if (os_sim.open(stage_path, false, &file) != EDB_OK)
        return NULL;
    if (os_sim.size(file, &count) == EDB_OK)
        bytes = malloc(count + 1);
    if (bytes != NULL && os_sim.read_device(file, 0, bytes, count) != EDB_OK) {
        free(bytes);
        bytes = NULL;
    }
    os_sim.close(file);
    *count_out = count;
    return bytes;
}

static void judge_both(struct stage *stage, const struct scenario *scenario)
{
    size_t count = 0;
    uint8_t *device = take_device(&count);
    os_use(&os_sim);
    judge_file(stage, scenario, stage->account.current_from, "the file");
    if (stage->compacts) {
        judge_next_compaction(stage);
        judge_file(stage, scenario, stage->account.current_from, "the compacted file");
    }
    if (device != NULL) {
        os_sim_begin(SEED + 1); /* another boot */
        os_sim_record(false);
        os_sim_load(stage_path, device, count);
        judge_file(stage, scenario, stage->account.durable_from, "what the device has");
    }
    free(device);
}

/* -------------------------------------------------------------------------------------- playing */

/* The handle goes on: it reads everything, and writes or says that it does not. */
static void go_on(struct stage *stage, const struct scenario *scenario)
{
    int keys = stage->account.keys < KEYS_READ ? stage->account.keys : KEYS_READ;
    for (int space = 0; space < ACCOUNT_SPACES && stage->db != NULL; space++) {
        if (account_spaces(&stage->account, stage->account.count - 1) <= space)
            continue;
        if (stage->spaces[space] == NULL)
            stage_space(stage, space);
        for (int key = 0; key < keys; key++)
            stage_get(stage, space, key);
        if (scenario->arrange == NULL || stage->other == NULL)
            stage_put(stage, space, 0);
    }
}

static void begin_machine(const uint8_t *bytes, size_t count)
{
    os_sim_begin(SEED);
    os_sim_record(false);
    if (bytes != NULL)
        os_sim_load(stage_path, bytes, count);
}

/* Plays and judges; afterwards the stage is empty again. */
static uint64_t play(const struct production *production, const struct stage_faults *faults,
                     const void *plan, struct stage *stage)
{
    const struct scenario *scenario = production->scenario;
    uint64_t strikes = 0;
    account_open(&stage->account, scenario->keys);
    account_copy(&stage->account, &production->account);
    begin_machine(production->bytes, production->count);
    os_fault_begin(&os_sim);
    os_use(&os_fault);
    if (scenario->arrange != NULL)
        scenario->arrange(stage);
    stage->armed = faults != NULL;
    stage->met_faults = stage->armed;
    if (faults != NULL)
        faults->arm(plan);
    scenario->play(stage);
    if (faults != NULL)
        strikes = faults->disarm();
    stage->armed = false;
    go_on(stage, scenario);
    stage_close(stage);
    edb_close(stage->other);
    if (os_sim_open_files() != 0 || os_fault_open_files() != 0)
        stage_wrong(stage, "a file was left open");
    judge_both(stage, scenario);
    os_use(&os_posix);
    account_close(&stage->account);
    return strikes;
}

uint64_t production_play(const struct production *production, const struct stage_faults *faults,
                         const void *plan, char wrong[512])
{
    struct stage stage = {0};
    size_t held = count_memory_held();
    uint64_t strikes = play(production, faults, plan, &stage);
    if (count_memory_held() != held)
        stage_wrong(&stage, "%zu pieces of memory were there before, %zu are afterwards", held,
                    count_memory_held());
    memcpy(wrong, stage.wrong, sizeof stage.wrong);
    return strikes;
}

bool production_open(struct production *production, const struct scenario *scenario)
{
    struct stage stage = {0};
    memset(production, 0, sizeof *production);
    production->scenario = scenario;
    account_open(&production->account, scenario->keys);
    account_open(&stage.account, scenario->keys);
    begin_machine(NULL, 0);
    os_use(&os_sim);
    if (scenario->prepare != NULL)
        scenario->prepare(&stage);
    uint64_t count;
    const uint8_t *bytes = os_sim_file(stage_path, &count);
    if (bytes != NULL) {
        production->bytes = malloc(count);
        production->count = count;
        memcpy(production->bytes, bytes, count);
        if (scenario->spoil != NULL)
            scenario->spoil(production->bytes, count);
    }
    account_copy(&production->account, &stage.account);
    /* A scenario may begin with what a session left that did not close. */
    edb_close(stage.db);
    os_use(&os_posix);
    account_close(&stage.account);
    if (stage.wrong[0] != '\0')
        fprintf(stderr, "%s: %s\n", scenario->name, stage.wrong);
    return stage.wrong[0] == '\0';
}

void production_close(struct production *production)
{
    account_close(&production->account);
    free(production->bytes);
}
