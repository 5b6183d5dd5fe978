/* edb_merge: the records of one file into another.
 *
 *   1 match_spaces      every space that both have is the same in both, before anything is written
 *   2 merge_all         (refuse) once without writing: no key has other content
 *   3 open_target       a space that is absent is created
 *   4 gather            some megabytes of live records of `from`, each verified, of one moment
 *   5 decide            beside what `into` has under their keys: add, replace, keep, equal
 *   6 db_commit_held    what is new, as one transaction; 5 and 6 under the writer lock
 *
 * Nothing tells what was deleted in `from`, so nothing is deleted. Whoever is killed in the middle
 * runs again: what is there already is equal then. */
#include <string.h>

#include "base/memory.h"
#include "db/db_content.h"
#include "db/db_group.h"
#include "db/db_held.h"
#include "db/db_moment.h"
#include "space/space.h"

static const uint64_t batch_bytes = 4u << 20;
static const char *const markers = "embedcache.imports"; /* of the command, about this file alone */

enum { BATCH_ROWS = 4096 };

enum decision { DECIDED_ADD, DECIDED_REPLACE, DECIDED_KEEP, DECIDED_EQUAL };

struct merge {
    edb *into;
    edb *from;
    edb_merge_options options;
    edb_merge_report report;
    bool writes;
    uint64_t done;
    uint64_t total;
    edb_space *target; /* NULL: absent, and nothing is written */
    struct db_moment moment;
    uint64_t next; /* row of the moment */
    struct db_change *changes;
    enum decision *decisions;
    size_t count;
};

/* ------------------------------------------------------------------------------------ deciding */

static bool same_bytes(const void *a, size_t a_bytes, const void *b, size_t b_bytes)
{
    return a_bytes == b_bytes && (a_bytes == 0 || memcmp(a, b, a_bytes) == 0);
}

static bool same_content(const struct db_change *a, const struct db_change *b)
{
    return same_bytes(a->vector, a->vector_bytes, b->vector, b->vector_bytes) &&
           a->has_text == b->has_text &&
           same_bytes(a->text, a->text_bytes, b->text, b->text_bytes) &&
           same_bytes(a->metadata, a->metadata_bytes, b->metadata, b->metadata_bytes);
}

/* The record that `into` has, verified. */
static edb_status read_present(edb_space *space, const struct db_found *found,
                               struct db_change *out)
{
    const uint8_t *vector;
    struct group group;
    struct record record;
    edb_status status = db_vector(space, found, &vector);
    if (status == EDB_OK)
        status = db_read_record(space, found, &group, &record);
    if (status == EDB_OK)
        *out = db_change_of(space, found->frame, &group, &record);
    return status;
}

static edb_status refuse(const struct merge *m, const struct db_change *change)
{
    char key[HELD_KEY_BYTES];
    db_held_key(&change->key, key);
    return fail(EDB_MISMATCH,
                "%s of space '%s' has other content in %s than in %s: let the newest win, or "
                "keep what is there",
                key, m->moment.space->spec.name, m->from->path, m->into->path);
}

static edb_status decide_one(const struct merge *m, const struct db_change *change,
                             enum decision *out)
{
    struct db_found found;
    struct db_change present;
    *out = DECIDED_ADD;
    if (m->target == NULL)
        return EDB_OK;
    edb_status status = db_locate(m->target, &change->key, &found);
    if (status == EDB_OK)
        status = read_present(m->target, &found, &present);
    if (status != EDB_OK)
        return status == EDB_NOT_FOUND ? EDB_OK : status;
    if (same_content(change, &present))
        *out = DECIDED_EQUAL;
    else if (m->options.on_conflict == EDB_CONFLICT_REFUSE)
        return refuse(m, change);
    else if (m->options.on_conflict == EDB_CONFLICT_KEEP || change->put_s < present.put_s)
        *out = DECIDED_KEEP;
    else
        *out = DECIDED_REPLACE;
    return EDB_OK;
}

/* A step, with the view of `into` held still. */
static edb_status decide(void *arg)
{
    struct merge *m = arg;
    edb_status status = EDB_OK;
    for (size_t i = 0; i < m->count && status == EDB_OK; i++)
        status = decide_one(m, &m->changes[i], &m->decisions[i]);
    return status;
}

/* Leaves the changes that are to be made. */
static void count_decisions(struct merge *m)
{
    size_t kept = 0;
    for (size_t i = 0; i < m->count; i++) {
        m->report.added += m->decisions[i] == DECIDED_ADD;
        m->report.replaced += m->decisions[i] == DECIDED_REPLACE;
        m->report.kept += m->decisions[i] == DECIDED_KEEP;
        m->report.equal += m->decisions[i] == DECIDED_EQUAL;
        if (m->decisions[i] <= DECIDED_REPLACE)
            m->changes[kept++] = m->changes[i];
    }
    m->count = kept;
}

/* ---------------------------------------------------------------------------------- one space */

/* A step, with the view of `from` held still. What it leads to stays mapped as long as the
 * moment. */
struct gathering {
    struct merge *merge;
    uint64_t from; /* row to begin with */
};

/* What a forged file holds is not taken over. */
static edb_status check_content(const edb_space *space, uint64_t row,
                                const struct db_change *change)
{
    const char *fault;
    edb_status status = db_content_check(space, change, &fault);
    if (status == EDB_OK && fault != NULL)
        return fail(EDB_CORRUPT, "%s: row %llu of space '%s' %s", space->db->path,
                    (unsigned long long)row, space->spec.name, fault);
    return status;
}

static edb_status gather_row(struct merge *m, uint64_t row, uint64_t *bytes)
{
    struct db_found found;
    struct db_change *change = &m->changes[m->count];
    edb_status status = db_moment_locate(&m->moment, row, &found);
    if (status == EDB_OK)
        status = read_present(m->moment.space, &found, change);
    if (status == EDB_OK)
        status = check_content(m->moment.space, row, change);
    if (status != EDB_OK)
        return status;
    change->space = m->target;
    change->key.hash =
        record_key_hash(change->key.bytes, change->key.count, change->key.form, m->into->hash_seed);
    *bytes += db_change_bytes(change);
    m->count++;
    return EDB_OK;
}

static edb_status gather(void *arg)
{
    const struct gathering *gathering = arg;
    struct merge *m = gathering->merge;
    uint64_t bytes = 0;
    m->count = 0;
    m->next = gathering->from;
    while (m->count < BATCH_ROWS && bytes < batch_bytes) {
        uint64_t row = db_moment_next(&m->moment, m->next);
        m->next = row;
        if (row == m->moment.end)
            break;
        edb_status status = gather_row(m, row, &bytes);
        if (status != EDB_OK)
            return status;
        m->next = row + 1;
    }
    return EDB_OK;
}

/* Nobody else writes between the decision and the commit. */
static edb_status write_batch(struct merge *m)
{
    bool durable = m->into->durability == EDB_DURABLE;
    edb_status status = db_write_begin(m->into, durable);
    if (status != EDB_OK)
        return status;
    status = db_with_view(m->into, decide, m);
    if (status == EDB_OK)
        count_decisions(m);
    if (status == EDB_OK && m->count > 0)
        status = db_commit_held(m->into, m->changes, m->count, durable);
    db_write_end(m->into);
    return status;
}

static edb_status check_batch(struct merge *m)
{
    edb_status status = db_with_view(m->into, decide, m);
    if (status == EDB_OK)
        count_decisions(m);
    return status;
}

static edb_status ask_progress(struct merge *m, size_t rows)
{
    m->done += rows;
    if (m->options.progress == NULL ||
        m->options.progress(m->options.arg, m->done, m->done > m->total ? m->done : m->total) == 0)
        return EDB_OK;
    return fail(EDB_CANCELLED, "%s: the merge was cancelled; what was merged stays", m->into->path);
}

static edb_status merge_rows(struct merge *m)
{
    struct gathering gathering = {.merge = m};
    edb_status status = EDB_OK;
    while (status == EDB_OK && gathering.from < m->moment.end) {
        status = db_with_view(m->from, gather, &gathering);
        size_t rows = m->count;
        gathering.from = m->next;
        if (status == EDB_OK && rows > 0)
            status = m->writes ? write_batch(m) : check_batch(m);
        if (status == EDB_OK)
            status = ask_progress(m, rows);
    }
    return status;
}

static edb_space_spec public_spec(const struct spec *spec)
{
    return (edb_space_spec){.struct_size = sizeof(edb_space_spec),
                            .name = spec->name,
                            .model = spec->model,
                            .revision = spec->revision,
                            .dims = spec->dims,
                            .metric = spec->metric,
                            .role = spec->role,
                            .element = spec->element,
                            .key_form = spec->key_form};
}

static edb_status open_target(struct merge *m, edb_space *space)
{
    edb_space_spec spec = public_spec(&space->spec);
    edb_status status = edb_space_find(m->into, spec.name, &m->target);
    if (status != EDB_NOT_FOUND)
        return status;
    m->report.spaces++;
    return m->writes ? edb_space_open(m->into, &spec, &m->target) : EDB_OK;
}

static edb_status merge_space(struct merge *m, edb_space *space)
{
    edb_status status = open_target(m, space);
    if (status == EDB_OK)
        status = db_moment_open(space, &m->moment);
    if (status == EDB_OK)
        status = merge_rows(m);
    db_moment_close(&m->moment);
    return status;
}

/* ---------------------------------------------------------------------------------- all of them */

/* The n-th space of `from` that is merged; EDB_NOT_FOUND behind the last. */
static edb_status space_at(const struct merge *m, size_t *index, edb_space **space_out)
{
    edb_status status;
    do
        status = edb_space_at(m->from, (*index)++, space_out);
    while (status == EDB_OK && strcmp((*space_out)->spec.name, markers) == 0);
    return status;
}

static edb_status match_space(struct merge *m, const edb_space *space)
{
    edb_space *there;
    edb_status status = edb_space_find(m->into, space->spec.name, &there);
    if (status == EDB_OK)
        status = space_compare(&there->spec, &space->spec);
    if (status == EDB_MISMATCH)
        return fail(status, "%s and %s: %s", m->into->path, m->from->path, edb_error_detail());
    return status == EDB_NOT_FOUND ? EDB_OK : status;
}

static uint64_t live_rows(const edb_space *space)
{
    os_rwlock_read(&space->db->view_lock);
    uint64_t live = space->live;
    os_rwlock_unlock(&space->db->view_lock);
    return live;
}

static edb_status match_spaces(struct merge *m)
{
    edb_space *space;
    edb_status status;
    for (size_t i = 0; (status = space_at(m, &i, &space)) == EDB_OK;) {
        status = match_space(m, space);
        if (status != EDB_OK)
            return status;
        m->total += live_rows(space);
    }
    return status == EDB_NOT_FOUND ? EDB_OK : status;
}

static edb_status merge_all(struct merge *m, bool writes)
{
    edb_space *space;
    edb_status status;
    m->writes = writes;
    m->done = 0;
    m->report = (edb_merge_report){0};
    for (size_t i = 0; (status = space_at(m, &i, &space)) == EDB_OK;) {
        status = merge_space(m, space);
        if (status != EDB_OK)
            return status;
    }
    return status == EDB_NOT_FOUND ? EDB_OK : status;
}

static edb_status check_files(const edb *into, edb *from)
{
    bool same = into == from;
    edb_status status = EDB_OK;
    os_rwlock_read(&from->view_lock);
    if (!same)
        status = from->store->io->same_file(from->store->file, into->path, &same, NULL);
    os_rwlock_unlock(&from->view_lock);
    if (status == EDB_OK && same)
        status =
            fail(EDB_INVALID, "%s and %s are the same file: name another", into->path, from->path);
    return status;
}

static edb_status merge(struct merge *m)
{
    edb_status status = match_spaces(m);
    m->changes = memory_zeroed(BATCH_ROWS, sizeof *m->changes);
    m->decisions = memory_zeroed(BATCH_ROWS, sizeof *m->decisions);
    if (status == EDB_OK && (m->changes == NULL || m->decisions == NULL))
        status = memory_failed(BATCH_ROWS * sizeof *m->changes);
    if (status == EDB_OK && (m->options.dry_run || m->options.on_conflict == EDB_CONFLICT_REFUSE))
        status = merge_all(m, false);
    if (status == EDB_OK && !m->options.dry_run)
        status = merge_all(m, true);
    memory_free(m->changes);
    memory_free(m->decisions);
    return status;
}

edb_status edb_merge(edb *into, edb *from, const edb_merge_options *options,
                     edb_merge_report *report_out)
{
    if (into == NULL || from == NULL)
        return fail(EDB_INVALID, "edb_merge: a file is NULL");
    struct merge m = {.into = into, .from = from};
    edb_status status = db_struct_read(&db_struct_merge_options, options, &m.options);
    if (status == EDB_OK && report_out != NULL)
        status = db_struct_write(&db_struct_merge_report, &m.report, report_out);
    if (status == EDB_OK && m.options.on_conflict > EDB_CONFLICT_REFUSE)
        status = fail(EDB_INVALID, "edb_merge: on_conflict %u is not known", m.options.on_conflict);
    if (status == EDB_OK)
        status = m.options.dry_run ? db_check_fork(into) : db_check_may_write(into);
    if (status == EDB_OK)
        status = db_check_fork(from);
    if (status == EDB_OK)
        status = check_files(into, from);
    if (status == EDB_OK)
        status = merge(&m);
    if (status == EDB_OK && report_out != NULL)
        status = db_struct_write(&db_struct_merge_report, &m.report, report_out);
    return status;
}
