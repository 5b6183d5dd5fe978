/* What info and stats have in common: walking the spaces and writing them as JSON. */
#include "file_figures.h"

#include <stdio.h>
#include <string.h>

#include "options.h"
#include "report_error.h"

static void write_space(struct emitter *json, const edb_space_spec *spec,
                        const edb_space_stats *stats);

void figures_uuid(const edb_stats *stats, char out[UUID_BYTES])
{
    size_t at = 0;
    for (size_t i = 0; i < sizeof stats->uuid; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            out[at++] = '-';
        at += (size_t)snprintf(out + at, UUID_BYTES - at, "%02x", stats->uuid[i]);
    }
}

int figures_space(struct cache *cache, size_t index, edb_space_spec *spec_out,
                  edb_space_stats *stats_out)
{
    edb_space *space;
    memset(spec_out, 0, sizeof *spec_out);
    memset(stats_out, 0, sizeof *stats_out);
    spec_out->struct_size = sizeof *spec_out;
    stats_out->struct_size = sizeof *stats_out;
    edb_status status = edb_space_at(cache->db, index, &space);
    if (status == EDB_NOT_FOUND)
        return CODE_END;
    if (status == EDB_OK)
        status = edb_space_describe(space, spec_out);
    if (status == EDB_OK)
        status = edb_space_stats_get(space, stats_out);
    return status == EDB_OK ? CODE_OK : report_status(status, NULL);
}

int figures_write_spaces(struct emitter *json, struct cache *cache)
{
    edb_space_spec spec;
    edb_space_stats stats;
    int code = CODE_OK;
    emit_name(json, "spaces");
    emit_begin(json, '[');
    for (size_t i = 0; code == CODE_OK; i++) {
        code = figures_space(cache, i, &spec, &stats);
        if (code == CODE_OK)
            write_space(json, &spec, &stats);
    }
    emit_end(json, ']');
    return code == CODE_END ? CODE_OK : code;
}

const char *figures_word(const char *list, uint32_t index, char out[16])
{
    if (!option_word(list, index, out, 16))
        snprintf(out, 16, "%u", index);
    return out;
}

static void write_space(struct emitter *json, const edb_space_spec *spec,
                        const edb_space_stats *stats)
{
    char word[16];
    emit_begin(json, '{');
    emit_name(json, "name");
    emit_text(json, spec->name);
    emit_name(json, "model");
    emit_text(json, spec->model);
    emit_name(json, "revision");
    emit_text(json, spec->revision);
    emit_name(json, "dims");
    emit_count(json, spec->dims);
    emit_name(json, "metric");
    emit_text(json, figures_word(METRIC_WORDS, spec->metric, word));
    emit_name(json, "role");
    emit_text(json, figures_word(ROLE_WORDS, spec->role, word));
    emit_name(json, "element");
    emit_text(json, figures_word("f32", spec->element, word));
    emit_name(json, "key_form");
    emit_text(json, figures_word(KEY_FORM_WORDS, spec->key_form, word));
    emit_name(json, "rows");
    emit_count(json, stats->rows);
    emit_name(json, "live");
    emit_count(json, stats->live);
    emit_end(json, '}');
}
