/* embedcache diff: whether two files hold the same. */
#include <string.h>

#include "cache_open.h"
#include "commands.h"
#include "file_figures.h"
#include "import_marker.h"
#include "json_emit.h"
#include "record_write.h"
#include "report_error.h"
#include "space_compare.h"
#include "text_style.h"

enum { SHOWN_MAX = 10, KEY_COLUMNS = 60 };

/* Two files that are being compared. */
struct diff {
    struct cache first;
    struct cache second;
    const char *only; /* the one space that is wanted, or NULL */
    int is_json;
    struct emitter json;
    uint64_t limit;  /* how many differences are shown */
    uint64_t spaces; /* that are not the same spaces */
    uint64_t keys[DIFFERENCES];
};

static int diff(const struct arguments *arguments);
static int compare_files(struct diff *diff);
static int compare_spaces(struct diff *diff);
static int compare_space(struct diff *diff, edb_space *space);
static int find_absent(struct diff *diff);
static int space_at(const struct cache *cache, size_t index, edb_space **space_out,
                    edb_space_spec *spec_out);
static int is_wanted(const struct diff *diff, const char *name);
static int compare_specs(struct diff *diff, const edb_space_spec *first,
                         const edb_space_spec *second);
static void tell_space(struct diff *diff, const char *space, const char *what, const char *first,
                       const char *second);
static void tell_key(void *arg, const struct difference *difference);
static void print_key(const struct diff *diff, const struct difference *difference);
static void write_key(struct diff *diff, const struct difference *difference);
static uint64_t count_all(const struct diff *diff);
static void write_counts(struct diff *diff, int is_complete);
static uint64_t count_other_content(const struct diff *diff);
static int sum_up(const struct diff *diff);

static const struct option options[] = {
    OPTION_SPACE,
    COUNT_ROW("limit", 'n', "differences to show (10); all are counted", 0, INT64_MAX),
    OPTION_JSON,
    OPTIONS_COMMON,
};

const struct command command_diff = {
    .name = "diff",
    .operands = "FILE OTHER",
    .summary = "Says whether two files hold the same",
    .description =
        "The same spaces (model, dimensions, metric, role, key form), and in them the same keys "
        "with the same vectors, bit for bit, texts, metadata, expiry, costs and pins: then nothing "
        "is printed and the exit code is 0. Else the first differences and their number, and the "
        "exit code is 1. In which order and when records were stored does not count. Without "
        "--space all spaces are compared.",
    .examples = "embedcache diff cache.edb copy.edb",
    .options = options,
    .operands_min = 2,
    .operands_max = 2,
    .run = diff,
};

static int diff(const struct arguments *arguments)
{
    struct diff diff;
    memset(&diff, 0, sizeof diff);
    diff.only = option_text(arguments, "space");
    diff.limit = option_count(arguments, "limit", SHOWN_MAX);
    diff.is_json = option_given(arguments, "json");
    diff.json = (struct emitter)EMITTER(stdout);
    int code = cache_open(&diff.first, arguments, CACHE_SNAPSHOT);
    if (code == CODE_OK)
        code = cache_open_at(&diff.second, arguments->operands[1], CACHE_SNAPSHOT);
    if (code == CODE_OK)
        code = compare_files(&diff);
    code = cache_close(&diff.first, code);
    return cache_close(&diff.second, code);
}

/* The document of --json ends whatever happens, and says whether all was compared. */
static int compare_files(struct diff *diff)
{
    if (diff->is_json) {
        emit_begin(&diff->json, '{');
        emit_name(&diff->json, "differences");
        emit_begin(&diff->json, '[');
    }
    int code = compare_spaces(diff);
    if (diff->is_json)
        write_counts(diff, code == CODE_OK);
    return code == CODE_OK ? sum_up(diff) : code;
}

static int compare_spaces(struct diff *diff)
{
    edb_space *space;
    edb_space_spec spec;
    int code = CODE_OK;
    int any = 0;
    for (size_t i = 0; code == CODE_OK; i++) {
        code = space_at(&diff->first, i, &space, &spec);
        if (code != CODE_OK || !is_wanted(diff, spec.name))
            continue;
        any = 1;
        code = compare_space(diff, space);
    }
    if (code == CODE_END)
        code = find_absent(diff);
    if (code == CODE_OK && diff->only != NULL && !any && diff->spaces == 0)
        return report_error(CODE_NOT_FOUND, "neither %s nor %s has a space %s", diff->first.path,
                            diff->second.path, diff->only);
    return code;
}

static int compare_space(struct diff *diff, edb_space *space)
{
    edb_space *other;
    edb_space_spec spec = EDB_SPACE_SPEC_INIT;
    edb_space_spec other_spec = EDB_SPACE_SPEC_INIT;
    edb_status status = edb_space_describe(space, &spec);
    if (status == EDB_OK)
        status = edb_space_find(diff->second.db, spec.name, &other);
    if (status == EDB_NOT_FOUND) {
        tell_space(diff, spec.name, "is only in", diff->first.path, NULL);
        return CODE_OK;
    }
    if (status == EDB_OK)
        status = edb_space_describe(other, &other_spec);
    if (status != EDB_OK)
        return report_status(status, NULL);
    if (!compare_specs(diff, &spec, &other_spec))
        return CODE_OK;
    return space_compare(space, other, tell_key, diff);
}

/* The spaces of the second file that the first one has not. */
static int find_absent(struct diff *diff)
{
    edb_space *space;
    edb_space *other;
    edb_space_spec spec;
    int code;
    for (size_t i = 0; (code = space_at(&diff->second, i, &space, &spec)) == CODE_OK; i++) {
        if (!is_wanted(diff, spec.name))
            continue;
        edb_status status = edb_space_find(diff->first.db, spec.name, &other);
        if (status == EDB_NOT_FOUND)
            tell_space(diff, spec.name, "is only in", diff->second.path, NULL);
        else if (status != EDB_OK)
            return report_status(status, NULL);
    }
    return code == CODE_END ? CODE_OK : code;
}

/* CODE_END behind the last space. */
static int space_at(const struct cache *cache, size_t index, edb_space **space_out,
                    edb_space_spec *spec_out)
{
    *spec_out = (edb_space_spec)EDB_SPACE_SPEC_INIT;
    edb_status status = edb_space_at(cache->db, index, space_out);
    if (status == EDB_NOT_FOUND)
        return CODE_END;
    if (status == EDB_OK)
        status = edb_space_describe(*space_out, spec_out);
    return status == EDB_OK ? CODE_OK : report_status(status, NULL);
}

static int is_wanted(const struct diff *diff, const char *name)
{
    if (diff->only != NULL)
        return strcmp(name, diff->only) == 0;
    return strcmp(name, IMPORT_MARKER_SPACE) != 0;
}

/* Returns whether records can be compared. */
static int compare_specs(struct diff *diff, const edb_space_spec *first,
                         const edb_space_spec *second)
{
    char one[16];
    char other[16];
    if (strcmp(first->model, second->model) != 0)
        tell_space(diff, first->name, "model", first->model, second->model);
    if (strcmp(first->revision, second->revision) != 0)
        tell_space(diff, first->name, "revision", first->revision, second->revision);
    if (first->metric != second->metric)
        tell_space(diff, first->name, "metric", figures_word(METRIC_WORDS, first->metric, one),
                   figures_word(METRIC_WORDS, second->metric, other));
    if (first->role != second->role)
        tell_space(diff, first->name, "role", figures_word(ROLE_WORDS, first->role, one),
                   figures_word(ROLE_WORDS, second->role, other));
    if (first->key_form != second->key_form)
        tell_space(diff, first->name, "key form",
                   figures_word(KEY_FORM_WORDS, first->key_form, one),
                   figures_word(KEY_FORM_WORDS, second->key_form, other));
    snprintf(one, sizeof one, "%u", first->dims);
    snprintf(other, sizeof other, "%u", second->dims);
    if (first->dims != second->dims)
        tell_space(diff, first->name, "dims", one, other);
    return first->dims == second->dims && first->key_form == second->key_form;
}

/* A space that one file lacks (second NULL), or that is another one there. */
static void tell_space(struct diff *diff, const char *space, const char *what, const char *first,
                       const char *second)
{
    uint64_t shown = count_all(diff);
    diff->spaces++;
    if (shown >= diff->limit)
        return;
    if (diff->is_json) {
        emit_begin(&diff->json, '{');
        emit_named_text(&diff->json, "space", space);
        emit_named_text(&diff->json, "what", what);
        emit_name(&diff->json, "first");
        emit_bytes(&diff->json, first, strlen(first));
        if (second != NULL)
            emit_named_text(&diff->json, "second", second);
        emit_end(&diff->json, '}');
        return;
    }
    fputs("space ", stdout);
    style_print_name(stdout, space);
    printf(second != NULL ? ": %s \"" : " %s ", what);
    style_print_name(stdout, first);
    if (second != NULL) {
        fputs("\" and \"", stdout);
        style_print_name(stdout, second);
        putchar('"');
    }
    putchar('\n');
}

static void tell_key(void *arg, const struct difference *difference)
{
    struct diff *diff = arg;
    uint64_t shown = count_all(diff);
    diff->keys[difference->kind]++;
    if (shown >= diff->limit)
        return;
    if (diff->is_json)
        write_key(diff, difference);
    else
        print_key(diff, difference);
}

static void print_key(const struct diff *diff, const struct difference *difference)
{
    static const char *const says[DIFFERENCES] = {
        [DIFFERENCE_ONLY_FIRST] = "is only in",
        [DIFFERENCE_ONLY_SECOND] = "is only in",
        [DIFFERENCE_VECTOR] = "has another vector in",
        [DIFFERENCE_TEXT] = "has another text in",
        [DIFFERENCE_METADATA] = "has other metadata in",
        [DIFFERENCE_EXPIRY] = "has another expiry in",
        [DIFFERENCE_COST] = "has another cost in",
        [DIFFERENCE_PIN] = "has another pin in",
    };
    const edb_view *view = difference->first != NULL ? difference->first : difference->second;
    fputs("space ", stdout);
    style_print_name(stdout, difference->spec->name);
    fputs(": ", stdout);
    record_print_key(stdout, view, KEY_COLUMNS);
    printf(" %s ", says[difference->kind]);
    style_print_name(stdout, difference->kind == DIFFERENCE_ONLY_FIRST ? diff->first.path
                                                                       : diff->second.path);
    putchar('\n');
}

static void write_key(struct diff *diff, const struct difference *difference)
{
    static const char *const words[DIFFERENCES] = {
        [DIFFERENCE_ONLY_FIRST] = "only in first",
        [DIFFERENCE_ONLY_SECOND] = "only in second",
        [DIFFERENCE_VECTOR] = "vector",
        [DIFFERENCE_TEXT] = "text",
        [DIFFERENCE_METADATA] = "metadata",
        [DIFFERENCE_EXPIRY] = "expiry",
        [DIFFERENCE_COST] = "cost",
        [DIFFERENCE_PIN] = "pin",
    };
    struct emitter *json = &diff->json;
    emit_begin(json, '{');
    emit_named_text(json, "space", difference->spec->name);
    record_write_key(json, difference->first != NULL ? difference->first : difference->second,
                     NULL);
    emit_named_text(json, "what", words[difference->kind]);
    emit_end(json, '}');
}

static uint64_t count_all(const struct diff *diff)
{
    uint64_t count = diff->spaces;
    for (size_t i = 0; i < DIFFERENCES; i++)
        count += diff->keys[i];
    return count;
}

static void write_counts(struct diff *diff, int is_complete)
{
    struct emitter *json = &diff->json;
    emit_end(json, ']');
    emit_name(json, "complete");
    emit_bool(json, is_complete);
    emit_name(json, "same");
    emit_bool(json, is_complete && count_all(diff) == 0);
    emit_named_count(json, "spaces_differ", diff->spaces);
    emit_named_count(json, "only_first", diff->keys[DIFFERENCE_ONLY_FIRST]);
    emit_named_count(json, "only_second", diff->keys[DIFFERENCE_ONLY_SECOND]);
    emit_named_count(json, "differ", count_other_content(diff));
    emit_end(json, '}');
    putchar('\n');
}

static uint64_t count_other_content(const struct diff *diff)
{
    uint64_t count = 0;
    for (size_t i = DIFFERENCE_VECTOR; i < DIFFERENCES; i++)
        count += diff->keys[i];
    return count;
}

static int sum_up(const struct diff *diff)
{
    char first[STYLE_COUNTED_BYTES];
    char second[STYLE_COUNT_BYTES];
    char other[STYLE_COUNT_BYTES];
    char spaces[STYLE_COUNTED_BYTES];
    if (count_all(diff) == 0)
        return CODE_OK;
    return report_error(
        CODE_NOT_FOUND,
        "%s and %s differ: %s only in the first, %s only in the second, %s with other content, "
        "%s of spaces",
        diff->first.path, diff->second.path,
        style_counted(diff->keys[DIFFERENCE_ONLY_FIRST], "key", "keys", first),
        style_count(diff->keys[DIFFERENCE_ONLY_SECOND], second),
        style_count(count_other_content(diff), other),
        style_counted(diff->spaces, "difference", "differences", spaces));
}
