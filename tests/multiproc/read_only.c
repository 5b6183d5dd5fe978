/* Reading never writes: a handle opened read-only makes no system call that could change anything
 * (34), and works where nothing can be written: on a file without write permission, on a read-only
 * mount, on a file whose writer was killed, on one whose tail is torn. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "embedcache.h"
#include "multiproc/audit_file.h"
#include "multiproc/run_worker.h"
#include "multiproc/write_load.h"
#include "support/stamped_row.h"

#include <cmocka.h>

enum { NOBODY = 65534, CANNOT = 77, READ_ERROR = 1, UNSYNCED = 8 };

static char place[PLACE_BYTES];
static char path[PLACE_BYTES + 32];

static void ignore(void *arg, const struct report *report)
{
    (void)arg;
    (void)report;
}

static void count_seen(void *arg, const struct report *report)
{
    *(size_t *)arg += report->kind == REPORT_SEEN;
}

/* ----------------------------------------------------------------------- what a reader may call */

/* Every reading call there is, on a handle that is read-only. Runs in processes of its own. */
static int read_everything(const char *file)
{
    edb *db;
    edb_space *space;
    edb_open_options options = EDB_OPEN_OPTIONS_INIT;
    float vector[STAMPED_DIMS] = {1};
    edb_result *result = NULL;
    edb_stats stats = {.struct_size = sizeof stats};
    struct audit_plan plan = {.path = file, .flags = EDB_OPEN_READ_ONLY};
    bool good = audit_file(&plan, ignore, NULL);
    options.flags = EDB_OPEN_READ_ONLY;
    if (!good || edb_open(file, &options, &db) != EDB_OK)
        return READ_ERROR;
    good = edb_space_find(db, "registers", &space) == EDB_OK &&
           edb_search(space, vector, 1, NULL, &result) == EDB_OK &&
           edb_contains(space, "no such key", 11) == EDB_NOT_FOUND &&
           edb_stats_get(db, &stats) == EDB_OK && edb_sync(db) == EDB_READ_ONLY &&
           edb_put(space, "k", 1, vector, NULL) == EDB_READ_ONLY &&
           edb_delete(space, "k", 1) == EDB_READ_ONLY;
    edb_free(result);
    return edb_close(db) == EDB_OK && good ? 0 : READ_ERROR;
}

static int run_in_child(int (*work)(void))
{
    int status;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        int result = work();
        fflush(NULL);
        _exit(result);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* --------------------------------------------------------------------------- files to read from */

/* A writer worked on it and was killed. */
static int begin(void **state)
{
    struct worker writer;
    struct report report;
    (void)state;
    place_open(place);
    snprintf(path, sizeof path, "%s/file.edb", place);
    worker_start_writer(&writer, path, STAMPS_A_PROCESS, 0);
    for (int i = 0; i < 1000; i++)
        assert_true(worker_hear(&writer, &report));
    assert_true(worker_kill(&writer, ignore, NULL));
    return 0;
}

static int end(void **state)
{
    (void)state;
    chmod(place, 0700);
    place_close(place);
    return 0;
}

static void test_file_of_a_killed_writer(void **state)
{
    struct stat before, after;
    (void)state;
    assert_int_equal(stat(path, &before), 0);
    assert_int_equal(read_everything(path), 0);
    assert_int_equal(stat(path, &after), 0);
    assert_memory_equal(&before.st_mtim, &after.st_mtim, sizeof before.st_mtim);
    assert_memory_equal(&before.st_ctim, &after.st_ctim, sizeof before.st_ctim);
}

/* -------------------------------------------------------------------------------- system calls */

static const char *const writing_calls =
    "trace=write,pwrite64,writev,pwritev,pwritev2,truncate,ftruncate,fallocate,fsync,fdatasync,"
    "sync,syncfs,sync_file_range,rename,renameat,renameat2,link,linkat,symlink,symlinkat,unlink,"
    "unlinkat,mkdir,mkdirat,rmdir,chmod,fchmod,fchmodat,chown,fchown,fchownat,lchown,utimensat,"
    "setxattr,fsetxattr,mknod,mknodat,flock,sendfile,copy_file_range,splice,msync,creat,openat,"
    "open,mmap,mprotect,fcntl";

/* Opening to read, mapping to read or privately, and asking for flags change nothing. */
static bool is_harmless(const char *line)
{
    if (strstr(line, "+++") != NULL || strstr(line, "---") != NULL)
        return true;
    if (strstr(line, "open") != NULL)
        return strstr(line, "O_RDONLY") != NULL && strstr(line, "O_CREAT") == NULL &&
               strstr(line, "O_TRUNC") == NULL;
    if (strstr(line, "mmap(") != NULL)
        return strstr(line, "MAP_SHARED") == NULL || strstr(line, "PROT_WRITE") == NULL;
    if (strstr(line, "mprotect(") != NULL)
        return true;
    return strstr(line, "fcntl(") != NULL && strstr(line, "LK") == NULL &&
           strstr(line, "F_SETFL") == NULL;
}

static int trace_reader(const char *file, const char *log)
{
    char self[PLACE_BYTES];
    int status;
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    assert_true(length > 0);
    self[length] = '\0';
    pid_t child = fork();
    if (child == 0) {
        /* A tracer of its own would be in the other's way. */
        setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
        execlp("strace", "strace", "-f", "-o", log, "-e", writing_calls, self, "read", file, NULL);
        _exit(CANNOT);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void test_no_system_call_that_writes(void **state)
{
    char log[PLACE_BYTES + 32];
    char line[4096];
    size_t harmful = 0, lines = 0;
    (void)state;
    snprintf(log, sizeof log, "%s/trace", place);
    int result = trace_reader(path, log);
    FILE *trace = fopen(log, "r");
    while (trace != NULL && fgets(line, sizeof line, trace) != NULL) {
        lines++;
        if (is_harmless(line))
            continue;
        print_message("%s", line);
        harmful++;
    }
    if (trace != NULL)
        fclose(trace);
    if (lines < 5) { /* the loader alone opens and maps more often */
        print_message("skipped: strace is not installed or may not trace here\n");
        skip();
    }
    assert_int_equal(result, 0);
    assert_int_equal(harmful, 0);
}

/* ----------------------------------------------------------------------- no permission to write */

/* As nobody, in a folder that nobody may write to. */
static int read_as_nobody(void)
{
    edb *db;
    if (geteuid() == 0 && (setgid(NOBODY) != 0 || setuid(NOBODY) != 0))
        return CANNOT;
    if (access(path, R_OK) != 0)
        return CANNOT;
    if (edb_open(path, NULL, &db) != EDB_READ_ONLY ||
        strstr(edb_error_detail(), "read-only") == NULL)
        return READ_ERROR;
    return read_everything(path);
}

static void test_file_without_write_permission(void **state)
{
    (void)state;
    assert_int_equal(chmod(path, 0444), 0);
    assert_int_equal(chmod(place, 0555), 0);
    int result = run_in_child(read_as_nobody);
    if (result == CANNOT) {
        print_message("skipped: the temporary folder cannot be reached as another user\n");
        skip();
    }
    assert_int_equal(result, 0);
}

/* Mounts the folder over itself, read-only, in a name space of its own. */
static int read_from_read_only_mount(void)
{
    edb *db;
    int flags = CLONE_NEWNS | (geteuid() == 0 ? 0 : CLONE_NEWUSER);
    if (unshare(flags) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount(place, place, NULL, MS_BIND, NULL) != 0 ||
        mount(NULL, place, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) != 0)
        return CANNOT;
    if (open(path, O_RDWR) >= 0 || errno != EROFS)
        return READ_ERROR;
    if (edb_open(path, NULL, &db) != EDB_READ_ONLY)
        return READ_ERROR;
    return read_everything(path);
}

static void test_read_only_mount(void **state)
{
    (void)state;
    int result = run_in_child(read_from_read_only_mount);
    if (result == CANNOT) {
        print_message("skipped: this process may not mount\n");
        skip();
    }
    assert_int_equal(result, 0);
}

/* ------------------------------------------------------------------------------------ torn tail */

static uint64_t used_bytes(const char *file, uint32_t flags)
{
    edb *db;
    edb_open_options options = EDB_OPEN_OPTIONS_INIT;
    edb_stats stats = {.struct_size = sizeof stats};
    options.flags = flags;
    assert_int_equal(edb_open(file, &options, &db), EDB_OK);
    assert_int_equal(edb_stats_get(db, &stats), EDB_OK);
    assert_int_equal(edb_close(db), EDB_OK);
    return stats.used_bytes;
}

/* A copy with the first `kept` bytes of this one, and then zeros or garbage. */
static void write_torn(const char *whole, size_t bytes, size_t kept, int filler)
{
    char *torn = malloc(bytes);
    assert_non_null(torn);
    memcpy(torn, whole, kept);
    memset(torn + kept, filler, bytes - kept);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(torn, 1, bytes, file), bytes);
    assert_int_equal(fclose(file), 0);
    free(torn);
}

/* Lazy commits at the end of the file, by a process that does not close it. */
static int add_unsynced(void)
{
    edb *db;
    edb_space *spaces[2];
    if (edb_open(path, NULL, &db) != EDB_OK || stamped_spaces(db, spaces) != EDB_OK)
        return READ_ERROR;
    for (uint64_t stamp = 1; stamp <= UNSYNCED; stamp++) {
        char key[STAMPED_KEY_BYTES], text[STAMPED_TEXT_BYTES], json[STAMPED_TEXT_BYTES];
        float vector[STAMPED_DIMS];
        edb_put_options options = EDB_PUT_OPTIONS_INIT;
        stamped_vector(ADDED, 0, stamp, vector);
        stamped_text(ADDED, 0, stamp, text);
        stamped_metadata(stamp, json);
        options.text = text;
        options.metadata_json = stamped_has_metadata(stamp) ? json : NULL;
        if (edb_put(spaces[1], key, stamped_key(ADDED, 0, stamp, key), vector, &options) != EDB_OK)
            return READ_ERROR;
    }
    return 0;
}

static size_t records_there(void)
{
    size_t seen = 0;
    struct audit_plan plan = {.path = path, .flags = EDB_OPEN_READ_ONLY};
    assert_true(audit_file(&plan, count_seen, &seen));
    return seen;
}

static void test_torn_tail(void **state)
{
    struct stat found;
    (void)state;
    assert_int_equal(run_in_child(add_unsynced), 0);
    assert_int_equal(stat(path, &found), 0);
    size_t bytes = (size_t)found.st_size;
    char *whole = malloc(bytes);
    FILE *file = fopen(path, "r");
    assert_true(whole != NULL && file != NULL);
    assert_int_equal(fread(whole, 1, bytes, file), bytes);
    fclose(file);
    uint64_t used = used_bytes(path, EDB_OPEN_READ_ONLY);
    size_t all = records_there();
    for (int filler = 0; filler < 256; filler += 85)
        for (size_t cut = 1; cut < 600; cut += 37) {
            write_torn(whole, bytes, (size_t)used - cut, filler);
            assert_in_range(used_bytes(path, EDB_OPEN_READ_ONLY), used - 8192, used - cut);
            assert_in_range(records_there(), all - UNSYNCED, all - 1);
        }
    free(whole);
}

#define fresh(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        fresh(test_file_of_a_killed_writer),
        fresh(test_no_system_call_that_writes),
        fresh(test_file_without_write_permission),
        fresh(test_read_only_mount),
        fresh(test_torn_tail),
    };
    if (argc == 3 && strcmp(argv[1], "read") == 0)
        return read_everything(argv[2]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
