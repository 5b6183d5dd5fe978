/* The readers' load. Runs in processes of its own, which are killed at any moment. */
#include "multiproc/read_load.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/random.h"
#include "multiproc/report.h"
#include "support/stamped_row.h"

enum { PAUSE_US = 300, ONE_IN_REOPEN = 1000, ONE_IN_SNAPSHOT = 200 };

static const double score_slack = 1e-5;

struct reader {
    const char *path;
    struct random_source random;
    edb *db;
    edb_space *spaces[2];
};

/* What an iteration gave, to be compared within itself. */
struct picture {
    uint64_t stamps[REGISTERS][REGISTER_KEYS_MAX]; /* 0: not there */
    uint64_t rows[REGISTERS][REGISTER_KEYS_MAX];
};

static void expect_ok(edb_status status, const char *doing)
{
    if (status != EDB_OK)
        report_fault("reader: %s: %s: %s", doing, edb_status_name(status), edb_error_detail());
}

static void open_file(struct reader *r, uint32_t flags)
{
    edb_open_options options = EDB_OPEN_OPTIONS_INIT;
    options.flags = flags;
    expect_ok(edb_open(r->path, &options, &r->db), "edb_open");
    expect_ok(edb_space_find(r->db, "registers", &r->spaces[0]), "edb_space_find");
    expect_ok(edb_space_find(r->db, "added", &r->spaces[1]), "edb_space_find");
}

static uint32_t choose_register(struct reader *r)
{
    return (uint32_t)random_below(&r->random, REGISTERS);
}

static void tell(struct report report, bool found)
{
    report.kind = found ? REPORT_SEEN : REPORT_ABSENT;
    report_gather(NULL, &report);
}

static bool found_or_not(edb_status status, const char *doing)
{
    if (status != EDB_NOT_FOUND)
        expect_ok(status, doing);
    return status == EDB_OK;
}

static void read_vector(const float *vector, struct report *report)
{
    if (!stamped_vector_read(report->reg, report->slot, vector, &report->stamp))
        report_fault("reader: register %u.%u has a vector that nobody wrote", report->reg,
                     report->slot);
}

static void read_view(const edb_view *view, struct report *report)
{
    if (!stamped_view_read(view, &report->reg, &report->slot, &report->stamp))
        report_fault("reader: row %" PRIu64 " has a content that nobody wrote", view->row);
    report->row = view->row;
}

static struct report ask(struct reader *r, char key[STAMPED_KEY_BYTES], size_t *key_bytes)
{
    struct report report = {.reg = choose_register(r), .row = REPORT_ROW_UNKNOWN};
    report.slot = (uint32_t)random_below(&r->random, register_keys(report.reg));
    *key_bytes = stamped_key(report.reg, report.slot, 0, key);
    report.from_ns = report_now();
    return report;
}

static void try_get(struct reader *r)
{
    char key[STAMPED_KEY_BYTES];
    size_t key_bytes;
    float vector[STAMPED_DIMS];
    struct report report = ask(r, key, &key_bytes);
    edb_status status = edb_get(r->spaces[0], key, key_bytes, vector);
    report.to_ns = report_now();
    if (status == EDB_OK)
        read_vector(vector, &report);
    tell(report, found_or_not(status, "edb_get"));
}

static void try_contains(struct reader *r)
{
    char key[STAMPED_KEY_BYTES];
    size_t key_bytes;
    struct report report = ask(r, key, &key_bytes);
    edb_status status = edb_contains(r->spaces[0], key, key_bytes);
    report.to_ns = report_now();
    if (!found_or_not(status, "edb_contains"))
        tell(report, false);
}

/* The four keys of a group under one look: one operation wrote them all. */
static void try_get_many(struct reader *r)
{
    char names[REGISTER_KEYS_MAX][STAMPED_KEY_BYTES];
    edb_key keys[REGISTER_KEYS_MAX];
    float matrix[REGISTER_KEYS_MAX][STAMPED_DIMS];
    uint8_t found[REGISTER_KEYS_MAX];
    uint64_t stamp = 0;
    uint32_t reg = choose_register(r);
    size_t count = register_keys(reg);
    for (uint32_t slot = 0; slot < count; slot++)
        keys[slot] = (edb_key){names[slot], stamped_key(reg, slot, 0, names[slot])};
    uint64_t from_ns = report_now();
    expect_ok(edb_get_many(r->spaces[0], keys, count, matrix[0], found), "edb_get_many");
    uint64_t to_ns = report_now();
    for (uint32_t slot = 0; slot < count; slot++) {
        struct report report = {.reg = reg,
                                .slot = slot,
                                .row = REPORT_ROW_UNKNOWN,
                                .from_ns = from_ns,
                                .to_ns = to_ns};
        if (found[slot])
            read_vector(matrix[slot], &report);
        if (slot > 0 && (found[slot] != found[0] || report.stamp != stamp))
            report_fault("reader: half a transaction in register %u", reg);
        stamp = report.stamp;
        tell(report, found[slot]);
    }
}

static void take_picture(struct reader *r, struct picture *picture)
{
    edb_iterator *iterator;
    edb_view view;
    edb_status status;
    uint64_t row_before = 0;
    memset(picture, 0, sizeof *picture);
    expect_ok(edb_iterate(r->spaces[0], &iterator), "edb_iterate");
    while ((status = edb_next(iterator, &view)) == EDB_OK) {
        struct report seen = {0};
        read_view(&view, &seen);
        if (picture->stamps[seen.reg][seen.slot] != 0)
            report_fault("reader: register %u.%u comes twice", seen.reg, seen.slot);
        if (seen.row < row_before)
            report_fault("reader: an iteration is not in row order");
        row_before = seen.row;
        picture->stamps[seen.reg][seen.slot] = seen.stamp;
        picture->rows[seen.reg][seen.slot] = seen.row;
        edb_view_release(&view);
    }
    found_or_not(status, "edb_next");
    edb_iterator_close(iterator);
}

static void tell_picture(const struct picture *picture, uint64_t from_ns, uint64_t to_ns)
{
    for (uint32_t reg = 0; reg < REGISTERS; reg++)
        for (uint32_t slot = 0; slot < register_keys(reg); slot++) {
            uint64_t stamp = picture->stamps[reg][slot];
            if (stamp != picture->stamps[reg][0])
                report_fault("reader: an iteration shows half a transaction in register %u", reg);
            struct report report = {.reg = reg,
                                    .slot = slot,
                                    .stamp = stamp,
                                    .row = picture->rows[reg][slot],
                                    .from_ns = from_ns,
                                    .to_ns = to_ns};
            tell(report, stamp != 0);
        }
}

static void try_iterate(struct reader *r)
{
    static struct picture picture;
    uint64_t from_ns = report_now();
    take_picture(r, &picture);
    tell_picture(&picture, from_ns, report_now());
}

/* A handle that stands still sees the same twice, and what there was when it was opened. */
static void try_snapshot(struct reader *r)
{
    static struct picture first, second;
    struct reader still = {.path = r->path};
    uint64_t from_ns = report_now();
    open_file(&still, EDB_OPEN_SNAPSHOT);
    uint64_t to_ns = report_now();
    take_picture(&still, &first);
    usleep(2000);
    take_picture(&still, &second);
    if (memcmp(&first, &second, sizeof first) != 0)
        report_fault("reader: a snapshot changed");
    expect_ok(edb_close(still.db), "edb_close");
    tell_picture(&first, from_ns, to_ns);
}

/* A hit is a row that was there; its score is that of its content. */
static void check_hit(struct reader *r, const float *query, const edb_hit *hit)
{
    edb_view view;
    struct report seen = {0};
    double dot = 0, qq = 0, vv = 0;
    edb_status status = edb_view_row(r->spaces[0], hit->row, &view);
    if (!found_or_not(status, "edb_view_row"))
        return; /* written over since */
    read_view(&view, &seen);
    const float *vector = view.vector;
    for (size_t i = 0; i < STAMPED_DIMS; i++) {
        dot += (double)query[i] * (double)vector[i];
        qq += (double)query[i] * (double)query[i];
        vv += (double)vector[i] * (double)vector[i];
    }
    edb_view_release(&view);
    if (fabs(dot / sqrt(qq * vv) - (double)hit->score) > score_slack)
        report_fault("reader: row %" PRIu64 " has score %f", hit->row, (double)hit->score);
}

/* A row that is there before and after a search for its vector is the best hit. */
static void try_search(struct reader *r)
{
    char key[STAMPED_KEY_BYTES];
    size_t key_bytes;
    edb_view view, again;
    edb_result *result;
    edb_search_options options = EDB_SEARCH_OPTIONS_INIT;
    struct report report = ask(r, key, &key_bytes);
    edb_status status = edb_view_key(r->spaces[0], key, key_bytes, &view);
    report.to_ns = report_now();
    if (!found_or_not(status, "edb_view_key"))
        return;
    read_view(&view, &report);
    options.k = 3;
    expect_ok(edb_search(r->spaces[0], view.vector, 1, &options, &result), "edb_search");
    status = edb_view_row(r->spaces[0], view.row, &again);
    if (found_or_not(status, "edb_view_row") &&
        (result->count == 0 || result->hits[0].row != view.row))
        report_fault("reader: a search does not find row %" PRIu64, view.row);
    edb_view_release(&again);
    for (size_t i = 0; i < result->count; i++)
        check_hit(r, view.vector, &result->hits[i]);
    edb_view_release(&view);
    edb_free(result);
    tell(report, true);
}

/* One of the newest rows of the space that only grows. */
static void try_added(struct reader *r)
{
    edb_space_stats stats = {.struct_size = sizeof stats};
    edb_view view;
    expect_ok(edb_space_stats_get(r->spaces[1], &stats), "edb_space_stats_get");
    if (stats.rows == 0)
        return;
    uint64_t back = random_below(&r->random, stats.rows < 1000 ? stats.rows : 1000);
    struct report report = {.from_ns = report_now()};
    expect_ok(edb_view_row(r->spaces[1], stats.rows - 1 - back, &view), "edb_view_row");
    report.to_ns = report_now();
    read_view(&view, &report);
    edb_view_release(&view);
    if (report.reg != ADDED)
        report_fault("reader: a register's row stands in the other space");
    tell(report, true);
}

static void read_one(struct reader *r)
{
    uint64_t choice = random_below(&r->random, 64);
    if (choice == 0)
        try_iterate(r);
    else if (choice < 4)
        try_search(r);
    else if (choice < 12)
        try_get_many(r);
    else if (choice < 16)
        try_added(r);
    else if (choice < 20)
        try_contains(r);
    else
        try_get(r);
}

_Noreturn void read_load(const char *path, uint64_t seed)
{
    static struct reader r;
    uint32_t flags = seed % 2 == 0 ? (uint32_t)EDB_OPEN_READ_ONLY : (uint32_t)EDB_OPEN_EXISTING;
    r = (struct reader){.path = path, .random = {seed}};
    open_file(&r, flags);
    for (;;) {
        read_one(&r);
        report_flush();
        usleep(PAUSE_US);
        if (random_below(&r.random, ONE_IN_SNAPSHOT) == 0)
            try_snapshot(&r);
        if (random_below(&r.random, ONE_IN_REOPEN) != 0)
            continue;
        expect_ok(edb_close(r.db), "edb_close");
        open_file(&r, flags);
    }
}
