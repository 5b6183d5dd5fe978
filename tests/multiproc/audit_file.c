/* The audit. Called by tests in their own process, or by a worker for one. */
#include "multiproc/audit_file.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "support/stamped_row.h"

struct audit {
    const struct audit_plan *plan;
    report_sink *sink;
    void *arg;
    uint64_t from_ns;
    uint64_t to_ns;
    bool good;
    bool there[REGISTERS][REGISTER_KEYS_MAX];
};

static void complain(struct audit *a, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void complain(struct audit *a, const char *format, ...)
{
    va_list args;
    a->good = false;
    fprintf(stderr, "%s: ", a->plan->path);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\n");
}

static bool succeeds(struct audit *a, edb_status status, const char *doing)
{
    if (status != EDB_OK)
        complain(a, "%s: %s: %s", doing, edb_status_name(status), edb_error_detail());
    return status == EDB_OK;
}

static void tell(struct audit *a, struct report report)
{
    report.from_ns = a->from_ns;
    report.to_ns = a->to_ns;
    a->sink(a->arg, &report);
}

/* The record is found by its key, and is the same. */
static void check_key(struct audit *a, edb_space *space, const edb_view *view)
{
    edb_view again;
    if (!succeeds(a, edb_view_key(space, view->key, view->key_bytes, &again), "edb_view_key"))
        return;
    if (again.row != view->row || again.vector != view->vector)
        complain(a, "row %" PRIu64 " is another one by its key", view->row);
    edb_view_release(&again);
}

static void read_record(struct audit *a, edb_space *space, const edb_view *view, bool added)
{
    struct report seen = {.kind = REPORT_SEEN, .row = view->row};
    if (!stamped_view_read(view, &seen.reg, &seen.slot, &seen.stamp)) {
        complain(a, "row %" PRIu64 " has a content that nobody wrote", view->row);
        return;
    }
    if ((seen.reg == ADDED) != added) {
        complain(a, "row %" PRIu64 " stands in the wrong space", view->row);
        return;
    }
    check_key(a, space, view);
    if (!added) {
        if (a->there[seen.reg][seen.slot])
            complain(a, "register %u.%u comes twice", seen.reg, seen.slot);
        a->there[seen.reg][seen.slot] = true;
    }
    tell(a, seen);
}

static void read_space(struct audit *a, edb_space *space, bool added)
{
    edb_iterator *iterator;
    edb_view view;
    edb_status status;
    if (space == NULL || !succeeds(a, edb_iterate(space, &iterator), "edb_iterate"))
        return;
    while ((status = edb_next(iterator, &view)) != EDB_NOT_FOUND) {
        if (!succeeds(a, status, "edb_next"))
            break;
        read_record(a, space, &view, added);
        edb_view_release(&view);
    }
    edb_iterator_close(iterator);
}

static void tell_absent(struct audit *a)
{
    for (uint32_t reg = 0; reg < REGISTERS; reg++)
        for (uint32_t slot = 0; slot < register_keys(reg); slot++)
            if (!a->there[reg][slot])
                tell(a, (struct report){.kind = REPORT_ABSENT, .reg = reg, .slot = slot});
}

static void note_problem(void *arg, uint64_t offset, uint64_t bytes, const char *message)
{
    complain(arg, "edb_verify: %" PRIu64 " bytes at %" PRIu64 ": %s", bytes, offset, message);
}

static edb_space *find_space(struct audit *a, edb *db, const char *name)
{
    edb_space *space = NULL;
    edb_status status = db != NULL ? edb_space_find(db, name, &space) : EDB_NOT_FOUND;
    if (status != EDB_NOT_FOUND || !a->plan->may_be_absent)
        succeeds(a, status, "edb_space_find");
    return space;
}

bool audit_file(const struct audit_plan *plan, report_sink *sink, void *arg)
{
    static struct audit a;
    edb *db = NULL;
    edb_open_options options = EDB_OPEN_OPTIONS_INIT;
    a = (struct audit){.plan = plan, .sink = sink, .arg = arg, .good = true};
    a.from_ns = plan->from_ns != 0 ? plan->from_ns : report_now();
    options.flags = plan->flags;
    edb_status status = edb_open(plan->path, &options, &db);
    a.to_ns = plan->to_ns != 0 ? plan->to_ns : report_now();
    if (status != EDB_NOT_FOUND || !plan->may_be_absent)
        if (!succeeds(&a, status, "edb_open"))
            return false;
    edb_space *registers = find_space(&a, db, "registers");
    edb_space *added = find_space(&a, db, "added");
    read_space(&a, registers, false);
    tell_absent(&a);
    tell(&a, (struct report){.kind = REPORT_AUDIT});
    read_space(&a, added, true);
    if (db != NULL)
        succeeds(&a, edb_verify(db, note_problem, &a, NULL), "edb_verify");
    succeeds(&a, edb_close(db), "edb_close");
    return a.good;
}
