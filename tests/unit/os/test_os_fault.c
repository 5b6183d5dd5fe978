/* The failing table fails exactly the call it was told to, counts all of them, and passes on the
 * rest. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/memory.h"
#include "os/os_fault.h"
#include "os/os_sim.h"

/* Last: it makes a macro of the name fail. */
#include <cmocka.h>

static int begin(void **state)
{
    (void)state;
    os_sim_begin(1);
    os_sim_load("f", "0123456789abcdef", 16);
    os_fault_begin(&os_sim);
    return 0;
}

static int end(void **state)
{
    (void)state;
    os_sim_end();
    return 0;
}

static struct os_file *open_file(bool writable)
{
    struct os_file *file;
    assert_int_equal(os_fault.open("f", writable, &file), EDB_OK);
    assert_ptr_equal(file->io, &os_fault);
    return file;
}

static void arm(enum os_fault_class class, enum os_fault_kind kind, uint64_t number, bool for_ever)
{
    const struct os_fault_plan plan = {class, kind, number, for_ever};
    os_fault_arm(&plan);
}

static void test_nth_call_of_a_class(void **state)
{
    (void)state;
    char buffer[4];
    uint64_t size;
    struct os_file *file = open_file(false);
    for (uint64_t n = 1; n <= 5; n++) {
        for (int for_ever = 0; for_ever < 2; for_ever++) {
            arm(OS_FAULT_READ, OS_FAULT_IO, n, for_ever);
            for (uint64_t i = 1; i <= 6; i++) {
                bool fails = i == n || (for_ever && i > n);
                assert_int_equal(os_fault.size(file, &size), EDB_OK);
                assert_int_equal(os_read(file, 2, buffer, 4), fails ? EDB_IO : EDB_OK);
            }
            assert_int_equal(os_fault_strikes(), for_ever ? 7 - n : 1);
            assert_int_equal(os_fault_calls(OS_FAULT_READ), 6);
            assert_int_equal(os_fault_calls(OS_FAULT_SIZE), 6);
            assert_int_equal(os_fault_calls(OS_FAULT_ANY), 12);
        }
    }
    os_fault.close(file);
}

/* One call of each kind, in the order of the classes. Returns how many failed. */
static int call_everything(void)
{
    struct os_file *reader = NULL, *writer = NULL, *made = NULL;
    char *temporary = NULL, byte;
    const uint8_t *address;
    struct os_read piece = {0, &byte, 1, 0};
    struct os_span span = {"x", 1};
    uint64_t size;
    bool same;
    int failed = os_fault.open("f", false, &reader) != EDB_OK;
    failed += os_fault.open("f", true, &writer) != EDB_OK;
    failed += os_fault.create_temporary("g", 0644, &made, &temporary) != EDB_OK;
    failed +=
        os_fault.publish(temporary == NULL ? "" : temporary, "g") != EDB_OK && temporary != NULL;
    failed += os_fault.sync_directory("g") != EDB_OK;
    failed +=
        os_fault.remove("g") != EDB_OK && temporary != NULL && os_sim_file("g", &size) != NULL;
    if (writer != NULL) {
        failed += os_fault.write(writer, 0, &span, 1) != EDB_OK;
        failed += os_fault.sync(writer) != EDB_OK;
        failed += os_fault.reserve(writer, 0, 20) != EDB_OK;
        failed += os_fault.try_lock(writer, OS_LOCK_WRITER) != EDB_OK;
        os_fault.unlock(writer, OS_LOCK_WRITER);
        failed += os_fault.size(writer, &size) != EDB_OK;
        failed += os_fault.read_batch(writer, &piece, 1) != EDB_OK;
        failed += os_fault.read_device(writer, 0, &byte, 1) != EDB_OK;
        failed += os_fault.map(writer, 0, 65536, &address) != EDB_OK;
        failed += os_fault.same_file(writer, "f", &same, NULL) != EDB_OK;
        failed += os_fault.random(&byte, 1) != EDB_OK;
        os_fault.close(writer);
    }
    if (reader != NULL)
        os_fault.close(reader);
    if (made != NULL)
        os_fault.close(made);
    memory_free(temporary);
    return failed;
}

static void test_every_call_can_fail(void **state)
{
    assert_int_equal(call_everything(), 0);
    assert_int_equal(os_fault_calls(OS_FAULT_ANY), OS_FAULT_CLASSES);
    for (int class = 0; class < OS_FAULT_CLASSES; class ++)
        assert_int_equal(os_fault_calls((enum os_fault_class) class), 1);
    assert_int_equal(os_fault_write_calls(), OS_FAULT_LOCK);
    for (uint64_t n = 1; n <= OS_FAULT_CLASSES + 1; n++) {
        begin(state);
        arm(OS_FAULT_ANY, OS_FAULT_FULL, n, false);
        assert_int_equal(call_everything(), n <= OS_FAULT_CLASSES);
        assert_int_equal(os_fault_strikes(), n <= OS_FAULT_CLASSES);
        assert_int_equal(os_fault_open_files(), 0);
        assert_int_equal(os_sim_open_files(), 0);
    }
}

static void test_full_only_where_it_is_known(void **state)
{
    (void)state;
    struct os_file *file = open_file(true);
    struct os_span span = {"x", 1};
    arm(OS_FAULT_ANY, OS_FAULT_FULL, 1, true);
    assert_int_equal(os_fault.write(file, 0, &span, 1), EDB_FULL);
    assert_int_equal(os_fault.reserve(file, 0, 99), EDB_FULL);
    assert_int_equal(os_fault.sync(file), EDB_IO);
    assert_int_equal(os_fault.try_lock(file, OS_LOCK_WRITER), EDB_IO);
    uint64_t size;
    assert_memory_equal(os_sim_file("f", &size), "0123456789abcdef", 16);
    assert_int_equal(size, 16);
    os_fault.close(file);
}

static void test_short_writes(void **state)
{
    const struct os_span spans[] = {{"AB", 2}, {"", 0}, {"CDEFG", 5}, {"H", 1}};
    const enum os_fault_kind kinds[] = {OS_FAULT_SHORT, OS_FAULT_SHORT_FULL};
    for (int i = 0; i < 2; i++) {
        begin(state);
        struct os_file *file = open_file(true);
        arm(OS_FAULT_WRITE, kinds[i], 1, false);
        assert_int_equal(os_fault.write(file, 3, spans, 4), i == 0 ? EDB_IO : EDB_FULL);
        uint64_t size;
        assert_memory_equal(os_sim_file("f", &size), "012ABCD789abcdef", 16);
        assert_int_equal(os_fault.write(file, 3, spans, 4), EDB_OK);
        assert_memory_equal(os_sim_file("f", &size), "012ABCDEFGHbcdef", 16);
        os_fault.close(file);
    }
}

static void test_reading_writes_nothing(void **state)
{
    (void)state;
    char byte;
    const uint8_t *address;
    struct os_file *file = open_file(false);
    assert_int_equal(os_read(file, 0, &byte, 1), EDB_OK);
    assert_int_equal(os_fault.map(file, 0, 65536, &address), EDB_OK);
    os_fault.unmap(NULL, address, 65536);
    assert_int_equal(os_fault_write_calls(), 0);
    assert_int_equal(os_fault_open_files(), 1);
    os_fault.close(file);
    os_fault.close(open_file(true));
    assert_int_equal(os_fault_write_calls(), 1);
}

static void *read_often(void *file)
{
    char byte;
    for (int i = 0; i < 5000; i++)
        os_read(file, 0, &byte, 1);
    return NULL;
}

static void test_counts_hold_over_threads(void **state)
{
    (void)state;
    pthread_t threads[4];
    struct os_file *file = open_file(false);
    arm(OS_FAULT_READ, OS_FAULT_IO, 15001, true);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_often, file), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(os_fault_calls(OS_FAULT_READ), 20000);
    assert_int_equal(os_fault_strikes(), 5000);
    os_fault.close(file);
}

#define CASE(name) cmocka_unit_test_setup(name, begin)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_nth_call_of_a_class),         CASE(test_every_call_can_fail),
        CASE(test_full_only_where_it_is_known), CASE(test_short_writes),
        CASE(test_reading_writes_nothing),      CASE(test_counts_hold_over_threads),
    };
    return cmocka_run_group_tests_name("os_fault", tests, NULL, end);
}
