/* Scenarios of caches that do not grow for ever: budgets, policies, uses, expiry, and compactions
 * in steps. Listed in scenarios.c.
 *
 * What a budget or a clock takes away is no loss: the account knows of which spaces records may go
 * by themselves. Keys of a multiple of five are pinned and never expire: they stay. */
#ifndef EDB_TESTS_FAULT_PLAY_BUDGETS_H
#define EDB_TESTS_FAULT_PLAY_BUDGETS_H

#include "fault/play_scenario.h"

/* Files to begin with: a space with a budget of rows, of bytes, or by another policy. */
void prepare_rows(struct stage *stage);
void prepare_bytes(struct stage *stage);
void prepare_least_recent(struct stage *stage);
void prepare_first_in(struct stage *stage);
/* Records of one space expire. */
void prepare_expiring(struct stage *stage);

void arrange_budget(struct stage *stage);

void evict(struct stage *stage);
void set_limits(struct stage *stage);
void close_with_uses(struct stage *stage);
void commit_with_uses(struct stage *stage);
void maintain(struct stage *stage);
void open_with_uses(struct stage *stage);
void expire_and_compact(struct stage *stage);
void step_beside_eviction(struct stage *stage);
void step_and_close(struct stage *stage);
void maintain_and_compact(struct stage *stage);

#endif
