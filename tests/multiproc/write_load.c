/* The writer's load. Runs in processes of its own, which are killed at any moment. Only its own
 * registers does a writer delete from, so that whoever judges knows the order of what was done; in
 * the shared ones the row numbers tell it. */
#include "multiproc/write_load.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/random.h"
#include "support/stamped_row.h"

enum { ONE_IN_DURABLE = 5, ONE_IN_REOPEN = 400, ONE_IN_DELETE = 6 };

struct writer {
    const struct write_plan *plan;
    struct random_source random;
    uint64_t stamp; /* of this operation */
    edb *db;
    edb_space *spaces[2];
    /* What one operation writes. */
    char keys[REGISTER_KEYS_MAX][STAMPED_KEY_BYTES];
    edb_key named[REGISTER_KEYS_MAX];
    float vectors[REGISTER_KEYS_MAX][STAMPED_DIMS];
    char texts[REGISTER_KEYS_MAX][STAMPED_TEXT_BYTES];
    char metadata[STAMPED_TEXT_BYTES];
    edb_put_options options[REGISTER_KEYS_MAX];
};

static void expect_ok(edb_status status, const char *doing)
{
    if (status != EDB_OK)
        report_fault("writer: %s: %s: %s", doing, edb_status_name(status), edb_error_detail());
}

/* Nobody is to be waited for for ever: a writer that was told so tries again. */
static bool is_busy(edb_status status)
{
    struct report report = {.kind = REPORT_BUSY, .from_ns = report_now()};
    if (status != EDB_BUSY)
        return false;
    report_send(NULL, &report);
    return true;
}

static bool one_in(struct writer *w, uint32_t times)
{
    return random_below(&w->random, times) == 0;
}

static void open_file(struct writer *w)
{
    edb_open_options options = EDB_OPEN_OPTIONS_INIT;
    options.busy_wait_ms = w->plan->busy_wait_ms;
    expect_ok(edb_open(w->plan->path, &options, &w->db), "edb_open");
    expect_ok(stamped_spaces(w->db, w->spaces), "edb_space_open");
}

static void fill_slot(struct writer *w, uint32_t reg, uint32_t slot, uint32_t place)
{
    edb_put_options *options = &w->options[place];
    w->named[place] = (edb_key){w->keys[place], stamped_key(reg, slot, w->stamp, w->keys[place])};
    stamped_vector(reg, slot, w->stamp, w->vectors[place]);
    stamped_text(reg, slot, w->stamp, w->texts[place]);
    stamped_metadata(w->stamp, w->metadata);
    *options = (edb_put_options)EDB_PUT_OPTIONS_INIT;
    options->text = w->texts[place];
    if (stamped_has_metadata(w->stamp))
        options->metadata_json = w->metadata;
}

static void fill_register(struct writer *w, uint32_t reg)
{
    for (uint32_t slot = 0; slot < register_keys(reg); slot++)
        fill_slot(w, reg, slot, slot);
}

static void tell_begin(struct writer *w, uint32_t reg, uint32_t operation)
{
    struct report report = {.kind = REPORT_BEGIN,
                            .operation = operation,
                            .reg = reg,
                            .stamp = w->stamp,
                            .from_ns = report_now()};
    report_send(NULL, &report);
}

static void tell_ack(struct writer *w, uint64_t row)
{
    struct report report = {
        .kind = REPORT_ACK, .stamp = w->stamp, .row = row, .to_ns = report_now()};
    report_send(NULL, &report);
}

static edb_txn *fill_transaction(struct writer *w, uint32_t reg, bool deletes)
{
    edb_txn *txn;
    expect_ok(edb_begin(w->db, &txn), "edb_begin");
    fill_register(w, reg);
    for (uint32_t slot = 0; slot < register_keys(reg); slot++) {
        const edb_key *key = &w->named[slot];
        edb_status status = deletes ? edb_txn_delete(txn, w->spaces[0], key->data, key->bytes)
                                    : edb_txn_put(txn, w->spaces[0], key->data, key->bytes,
                                                  w->vectors[slot], &w->options[slot]);
        expect_ok(status, "edb_txn");
    }
    fill_slot(w, ADDED, 0, 0);
    expect_ok(edb_txn_put(txn, w->spaces[1], w->named[0].data, w->named[0].bytes, w->vectors[0],
                          &w->options[0]),
              "edb_txn_put");
    return txn;
}

/* All keys of a register, and a row that is added, in one transaction over two spaces. */
static void write_transaction(struct writer *w, uint32_t reg, bool deletes)
{
    bool durable = one_in(w, ONE_IN_DURABLE);
    uint32_t operation = OPERATION_ADDS;
    operation |= deletes ? (uint32_t)OPERATION_DELETE : 0;
    operation |= durable ? (uint32_t)OPERATION_DURABLE : 0;
    edb_txn *txn = fill_transaction(w, reg, deletes);
    tell_begin(w, reg, operation);
    edb_status status = edb_commit(txn, durable ? EDB_DURABLE : EDB_LAZY);
    while (is_busy(status))
        status = edb_commit(fill_transaction(w, reg, deletes), durable ? EDB_DURABLE : EDB_LAZY);
    expect_ok(status, "edb_commit");
    tell_ack(w, REPORT_ROW_UNKNOWN);
}

/* The keys of a register in one batch, which tells the rows. */
static void write_batch(struct writer *w, uint32_t reg)
{
    uint64_t rows[REGISTER_KEYS_MAX];
    uint32_t count = register_keys(reg);
    edb_status status;
    fill_register(w, reg);
    tell_begin(w, reg, 0);
    do
        status = edb_put_many(w->spaces[0], w->named, count, w->vectors, w->options, rows);
    while (is_busy(status));
    expect_ok(status, "edb_put_many");
    for (uint32_t slot = 0; slot < count; slot++)
        if (rows[slot] != rows[0] + slot)
            report_fault("writer: rows of one batch do not follow one another");
    tell_ack(w, rows[0]);
}

/* One key, now and then synced before it is acknowledged. */
static void write_single(struct writer *w, uint32_t reg)
{
    bool durable = one_in(w, ONE_IN_DURABLE);
    const edb_key *key = &w->named[0];
    edb_status status;
    fill_register(w, reg);
    tell_begin(w, reg, durable ? OPERATION_DURABLE : 0);
    do
        status = edb_put(w->spaces[0], key->data, key->bytes, w->vectors[0], &w->options[0]);
    while (is_busy(status));
    expect_ok(status, "edb_put");
    while (durable && is_busy(status = edb_sync(w->db)))
        continue;
    expect_ok(status, "edb_sync");
    tell_ack(w, REPORT_ROW_UNKNOWN);
}

static void delete_single(struct writer *w, uint32_t reg)
{
    edb_status status;
    fill_register(w, reg);
    tell_begin(w, reg, OPERATION_DELETE);
    do
        status = edb_delete(w->spaces[0], w->named[0].data, w->named[0].bytes);
    while (is_busy(status));
    if (status != EDB_NOT_FOUND)
        expect_ok(status, "edb_delete");
    tell_ack(w, REPORT_ROW_UNKNOWN);
}

static uint32_t choose_register(struct writer *w)
{
    for (;;) {
        uint32_t reg = (uint32_t)random_below(&w->random, REGISTERS);
        if (register_shared(reg) || register_owner(reg, w->plan->writers) == w->plan->writer)
            return reg;
    }
}

static void write_one(struct writer *w)
{
    uint32_t reg = choose_register(w);
    if (register_shared(reg))
        write_batch(w, reg);
    else if (register_keys(reg) > 1)
        write_transaction(w, reg, one_in(w, ONE_IN_DELETE));
    else if (one_in(w, ONE_IN_DELETE))
        delete_single(w, reg);
    else
        write_single(w, reg);
}

_Noreturn void write_load(const struct write_plan *plan)
{
    static struct writer w;
    w = (struct writer){.plan = plan, .random = {plan->first_stamp}, .stamp = plan->first_stamp};
    open_file(&w);
    for (;; w.stamp++) {
        write_one(&w);
        if (plan->pause_us > 0)
            usleep(plan->pause_us);
        if (!one_in(&w, ONE_IN_REOPEN))
            continue;
        edb_status status = edb_close(w.db); /* busy: not synced, which was not promised */
        if (!is_busy(status))
            expect_ok(status, "edb_close");
        open_file(&w);
    }
}
