/* edb_limits_set and edb_limits_get, and what limits mean for the view.
 *
 *   1 check_limits       what the caller asks for
 *   2 db_write_begin
 *   3 db_run_set_limits  a GROUP with one LIMITS record
 *   4 db_append          committed and applied: db_apply_limits */
#include <string.h>

#include "db/db_budget.h"
#include "db/db_group.h"

/* Spaces that the command keeps its own records in. */
static const char own_prefix[] = "embedcache.";

bool db_is_own(const edb_space *space)
{
    return strncmp(space->spec.name, own_prefix, sizeof own_prefix - 1) == 0;
}

bool db_any_limit(const struct limits *limits)
{
    static const struct limits none;
    uint8_t bytes[2][LIMITS_BYTES];
    limits_encode(limits, bytes[0]);
    limits_encode(&none, bytes[1]);
    return memcmp(bytes[0], bytes[1], LIMITS_BYTES) != 0;
}

/* ------------------------------------------------------------------------------------- the view */

static bool has_budget(const struct limits *limits)
{
    return limits->max_rows > 0 || limits->max_bytes > 0;
}

/* A policy of which this library knows nothing counts as the first. */
static uint8_t policy_of(const struct limits *limits)
{
    return limits->eviction <= EDB_EVICT_FIFO ? limits->eviction : EDB_EVICT_S3_FIFO;
}

/* Marks for all rows that are live. */
static edb_status begin_marks(edb_space *space)
{
    struct rows_word word;
    edb_status status = EDB_OK;
    for (uint64_t row = 0; row < space->next_row && status == EDB_OK;) {
        status = rows_next_live(&space->rows, row, space->next_row, &word);
        if (status != EDB_OK || word.bits == 0)
            break;
        status = evict_reserve(&space->evict, word.first);
        if (status == EDB_OK)
            evict_count(&space->evict, word.first, word.bits);
        row = word.first + ROWS_WORD_ROWS;
    }
    return status;
}

static edb_status settle_space(edb_space *space, const struct limits *file)
{
    const struct limits *own = &space->limits;
    const struct limits *limits = has_budget(own) ? own : file;
    bool evicts = space->db->writable && !db_is_own(space) && has_budget(limits);
    if (space->evicts && evicts && space->evict.policy == policy_of(limits)) {
        space->evict.cost_aware = limits->cost_aware;
        return EDB_OK;
    }
    evict_close(&space->evict);
    space->evicts = false;
    space->stuck_at = 0;
    if (!evicts)
        return EDB_OK;
    space->evict.policy = policy_of(limits);
    space->evict.cost_aware = limits->cost_aware;
    edb_status status = begin_marks(space);
    space->evicts = status == EDB_OK;
    return status;
}

edb_status db_settle_budgets(edb *db)
{
    edb_status status = EDB_OK;
    for (uint32_t i = 0; i < db->space_count && status == EDB_OK; i++)
        status = settle_space(db->spaces[i], &db->limits);
    return status;
}

edb_status db_apply_limits(edb *db, uint32_t space, const uint8_t *bytes, size_t count)
{
    if (count < LIMITS_BYTES)
        return fail(EDB_CORRUPT, "limits of %zu bytes", count);
    if (space > db->space_count)
        return fail(EDB_CORRUPT, "limits of space %u, which was not created", space);
    struct limits *limits = space == 0 ? &db->limits : &db->spaces[space - 1]->limits;
    struct limits before = *limits;
    limits_decode(bytes, limits);
    edb_status status = db_settle_budgets(db);
    if (status != EDB_OK)
        *limits = before;
    return status;
}

/* ------------------------------------------------------------------------------------ the calls */

static edb_status check_limits(const edb *db, const edb_space *space, const edb_limits *given,
                               struct limits *out)
{
    edb_limits limits;
    if (db == NULL || given == NULL)
        return fail(EDB_INVALID, "edb_limits_set: an argument is NULL");
    if (space != NULL && space->db != db)
        return fail(EDB_INVALID, "space '%s' belongs to another handle", space->spec.name);
    edb_status status = db_struct_read(&db_struct_limits, given, &limits);
    if (status != EDB_OK)
        return status;
    if (limits.eviction > EDB_EVICT_FIFO)
        return fail(EDB_INVALID, "eviction policy %u is not known", limits.eviction);
    if (limits.cost_aware && limits.eviction != EDB_EVICT_S3_FIFO)
        return fail(EDB_INVALID, "costs are looked at by S3-FIFO only");
    if (limits.dead_percent > 99)
        return fail(EDB_INVALID, "dead_percent is %u; 1 to 99 are possible, or 0",
                    limits.dead_percent);
    if (space != NULL && limits.dead_percent > 0)
        return fail(EDB_INVALID, "dead_percent is for the file, not for space '%s'",
                    space->spec.name);
    *out = (struct limits){.ttl_s = limits.ttl_s,
                           .eviction = (uint8_t)limits.eviction,
                           .cost_aware = limits.cost_aware != 0,
                           .dead_percent = (uint8_t)limits.dead_percent,
                           .max_rows = limits.max_rows,
                           .max_bytes = limits.max_bytes};
    return EDB_OK;
}

/* With the write lock held. */
static edb_status write_limits(edb *db, const edb_space *space, const struct limits *limits)
{
    struct db_run run;
    bool durable = db->durability == EDB_DURABLE;
    uint32_t id = space != NULL ? space->id : 0;
    if (id > db->space_count)
        return fail(EDB_STALE, "%s: space '%s' is gone: close the file and open it again", db->path,
                    space->spec.name);
    edb_status status = db_run_set_limits(db->store, id, limits, &run);
    if (status == EDB_OK)
        status = db_append(db, run.drafts, run.count, durable);
    if (status == EDB_OK && durable)
        status = db_make_durable(db);
    db_run_close(&run);
    if (status == EDB_OK)
        db_look_after(db);
    return status;
}

edb_status edb_limits_set(edb *db, edb_space *space, const edb_limits *given)
{
    struct limits limits;
    edb_status status = check_limits(db, space, given, &limits);
    if (status == EDB_OK)
        status = db_write_begin(db, db->durability == EDB_DURABLE);
    if (status != EDB_OK)
        return status;
    status = write_limits(db, space, &limits);
    db_write_end(db);
    if (status == EDB_OK)
        db_go_on_compacting(db);
    return status;
}

edb_status edb_limits_get(edb *db, edb_space *space, edb_limits *limits_out)
{
    if (db == NULL || limits_out == NULL)
        return fail(EDB_INVALID, "edb_limits_get: an argument is NULL");
    if (space != NULL && space->db != db)
        return fail(EDB_INVALID, "space '%s' belongs to another handle", space->spec.name);
    edb_status status = db_enter(db);
    if (status != EDB_OK)
        return status;
    struct limits limits = space != NULL ? space->limits : db->limits;
    db_leave(db);
    edb_limits own = {.max_rows = limits.max_rows,
                      .max_bytes = limits.max_bytes,
                      .ttl_s = limits.ttl_s,
                      .eviction = limits.eviction,
                      .cost_aware = limits.cost_aware,
                      .dead_percent = limits.dead_percent};
    return db_struct_write(&db_struct_limits, &own, limits_out);
}
