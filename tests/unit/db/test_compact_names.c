/* The names of a file that is written anew, on a real disk: its permissions, a symbolic link that
 * leads to it, a relative path after the working directory has changed, what a dead compaction left
 * beside it, and another file that came to its place. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "embedcache.h"
#include "support/kept_cache.h"
#include "support/temporary_place.h"
#include "unit/base/seeded_random.h"

/* Last: it makes a macro of the name fail. */
#include <cmocka.h>

enum { PATH_BYTES = PLACE_BYTES + 64 };

static char place[PLACE_BYTES];
static char path[PATH_BYTES];
static struct random_source source;
static struct kept_cache kept;
static edb *db;

static const char *in_place(const char *name)
{
    static char at[2][PATH_BYTES];
    static int turn;
    turn = !turn;
    snprintf(at[turn], PATH_BYTES, "%s/%s", place, name);
    return at[turn];
}

static int begin(void **state)
{
    (void)state;
    place_open(place);
    snprintf(path, sizeof path, "%s/names.edb", place);
    assert_int_equal(edb_open(path, NULL, &db), EDB_OK);
    kept_cache_begin(&kept, db);
    kept_cache_fill(&kept, db, &source);
    return 0;
}

static int end(void **state)
{
    (void)state;
    assert_int_equal(edb_close(db), EDB_OK);
    assert_int_equal(chdir("/"), 0);
    place_close(place);
    return 0;
}

static void compact(edb *by)
{
    edb_status status = edb_compact(by, NULL, NULL);
    if (status != EDB_OK)
        fail_msg("compact: %s: %s", edb_status_name(status), edb_error_detail());
}

static int count_entries(void)
{
    int count = 0;
    DIR *folder = opendir(place);
    assert_non_null(folder);
    while (readdir(folder) != NULL)
        count++;
    closedir(folder);
    return count - 2;
}

static ino_t inode_of(const char *name)
{
    struct stat found;
    assert_int_equal(stat(name, &found), 0);
    return found.st_ino;
}

static void test_permissions(void **state)
{
    (void)state;
    const mode_t modes[] = {0600, 0640, 0666, 0755};
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        struct stat found;
        ino_t before = inode_of(path);
        assert_int_equal(chmod(path, modes[i]), 0);
        compact(db);
        assert_int_equal(stat(path, &found), 0);
        assert_int_equal(found.st_mode & 07777, modes[i]);
        assert_int_not_equal(found.st_ino, before);
        assert_int_equal(count_entries(), 1);
    }
    kept_cache_check(&kept, db);
}

/* The link stays a link, and what it names is replaced; whoever opened either name follows. */
static void test_symbolic_link(void **state)
{
    (void)state;
    edb *linked;
    struct stat found;
    assert_int_equal(mkdir(in_place("sub"), 0755), 0);
    assert_int_equal(symlink("../names.edb", in_place("sub/link.edb")), 0);
    assert_int_equal(edb_open(in_place("sub/link.edb"), NULL, &linked), EDB_OK);
    ino_t before = inode_of(path);
    compact(linked);
    assert_int_not_equal(inode_of(path), before);
    assert_int_equal(lstat(in_place("sub/link.edb"), &found), 0);
    assert_true(S_ISLNK(found.st_mode));
    kept_cache_change(&kept, linked, &source, 5);
    kept_cache_check(&kept, db);
    compact(db);
    kept_cache_check(&kept, linked);
    assert_int_equal(edb_close(linked), EDB_OK);
}

static void test_relative_path(void **state)
{
    (void)state;
    edb *near, *reader;
    edb_open_options options = EDB_OPEN_OPTIONS_INIT;
    options.flags = EDB_OPEN_READ_ONLY;
    assert_int_equal(mkdir(in_place("sub"), 0755), 0);
    assert_int_equal(chdir(in_place("sub")), 0);
    assert_int_equal(edb_open("../names.edb", NULL, &near), EDB_OK);
    assert_int_equal(chdir(place), 0);
    assert_int_equal(edb_open("names.edb", &options, &reader), EDB_OK);
    assert_int_equal(chdir("/"), 0);
    for (int i = 0; i < 2; i++) {
        ino_t before = inode_of(path);
        compact(i == 0 ? near : db);
        assert_int_not_equal(inode_of(path), before);
        kept_cache_change(&kept, near, &source, 5);
        kept_cache_check(&kept, reader);
        kept_cache_check(&kept, db);
    }
    assert_int_equal(edb_close(near), EDB_OK);
    assert_int_equal(edb_close(reader), EDB_OK);
    assert_int_equal(count_entries(), 2);
}

/* Another hard link keeps the old file, as it was. */
static void test_hard_link(void **state)
{
    (void)state;
    struct kept_cache then = kept;
    edb *old;
    assert_int_equal(link(path, in_place("link.edb")), 0);
    compact(db);
    kept_cache_change(&kept, db, &source, 5);
    assert_int_equal(edb_open(in_place("link.edb"), NULL, &old), EDB_OK);
    kept_cache_check(&then, old);
    kept_cache_check(&kept, db);
    assert_int_equal(edb_close(old), EDB_OK);
}

static void test_leftovers_are_removed(void **state)
{
    (void)state;
    FILE *file = fopen(in_place(".names.edb.0123456789abcdef.tmp"), "w");
    assert_non_null(file);
    fclose(file);
    file = fopen(in_place(".names.edb.mine.tmp"), "w");
    assert_non_null(file);
    fclose(file);
    compact(db);
    assert_int_equal(count_entries(), 2);
    assert_int_equal(access(in_place(".names.edb.mine.tmp"), F_OK), 0);
}

/* What is not the same cache is neither replaced nor followed. */
static void test_another_cache_at_the_path(void **state)
{
    (void)state;
    edb *stranger;
    assert_int_equal(rename(path, in_place("away.edb")), 0);
    assert_int_equal(edb_compact(db, NULL, NULL), EDB_STALE);
    assert_int_equal(edb_open(path, NULL, &stranger), EDB_OK);
    ino_t inode = inode_of(path);
    assert_int_equal(edb_compact(db, NULL, NULL), EDB_STALE);
    assert_int_equal(inode_of(path), inode);
    assert_int_equal(edb_close(stranger), EDB_OK);
    assert_int_equal(rename(in_place("away.edb"), path), 0);
    kept_cache_check(&kept, db);
    compact(db);
    kept_cache_check(&kept, db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_permissions, begin, end),
        cmocka_unit_test_setup_teardown(test_symbolic_link, begin, end),
        cmocka_unit_test_setup_teardown(test_relative_path, begin, end),
        cmocka_unit_test_setup_teardown(test_hard_link, begin, end),
        cmocka_unit_test_setup_teardown(test_leftovers_are_removed, begin, end),
        cmocka_unit_test_setup_teardown(test_another_cache_at_the_path, begin, end),
    };
    source = seeded_random("test_compact_names");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
