/* How a history is judged. First every sighting finds the operation whose stamp it bears. Then time
 * is swept once: from the moment at which an operation is known to be in the file, its register may
 * show nothing older. "Older" is by stamp where one writer writes, by row number where several
 * do. */
#include "multiproc/judge_history.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "multiproc/write_load.h"
#include "support/stamped_row.h"

enum { FAULTS_TOLD = 10 };

struct operation {
    uint64_t stamp;
    uint64_t row; /* of slot 0, when known */
    uint64_t begin_ns;
    uint64_t known_ns; /* from then on it is known to be in the file */
    uint64_t death_ns; /* of a writer that did not acknowledge it */
    uint64_t seen_ns;  /* when a read that saw it was over, the first */
    uint32_t reg;
    uint32_t operation;
    size_t audit; /* the last that found its added row */
    bool acknowledged;
};

struct history {
    struct operation *operations;
    size_t operation_count;
    size_t operation_capacity;
    struct report *sightings;
    size_t sighting_count;
    size_t sighting_capacity;
    struct verdict verdict;
};

static void *grow(void *items, size_t count, size_t *capacity, size_t bytes)
{
    if (count < *capacity)
        return items;
    *capacity = *capacity ? 2 * *capacity : 1024;
    items = realloc(items, *capacity * bytes);
    if (items == NULL)
        report_fault("judge: no memory for %zu reports", *capacity);
    return items;
}

static void blame(struct history *h, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void blame(struct history *h, const char *format, ...)
{
    va_list args;
    if (h->verdict.faults++ >= FAULTS_TOLD)
        return;
    va_start(args, format);
    fprintf(stderr, "judge: ");
    vfprintf(stderr, format, args);
    fprintf(stderr, "\n");
    va_end(args);
}

/* -------------------------------------------------------------------------------------- keeping */

struct history *history_open(void)
{
    struct history *h = calloc(1, sizeof *h);
    if (h == NULL)
        report_fault("judge: no memory");
    return h;
}

void history_close(struct history *h)
{
    if (h == NULL)
        return;
    free(h->operations);
    free(h->sightings);
    free(h);
}

static void note_begin(struct history *h, const struct report *report)
{
    h->operations =
        grow(h->operations, h->operation_count, &h->operation_capacity, sizeof *h->operations);
    h->operations[h->operation_count++] = (struct operation){.stamp = report->stamp,
                                                             .row = REPORT_ROW_UNKNOWN,
                                                             .begin_ns = report->from_ns,
                                                             .known_ns = UINT64_MAX,
                                                             .death_ns = UINT64_MAX,
                                                             .seen_ns = UINT64_MAX,
                                                             .reg = report->reg,
                                                             .operation = report->operation};
}

/* The operation was noted a moment ago. */
static void note_ack(struct history *h, const struct report *report)
{
    for (size_t i = h->operation_count; i-- > 0;) {
        struct operation *o = &h->operations[i];
        if (o->stamp != report->stamp)
            continue;
        o->acknowledged = true;
        o->known_ns = report->to_ns;
        o->row = report->row;
        return;
    }
    blame(h, "operation %" PRIu64 " is acknowledged and was not begun", report->stamp);
}

void history_note(void *history, const struct report *report)
{
    struct history *h = history;
    switch (report->kind) {
    case REPORT_BEGIN:
        note_begin(h, report);
        return;
    case REPORT_ACK:
        note_ack(h, report);
        return;
    case REPORT_SEEN:
    case REPORT_ABSENT:
    case REPORT_AUDIT:
        h->sightings =
            grow(h->sightings, h->sighting_count, &h->sighting_capacity, sizeof *h->sightings);
        h->sightings[h->sighting_count++] = *report;
        return;
    case REPORT_BUSY:
        return;
    default:
        blame(h, "a report of kind %u", report->kind);
    }
}

uint64_t history_note_death(struct history *h, uint64_t first_stamp, uint64_t now_ns)
{
    for (size_t i = h->operation_count; i-- > 0;) {
        struct operation *o = &h->operations[i];
        if (o->stamp < first_stamp || o->stamp - first_stamp >= STAMPS_A_PROCESS)
            continue;
        if (o->acknowledged)
            return 0;
        o->death_ns = now_ns;
        return o->stamp;
    }
    return 0;
}

uint64_t history_ack_after(const struct history *h, uint64_t ns)
{
    uint64_t first = UINT64_MAX;
    for (size_t i = 0; i < h->operation_count; i++) {
        const struct operation *o = &h->operations[i];
        if (o->acknowledged && o->known_ns > ns && o->known_ns < first)
            first = o->known_ns;
    }
    return first;
}

/* ------------------------------------------------------------------------ sighting to operation */

static int by_stamp(const void *a, const void *b)
{
    const struct operation *x = a, *y = b;
    return (x->stamp > y->stamp) - (x->stamp < y->stamp);
}

static struct operation *find_operation(struct history *h, uint64_t stamp)
{
    struct operation wanted = {.stamp = stamp};
    return bsearch(&wanted, h->operations, h->operation_count, sizeof wanted, by_stamp);
}

static void match_row(struct history *h, struct operation *o, const struct report *seen)
{
    if (seen->row == REPORT_ROW_UNKNOWN || seen->reg == ADDED)
        return;
    if (o->row == REPORT_ROW_UNKNOWN)
        o->row = seen->row - seen->slot;
    if (o->row + seen->slot != seen->row)
        blame(h, "operation %" PRIu64 " has row %" PRIu64 " and row %" PRIu64, o->stamp, o->row,
              seen->row - seen->slot);
}

static void match(struct history *h, const struct report *seen)
{
    h->verdict.sightings++;
    struct operation *o = find_operation(h, seen->stamp);
    if (o == NULL || o->begin_ns > seen->to_ns) {
        blame(h, "register %u shows operation %" PRIu64 ", which was not begun then", seen->reg,
              seen->stamp);
        return;
    }
    bool fits = seen->reg == ADDED ? (o->operation & OPERATION_ADDS) != 0
                                   : seen->reg == o->reg && !(o->operation & OPERATION_DELETE);
    if (!fits)
        blame(h, "register %u shows operation %" PRIu64 " of register %u", seen->reg, seen->stamp,
              o->reg);
    match_row(h, o, seen);
    if (seen->to_ns < o->seen_ns)
        o->seen_ns = seen->to_ns;
}

/* What was seen is in the file, and was put there before its writer died. */
static void settle(struct history *h, struct operation *o)
{
    struct verdict *v = &h->verdict;
    v->acknowledged += o->acknowledged;
    v->durable += o->acknowledged && (o->operation & OPERATION_DURABLE);
    v->unknown += !o->acknowledged;
    o->audit = 0;
    if (o->seen_ns == UINT64_MAX)
        return;
    v->unknown_there += !o->acknowledged;
    uint64_t sure = o->seen_ns < o->death_ns ? o->seen_ns : o->death_ns;
    if (sure < o->known_ns)
        o->known_ns = sure;
}

/* ----------------------------------------------------------------------------------------- rows */

static int by_row(const void *a, const void *b)
{
    const struct operation *x = *(struct operation *const *)a, *y = *(struct operation *const *)b;
    return (x->row > y->row) - (x->row < y->row);
}

static void judge_rows(struct history *h)
{
    struct operation **rows = calloc(h->operation_count + 1, sizeof *rows);
    size_t count = 0;
    if (rows == NULL)
        report_fault("judge: no memory");
    for (size_t i = 0; i < h->operation_count; i++)
        if (h->operations[i].row != REPORT_ROW_UNKNOWN)
            rows[count++] = &h->operations[i];
    qsort(rows, count, sizeof *rows, by_row);
    for (size_t i = 1; i < count; i++)
        if (rows[i - 1]->row + register_keys(rows[i - 1]->reg) > rows[i]->row)
            blame(h, "operations %" PRIu64 " and %" PRIu64 " both have row %" PRIu64,
                  rows[i - 1]->stamp, rows[i]->stamp, rows[i]->row);
    free(rows);
}

/* -------------------------------------------------------------------------------- sweep of time */

/* A moment: a read begins, or an operation is known to be in the file. */
struct event {
    uint64_t ns;
    const struct report *read;
    const struct operation *known;
};

/* Where two happen at one moment the read is taken to be the earlier. */
static int by_time(const void *a, const void *b)
{
    const struct event *x = a, *y = b;
    if (x->ns != y->ns)
        return x->ns > y->ns ? 1 : -1;
    return (x->read == NULL) - (y->read == NULL);
}

/* Rank of an operation in its register, above 0; 0 when it is not known. */
static uint64_t rank(const struct operation *o)
{
    if (!register_shared(o->reg))
        return o->stamp;
    return o->row == REPORT_ROW_UNKNOWN ? 0 : o->row + 1;
}

/* Whether the register may have been empty at the end of a read: by a delete that is not older. */
static bool may_be_empty(struct history *h, const struct report *read, uint64_t floor)
{
    if (floor == 0)
        return true;
    if (register_shared(read->reg))
        return false;
    struct operation *o = find_operation(h, floor);
    const struct operation *end = h->operations + h->operation_count;
    for (; o < end; o++)
        if (o->reg == read->reg && (o->operation & OPERATION_DELETE) && o->begin_ns <= read->to_ns)
            return true;
    return false;
}

static void judge_read(struct history *h, const struct report *read, uint64_t floor)
{
    if (read->kind == REPORT_ABSENT && !may_be_empty(h, read, floor))
        blame(h, "register %u.%u is empty, but %" PRIu64 " was there", read->reg, read->slot,
              floor);
    const struct operation *o = read->kind == REPORT_SEEN ? find_operation(h, read->stamp) : NULL;
    if (o != NULL && rank(o) != 0 && rank(o) < floor)
        blame(h, "register %u.%u shows %" PRIu64 ", but %" PRIu64 " was there before", read->reg,
              read->slot, rank(o), floor);
}

static void sweep(struct history *h)
{
    uint64_t floors[REGISTERS] = {0};
    struct event *events = calloc(h->operation_count + h->sighting_count + 1, sizeof *events);
    size_t count = 0;
    if (events == NULL)
        report_fault("judge: no memory");
    for (size_t i = 0; i < h->operation_count; i++)
        if (h->operations[i].known_ns != UINT64_MAX)
            events[count++] =
                (struct event){.ns = h->operations[i].known_ns, .known = &h->operations[i]};
    for (size_t i = 0; i < h->sighting_count; i++)
        if (h->sightings[i].kind != REPORT_AUDIT && h->sightings[i].reg != ADDED)
            events[count++] =
                (struct event){.ns = h->sightings[i].from_ns, .read = &h->sightings[i]};
    qsort(events, count, sizeof *events, by_time);
    for (size_t i = 0; i < count; i++) {
        const struct operation *o = events[i].known;
        if (o == NULL)
            judge_read(h, events[i].read, floors[events[i].read->reg]);
        else if (rank(o) > floors[o->reg])
            floors[o->reg] = rank(o);
    }
    free(events);
}

/* --------------------------------------------------------------------------------------- audits */

/* The added rows that stand behind an audit's mark are all there were; `number` is from 1. */
static void judge_audit(struct history *h, size_t at, size_t number)
{
    const struct report *mark = &h->sightings[at];
    h->verdict.audits++;
    h->verdict.added = 0;
    for (size_t i = at + 1; i < h->sighting_count && h->sightings[i].reg == ADDED &&
                            h->sightings[i].from_ns == mark->from_ns;
         i++) {
        struct operation *o = find_operation(h, h->sightings[i].stamp);
        h->verdict.added++;
        if (o != NULL && o->audit == number)
            blame(h, "the added row of %" PRIu64 " is there twice", o->stamp);
        if (o != NULL)
            o->audit = number;
    }
    for (size_t i = 0; i < h->operation_count; i++) {
        const struct operation *o = &h->operations[i];
        if ((o->operation & OPERATION_ADDS) && o->known_ns < mark->from_ns && o->audit != number)
            blame(h, "the added row of %" PRIu64 " (register %u) is lost", o->stamp, o->reg);
    }
}

struct verdict history_judge(struct history *h)
{
    h->verdict = (struct verdict){.faults = h->verdict.faults};
    qsort(h->operations, h->operation_count, sizeof *h->operations, by_stamp);
    for (size_t i = 0; i < h->sighting_count; i++)
        if (h->sightings[i].kind == REPORT_SEEN)
            match(h, &h->sightings[i]);
    for (size_t i = 0; i < h->operation_count; i++)
        settle(h, &h->operations[i]);
    judge_rows(h);
    sweep(h);
    for (size_t i = 0, number = 0; i < h->sighting_count; i++)
        if (h->sightings[i].kind == REPORT_AUDIT)
            judge_audit(h, i, ++number);
    return h->verdict;
}
