/* The file and the space a command works on. Commands open through here, so that all of them say
 * the same about a file that is absent, foreign or locked. */
#include "cache_open.h"

#include <stdio.h>
#include <string.h>

#include "import_marker.h"
#include "report_error.h"
#include "text_style.h"

static edb_status open_path(struct cache *cache, uint32_t flags);
static int wished_word(int wished, const char *words, const json_t *word);
static int find_wish(struct cache *cache, const struct space_wish *wish);
static void tell_opened(const struct cache *cache, uint32_t flags);
static void tell_space(const struct cache *cache);
static int report_open(edb_status status);
static int take_spec(struct cache *cache);
static void prefer_wish(edb_space_spec *spec, const struct space_wish *wish);
static int check_names(const edb_space_spec *spec);
static int check_name(const char *what, const char *name);

struct space_wish space_wish_named(const struct arguments *arguments)
{
    struct space_wish wish = {NULL, NULL, NULL, WISH_NONE, WISH_NONE, WISH_NONE, WISH_NONE};
    wish.name = option_text(arguments, "space");
    return wish;
}

struct space_wish space_wish_take(const struct arguments *arguments)
{
    struct space_wish wish = space_wish_named(arguments);
    wish.model = option_text(arguments, "model");
    wish.revision = option_text(arguments, "revision");
    wish.metric = (int)option_choice(arguments, "metric", (uint32_t)WISH_NONE);
    wish.role = (int)option_choice(arguments, "role", (uint32_t)WISH_NONE);
    wish.key_form = (int)option_choice(arguments, "key-form", (uint32_t)WISH_NONE);
    return wish;
}

int cache_open(struct cache *cache, const struct arguments *arguments, enum cache_access access)
{
    return cache_open_at(cache, arguments->operands[0], access);
}

int cache_open_at(struct cache *cache, const char *path, enum cache_access access)
{
    uint32_t flags = access == CACHE_READ       ? EDB_OPEN_READ_ONLY
                     : access == CACHE_SNAPSHOT ? EDB_OPEN_READ_ONLY | EDB_OPEN_SNAPSHOT
                                                : EDB_OPEN_EXISTING;
    memset(cache, 0, sizeof *cache);
    cache->path = path;
    if (path[0] == '\0')
        return report_error(CODE_USAGE, "the name of a file is empty: give it, like cache.edb");
    return report_open(open_path(cache, flags));
}

int cache_open_space(struct cache *cache, const struct arguments *arguments,
                     enum cache_access access)
{
    int code = cache_open(cache, arguments, access);
    if (code != CODE_OK)
        return code;
    edb_status status = edb_space_find(cache->db, option_text(arguments, "space"), &cache->space);
    return status == EDB_OK ? take_spec(cache) : report_status(status, NULL);
}

int cache_open_wish(struct cache *cache, const struct arguments *arguments,
                    const struct space_wish *wish)
{
    memset(cache, 0, sizeof *cache);
    cache->path = arguments->operands[0];
    int code = cache_refuse_markers(wish->name);
    if (code != CODE_OK)
        return code;
    edb_status status = open_path(cache, EDB_OPEN_EXISTING);
    if (status != EDB_OK && status != EDB_NOT_FOUND)
        return report_open(status);
    return find_wish(cache, wish);
}

int cache_refuse_markers(const char *space)
{
    if (space == NULL || strcmp(space, IMPORT_MARKER_SPACE) != 0)
        return CODE_OK;
    return report_error(CODE_USAGE,
                        "--space %s is where every import notes how far it has come: choose "
                        "another",
                        space);
}

int cache_create(struct cache *cache)
{
    if (cache->space != NULL)
        return CODE_OK;
    edb_status status = EDB_OK;
    if (cache->db == NULL)
        status = open_path(cache, 0);
    if (status != EDB_OK)
        return report_open(status);
    status = edb_space_open(cache->db, &cache->spec, &cache->space);
    return status == EDB_OK ? take_spec(cache) : report_status(status, NULL);
}

int cache_check_model(const struct cache *cache, const char *model, const char *way_out)
{
    const edb_space_spec *spec = &cache->spec;
    if (strcmp(spec->model, model) == 0 && spec->dims > 0)
        return CODE_OK;
    if (spec->dims == 0)
        return cache_refuse_opaque(cache, "choose another with --space");
    if (spec->model[0] == '\0')
        return report_error(CODE_BAD_DATA,
                            "space %s of %s holds vectors of a model without a name, not of %s: %s",
                            spec->name, cache->path, model, way_out);
    return report_error(CODE_BAD_DATA,
                        "space %s of %s holds vectors of model \"%s\", not of %s: %s", spec->name,
                        cache->path, spec->model, model, way_out);
}

int cache_refuse_opaque(const struct cache *cache, const char *way_out)
{
    return report_error(CODE_BAD_DATA, "space %s of %s holds opaque values, no vectors: %s",
                        cache->spec.name, cache->path, way_out);
}

int cache_close(struct cache *cache, int code)
{
    edb_status status = edb_close(cache->db);
    cache->db = NULL;
    if (status != EDB_OK && code == CODE_OK)
        return report_status(status, NULL);
    return code;
}

static edb_status open_path(struct cache *cache, uint32_t flags)
{
    edb_open_options options = EDB_OPEN_OPTIONS_INIT;
    options.durability = EDB_DURABLE;
    options.flags = flags;
    edb_status status = edb_open(cache->path, &options, &cache->db);
    if (status == EDB_OK && report_is_verbose())
        tell_opened(cache, flags);
    return status;
}

static void tell_opened(const struct cache *cache, uint32_t flags)
{
    char size[STYLE_COUNT_BYTES];
    edb_stats stats = {.struct_size = sizeof stats};
    if (edb_stats_get(cache->db, &stats) != EDB_OK)
        return;
    report_detail("opened %s for %s: format %u, %s", cache->path,
                  flags & EDB_OPEN_READ_ONLY ? "reading" : "writing", stats.format_version,
                  style_bytes(stats.file_bytes, size));
}

static void tell_space(const struct cache *cache)
{
    char metric[16];
    option_word(METRIC_WORDS, cache->spec.metric, metric, sizeof metric);
    report_detail("space %s: %u dims, %s, model \"%s\"", cache->spec.name, cache->spec.dims, metric,
                  cache->spec.model);
}

/* A file that is not there is not "not found" as a key is: scripts tell the two apart. */
static int report_open(edb_status status)
{
    if (status == EDB_NOT_FOUND)
        return report_error(CODE_IO, "%s: check the name; put, import, embed and create make one",
                            edb_error_detail());
    return status == EDB_OK ? CODE_OK : report_status(status, NULL);
}

static int find_wish(struct cache *cache, const struct space_wish *wish)
{
    edb_space_spec spec = EDB_SPACE_SPEC_INIT;
    edb_status status = EDB_NOT_FOUND;
    if (cache->db != NULL)
        status = edb_space_find(cache->db, wish->name, &cache->space);
    if (status != EDB_OK && status != EDB_NOT_FOUND)
        return report_status(status, NULL);
    if (status == EDB_OK)
        status = edb_space_describe(cache->space, &spec);
    spec.name = wish->name != NULL ? wish->name : "default";
    prefer_wish(&spec, wish);
    cache->spec = spec;
    if (cache->space == NULL)
        return check_names(&spec);
    if (status == EDB_OK)
        status = edb_space_open(cache->db, &spec, &cache->space);
    return status == EDB_OK ? take_spec(cache) : report_status(status, NULL);
}

static int take_spec(struct cache *cache)
{
    cache->spec.struct_size = sizeof cache->spec;
    edb_status status = edb_space_describe(cache->space, &cache->spec);
    if (status != EDB_OK)
        return report_status(status, NULL);
    if (report_is_verbose())
        tell_space(cache);
    return CODE_OK;
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

/* The library says the same, but only after the file is there. */
static int check_names(const edb_space_spec *spec)
{
    if (spec->name[0] == '\0')
        return report_error(CODE_USAGE,
                            "the name of a space is empty: leave --space away for \"default\"");
    int code = check_name("name", spec->name);
    if (code == CODE_OK)
        code = check_name("model", spec->model);
    return code == CODE_OK ? check_name("revision", spec->revision) : code;
}

static int check_name(const char *what, const char *name)
{
    size_t bytes = name != NULL ? strlen(name) : 0;
    if (bytes > EDB_NAME_BYTES_MAX)
        return report_error(CODE_USAGE, "the %s of a space has %zu bytes: give at most %u", what,
                            bytes, EDB_NAME_BYTES_MAX);
    if (!text_is_utf8(name, bytes))
        return report_error(CODE_USAGE, "the %s of a space is not UTF-8: give it in UTF-8", what);
    return CODE_OK;
}

void space_wish_prefer(struct space_wish *wish, const json_t *space)
{
    const char *model = json_string_value(json_object_get(space, "model"));
    const char *revision = json_string_value(json_object_get(space, "revision"));
    if (space == NULL)
        return;
    if (wish->name == NULL)
        wish->name = json_string_value(json_object_get(space, "name"));
    if (wish->model == NULL && model != NULL && model[0] != '\0')
        wish->model = model;
    if (wish->revision == NULL && revision != NULL && revision[0] != '\0')
        wish->revision = revision;
    wish->metric = wished_word(wish->metric, METRIC_WORDS, json_object_get(space, "metric"));
    wish->role = wished_word(wish->role, ROLE_WORDS, json_object_get(space, "role"));
    wish->key_form =
        wished_word(wish->key_form, KEY_FORM_WORDS, json_object_get(space, "key_form"));
}

static int wished_word(int wished, const char *words, const json_t *word)
{
    char listed[16];
    if (wished != WISH_NONE || !json_is_string(word))
        return wished;
    for (size_t i = 0; option_word(words, i, listed, sizeof listed); i++) {
        if (strcmp(listed, json_string_value(word)) == 0)
            return (int)i;
    }
    return wished;
}
