/* The file and the space a command works on. Commands open through here, so that all of them say
 * the same about a file that is absent, foreign or locked. */
#include "cache_open.h"

#include <string.h>

#include "report_error.h"

static void prefer_wish(edb_space_spec *spec, const struct space_wish *wish);

struct space_wish space_wish_none(const struct arguments *arguments)
{
    struct space_wish wish = {NULL, NULL, NULL, WISH_NONE, WISH_NONE, WISH_NONE, WISH_NONE};
    wish.name = option_text(arguments, "space");
    return wish;
}

struct space_wish space_wish_take(const struct arguments *arguments)
{
    struct space_wish wish = space_wish_none(arguments);
    wish.model = option_text(arguments, "model");
    wish.revision = option_text(arguments, "revision");
    wish.metric = (int)option_choice(arguments, "metric", (uint32_t)WISH_NONE);
    wish.role = (int)option_choice(arguments, "role", (uint32_t)WISH_NONE);
    wish.key_form = (int)option_choice(arguments, "key-form", (uint32_t)WISH_NONE);
    return wish;
}

int cache_open(struct cache *cache, const char *path, enum cache_access access)
{
    edb_open_options options = EDB_OPEN_OPTIONS_INIT;
    options.durability = EDB_DURABLE;
    if (access == CACHE_READ)
        options.flags = EDB_OPEN_READ_ONLY;
    else if (access == CACHE_CHANGE)
        options.flags = EDB_OPEN_EXISTING;
    memset(cache, 0, sizeof *cache);
    cache->path = path;
    edb_status status = edb_open(path, &options, &cache->db);
    if (status == EDB_NOT_FOUND)
        return report_error(CODE_IO, "%s", edb_error_detail());
    return status == EDB_OK ? CODE_OK : report_status(status, NULL);
}

int cache_find_space(struct cache *cache, const char *name)
{
    edb_status status = edb_space_find(cache->db, name, &cache->space);
    cache->spec.struct_size = sizeof cache->spec;
    if (status == EDB_OK)
        status = edb_space_describe(cache->space, &cache->spec);
    return status == EDB_OK ? CODE_OK : report_status(status, NULL);
}

int cache_make_space(struct cache *cache, const struct space_wish *wish)
{
    edb_space_spec spec = EDB_SPACE_SPEC_INIT;
    edb_status status = edb_space_find(cache->db, wish->name, &cache->space);
    if (status == EDB_OK)
        status = edb_space_describe(cache->space, &spec);
    else if (status == EDB_NOT_FOUND)
        status = EDB_OK;
    if (status != EDB_OK)
        return report_status(status, NULL);
    spec.name = wish->name;
    prefer_wish(&spec, wish);
    status = edb_space_open(cache->db, &spec, &cache->space);
    cache->spec.struct_size = sizeof cache->spec;
    if (status == EDB_OK)
        status = edb_space_describe(cache->space, &cache->spec);
    return status == EDB_OK ? CODE_OK : report_status(status, NULL);
}

int cache_close(struct cache *cache, int code)
{
    edb_status status = edb_close(cache->db);
    cache->db = NULL;
    if (status != EDB_OK && code == CODE_OK)
        return report_status(status, NULL);
    return code;
}

static void prefer_wish(edb_space_spec *spec, const struct space_wish *wish)
{
    if (wish->model != NULL)
        spec->model = wish->model;
    if (wish->revision != NULL)
        spec->revision = wish->revision;
    if (wish->dims != WISH_NONE)
        spec->dims = (uint32_t)wish->dims;
    if (wish->metric != WISH_NONE)
        spec->metric = (uint32_t)wish->metric;
    if (wish->role != WISH_NONE)
        spec->role = (uint32_t)wish->role;
    if (wish->key_form != WISH_NONE)
        spec->key_form = (uint32_t)wish->key_form;
}
