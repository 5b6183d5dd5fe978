/* Reading goes through a file in memory that can only be read, writing through the simulated
 * machine. */
#include "fuzz/use_file.h"

#include <stdio.h>
#include <string.h>

#include "embedcache.h"
#include "format/slot.h"
#include "fuzz/packed_file.h"
#include "fuzz/target.h"
#include "fuzz/told_cache.h"
#include "os/os_sim.h"
#include "support/memory_file.h"

enum {
    BOOT_ID_AT = 96, /* in a slot */
    RECORDS_MAX = 1 << 20,
    KEY_STEP = 5, /* of the keys that are written: one in so many */
};

static const char path[] = "fuzz.edb";
static uint8_t file[PACKED_FILE_MAX];
static float room[EDB_DIMS_MAX];
static volatile unsigned eaten; /* so that reading what was handed out is not left away */

/* One file at work. */
struct use {
    edb *db;
    edb_space *space;
    int number; /* of the space among the told ones, -1 none */
    uint32_t dims;
    bool told;
    size_t refused;  /* answers that were EDB_CORRUPT */
    char first[128]; /* of them, in words */
};

/* -------------------------------------------------------------------------------------- reading */

/* Any status is an answer, but for those that blame the machine or the caller. True when it is
 * EDB_OK. */
static bool note(struct use *use, edb_status status, const char *what)
{
    bool blames = status == EDB_NO_MEMORY || status == EDB_INVALID || status == EDB_IO ||
                  status == EDB_BUSY || status == EDB_FORKED;
    target_hold(!blames, "%s: %s: %s", what, edb_status_name(status), edb_error_detail());
    if (status == EDB_CORRUPT && use->refused++ == 0)
        snprintf(use->first, sizeof use->first, "%s: %s", what, edb_error_detail());
    return status == EDB_OK;
}

static void eat(const void *bytes, size_t count)
{
    const uint8_t *at = bytes;
    for (size_t i = 0; i < count; i++)
        eaten += at[i];
}

static void eat_view(struct use *use, edb_view *view)
{
    char *json;
    eat(view->vector, view->vector_bytes);
    eat(view->key, view->key_bytes);
    target_hold(use->dims == 0 || view->vector_bytes == 4 * (size_t)use->dims, "%zu bytes, %u dims",
                view->vector_bytes, use->dims);
    if (view->has_text) {
        eat(view->text, view->text_bytes + 1);
        target_hold(view->text[view->text_bytes] == '\0', "a text without its NUL");
    }
    if (note(use, edb_view_metadata_json(view, &json), "metadata"))
        edb_free(json);
    if (!use->told)
        return;
    const char *wrong = told_wrong(use->number, view);
    target_hold(wrong == NULL, "row %llu of %s has %s", (unsigned long long)view->row,
                told_space_names[use->number], wrong);
}

/* What the keys say must be what each other says. */
static void ask_key(struct use *use, const char *key, size_t bytes)
{
    edb_view view;
    edb_status there = edb_contains(use->space, key, bytes);
    edb_status status = edb_view_key(use->space, key, bytes, &view);
    note(use, there, "contains");
    if (note(use, status, "view")) {
        eat_view(use, &view);
        edb_view_release(&view);
    }
    if (use->told && there != EDB_CORRUPT && status != EDB_CORRUPT)
        target_hold(there == status, "contains says %s, view %s", edb_status_name(there),
                    edb_status_name(status));
    if (use->dims > 0 && note(use, edb_get(use->space, key, bytes, room), "get"))
        eat(room, 4 * (size_t)use->dims);
}

/* A record that is there is found by its key, and is the same one. */
static void ask_back(struct use *use, const edb_view *view)
{
    edb_view found;
    if (view->key_form != EDB_KEY_BYTES)
        return;
    edb_status status = edb_view_key(use->space, view->key, view->key_bytes, &found);
    note(use, status, "view by the key of a row");
    if (use->told)
        target_hold(status == EDB_CORRUPT || (status == EDB_OK && found.row == view->row),
                    "row %llu is not found by its key: %s", (unsigned long long)view->row,
                    edb_status_name(status));
    edb_view_release(&found);
}

static void iterate(struct use *use)
{
    edb_iterator *iterator;
    edb_view view;
    edb_status status;
    uint64_t next_row = 0;
    size_t count = 0;
    if (!note(use, edb_iterate(use->space, &iterator), "iterate"))
        return;
    while ((status = edb_next(iterator, &view)) == EDB_OK || status == EDB_CORRUPT) {
        target_hold(count++ < RECORDS_MAX, "an iteration without end");
        if (!note(use, status, "next"))
            continue;
        target_hold(view.row >= next_row, "row %llu comes too late", (unsigned long long)view.row);
        next_row = view.row + 1;
        eat_view(use, &view);
        ask_back(use, &view);
        edb_view_release(&view);
    }
    note(use, status, "the last next");
    target_hold(!use->told || status == EDB_NOT_FOUND, "next: %s: %s", edb_status_name(status),
                edb_error_detail());
    edb_iterator_close(iterator);
}

/* What is found is a record. */
static void eat_hit(struct use *use, const edb_hit *hit)
{
    edb_view view;
    edb_status status = edb_view_row(use->space, hit->row, &view);
    target_hold(!use->told || status != EDB_NOT_FOUND, "a hit is row %llu, which is not there",
                (unsigned long long)hit->row);
    if (note(use, status, "view of a hit"))
        eat_view(use, &view);
    edb_view_release(&view);
}

static void search(struct use *use)
{
    edb_result *results;
    edb_space_stats stats = {.struct_size = sizeof stats};
    for (uint32_t i = 0; i < use->dims; i++)
        room[i] = 0.25f;
    if (use->dims == 0 || !note(use, edb_search(use->space, room, 1, NULL, &results), "search"))
        return;
    if (note(use, edb_space_stats_get(use->space, &stats), "stats of a space"))
        target_hold(!use->told || results->count <= stats.live, "%zu hits of %llu records",
                    results->count, (unsigned long long)stats.live);
    for (size_t i = 1; i < results->count; i++)
        target_hold(results->hits[i].row != results->hits[i - 1].row, "row %llu comes twice",
                    (unsigned long long)results->hits[i].row);
    for (size_t i = 0; i < results->count; i++)
        eat_hit(use, &results->hits[i]);
    edb_free(results);
}

static bool enter_space(struct use *use, size_t number)
{
    edb_space_spec spec = EDB_SPACE_SPEC_INIT;
    if (edb_space_at(use->db, number, &use->space) != EDB_OK ||
        !note(use, edb_space_describe(use->space, &spec), "describe"))
        return false;
    use->number = told_space(spec.name);
    use->dims = spec.dims;
    target_hold(!use->told || use->number >= 0, "a space %s that was never made", spec.name);
    eat(spec.model, strlen(spec.model));
    eat(spec.revision, strlen(spec.revision));
    return true;
}

static void read_space(struct use *use)
{
    static const uint64_t rows[] = {0, 1, 1u << 20, (1ull << 48) - 1, UINT64_MAX};
    char key[TOLD_KEY_BYTES];
    edb_view view;
    for (int number = 0; number < TOLD_KEYS; number++)
        ask_key(use, key, told_key(number, key));
    ask_key(use, "", 0);
    ask_key(use, "never put", 9);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (note(use, edb_view_row(use->space, rows[i], &view), "row")) {
            eat_view(use, &view);
            edb_view_release(&view);
        }
    iterate(use);
    search(use);
}

static void read_file(bool told, uint32_t flags)
{
    struct use use = {.told = told};
    edb_open_options options = EDB_OPEN_OPTIONS_INIT;
    edb_stats stats = {.struct_size = sizeof stats};
    options.flags = flags;
    if (!note(&use, edb_open(path, &options, &use.db), "open"))
        return;
    note(&use, edb_stats_get(use.db, &stats), "stats");
    for (size_t i = 0; enter_space(&use, i); i++)
        read_space(&use);
    size_t refused = use.refused;
    edb_status status = edb_verify(use.db, NULL, NULL, NULL);
    note(&use, status, "verify");
    target_hold(!told || status != EDB_OK || refused == 0,
                "verify finds nothing, and %zu answers were refused: %s", refused, use.first);
    edb_close(use.db);
}

/* -------------------------------------------------------------------------------------- writing */

/* Closing may also say that what was written is in danger, where damage was met behind it. Where
 * checksums fit, the file may have become any other meanwhile. */
static void note_close(const struct use *use, edb_status status)
{
    bool expected = status == EDB_OK || status == EDB_READ_ONLY || status == EDB_CORRUPT ||
                    status == EDB_IO || status == EDB_STALE;
    target_hold(expected || (!use->told && status == EDB_FORMAT), "close: %s: %s",
                edb_status_name(status), edb_error_detail());
}

/* What was put may be gone only where the file is damaged, and said to be. */
static void hold_there(struct use *use, edb_status status, const char *when)
{
    if (!use->told || status == EDB_OK)
        return;
    target_hold(edb_verify(use->db, NULL, NULL, NULL) == EDB_CORRUPT,
                "a put is gone %s, and verify finds nothing: %s", when, edb_status_name(status));
}

/* A put that was taken is there. */
static void put_key(struct use *use, const char *key, size_t bytes)
{
    edb_view view;
    edb_put_options options = EDB_PUT_OPTIONS_INIT;
    memset(room, 0, 4 * (size_t)use->dims);
    room[0] = 1.5f;
    options.value_bytes = use->dims == 0 ? 4 : 0;
    if (!note(use, edb_put(use->space, key, bytes, room, &options), "put"))
        return;
    edb_status status = edb_view_key(use->space, key, bytes, &view);
    hold_there(use, status, "at once");
    if (note(use, status, "view of a put"))
        eat(view.vector, view.vector_bytes);
    edb_view_release(&view);
}

static void write_space(struct use *use)
{
    char key[TOLD_KEY_BYTES];
    for (int number = 0; number < TOLD_KEYS; number += KEY_STEP)
        note(use, edb_delete(use->space, key, told_key(number, key)), "delete");
    put_key(use, "one more", 8);
    put_key(use, "k1", 2);
}

/* What was put before is there still, through the handle that compacted. */
static void hold_put(struct use *use)
{
    edb_view view;
    for (size_t i = 0; enter_space(use, i); i++) {
        edb_status status = edb_view_key(use->space, "one more", 8, &view);
        hold_there(use, status, "after compaction");
        edb_view_release(&view);
    }
}

static void write_file(const uint8_t *bytes, size_t count, bool told)
{
    struct use use = {.told = told};
    os_sim_begin(7);
    os_sim_record(false);
    os_sim_load(path, bytes, count);
    os_use(&os_sim);
    if (note(&use, edb_open(path, NULL, &use.db), "open to write")) {
        for (size_t i = 0; enter_space(&use, i); i++)
            write_space(&use);
        bool written = use.refused == 0 && told;
        if (note(&use, edb_compact(use.db, NULL, NULL), "compact") && written)
            hold_put(&use);
        note_close(&use, edb_close(use.db));
        use.refused = 0;
        read_file(false, EDB_OPEN_READ_ONLY);
    }
    target_hold(os_sim_open_files() == 0, "a file was left open");
    os_use(&memory_file);
}

/* ------------------------------------------------------------------------------------------ one */

static void begin(void)
{
    static bool begun;
    if (!begun)
        target_hold(memory_file_begin("", 0), "no file in memory");
    begun = true;
    os_use(&memory_file);
}

void use_file(const uint8_t *bytes, size_t count, bool told)
{
    static const uint8_t other_boot[16] = {1};
    uint8_t options = count > 0 ? bytes[0] : 0;
    begin();
    size_t file_bytes = packed_file_open(bytes, count, file);
    memory_file_resize(file_bytes);
    memcpy(memory_file_bytes(), file, file_bytes);
    memory_file_set_boot_id(options & PACKED_SAME_BOOT ? file + BOOT_ID_AT : other_boot);
    read_file(told, EDB_OPEN_READ_ONLY);
    target_hold(memory_file_open_count() == 0, "a file was left open");
    if (options & PACKED_WRITE)
        write_file(file, file_bytes, told);
}
