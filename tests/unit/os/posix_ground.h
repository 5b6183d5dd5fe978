/* A directory of its own below $TMPDIR for each test of the real table, emptied before each test
 * and removed at the end; and bodies that run in a child of fork(). Included once by a test
 * program. */
#ifndef EDB_TESTS_UNIT_OS_POSIX_GROUND_H
#define EDB_TESTS_UNIT_OS_POSIX_GROUND_H

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"
#include "os/os.h"

/* Last: it makes a macro of the name fail. */
#include <cmocka.h>

enum { PATH_BYTES = 300, SKIPPED = 77 };

static char root[PATH_BYTES];
static char path[2 * PATH_BYTES]; /* of the one file most tests use */

static inline int remove_entry(const char *name, const struct stat *found, int kind,
                               struct FTW *place)
{
    (void)found;
    (void)kind;
    (void)place;
    return remove(name);
}

static inline int make_root(void **state)
{
    (void)state;
    const char *base = getenv("TMPDIR");
    snprintf(root, sizeof root, "%s/edb_os_XXXXXX", base != NULL ? base : "/tmp");
    return mkdtemp(root) == NULL;
}

static inline int remove_root(void **state)
{
    (void)state;
    return nftw(root, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static inline const char *name_in_root(const char *name)
{
    static char full[2 * PATH_BYTES];
    snprintf(full, sizeof full, "%s/%s", root, name);
    return full;
}

static inline int clear_root(void **state)
{
    int failed = remove_root(state) || mkdir(root, 0755) != 0;
    snprintf(path, sizeof path, "%s/file.edb", root);
    return failed;
}

static inline void write_text(struct os_file *file, uint64_t offset, const char *text)
{
    struct os_span span = {text, strlen(text)};
    assert_int_equal(file->io->write(file, offset, &span, 1), EDB_OK);
}

/* A published file at `path` with these bytes, open for writing. */
static inline struct os_file *make_file(const char *text)
{
    struct os_file *file;
    char *temporary;
    assert_int_equal(os_posix.create_temporary(path, 0644, &file, &temporary), EDB_OK);
    write_text(file, 0, text);
    assert_int_equal(os_posix.publish(temporary, path), EDB_OK);
    os_posix.unlock(file, OS_LOCK_WRITER);
    memory_free(temporary);
    return file;
}

static inline struct os_file *open_again(bool writable)
{
    struct os_file *file;
    assert_int_equal(os_posix.open(path, writable, &file), EDB_OK);
    return file;
}

/* Runs `body` in a child of fork(); gives its exit code. cmocka's asserts do not work there. */
static inline int in_child(int (*body)(void *), void *arg)
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        _exit(body(arg));
    int result = 0;
    assert_int_equal(waitpid(child, &result, 0), child);
    return WIFEXITED(result) ? WEXITSTATUS(result) : 1000 + WTERMSIG(result);
}

#define CASE(name) cmocka_unit_test_setup(name, clear_root)

#endif
