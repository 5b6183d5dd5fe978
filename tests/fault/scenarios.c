/* The scenarios: small pieces of work that between them make every kind of call of the system.
 * Played by fail_io and fail_memory. */
#include "fault/play_budgets.h"
#include "fault/play_scenario.h"
#include "format/frame.h"
#include "format/genesis.h"

/* ------------------------------------------------------------------------------- what was there */

static void prepare_spaces(struct stage *stage)
{
    stage_open(stage, 0, EDB_LAZY);
    stage_space(stage, 0);
    stage_space(stage, 1);
}

static void prepare_records(struct stage *stage)
{
    prepare_spaces(stage);
    stage_put_many(stage, 0, 0, 20);
    stage_put_many(stage, 1, 0, 10);
    stage_delete(stage, 0, 7);
    stage_close(stage);
}

/* With index sections for 100 rows, and three behind them. */
static void prepare_sections(struct stage *stage)
{
    prepare_spaces(stage);
    stage_put_many(stage, 0, 0, 60);
    stage_put_many(stage, 1, 0, 40);
    stage_put(stage, 0, 3);
    stage_close(stage);
    stage_open(stage, 0, EDB_LAZY);
    stage_space(stage, 0);
    stage_space(stage, 1);
    stage_put(stage, 0, 5);
    stage_delete(stage, 0, 6);
    stage_put(stage, 1, 2);
    stage_close(stage);
}

/* With sections of several blocks, so that damage in the last one is met by reading, not by
 * opening. */
static void prepare_large_sections(struct stage *stage)
{
    prepare_spaces(stage);
    stage_put_many(stage, 0, 0, 500);
    stage_put_many(stage, 1, 0, 400);
    stage_delete(stage, 0, 499);
    stage_close(stage);
}

/* The last session neither synced nor closed. */
static void prepare_tail(struct stage *stage)
{
    prepare_records(stage);
    stage_open(stage, 0, EDB_LAZY);
    stage_space(stage, 0);
    stage_space(stage, 1);
    for (int key = 10; key < 30; key++)
        stage_put(stage, 0, key);
    stage_delete(stage, 0, 12);
    stage_transaction(stage, 14, EDB_LAZY);
}

/* Some hundred rows short of a flush. */
static void prepare_long_tail(struct stage *stage)
{
    prepare_spaces(stage);
    stage_put_many(stage, 0, 0, 16000);
}

/* Spoils one byte in the last block of every index section of more than one: what opening looks at
 * is good. */
static void spoil_sections(uint8_t *bytes, size_t count)
{
    struct genesis genesis;
    struct frame_header header;
    if (genesis_decode(bytes + GENESIS_OFFSET, count - GENESIS_OFFSET, &genesis) != EDB_OK)
        return;
    for (uint64_t at = FIRST_FRAME_OFFSET;
         at + FRAME_HEADER_BYTES <= count &&
         frame_header_decode(bytes + at, genesis.chain_seed, at, &header);
         at = frame_next(&header))
        if (header.type == FRAME_SECTION && header.frame_bytes > 5000)
            bytes[frame_end(&header) - FRAME_ALIGN] ^= 4;
}

/* ------------------------------------------------------------------------------------ the plays */

static void open_writing(struct stage *stage)
{
    stage_open(stage, 0, EDB_LAZY);
    stage_space(stage, 0);
    stage_space(stage, 1);
}

static void create(struct stage *stage)
{
    open_writing(stage);
    stage_put(stage, 0, 1);
    stage_close(stage);
}

static void put_one(struct stage *stage)
{
    stage_put(stage, 0, 1);
    stage_put(stage, 1, 4);
}

static void put_batch(struct stage *stage)
{
    stage_put_many(stage, 0, 0, 100);
}

static void overwrite_and_delete(struct stage *stage)
{
    stage_put(stage, 0, 3);
    stage_delete(stage, 0, 4);
    stage_put_many(stage, 0, 2, 6);
    stage_delete(stage, 1, 5);
    stage_put(stage, 0, 4);
}

static void commit_lazily(struct stage *stage)
{
    stage_transaction(stage, 5, EDB_LAZY);
    stage_transaction(stage, 8, EDB_LAZY);
}

static void commit_durably(struct stage *stage)
{
    stage_put(stage, 0, 2);
    stage_transaction(stage, 5, EDB_DURABLE);
    stage_put(stage, 0, 3);
    stage_transaction(stage, 8, EDB_DURABLE);
}

static void write_durably(struct stage *stage)
{
    stage_open(stage, 0, EDB_DURABLE);
    stage_space(stage, 0);
    stage_space(stage, 1);
    stage_put(stage, 0, 2);
    stage_delete(stage, 0, 9);
    stage_put_many(stage, 1, 3, 5);
    stage_close(stage);
}

/* What another session left unsynced is looked at again before it is promised. */
static void take_over(struct stage *stage)
{
    open_writing(stage);
    stage_transaction(stage, 5, EDB_DURABLE);
    stage_close(stage);
}

static void sync(struct stage *stage)
{
    stage_put(stage, 0, 2);
    stage_sync(stage);
    stage_put(stage, 1, 2);
    stage_sync(stage);
}

static void close_with_sections(struct stage *stage)
{
    stage_put_many(stage, 0, 0, 70);
    stage_delete(stage, 0, 3);
    stage_close(stage);
}

static void flush_while_writing(struct stage *stage)
{
    stage_put_many(stage, 0, 16000, 400);
    stage_put(stage, 0, 1);
}

static void read_all(struct stage *stage)
{
    stage_get(stage, 0, 3);
    stage_get(stage, 0, 6);
    stage_get(stage, 1, 2);
    stage_get_many(stage, 0, 0, 30);
    stage_iterate(stage, 0);
    stage_search(stage, 1);
}

static void read_far(struct stage *stage)
{
    stage_get(stage, 1, 399);
    stage_get(stage, 0, 490);
    stage_get_many(stage, 0, 470, 30);
    stage_iterate(stage, 0);
    stage_search(stage, 1);
}

static void iterate_far(struct stage *stage)
{
    stage_iterate(stage, 0);
}

static void search_far(struct stage *stage)
{
    stage_search(stage, 0);
}

static void write_far(struct stage *stage)
{
    stage_put(stage, 0, 495);
    stage_delete(stage, 1, 399);
    stage_put_many(stage, 0, 480, 20);
    stage_close(stage);
}

static void open_and_read(struct stage *stage)
{
    stage_open(stage, EDB_OPEN_EXISTING, EDB_LAZY);
    if (stage->db != NULL) {
        stage_space(stage, 0);
        stage_space(stage, 1);
    }
    read_all(stage);
}

static void compact(struct stage *stage)
{
    stage_put(stage, 0, 2);
    stage_compact(stage);
    stage_put(stage, 0, 3);
    stage_delete(stage, 1, 4);
    stage_compact(stage);
    stage_close(stage);
}

static void open_and_compact(struct stage *stage)
{
    open_writing(stage);
    stage_compact(stage);
    stage_put(stage, 0, 3);
    stage_get(stage, 0, 5);
    stage_close(stage);
}

static void delete_many(struct stage *stage)
{
    for (int key = 0; key < 60; key += 12)
        stage_delete(stage, 0, key);
    stage_delete(stage, 1, 39);
    stage_sync(stage);
    stage_close(stage);
}

/* Half of what a space has, and put again. */
static void delete_and_fill(struct stage *stage)
{
    for (int key = 0; key < 5; key++)
        stage_delete(stage, 1, key);
    stage_compact(stage);
    stage_iterate(stage, 1);
    stage_put_many(stage, 1, 0, 10);
    stage_search(stage, 1);
}

static void open_and_write(struct stage *stage)
{
    open_writing(stage);
    write_far(stage);
    open_writing(stage);
    stage_get(stage, 0, 495);
    stage_put(stage, 1, 399);
    stage_iterate(stage, 1);
    stage_close(stage);
}

/* A session after another, each leaving something lazy to the next. */
static void live_and_live_again(struct stage *stage)
{
    for (int life = 0; life < 3; life++) {
        open_writing(stage);
        stage_put(stage, 0, life);
        stage_transaction(stage, 4 + life, life == 1 ? EDB_DURABLE : EDB_LAZY);
        stage_delete(stage, 1, life);
        stage_close(stage);
    }
}

/* Another handle follows, reads and writes. */
static void compact_beside(struct stage *stage)
{
    stage_compact(stage);
    stage_put_other(stage, 0, 1);
    stage_get(stage, 0, 1);
    stage_put(stage, 0, 1);
    stage_put_other(stage, 1, 3);
    stage_iterate(stage, 1);
}

/* Another handle commits; this one has to see it. */
static void arrange_two(struct stage *stage)
{
    open_writing(stage);
    stage_open_other(stage);
    stage_get(stage, 0, 1);
}

static void claim(struct stage *stage)
{
    stage_claim(stage, 0, 15, 10, false);
    stage_claim(stage, 1, 5, 12, false);
}

static void claim_over_compaction(struct stage *stage)
{
    stage_claim(stage, 0, 15, 10, true);
    stage_get(stage, 0, 22);
}

static void see_others(struct stage *stage)
{
    stage_put_other(stage, 0, 1);
    stage_get(stage, 0, 1);
    stage_get(stage, 0, 2);
    stage_put_other(stage, 1, 3);
    stage_get(stage, 1, 3);
    stage_iterate(stage, 1);
}

static void write_after_others(struct stage *stage)
{
    stage_put_other(stage, 0, 1);
    stage_put(stage, 0, 1);
    stage_put_other(stage, 1, 3);
    stage_delete(stage, 1, 3);
}

static void commit_over_compaction(struct stage *stage)
{
    stage_transaction_over_compaction(stage, 0, 4, 10);
    stage_get(stage, 0, 6);
}

static void iterate_over_compaction(struct stage *stage)
{
    stage_iterate_over_compaction(stage, 0);
    stage_put(stage, 0, 3);
}

static void change_and_compact(struct stage *stage)
{
    stage_put(stage, 0, 3);
    stage_compact(stage);
    stage_delete(stage, 0, 4);
}

static void look_back(struct stage *stage)
{
    stage_look_back(stage, 0, change_and_compact);
}

const struct scenario scenarios[] = {
    {"create", 4, false, NULL, NULL, NULL, create},
    {"put one", 8, false, prepare_spaces, NULL, open_writing, put_one},
    {"put a batch", 100, false, prepare_spaces, NULL, open_writing, put_batch},
    {"overwrite and delete", 20, false, prepare_records, NULL, open_writing, overwrite_and_delete},
    {"overwrite what sections cover", 60, false, prepare_sections, NULL, open_writing,
     overwrite_and_delete},
    {"commit two spaces", 20, false, prepare_records, NULL, open_writing, commit_lazily},
    {"commit durably", 20, false, prepare_records, NULL, open_writing, commit_durably},
    {"write durably", 20, false, prepare_spaces, NULL, NULL, write_durably},
    {"take over an unsynced tail", 32, false, prepare_tail, NULL, NULL, take_over},
    {"sync", 20, false, prepare_records, NULL, open_writing, sync},
    {"close with sections", 70, false, prepare_records, NULL, open_writing, close_with_sections},
    {"close and merge", 70, false, prepare_sections, NULL, open_writing, close_with_sections},
    {"flush while writing", 16400, false, prepare_long_tail, NULL, open_writing,
     flush_while_writing},
    {"read", 60, false, prepare_sections, NULL, open_writing, read_all},
    {"open and read", 60, false, prepare_sections, NULL, NULL, open_and_read},
    {"open a tail", 32, false, prepare_tail, NULL, NULL, open_and_read},
    {"read past damaged sections", 500, true, prepare_large_sections, spoil_sections, open_writing,
     read_far},
    {"iterate past damaged sections", 500, true, prepare_large_sections, spoil_sections,
     open_writing, iterate_far},
    {"search past damaged sections", 500, true, prepare_large_sections, spoil_sections,
     open_writing, search_far},
    {"write past damaged sections", 500, true, prepare_large_sections, spoil_sections, open_writing,
     write_far},
    {"see other commits", 20, false, prepare_records, NULL, arrange_two, see_others},
    {"compact", 60, false, prepare_sections, NULL, open_writing, compact},
    {"claim", 30, false, prepare_records, NULL, arrange_two, claim},
    {"claim over a compaction", 30, false, prepare_records, NULL, arrange_two,
     claim_over_compaction},
    {"compact beside another", 20, false, prepare_records, NULL, arrange_two, compact_beside},
    {"compact a tail", 32, false, prepare_tail, NULL, NULL, open_and_compact},
    {"compact past damaged sections", 500, true, prepare_large_sections, spoil_sections, NULL,
     open_and_compact},
    {"delete what sections cover", 60, false, prepare_sections, NULL, open_writing, delete_many},
    {"commit over sections", 60, false, prepare_sections, NULL, open_writing, commit_durably},
    {"delete, compact and fill", 20, false, prepare_records, NULL, open_writing, delete_and_fill},
    {"open a damaged file", 500, true, prepare_large_sections, spoil_sections, NULL, open_and_read},
    {"open a damaged file and write", 500, true, prepare_large_sections, spoil_sections, NULL,
     open_and_write},
    {"live three times", 20, false, prepare_spaces, NULL, NULL, live_and_live_again},
    {"write after other commits", 20, false, prepare_records, NULL, arrange_two,
     write_after_others},
    {"commit over a compaction", 20, false, prepare_records, NULL, open_writing,
     commit_over_compaction},
    {"iterate over a compaction", 20, false, prepare_records, NULL, open_writing,
     iterate_over_compaction},
    {"look back over a compaction", 20, false, prepare_records, NULL, open_writing, look_back},
    {"evict by rows", 24, false, prepare_rows, NULL, arrange_budget, evict},
    {"evict by bytes", 24, false, prepare_bytes, NULL, arrange_budget, evict},
    {"evict the least recently used", 24, false, prepare_least_recent, NULL, arrange_budget, evict},
    {"evict the first that came", 24, false, prepare_first_in, NULL, arrange_budget, evict},
    {"set limits", 20, false, prepare_records, NULL, open_writing, set_limits},
    {"close with uses", 24, false, prepare_rows, NULL, arrange_budget, close_with_uses},
    {"commit with uses", 24, false, prepare_rows, NULL, arrange_budget, commit_with_uses},
    {"maintain", 24, false, prepare_rows, NULL, arrange_budget, maintain},
    {"open with uses", 24, false, prepare_least_recent, NULL, NULL, open_with_uses},
    {"expire and compact", 24, false, prepare_expiring, NULL, arrange_budget, expire_and_compact},
    {"compact in steps and evict", 24, false, prepare_rows, NULL, arrange_budget,
     step_beside_eviction},
    {"close in the middle of steps", 24, false, prepare_rows, NULL, arrange_budget, step_and_close},
    {"maintain and compact", 24, false, prepare_first_in, NULL, arrange_budget,
     maintain_and_compact},
};
const size_t scenario_count = sizeof scenarios / sizeof scenarios[0];
