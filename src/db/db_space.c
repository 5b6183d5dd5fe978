/* Spaces: found by name, created as one GROUP that defines them.
 *
 *   1 space_check            what the caller asks for
 *   2 find_by_name           there already? then every field must agree (space_compare)
 *   3 db_write_begin         nobody else creates it now; looked for once more
 *   4 db_run_define_space    its GROUP
 *   5 db_append              committed and applied */
#include <stdio.h>
#include <string.h>

#include "db/db.h"
#include "db/db_group.h"
#include "space/space.h"

/* Needs the view lock, shared. */
static edb_space *find_by_name(edb *db, const char *name)
{
    for (uint32_t i = 0; i < db->space_count; i++)
        if (strcmp(db->spaces[i]->spec.name, name) == 0)
            return db->spaces[i];
    return NULL;
}

static edb_status lookup(edb *db, const char *name, edb_space **space_out)
{
    edb_status status = db_enter(db);
    if (status != EDB_OK)
        return status;
    *space_out = find_by_name(db, name);
    db_leave(db);
    return EDB_OK;
}

/* With the write lock held. */
static edb_status create_space(edb *db, const struct spec *spec)
{
    if (db->space_count == EDB_SPACES_MAX)
        return fail(EDB_FULL, "%s has %u spaces already, the most there can be: begin another file",
                    db->path, EDB_SPACES_MAX);
    struct db_run run;
    bool durable = db->durability == EDB_DURABLE;
    edb_status status = db_run_define_space(db->store, db->space_count + 1, spec, &run);
    if (status == EDB_OK)
        status = db_append(db, run.drafts, run.count, durable);
    if (status == EDB_OK && durable)
        status = db_make_durable(db);
    db_run_close(&run);
    return status;
}

/* Nobody else creates the space once the lock is held: it is looked for once more. */
static edb_status lookup_or_create(edb *db, const struct spec *spec, edb_space **space_out)
{
    edb_status status = db_write_begin(db, db->durability == EDB_DURABLE);
    if (status == EDB_READ_ONLY)
        return fail(status, "space '%s' is not there, and cannot be created: %s", spec->name,
                    edb_error_detail());
    if (status != EDB_OK)
        return status;
    status = lookup(db, spec->name, space_out);
    if (status == EDB_OK && *space_out == NULL)
        status = create_space(db, spec);
    if (status == EDB_OK && *space_out == NULL)
        status = lookup(db, spec->name, space_out);
    db_write_end(db);
    return status;
}

edb_status edb_space_open(edb *db, const edb_space_spec *given, edb_space **space_out)
{
    struct spec spec;
    edb_space_spec own;
    edb_space *space = NULL;
    if (space_out != NULL)
        *space_out = NULL;
    if (db == NULL || given == NULL || space_out == NULL)
        return fail(EDB_INVALID, "edb_space_open: an argument is NULL");
    edb_status status = db_struct_read(&db_struct_space_spec, given, &own);
    if (status == EDB_OK)
        status = space_check(&own, &spec);
    if (status == EDB_OK)
        status = lookup(db, spec.name, &space);
    if (status == EDB_OK && space == NULL)
        status = lookup_or_create(db, &spec, &space);
    if (status == EDB_OK)
        status = space_compare(&space->spec, &spec);
    if (status == EDB_OK)
        *space_out = space;
    return status;
}

/* "no space 'x'; there are 'a', 'b'" */
static edb_status tell_names(edb *db, const char *name)
{
    char names[400] = "";
    size_t used = 0;
    for (uint32_t i = 0; i < db->space_count && used < sizeof names - 1; i++) {
        int more = snprintf(names + used, sizeof names - used, "%s'%s'", i > 0 ? ", " : "",
                            db->spaces[i]->spec.name);
        used += more > 0 ? (size_t)more : 0;
    }
    return fail(EDB_NOT_FOUND, "%s has no space '%s'; %s%s", db->path, name,
                db->space_count > 0 ? "it has " : "it has none yet", names);
}

edb_status edb_space_find(edb *db, const char *name, edb_space **space_out)
{
    if (space_out != NULL)
        *space_out = NULL;
    if (db == NULL || space_out == NULL)
        return fail(EDB_INVALID, "edb_space_find: an argument is NULL");
    if (name == NULL)
        name = "default";
    edb_status status = db_enter(db);
    if (status != EDB_OK)
        return status;
    *space_out = find_by_name(db, name);
    if (*space_out == NULL)
        status = tell_names(db, name);
    db_leave(db);
    return status;
}

edb_status edb_space_at(edb *db, size_t index, edb_space **space_out)
{
    if (space_out != NULL)
        *space_out = NULL;
    if (db == NULL || space_out == NULL)
        return fail(EDB_INVALID, "edb_space_at: an argument is NULL");
    edb_status status = db_enter(db);
    if (status != EDB_OK)
        return status;
    if (index < db->space_count)
        *space_out = db->spaces[index];
    else
        status = fail(EDB_NOT_FOUND, "%s has %u spaces", db->path, db->space_count);
    db_leave(db);
    return status;
}

edb_status edb_space_describe(edb_space *space, edb_space_spec *spec_out)
{
    if (space == NULL || spec_out == NULL)
        return fail(EDB_INVALID, "edb_space_describe: an argument is NULL");
    edb_status status = db_check_fork(space->db);
    if (status != EDB_OK)
        return status;
    const struct spec *spec = &space->spec;
    edb_space_spec own = {.name = spec->name,
                          .model = spec->model,
                          .revision = spec->revision,
                          .dims = spec->dims,
                          .metric = spec->metric,
                          .role = spec->role,
                          .element = spec->element,
                          .key_form = spec->key_form};
    return db_struct_write(&db_struct_space_spec, &own, spec_out);
}
