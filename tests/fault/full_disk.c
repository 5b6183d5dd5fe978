/* A device that is really full: a small tmpfs, filled by batches until it refuses. The batch that
 * was refused is absent, all others are there, reading goes on, and so does writing when space
 * comes back (10). Then the same with the file size limit of the process. Needs root for the mount;
 * is skipped without. */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

#include "embedcache.h"
#include "unit/base/seeded_random.h"

/* Last: it makes a macro of the name fail. */
#include <cmocka.h>

enum {
    DIMS = 16,
    BATCH_MAX = 200,
    BATCHES_MAX = 4000,
    ROUNDS = 20,
    BALLAST_BYTES = 300 << 10,
    LIMIT_BYTES = 700 << 10,
};

static char directory[256];
static char path[512];
static char ballast[512];

/* Batch b puts `sizes[b]` keys; refused ones have size 0. */
static int sizes[BATCHES_MAX];
static int batches;

struct batch {
    int names[BATCH_MAX][2];
    edb_key keys[BATCH_MAX];
    float vectors[BATCH_MAX][DIMS];
};

static void fill_vector(int number, int i, float vector[DIMS])
{
    for (int d = 0; d < DIMS; d++)
        vector[d] = (float)(number * 1000 + i) + (float)d / 32;
}

static void fill_batch(int number, int count, struct batch *batch)
{
    for (int i = 0; i < count; i++) {
        batch->names[i][0] = number;
        batch->names[i][1] = i;
        batch->keys[i] = (edb_key){batch->names[i], sizeof batch->names[i]};
        fill_vector(number, i, batch->vectors[i]);
    }
}

static edb_space *open_cache(edb **db)
{
    edb_space *space;
    edb_space_spec spec = EDB_SPACE_SPEC_INIT;
    spec.dims = DIMS;
    assert_int_equal(edb_open(path, NULL, db), EDB_OK);
    assert_int_equal(edb_space_open(*db, &spec, &space), EDB_OK);
    return space;
}

/* Every batch that was taken is there, every one that was refused is not. */
static void assert_batches(edb_space *space)
{
    for (int number = 0; number < batches; number++) {
        int keys = sizes[number] > 0 ? sizes[number] : 3;
        for (int i = 0; i < keys; i++) {
            const int name[2] = {number, i};
            float expected[DIMS];
            float got[DIMS];
            edb_status status = edb_get(space, name, sizeof name, got);
            assert_int_equal(status, sizes[number] > 0 ? EDB_OK : EDB_NOT_FOUND);
            fill_vector(number, i, expected);
            if (sizes[number] > 0)
                assert_memory_equal(got, expected, sizeof got);
        }
    }
}

/* Puts batches until one is refused for want of space, then smaller ones until not even one row
 * fits. */
static void fill_up(edb_space *space, struct random_source *random)
{
    static struct batch batch;
    int most = BATCH_MAX;
    while (most > 0) {
        assert_true(batches < BATCHES_MAX);
        int count = 1 + (int)random_below(random, (uint64_t)most);
        fill_batch(batches, count, &batch);
        edb_status status =
            edb_put_many(space, batch.keys, (size_t)count, &batch.vectors[0][0], NULL, NULL);
        sizes[batches++] = status == EDB_OK ? count : 0;
        if (status == EDB_OK)
            continue;
        assert_int_equal(status, EDB_FULL);
        most = count - 1;
    }
}

static void assert_whole_file(void)
{
    edb *db;
    edb_open_options options = EDB_OPEN_OPTIONS_INIT;
    edb_space *space;
    options.flags = EDB_OPEN_READ_ONLY;
    assert_int_equal(edb_open(path, &options, &db), EDB_OK);
    assert_int_equal(edb_space_find(db, NULL, &space), EDB_OK);
    assert_batches(space);
    assert_int_equal(edb_verify(db, NULL, NULL, NULL), EDB_OK);
    assert_int_equal(edb_close(db), EDB_OK);
}

static void take_space(void)
{
    int descriptor = open(ballast, O_CREAT | O_WRONLY, 0600);
    assert_true(descriptor >= 0);
    assert_int_equal(posix_fallocate(descriptor, 0, BALLAST_BYTES), 0);
    close(descriptor);
}

/* What is left to write when it closes may no longer fit; what was taken is safe, or it says so. */
static void close_cache(edb *db)
{
    edb_status status = edb_close(db);
    if (status != EDB_OK && status != EDB_FULL)
        fail_msg("close: %s: %s", edb_status_name(status), edb_error_detail());
}

/* One life of a file on the small device: filled up, helped by a file that goes, filled again. */
static void live_on_the_device(struct random_source *random)
{
    edb *db;
    batches = 0;
    unlink(path);
    take_space();
    edb_space *space = open_cache(&db);
    fill_up(space, random);
    assert_batches(space);
    assert_int_equal(edb_verify(db, NULL, NULL, NULL), EDB_OK);
    int before = batches;
    unlink(ballast);
    fill_up(space, random);
    assert_true(sizes[before] > 0);
    assert_batches(space);
    close_cache(db);
    assert_whole_file();
}

static void test_full_device(void **state)
{
    (void)state;
    struct random_source random = seeded_random("full_disk");
    if (mount("none", directory, "tmpfs", 0, "size=1048576") != 0) {
        fprintf(stderr, "no tmpfs can be mounted here\n");
        skip();
    }
    for (int round = 0; round < ROUNDS; round++)
        live_on_the_device(&random);
    /* Nothing was left behind that takes space. */
    assert_int_equal(unlink(path), 0);
    assert_int_equal(umount(directory), 0);
}

/* How many files there are, whatever their names. */
static int count_files(void)
{
    int count = 0;
    DIR *open_directory = opendir(directory);
    assert_non_null(open_directory);
    for (const struct dirent *entry; (entry = readdir(open_directory)) != NULL;)
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(open_directory);
    return count;
}

/* No room even for an empty file: it does not appear, nor does a part of it. */
static void test_creation_on_a_full_device(void **state)
{
    (void)state;
    edb *db;
    if (mount("none", directory, "tmpfs", 0, "size=8192") != 0)
        skip();
    assert_int_equal(edb_open(path, NULL, &db), EDB_FULL);
    assert_null(db);
    assert_int_equal(count_files(), 0);
    assert_int_equal(umount2(directory, 0), 0);
}

static int live_under_a_limit(void)
{
    edb *db;
    struct rlimit limit = {LIMIT_BYTES, RLIM_INFINITY};
    struct random_source random = seeded_random("file size limit");
    batches = 0;
    unlink(path);
    signal(SIGXFSZ, SIG_IGN);
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0)
        return 77;
    edb_space *space = open_cache(&db);
    fill_up(space, &random);
    assert_batches(space);
    int before = batches;
    limit.rlim_cur = 2 * LIMIT_BYTES;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    fill_up(space, &random);
    assert_true(sizes[before] > 0);
    assert_batches(space);
    close_cache(db);
    assert_whole_file();
    return 0;
}

static void test_file_size_limit(void **state)
{
    (void)state;
    int result = live_under_a_limit();
    const struct rlimit none = {RLIM_INFINITY, RLIM_INFINITY};
    setrlimit(RLIMIT_FSIZE, &none);
    if (result == 77)
        skip();
    assert_int_equal(unlink(path), 0);
}

static int begin(void **state)
{
    (void)state;
    const char *base = getenv("TMPDIR");
    snprintf(directory, sizeof directory, "%s/full_XXXXXX", base != NULL ? base : "/tmp");
    if (mkdtemp(directory) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/cache.edb", directory);
    snprintf(ballast, sizeof ballast, "%s/ballast", directory);
    return 0;
}

static int end(void **state)
{
    (void)state;
    umount2(directory, MNT_DETACH);
    unlink(path);
    return rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_file_size_limit),
        cmocka_unit_test(test_creation_on_a_full_device),
        cmocka_unit_test(test_full_device),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
