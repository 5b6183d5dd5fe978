/* embedcache search: the nearest rows of a text, of a vector, or of each row of an array. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache_open.h"
#include "commands.h"
#include "embedder_choose.h"
#include "npy_read.h"
#include "record_write.h"
#include "report_error.h"
#include "text_style.h"
#include "vector_read.h"

enum { QUERIES_AT_ONCE = 256, QUERY_BYTES_MAX = 8388608, INDENT = 12 };

/* A search that is under way. */
struct search {
    const struct arguments *arguments;
    struct cache cache;
    edb_search_options options;
    struct emitter json;
    uint64_t answered; /* queries */
};

static int search(const struct arguments *arguments);
static int take_options(struct search *search);
static int check_no_text(const struct arguments *arguments);
static int answer_queries(struct search *search);
static int answer_text(struct search *search, const char *text);
static int answer_embedded(struct search *search, const struct embedder *embedder,
                           const struct text_batch *batch);
static int refuse_text(const char *text);
static int answer_list(struct search *search, const char *list);
static int answer_array(struct search *search, const char *path);
static int check_dims(const struct search *search, const char *source, uint32_t dims);
static int answer(struct search *search, const float *queries, size_t count);
static int show_result(struct search *search, const edb_result *result);
static int show_hit(struct search *search, const edb_hit *hit, size_t rank);
static int write_hit(struct search *search, const edb_hit *hit, const edb_view *view);
static void print_hit(const edb_hit *hit, size_t rank, const edb_view *view);

static const struct option options[] = {
    TEXT_ROW("text", "TEXT", "find what is near this text"),
    TEXT_ROW("vector", "LIST", "find what is near this vector, a JSON list"),
    FILE_ROW("vectors", "one query for each row of a .npy array (\"-\": stdin)"),
    COUNT_ROW("k", 'k', "how many hits (10; with --threshold: all)", 1, UINT32_MAX),
    REAL_ROW("threshold", "SCORE", "only hits of at least this score (l2: at most)"),
    OPTIONS_EMBEDDER,
    OPTION_SPACE,
    OPTION_JSON,
    OPTIONS_COMMON,
};

const struct command command_search = {
    .name = "search",
    .operands = "FILE --text TEXT",
    .surplus = "a question goes behind --text, in quotes",
    .summary = "Finds the nearest rows: exact",
    .description = "A text is embedded by the model that the space was filled with: the built-in "
                   "embedder, or the server that --embedder or EMBEDCACHE_EMBEDDER names, which "
                   "is sent that text as it is (see embedcache embed --help). The score is the "
                   "cosine, the dot product, or (l2) the squared distance.",
    .examples = "embedcache search notes.edb --text \"how do I undo a commit\"\n"
                "embedcache search cache.edb --vectors queries.npy -k 10 --json",
    .options = options,
    .operands_min = 1,
    .operands_max = 1,
    .run = search,
};

static int search(const struct arguments *arguments)
{
    struct search search = {
        .arguments = arguments, .options = EDB_SEARCH_OPTIONS_INIT, .json = EMITTER(stdout)};
    int code = take_options(&search);
    if (code != CODE_OK)
        return code;
    code = cache_open_space(&search.cache, arguments, CACHE_READ);
    int is_json = option_given(arguments, "json");
    if (code == CODE_OK && is_json)
        emit_begin(&search.json, '[');
    int is_open = code == CODE_OK && is_json;
    if (code == CODE_OK)
        code = answer_queries(&search);
    if (is_open) {
        emit_end(&search.json, ']');
        putchar('\n');
    }
    return cache_close(&search.cache, code);
}

static int take_options(struct search *search)
{
    const struct arguments *arguments = search->arguments;
    int ways = option_given(arguments, "text") + option_given(arguments, "vector") +
               option_given(arguments, "vectors");
    if (ways != 1)
        return report_error(
            CODE_USAGE,
            "search needs one of --text \"...\", --vector '[...]' and --vectors FILE.npy");
    int code = option_given(arguments, "text") ? CODE_OK : check_no_text(arguments);
    if (code != CODE_OK)
        return code;
    search->options.has_threshold = (uint32_t)option_given(arguments, "threshold");
    search->options.threshold = (float)option_real(arguments, "threshold", 0);
    search->options.k =
        (uint32_t)option_count(arguments, "k", search->options.has_threshold ? 0 : 10);
    return CODE_OK;
}

/* The vector is given: nobody embeds. */
static int check_no_text(const struct arguments *arguments)
{
    static const char *const names[] = {"embedder", "model", "encoding", "timeout", "retries"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (option_given(arguments, names[i]))
            return report_error(CODE_USAGE,
                                "--%s is for turning a text into a vector: give --text too, or "
                                "leave it away",
                                names[i]);
    }
    return CODE_OK;
}

static int answer_queries(struct search *search)
{
    const struct arguments *arguments = search->arguments;
    if (option_given(arguments, "text"))
        return answer_text(search, option_text(arguments, "text"));
    if (option_given(arguments, "vector"))
        return answer_list(search, option_text(arguments, "vector"));
    return answer_array(search, option_text(arguments, "vectors"));
}

/* The text goes to whoever made the vectors of the space, as it is. */
static int answer_text(struct search *search, const char *text)
{
    struct embedder_choice choice;
    struct embedder *embedder = NULL;
    struct text_batch batch;
    size_t bytes = strlen(text);
    struct record record = {.key = text, .key_bytes = bytes, .text = text, .text_bytes = bytes};
    memset(&batch, 0, sizeof batch);
    if (!text_is_utf8(text, bytes))
        return report_error(CODE_BAD_DATA, "--text \"%s\" is not UTF-8: give it in UTF-8", text);
    int code = embedder_choose(&choice, &search->cache, search->arguments);
    choice.is_query = 1;
    if (code == CODE_OK)
        code = text_batch_open(&batch, 1, 1);
    if (code == CODE_OK)
        code = embedder_open(&embedder, &choice);
    if (code == CODE_OK)
        code = text_batch_add(&batch, &record, 0, TEXT_NEW);
    if (code == CODE_OK)
        code = embedder_give(embedder, &batch);
    if (code == CODE_OK && embedder_take(embedder, 1) == &batch)
        code = answer_embedded(search, embedder, &batch);
    embedder_close(embedder);
    text_batch_close(&batch);
    return code;
}

static int answer_embedded(struct search *search, const struct embedder *embedder,
                           const struct text_batch *batch)
{
    if (batch->texts[0].fate == FATE_WORDLESS)
        return refuse_text(option_text(search->arguments, "text"));
    if (!text_batch_came(batch, 0))
        return embedder_code(embedder);
    return answer(search, text_batch_vector(batch, 0), 1);
}

/* Its vector is all zeros, and everything is equally far from that. */
static int refuse_text(const char *text)
{
    return report_error(
        CODE_USAGE, "--text \"%s\" has no word in it: ask with a word, letters or digits", text);
}

static int answer_list(struct search *search, const char *list)
{
    float *query;
    uint32_t dims;
    int code = vector_from_json(list, strlen(list), "--vector", &query, &dims);
    if (code == CODE_OK)
        code = check_dims(search, "--vector", dims);
    if (code == CODE_OK)
        code = answer(search, query, 1);
    free(query);
    return code;
}

/* Streams the array, as many queries at once as fit 8 MiB: one pass over the space answers them
 * all. */
static int answer_array(struct search *search, const char *path)
{
    struct matrix array;
    float *queries = NULL;
    int code = npy_open(&array, path, NPY_VECTOR_ALLOWED);
    if (code == CODE_OK)
        code = check_dims(search, array.bytes.name, array.dims);
    size_t at_once = code == CODE_OK ? QUERY_BYTES_MAX / (array.dims * sizeof *queries) : 0;
    at_once = at_once > QUERIES_AT_ONCE ? QUERIES_AT_ONCE : at_once;
    if (code == CODE_OK && (queries = malloc(at_once * array.dims * sizeof *queries)) == NULL)
        code = report_no_memory();
    while (code == CODE_OK && array.next_row < array.rows && !ferror(stdout)) {
        size_t count = 0;
        for (; code == CODE_OK && count < at_once && array.next_row < array.rows; count++)
            code = matrix_next(&array, queries + count * array.dims);
        if (code == CODE_OK)
            code = answer(search, queries, count);
    }
    free(queries);
    matrix_close(&array);
    return code;
}

static int check_dims(const struct search *search, const char *source, uint32_t dims)
{
    const edb_space_spec *spec = &search->cache.spec;
    if (dims == spec->dims)
        return CODE_OK;
    if (spec->dims == 0)
        return cache_refuse_opaque(&search->cache, "choose another with --space");
    return report_error(
        CODE_BAD_DATA,
        "%s has %u numbers, space %s has vectors of %u: give a query of the same model", source,
        dims, spec->name, spec->dims);
}

static int answer(struct search *search, const float *queries, size_t count)
{
    edb_result *results;
    edb_status status = edb_search(search->cache.space, queries, count, &search->options, &results);
    if (status != EDB_OK)
        return report_status(status, NULL);
    int code = CODE_OK;
    for (size_t i = 0; i < count && code == CODE_OK; i++)
        code = show_result(search, &results[i]);
    edb_free(results);
    return code;
}

static int show_result(struct search *search, const edb_result *result)
{
    struct emitter *json = &search->json;
    int is_json = option_given(search->arguments, "json");
    int code = CODE_OK;
    if (is_json && search->answered > 0)
        emit_line(json);
    if (is_json) {
        emit_begin(json, '{');
        emit_name(json, "hits");
        emit_begin(json, '[');
    } else if (option_given(search->arguments, "vectors")) {
        printf("%squery %llu\n", search->answered > 0 ? "\n" : "",
               (unsigned long long)search->answered);
    }
    for (size_t i = 0; i < result->count && code == CODE_OK; i++)
        code = show_hit(search, &result->hits[i], i + 1);
    if (is_json) {
        emit_end(json, ']');
        emit_name(json, "complete");
        emit_bool(json, (int)result->complete);
        emit_end(json, '}');
    } else if (result->count == 0) {
        puts("nothing found");
    }
    search->answered++;
    return code;
}

/* A row that was deleted since the search is passed over. */
static int show_hit(struct search *search, const edb_hit *hit, size_t rank)
{
    edb_view view;
    edb_status status = edb_view_row(search->cache.space, hit->row, &view);
    if (status == EDB_NOT_FOUND)
        return CODE_OK;
    if (status != EDB_OK)
        return report_status(status, NULL);
    int code = CODE_OK;
    if (option_given(search->arguments, "json"))
        code = write_hit(search, hit, &view);
    else
        print_hit(hit, rank, &view);
    edb_view_release(&view);
    return code;
}

static int write_hit(struct search *search, const edb_hit *hit, const edb_view *view)
{
    struct emitter *json = &search->json;
    emit_begin(json, '{');
    record_write_key(json, view, NULL);
    record_write_row(json, view);
    emit_name(json, "score");
    emit_real(json, hit->score);
    int code = record_write_rest(json, view);
    emit_end(json, '}');
    return code;
}

/* Rank, score, key; below it the text's first line, where it says more than the key. */
static void print_hit(const edb_hit *hit, size_t rank, const edb_view *view)
{
    size_t columns = style_columns(stdout) - INDENT;
    printf("%3zu  %s%5.3f%s  ", rank, style_begin(stdout, STYLE_SCORE), (double)hit->score,
           style_end(stdout));
    record_print_key(stdout, view, columns);
    putchar('\n');
    if (!record_has_own_text(view))
        return;
    printf("%*s", INDENT, "");
    style_first_line(stdout, view->text, view->text_bytes, columns);
    putchar('\n');
}
