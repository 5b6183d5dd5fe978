/* Structs of the public header between programs and libraries of different releases: shorter,
 * longer, of size 0. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "db/db.h"

#include <cmocka.h>

/* A struct as release 0.1 had it, as it is today, and as a later release will have it. */
struct first {
    size_t struct_size;
    uint64_t a;
};
struct today {
    size_t struct_size;
    uint64_t a;
    uint64_t b;
};
struct later {
    size_t struct_size;
    uint64_t a;
    uint64_t b;
    uint64_t c;
};

static const struct db_struct kind = {"edb_sample", sizeof(struct first), sizeof(struct today)};

static void test_read_shorter(void **state)
{
    (void)state;
    struct today own;
    struct first given = {sizeof given, 7};
    assert_int_equal(db_struct_read(&kind, &given, &own), EDB_OK);
    assert_int_equal(own.a, 7);
    assert_int_equal(own.b, 0);
    given.struct_size = 0;
    assert_int_equal(db_struct_read(&kind, &given, &own), EDB_OK);
    assert_int_equal(own.a, 7);
    assert_int_equal(own.b, 0);
}

static void test_read_longer(void **state)
{
    (void)state;
    struct today own;
    struct later given = {sizeof given, 7, 8, 0};
    assert_int_equal(db_struct_read(&kind, &given, &own), EDB_OK);
    assert_int_equal(own.a, 7);
    assert_int_equal(own.b, 8);
    given.c = UINT64_MAX; /* something that is asked for and not known */
    assert_int_equal(db_struct_read(&kind, &given, &own), EDB_INVALID);
    assert_non_null(strstr(edb_error_detail(), "edb_sample: byte 24"));
}

static void test_read_none(void **state)
{
    (void)state;
    struct today own = {1, 2, 3};
    assert_int_equal(db_struct_read(&kind, NULL, &own), EDB_OK);
    assert_int_equal(own.a, 0);
    assert_int_equal(own.b, 0);
}

static void test_refuse_too_short(void **state)
{
    (void)state;
    struct today own = {.b = 5};
    struct first given = {sizeof given - 1, 7};
    assert_int_equal(db_struct_read(&kind, &given, &own), EDB_INVALID);
    assert_non_null(
        strstr(edb_error_detail(), "struct_size 15; use sizeof(edb_sample), which is 24"));
    assert_int_equal(db_struct_write(&kind, &own, &given), EDB_INVALID);
    assert_int_equal(given.a, 7);
}

static void test_refuse_garbage(void **state)
{
    (void)state;
    struct today own = {.a = 1};
    struct today given = {SIZE_MAX / 3, 9, 9};
    assert_int_equal(db_struct_read(&kind, &given, &own), EDB_INVALID);
    assert_int_equal(db_struct_write(&kind, &own, &given), EDB_INVALID);
    assert_int_equal(given.a, 9);
}

static void test_write(void **state)
{
    (void)state;
    struct today own = {.a = 1, .b = 2};
    struct first shorter[2] = {{sizeof shorter[0], 9}, {9, 9}};
    assert_int_equal(db_struct_write(&kind, &own, shorter), EDB_OK);
    assert_int_equal(shorter[0].struct_size, sizeof shorter[0]);
    assert_int_equal(shorter[0].a, 1);
    assert_int_equal(shorter[1].struct_size, 9); /* not written past the end */
    struct later longer = {sizeof longer, 9, 9, 9};
    assert_int_equal(db_struct_write(&kind, &own, &longer), EDB_OK);
    assert_int_equal(longer.struct_size, sizeof longer);
    assert_int_equal(longer.a, 1);
    assert_int_equal(longer.b, 2);
    assert_int_equal(longer.c, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read_shorter),     cmocka_unit_test(test_read_longer),
        cmocka_unit_test(test_read_none),        cmocka_unit_test(test_write),
        cmocka_unit_test(test_refuse_too_short), cmocka_unit_test(test_refuse_garbage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
