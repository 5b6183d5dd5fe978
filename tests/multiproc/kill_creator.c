/* What a process leaves behind that dies while it creates a file, a temporary file beside the path,
 * is removed by the next creation of the same name; what a living one is working on, and what has
 * another name, stays (17). */
#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "embedcache.h"
#include "os/os.h"
#include "support/temporary_place.h"

#include <cmocka.h>

enum { CREATORS = 8, RACES = 60, CREATED = 0, FAILED = 1 };

static char place[PLACE_BYTES];
static char path[PLACE_BYTES + 300];
static struct os_io table; /* os_posix, but for one function */
static int go_on[2];       /* a byte in this pipe ends hold_publish */
static int arrived[2];     /* a byte comes out of this one when it begins */

/* -------------------------------------------------------- creators, in processes of their own */

static edb_status die_after_create(const char *name, uint32_t mode, struct os_file **file_out,
                                   char **name_out)
{
    edb_status status = os_posix.create_temporary(name, mode, file_out, name_out);
    raise(SIGKILL);
    return status;
}

static edb_status die_at_publish(const char *temporary, const char *name)
{
    (void)temporary;
    (void)name;
    raise(SIGKILL);
    return EDB_IO;
}

static edb_status hold_publish(const char *temporary, const char *name)
{
    char byte = 0;
    if (write(arrived[1], &byte, 1) != 1 || read(go_on[0], &byte, 1) != 1)
        return EDB_IO;
    return os_posix.publish(temporary, name);
}

/* Opens the file, which makes it, and puts a row. */
static int create(void)
{
    edb *db;
    edb_space *space;
    edb_space_spec spec = EDB_SPACE_SPEC_INIT;
    float vector[2] = {1, 2};
    spec.dims = 2;
    bool good = edb_open(path, NULL, &db) == EDB_OK &&
                edb_space_open(db, &spec, &space) == EDB_OK &&
                edb_put(space, "k", 1, vector, NULL) == EDB_OK && edb_close(db) == EDB_OK;
    return good ? CREATED : FAILED;
}

/* In a child, with the functions of `table`. */
static pid_t start_creator(void)
{
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(go_on[1]); /* the parent's end is the only one */
        os_use(&table);
        _exit(create());
    }
    return child;
}

static int wait_for(pid_t child)
{
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

/* ------------------------------------------------------------------------------- what is there */

static size_t count_entries(const char *end)
{
    size_t count = 0;
    const struct dirent *entry;
    DIR *folder = opendir(place);
    assert_non_null(folder);
    while ((entry = readdir(folder)) != NULL) {
        size_t length = strlen(entry->d_name);
        count += length >= strlen(end) && strcmp(entry->d_name + length - strlen(end), end) == 0;
    }
    closedir(folder);
    return count;
}

static void make_entry(const char *name)
{
    char full[PLACE_BYTES + 300];
    snprintf(full, sizeof full, "%s/%s", place, name);
    FILE *file = fopen(full, "w");
    assert_non_null(file);
    fclose(file);
}

static void leave_behind(void)
{
    table = os_posix;
    table.publish = die_at_publish;
    size_t before = count_entries(".tmp");
    assert_true(WIFSIGNALED(wait_for(start_creator())));
    assert_int_equal(count_entries(".tmp"), before + 1);
    table = os_posix;
}

static int begin(void **state)
{
    (void)state;
    place_open(place);
    snprintf(path, sizeof path, "%s/file.edb", place);
    table = os_posix;
    return pipe(go_on) != 0 || pipe(arrived) != 0;
}

static int end(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        close(go_on[i]);
        close(arrived[i]);
    }
    place_close(place);
    return 0;
}

/* ---------------------------------------------------------------------------------- the tests */

static void die_and_create(void)
{
    assert_true(WIFSIGNALED(wait_for(start_creator())));
    assert_int_equal(count_entries(".tmp"), 1);
    assert_int_equal(count_entries("file.edb"), 0);
    assert_int_equal(create(), CREATED);
    assert_int_equal(count_entries(".tmp"), 0);
    assert_int_equal(unlink(path), 0);
    table = os_posix;
}

static void test_killed_creator_leaves_nothing_for_long(void **state)
{
    (void)state;
    table.create_temporary = die_after_create;
    die_and_create();
    table.publish = die_at_publish;
    die_and_create();
}

static void test_living_creator_keeps_its_file(void **state)
{
    char byte = 0;
    (void)state;
    table.publish = hold_publish;
    pid_t living = start_creator();
    assert_int_equal(read(arrived[0], &byte, 1), 1);
    leave_behind();
    assert_int_equal(create(), CREATED);
    assert_int_equal(count_entries(".tmp"), 1);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(write(go_on[1], &byte, 1), 1);
    assert_int_equal(wait_for(living), CREATED); /* the file is the living one's */
    assert_int_equal(count_entries(".tmp"), 0);
    assert_int_equal(count_entries("file.edb"), 1);
}

static void test_other_names_stay(void **state)
{
    static const char *const others[] = {
        ".file.edb.0123456789abcde.tmp",  ".file.edb.0123456789abcdef0.tmp",
        ".file.edb.0123456789abcdeg.tmp", ".file.edb.0123456789ABCDEF.tmp",
        ".file.ed.0123456789abcdef.tmp",  ".file.edb2.0123456789abcdef.tmp",
        "file.edb.0123456789abcdef.tmp",  ".file.edb.0123456789abcdef.tmp.tmp",
    };
    const size_t count = sizeof others / sizeof *others;
    (void)state;
    for (size_t i = 0; i < count; i++)
        make_entry(others[i]);
    leave_behind();
    assert_int_equal(create(), CREATED);
    assert_int_equal(count_entries(".tmp"), count);
}

/* Base names longer than what fits into a temporary name are cut there. */
static void test_long_names(void **state)
{
    (void)state;
    size_t folder = strlen(place) + 1;
    memset(path + folder, 'n', 240);
    path[folder + 240] = '\0';
    leave_behind();
    assert_int_equal(create(), CREATED);
    assert_int_equal(count_entries(".tmp"), 0);
}

/* Many create the same file at once, among leftovers: all of them have it in the end. */
static void test_creators_at_once(void **state)
{
    (void)state;
    for (int race = 0; race < RACES; race++) {
        pid_t creators[CREATORS];
        leave_behind();
        for (int i = 0; i < CREATORS; i++)
            creators[i] = start_creator();
        for (int i = 0; i < CREATORS; i++)
            assert_int_equal(wait_for(creators[i]), CREATED);
        assert_int_equal(count_entries(".tmp"), 0);
        assert_int_equal(unlink(path), 0);
    }
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        CASE(test_killed_creator_leaves_nothing_for_long),
        CASE(test_living_creator_keeps_its_file),
        CASE(test_other_names_stay),
        CASE(test_long_names),
        CASE(test_creators_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
