/* Counting hits and misses. Called by edb_get, edb_get_many and the calls that borrow a record by
 * its key. */
#include <string.h>

#include "base/memory.h"
#include "db/db_budget.h"

edb_status db_tally_open(edb_space *space)
{
    space->tallies = memory_aligned(TALLIES * sizeof *space->tallies);
    if (space->tallies == NULL)
        return memory_failed(TALLIES * sizeof *space->tallies);
    memset(space->tallies, 0, TALLIES * sizeof *space->tallies);
    return EDB_OK;
}

/* Threads mostly have tallies of their own: nobody waits for another's. */
static void add(_Atomic uint64_t *count, uint64_t more)
{
    atomic_fetch_add_explicit(count, more, memory_order_relaxed);
}

static struct tally *own_tally(edb_space *space)
{
    return space->tallies != NULL ? &space->tallies[os_thread_number() % TALLIES] : NULL;
}

void db_tally_hit(edb_space *space, const struct db_found *found)
{
    struct tally *tally = own_tally(space);
    if (tally == NULL)
        return;
    add(&tally->hits, 1);
    add(&tally->hit_bytes, found->place.vector_bytes);
    if (found->place.cost > 0)
        add(&tally->hit_cost, found->place.cost);
    if (space->evicts)
        evict_touch(&space->evict, found->row);
}

void db_tally_miss(edb_space *space)
{
    struct tally *tally = own_tally(space);
    if (tally != NULL)
        add(&tally->misses, 1);
}

struct ledger db_tally_pending(const edb_space *space)
{
    struct ledger sum = {0};
    for (int i = 0; i < TALLIES && space->tallies != NULL; i++) {
        const struct tally *tally = &space->tallies[i];
        sum.hits += atomic_load_explicit(&tally->hits, memory_order_relaxed);
        sum.misses += atomic_load_explicit(&tally->misses, memory_order_relaxed);
        sum.hit_bytes += atomic_load_explicit(&tally->hit_bytes, memory_order_relaxed);
        sum.hit_cost += atomic_load_explicit(&tally->hit_cost, memory_order_relaxed);
    }
    ledger_subtract(&sum, &space->handed);
    return sum;
}
