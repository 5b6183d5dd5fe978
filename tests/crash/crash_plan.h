/* Which states are built at one point of a journal. A plan says which operations in flight reached
 * the device, and which one of them was being written when the power failed. Holds no bytes. */
#ifndef EDB_TESTS_CRASH_PLAN_H
#define EDB_TESTS_CRASH_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/random.h"
#include "os/os_sim.h"

enum { CRASH_PAGE_BYTES = 4096 };

enum crash_kind {
    CRASH_LOST,           /* some operations in flight did not happen */
    CRASH_TORN,           /* and one write happened in part */
    CRASH_TRASHED_SECTOR, /* and a sector of one write is garbage, with all of its 512 bytes */
    CRASH_TRASHED_PAGE,   /* and a 4 KiB page of one write is */
    CRASH_KINDS
};

/* Which operations in flight happened, by their place in the flight. */
enum crash_shape {
    CRASH_MASK,    /* those whose bit is set in `number` */
    CRASH_PREFIX,  /* the first `number` */
    CRASH_WITHOUT, /* all but `number` */
    CRASH_ONLY,    /* `number` alone */
    CRASH_RANDOM,  /* each with one chance in two under the seed `number`; the newest always */
};

struct crash_plan {
    enum crash_shape shape;
    uint64_t number;
    enum crash_kind kind;
    size_t spoilt;     /* place in the flight; for all kinds but CRASH_LOST */
    uint64_t offset;   /* torn: the cut. Trashed: where the sector or page begins */
    bool keeps_behind; /* torn: the part behind the cut is kept, not the part before it */
    uint64_t seed;     /* of the garbage */
};

struct crash_plans {
    struct crash_plan *items;
    size_t count;
    size_t capacity;
};

/* The operations since the last sync of their file or of the directory, oldest first. */
struct crash_flight {
    const struct os_sim_operation **items;
    size_t count;
};

/* Fills `plans`: after one more operation (`only_new`) with the states in which that one happened
 * at least in part, for the others were states of the point before; else with all states. The first
 * plan is the one where all happened. */
void crash_plan_point(const struct crash_flight *flight, bool only_new,
                      struct random_source *random, struct crash_plans *plans);

/* Whether the operation at this place happened, spoilt or not. */
bool crash_plan_has(const struct crash_plan *plan, const struct crash_flight *flight, size_t place);

/* Drops plans at random until `limit` are left; the first one stays. */
void crash_plan_limit(struct crash_plans *plans, size_t limit, struct random_source *random);

#endif
