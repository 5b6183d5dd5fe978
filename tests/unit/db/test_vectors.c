/* edb_vectors: all vectors of a space where they stand in the file, with the numbers of their rows:
 * bit for bit what edb_get copies, never one that is gone, one matrix after a compaction, and as
 * they were when they were lent, whatever happens then. Where floats cannot be used in place there
 * is one copy in memory, always. */
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "codec/codec_vector.h"
#include "db/db_compact.h"
#include "os/os.h"
#include "support/temporary_place.h"
#include "unit/base/seeded_random.h"

/* Last: it makes a macro of the name fail. */
#include <cmocka.h>

enum {
    DIMS = 1536,
    ROWS = 2000,   /* 12 MB: several groups of a compacted file */
    AT_ONCE = 125, /* which do not fill whole pages */
    KEY_BYTES = 16,
};

static char place[PLACE_BYTES];
static char path[PLACE_BYTES + 16];
static struct random_source source;
static float (*vectors)[DIMS]; /* of row i, under key i */
static bool gone[ROWS];
static edb *db;
static edb_space *space;

static void expect_ok(edb_status status)
{
    if (status != EDB_OK)
        fail_msg("%s: %s", edb_status_name(status), edb_error_detail());
}

static size_t name_key(size_t row, char key[KEY_BYTES])
{
    return (size_t)snprintf(key, KEY_BYTES, "key %zu", row);
}

static void open_space(uint32_t dims)
{
    edb_space_spec spec = EDB_SPACE_SPEC_INIT;
    spec.dims = dims;
    expect_ok(edb_open(path, NULL, &db));
    expect_ok(edb_space_open(db, &spec, &space));
}

static void put_all(void)
{
    static char names[AT_ONCE][KEY_BYTES];
    edb_key keys[AT_ONCE];
    for (size_t first = 0; first < ROWS; first += AT_ONCE) {
        for (size_t i = 0; i < AT_ONCE; i++)
            keys[i] = (edb_key){names[i], name_key(first + i, names[i])};
        expect_ok(edb_put_many(space, keys, AT_ONCE, vectors[first], NULL, NULL));
    }
}

static void delete_row(size_t row)
{
    char key[KEY_BYTES];
    expect_ok(edb_delete(space, key, name_key(row, key)));
    gone[row] = true;
}

static int begin(void **state)
{
    (void)state;
    place_open(place);
    snprintf(path, sizeof path, "%s/vectors.edb", place);
    memset(gone, 0, sizeof gone);
    vectors = malloc(sizeof *vectors * ROWS);
    for (size_t row = 0; row < ROWS; row++)
        for (size_t i = 0; i < DIMS; i++)
            vectors[row][i] = random_signed(&source);
    open_space(DIMS);
    put_all();
    return 0;
}

static int end(void **state)
{
    (void)state;
    expect_ok(edb_close(db));
    free(vectors);
    place_close(place);
    return 0;
}

static edb_matrix *lent(void)
{
    edb_matrix *matrix;
    expect_ok(edb_vectors(space, &matrix));
    return matrix;
}

/* Whether the bytes lie in mappings of the file that nobody may write, one behind another; the
 * system says so. */
static bool is_mapped(const void *address, size_t bytes)
{
    char line[PLACE_BYTES + 256];
    uint64_t at = (uint64_t)(uintptr_t)address;
    const uint64_t to = at + bytes;
    FILE *maps = fopen("/proc/self/maps", "r");
    assert_non_null(maps);
    while (fgets(line, sizeof line, maps) != NULL) {
        uint64_t first, last;
        char rights[8];
        line[strcspn(line, "\n")] = '\0';
        assert_int_equal(sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s", &first, &last, rights), 3);
        if (at >= first && at < last && strstr(line, path) != NULL && strcmp(rights, "r--s") == 0)
            at = last;
    }
    fclose(maps);
    return at >= to;
}

/* Against what was put, and against what was deleted. */
static void check(const edb_matrix *matrix, const bool without[ROWS])
{
    size_t count = 0;
    size_t row = 0;
    assert_int_equal(matrix->dims, DIMS);
    for (size_t b = 0; b < matrix->block_count; b++) {
        const edb_block *block = &matrix->blocks[b];
        assert_true(block->count > 0);
        assert_ptr_equal(block->rows, matrix->rows + count);
        for (size_t i = 0; i < block->count; i++, row++) {
            while (without[row])
                row++;
            assert_int_equal(block->rows[i], row);
            assert_memory_equal(block->vectors + i * DIMS, vectors[row], sizeof vectors[row]);
        }
        count += block->count;
    }
    while (row < ROWS && without[row])
        row++;
    assert_int_equal(row, ROWS);
    assert_int_equal(count, matrix->count);
    assert_int_equal(matrix->contiguous, matrix->block_count <= 1);
}

/* ---------------------------------------------------------------------------------------- tests */

static void test_blocks_as_they_stand(void **state)
{
    (void)state;
    if (!CODEC_VECTOR_IN_PLACE)
        skip();
    edb_matrix *matrix = lent();
    check(matrix, gone);
    assert_int_equal(matrix->block_count, ROWS / AT_ONCE);
    for (size_t b = 0; b < matrix->block_count; b++)
        assert_true(is_mapped(matrix->blocks[b].vectors, AT_ONCE * sizeof *vectors));
    edb_vectors_release(matrix);
    for (size_t row = 7; row < ROWS; row += 50)
        delete_row(row);
    matrix = lent();
    check(matrix, gone);
    assert_int_equal(matrix->block_count, ROWS / AT_ONCE + ROWS / 50);
    edb_vectors_release(matrix);
}

/* One matrix: the vectors of a row stand where the row before ends, also across groups. */
static void test_one_matrix_after_a_compaction(void **state)
{
    edb_view views[2];
    (void)state;
    for (size_t row = 0; row < ROWS; row += 3)
        delete_row(row);
    expect_ok(edb_compact(db, NULL, NULL));
    edb_matrix *matrix = lent();
    check(matrix, gone);
    assert_int_equal(matrix->block_count, 1);
    assert_int_equal(matrix->contiguous, 1);
    assert_int_equal(is_mapped(matrix->blocks[0].vectors, matrix->count * sizeof *vectors),
                     CODEC_VECTOR_IN_PLACE);
    expect_ok(edb_view_row(space, matrix->rows[0], &views[0]));
    expect_ok(edb_view_row(space, matrix->rows[matrix->count - 1], &views[1]));
    assert_true((uintptr_t)views[1].vector - (uintptr_t)views[0].vector !=
                (matrix->count - 1) * sizeof *vectors); /* not so in the file */
    edb_view_release(&views[0]);
    edb_view_release(&views[1]);
    edb_vectors_release(matrix);
    delete_row(1000);
    matrix = lent();
    check(matrix, gone);
    edb_vectors_release(matrix);
}

/* As a budget has it done. */
static void compact_in_steps(void)
{
    bool done = false;
    expect_ok(db_compaction_begin(db));
    while (!done)
        expect_ok(db_compaction_step(db, 0, &done));
}

static void compact_at_once(void)
{
    expect_ok(edb_compact(db, NULL, NULL));
}

/* Puts rows [first, last) of a space of its own, and expects all its rows as one matrix. */
static void grow_and_compact(edb_space *of, size_t dims, size_t first, size_t last,
                             const edb_put_options *more, void (*compact)(void))
{
    edb_matrix *matrix;
    char key[KEY_BYTES];
    edb_txn *txn;
    expect_ok(edb_begin(db, &txn));
    for (size_t row = first; row < last; row++) {
        vectors[0][0] = (float)row;
        expect_ok(edb_txn_put(txn, of, key, name_key(row, key), vectors[0], more));
    }
    expect_ok(edb_commit(txn, EDB_LAZY));
    compact();
    expect_ok(edb_vectors(of, &matrix));
    assert_int_equal(matrix->count, last);
    assert_int_equal(matrix->block_count, 1);
    for (size_t row = 0; row < last; row++)
        assert_true(matrix->blocks[0].vectors[row * dims] == (float)row);
    edb_vectors_release(matrix);
}

static edb_space *other_space(const char *name, uint32_t dims)
{
    edb_space *other;
    edb_space_spec spec = EDB_SPACE_SPEC_INIT;
    spec.name = name;
    spec.dims = dims;
    expect_ok(edb_space_open(db, &spec, &other));
    return other;
}

/* The last group of a space may hold a single vector, or less than what stands on a page by itself,
 * or as much. A whole group has 16,384. */
static void test_a_short_last_group(void **state)
{
    static const size_t counts[] = {1, 16383, 16384, 16385, 16394, 17407, 17408, 32769};
    void (*const ways[])(void) = {compact_at_once, compact_in_steps};
    (void)state;
    for (size_t way = 0; way < 2; way++) {
        edb_space *small = other_space(way == 0 ? "at once" : "in steps", 16);
        for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
            grow_and_compact(small, 16, i > 0 ? counts[i - 1] : 0, counts[i], NULL, ways[way]);
    }
}

/* Where texts are long every group has few vectors. */
static void test_groups_of_few_vectors(void **state)
{
    enum { TEXT_BYTES = 3 << 19 };
    edb_put_options more = EDB_PUT_OPTIONS_INIT;
    (void)state;
    char *text = malloc(TEXT_BYTES);
    memset(text, 'x', TEXT_BYTES);
    more.text = text;
    more.text_bytes = TEXT_BYTES;
    grow_and_compact(other_space("texts", 1024), 1024, 0, 8, &more, compact_at_once);
    free(text);
}

/* Over delete, overwrite, compaction and close. */
static void test_what_is_lent_stays(void **state)
{
    bool before[ROWS];
    (void)state;
    edb_matrix *parts = lent();
    expect_ok(edb_compact(db, NULL, NULL));
    edb_matrix *whole = lent();
    memcpy(before, gone, sizeof before);
    for (size_t row = 0; row < ROWS; row += 2)
        delete_row(row);
    for (int i = 0; i < 2; i++)
        expect_ok(edb_compact(db, NULL, NULL));
    edb_matrix *half = lent();
    expect_ok(edb_close(db));
    check(parts, before);
    check(whole, before);
    check(half, gone);
    assert_int_equal(whole->contiguous, 1);
    assert_int_equal(half->contiguous, 1);
    edb_vectors_release(parts);
    check(whole, before);
    edb_vectors_release(whole);
    check(half, gone);
    edb_vectors_release(half);
    assert_false(is_mapped(vectors, 1));
    expect_ok(edb_open(path, NULL, &db));
    expect_ok(edb_space_find(db, NULL, &space));
}

static void test_a_damaged_vector(void **state)
{
    enum { READ_BYTES = 32 << 20 };
    static float stored[DIMS];
    edb_matrix *matrix;
    float spoilt = 7;
    (void)state;
    expect_ok(edb_close(db));
    int file = open(path, O_RDWR);
    char *bytes = malloc(READ_BYTES);
    ssize_t count = pread(file, bytes, READ_BYTES, 0);
    codec_vector_copy(vectors[700], DIMS, stored);
    char *found = memmem(bytes, (size_t)count, stored, sizeof stored);
    assert_non_null(found);
    assert_int_equal(pwrite(file, &spoilt, sizeof spoilt, found - bytes + 400), sizeof spoilt);
    close(file);
    free(bytes);
    expect_ok(edb_open(path, NULL, &db));
    expect_ok(edb_space_find(db, NULL, &space));
    assert_int_equal(edb_vectors(space, &matrix), EDB_CORRUPT);
    assert_non_null(strstr(edb_error_detail(), "row 700"));
    assert_null(matrix);
}

/* Where nothing can be joined, the blocks are lent. */
static void test_no_joined_mappings(void **state)
{
    static struct os_io plain;
    (void)state;
    if (!CODEC_VECTOR_IN_PLACE)
        skip();
    expect_ok(edb_close(db));
    plain = os_posix;
    plain.map_joined = NULL;
    os_use(&plain);
    expect_ok(edb_open(path, NULL, &db));
    expect_ok(edb_space_find(db, NULL, &space));
    expect_ok(edb_compact(db, NULL, NULL));
    edb_matrix *matrix = lent();
    check(matrix, gone);
    assert_true(matrix->block_count > 1 && matrix->block_count < ROWS / AT_ONCE);
    edb_vectors_release(matrix);
    os_use(&os_posix);
}

/* Nothing is lent, and nothing lost, when memory is refused at any place. */
static void test_no_memory(void **state)
{
    edb_status status = EDB_NO_MEMORY;
    (void)state;
    expect_ok(edb_compact(db, NULL, NULL));
    for (size_t n = 1; status == EDB_NO_MEMORY; n++) {
        edb_matrix *matrix;
        memory_fail_at(n, 0);
        status = edb_vectors(space, &matrix);
        memory_fail_at(0, 0);
        assert_true(status == EDB_OK ? n > 5 : matrix == NULL);
        edb_vectors_release(matrix);
    }
    expect_ok(status);
    edb_matrix *matrix = lent();
    check(matrix, gone);
    edb_vectors_release(matrix);
}

static void test_few_and_none(void **state)
{
    edb_space *few;
    edb_matrix *matrix;
    float vector[3] = {1, 2, 3};
    edb_space_spec spec = EDB_SPACE_SPEC_INIT;
    (void)state;
    spec.name = "few";
    spec.dims = 3;
    expect_ok(edb_space_open(db, &spec, &few));
    for (int round = 0; round < 2; round++) {
        expect_ok(edb_vectors(few, &matrix));
        assert_int_equal(matrix->count, round);
        assert_int_equal(matrix->block_count, round);
        assert_int_equal(matrix->contiguous, 1);
        assert_true(round == 0 || memcmp(matrix->blocks[0].vectors, vector, sizeof vector) == 0);
        edb_vectors_release(matrix);
        expect_ok(edb_put(few, "key", 3, vector, NULL));
    }
    expect_ok(edb_delete(few, "key", 3));
    expect_ok(edb_compact(db, NULL, NULL));
    expect_ok(edb_vectors(few, &matrix));
    assert_int_equal(matrix->count, 0);
    edb_vectors_release(matrix);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_blocks_as_they_stand, begin, end),
        cmocka_unit_test_setup_teardown(test_one_matrix_after_a_compaction, begin, end),
        cmocka_unit_test_setup_teardown(test_a_short_last_group, begin, end),
        cmocka_unit_test_setup_teardown(test_groups_of_few_vectors, begin, end),
        cmocka_unit_test_setup_teardown(test_what_is_lent_stays, begin, end),
        cmocka_unit_test_setup_teardown(test_a_damaged_vector, begin, end),
        cmocka_unit_test_setup_teardown(test_no_joined_mappings, begin, end),
        cmocka_unit_test_setup_teardown(test_no_memory, begin, end),
        cmocka_unit_test_setup_teardown(test_few_and_none, begin, end),
    };
    source = seeded_random("test_vectors");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
