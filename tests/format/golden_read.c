/* A file of format 1 that was written once is read for ever: by this library, and by a second
 * reader made from docs/format.md alone. The same for a file written now.
 *
 * The files are kept as they were when format 1 was frozen; their digests stand below. What is
 * added to the format later gets a file of its own.
 *
 * EDB_GOLDEN_WRITE=FOLDER writes there what today's library would write, before those that are kept
 * are read. Every machine writes the same bytes (tools/cross compares). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "format/decode_fields.h"
#include "format/golden_content.h"
#include "os/os_sim.h"

/* Last: it makes a macro of the name fail. */
#include <cmocka.h>

enum { FILE_BYTES_MAX = 64 << 10, SEED = 2026 };

static const char *const path = "golden.edb";

/* A golden file, and how it was made. */
struct golden {
    const char *name; /* in tests/format/golden */
    const char *sha256;
    edb_status (*write)(const char *path);
    bool compacted;
    uint8_t bytes[FILE_BYTES_MAX + 1];
    size_t count;
};

static struct golden goldens[] = {
    {.name = "format-1.edb",
     .sha256 = "7b13c9a246787a22af38a7b543e3a91d0792686ade65395926be7132695b7fae",
     .write = golden_write},
    {.name = "format-1-compacted.edb",
     .sha256 = "5220175d4b5a762950324a3cf7b36edb8b2870db53bd42584dc2b3849a0d6da8",
     .write = golden_write_compacted,
     .compacted = true},
};

enum { GOLDENS = sizeof goldens / sizeof goldens[0] };

/* ------------------------------------------------------------------------------------- the file */

/* Writes the content on the simulated machine, whose random numbers are always the same, and cuts
 * the file to one zero page behind its end. */
static size_t write_fresh(const struct golden *golden, uint8_t bytes[FILE_BYTES_MAX + 1])
{
    edb *db;
    edb_stats stats = {.struct_size = sizeof stats};
    uint64_t count;
    os_sim_begin(SEED);
    os_sim_record(false);
    os_use(&os_sim);
    assert_int_equal(golden->write(path), EDB_OK);
    assert_int_equal(edb_open(path, NULL, &db), EDB_OK);
    assert_int_equal(edb_stats_get(db, &stats), EDB_OK);
    assert_int_equal(edb_close(db), EDB_OK);
    const uint8_t *written = os_sim_file(path, &count);
    size_t kept = (size_t)(stats.used_bytes + 4095) / 4096 * 4096 + 4096;
    assert_true(kept <= count && kept <= FILE_BYTES_MAX);
    memcpy(bytes, written, kept);
    os_use(&os_posix);
    return kept;
}

static const char *name_golden(const struct golden *golden)
{
    static char name[1024];
    const char *source = getenv("EDB_SOURCE");
    snprintf(name, sizeof name, "%s/tests/format/golden/%s", source != NULL ? source : ".",
             golden->name);
    return name;
}

static FILE *open_golden(const struct golden *golden)
{
    const char *name = name_golden(golden);
    FILE *file = fopen(name, "rb");
    if (file == NULL)
        fprintf(stderr, "%s cannot be opened: run in the root of the project\n", name);
    return file;
}

static bool write_anew(struct golden *golden, const char *folder)
{
    char name[1024];
    size_t count = write_fresh(golden, golden->bytes);
    snprintf(name, sizeof name, "%s/%s", folder, golden->name);
    FILE *file = fopen(name, "wb");
    if (file == NULL || fwrite(golden->bytes, 1, count, file) != count || fclose(file) != 0) {
        fprintf(stderr, "%s cannot be written\n", name);
        return false;
    }
    printf("%s was written: %zu bytes\n", name, count);
    return true;
}

static int begin(void **state)
{
    (void)state;
    const char *folder = getenv("EDB_GOLDEN_WRITE");
    for (size_t i = 0; i < GOLDENS; i++) {
        if (folder != NULL && !write_anew(&goldens[i], folder))
            return -1;
        FILE *file = open_golden(&goldens[i]);
        if (file == NULL)
            return -1;
        goldens[i].count = fread(goldens[i].bytes, 1, sizeof goldens[i].bytes, file);
        if (fclose(file) != 0)
            return -1;
    }
    return 0;
}

static int end(void **state)
{
    (void)state;
    os_sim_end();
    return 0;
}

/* ---------------------------------------------------------------------------- the second reader */

/* The key as the format stores it. */
static void assert_stored_key(const struct decoded_row *row, const struct golden_record *record,
                              uint32_t form)
{
    uint8_t digest[32];
    if (form == EDB_KEY_BYTES && record->key_bytes > EDB_KEY_BYTES_MAX)
        form = EDB_KEY_BLAKE2B;
    assert_int_equal(row->key_form, form);
    if (form == EDB_KEY_SHA256)
        crypto_hash_sha256(digest, record->key, record->key_bytes);
    if (form == EDB_KEY_BLAKE2B)
        crypto_generichash(digest, sizeof digest, record->key, record->key_bytes, NULL, 0);
    const void *stored = form == EDB_KEY_BYTES ? record->key : digest;
    size_t bytes = form == EDB_KEY_BYTES ? record->key_bytes : sizeof digest;
    assert_int_equal(row->key_bytes, bytes);
    assert_memory_equal(row->key, stored, bytes);
}

/* The bits of each float, lowest byte first; a value as it is. */
static void assert_stored_vector(const struct decoded_row *row, const struct golden_record *record,
                                 uint32_t dims)
{
    assert_int_equal(row->vector_bytes, record->vector_bytes);
    if (dims == 0)
        assert_memory_equal(row->vector, record->vector, record->vector_bytes);
    for (uint32_t d = 0; d < dims; d++) {
        uint32_t bits;
        memcpy(&bits, record->vector + 4 * d, sizeof bits);
        assert_int_equal(u32_at(row->vector, 4 * d), bits);
    }
}

static void assert_decoded_row(const struct decoded_row *row, const struct golden_record *record,
                               const edb_space_spec *spec)
{
    assert_true(row->live);
    assert_stored_key(row, record, spec->key_form);
    assert_stored_vector(row, record, spec->dims);
    assert_int_equal(row->has_text, record->has_text);
    if (record->has_text) {
        assert_int_equal(row->text_bytes, strlen(record->text));
        assert_memory_equal(row->text, record->text, row->text_bytes);
    }
    assert_int_equal(row->pinned, record->pinned);
    assert_int_equal(row->expiry_s, record->expiry_s);
    assert_int_equal(row->cost, record->cost);
    assert_int_equal(row->metadata != NULL, record->metadata_json != NULL);
    if (record->metadata_json != NULL) {
        size_t count;
        const uint8_t *encoded = golden_metadata(record->metadata_json, &count);
        assert_int_equal(row->metadata_bytes, count);
        assert_memory_equal(row->metadata, encoded, count);
    }
}

/* The last row of a space in a compacted file is gone. */
static uint64_t rows_of(const struct golden *golden, int number)
{
    return golden_rows(number) + golden->compacted;
}

static void assert_decoded_space(const struct golden *golden, const struct decoded_space *space,
                                 int number)
{
    edb_space_spec spec = golden_spec(number);
    uint64_t live = 0;
    assert_string_equal(space->name, spec.name != NULL ? spec.name : "default");
    assert_string_equal(space->model, spec.model != NULL ? spec.model : "");
    assert_string_equal(space->revision, spec.revision != NULL ? spec.revision : "");
    assert_int_equal(space->dims, spec.dims);
    assert_int_equal(space->metric, spec.metric);
    assert_int_equal(space->role, spec.role);
    assert_int_equal(space->key_form, spec.key_form);
    assert_int_equal(space->next_row, rows_of(golden, number));
    for (uint64_t row = 0; row < space->next_row; row++)
        live += space->rows[row].live;
    assert_int_equal(live, golden_live(number));
    for (int key = 0; key < golden_keys(number); key++) {
        struct golden_record record;
        if (golden_record(number, key, &record))
            assert_decoded_row(&space->rows[record.row], &record, &spec);
        else
            assert_false(space->rows[record.row].live);
    }
}

static void assert_decodes(const struct golden *golden, const uint8_t *bytes, size_t count)
{
    static struct decoded_file file;
    const char *wrong = decode_golden(bytes, count, &file);
    if (wrong != NULL)
        fail_msg("%s", wrong);
    assert_int_equal(file.space_count, GOLDEN_SPACES);
    for (int number = 0; number < GOLDEN_SPACES; number++)
        assert_decoded_space(golden, &file.spaces[number], number);
    /* The file has something of everything; a compacted one stands as it was written, at once. */
    for (int type = 1; type <= 5; type++)
        assert_true(file.frames[type] > 0 || (type == 5 && golden->compacted));
    for (int kind = 1; kind <= 4; kind++)
        assert_true(file.kinds[kind] > 0 || (kind >= 3 && golden->compacted));
    assert_int_equal(file.limits[6], 60);
    assert_true(file.sealed > 0 && file.catalog > 0);
    assert_true(file.synced_to > 0 || golden->compacted);
    assert_int_equal(file.edition, golden->compacted);
    assert_int_equal(file.advances, golden->compacted ? GOLDEN_SPACES : 0);
}

/* A golden file that changed would prove nothing about the files that users have. */
static void test_golden_is_frozen(void **state)
{
    const struct golden *golden = *state;
    uint8_t digest[crypto_hash_sha256_BYTES];
    char hex[2 * sizeof digest + 1];
    crypto_hash_sha256(digest, golden->bytes, golden->count);
    assert_string_equal(sodium_bin2hex(hex, sizeof hex, digest, sizeof digest), golden->sha256);
}

static void test_golden_decodes(void **state)
{
    const struct golden *golden = *state;
    assert_decodes(golden, golden->bytes, golden->count);
}

static void test_fresh_decodes(void **state)
{
    static uint8_t fresh[FILE_BYTES_MAX + 1];
    const struct golden *golden = *state;
    size_t count = write_fresh(golden, fresh);
    assert_decodes(golden, fresh, count);
}

/* The second reader reads what is there: a changed byte of a record does not escape it. */
static void test_second_reader_is_strict(void **state)
{
    static uint8_t changed[FILE_BYTES_MAX + 1];
    static struct decoded_file file;
    const struct golden *golden = *state;
    assert_null(decode_golden(golden->bytes, golden->count, &file));
    uint64_t end = file.end;
    memcpy(changed, golden->bytes, golden->count);
    size_t seen = 0;
    size_t tried = 0;
    for (uint64_t at = 12288; at < end; at += 37, tried++) {
        changed[at] ^= 0x20;
        seen += decode_golden(changed, golden->count, &file) != NULL;
        changed[at] ^= 0x20;
    }
    printf("%zu of %zu changed bytes are seen\n", seen, tried);
    /* All but the room at the end of frames, which may hold anything. */
    assert_true(seen * 10 > tried * 9);
}

/* ---------------------------------------------------------------------------------- the library */

static void assert_view(const edb_view *view, const struct golden_record *record)
{
    char *json;
    assert_int_equal(view->row, record->row);
    assert_int_equal(view->vector_bytes, record->vector_bytes);
    assert_memory_equal(view->vector, record->vector, record->vector_bytes);
    assert_int_equal(view->has_text, record->has_text);
    assert_int_equal(view->pinned, record->pinned);
    assert_int_equal(view->expiry_s, record->expiry_s);
    assert_int_equal(view->cost, record->cost);
    if (record->has_text)
        assert_string_equal(view->text, record->text);
    assert_int_equal(edb_view_metadata_json(view, &json), EDB_OK);
    assert_int_equal(json != NULL, record->metadata_json != NULL);
    if (json != NULL)
        assert_string_equal(json, record->metadata_json);
    edb_free(json);
}

static void assert_space(const struct golden *golden, edb *db, int number)
{
    edb_space *space;
    edb_space_spec spec = golden_spec(number);
    edb_space_stats stats = {.struct_size = sizeof stats};
    edb_view view;
    assert_int_equal(edb_space_at(db, (size_t)number, &space), EDB_OK);
    assert_int_equal(edb_space_stats_get(space, &stats), EDB_OK);
    assert_int_equal(stats.rows, rows_of(golden, number));
    assert_int_equal(stats.live, golden_live(number));
    assert_true(number > 0 || (stats.hits >= GOLDEN_HITS && stats.misses >= GOLDEN_MISSES));
    for (int key = 0; key < golden_keys(number); key++) {
        struct golden_record record;
        float vector[GOLDEN_DIMS_MAX];
        bool live = golden_record(number, key, &record);
        edb_status status = edb_view_key(space, record.key, record.key_bytes, &view);
        assert_int_equal(status, live ? EDB_OK : EDB_NOT_FOUND);
        if (live)
            assert_view(&view, &record);
        edb_view_release(&view);
        if (live && spec.dims > 0) {
            assert_int_equal(edb_get(space, record.key, record.key_bytes, vector), EDB_OK);
            assert_memory_equal(vector, record.vector, record.vector_bytes);
        }
    }
}

static void assert_library_reads(const struct golden *golden, edb *db)
{
    for (int number = 0; number < GOLDEN_SPACES; number++)
        assert_space(golden, db, number);
    assert_int_equal(edb_verify(db, NULL, NULL, NULL), EDB_OK);
}

static void test_library_reads_golden(void **state)
{
    const struct golden *golden = *state;
    edb *db;
    edb_open_options options = EDB_OPEN_OPTIONS_INIT;
    options.flags = EDB_OPEN_READ_ONLY;
    assert_int_equal(edb_open(name_golden(golden), &options, &db), EDB_OK);
    assert_library_reads(golden, db);
    assert_int_equal(edb_close(db), EDB_OK);
}

/* Every space is opened by its spec, written to and read again. */
static void test_library_writes_golden(void **state)
{
    const struct golden *golden = *state;
    edb *db;
    edb_space *space;
    const float zero[GOLDEN_DIMS_MAX] = {0};
    os_sim_begin(SEED + 1);
    os_sim_record(false);
    os_sim_load(path, golden->bytes, golden->count);
    os_use(&os_sim);
    assert_int_equal(edb_open(path, NULL, &db), EDB_OK);
    for (int number = 0; number < GOLDEN_SPACES; number++) {
        edb_space_spec spec = golden_spec(number);
        assert_int_equal(edb_space_open(db, &spec, &space), EDB_OK);
        assert_int_equal(edb_put(space, "one more", 8, zero, NULL), EDB_OK);
        assert_int_equal(edb_delete(space, "one more", 8), EDB_OK);
    }
    assert_int_equal(edb_close(db), EDB_OK);
    assert_int_equal(edb_open(path, NULL, &db), EDB_OK);
    assert_int_equal(edb_verify(db, NULL, NULL, NULL), EDB_OK);
    assert_int_equal(edb_close(db), EDB_OK);
    os_use(&os_posix);
}

int main(void)
{
    static const CMUnitTestFunction functions[] = {
        test_golden_is_frozen,        test_golden_decodes,       test_fresh_decodes,
        test_second_reader_is_strict, test_library_reads_golden, test_library_writes_golden,
    };
    enum { FUNCTIONS = sizeof functions / sizeof functions[0] };
    static const char *const names[FUNCTIONS] = {"golden is frozen",     "golden decodes",
                                                 "fresh decodes",        "second reader is strict",
                                                 "library reads golden", "library writes golden"};
    struct CMUnitTest tests[GOLDENS * FUNCTIONS];
    for (size_t i = 0; i < GOLDENS * FUNCTIONS; i++)
        tests[i] = (struct CMUnitTest){names[i % FUNCTIONS], functions[i % FUNCTIONS], NULL, NULL,
                                       &goldens[i / FUNCTIONS]};
    if (sodium_init() < 0)
        return 1;
    return _cmocka_run_group_tests("golden_read", tests, GOLDENS * FUNCTIONS, begin, end);
}
