/* A file over whose bytes another one was copied while handles were open, as cp does: nothing is
 * appended behind bytes that are not what the writer has walked, and no reader gives out what is no
 * longer there. A file with another identity is not served through the old handle at all. (Reading
 * a mapping of what was cut off is the system's SIGBUS: such readers are not tested here.) */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "embedcache.h"
#include "support/temporary_place.h"

#include <cmocka.h>

enum { NAME_BYTES = PLACE_BYTES + 16, DIMS = 4 };

static char place[PLACE_BYTES];
static char live[NAME_BYTES];
static char copy[NAME_BYTES];

static void fill_vector(const char *key, float vector[DIMS])
{
    for (int i = 0; i < DIMS; i++)
        vector[i] = (float)(key[0] - 'a') + (float)i / 8 + 1;
}

static edb *open_handle(const char *path, uint32_t flags)
{
    edb *db;
    edb_open_options options = EDB_OPEN_OPTIONS_INIT;
    options.flags = flags;
    assert_int_equal(edb_open(path, &options, &db), EDB_OK);
    return db;
}

static edb_status put(edb *db, const char *key)
{
    edb_space *space;
    edb_space_spec spec = EDB_SPACE_SPEC_INIT;
    float vector[DIMS];
    spec.dims = DIMS;
    fill_vector(key, vector);
    edb_status status = edb_space_open(db, &spec, &space);
    return status == EDB_OK ? edb_put(space, key, strlen(key), vector, NULL) : status;
}

/* Whatever is given out is what was put. */
static edb_status get(edb *db, const char *key)
{
    edb_space *space;
    float found[DIMS], vector[DIMS];
    fill_vector(key, vector);
    edb_status status = edb_space_find(db, NULL, &space);
    if (status == EDB_OK)
        status = edb_get(space, key, strlen(key), found);
    if (status == EDB_OK)
        assert_memory_equal(found, vector, sizeof found);
    return status;
}

/* How many rows a search finds. */
static size_t count_found(edb *db)
{
    edb_space *space;
    edb_result *result = NULL;
    float query[DIMS] = {1, 1, 1, 1};
    assert_int_equal(edb_space_find(db, NULL, &space), EDB_OK);
    assert_int_equal(edb_search(space, query, 1, NULL, &result), EDB_OK);
    size_t count = result->count;
    edb_free(result);
    return count;
}

static void make_file(const char *path, const char *keys)
{
    edb *db = open_handle(path, 0);
    for (; *keys != '\0'; keys++) {
        char key[2] = {*keys, '\0'};
        assert_int_equal(put(db, key), EDB_OK);
    }
    assert_int_equal(edb_close(db), EDB_OK);
}

/* Writes one file's bytes over another's; the file that is written to keeps its inode. `cut`: to
 * its end, else what was longer reads as zeros, and no mapping loses a page. */
static void copy_over(const char *from, const char *to, bool cut)
{
    static char bytes[1 << 20];
    struct stat was;
    int source = open(from, O_RDONLY);
    int target = open(to, O_WRONLY | O_CREAT, 0644);
    assert_true(source >= 0 && target >= 0);
    ssize_t count = read(source, bytes, sizeof bytes);
    assert_in_range(count, 1, sizeof bytes - 1);
    assert_int_equal(fstat(target, &was), 0);
    assert_int_equal(pwrite(target, bytes, (size_t)count, 0), count);
    if (cut) {
        assert_int_equal(ftruncate(target, count), 0);
    } else if (was.st_size > count) {
        memset(bytes, 0, sizeof bytes);
        assert_in_range(was.st_size - count, 1, sizeof bytes);
        assert_int_equal(pwrite(target, bytes, (size_t)(was.st_size - count), count),
                         was.st_size - count);
    }
    close(source);
    close(target);
}

static int begin(void **state)
{
    (void)state;
    place_open(place);
    snprintf(live, sizeof live, "%s/live.edb", place);
    snprintf(copy, sizeof copy, "%s/copy.edb", place);
    return 0;
}

static int end(void **state)
{
    (void)state;
    place_close(place);
    return 0;
}

static void assert_refused(edb *db)
{
    assert_int_equal(put(db, "z"), EDB_STALE);
    assert_non_null(strstr(edb_error_detail(), live));
    assert_non_null(strstr(edb_error_detail(), "close it and open it again"));
}

/* What was copied there is as it was, and a new handle goes on from it. */
static void assert_intact(const char *keys)
{
    edb *db = open_handle(live, 0);
    for (; *keys != '\0'; keys++) {
        char key[2] = {*keys, '\0'};
        assert_int_equal(get(db, key), EDB_OK);
    }
    assert_int_equal(get(db, "z"), EDB_NOT_FOUND);
    assert_int_equal(put(db, "z"), EDB_OK);
    assert_int_equal(get(db, "z"), EDB_OK);
    assert_int_equal(edb_verify(db, NULL, NULL, NULL), EDB_OK);
    assert_int_equal(edb_close(db), EDB_OK);
}

/* ---------------------------------------------------------------------------------- the writer */

static void test_older_copy_under_a_writer(void **state)
{
    (void)state;
    make_file(live, "ab");
    copy_over(live, copy, true);
    edb *db = open_handle(live, 0);
    assert_int_equal(put(db, "c"), EDB_OK);
    assert_int_equal(put(db, "d"), EDB_OK);
    copy_over(copy, live, false);
    assert_refused(db);
    assert_refused(db);
    edb_close(db);
    assert_intact("ab");
}

/* A put touches no mapping before it has seen that the file was cut off. */
static void test_shorter_copy_under_a_writer(void **state)
{
    edb_space *space;
    float vector[DIMS] = {1};
    (void)state;
    edb *db = open_handle(live, 0);
    copy_over(live, copy, true);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(put(db, "a"), EDB_OK);
    assert_int_equal(edb_space_find(db, NULL, &space), EDB_OK);
    copy_over(copy, live, true);
    assert_int_equal(edb_put(space, "z", 1, vector, NULL), EDB_STALE);
    assert_non_null(strstr(edb_error_detail(), "close it and open it again"));
    assert_int_equal(edb_close(db), EDB_STALE);
    assert_intact("");
}

static void test_refused_also_after_a_read_has_noticed(void **state)
{
    (void)state;
    make_file(live, "ab");
    copy_over(live, copy, true);
    edb *db = open_handle(live, 0);
    assert_int_equal(put(db, "c"), EDB_OK);
    copy_over(copy, live, false);
    assert_int_equal(get(db, "a"), EDB_OK);
    assert_int_equal(get(db, "c"), EDB_NOT_FOUND);
    assert_refused(db);
    assert_refused(db);
    edb_close(db);
    assert_intact("ab");
}

static void test_another_file_under_a_writer(void **state)
{
    (void)state;
    make_file(copy, "abc");
    make_file(live, "de");
    edb *db = open_handle(live, 0);
    assert_int_equal(put(db, "f"), EDB_OK);
    copy_over(copy, live, false);
    assert_refused(db);
    edb_close(db);
    assert_intact("abc");
}

static void test_another_file_under_an_empty_one(void **state)
{
    (void)state;
    make_file(copy, "abc");
    edb *writer = open_handle(live, 0);
    edb *reader = open_handle(live, EDB_OPEN_READ_ONLY);
    copy_over(copy, live, false);
    assert_int_equal(get(reader, "a"), EDB_STALE);
    assert_refused(writer);
    edb_close(writer);
    assert_int_equal(edb_close(reader), EDB_OK);
    assert_intact("abc");
}

/* ---------------------------------------------------------------------------------- the reader */

static void test_reader_gives_out_nothing_that_is_gone(void **state)
{
    (void)state;
    make_file(live, "ab");
    copy_over(live, copy, true);
    make_file(live, "cd");
    edb *db = open_handle(live, EDB_OPEN_READ_ONLY);
    assert_int_equal(get(db, "d"), EDB_OK); /* verified here */
    assert_int_equal(count_found(db), 4);
    copy_over(copy, live, false);
    assert_int_equal(count_found(db), 2);
    assert_int_equal(get(db, "a"), EDB_OK);
    assert_int_equal(get(db, "d"), EDB_NOT_FOUND);
    assert_int_equal(edb_close(db), EDB_OK);
}

/* An iteration knows places in the file that was there when it began. */
static void test_iteration_does_not_go_on_in_other_bytes(void **state)
{
    (void)state;
    edb_space *space;
    edb_iterator *iterator;
    edb_view view;
    make_file(live, "ab");
    copy_over(live, copy, true);
    edb *writer = open_handle(live, 0);
    assert_int_equal(put(writer, "c"), EDB_OK);
    edb *db = open_handle(live, EDB_OPEN_READ_ONLY);
    assert_int_equal(edb_space_find(db, NULL, &space), EDB_OK);
    assert_int_equal(edb_iterate(space, &iterator), EDB_OK);
    assert_int_equal(edb_next(iterator, &view), EDB_OK);
    edb_view_release(&view);
    copy_over(copy, live, false);
    assert_int_equal(get(db, "b"), EDB_OK); /* begun anew with the copy */
    assert_int_equal(edb_next(iterator, &view), EDB_STALE);
    assert_int_equal(edb_next(iterator, &view), EDB_STALE);
    edb_iterator_close(iterator);
    assert_int_equal(edb_iterate(space, &iterator), EDB_OK);
    assert_int_equal(edb_next(iterator, &view), EDB_OK);
    edb_view_release(&view);
    edb_iterator_close(iterator);
    assert_int_equal(edb_close(db), EDB_OK);
    edb_close(writer);
}

static void test_reader_is_not_given_another_file(void **state)
{
    (void)state;
    make_file(copy, "abcdefgh");
    make_file(live, "ab");
    edb *db = open_handle(live, EDB_OPEN_READ_ONLY);
    assert_int_equal(get(db, "a"), EDB_OK);
    copy_over(copy, live, false);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(get(db, "a"), EDB_STALE);
        assert_non_null(strstr(edb_error_detail(), live));
        assert_int_equal(get(db, "h"), EDB_STALE);
    }
    assert_int_equal(edb_close(db), EDB_OK);
}

/* A snapshot is what the file was, or nothing. */
static void test_snapshot_is_not_moved(void **state)
{
    (void)state;
    make_file(live, "ab");
    copy_over(live, copy, true);
    make_file(live, "cd");
    edb *db = open_handle(live, EDB_OPEN_SNAPSHOT);
    assert_int_equal(get(db, "d"), EDB_OK);
    copy_over(copy, live, false);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(get(db, "d"), EDB_STALE);
        assert_int_equal(get(db, "a"), EDB_STALE);
    }
    assert_non_null(strstr(edb_error_detail(), "close it and open it again"));
    assert_int_equal(edb_close(db), EDB_OK);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        CASE(test_older_copy_under_a_writer),
        CASE(test_shorter_copy_under_a_writer),
        CASE(test_refused_also_after_a_read_has_noticed),
        CASE(test_another_file_under_a_writer),
        CASE(test_another_file_under_an_empty_one),
        CASE(test_reader_gives_out_nothing_that_is_gone),
        CASE(test_iteration_does_not_go_on_in_other_bytes),
        CASE(test_reader_is_not_given_another_file),
        CASE(test_snapshot_is_not_moved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
