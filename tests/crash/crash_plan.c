/* Subsets, cuts and garbage, counted out. Called by crash_states.c after every operation of a
 * journal.
 *
 * Of k operations in flight all 2^k subsets are taken while k is small; then all prefixes, all
 * without one, all with one alone, and some at random. Each write in flight is torn at sector
 * boundaries and spoilt by sector and by page, before a background of the others: all there, none
 * there, some there. */
#include "crash/crash_plan.h"

#include <stdlib.h>

enum {
    EXHAUSTIVE_MAX = 9, /* operations of which all subsets are taken */
    RANDOM_SUBSETS = 64,
    CUTS_MAX = 16, /* of the newest write; every boundary if there are no more */
    SECTORS_MAX = 4,
    PAGES_MAX = 2,
};

static void add_plan(struct crash_plans *plans, struct crash_plan plan)
{
    if (plans->count == plans->capacity) {
        plans->capacity = plans->capacity == 0 ? 1024 : plans->capacity * 2;
        plans->items = realloc(plans->items, plans->capacity * sizeof *plans->items);
        if (plans->items == NULL)
            abort();
    }
    plans->items[plans->count++] = plan;
}

static void add_subset(struct crash_plans *plans, enum crash_shape shape, uint64_t number)
{
    add_plan(plans, (struct crash_plan){.shape = shape, .number = number, .kind = CRASH_LOST});
}

/* ------------------------------------------------------------------------------------- subsets */

/* From the full set down, so that it comes first. Those with the newest are the upper half. */
static void plan_all_subsets(size_t count, bool only_new, struct crash_plans *plans)
{
    uint64_t full = (1ull << count) - 1;
    uint64_t least = only_new ? 1ull << (count - 1) : 0;
    for (uint64_t mask = full + 1; mask-- > least;)
        add_subset(plans, CRASH_MASK, mask);
}

static void plan_some_subsets(size_t count, bool only_new, struct random_source *random,
                              struct crash_plans *plans)
{
    size_t newest = count - 1;
    for (size_t n = count + 1; n-- > (only_new ? count : 0);)
        add_subset(plans, CRASH_PREFIX, n);
    for (size_t i = 0; i < count; i++) {
        if (i != newest || !only_new)
            add_subset(plans, CRASH_WITHOUT, i);
        if (i == newest || !only_new)
            add_subset(plans, CRASH_ONLY, i);
    }
    for (size_t i = 0; i < RANDOM_SUBSETS; i++)
        add_subset(plans, CRASH_RANDOM, random_u64(random));
}

bool crash_plan_has(const struct crash_plan *plan, const struct crash_flight *flight, size_t place)
{
    if (plan->kind == CRASH_TORN && place == plan->spoilt)
        return true;
    switch (plan->shape) {
    case CRASH_MASK:
        return plan->number >> place & 1;
    case CRASH_PREFIX:
        return place < plan->number;
    case CRASH_WITHOUT:
        return place != plan->number;
    case CRASH_ONLY:
        return place == plan->number;
    case CRASH_RANDOM:
        break;
    }
    struct random_source coin = {plan->number + place * 0x9e3779b97f4a7c15u};
    return place + 1 == flight->count || random_u64(&coin) >> 63;
}

/* -------------------------------------------------------------------------------- spoilt writes */

/* One kind of damage to one write: `unit` apart, at most `limit` places between `first` and `last`
 * (both included). */
struct damage {
    enum crash_kind kind;
    size_t place;
    uint64_t first;
    uint64_t last;
    uint64_t unit;
    size_t limit;
};

static void add_spoilt(const struct crash_flight *flight, const struct damage *damage,
                       uint64_t offset, struct random_source *random, struct crash_plans *plans)
{
    const enum crash_shape shapes[] = {CRASH_PREFIX, CRASH_ONLY, CRASH_RANDOM};
    const uint64_t numbers[] = {flight->count, damage->place, random_u64(random)};
    for (size_t i = 0; i < 3; i++) {
        struct crash_plan plan = {.shape = shapes[i],
                                  .number = numbers[i],
                                  .kind = damage->kind,
                                  .spoilt = damage->place,
                                  .offset = offset,
                                  .seed = random_u64(random)};
        add_plan(plans, plan);
        plan.keeps_behind = true;
        if (plan.kind == CRASH_TORN)
            add_plan(plans, plan);
    }
}

/* All places if they are few; else the first, the last, and random ones between. */
static void plan_damage(const struct crash_flight *flight, const struct damage *damage,
                        struct random_source *random, struct crash_plans *plans)
{
    if (damage->first > damage->last)
        return;
    uint64_t places = (damage->last - damage->first) / damage->unit + 1;
    size_t count = places < damage->limit ? (size_t)places : damage->limit;
    for (size_t i = 0; i < count; i++) {
        uint64_t number = i;
        if (places > damage->limit && damage->limit == 1)
            number = random_below(random, places);
        else if (places > damage->limit && i > 0)
            number = i + 1 == count ? places - 1 : 1 + random_below(random, places - 2);
        add_spoilt(flight, damage, damage->first + number * damage->unit, random, plans);
    }
}

/* A write that is not the newest had its turn when it was: one place of each kind will do. */
static void plan_spoilt_write(const struct crash_flight *flight, size_t place, bool newest,
                              struct random_source *random, struct crash_plans *plans)
{
    const uint64_t sector = OS_SIM_SECTOR_BYTES, page = CRASH_PAGE_BYTES;
    const struct os_sim_operation *write = flight->items[place];
    uint64_t end = write->offset + write->bytes;
    struct damage torn = {CRASH_TORN,
                          place,
                          (write->offset / sector + 1) * sector,
                          (end - 1) / sector * sector,
                          sector,
                          newest ? CUTS_MAX : 1};
    struct damage bad_sector = {
        CRASH_TRASHED_SECTOR,        place,  write->offset / sector * sector,
        (end - 1) / sector * sector, sector, newest ? SECTORS_MAX : 1};
    struct damage bad_page = {CRASH_TRASHED_PAGE,      place, write->offset / page * page,
                              (end - 1) / page * page, page,  newest ? PAGES_MAX : 1};
    plan_damage(flight, &torn, random, plans);
    plan_damage(flight, &bad_sector, random, plans);
    plan_damage(flight, &bad_page, random, plans);
}

void crash_plan_point(const struct crash_flight *flight, bool only_new,
                      struct random_source *random, struct crash_plans *plans)
{
    plans->count = 0;
    if (flight->count <= EXHAUSTIVE_MAX)
        plan_all_subsets(flight->count, only_new, plans);
    else
        plan_some_subsets(flight->count, only_new, random, plans);
    for (size_t i = 0; i < flight->count; i++) {
        if (flight->items[i]->kind == OS_SIM_WRITE)
            plan_spoilt_write(flight, i, i + 1 == flight->count, random, plans);
    }
}

void crash_plan_limit(struct crash_plans *plans, size_t limit, struct random_source *random)
{
    if (limit == 0)
        limit = 1;
    /* The first `limit` places of a random order that leaves the first plan where it is. */
    for (size_t i = 1; i < limit && plans->count > limit; i++) {
        size_t other = i + (size_t)random_below(random, plans->count - i);
        struct crash_plan plan = plans->items[i];
        plans->items[i] = plans->items[other];
        plans->items[other] = plan;
    }
    if (plans->count > limit)
        plans->count = limit;
}
