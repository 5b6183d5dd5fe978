/* The sentence of a failure: a caller may extend it, and none is too long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/status.h"

#include <cmocka.h>
#undef fail /* cmocka makes a macro of the name */

static void test_sentence_is_extended(void **state)
{
    (void)state;
    assert_int_equal(fail(EDB_CORRUPT, "record %d is damaged", 7), EDB_CORRUPT);
    assert_int_equal(fail(EDB_IO, "%s, frame at %d: %s", "a.edb", 12288, edb_error_detail()),
                     EDB_IO);
    assert_string_equal(edb_error_detail(), "a.edb, frame at 12288: record 7 is damaged");
}

/* Each turn doubles it; what does not fit is cut. */
static void test_sentence_is_cut(void **state)
{
    (void)state;
    fail(EDB_IO, "0123456789");
    for (int i = 0; i < 20; i++)
        fail(EDB_IO, "%s%s", edb_error_detail(), edb_error_detail());
    const char *sentence = edb_error_detail();
    size_t length = strlen(sentence);
    assert_in_range(length, 500, 10000);
    for (size_t i = 0; i < length; i++)
        assert_int_equal(sentence[i], '0' + i % 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sentence_is_extended),
        cmocka_unit_test(test_sentence_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
