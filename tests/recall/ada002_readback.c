/* Real embeddings through the file and back. One process imports them through the API, another one,
 * started afterwards, reads every row in random order, by key and by row, bit for bit; and
 * searching finds the truth that came with the data. */
#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "embedcache.h"
#include "recall/real_data.h"
#include "support/temporary_place.h"
#include "unit/base/seeded_random.h"

#include <cmocka.h>

enum { BATCH_ROWS = 500, FOUND = 100 };

/* The truth was computed in another order of additions. */
static const float slack = 1e-5f;

extern char **environ;

static char place[PLACE_BYTES];
static char path[PLACE_BYTES + 16];

static edb_space *open_space(const char *name, const struct matrix *base, edb_metric metric,
                             edb **db)
{
    edb_space *space;
    edb_space_spec spec = EDB_SPACE_SPEC_INIT;
    spec.name = name;
    spec.dims = (uint32_t)base->columns;
    spec.metric = metric;
    assert_int_equal(edb_open(path, NULL, db), EDB_OK);
    assert_int_equal(edb_space_open(*db, &spec, &space), EDB_OK);
    return space;
}

static edb_key key_of(const json_t *lines, size_t row, const char *field)
{
    const json_t *key = json_object_get(json_array_get(lines, row), field);
    assert_true(json_is_string(key));
    return (edb_key){json_string_value(key), json_string_length(key)};
}

static const json_t *text_of(const json_t *lines, size_t row)
{
    const json_t *text = json_object_get(json_array_get(lines, row), "text");
    return json_is_string(text) ? text : NULL;
}

static char *metadata_of(const json_t *lines, size_t row)
{
    const json_t *metadata = json_object_get(json_array_get(lines, row), "metadata");
    return metadata != NULL ? json_dumps(metadata, 0) : NULL;
}

static void import_rows(edb_space *space, const struct matrix *base, const json_t *lines,
                        const char *field, size_t first)
{
    edb_key keys[BATCH_ROWS] = {{NULL, 0}};
    edb_put_options options[BATCH_ROWS] = {EDB_PUT_OPTIONS_INIT};
    char *metadata[BATCH_ROWS];
    uint64_t rows[BATCH_ROWS];
    size_t count = base->rows - first < BATCH_ROWS ? base->rows - first : BATCH_ROWS;
    for (size_t i = 0; i < count; i++) {
        const json_t *text = text_of(lines, first + i);
        keys[i] = key_of(lines, first + i, field);
        metadata[i] = metadata_of(lines, first + i);
        options[i] = (edb_put_options)EDB_PUT_OPTIONS_INIT;
        options[i].text = text != NULL ? json_string_value(text) : NULL;
        options[i].text_bytes = text != NULL ? json_string_length(text) : 0;
        options[i].metadata_json = metadata[i];
    }
    assert_int_equal(edb_put_many(space, keys, count, matrix_floats(base, first), options, rows),
                     EDB_OK);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(rows[i], first + i);
        free(metadata[i]);
    }
}

static void import_all(const char *name, const struct matrix *base, const json_t *lines,
                       const char *field)
{
    edb *db;
    edb_space *space = open_space(name, base, EDB_COSINE, &db);
    assert_int_equal(json_array_size(lines), base->rows);
    for (size_t first = 0; first < base->rows; first += BATCH_ROWS)
        import_rows(space, base, lines, field, first);
    assert_int_equal(edb_close(db), EDB_OK);
}

/* -------------------------------------------------------------------------------- reading back */

static void check_metadata(const edb_view *view, const json_t *lines)
{
    char *json;
    const json_t *expected = json_object_get(json_array_get(lines, (size_t)view->row), "metadata");
    assert_int_equal(edb_view_metadata_json(view, &json), EDB_OK);
    json_t *found = json != NULL ? json_loads(json, 0, NULL) : NULL;
    assert_true(expected == NULL ? found == NULL : json_equal(found, expected));
    json_decref(found);
    edb_free(json);
}

static void check_view(const edb_view *view, const struct matrix *base, const json_t *lines,
                       const char *field)
{
    size_t row = (size_t)view->row;
    edb_key key = key_of(lines, row, field);
    const json_t *text = text_of(lines, row);
    assert_int_equal(view->vector_bytes, 4 * base->columns);
    assert_memory_equal(view->vector, matrix_floats(base, row), view->vector_bytes);
    assert_int_equal(view->key_bytes, key.bytes);
    assert_memory_equal(view->key, key.data, key.bytes);
    assert_int_equal(view->has_text, text != NULL);
    if (text != NULL) {
        assert_int_equal(view->text_bytes, json_string_length(text));
        assert_string_equal(view->text, json_string_value(text));
    }
    check_metadata(view, lines);
}

static void check_row(edb_space *space, size_t row, const struct matrix *base, const json_t *lines,
                      const char *field)
{
    edb_view view;
    edb_key key = key_of(lines, row, field);
    float *copy = malloc(4 * base->columns);
    assert_non_null(copy);
    assert_int_equal(edb_get(space, key.data, key.bytes, copy), EDB_OK);
    assert_memory_equal(copy, matrix_floats(base, row), 4 * base->columns);
    free(copy);
    assert_int_equal(edb_view_key(space, key.data, key.bytes, &view), EDB_OK);
    assert_int_equal(view.row, row);
    check_view(&view, base, lines, field);
    edb_view_release(&view);
    assert_int_equal(edb_view_row(space, row, &view), EDB_OK);
    assert_int_equal(view.row, row);
    check_view(&view, base, lines, field);
    edb_view_release(&view);
}

/* Every row once, in random order. */
static size_t *shuffled(size_t count)
{
    struct random_source random = seeded_random(__func__);
    size_t *order = malloc(count * sizeof *order);
    assert_non_null(order);
    for (size_t i = 0; i < count; i++) {
        size_t other = (size_t)random_below(&random, i + 1);
        order[i] = order[other];
        order[other] = i;
    }
    return order;
}

static void read_all(const char *name, const struct matrix *base, const json_t *lines,
                     const char *field)
{
    edb *db;
    edb_space_stats stats = {.struct_size = sizeof stats};
    edb_space *space = open_space(name, base, EDB_COSINE, &db);
    size_t *order = shuffled(base->rows);
    for (size_t i = 0; i < base->rows; i++)
        check_row(space, order[i], base, lines, field);
    free(order);
    assert_int_equal(edb_space_stats_get(space, &stats), EDB_OK);
    assert_int_equal(stats.live, base->rows);
    assert_int_equal(edb_contains(space, "no such key", 11), EDB_NOT_FOUND);
    assert_int_equal(edb_verify(db, NULL, NULL, NULL), EDB_OK);
    assert_int_equal(edb_close(db), EDB_OK);
}

static void load(const char *name, struct matrix *base, json_t **lines, const char **field)
{
    char file[128];
    bool ada = strcmp(name, "ada002") == 0;
    snprintf(file, sizeof file, "%s/base.npy", name);
    *base = matrix_read(file, "<f4");
    snprintf(file, sizeof file, "%s/%s.jsonl", name, ada ? "base" : "texts");
    *lines = lines_read(file);
    *field = ada ? "key" : "id";
}

/* What the other process does: nothing of the importing one is left to it but the file. */
static void test_read_back(void **state)
{
    struct matrix base;
    json_t *lines;
    const char *field;
    const char *name = *state;
    load(name, &base, &lines, &field);
    read_all(name, &base, lines, field);
    json_decref(lines);
    matrix_free(&base);
}

static int read_back_in_this_process(char *name, const char *file)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(test_read_back, name),
    };
    snprintf(path, sizeof path, "%s", file);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

static void read_back_in_another_process(char *name)
{
    char *argv[] = {"ada002_readback", name, path, NULL};
    pid_t pid;
    int status;
    fflush(NULL);
    assert_int_equal(posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, environ), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* ----------------------------------------------------------------------------------- searching */

/* The similarity (or squared distance) by the definition, in double precision. */
static float score(edb_metric metric, const float *a, const float *b, size_t dims)
{
    double dot = 0, aa = 0, bb = 0;
    for (size_t i = 0; i < dims; i++) {
        dot += (double)a[i] * (double)b[i];
        aa += (double)a[i] * (double)a[i];
        bb += (double)b[i] * (double)b[i];
    }
    return (float)(metric == EDB_L2 ? aa - 2 * dot + bb : dot / sqrt(aa * bb));
}

struct question {
    const struct matrix *base;
    const float *query;
    const int32_t *truth; /* FOUND rows */
    edb_metric metric;
};

/* How many hits are as near as the truth's last, and whether every score is right. */
static size_t check_answer(const struct question *q, const edb_result *result)
{
    size_t good = 0, dims = q->base->columns;
    bool distance = q->metric == EDB_L2;
    float last =
        score(q->metric, q->query, matrix_floats(q->base, (size_t)q->truth[FOUND - 1]), dims);
    assert_int_equal(result->count, FOUND);
    assert_int_equal(result->complete, 1);
    for (size_t i = 0; i < FOUND; i++) {
        const edb_hit *hit = &result->hits[i];
        assert_in_range(hit->row, 0, q->base->rows - 1);
        float value = score(q->metric, q->query, matrix_floats(q->base, (size_t)hit->row), dims);
        assert_true(fabsf(value - hit->score) <= slack * (distance ? fmaxf(1, value) : 1));
        good += distance ? value <= last : value >= last - slack;
        if (i == 0)
            continue;
        const edb_hit *before = hit - 1;
        assert_true(distance ? before->score <= hit->score : before->score >= hit->score);
        assert_true(before->score != hit->score || before->row < hit->row);
    }
    return good;
}

/* Every query's best 100: recall 1.0, ties aside. */
static void check_recall(edb_space *space, const struct matrix *base, const struct matrix *queries,
                         const struct matrix *truth, edb_metric metric)
{
    edb_search_options options = EDB_SEARCH_OPTIONS_INIT;
    edb_result *results;
    size_t good = 0;
    options.k = FOUND;
    assert_int_equal(truth->columns, FOUND);
    assert_int_equal(edb_search(space, queries->bytes, queries->rows, &options, &results), EDB_OK);
    for (size_t i = 0; i < queries->rows; i++) {
        struct question q = {base, matrix_floats(queries, i), matrix_numbers(truth, i), metric};
        good += check_answer(&q, &results[i]);
    }
    edb_free(results);
    printf("%zu queries over %zu rows: recall@%d %.6f\n", queries->rows, base->rows, FOUND,
           (double)good / (double)(queries->rows * FOUND));
    assert_int_equal(good, queries->rows * FOUND);
}

static int begin(void **state)
{
    (void)state;
    place_open(place);
    snprintf(path, sizeof path, "%s/real.edb", place);
    return 0;
}

static int end(void **state)
{
    (void)state;
    place_close(place);
    return 0;
}

static void test_ada002(void **state)
{
    struct matrix base;
    json_t *lines;
    const char *field;
    edb *db;
    (void)state;
    load("ada002", &base, &lines, &field);
    assert_int_equal(base.rows, 19891);
    import_all("ada002", &base, lines, field);
    json_decref(lines);
    read_back_in_another_process("ada002");
    struct matrix queries = matrix_read("ada002/query.npy", "<f4");
    struct matrix truth = matrix_read("ada002/gt_cos_top100.npy", "<i4");
    edb_space *space = open_space("ada002", &base, EDB_COSINE, &db);
    check_recall(space, &base, &queries, &truth, EDB_COSINE);
    assert_int_equal(edb_close(db), EDB_OK);
    matrix_free(&queries);
    matrix_free(&truth);
    matrix_free(&base);
}

static void test_hk_law(void **state)
{
    struct matrix base;
    json_t *lines;
    const char *field;
    (void)state;
    load("hk_law_768", &base, &lines, &field);
    import_all("hk_law_768", &base, lines, field);
    json_decref(lines);
    matrix_free(&base);
    read_back_in_another_process("hk_law_768");
}

static void test_bigann(void **state)
{
    edb *db;
    (void)state;
    struct matrix bytes = matrix_read("bigann10k/base_u8.npy", "|u1");
    struct matrix asked = matrix_read("bigann10k/query_u8.npy", "|u1");
    struct matrix truth = matrix_read("bigann10k/gt_l2_top100.npy", "<i4");
    struct matrix base = matrix_widen(&bytes), queries = matrix_widen(&asked);
    edb_space *space = open_space("bigann10k", &base, EDB_L2, &db);
    for (size_t first = 0; first < base.rows; first += BATCH_ROWS) {
        uint32_t numbers[BATCH_ROWS];
        edb_key keys[BATCH_ROWS];
        size_t count = base.rows - first < BATCH_ROWS ? base.rows - first : BATCH_ROWS;
        for (size_t i = 0; i < count; i++) {
            numbers[i] = (uint32_t)(first + i);
            keys[i] = (edb_key){&numbers[i], sizeof numbers[i]};
        }
        assert_int_equal(edb_put_many(space, keys, count, matrix_floats(&base, first), NULL, NULL),
                         EDB_OK);
    }
    check_recall(space, &base, &queries, &truth, EDB_L2);
    assert_int_equal(edb_close(db), EDB_OK);
    struct matrix *all[] = {&bytes, &asked, &truth, &base, &queries};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        matrix_free(all[i]);
}

#define fresh(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        fresh(test_ada002),
        fresh(test_hk_law),
        fresh(test_bigann),
    };
    if (argc == 3)
        return read_back_in_this_process(argv[1], argv[2]);
    real_data_expect("ada002");
    real_data_expect("hk_law_768");
    real_data_expect("bigann10k");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
