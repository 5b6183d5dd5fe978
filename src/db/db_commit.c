/* Committing changes: the one way in which records get into the file. Called by put, put_many,
 * delete and commit.
 *
 *   plan     every change gets its row, and the row that it replaces (under the write lock: nobody
 *            else appends)
 *   lay out  changes of one space go into GROUPs of up to 48 MiB, one run of frames for the whole
 *            transaction
 *   append   store_append writes them; the last header is the commit
 *   apply    the walk reads them back into the view
 *   sync     if asked */
#include <assert.h>
#include <string.h>

#include "base/memory.h"
#include "db/db_budget.h"
#include "db/db_group.h"

/* Which change of this transaction spoke of a key last: keys that come twice see each other. */
struct latest {
    uint32_t *slots; /* index of the change + 1; 0 free */
    size_t mask;
};

/* What becomes of a space, as the plan goes on. */
struct planned_space {
    uint64_t next_row;
    size_t puts;
    size_t runs; /* of following rows among them */
};

/* What a commit is going to do. */
struct plan {
    edb *db;
    struct db_change *changes;
    size_t count;
    struct latest latest;
    struct planned_space *spaces;
    uint64_t generation; /* of the view in which it was made */
};

static bool is_same(const struct db_change *a, const struct db_change *b)
{
    return a->space == b->space && a->key.hash == b->key.hash && a->key.form == b->key.form &&
           a->key.count == b->key.count &&
           memcmp(db_key_bytes(&a->key), db_key_bytes(&b->key), a->key.count) == 0;
}

static edb_status open_latest(struct latest *latest, size_t count)
{
    size_t capacity = 4;
    if (count == 1)
        return EDB_OK;
    while (capacity < 2 * count)
        capacity *= 2;
    latest->slots = memory_zeroed(capacity, sizeof *latest->slots);
    latest->mask = capacity - 1;
    return latest->slots != NULL ? EDB_OK : memory_failed(capacity * sizeof *latest->slots);
}

/* The earlier change of the same key, or NULL; change `index` takes its place. */
static struct db_change *exchange_latest(struct latest *latest, struct db_change *changes,
                                         size_t index)
{
    if (latest->slots == NULL)
        return NULL;
    size_t at = (size_t)changes[index].key.hash & latest->mask;
    for (; latest->slots[at] != 0; at = (at + 1) & latest->mask) {
        struct db_change *earlier = &changes[latest->slots[at] - 1];
        if (is_same(earlier, &changes[index])) {
            latest->slots[at] = (uint32_t)index + 1;
            return earlier;
        }
    }
    latest->slots[at] = (uint32_t)index + 1;
    return NULL;
}

/* The row that holds the change's key now, ROW_NONE if there is none. */
static edb_status current_row(struct db_change *change, const struct db_change *earlier,
                              uint64_t *row_out)
{
    struct db_found found;
    *row_out = ROW_NONE;
    if (earlier != NULL) {
        if (earlier->operation == RECORD_PUT)
            *row_out = earlier->row;
        return EDB_OK;
    }
    edb_status status = db_locate_any(change->space, &change->key, &found);
    if (status == EDB_OK) {
        *row_out = found.row;
        change->expired = db_has_expired(found.store, &found.place);
    }
    return status == EDB_NOT_FOUND ? EDB_OK : status;
}

/* What a space, or else the file, says of records that say nothing. */
static uint32_t default_ttl(const edb_space *space)
{
    if (db_is_own(space))
        return 0;
    return space->limits.ttl_s != 0 ? space->limits.ttl_s : space->db->limits.ttl_s;
}

/* When a record was put and when it expires; a time past what 32 bits hold is the last one. */
static void set_times(struct db_change *change, uint64_t now)
{
    uint64_t last = UINT32_MAX;
    uint64_t ttl = change->ttl_s;
    if (ttl == 0 && change->expiry_s == 0 && change->put_s == 0)
        ttl = default_ttl(change->space);
    if (change->put_s == 0)
        change->put_s = (uint32_t)(now < last ? now : last);
    if (ttl != 0 && ttl != EDB_TTL_NEVER && change->operation == RECORD_PUT)
        change->expiry_s = (uint32_t)(now + ttl < last ? now + ttl : last);
}

/* The next row of the space, or the one that the change brings. */
static edb_status give_row(struct planned_space *space, struct db_change *change)
{
    uint64_t row = change->has_row ? change->row : space->next_row;
    assert(row >= space->next_row);
    if (row >= ROWS_MAX)
        return fail(EDB_FULL, "space '%s' has given all its %llu row numbers: use another space",
                    change->space->spec.name, ROWS_MAX);
    space->runs += space->puts == 0 || row != space->next_row;
    space->puts++;
    space->next_row = row + 1;
    change->row = row;
    return EDB_OK;
}

static edb_status plan_change(struct plan *plan, size_t index)
{
    struct db_change *change = &plan->changes[index];
    struct planned_space *space = &plan->spaces[change->space->id - 1];
    uint64_t row;
    if (change->operation == RECORD_ADVANCE) {
        assert(change->has_row && change->row >= space->next_row);
        change->found = true;
        change->prior_row = ROW_NONE;
        space->next_row = change->row;
        return EDB_OK;
    }
    struct db_change *earlier = exchange_latest(&plan->latest, plan->changes, index);
    edb_status status = current_row(change, earlier, &row);
    if (status != EDB_OK)
        return status;
    change->found = row != ROW_NONE;
    change->prior_row = change->operation == RECORD_PUT ? row : ROW_NONE;
    set_times(change, change->space->db->store->io->calendar_s());
    if (change->operation != RECORD_PUT) {
        change->row = row;
        return EDB_OK;
    }
    return give_row(space, change);
}

/* Handles of spaces outlive a view that was built anew and ended before their spaces were
 * created. */
static edb_status check_spaces(const struct plan *plan)
{
    for (size_t i = 0; i < plan->count; i++)
        if (plan->changes[i].space->id > plan->db->space_count)
            return fail(EDB_STALE, "%s: space '%s' is gone: close the file and open it again",
                        plan->db->path, plan->changes[i].space->spec.name);
    return EDB_OK;
}

/* Forgets what was planned before. */
static edb_status begin_plan(struct plan *plan)
{
    uint32_t spaces = plan->db->space_count;
    edb_status status = check_spaces(plan);
    plan->generation = plan->db->generation;
    memory_free(plan->latest.slots);
    memory_free(plan->spaces);
    plan->latest = (struct latest){0};
    plan->spaces = memory_zeroed(spaces + 1, sizeof *plan->spaces);
    if (plan->spaces == NULL)
        return memory_failed((spaces + 1) * sizeof *plan->spaces);
    for (uint32_t i = 0; i < spaces; i++)
        plan->spaces[i].next_row = plan->db->spaces[i]->next_row;
    return status == EDB_OK ? open_latest(&plan->latest, plan->count) : status;
}

/* A step, with the view held still. */
static edb_status make_plan(void *arg)
{
    struct plan *plan = arg;
    edb_status status = begin_plan(plan);
    for (size_t i = 0; i < plan->count && status == EDB_OK; i++)
        status = plan_change(plan, i);
    return status;
}

static edb_status reserve_change(const struct db_change *change)
{
    struct rows *rows = &change->space->rows;
    bool put = change->operation == RECORD_PUT;
    uint64_t victim = put || change->operation == RECORD_ADVANCE ? change->prior_row : change->row;
    edb_status status = put ? rows_reserve_chunk(rows, change->row) : EDB_OK;
    if (status == EDB_OK && put && change->space->evicts)
        status = evict_reserve(&change->space->evict, change->row);
    if (status == EDB_OK && victim != ROW_NONE)
        status = rows_reserve_kill(rows, victim);
    return status;
}

/* Memory that applying the changes will need, so that a commit that is in the file can be seen at
 * once. */
static edb_status reserve_view(const struct plan *plan)
{
    edb *db = plan->db;
    edb_status status = EDB_OK;
    os_rwlock_write(&db->view_lock);
    for (uint32_t i = 0; i < db->space_count && status == EDB_OK; i++) {
        const struct planned_space *space = &plan->spaces[i];
        if (space->puts == 0)
            continue;
        status = rows_reserve(&db->spaces[i]->rows, space->puts, space->runs);
        if (status == EDB_OK)
            status = keys_reserve(&db->spaces[i]->keys, space->puts);
    }
    for (size_t i = 0; i < plan->count && status == EDB_OK; i++)
        status = reserve_change(&plan->changes[i]);
    os_rwlock_unlock(&db->view_lock);
    return status;
}

/* Reserving needs more of the sections than planning does: where it meets damage, too, a new plan
 * is made without them. */
static edb_status plan_changes(edb *db, struct db_change *changes, size_t count)
{
    struct plan plan = {.db = db, .changes = changes, .count = count};
    edb_status status;
    for (;;) {
        status = db_with_view(db, make_plan, &plan);
        if (status != EDB_OK)
            break;
        status = reserve_view(&plan);
        if (status != EDB_CORRUPT || db_mend(db, plan.generation) != EDB_OK)
            break;
    }
    memory_free(plan.latest.slots);
    memory_free(plan.spaces);
    return status;
}

/* Groups whose rows the caller gave may leave rows out. */
static void allow_gaps(const struct db_change *changes, size_t count, struct db_run *run)
{
    bool any = false;
    for (size_t i = 0; i < count && !any; i++)
        any = changes[i].has_row;
    for (size_t i = 0; i < run->count && any; i++)
        run->drafts[i].flags |= FRAME_GAPS;
}

edb_status db_commit_held(edb *db, struct db_change *changes, size_t count, bool durable)
{
    edb_status status = plan_changes(db, changes, count);
    if (status != EDB_OK)
        return status;
    struct db_run run;
    status = db_run_lay_out(db->store, db->space_count, changes, count, &run);
    allow_gaps(changes, count, &run);
    if (status == EDB_OK && run.count > 0)
        status = db_append(db, run.drafts, run.count, durable);
    /* Also when nothing was left to write: what the commit found to be so already must stay so. */
    if (status == EDB_OK && durable)
        status = db_make_durable(db);
    if (status == EDB_OK && !durable)
        db_move_anchors(db);
    if (status == EDB_OK)
        db_flush(db, false);
    db_begin_fresh(changes, count);
    if (status == EDB_OK)
        db_look_after(db);
    db_end_fresh(changes, count);
    db_run_close(&run);
    return status;
}

edb_status db_commit(edb *db, struct db_change *changes, size_t count, edb_durability durability)
{
    if (count == 0)
        return db_check_may_write(db);
    bool durable =
        (durability == EDB_DEFAULT ? db->durability : (uint32_t)durability) == EDB_DURABLE;
    edb_status status = db_write_begin(db, durable);
    if (status != EDB_OK)
        return status;
    status = db_commit_held(db, changes, count, durable);
    db_write_end(db);
    if (status == EDB_OK)
        db_go_on_compacting(db);
    return status;
}
