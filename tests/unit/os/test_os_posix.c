/* The real table keeps what os.h promises: it refuses what is no file, tells a full device, maps
 * what grows, and publishes without replacing. */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include "unit/os/posix_ground.h"

/* ------------------------------------------------------------------------------------- refusals */

static void expect_refusal(const char *name, bool writable, edb_status wanted, const char *word)
{
    struct os_file *file = (struct os_file *)&file;
    assert_int_equal(os_posix.open(name, writable, &file), wanted);
    assert_null(file);
    assert_non_null(strstr(edb_error_detail(), name));
    assert_non_null(strstr(edb_error_detail(), word));
}

static void open_refuses_what_is_no_file(void **state)
{
    (void)state;
    for (int writable = 0; writable < 2; writable++) {
        expect_refusal(root, writable, EDB_FORMAT, "is a directory");
        expect_refusal(name_in_root("absent"), writable, EDB_NOT_FOUND, "no file");
        expect_refusal("/dev/null", writable, EDB_FORMAT, "no regular file");
    }
    assert_int_equal(mkfifo(name_in_root("fifo"), 0600), 0);
    expect_refusal(name_in_root("fifo"), false, EDB_FORMAT, "no regular file");
}

static int open_as_nobody(void *arg)
{
    (void)arg;
    struct os_file *file;
    if (geteuid() == 0 && setuid(65534) != 0)
        return SKIPPED;
    if (os_posix.open(path, true, &file) != EDB_READ_ONLY)
        return 1;
    if (os_posix.open(path, false, &file) != EDB_OK)
        return 2;
    os_posix.close(file);
    char *temporary;
    return os_posix.create_temporary(path, 0644, &file, &temporary) == EDB_READ_ONLY ? 0 : 3;
}

static void open_tells_missing_permission(void **state)
{
    (void)state;
    os_posix.close(make_file("x"));
    assert_int_equal(chmod(path, 0444) | chmod(root, 0555), 0);
    int result = in_child(open_as_nobody, NULL);
    assert_int_equal(chmod(root, 0755), 0);
    if (result == SKIPPED)
        skip();
    assert_int_equal(result, 0);
}

static void read_tells_the_end_of_the_file(void **state)
{
    (void)state;
    char buffer[8];
    struct os_file *file = make_file("12345678");
    assert_int_equal(os_read(file, 2, buffer, 6), EDB_OK);
    assert_memory_equal(buffer, "345678", 6);
    assert_int_equal(os_read(file, 3, buffer, 6), EDB_IO);
    assert_non_null(strstr(edb_error_detail(), "offset 8"));
    struct os_read pieces[3] = {{0, buffer, 2, 9}, {7, buffer + 2, 3, 9}, {100, buffer + 5, 1, 9}};
    assert_int_equal(os_posix.read_batch(file, pieces, 3), EDB_OK);
    assert_int_equal(pieces[0].got, 2);
    assert_int_equal(pieces[1].got, 1);
    assert_int_equal(pieces[2].got, 0);
    assert_int_equal(os_read(file, UINT64_MAX - 2, buffer, 1), EDB_IO);
    os_posix.close(file);
}

/* ----------------------------------------------------------------------------- writes and space */

static void write_gathers_any_number_of_spans(void **state)
{
    (void)state;
    enum { SPANS = 1000 };
    struct os_file *file = make_file("");
    static char expected[SPANS * 4], found[SPANS * 4];
    struct os_span spans[SPANS];
    size_t total = 0;
    for (size_t i = 0; i < SPANS; i++) {
        size_t count = i * 7 % 4;
        spans[i] = (struct os_span){expected + total, count};
        memset(expected + total, (int)('a' + i % 26), count);
        total += count;
    }
    assert_int_equal(os_posix.write(file, 5, spans, SPANS), EDB_OK);
    assert_int_equal(os_posix.write(file, 5, spans, 0), EDB_OK);
    assert_int_equal(os_read(file, 5, found, total), EDB_OK);
    assert_memory_equal(found, expected, total);
    uint64_t size;
    assert_int_equal(os_posix.size(file, &size), EDB_OK);
    assert_int_equal(size, total + 5);
    os_posix.close(file);
}

/* Under a limit of 64 KiB: a part is written, then the write says that it is full, and the file
 * goes on to be used. */
static int write_over_limit(void *arg)
{
    (void)arg;
    static char block[100000];
    struct rlimit limit = {65536, 65536};
    struct os_span span = {block, sizeof block};
    struct os_file *file;
    signal(SIGXFSZ, SIG_IGN);
    memset(block, 'w', sizeof block);
    if (os_posix.open(path, true, &file) != EDB_OK || setrlimit(RLIMIT_FSIZE, &limit) != 0)
        return 1;
    if (os_posix.write(file, 0, &span, 1) != EDB_FULL)
        return 2;
    if (strstr(edb_error_detail(), "offset 65536") == NULL)
        return 3;
    if (os_posix.reserve(file, 0, 65537) != EDB_FULL)
        return 4;
    return os_posix.reserve(file, 0, 65536) == EDB_OK ? 0 : 5;
}

static void a_limit_is_a_full_device(void **state)
{
    (void)state;
    os_posix.close(make_file("x"));
    assert_int_equal(in_child(write_over_limit, NULL), 0);
    struct os_file *file = open_again(false);
    uint64_t size;
    assert_int_equal(os_posix.size(file, &size), EDB_OK);
    assert_int_equal(size, 65536);
    os_posix.close(file);
}

static int fill_tmpfs(void *arg)
{
    (void)arg;
    struct os_file *file;
    char *temporary, byte;
    uint64_t size;
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("tmpfs", root, "tmpfs", 0, "size=256k") != 0)
        return SKIPPED;
    if (os_posix.create_temporary(path, 0644, &file, &temporary) != EDB_OK)
        return 1;
    if (os_posix.reserve(file, 0, 128 * 1024) != EDB_OK)
        return 2;
    if (os_posix.reserve(file, 128 * 1024, 1024 * 1024) != EDB_FULL)
        return 3;
    if (os_posix.size(file, &size) != EDB_OK || size < 128 * 1024 || size > 256 * 1024)
        return 4;
    if (os_read(file, 128 * 1024 - 1, &byte, 1) != EDB_OK || byte != 0)
        return 5;
    if (os_posix.reserve(file, 128 * 1024, 64 * 1024) != EDB_OK)
        return 6;
    os_posix.close(file);
    memory_free(temporary);
    return 0;
}

static void a_full_device_refuses_space(void **state)
{
    (void)state;
    int result = in_child(fill_tmpfs, NULL);
    if (result == SKIPPED)
        skip();
    assert_int_equal(result, 0);
}

static void reserve_grows_and_keeps(void **state)
{
    (void)state;
    struct os_file *file = make_file("abc");
    char found[8] = "zzzzzzz";
    uint64_t size;
    assert_int_equal(os_posix.reserve(file, 1, 99999), EDB_OK);
    assert_int_equal(os_posix.size(file, &size), EDB_OK);
    assert_int_equal(size, 100000);
    assert_int_equal(os_posix.reserve(file, 0, 10), EDB_OK);
    assert_int_equal(os_posix.reserve(file, 10, 0), EDB_OK);
    assert_int_equal(os_posix.size(file, &size), EDB_OK);
    assert_int_equal(size, 100000);
    assert_int_equal(os_read(file, 0, found, 6), EDB_OK);
    assert_memory_equal(found, "abc\0\0\0", 6);
    struct stat blocks;
    assert_int_equal(stat(path, &blocks), 0);
    assert_true(blocks.st_blocks * 512 >= 98304);
    assert_int_equal(os_posix.reserve(file, UINT64_MAX - 5, 10), EDB_FULL);
    os_posix.close(file);
}

static void mapping_grows_with_the_file(void **state)
{
    (void)state;
    struct os_file *file = make_file("begin"), *reader = open_again(false);
    const uint8_t *address;
    assert_int_equal(os_posix.map(reader, 0, 1 << 24, &address), EDB_OK);
    assert_memory_equal(address, "begin", 5);
    assert_int_equal(os_posix.reserve(file, 0, 1 << 20), EDB_OK);
    assert_int_equal(address[(1 << 20) - 1], 0);
    write_text(file, (1 << 20) - 3, "end");
    assert_memory_equal(address + (1 << 20) - 3, "end", 3);
    os_posix.unmap(reader, address, 1 << 24);
    assert_int_equal(os_posix.map(reader, 65536, 65536, &address), EDB_OK);
    assert_int_equal(address[0], 0);
    os_posix.unmap(reader, address, 65536);
    os_posix.close(reader);
    os_posix.close(file);
}

static void device_holds_what_was_synced(void **state)
{
    (void)state;
    struct os_file *file = make_file("");
    static uint8_t written[700001], found[700001];
    for (size_t i = 0; i < sizeof written; i++)
        written[i] = (uint8_t)(i * 2654435761u >> 13);
    struct os_span span = {written, sizeof written};
    assert_int_equal(os_posix.write(file, 0, &span, 1), EDB_OK);
    assert_int_equal(os_posix.sync(file), EDB_OK);
    edb_status status = os_posix.read_device(file, 0, found, sizeof found);
    if (status == EDB_NOT_FOUND) {
        os_posix.close(file);
        skip();
    }
    assert_int_equal(status, EDB_OK);
    assert_memory_equal(found, written, sizeof found);
    assert_int_equal(os_posix.read_device(file, 4095, found, 300000), EDB_OK);
    assert_memory_equal(found, written + 4095, 300000);
    assert_int_equal(os_posix.read_device(file, 700000, found, 1), EDB_OK);
    assert_int_equal(os_posix.read_device(file, 700000, found, 2), EDB_IO);
    os_posix.close(file);
}

/* ---------------------------------------------------------------------------------------- names */

static void publish_does_not_replace(void **state)
{
    (void)state;
    os_posix.close(make_file("first"));
    struct os_file *file;
    char *temporary, found[5];
    assert_int_equal(os_posix.create_temporary(path, 0600, &file, &temporary), EDB_OK);
    assert_int_equal(os_posix.publish(temporary, path), EDB_EXISTS);
    assert_int_equal(access(temporary, F_OK), 0);
    struct os_file *old = open_again(false);
    assert_int_equal(os_read(old, 0, found, 5), EDB_OK);
    assert_memory_equal(found, "first", 5);
    os_posix.close(old);
    assert_int_equal(os_posix.remove(temporary), EDB_OK);
    assert_int_equal(os_posix.remove(temporary), EDB_NOT_FOUND);
    memory_free(temporary);
    os_posix.close(file);
    assert_int_equal(os_posix.sync_directory(path), EDB_OK);
}

static void publish_refuses_a_link_to_nothing(void **state)
{
    (void)state;
    struct os_file *file;
    char *temporary;
    assert_int_equal(symlink("nowhere", path), 0);
    assert_int_equal(os_posix.open(path, true, &file), EDB_NOT_FOUND);
    assert_int_equal(os_posix.create_temporary(path, 0600, &file, &temporary), EDB_OK);
    assert_int_equal(os_posix.publish(temporary, path), EDB_IO);
    memory_free(temporary);
    os_posix.close(file);
}

static void leftovers_are_told_from_the_living(void **state)
{
    (void)state;
    struct os_file *file;
    char *temporary, second[2 * PATH_BYTES + 32];
    assert_int_equal(os_posix.remove_leftovers(path), 0);
    assert_int_equal(os_posix.create_temporary(path, 0600, &file, &temporary), EDB_OK);
    snprintf(second, sizeof second, "%s/.file.edb.0123456789abcdef.tmp", root);
    assert_int_equal(link(temporary, second), 0); /* the lock is on the file, whatever its name */
    assert_int_equal(os_posix.remove_leftovers(path), 2);
    os_posix.unlock(file, OS_LOCK_WRITER);
    assert_int_equal(os_posix.remove_leftovers(path), 0);
    assert_int_not_equal(access(temporary, F_OK), 0);
    assert_int_not_equal(access(second, F_OK), 0);
    os_posix.close(file);
    memory_free(temporary);
}

static void temporary_has_a_name_of_its_own(void **state)
{
    (void)state;
    struct os_file *file;
    char *temporary, wanted[2 * PATH_BYTES + 8];
    assert_int_equal(os_posix.create_temporary(path, 0600, &file, &temporary), EDB_OK);
    snprintf(wanted, sizeof wanted, "%s/.file.edb.", root);
    assert_memory_equal(temporary, wanted, strlen(wanted));
    assert_int_equal(strspn(temporary + strlen(wanted), "0123456789abcdef"), 16);
    assert_string_equal(temporary + strlen(wanted) + 16, ".tmp");
    struct stat found;
    assert_int_equal(stat(temporary, &found), 0);
    assert_int_equal(found.st_mode & 0777 & ~0600u, 0);
    os_posix.close(file);
    memory_free(temporary);

    char longest[PATH_BYTES];
    memset(longest, 'n', 255);
    longest[255] = '\0';
    const char *name = name_in_root(longest);
    assert_int_equal(os_posix.create_temporary(name, 0600, &file, &temporary), EDB_OK);
    assert_int_equal(os_posix.publish(temporary, name), EDB_OK);
    os_posix.close(file);
    memory_free(temporary);

    name = name_in_root("no/x");
    assert_int_equal(os_posix.create_temporary(name, 0600, &file, &temporary), EDB_NOT_FOUND);
    assert_null(temporary);
    name = name_in_root("");
    assert_int_equal(os_posix.create_temporary(name, 0600, &file, &temporary), EDB_FORMAT);
}

static void same_file_follows_the_name(void **state)
{
    (void)state;
    struct os_file *file = make_file("x");
    bool same = false;
    assert_int_equal(os_posix.same_file(file, path, &same, NULL), EDB_OK);
    assert_true(same);
    assert_int_equal(rename(path, name_in_root("moved")), 0);
    assert_int_equal(os_posix.same_file(file, path, &same, NULL), EDB_OK);
    assert_false(same);
    assert_int_equal(os_posix.same_file(file, name_in_root("moved"), &same, NULL), EDB_OK);
    assert_true(same);
    os_posix.close(make_file("y"));
    assert_int_equal(os_posix.same_file(file, path, &same, NULL), EDB_OK);
    assert_false(same);
    os_posix.close(file);
}

/* A relative path leads to the same file wherever the program has gone since. */
static void same_file_stays_where_it_was_opened(void **state)
{
    (void)state;
    struct os_file *file;
    bool same = false;
    char before[PATH_BYTES];
    os_posix.close(make_file("x"));
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(root), 0);
    assert_int_equal(os_posix.open(strrchr(path, '/') + 1, true, &file), EDB_OK);
    assert_int_equal(chdir("/"), 0);
    assert_int_equal(os_posix.same_file(file, strrchr(path, '/') + 1, &same, NULL), EDB_OK);
    assert_true(same);
    os_posix.close(file);
    assert_int_equal(chdir(before), 0);
}

/* --------------------------------------------------------------------------------- the machine */

static int open_with_closed_output(void *arg)
{
    (void)arg;
    struct os_file *file;
    close(0);
    close(1);
    close(2);
    if (os_posix.open(path, true, &file) != EDB_OK)
        return 1;
    return write(1, "message", 7) < 0 && write(2, "message", 7) < 0 ? 0 : 2;
}

static void a_file_never_becomes_standard_output(void **state)
{
    (void)state;
    os_posix.close(make_file("x"));
    assert_int_equal(in_child(open_with_closed_output, NULL), 0);
}

static void the_machine_is_known(void **state)
{
    (void)state;
    uint8_t boot[16], again[16], zero[16] = {0}, random[2][600];
    os_posix.boot_id(boot);
    os_posix.boot_id(again);
    assert_memory_equal(boot, again, 16);
    if (access("/proc/sys/kernel/random/boot_id", R_OK) == 0)
        assert_memory_not_equal(boot, zero, 16);
    assert_int_equal(os_posix.random(random[0], sizeof random[0]), EDB_OK);
    assert_int_equal(os_posix.random(random[1], sizeof random[1]), EDB_OK);
    assert_memory_not_equal(random[0], random[1], sizeof random[0]);
    assert_memory_not_equal(random[0] + 584, zero, 16);

    struct os_file *file = make_file("x");
    const char *name = "left over";
    if (os_posix.is_network(file, &name))
        assert_non_null(name);
    else
        assert_null(name);
    os_posix.close(file);
    assert_ptr_equal(os_current(), &os_posix);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(open_refuses_what_is_no_file),
        CASE(open_tells_missing_permission),
        CASE(read_tells_the_end_of_the_file),
        CASE(write_gathers_any_number_of_spans),
        CASE(a_limit_is_a_full_device),
        CASE(a_full_device_refuses_space),
        CASE(reserve_grows_and_keeps),
        CASE(mapping_grows_with_the_file),
        CASE(device_holds_what_was_synced),
        CASE(publish_does_not_replace),
        CASE(publish_refuses_a_link_to_nothing),
        CASE(leftovers_are_told_from_the_living),
        CASE(temporary_has_a_name_of_its_own),
        CASE(same_file_follows_the_name),
        CASE(same_file_stays_where_it_was_opened),
        CASE(a_file_never_becomes_standard_output),
        CASE(the_machine_is_known),
    };
    return cmocka_run_group_tests_name("os_posix", tests, make_root, remove_root);
}
