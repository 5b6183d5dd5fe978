/* What a stranger, which knows nothing of the library, does to a file that is open: it renames it,
 * or truncates it. Under another name readers read on and nothing is appended. Of a truncated file
 * a process gets SIGBUS, which is the system's answer to a mapped page that is gone, or a status,
 * and never a vector that was not put; a writer appends nothing to it (18). Children do it: a
 * SIGBUS ends a process. docs/limits.md says what is left to the caller. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "embedcache.h"
#include "support/temporary_place.h"
#include "unit/base/seeded_random.h"

#include <cmocka.h>

enum { ROWS = 600, DIMS = 24, CUTS = 120, PAGE = 4096, CHILD_SECONDS = 20 };

/* How a child ends. */
enum { NO_HARM = 0, WRONG = 1, NOT_RUN = 2 };

static char place[PLACE_BYTES];
static char path[PLACE_BYTES + 16];
static char elsewhere[PLACE_BYTES + 16];

static void fill_vector(int key, float vector[DIMS])
{
    for (int i = 0; i < DIMS; i++)
        vector[i] = (float)(key + 1) + (float)i / 64;
}

static edb_space *open_space(uint32_t flags, edb **db_out)
{
    edb_space *space = NULL;
    edb_open_options options = EDB_OPEN_OPTIONS_INIT;
    edb_space_spec spec = EDB_SPACE_SPEC_INIT;
    spec.dims = DIMS;
    options.flags = flags;
    if (edb_open(path, &options, db_out) == EDB_OK &&
        edb_space_open(*db_out, &spec, &space) != EDB_OK)
        (void)edb_space_find(*db_out, NULL, &space);
    return space;
}

static edb_status put(edb_space *space, int key)
{
    float vector[DIMS];
    fill_vector(key, vector);
    return edb_put(space, &key, sizeof key, vector, NULL);
}

/* False when a vector comes that was not put. */
static int is_right(edb_space *space, int key, edb_status *status_out)
{
    float expected[DIMS], found[DIMS];
    *status_out = edb_get(space, &key, sizeof key, found);
    fill_vector(key, expected);
    return *status_out != EDB_OK || memcmp(found, expected, sizeof found) == 0;
}

static uint64_t file_bytes(const char *name)
{
    struct stat found;
    assert_int_equal(stat(name, &found), 0);
    return (uint64_t)found.st_size;
}

/* Half of the rows are in sections, half in a tail. */
static void fill_file(void)
{
    edb *db;
    edb_space *space = open_space(0, &db);
    for (int key = 0; key < ROWS; key++) {
        if (key == ROWS / 2) {
            assert_int_equal(edb_close(db), EDB_OK);
            space = open_space(0, &db);
        }
        assert_int_equal(put(space, key), EDB_OK);
    }
    assert_int_equal(edb_sync(db), EDB_OK);
    assert_int_equal(edb_close(db), EDB_OK);
}

static uint8_t *good; /* bytes of a file that was filled once */
static size_t good_bytes;

/* A new file with the rows in it. */
static void make_file(void)
{
    unlink(path);
    if (good == NULL) {
        fill_file();
        good_bytes = file_bytes(path);
        good = malloc(good_bytes);
        FILE *filled = fopen(path, "r");
        assert_true(good != NULL && filled != NULL);
        assert_int_equal(fread(good, 1, good_bytes, filled), good_bytes);
        fclose(filled);
        return;
    }
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(good, 1, good_bytes, file), good_bytes);
    assert_int_equal(fclose(file), 0);
}

/* ---------------------------------------------------------------------------------- truncation */

/* A child at work on the file: it says when it has it open, and waits until it was cut. */
struct child {
    pid_t pid;
    int ready[2];
    int go[2];
};

static int wait_for_the_cut(const struct child *child)
{
    char byte = 0;
    return write(child->ready[1], &byte, 1) == 1 && read(child->go[0], &byte, 1) == 1;
}

/* Reads every row, having read all of them before when `warm`. */
static int read_cut(const struct child *child, int warm)
{
    edb *db;
    edb_status status;
    edb_space *space = open_space(EDB_OPEN_READ_ONLY, &db);
    for (int key = 0; key < ROWS && warm; key++)
        if (!is_right(space, key, &status) || status != EDB_OK)
            return NOT_RUN;
    if (space == NULL || !wait_for_the_cut(child))
        return NOT_RUN;
    for (int key = 0; key < ROWS; key++)
        if (!is_right(space, key, &status))
            return WRONG;
    return NO_HARM;
}

/* Puts, where nothing may be put any more. */
static int write_cut(const struct child *child, int unused)
{
    edb *db;
    (void)unused;
    edb_space *space = open_space(0, &db);
    if (space == NULL || put(space, ROWS) != EDB_OK || !wait_for_the_cut(child))
        return NOT_RUN;
    return put(space, ROWS + 1) == EDB_OK ? WRONG : NO_HARM;
}

static void start_child(struct child *child, int (*work)(const struct child *, int), int argument)
{
    char byte;
    assert_int_equal(pipe(child->ready), 0);
    assert_int_equal(pipe(child->go), 0);
    fflush(NULL);
    child->pid = fork();
    if (child->pid == 0) {
        signal(SIGBUS, SIG_DFL);
        alarm(CHILD_SECONDS);
        _exit(work(child, argument));
    }
    close(child->ready[1]);
    close(child->go[0]);
    assert_int_equal(read(child->ready[0], &byte, 1), 1);
}

/* Returns how the child ended: NO_HARM or SIGBUS. */
static int end_child(struct child *child)
{
    int status;
    assert_int_equal(write(child->go[1], "", 1), 1);
    assert_int_equal(waitpid(child->pid, &status, 0), child->pid);
    close(child->ready[0]);
    close(child->go[1]);
    if (WIFSIGNALED(status))
        assert_int_equal(WTERMSIG(status), SIGBUS);
    else
        assert_int_equal(WEXITSTATUS(status), NO_HARM);
    return WIFSIGNALED(status) ? SIGBUS : NO_HARM;
}

/* What a new handle says of the rest: rows that were put, or an error. */
static void open_the_rest(void)
{
    edb *db;
    edb_status status;
    edb_open_options options = EDB_OPEN_OPTIONS_INIT;
    edb_space *space = NULL;
    options.flags = EDB_OPEN_READ_ONLY;
    if (edb_open(path, &options, &db) == EDB_OK && edb_space_find(db, NULL, &space) == EDB_OK)
        for (int key = 0; key < ROWS; key++)
            assert_true(is_right(space, key, &status));
    edb_close(db);
}

/* A page that was cut in the middle reads as zeros behind the cut: of rows that a process has
 * verified before, that is not noticed. So the warm reader's cuts are between pages. */
static void test_truncated_under_readers(void **state)
{
    struct random_source random = seeded_random(__func__);
    size_t signals = 0, statuses = 0;
    (void)state;
    for (int i = 0; i < CUTS; i++) {
        struct child child;
        int warm = i % 2;
        make_file();
        uint64_t cut = random_below(&random, file_bytes(path));
        start_child(&child, read_cut, warm);
        assert_int_equal(truncate(path, (off_t)(warm ? cut / PAGE * PAGE : cut)), 0);
        *(end_child(&child) == SIGBUS ? &signals : &statuses) += 1;
        open_the_rest();
    }
    printf("%d truncations under a reader: %zu SIGBUS, %zu statuses, 0 wrong vectors\n", CUTS,
           signals, statuses);
    assert_true(signals > 0 && statuses > 0);
}

static void test_truncated_under_a_writer(void **state)
{
    struct random_source random = seeded_random(__func__);
    (void)state;
    for (int i = 0; i < CUTS / 4; i++) {
        struct child child;
        make_file();
        start_child(&child, write_cut, 0);
        uint64_t cut = random_below(&random, file_bytes(path));
        assert_int_equal(truncate(path, (off_t)cut), 0);
        end_child(&child);
        assert_int_equal(file_bytes(path), cut);
    }
}

/* -------------------------------------------------------------------------------------- renames */

/* What is open stays readable under whatever name; what is appended would be found by nobody, so
 * nothing is. With its name back, everything goes on. */
static void test_renamed_under_handles(void **state)
{
    edb *reader, *writer;
    edb_status status;
    (void)state;
    make_file();
    edb_space *read = open_space(EDB_OPEN_READ_ONLY, &reader);
    edb_space *write = open_space(0, &writer);
    assert_int_equal(put(write, ROWS), EDB_OK);
    assert_int_equal(rename(path, elsewhere), 0);
    uint64_t before = file_bytes(elsewhere);
    for (int key = 0; key <= ROWS; key++)
        assert_true(is_right(read, key, &status) && status == EDB_OK);
    assert_int_equal(put(write, ROWS + 1), EDB_STALE);
    assert_int_equal(edb_sync(writer), EDB_STALE);
    assert_int_equal(edb_compact(writer, NULL, NULL), EDB_STALE);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(file_bytes(elsewhere), before);
    assert_int_equal(rename(elsewhere, path), 0);
    assert_int_equal(put(write, ROWS + 1), EDB_OK);
    assert_true(is_right(read, ROWS + 1, &status) && status == EDB_OK);
    assert_int_equal(edb_close(writer), EDB_OK);
    assert_int_equal(edb_close(reader), EDB_OK);
}

/* Another cache at the path: the old handles do not touch it. */
static void test_another_file_by_that_name(void **state)
{
    edb *old, *new;
    edb_status status;
    (void)state;
    make_file();
    edb_space *space = open_space(0, &old);
    assert_int_equal(put(space, ROWS), EDB_OK);
    assert_int_equal(rename(path, elsewhere), 0);
    edb_space *other = open_space(0, &new);
    assert_int_equal(put(other, 1), EDB_OK);
    assert_int_equal(edb_sync(new), EDB_OK);
    assert_int_equal(put(space, ROWS + 1), EDB_STALE);
    assert_true(is_right(space, 5, &status));
    assert_true(is_right(other, 1, &status) && status == EDB_OK);
    assert_int_equal(edb_get(other, &(int){5}, sizeof(int), (float[DIMS]){0}), EDB_NOT_FOUND);
    assert_int_equal(edb_verify(new, NULL, NULL, NULL), EDB_OK);
    assert_int_equal(edb_close(new), EDB_OK);
    edb_close(old);
    assert_int_equal(unlink(elsewhere), 0);
}

/* The same file twice in one process: each handle sees what the other has committed, by itself. */
static void test_opened_twice(void **state)
{
    edb *handles[2];
    edb_space *spaces[2];
    edb_status status;
    (void)state;
    make_file();
    for (int i = 0; i < 2; i++)
        spaces[i] = open_space(0, &handles[i]);
    for (int key = ROWS; key < ROWS + 100; key++) {
        assert_int_equal(put(spaces[key % 2], key), EDB_OK);
        assert_true(is_right(spaces[1 - key % 2], key, &status) && status == EDB_OK);
    }
    assert_int_equal(edb_close(handles[0]), EDB_OK);
    assert_int_equal(put(spaces[1], ROWS + 100), EDB_OK); /* the lock is not gone with it */
    assert_int_equal(edb_verify(handles[1], NULL, NULL, NULL), EDB_OK);
    assert_int_equal(edb_close(handles[1]), EDB_OK);
}

static int begin(void **state)
{
    (void)state;
    place_open(place);
    snprintf(path, sizeof path, "%s/cache.edb", place);
    snprintf(elsewhere, sizeof elsewhere, "%s/other.edb", place);
    return 0;
}

static int end(void **state)
{
    (void)state;
    free(good);
    place_close(place);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_truncated_under_readers),
        cmocka_unit_test(test_truncated_under_a_writer),
        cmocka_unit_test(test_renamed_under_handles),
        cmocka_unit_test(test_another_file_by_that_name),
        cmocka_unit_test(test_opened_twice),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
