/* Scenarios of caches that do not grow for ever. Called by the runners through scenarios.c. */
#include "fault/play_budgets.h"

#include "os/os_sim.h"

enum {
    ROWS_MAX = 12,
    BYTES_MAX = 2000, /* about twelve rows */
    BYTES_LEAST = 5,
    USES_TOLD = 5000, /* more than a commit waits for */
    /* In the real world, too, not over when this is built, or long over. */
    EXPIRY_S = OS_SIM_CALENDAR_S + 100,
};

/* -------------------------------------------------------------------------- files to begin with */

static void open_both(struct stage *stage)
{
    stage_open(stage, 0, EDB_LAZY);
    stage_space(stage, 0);
    stage_space(stage, 1);
}

static void limit_rows(struct stage *stage, uint32_t eviction, int least)
{
    edb_limits limits = EDB_LIMITS_INIT;
    limits.max_rows = ROWS_MAX;
    limits.eviction = eviction;
    stage_limits(stage, 0, &limits, least);
}

/* With as many rows as there may be, some of them used. */
static void fill_budget(struct stage *stage)
{
    stage_put_many(stage, 0, 0, ROWS_MAX);
    stage_put_many(stage, 1, 0, 4);
    for (int key = 2; key < 6; key++)
        stage_get(stage, 0, key);
    stage_close(stage);
}

static void prepare_policy(struct stage *stage, uint32_t eviction)
{
    open_both(stage);
    limit_rows(stage, eviction, ROWS_MAX - 2);
    fill_budget(stage);
}

void prepare_rows(struct stage *stage)
{
    prepare_policy(stage, EDB_EVICT_S3_FIFO);
}

void prepare_least_recent(struct stage *stage)
{
    prepare_policy(stage, EDB_EVICT_LRU);
}

void prepare_first_in(struct stage *stage)
{
    prepare_policy(stage, EDB_EVICT_FIFO);
}

void prepare_bytes(struct stage *stage)
{
    edb_limits limits = EDB_LIMITS_INIT;
    limits.max_bytes = BYTES_MAX;
    open_both(stage);
    stage_limits(stage, 0, &limits, BYTES_LEAST);
    fill_budget(stage);
}

void prepare_expiring(struct stage *stage)
{
    open_both(stage);
    account_shed(&stage->account, 0, 0);
    stage->expiry_s = EXPIRY_S;
    stage_put_many(stage, 0, 0, 16);
    stage->expiry_s = 0;
    stage_put_many(stage, 1, 0, 4);
    stage_delete(stage, 1, 2);
    stage_close(stage);
}

void arrange_budget(struct stage *stage)
{
    open_both(stage);
}

/* ------------------------------------------------------------------------------------ the plays */

void evict(struct stage *stage)
{
    stage_put(stage, 0, 12);
    stage_get(stage, 0, 12);
    stage_put_many(stage, 0, 13, 5);
    stage_put(stage, 0, 3);
    stage_delete(stage, 0, 6);
    stage_transaction(stage, 18, EDB_DURABLE);
    stage_iterate(stage, 0);
    stage_maintain(stage);
    stage_close(stage);
}

/* Of a space that has too many rows by then, and of the file; other limits in their place. */
void set_limits(struct stage *stage)
{
    edb_limits limits = EDB_LIMITS_INIT;
    limit_rows(stage, EDB_EVICT_S3_FIFO, 4);
    stage_put(stage, 0, 1);
    limits.max_rows = 16;
    limits.eviction = EDB_EVICT_LRU;
    stage_limits(stage, -1, &limits, 4);
    stage_put(stage, 1, 6);
    limit_rows(stage, EDB_EVICT_FIFO, 4);
    stage_close(stage);
}

static void use(struct stage *stage)
{
    stage_get(stage, 0, 5);
    stage_get(stage, 0, 7);
    stage_get_many(stage, 0, 0, 10);
    stage_get(stage, 1, 1);
}

void close_with_uses(struct stage *stage)
{
    use(stage);
    stage_close(stage);
    open_both(stage);
    stage_hits(stage, 0);
    stage_hits(stage, 1);
    use(stage);
    stage_put(stage, 0, 20);
    stage_close(stage);
}

void maintain(struct stage *stage)
{
    use(stage);
    stage_maintain(stage);
    stage_put(stage, 0, 20);
    use(stage);
    stage_sync(stage);
    stage_maintain(stage);
    stage_hits(stage, 0);
}

/* So many that the next commit tells them. */
void commit_with_uses(struct stage *stage)
{
    for (uint64_t hits = stage->account.hits[0]; stage->account.hits[0] < hits + USES_TOLD;) {
        uint64_t before = stage->account.hits[0];
        stage_get_many(stage, 0, 0, ROWS_MAX);
        if (stage->account.hits[0] == before)
            break;
    }
    stage_put(stage, 0, 20);
    stage_hits(stage, 0);
    stage_put(stage, 0, 21);
    stage_close(stage);
}

/* What was used in a life before is known in this one. */
void open_with_uses(struct stage *stage)
{
    for (int life = 0; life < 2; life++) {
        open_both(stage);
        stage_put(stage, 0, 20 + life);
        stage_get(stage, 0, 5);
        stage_close(stage);
    }
}

static void let_expire(struct stage *stage)
{
    os_sim_set_calendar(EXPIRY_S + 1);
    stage_get_many(stage, 0, 0, 16);
    stage_iterate(stage, 0);
}

void expire_and_compact(struct stage *stage)
{
    let_expire(stage);
    stage_put(stage, 0, 3);
    stage_compact(stage);
    stage_get(stage, 0, 5);
    stage_put_many(stage, 0, 6, 3);
    stage_search(stage, 0);
    stage_close(stage);
}

/* New records between the steps: each evicts another. */
void step_beside_eviction(struct stage *stage)
{
    for (int key = 12; key < 18; key++) {
        stage_compaction_step(stage);
        stage_compaction_step(stage);
        stage_put(stage, 0, key);
    }
    for (int steps = 0; steps < 24; steps++)
        stage_compaction_step(stage);
    if (!stage->met_faults && !stage->compacted)
        stage_wrong(stage, "36 steps were not enough to compact");
    stage_get(stage, 0, 5);
}

void step_and_close(struct stage *stage)
{
    for (int key = 12; key < 16; key++) {
        stage_compaction_step(stage);
        stage_put(stage, 0, key);
    }
    stage_close(stage);
}

void maintain_and_compact(struct stage *stage)
{
    stage_put_many(stage, 0, 12, 8);
    stage_maintain(stage);
    stage_compact(stage);
    use(stage);
    stage_put(stage, 0, 20);
    stage_close(stage);
}
