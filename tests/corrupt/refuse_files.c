/* What is no good .edb file is refused when it is opened: with the status that the header promises,
 * a sentence that names the path and what to do, and without a byte written. What is only newer is
 * told from what is damaged (33). */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "format/frame.h"
#include "format/genesis.h"
#include "format/record.h"
#include "format/slot.h"

/* Last: it makes a macro of the name fail. */
#include <cmocka.h>

enum { NOBODY = 65534, FILE_BYTES = 64 << 10 };

static char directory[256];
static char path[512];

/* A small good file, and what it is made of. */
static uint8_t good[FILE_BYTES];
static size_t good_bytes;
static struct genesis genesis;
static uint64_t end_offset; /* where its next frame would stand */
static struct frame_header last;

/* What a test appends to. */
static uint8_t bytes[FILE_BYTES];
static struct frame_header newest; /* of `bytes` */
static uint64_t newest_end;

/* ------------------------------------------------------------------------------------- the file */

static void write_file(const void *content, size_t count)
{
    int descriptor = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0644);
    assert_true(descriptor >= 0);
    assert_int_equal(write(descriptor, content, count), count);
    close(descriptor);
}

static bool file_is(const void *content, size_t count)
{
    static uint8_t there[FILE_BYTES + 1];
    int descriptor = open(path, O_RDONLY);
    ssize_t got = read(descriptor, there, sizeof there);
    close(descriptor);
    return got == (ssize_t)count && memcmp(there, content, count) == 0;
}

static edb_status open_file(uint32_t flags, edb **db)
{
    edb_open_options options = EDB_OPEN_OPTIONS_INIT;
    options.flags = flags;
    return edb_open(path, &options, db);
}

static void assert_refused(uint32_t flags, edb_status expected, const char *words)
{
    edb *db = (edb *)good;
    edb_status status = open_file(flags, &db);
    const char *detail = edb_error_detail();
    if (status != expected || strstr(detail, words) == NULL || strstr(detail, path) == NULL)
        fprintf(stderr, "flags %u: %s: %s\n  expected %s with \"%s\" and the path\n", flags,
                edb_status_name(status), detail, edb_status_name(expected), words);
    assert_int_equal(status, expected);
    assert_non_null(strstr(detail, words));
    assert_non_null(strstr(detail, path));
    assert_null(db);
}

/* Refused in every way of opening an existing file, and left alone. */
static void assert_refused_always(const void *content, size_t count, edb_status expected,
                                  const char *words)
{
    write_file(content, count);
    assert_refused(0, expected, words);
    assert_refused(EDB_OPEN_EXISTING, expected, words);
    assert_refused(EDB_OPEN_READ_ONLY, expected, words);
    assert_refused(EDB_OPEN_SNAPSHOT, expected, words);
    assert_true(file_is(content, count));
}

/* `bytes` becomes the good file. */
static void begin_bytes(void)
{
    memcpy(bytes, good, good_bytes);
    newest = last;
    newest_end = end_offset;
}

static int make_good(void)
{
    edb *db;
    edb_space *space;
    edb_space_spec spec = EDB_SPACE_SPEC_INIT;
    const float vector[2] = {1, 2};
    spec.dims = 2;
    unlink(path);
    if (edb_open(path, NULL, &db) != EDB_OK || edb_space_open(db, &spec, &space) != EDB_OK ||
        edb_put(space, "key", 3, vector, NULL) != EDB_OK || edb_close(db) != EDB_OK)
        return -1;
    int descriptor = open(path, O_RDONLY);
    ssize_t got = read(descriptor, good, sizeof good);
    close(descriptor);
    good_bytes = (size_t)got;
    if (got < FIRST_FRAME_OFFSET ||
        genesis_decode(good + GENESIS_OFFSET, GENESIS_BYTES, &genesis) != EDB_OK)
        return -1;
    struct frame_header header;
    for (end_offset = FIRST_FRAME_OFFSET;
         frame_header_decode(good + end_offset, genesis.chain_seed, end_offset, &header);
         end_offset = frame_next(&header))
        last = header;
    return end_offset + 2 * PAGE_BYTES > good_bytes;
}

static int begin(void **state)
{
    (void)state;
    const char *base = getenv("TMPDIR");
    snprintf(directory, sizeof directory, "%s/refuse_XXXXXX", base != NULL ? base : "/tmp");
    if (mkdtemp(directory) == NULL || chmod(directory, 0755) != 0)
        return -1;
    snprintf(path, sizeof path, "%s/file.edb", directory);
    return make_good();
}

static int end(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(directory);
}

/* --------------------------------------------------------------------------------- no .edb file */

static void test_foreign_files(void **state)
{
    (void)state;
    static const uint8_t png[64] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n', 0, 0, 0, 13};
    uint8_t foreign[FIRST_FRAME_OFFSET + PAGE_BYTES];
    assert_refused_always("", 0, EDB_FORMAT, "not an .edb file");
    assert_refused_always("x", 1, EDB_FORMAT, "not an .edb file");
    assert_refused_always(png, sizeof png, EDB_FORMAT, "not an .edb file");
    memset(foreign, 0, sizeof foreign);
    assert_refused_always(foreign, sizeof foreign, EDB_FORMAT, "not an .edb file");
    memset(foreign, 0xff, sizeof foreign);
    assert_refused_always(foreign, sizeof foreign, EDB_FORMAT, "not an .edb file");
    for (size_t i = 0; i < sizeof foreign; i++)
        foreign[i] = png[i % sizeof png];
    assert_refused_always(foreign, sizeof foreign, EDB_FORMAT, "not an .edb file");
    memcpy(foreign, "SQLite format 3", 16);
    assert_refused_always(foreign, sizeof foreign, EDB_FORMAT, "not an .edb file");
}

static void test_cut_identity(void **state)
{
    (void)state;
    assert_refused_always(good, GENESIS_OFFSET + 8, EDB_CORRUPT, "cut off");
    assert_refused_always(good, GENESIS_OFFSET + GENESIS_BYTES - 1, EDB_CORRUPT, "cut off");
    assert_refused_always(good, GENESIS_OFFSET + 7, EDB_FORMAT, "not an .edb file");
    assert_refused_always(good, GENESIS_OFFSET, EDB_FORMAT, "not an .edb file");
}

static void test_damaged_identity(void **state)
{
    (void)state;
    begin_bytes();
    bytes[GENESIS_OFFSET + 20] ^= 1;
    assert_refused_always(bytes, good_bytes, EDB_CORRUPT, "identity");
}

static void test_no_regular_file(void **state)
{
    (void)state;
    unlink(path);
    assert_int_equal(mkdir(path, 0755), 0);
    assert_refused(0, EDB_FORMAT, "is a directory");
    assert_refused(EDB_OPEN_READ_ONLY, EDB_FORMAT, "is a directory");
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(mkfifo(path, 0644), 0);
    alarm(20); /* neither may wait for the other end */
    assert_refused(0, EDB_FORMAT, "no regular file");
    assert_refused(EDB_OPEN_READ_ONLY, EDB_FORMAT, "no regular file");
    alarm(0);
    assert_int_equal(unlink(path), 0);
}

static void test_absent(void **state)
{
    (void)state;
    char kept[sizeof path];
    unlink(path);
    assert_refused(EDB_OPEN_EXISTING, EDB_NOT_FOUND, "no file");
    assert_refused(EDB_OPEN_READ_ONLY, EDB_NOT_FOUND, "no file");
    assert_refused(EDB_OPEN_SNAPSHOT, EDB_NOT_FOUND, "no file");
    memcpy(kept, path, sizeof path);
    snprintf(path, sizeof path, "%s/missing/file.edb", directory);
    assert_refused(0, EDB_NOT_FOUND, "");
    assert_refused(EDB_OPEN_CREATE_NEW, EDB_NOT_FOUND, "");
    memcpy(path, kept, sizeof path);
    write_file(good, good_bytes);
    assert_refused(EDB_OPEN_CREATE_NEW, EDB_EXISTS, "");
    assert_true(file_is(good, good_bytes));
}

/* Another user: a file that may be read and not written, one that may not be read, a directory
 * where nothing may be made. */
static void open_as_nobody(void)
{
    edb *db;
    if (setuid(NOBODY) != 0)
        _exit(77);
    if (open_file(0, &db) != EDB_READ_ONLY || strstr(edb_error_detail(), "read-only") == NULL)
        _exit(1);
    if (open_file(EDB_OPEN_READ_ONLY, &db) != EDB_OK || edb_close(db) != EDB_OK)
        _exit(2);
    snprintf(path, sizeof path, "%s/new.edb", directory);
    if (open_file(0, &db) != EDB_READ_ONLY || strstr(edb_error_detail(), directory) == NULL)
        _exit(3);
    snprintf(path, sizeof path, "%s/secret.edb", directory);
    if (open_file(EDB_OPEN_READ_ONLY, &db) != EDB_IO ||
        strstr(edb_error_detail(), "permission") == NULL)
        _exit(4);
    _exit(0);
}

static void test_no_permission(void **state)
{
    (void)state;
    char secret[sizeof path + 16];
    int ended;
    if (getuid() != 0)
        skip();
    snprintf(secret, sizeof secret, "%s/secret.edb", directory);
    write_file(good, good_bytes);
    int descriptor = open(secret, O_CREAT | O_WRONLY, 0600);
    close(descriptor);
    pid_t child = fork();
    if (child == 0)
        open_as_nobody();
    assert_int_equal(waitpid(child, &ended, 0), child);
    unlink(secret);
    assert_true(WIFEXITED(ended));
    assert_int_equal(WEXITSTATUS(ended), 0);
}

/* -------------------------------------------------------------------------------- newer formats */

/* The good file with another identity: nothing else depends on these words. */
static void set_genesis(const struct genesis *changed)
{
    begin_bytes();
    genesis_encode(changed, bytes + GENESIS_OFFSET);
}

static void test_newer_version(void **state)
{
    (void)state;
    struct genesis newer = genesis;
    newer.version = FORMAT_VERSION + 1;
    set_genesis(&newer);
    assert_refused_always(bytes, good_bytes, EDB_FORMAT, "format 2 is newer");
    write_file(bytes, good_bytes);
    assert_refused(0, EDB_FORMAT, "update EmbedCache");
    newer.version = 0;
    set_genesis(&newer);
    assert_refused_always(bytes, good_bytes, EDB_CORRUPT, "version 0");
}

static void test_incompatible_feature(void **state)
{
    (void)state;
    for (int bit = 0; bit < 64; bit++) {
        char word[32];
        struct genesis newer = genesis;
        newer.incompatible = 1ull << bit;
        set_genesis(&newer);
        snprintf(word, sizeof word, "0x%llx", 1ull << bit);
        assert_refused_always(bytes, good_bytes, EDB_FORMAT, word);
    }
    assert_non_null(strstr(edb_error_detail(), "update EmbedCache"));
}

static void assert_reads_the_key(edb *db)
{
    edb_space *space;
    float vector[2];
    assert_int_equal(edb_space_find(db, NULL, &space), EDB_OK);
    assert_int_equal(edb_get(space, "key", 3, vector), EDB_OK);
    assert_true(vector[0] == 1 && vector[1] == 2);
}

static void test_read_only_feature(void **state)
{
    (void)state;
    edb *db;
    edb_space *space;
    const float vector[2] = {3, 4};
    struct genesis newer = genesis;
    newer.read_only_compatible = 1ull << 63;
    set_genesis(&newer);
    write_file(bytes, good_bytes);
    assert_refused(0, EDB_READ_ONLY, "0x8000000000000000");
    assert_refused(EDB_OPEN_EXISTING, EDB_READ_ONLY, "read-only");
    assert_int_equal(open_file(EDB_OPEN_READ_ONLY, &db), EDB_OK);
    assert_reads_the_key(db);
    assert_int_equal(edb_space_find(db, NULL, &space), EDB_OK);
    assert_int_equal(edb_put(space, "k", 1, vector, NULL), EDB_READ_ONLY);
    assert_int_equal(edb_close(db), EDB_OK);
    assert_true(file_is(bytes, good_bytes));
}

static void test_compatible_feature(void **state)
{
    (void)state;
    edb *db;
    edb_space *space;
    const float vector[2] = {3, 4};
    struct genesis newer = genesis;
    newer.compatible = UINT64_MAX;
    set_genesis(&newer);
    write_file(bytes, good_bytes);
    assert_int_equal(open_file(0, &db), EDB_OK);
    assert_reads_the_key(db);
    assert_int_equal(edb_space_find(db, NULL, &space), EDB_OK);
    assert_int_equal(edb_put(space, "k", 1, vector, NULL), EDB_OK);
    assert_int_equal(edb_close(db), EDB_OK);
}

/* ------------------------------------------------------------------------------- unknown frames */

/* Appends a frame of any type to `bytes`, as a later version might write it. */
static void append(uint8_t type, uint16_t flags, const void *payload, size_t payload_bytes)
{
    struct frame_header header = {
        .type = type,
        .flags = flags,
        .frame_bytes = (FRAME_HEADER_BYTES + payload_bytes + 63) / 64 * 64,
        .offset = newest_end,
        .sequence = newest.sequence + 1,
        .epoch = newest.epoch,
        .chain = newest.header_checksum,
        .synced_to = newest.synced_to,
        .payload_bytes = payload_bytes,
        .payload_checksum = frame_payload_checksum(payload, payload_bytes, genesis.chain_seed),
    };
    memcpy(bytes + newest_end + FRAME_HEADER_BYTES, payload, payload_bytes);
    frame_header_encode(&header, genesis.chain_seed, bytes + newest_end);
    newest = header;
    newest_end = frame_next(&header);
}

/* A GROUP of one record for the key "new": a put if `operation` says so. */
static size_t make_group(uint8_t payload[256], uint8_t operation, uint8_t flags, uint16_t codec)
{
    struct group group = {
        .space = 1, .count = 1, .entry_bytes = RECORD_BYTES, .codec = codec, .heap_bytes = 3};
    struct record record = {
        .operation = operation, .flags = flags, .key_bytes = 3, .row = 1, .prior_row = ROW_NONE};
    memset(payload, 0, 256);
    memcpy(payload + GROUP_PREAMBLE_BYTES + RECORD_BYTES, "new", 3);
    group_encode(&group, payload);
    record_encode(&record, payload + GROUP_PREAMBLE_BYTES + RECORD_BYTES, genesis.chain_seed,
                  payload + GROUP_PREAMBLE_BYTES);
    return GROUP_PREAMBLE_BYTES + RECORD_BYTES + 3;
}

static void test_unknown_frame_is_stepped_over(void **state)
{
    (void)state;
    edb *db;
    edb_space *space;
    const float vector[2] = {3, 4};
    float got[2];
    edb_stats stats = {.struct_size = sizeof stats};
    begin_bytes();
    append(200, 0, "whatever", 8);
    append(77, 0, "", 0);
    write_file(bytes, good_bytes);
    assert_int_equal(open_file(0, &db), EDB_OK);
    assert_int_equal(edb_stats_get(db, &stats), EDB_OK);
    assert_int_equal(stats.sequence, last.sequence + 2);
    assert_int_equal(stats.used_bytes, newest_end);
    assert_reads_the_key(db);
    assert_int_equal(edb_verify(db, NULL, NULL, NULL), EDB_OK);
    assert_int_equal(edb_space_find(db, NULL, &space), EDB_OK);
    assert_int_equal(edb_put(space, "more", 4, vector, NULL), EDB_OK);
    assert_int_equal(edb_close(db), EDB_OK);
    assert_int_equal(open_file(EDB_OPEN_READ_ONLY, &db), EDB_OK);
    assert_int_equal(edb_space_find(db, NULL, &space), EDB_OK);
    assert_int_equal(edb_get(space, "more", 4, got), EDB_OK);
    assert_int_equal(edb_close(db), EDB_OK);
}

static void test_unknown_critical_frame(void **state)
{
    (void)state;
    begin_bytes();
    append(200, FRAME_CRITICAL, "whatever", 8);
    assert_refused_always(bytes, good_bytes, EDB_FORMAT, "type 200");
    assert_non_null(strstr(edb_error_detail(), "update EmbedCache"));
}

static void write_with_group(uint8_t operation, uint8_t flags, uint16_t codec)
{
    uint8_t payload[256];
    size_t count = make_group(payload, operation, flags, codec);
    begin_bytes();
    append(FRAME_GROUP, FRAME_CRITICAL | FRAME_BEGIN | FRAME_COMMIT, payload, count);
    write_file(bytes, good_bytes);
}

static void test_unknown_operations(void **state)
{
    (void)state;
    edb *db;
    write_with_group(9, 0, 0);
    assert_int_equal(open_file(0, &db), EDB_OK);
    assert_reads_the_key(db);
    assert_int_equal(edb_close(db), EDB_OK);
    write_with_group(9, RECORD_CRITICAL, 0);
    assert_refused(0, EDB_FORMAT, "operation 9");
    assert_refused(EDB_OPEN_READ_ONLY, EDB_FORMAT, "update EmbedCache");
    write_with_group(9, 0, 3);
    assert_refused(0, EDB_FORMAT, "codec 3");
    assert_refused(EDB_OPEN_READ_ONLY, EDB_FORMAT, "codec 3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_foreign_files),
        cmocka_unit_test(test_cut_identity),
        cmocka_unit_test(test_damaged_identity),
        cmocka_unit_test(test_no_regular_file),
        cmocka_unit_test(test_absent),
        cmocka_unit_test(test_no_permission),
        cmocka_unit_test(test_newer_version),
        cmocka_unit_test(test_incompatible_feature),
        cmocka_unit_test(test_read_only_feature),
        cmocka_unit_test(test_compatible_feature),
        cmocka_unit_test(test_unknown_frame_is_stepped_over),
        cmocka_unit_test(test_unknown_critical_frame),
        cmocka_unit_test(test_unknown_operations),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
