/* Many catalogs that do not verify, each of which asks what stands behind it: every page is read
 * once, not once for each catalog (28). Reads are counted, for time depends on the machine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "embedcache.h"
#include "format/frame.h"
#include "format/genesis.h"
#include "os/os_sim.h"
#include "support/memory_file.h"

#include <cmocka.h>

enum { CATALOGS = 300, PAYLOAD_BYTES = 64, FILE_BYTES = 16 << 20 };

static const char *const path = "forged.edb";
static uint8_t *bytes;
static struct genesis genesis;
static size_t reads;
static struct os_io counting;

static edb_status count_read(struct os_file *file, struct os_read *read, size_t count)
{
    reads += count;
    return memory_file.read_batch(file, read, count);
}

/* An empty file. */
static int begin(void **state)
{
    edb *db;
    uint64_t count;
    (void)state;
    os_sim_begin(1);
    os_use(&os_sim);
    assert_int_equal(edb_open(path, NULL, &db), EDB_OK);
    assert_int_equal(edb_close(db), EDB_OK);
    const uint8_t *file = os_sim_file(path, &count);
    bytes = calloc(1, FILE_BYTES);
    assert_non_null(bytes);
    memcpy(bytes, file, FIRST_FRAME_OFFSET);
    os_sim_end();
    assert_int_equal(genesis_decode(bytes + GENESIS_OFFSET, GENESIS_BYTES, &genesis), EDB_OK);
    return 0;
}

static int end(void **state)
{
    (void)state;
    free(bytes);
    os_use(&os_posix);
    return 0;
}

/* Returns where the frame behind it stands. */
static uint64_t write_header(struct frame_header *header)
{
    frame_header_encode(header, genesis.chain_seed, bytes + header->offset);
    header->chain = header->header_checksum;
    header->sequence++;
    return frame_next(header);
}

/* Catalogs whose payload is not what the header says. */
static uint64_t write_catalogs(uint64_t offsets[CATALOGS])
{
    struct frame_header header = {.type = FRAME_CATALOG,
                                  .frame_bytes =
                                      round_up(FRAME_HEADER_BYTES + PAYLOAD_BYTES, FRAME_ALIGN),
                                  .offset = FIRST_FRAME_OFFSET,
                                  .sequence = 1,
                                  .epoch = 1,
                                  .chain = genesis_chain(&genesis),
                                  .payload_bytes = PAYLOAD_BYTES,
                                  .payload_checksum = 1};
    for (int i = 0; i < CATALOGS; i++) {
        offsets[i] = header.offset;
        header.offset = write_header(&header);
    }
    return header.offset;
}

/* A header at the start of a page that says what was synced. */
static void write_proof(uint64_t offset, uint64_t synced_to)
{
    struct frame_header header = {.type = FRAME_PAD,
                                  .frame_bytes = FRAME_HEADER_BYTES,
                                  .offset = offset,
                                  .sequence = 1u << 20,
                                  .epoch = 1,
                                  .synced_to = synced_to};
    write_header(&header);
}

/* Opens the file; it ends where nothing proves more. */
static void open_counted(uint64_t expected_end)
{
    edb *db;
    edb_stats stats = {.struct_size = sizeof stats};
    edb_open_options options = EDB_OPEN_OPTIONS_INIT;
    options.flags = EDB_OPEN_READ_ONLY;
    counting = memory_file;
    counting.read_batch = count_read;
    assert_true(memory_file_begin(bytes, FILE_BYTES));
    os_use(&counting);
    reads = 0;
    assert_int_equal(edb_open(path, &options, &db), EDB_OK);
    assert_int_equal(edb_stats_get(db, &stats), EDB_OK);
    assert_int_equal(stats.used_bytes, expected_end);
    assert_int_equal(edb_close(db), EDB_OK);
    memory_file_end();
    assert_in_range(reads, 1, FILE_BYTES / PAGE_BYTES + 3 * CATALOGS);
}

static void test_one_proof_for_all(void **state)
{
    uint64_t offsets[CATALOGS];
    (void)state;
    uint64_t last = write_catalogs(offsets);
    write_proof(FILE_BYTES - PAGE_BYTES, last);
    open_counted(last);
}

/* The first proof is good for one catalog, the second for two, and none for the last. */
static void test_a_proof_for_each(void **state)
{
    uint64_t offsets[CATALOGS];
    (void)state;
    uint64_t page = round_up(write_catalogs(offsets), PAGE_BYTES);
    for (int i = 0; i < CATALOGS - 1; i++, page += PAGE_BYTES)
        write_proof(page, offsets[i] + 1);
    open_counted(offsets[CATALOGS - 1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_one_proof_for_all, begin, end),
        cmocka_unit_test_setup_teardown(test_a_proof_for_each, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
