/* Opening, figures, walking the spaces: once for info and for stats. */
#include "file_figures.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cache_open.h"
#include "import_marker.h"
#include "report_error.h"

static int show_file(struct cache *cache, const struct figures_view *view, int is_json);
static edb_status set_markers_apart(struct cache *cache, edb_stats *stats, uint64_t *imports_out);
static int show_spaces(struct cache *cache, const struct figures_view *view, struct emitter *json);
static void write_space(struct emitter *json, const edb_space_spec *spec,
                        const edb_space_stats *stats);

int figures_show(const struct arguments *arguments, const struct figures_view *view, int is_json)
{
    struct cache cache;
    int code = cache_open(&cache, arguments, CACHE_READ);
    if (code == CODE_OK)
        code = show_file(&cache, view, is_json);
    return cache_close(&cache, code);
}

static int show_file(struct cache *cache, const struct figures_view *view, int is_json)
{
    struct emitter json = EMITTER(stdout);
    edb_stats stats = {.struct_size = sizeof stats};
    uint64_t imports = 0;
    edb_status status = figures_file(cache, &stats, &imports);
    if (status != EDB_OK)
        return report_status(status, NULL);
    if (!is_json) {
        view->print_file(cache->path, &stats);
        int code = show_spaces(cache, view, NULL);
        if (imports > 0)
            printf("%" PRIu64 " import%s not finished: the same words go on with it\n", imports,
                   imports == 1 ? "" : "s");
        return code;
    }
    emit_begin(&json, '{');
    view->write_file(&json, cache->path, &stats);
    emit_name(&json, "spaces");
    emit_begin(&json, '[');
    int code = show_spaces(cache, view, &json);
    emit_end(&json, ']');
    emit_named_count(&json, "imports_unfinished", imports);
    emit_end(&json, '}');
    putchar('\n');
    return code;
}

edb_status figures_file(struct cache *cache, edb_stats *stats_out, uint64_t *imports_out)
{
    *imports_out = 0;
    stats_out->struct_size = sizeof *stats_out;
    edb_status status = edb_stats_get(cache->db, stats_out);
    return status == EDB_OK ? set_markers_apart(cache, stats_out, imports_out) : status;
}

int figures_space(struct cache *cache, size_t *index, edb_space_spec *spec_out,
                  edb_space_stats *stats_out)
{
    edb_status status = EDB_OK;
    memset(stats_out, 0, sizeof *stats_out);
    stats_out->struct_size = sizeof *stats_out;
    for (int is_found = 0; !is_found && status == EDB_OK;) {
        edb_space *space;
        memset(spec_out, 0, sizeof *spec_out);
        spec_out->struct_size = sizeof *spec_out;
        status = edb_space_at(cache->db, (*index)++, &space);
        if (status == EDB_NOT_FOUND)
            return CODE_END;
        if (status == EDB_OK)
            status = edb_space_describe(space, spec_out);
        is_found = status == EDB_OK && strcmp(spec_out->name, IMPORT_MARKER_SPACE) != 0;
        if (is_found)
            status = edb_space_stats_get(space, stats_out);
    }
    return status == EDB_OK ? CODE_OK : report_status(status, NULL);
}

edb_status figures_evictions(edb *db, uint64_t *count_out)
{
    edb_space *space;
    edb_status status;
    *count_out = 0;
    for (size_t i = 0; (status = edb_space_at(db, i, &space)) == EDB_OK; i++) {
        edb_space_stats stats = {.struct_size = sizeof stats};
        status = edb_space_stats_get(space, &stats);
        if (status != EDB_OK)
            return status;
        *count_out += stats.evictions;
    }
    return status == EDB_NOT_FOUND ? EDB_OK : status;
}

void figures_uuid(const edb_stats *stats, char out[UUID_BYTES])
{
    size_t at = 0;
    for (size_t i = 0; i < sizeof stats->uuid; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            out[at++] = '-';
        at += (size_t)snprintf(out + at, UUID_BYTES - at, "%02x", stats->uuid[i]);
    }
}

const char *figures_oldest_reader(const edb_stats *stats)
{
    static const char *const releases[] = {"none", "0.1.0"};
    size_t count = sizeof releases / sizeof releases[0];
    return stats->format_version < count ? releases[stats->format_version] : edb_version();
}

const char *figures_word(const char *list, uint32_t index, char out[16])
{
    if (!option_word(list, index, out, 16))
        snprintf(out, 16, "%u", index);
    return out;
}

/* The space of import markers is the command's own business: its rows and itself are in no figure,
 * but how many of them are not finished is told. */
static edb_status set_markers_apart(struct cache *cache, edb_stats *stats, uint64_t *imports_out)
{
    edb_space *space;
    edb_space_stats markers = {.struct_size = sizeof markers};
    edb_status status = edb_space_find(cache->db, IMPORT_MARKER_SPACE, &space);
    if (status == EDB_NOT_FOUND)
        return EDB_OK;
    if (status == EDB_OK)
        status = edb_space_stats_get(space, &markers);
    if (status == EDB_OK)
        status = marker_count_unfinished(space, imports_out);
    stats->spaces -= 1;
    stats->rows -= markers.rows;
    stats->live -= markers.live;
    return status;
}

/* json NULL: for people. */
static int show_spaces(struct cache *cache, const struct figures_view *view, struct emitter *json)
{
    edb_space_spec spec;
    edb_space_stats stats;
    int code = CODE_OK;
    for (size_t next = 0; code == CODE_OK;) {
        code = figures_space(cache, &next, &spec, &stats);
        if (code == CODE_OK && json != NULL)
            write_space(json, &spec, &stats);
        else if (code == CODE_OK)
            view->print_space(&spec, &stats);
    }
    return code == CODE_END ? CODE_OK : code;
}

static void write_space(struct emitter *json, const edb_space_spec *spec,
                        const edb_space_stats *stats)
{
    char word[16];
    emit_begin(json, '{');
    emit_named_text(json, "name", spec->name);
    emit_named_text(json, "model", spec->model);
    emit_named_text(json, "revision", spec->revision);
    emit_named_count(json, "dims", spec->dims);
    emit_named_text(json, "metric", figures_word(METRIC_WORDS, spec->metric, word));
    emit_named_text(json, "role", figures_word(ROLE_WORDS, spec->role, word));
    emit_named_text(json, "element", figures_word("f32", spec->element, word));
    emit_named_text(json, "key_form", figures_word(KEY_FORM_WORDS, spec->key_form, word));
    emit_named_count(json, "rows", stats->rows);
    emit_named_count(json, "live", stats->live);
    emit_named_count(json, "live_bytes", stats->live_bytes);
    emit_named_count(json, "hits", stats->hits);
    emit_named_count(json, "misses", stats->misses);
    emit_named_count(json, "hit_bytes", stats->hit_bytes);
    emit_named_count(json, "hit_cost", stats->hit_cost);
    emit_named_count(json, "evictions", stats->evictions);
    emit_end(json, '}');
}
