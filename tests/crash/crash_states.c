/* Walks a journal, keeps what is on the device for certain, and builds the states of each point
 * upon it. Called by the programs of tests/crash. */
#include "crash/crash_states.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/checksum.h"
#include "crash/crash_image.h"
#include "crash/crash_seen.h"

/* Also in an interval of very many points each is looked at in more ways than one. */
enum { STATES_PER_POINT_MIN = 8 };

struct entry {
    const char *name;
    uint32_t file;
};

struct directory {
    struct entry *entries;
    size_t count;
};

struct explorer {
    const struct os_sim_journal *journal;
    const struct crash_options *options;
    crash_check *check;
    void *arg;
    struct crash_counts *counts;
    struct random_source random;

    struct crash_image *images; /* by file number */
    size_t image_count;
    struct directory settled; /* names that are there for certain */
    struct directory names;   /* those of the state at hand */
    struct crash_file *files; /* the same, as the check sees them */

    struct crash_flight flight;
    struct crash_plans plans;
    uint64_t acknowledged;
    size_t budget; /* states at each point of this interval */
    struct crash_seen checked;
    struct crash_seen seen_images;
};

static void open_explorer(struct explorer *explorer, const struct crash_state *before);
static void close_explorer(struct explorer *explorer);
static void set_budget(struct explorer *explorer, size_t position);
static bool take_operation(struct explorer *explorer, const struct os_sim_operation *operation);
static bool check_point(struct explorer *explorer, size_t position, bool only_new);
static bool check_state(struct explorer *explorer, const struct crash_plan *plan, size_t position);
static void build(struct explorer *explorer, const struct crash_plan *plan);
static void change_names(struct directory *directory, const struct os_sim_journal *journal,
                         const struct os_sim_operation *operation);

bool crash_explore(const struct os_sim_journal *journal, const struct crash_state *before,
                   const struct crash_options *options, crash_check *check, void *arg,
                   struct crash_counts *counts_out)
{
    struct explorer explorer = {.journal = journal,
                                .options = options,
                                .check = check,
                                .arg = arg,
                                .counts = counts_out,
                                .random = {options->seed}};
    open_explorer(&explorer, before);
    bool going = true;
    for (size_t i = 0; i <= journal->count && going; i++) {
        bool only_new = i > 0 && take_operation(&explorer, &journal->operations[i - 1]);
        if (!only_new)
            set_budget(&explorer, i);
        going = check_point(&explorer, i, only_new);
    }
    counts_out->images += explorer.seen_images.count;
    close_explorer(&explorer);
    return going;
}

void crash_install(const struct crash_state *state, uint64_t seed)
{
    os_sim_begin(seed ^ state->hash);
    for (size_t i = 0; i < state->file_count; i++)
        os_sim_load(state->files[i].name, state->files[i].bytes, state->files[i].count);
}

const char *crash_kind_name(enum crash_kind kind)
{
    static const char *const names[] = {"lost", "torn", "trashed sector", "trashed page"};
    return names[kind];
}

/* -------------------------------------------------------------------------- opening and closing */

static void *zeroed(size_t count, size_t bytes)
{
    void *memory = calloc(count + 1, bytes);
    if (memory == NULL)
        abort();
    return memory;
}

static bool has_file(const struct os_sim_operation *operation)
{
    return operation->kind != OS_SIM_MARK && operation->kind != OS_SIM_SYNC_DIRECTORY;
}

/* How large each file becomes, in `capacities`; gives how many there are. */
static size_t measure(const struct explorer *explorer, const struct crash_state *before,
                      uint64_t capacities[OS_SIM_FILES_MAX])
{
    size_t count = before == NULL ? 0 : before->file_count;
    for (size_t i = 0; i < count; i++)
        capacities[i] = before->files[i].count;
    for (size_t i = 0; i < explorer->journal->count; i++) {
        const struct os_sim_operation *operation = &explorer->journal->operations[i];
        if (!has_file(operation))
            continue;
        if (operation->file >= count)
            count = operation->file + 1;
        uint64_t *capacity = &capacities[operation->file];
        if (operation->kind == OS_SIM_SIZE && operation->offset > *capacity)
            *capacity = operation->offset;
    }
    return count;
}

static void open_explorer(struct explorer *explorer, const struct crash_state *before)
{
    uint64_t capacities[OS_SIM_FILES_MAX] = {0};
    size_t old = before == NULL ? 0 : before->file_count;
    explorer->image_count = measure(explorer, before, capacities);
    explorer->images = zeroed(explorer->image_count, sizeof *explorer->images);
    explorer->settled.entries = zeroed(explorer->image_count, sizeof(struct entry));
    explorer->names.entries = zeroed(explorer->image_count, sizeof(struct entry));
    explorer->files = zeroed(explorer->image_count, sizeof *explorer->files);
    explorer->flight.items = zeroed(explorer->journal->count, sizeof(void *));
    for (size_t i = 0; i < explorer->image_count; i++) {
        const struct crash_file none = {NULL, NULL, 0};
        const struct crash_file *file = i < old ? &before->files[i] : &none;
        crash_image_open(&explorer->images[i], capacities[i], file->bytes, file->count);
        if (i < old)
            explorer->settled.entries[i] = (struct entry){file->name, (uint32_t)i};
    }
    explorer->settled.count = old;
    explorer->acknowledged = before == NULL ? 0 : before->acknowledged;
}

static void close_explorer(struct explorer *explorer)
{
    for (size_t i = 0; i < explorer->image_count; i++)
        crash_image_close(&explorer->images[i]);
    free(explorer->images);
    free(explorer->settled.entries);
    free(explorer->names.entries);
    free(explorer->files);
    free(explorer->flight.items);
    free(explorer->plans.items);
    crash_seen_close(&explorer->checked);
    crash_seen_close(&explorer->seen_images);
}

/* ---------------------------------------------------------------------------- along the journal */

static bool ends_interval(const struct os_sim_operation *operation)
{
    return operation->kind == OS_SIM_SYNC || operation->kind == OS_SIM_SYNC_FAILED ||
           operation->kind == OS_SIM_SYNC_DIRECTORY;
}

/* Shares the states of an interval out among its points. */
static void set_budget(struct explorer *explorer, size_t position)
{
    const struct os_sim_journal *journal = explorer->journal;
    uint64_t limit = explorer->options->states_per_interval_max;
    if (position > 0 && !ends_interval(&journal->operations[position - 1]))
        return;
    size_t points = 1;
    for (size_t i = position; i < journal->count && !ends_interval(&journal->operations[i]); i++)
        points++;
    uint64_t share = limit / points > STATES_PER_POINT_MIN ? limit / points : STATES_PER_POINT_MIN;
    explorer->budget = limit == 0 ? SIZE_MAX : (size_t)share;
}

static bool belongs_to(const struct os_sim_operation *operation, uint32_t file)
{
    return (operation->kind == OS_SIM_WRITE || operation->kind == OS_SIM_SIZE) &&
           operation->file == file;
}

/* What is in flight for a file has reached the device; after a failed sync only the growth still
 * may. */
static void settle_file(struct explorer *explorer, uint32_t file, bool failed)
{
    struct crash_flight *flight = &explorer->flight;
    struct crash_image *image = &explorer->images[file];
    size_t kept = 0;
    for (size_t i = 0; i < flight->count; i++) {
        const struct os_sim_operation *operation = flight->items[i];
        bool settles = belongs_to(operation, file);
        if (settles && !failed && operation->kind == OS_SIM_SIZE)
            crash_image_settle_size(image, operation->offset);
        else if (settles && !failed)
            crash_image_settle(image, operation->offset, explorer->journal->data + operation->data,
                               operation->bytes);
        if (!settles || (failed && operation->kind == OS_SIM_SIZE))
            flight->items[kept++] = operation;
    }
    flight->count = kept;
}

static bool is_of_directory(const struct os_sim_operation *operation)
{
    return operation->kind == OS_SIM_CREATE || operation->kind == OS_SIM_PUBLISH ||
           operation->kind == OS_SIM_REMOVE;
}

static void settle_directory(struct explorer *explorer)
{
    struct crash_flight *flight = &explorer->flight;
    size_t kept = 0;
    for (size_t i = 0; i < flight->count; i++) {
        if (is_of_directory(flight->items[i]))
            change_names(&explorer->settled, explorer->journal, flight->items[i]);
        else
            flight->items[kept++] = flight->items[i];
    }
    flight->count = kept;
}

/* Returns whether the operation is one more in flight. */
static bool take_operation(struct explorer *explorer, const struct os_sim_operation *operation)
{
    switch (operation->kind) {
    case OS_SIM_SYNC:
    case OS_SIM_SYNC_FAILED:
        settle_file(explorer, operation->file, operation->kind == OS_SIM_SYNC_FAILED);
        return false;
    case OS_SIM_SYNC_DIRECTORY:
        settle_directory(explorer);
        return false;
    case OS_SIM_MARK:
        explorer->acknowledged = operation->offset;
        return false;
    default:
        explorer->flight.items[explorer->flight.count++] = operation;
        return true;
    }
}

/* ----------------------------------------------------------------------------------- the states */

static bool check_point(struct explorer *explorer, size_t position, bool only_new)
{
    crash_plan_point(&explorer->flight, only_new, &explorer->random, &explorer->plans);
    size_t planned = explorer->plans.count;
    crash_plan_limit(&explorer->plans, explorer->budget, &explorer->random);
    explorer->counts->left_out += planned - explorer->plans.count;
    explorer->counts->points++;
    bool going = true;
    for (size_t i = 0; i < explorer->plans.count && going; i++)
        going = check_state(explorer, &explorer->plans.items[i], position);
    return going;
}

static uint64_t hash_state(const struct explorer *explorer)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < explorer->names.count; i++) {
        const struct entry *entry = &explorer->names.entries[i];
        uint64_t hash = crash_image_hash(&explorer->images[entry->file]);
        sum += checksum(entry->name, strlen(entry->name), hash);
    }
    return sum;
}

/* The files as the check sees them. */
static void show_files(struct explorer *explorer)
{
    for (size_t i = 0; i < explorer->names.count; i++) {
        const struct entry *entry = &explorer->names.entries[i];
        const struct crash_image *image = &explorer->images[entry->file];
        explorer->files[i] = (struct crash_file){entry->name, image->work, image->work_bytes};
    }
}

static bool check_state(struct explorer *explorer, const struct crash_plan *plan, size_t position)
{
    build(explorer, plan);
    struct crash_state state = {.files = explorer->files,
                                .file_count = explorer->names.count,
                                .acknowledged = explorer->acknowledged,
                                .operations = position,
                                .kind = plan->kind,
                                .hash = hash_state(explorer)};
    uint64_t identity = checksum(&state.acknowledged, sizeof state.acknowledged, state.hash);
    bool going = true;
    explorer->counts->states[plan->kind]++;
    if (crash_seen_add(&explorer->checked, identity)) {
        explorer->counts->checked[plan->kind]++;
        crash_seen_add(&explorer->seen_images, state.hash);
        show_files(explorer);
        going = explorer->check(explorer->arg, &state);
    } else {
        explorer->counts->duplicates++;
    }
    for (size_t i = 0; i < explorer->image_count; i++)
        crash_image_undo(&explorer->images[i]);
    return going;
}

/* A write that happened, whole or torn. */
static void put_write(struct explorer *explorer, const struct crash_plan *plan, size_t place)
{
    const struct os_sim_operation *write = explorer->flight.items[place];
    const uint8_t *bytes = explorer->journal->data + write->data;
    uint64_t from = 0, to = write->bytes;
    if (plan->kind == CRASH_TORN && place == plan->spoilt && plan->keeps_behind)
        from = plan->offset - write->offset;
    else if (plan->kind == CRASH_TORN && place == plan->spoilt)
        to = plan->offset - write->offset;
    crash_image_put(&explorer->images[write->file], write->offset + from, bytes + from, to - from);
}

/* Growth and names first: they decide which of the data is there at all. Garbage comes last, over
 * everything. */
static void build(struct explorer *explorer, const struct crash_plan *plan)
{
    const struct crash_flight *flight = &explorer->flight;
    explorer->names.count = explorer->settled.count;
    memcpy(explorer->names.entries, explorer->settled.entries,
           explorer->settled.count * sizeof(struct entry));
    for (size_t i = 0; i < flight->count; i++) {
        const struct os_sim_operation *operation = flight->items[i];
        if (operation->kind == OS_SIM_WRITE || !crash_plan_has(plan, flight, i))
            continue;
        if (operation->kind == OS_SIM_SIZE)
            crash_image_grow(&explorer->images[operation->file], operation->offset);
        else
            change_names(&explorer->names, explorer->journal, operation);
    }
    for (size_t i = 0; i < flight->count; i++) {
        if (flight->items[i]->kind == OS_SIM_WRITE && crash_plan_has(plan, flight, i))
            put_write(explorer, plan, i);
    }
    if (plan->kind == CRASH_TRASHED_SECTOR || plan->kind == CRASH_TRASHED_PAGE) {
        uint64_t bytes = plan->kind == CRASH_TRASHED_PAGE ? CRASH_PAGE_BYTES : OS_SIM_SECTOR_BYTES;
        uint32_t file = flight->items[plan->spoilt]->file;
        crash_image_trash(&explorer->images[file], plan->offset, bytes, plan->seed);
    }
}

/* ---------------------------------------------------------------------------------------- names */

/* Makes `name` lead to `file`; UINT32_MAX = to nothing. */
static void lead(struct directory *directory, const char *name, uint32_t file)
{
    size_t at = 0;
    while (at < directory->count && strcmp(directory->entries[at].name, name) != 0)
        at++;
    if (file != UINT32_MAX) {
        directory->entries[at] = (struct entry){name, file};
        directory->count += at == directory->count;
    } else if (at < directory->count) {
        directory->count--;
        memmove(&directory->entries[at], &directory->entries[at + 1],
                (directory->count - at) * sizeof(struct entry));
    }
}

static void change_names(struct directory *directory, const struct os_sim_journal *journal,
                         const struct os_sim_operation *operation)
{
    const char *name = (const char *)journal->data + operation->data;
    switch (operation->kind) {
    case OS_SIM_CREATE:
        lead(directory, name, operation->file);
        break;
    case OS_SIM_PUBLISH:
        lead(directory, name, UINT32_MAX);
        lead(directory, name + strlen(name) + 1, operation->file);
        break;
    default:
        assert(operation->kind == OS_SIM_REMOVE);
        lead(directory, name, UINT32_MAX);
    }
}
