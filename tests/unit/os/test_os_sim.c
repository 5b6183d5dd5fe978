/* The simulated machine behaves like a real one where the library can see it, loses on a failed
 * sync exactly what its policy says, and writes down what happened. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "os/os_sim.h"
#include "unit/base/seeded_random.h"

/* Last: it makes a macro of the name fail. */
#include <cmocka.h>

enum { SECTOR = OS_SIM_SECTOR_BYTES };

static int begin(void **state)
{
    (void)state;
    os_sim_begin(1);
    return 0;
}

static int end(void **state)
{
    (void)state;
    os_sim_end();
    return 0;
}

static struct os_file *open_file(const char *name)
{
    struct os_file *file;
    assert_int_equal(os_sim.open(name, true, &file), EDB_OK);
    return file;
}

static void write_bytes(struct os_file *file, uint64_t offset, const void *bytes, size_t count)
{
    struct os_span span = {bytes, count};
    assert_int_equal(os_sim.write(file, offset, &span, 1), EDB_OK);
}

static void write_letters(struct os_file *file, uint64_t offset, char letter, size_t count)
{
    char letters[8 * SECTOR];
    assert_true(count <= sizeof letters);
    memset(letters, letter, count);
    write_bytes(file, offset, letters, count);
}

/* Whether [offset, offset + count) of the file is this letter, for programs and on the device. */
static void expect_letters(struct os_file *file, uint64_t offset, size_t count, char seen,
                           char stored)
{
    char found[8 * SECTOR];
    assert_int_equal(os_read(file, offset, found, count), EDB_OK);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(found[i], seen);
    assert_int_equal(os_sim.read_device(file, offset, found, count), EDB_OK);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(found[i], stored);
}

/* A synced file of eight sectors of 'o'. */
static struct os_file *make_old(void)
{
    char letters[8 * SECTOR];
    memset(letters, 'o', sizeof letters);
    os_sim_load("f", letters, sizeof letters);
    return open_file("f");
}

static void test_leftovers(void **state)
{
    (void)state;
    uint64_t size;
    os_sim_load("d/.f.0123456789abcdef.tmp", "x", 1);
    os_sim_load("d/.fg.0123456789abcdef.tmp", "x", 1);
    os_sim_load(".f.0123456789abcdef.tmp", "x", 1);
    assert_int_equal(os_sim.remove_leftovers("d/f"), 0);
    assert_null(os_sim_file("d/.f.0123456789abcdef.tmp", &size));
    assert_non_null(os_sim_file("d/.fg.0123456789abcdef.tmp", &size));
    assert_non_null(os_sim_file(".f.0123456789abcdef.tmp", &size));
}

static void test_names(void **state)
{
    (void)state;
    struct os_file *file, *again;
    char *temporary;
    bool same = true;
    assert_int_equal(os_sim.open("d/f", true, &file), EDB_NOT_FOUND);
    assert_null(file);
    assert_int_equal(os_sim.create_temporary("d/f", 0644, &file, &temporary), EDB_OK);
    assert_memory_equal(temporary, "d/.f.", 5);
    assert_int_equal(os_sim.open("d/f", true, &again), EDB_NOT_FOUND);
    assert_int_equal(os_sim.same_file(file, "d/f", &same, NULL), EDB_OK);
    assert_false(same);
    assert_int_equal(os_sim.publish(temporary, "d/f"), EDB_OK);
    assert_int_equal(os_sim.publish(temporary, "d/g"), EDB_NOT_FOUND);
    assert_int_equal(os_sim.same_file(file, "d/f", &same, NULL), EDB_OK);
    assert_true(same);
    memory_free(temporary);
    assert_int_equal(os_sim.create_temporary("d/f", 0644, &again, &temporary), EDB_OK);
    assert_int_equal(os_sim.remove_leftovers("d/f"), 1); /* this one is not left behind */
    assert_int_equal(os_sim.publish(temporary, "d/f"), EDB_EXISTS);
    assert_int_equal(os_sim.remove(temporary), EDB_OK);
    assert_int_equal(os_sim.remove(temporary), EDB_NOT_FOUND);
    assert_int_equal(os_sim_open_files(), 2);
    os_sim.close(again);
    os_sim.close(file);
    assert_int_equal(os_sim_open_files(), 0);
    memory_free(temporary);
}

static void test_map_shows_growth_in_place(void **state)
{
    (void)state;
    os_sim_load("f", "begin", 5);
    struct os_file *file = open_file("f"), *reader = open_file("f");
    const uint8_t *address;
    uint64_t size;
    assert_int_equal(os_sim.map(reader, 0, 1ull << 30, &address), EDB_OK);
    assert_memory_equal(address, "begin", 5);
    assert_int_equal(os_sim.reserve(file, 0, 1 << 20), EDB_OK);
    assert_int_equal(address[(1 << 20) - 1], 0);
    write_bytes(file, (1 << 20) + 70000, "end", 3);
    assert_memory_equal(address + (1 << 20) + 70000, "end", 3);
    assert_int_equal(os_sim.size(reader, &size), EDB_OK);
    assert_int_equal(size, (1 << 20) + 70003);
    os_sim.close(file);
    os_sim.close(reader);
    assert_memory_equal(address, "begin", 5);
    os_sim.unmap(NULL, address, 1ull << 30);
}

static void test_lock_excludes_other_handles(void **state)
{
    (void)state;
    os_sim_load("f", "x", 1);
    struct os_file *first = open_file("f"), *second = open_file("f");
    assert_int_equal(os_sim.try_lock(first, OS_LOCK_WRITER), EDB_OK);
    assert_int_equal(os_sim.try_lock(first, OS_LOCK_WRITER), EDB_OK);
    assert_int_equal(os_sim.try_lock(second, OS_LOCK_WRITER), EDB_BUSY);
    os_sim.unlock(second, OS_LOCK_WRITER);
    assert_int_equal(os_sim.try_lock(second, OS_LOCK_WRITER), EDB_BUSY);
    os_sim.close(first);
    assert_int_equal(os_sim.try_lock(second, OS_LOCK_WRITER), EDB_OK);
    os_sim.close(second);
}

static bool takes(struct os_file *file, uint32_t number)
{
    bool taken;
    assert_int_equal(os_sim.try_claim(file, number, &taken), EDB_OK);
    return taken;
}

static void test_claims_exclude_other_handles(void **state)
{
    (void)state;
    os_sim_load("f", "x", 1);
    struct os_file *first = open_file("f"), *second = open_file("f");
    assert_true(takes(first, 3) && takes(first, 3) && takes(first, 4) && takes(first, UINT32_MAX));
    assert_false(takes(second, 3) || takes(second, UINT32_MAX));
    os_sim.give_claims(second, 0, (uint64_t)UINT32_MAX + 1);
    assert_false(takes(second, 3));
    os_sim.give_claims(first, 3, 1);
    assert_true(takes(second, 3));
    assert_false(takes(first, 3) || takes(second, 4));
    os_sim.close(first);
    assert_true(takes(second, 4) && takes(second, UINT32_MAX));
    os_sim.close(second);
}

static void test_device_gets_it_at_sync(void **state)
{
    (void)state;
    struct os_file *file = make_old();
    write_letters(file, SECTOR + 10, 'n', SECTOR);
    expect_letters(file, SECTOR + 10, SECTOR, 'n', 'o');
    expect_letters(file, 0, SECTOR + 10, 'o', 'o');
    assert_int_equal(os_sim.sync(file), EDB_OK);
    expect_letters(file, SECTOR + 10, SECTOR, 'n', 'n');
    char byte;
    assert_int_equal(os_sim.read_device(file, 8 * SECTOR - 1, &byte, 2), EDB_IO);
    os_sim.close(file);
}

/* The new content stays visible, is not on the device, and no later sync brings it there. */
static void test_keep_policy(void **state)
{
    (void)state;
    struct os_file *file = make_old();
    write_letters(file, 0, 'n', 3 * SECTOR);
    os_sim_fail_sync(1, OS_SIM_KEEP);
    assert_int_equal(os_sim.sync(file), EDB_IO);
    expect_letters(file, 0, 3 * SECTOR, 'n', 'o');
    assert_int_equal(os_sim.sync(file), EDB_OK);
    expect_letters(file, 0, 3 * SECTOR, 'n', 'o');

    /* Writing into a lost sector takes all of it along; its neighbours stay lost. */
    write_letters(file, SECTOR + 5, 'm', 10);
    assert_int_equal(os_sim.sync(file), EDB_OK);
    expect_letters(file, 0, SECTOR, 'n', 'o');
    expect_letters(file, SECTOR, 5, 'n', 'n');
    expect_letters(file, SECTOR + 5, 10, 'm', 'm');
    expect_letters(file, SECTOR + 15, SECTOR - 15, 'n', 'n');
    expect_letters(file, 2 * SECTOR, SECTOR, 'n', 'o');
    os_sim.close(file);
}

static void test_revert_policy(void **state)
{
    (void)state;
    struct os_file *file = make_old();
    write_letters(file, 0, 's', SECTOR);
    assert_int_equal(os_sim.sync(file), EDB_OK);
    write_letters(file, SECTOR / 2, 'n', 3 * SECTOR);
    os_sim_fail_sync(2, OS_SIM_REVERT);
    write_letters(file, 7 * SECTOR, 't', SECTOR);
    assert_int_equal(os_sim.sync(file), EDB_OK);
    write_letters(file, 5, 'u', 4 * SECTOR);
    assert_int_equal(os_sim.sync(file), EDB_IO);
    expect_letters(file, 0, SECTOR / 2, 's', 's');
    expect_letters(file, SECTOR / 2, 3 * SECTOR, 'n', 'n');
    expect_letters(file, 3 * SECTOR + SECTOR / 2, SECTOR, 'o', 'o');
    expect_letters(file, 7 * SECTOR, SECTOR, 't', 't');
    assert_int_equal(os_sim.sync(file), EDB_OK);
    os_sim.close(file);
}

/* Random writes, syncs and failures against a plain byte-wise model. */
static void test_policies_against_a_model(void **state)
{
    (void)state;
    enum { BYTES = 8 * SECTOR, STEPS = 3000 };
    static uint8_t cache[BYTES], device[BYTES], found[BYTES];
    static bool dirty[8];
    struct random_source random = seeded_random(__func__);
    struct os_file *file = make_old();
    memset(cache, 'o', BYTES);
    memset(device, 'o', BYTES);
    memset(dirty, 0, sizeof dirty);
    for (int step = 0; step < STEPS; step++) {
        uint64_t dice = random_below(&random, 10);
        if (dice < 8) {
            size_t at = random_below(&random, BYTES);
            size_t count = 1 + random_below(&random, BYTES - at);
            char letter = (char)('A' + random_below(&random, 26));
            write_letters(file, at, letter, count);
            memset(cache + at, letter, count);
            for (size_t s = at / SECTOR; s <= (at + count - 1) / SECTOR; s++)
                dirty[s] = true;
        } else {
            enum os_sim_policy policy = random_below(&random, 2) ? OS_SIM_KEEP : OS_SIM_REVERT;
            os_sim_fail_sync(dice == 8, policy);
            assert_int_equal(os_sim.sync(file), dice == 8 ? EDB_IO : EDB_OK);
            for (size_t s = 0; s < 8; s++) {
                if (dirty[s] && dice == 9)
                    memcpy(device + s * SECTOR, cache + s * SECTOR, SECTOR);
                else if (dirty[s] && policy == OS_SIM_REVERT)
                    memcpy(cache + s * SECTOR, device + s * SECTOR, SECTOR);
                dirty[s] = false;
            }
        }
        assert_int_equal(os_read(file, 0, found, BYTES), EDB_OK);
        assert_memory_equal(found, cache, BYTES);
        assert_int_equal(os_sim.read_device(file, 0, found, BYTES), EDB_OK);
        assert_memory_equal(found, device, BYTES);
    }
    os_sim.close(file);
}

static void test_journal_tells_what_happened(void **state)
{
    (void)state;
    struct os_file *file;
    char *temporary;
    assert_int_equal(os_sim.create_temporary("f", 0644, &file, &temporary), EDB_OK);
    assert_int_equal(os_sim.reserve(file, 0, 4096), EDB_OK);
    assert_int_equal(os_sim.reserve(file, 0, 4096), EDB_OK);
    write_bytes(file, 4094, "abc", 3);
    os_sim_mark(7);
    assert_int_equal(os_sim.sync(file), EDB_OK);
    assert_int_equal(os_sim.publish(temporary, "f"), EDB_OK);
    assert_int_equal(os_sim.sync_directory("f"), EDB_OK);
    assert_int_equal(os_sim.remove("f"), EDB_OK);
    os_sim_record(false);
    write_bytes(file, 0, "z", 1);

    const struct os_sim_operation expected[] = {
        {OS_SIM_CREATE, 0, 0, 0, 0},  {OS_SIM_SIZE, 0, 4096, 0, 0},
        {OS_SIM_SIZE, 0, 4097, 0, 0}, {OS_SIM_WRITE, 0, 4094, 3, 0},
        {OS_SIM_MARK, 0, 7, 0, 0},    {OS_SIM_SYNC, 0, 0, 0, 0},
        {OS_SIM_PUBLISH, 0, 0, 0, 0}, {OS_SIM_SYNC_DIRECTORY, 0, 0, 0, 0},
        {OS_SIM_REMOVE, 0, 0, 0, 0},
    };
    const size_t count = sizeof expected / sizeof expected[0];
    struct os_sim_journal journal;
    assert_int_equal(os_sim_journal_copy(&journal), EDB_OK);
    assert_int_equal(os_sim_position(), count);
    assert_int_equal(journal.count, count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(journal.operations[i].kind, expected[i].kind);
        assert_int_equal(journal.operations[i].offset, expected[i].offset);
        assert_int_equal(journal.operations[i].bytes, expected[i].bytes);
    }
    assert_memory_equal(journal.data + journal.operations[3].data, "abc", 3);
    const char *names = (const char *)journal.data + journal.operations[6].data;
    assert_string_equal(names, temporary);
    assert_string_equal(names + strlen(names) + 1, "f");
    os_sim_journal_free(&journal);
    memory_free(temporary);
    os_sim.close(file);
}

static void test_a_full_device(void **state)
{
    (void)state;
    os_sim_load("f", "12345678", 8);
    os_sim_load("g", "1234", 4);
    os_sim_set_capacity(20);
    struct os_file *file = open_file("f");
    uint64_t size;
    assert_int_equal(os_sim.reserve(file, 8, 9), EDB_FULL);
    assert_int_equal(os_sim.reserve(file, 0, 10), EDB_OK);
    struct os_span span = {"abcdefgh", 8};
    assert_int_equal(os_sim.write(file, 10, &span, 1), EDB_FULL);
    assert_int_equal(os_sim.size(file, &size), EDB_OK);
    assert_int_equal(size, 16);
    assert_memory_equal(os_sim_file("f", &size), "12345678\0\0abcdef", 16);
    write_bytes(file, 0, "x", 1);
    os_sim.close(file);
}

static void test_a_new_boot_is_another_machine(void **state)
{
    (void)state;
    uint8_t first[16], second[16], salt[2][8];
    os_sim.boot_id(first);
    assert_int_equal(os_sim.random(salt[0], 8), EDB_OK);
    struct os_file *stale = make_old();
    uint64_t size;
    assert_int_equal(os_sim.try_lock(stale, OS_LOCK_WRITER), EDB_OK);
    write_letters(stale, 0, 'n', 8 * SECTOR);

    os_sim_begin(2);
    os_sim.boot_id(second);
    assert_memory_not_equal(first, second, 16);
    assert_null(os_sim_file("f", &size));
    os_sim_load("f", "abc", 3);
    assert_int_equal(os_sim.size(stale, &size), EDB_IO);
    assert_int_equal(os_sim.sync(stale), EDB_IO);
    os_sim.unlock(stale, OS_LOCK_WRITER);
    struct os_file *file = open_file("f");
    assert_int_equal(os_sim.try_lock(file, OS_LOCK_WRITER), EDB_OK);
    assert_int_equal(os_sim.reserve(file, 0, SECTOR), EDB_OK);
    expect_letters(file, 3, SECTOR - 3, 0, 0);
    os_sim.close(stale);
    assert_int_equal(os_sim_open_files(), 1);
    os_sim.close(file);

    os_sim_begin(1);
    os_sim.boot_id(second);
    assert_memory_equal(first, second, 16);
    assert_int_equal(os_sim.random(salt[1], 8), EDB_OK);
    assert_memory_equal(salt[0], salt[1], 8);
    os_sim_set_boot_id((const uint8_t *)"0123456789abcdef");
    os_sim.boot_id(second);
    assert_memory_equal(second, "0123456789abcdef", 16);
    uint64_t now = os_sim.monotonic_ms();
    os_sim.sleep_ms(1500);
    assert_int_equal(os_sim.monotonic_ms(), now + 1500);
    const char *network = "x";
    assert_false(os_sim.is_network(NULL, &network));
    os_sim_set_network("NFS");
    assert_true(os_sim.is_network(NULL, &network));
    assert_string_equal(network, "NFS");
}

#define CASE(name) cmocka_unit_test_setup(name, begin)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_leftovers),
        CASE(test_names),
        CASE(test_map_shows_growth_in_place),
        CASE(test_lock_excludes_other_handles),
        CASE(test_claims_exclude_other_handles),
        CASE(test_device_gets_it_at_sync),
        CASE(test_keep_policy),
        CASE(test_revert_policy),
        CASE(test_policies_against_a_model),
        CASE(test_journal_tells_what_happened),
        CASE(test_a_full_device),
        CASE(test_a_new_boot_is_another_machine),
    };
    return cmocka_run_group_tests_name("os_sim", tests, NULL, end);
}
