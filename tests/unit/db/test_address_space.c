/* A file that outgrows its mapping where address space is scarce: segments become shorter; a put
 * that finds none stores nothing; a reader that cannot see what is new says so, and goes on when
 * there is address space again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "db/db.h"
#include "support/temporary_place.h"

#include <cmocka.h>

/* The first segment holds 1 GiB; sections are stepped over, and take no time to write. */
enum { SECTION_BYTES = 60 << 20, SECTIONS = 16, VALUE_BYTES = 32 << 20, MAPPING_BYTES = 64 << 20 };

static char place[PLACE_BYTES];
static char path[PLACE_BYTES + 16];
static struct os_io scarce;
static uint64_t mapping_bytes_max;
static edb *writer, *reader;
static edb_space *written, *read_back;
static uint8_t value[VALUE_BYTES];

static edb_status map_scarcely(struct os_file *file, uint64_t offset, uint64_t bytes,
                               const uint8_t **address_out)
{
    if (bytes > mapping_bytes_max)
        return EDB_NO_MEMORY;
    return os_posix.map(file, offset, bytes, address_out);
}

/* Takes no space on the disk. */
static edb_status reserve_sparsely(struct os_file *file, uint64_t offset, uint64_t bytes)
{
    struct os_span zero = {"", 1};
    return os_posix.write(file, offset + bytes - 1, &zero, 1);
}

static edb_status put(int key)
{
    edb_put_options options = EDB_PUT_OPTIONS_INIT;
    options.value_bytes = sizeof value;
    memset(value, key, sizeof value);
    return edb_put(written, &key, sizeof key, value, &options);
}

static edb_status find(edb_space *space, int key)
{
    edb_view view;
    edb_status status = edb_view_key(space, &key, sizeof key, &view);
    if (status == EDB_OK) {
        assert_int_equal(((const uint8_t *)view.vector)[VALUE_BYTES - 1], key);
        edb_view_release(&view);
    }
    return status;
}

static void append_section(void)
{
    struct frame_draft draft = {.type = FRAME_SECTION, .frame_bytes = SECTION_BYTES, .payload = ""};
    assert_int_equal(db_write_begin(writer, false), EDB_OK);
    draft.offset = store_append_offset(writer->store);
    assert_int_equal(db_append(writer, &draft, 1, false), EDB_OK);
    db_write_end(writer);
}

static int begin(void **state)
{
    (void)state;
    edb_space_spec spec = EDB_SPACE_SPEC_INIT;
    edb_open_options read_only = EDB_OPEN_OPTIONS_INIT;
    read_only.flags = EDB_OPEN_READ_ONLY;
    place_open(place);
    snprintf(path, sizeof path, "%s/grows.edb", place);
    scarce = os_posix;
    scarce.map = map_scarcely;
    scarce.reserve = reserve_sparsely;
    mapping_bytes_max = UINT64_MAX;
    os_use(&scarce);
    bool good = edb_open(path, NULL, &writer) == EDB_OK &&
                edb_space_open(writer, &spec, &written) == EDB_OK && put(1) == EDB_OK &&
                edb_open(path, &read_only, &reader) == EDB_OK &&
                edb_space_find(reader, NULL, &read_back) == EDB_OK;
    for (int i = 0; i < SECTIONS && good; i++)
        append_section();
    return good ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    edb_close(reader);
    edb_close(writer);
    os_use(&os_posix);
    place_close(place);
    return 0;
}

/* Both handles stand near the end of their first segment by now. */
static void test_growing(void **state)
{
    (void)state;
    uint64_t generation = reader->generation;
    assert_int_equal(find(read_back, 1), EDB_OK);
    mapping_bytes_max = 0;
    assert_int_equal(put(2), EDB_NO_MEMORY);
    assert_int_equal(find(written, 1), EDB_OK);
    assert_int_equal(find(read_back, 1), EDB_OK);
    assert_int_equal(find(read_back, 2), EDB_NOT_FOUND);
    mapping_bytes_max = MAPPING_BYTES;
    assert_int_equal(put(2), EDB_OK);
    assert_int_equal(edb_sync(writer), EDB_OK);
    mapping_bytes_max = 0;
    assert_int_equal(find(written, 2), EDB_OK);
    assert_int_equal(find(read_back, 1), EDB_NO_MEMORY);
    mapping_bytes_max = MAPPING_BYTES;
    assert_int_equal(find(read_back, 1), EDB_OK);
    assert_int_equal(find(read_back, 2), EDB_OK);
    assert_int_equal(reader->generation, generation);
    assert_int_equal(put(3), EDB_OK);
    assert_int_equal(find(read_back, 3), EDB_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_growing)};
    return cmocka_run_group_tests(tests, begin, end);
}
