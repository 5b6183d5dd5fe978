/* A buffer holds exactly what was appended, never more than its limit, and is untouched by a
 * failure. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "unit/base/seeded_random.h"

#include <cmocka.h>

static edb_status append_zeros(struct buffer *buffer, size_t count)
{
    uint8_t *at = buffer_reserve(buffer, count);
    if (at == NULL)
        return EDB_NO_MEMORY;
    memset(at, 0, count);
    return EDB_OK;
}

static void test_holds_what_was_appended(void **state)
{
    (void)state;
    enum { LIMIT = 100000 };
    static uint8_t expected[LIMIT];
    struct random_source random = seeded_random(__func__);
    struct buffer buffer;
    buffer_open(&buffer, LIMIT);
    size_t count = 0;
    for (;;) {
        uint8_t piece[3000];
        size_t bytes = random_below(&random, 3) == 0 ? random_below(&random, sizeof piece) : 7;
        if (count + bytes > LIMIT)
            break;
        for (size_t i = 0; i < bytes; i++)
            piece[i] = (uint8_t)random_u64(&random);
        if (random_below(&random, 4) == 0) {
            memset(piece, 0, bytes);
            assert_int_equal(append_zeros(&buffer, bytes), EDB_OK);
        } else if (random_below(&random, 2) == 0) {
            uint8_t *at = buffer_reserve(&buffer, bytes);
            assert_non_null(at);
            memcpy(at, piece, bytes);
        } else {
            assert_int_equal(buffer_append(&buffer, piece, bytes), EDB_OK);
        }
        memcpy(expected + count, piece, bytes);
        count += bytes;
        assert_int_equal(buffer.count, count);
        assert_true(buffer.capacity >= count && buffer.capacity <= LIMIT);
    }
    assert_memory_equal(buffer.bytes, expected, count);
    buffer_close(&buffer);
    assert_null(buffer.bytes);
}

static void test_never_exceeds_its_limit(void **state)
{
    (void)state;
    for (size_t limit = 0; limit < 600; limit += 13) {
        struct buffer buffer;
        buffer_open(&buffer, limit);
        assert_int_equal(buffer_append(&buffer, NULL, 0), EDB_OK);
        assert_int_equal(append_zeros(&buffer, limit), EDB_OK);
        assert_int_equal(buffer_append(&buffer, "x", 1), EDB_NO_MEMORY);
        assert_null(buffer_reserve(&buffer, SIZE_MAX));
        assert_int_equal(buffer.count, limit);
        assert_true(buffer.capacity <= limit);
        buffer_close(&buffer);
    }
}

static void test_failed_allocation_changes_nothing(void **state)
{
    (void)state;
    struct buffer buffer;
    buffer_open(&buffer, 1 << 20);
    assert_int_equal(buffer_append(&buffer, "abc", 3), EDB_OK);
    struct buffer before = buffer;
    memory_fail_at(1, 1);
    edb_status status = append_zeros(&buffer, 100000);
    memory_fail_at(0, 0);
    assert_int_equal(status, EDB_NO_MEMORY);
    assert_memory_equal(&buffer, &before, sizeof buffer);
    assert_memory_equal(buffer.bytes, "abc", 3);
    assert_int_equal(append_zeros(&buffer, 100000), EDB_OK);
    buffer_close(&buffer);
}

static void test_take_hands_the_memory_over(void **state)
{
    (void)state;
    struct buffer buffer;
    buffer_open(&buffer, 10);
    assert_null(buffer_take(&buffer));
    assert_int_equal(buffer_append(&buffer, "0123456789", 10), EDB_OK);
    uint8_t *taken = buffer_take(&buffer);
    assert_int_equal(buffer.count, 0);
    assert_int_equal(buffer_append(&buffer, "abc", 3), EDB_OK);
    assert_memory_equal(taken, "0123456789", 10);
    memory_free(taken);
    buffer_close(&buffer);
    buffer_close(&buffer);
    buffer_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_holds_what_was_appended),
        cmocka_unit_test(test_never_exceeds_its_limit),
        cmocka_unit_test(test_failed_allocation_changes_nothing),
        cmocka_unit_test(test_take_hands_the_memory_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
