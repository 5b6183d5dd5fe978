/* The memory of a compaction, beside pages of mapped files: at most 64 MiB, and hardly more for
 * more rows. What is anonymous is asked of the system at each write, in a process of its own.
 *
 * With EDB_LARGE=1 also 10 million rows of 16 bytes and a million of 1,536 dimensions: that takes
 * minutes and 15 GB under $TMPDIR. */
#include <inttypes.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
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
#include "support/under_sanitizer.h"

/* Last: it makes a macro of the name fail. */
#include <cmocka.h>

enum {
    AT_ONCE = 1000,
    KEY_BYTES = 12,
    KIB_MAX = 64 << 10,
    SLACK_KIB = 4 << 10, /* of the allocator */
};

static char place[PLACE_BYTES];
static char path[PLACE_BYTES + 16];
static struct os_io watched; /* os_posix, but for writes */
static long peak_kib;

static int begin(void **state)
{
    (void)state;
    place_open(place);
    snprintf(path, sizeof path, "%s/memory.edb", place);
    return 0;
}

static int end(void **state)
{
    (void)state;
    place_close(place);
    return 0;
}

static long anonymous_kib(void)
{
    char line[256];
    long kib = -1;
    FILE *status = fopen("/proc/self/status", "r");
    while (status != NULL && kib < 0 && fgets(line, sizeof line, status) != NULL)
        if (sscanf(line, "RssAnon: %ld kB", &kib) != 1)
            kib = -1;
    if (status != NULL)
        fclose(status);
    return kib;
}

static edb_status measure_and_write(struct os_file *file, uint64_t offset,
                                    const struct os_span *spans, size_t count)
{
    long kib = anonymous_kib();
    peak_kib = kib > peak_kib ? kib : peak_kib;
    return os_posix.write(file, offset, spans, count);
}

/* -------------------------------------------------------------------- in processes of their own */

static void expect_ok(edb_status status)
{
    if (status == EDB_OK)
        return;
    fprintf(stderr, "%s: %s\n", edb_status_name(status), edb_error_detail());
    _exit(1);
}

/* Rows of which one in eight was overwritten at once. */
static void fill(edb_space *space, uint64_t rows, uint32_t dims)
{
    static char names[AT_ONCE][KEY_BYTES];
    static edb_key keys[AT_ONCE];
    float *vectors = calloc((size_t)AT_ONCE * dims, sizeof *vectors);
    for (uint64_t first = 0; first < rows; first += AT_ONCE) {
        for (uint64_t i = 0; i < AT_ONCE; i++) {
            uint64_t number = first + (i % 8 == 7 ? i - 1 : i);
            keys[i] =
                (edb_key){names[i], (size_t)snprintf(names[i], KEY_BYTES, "%" PRIu64, number)};
            vectors[i * dims] = (float)i;
        }
        expect_ok(edb_put_many(space, keys, AT_ONCE, vectors, NULL, NULL));
    }
    free(vectors);
}

static int make_file(uint64_t rows, uint32_t dims)
{
    edb *db;
    edb_space *space;
    edb_space_spec spec = EDB_SPACE_SPEC_INIT;
    spec.dims = dims;
    expect_ok(edb_open(path, NULL, &db));
    expect_ok(edb_space_open(db, &spec, &space));
    fill(space, rows, dims);
    expect_ok(edb_close(db));
    return 0;
}

/* With rows that stand in memory only, as a program has that goes on writing. */
static int compact_file(int told)
{
    edb *db;
    edb_space *space;
    mallopt(M_MMAP_THRESHOLD, 128 << 10); /* what is freed goes back: else glibc raises it */
    watched = os_posix;
    watched.write = measure_and_write;
    os_use(&watched);
    expect_ok(edb_open(path, NULL, &db));
    expect_ok(edb_space_find(db, NULL, &space));
    long before = anonymous_kib();
    peak_kib = 0;
    expect_ok(edb_compact(db, NULL, NULL));
    long above = peak_kib - before;
    expect_ok(edb_close(db));
    return write(told, &above, sizeof above) == sizeof above ? 0 : 1;
}

static void wait_for(pid_t child)
{
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* KiB that compacting such a file takes above those of its open handle. */
static long measure(uint64_t rows, uint32_t dims)
{
    int ends[2];
    long above;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0)
        _exit(make_file(rows, dims));
    wait_for(child);
    child = fork();
    if (child == 0)
        _exit(compact_file(ends[1]));
    wait_for(child);
    assert_int_equal(read(ends[0], &above, sizeof above), sizeof above);
    close(ends[0]);
    close(ends[1]);
    assert_int_equal(unlink(path), 0);
    printf("%" PRIu64 " rows of %u dims: %ld KiB\n", rows, dims, above);
    return above;
}

/* ---------------------------------------------------------------------------------------- tests */

/* Two bits a live row, and a bit a row for what was verified: a byte allows for more. */
static void test_more_rows(void **state)
{
    (void)state;
    const uint64_t few = 1000000;
    const uint64_t many = 2000000;
    long less = measure(few, 4);
    long more = measure(many, 4);
    assert_true(less > 1 << 10);
    assert_true(more <= KIB_MAX);
    assert_true(more - less <= (long)((many - few) >> 10) + SLACK_KIB);
}

static void test_large_rows(void **state)
{
    (void)state;
    assert_true(measure(20000, 1536) <= KIB_MAX / 2);
}

static void test_large_files(void **state)
{
    (void)state;
    if (getenv("EDB_LARGE") == NULL)
        skip();
    assert_true(measure(10000000, 4) <= KIB_MAX);
    assert_true(measure(1000000, 1536) <= KIB_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_more_rows),
        cmocka_unit_test(test_large_rows),
        cmocka_unit_test(test_large_files),
    };
    if (UNDER_SANITIZER)
        return 77;
    return cmocka_run_group_tests(tests, begin, end);
}
