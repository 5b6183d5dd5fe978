/* The tail of the row directory: entries in memory, in runs of following rows. Called when groups
 * are applied and when sections are adopted. */
#include <assert.h>
#include <string.h>

#include "base/memory.h"
#include "rows/rows.h"
#include "rows/rows_section.h"

edb_status rows_reserve(struct rows *rows, size_t count, size_t runs)
{
    struct rows_tail *tail = &rows->tail;
    edb_status status =
        memory_reserve(&tail->entries, &tail->capacity, tail->count + count, ROWS_ENTRY_BYTES);
    if (status == EDB_OK)
        status = memory_reserve(&tail->runs, &tail->run_capacity, tail->run_count + runs,
                                sizeof *tail->runs);
    return status;
}

/* The row behind the last one. */
static uint64_t run_end(const struct rows_tail *tail, size_t run)
{
    size_t end = run + 1 < tail->run_count ? tail->runs[run + 1].at : tail->count;
    return tail->runs[run].first + (end - tail->runs[run].at);
}

/* How many runs begin at or before `row`. */
static size_t runs_until(const struct rows_tail *tail, uint64_t row)
{
    size_t low = 0;
    size_t high = tail->run_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (tail->runs[middle].first <= row)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const uint8_t *rows_tail_entry(const struct rows_tail *tail, uint64_t row)
{
    size_t run = runs_until(tail, row);
    if (run == 0 || row >= run_end(tail, run - 1))
        return NULL;
    size_t at = tail->runs[run - 1].at + (size_t)(row - tail->runs[run - 1].first);
    return tail->entries + at * ROWS_ENTRY_BYTES;
}

uint64_t rows_tail_next(const struct rows_tail *tail, uint64_t row)
{
    size_t run = runs_until(tail, row);
    if (run > 0 && row < run_end(tail, run - 1))
        return row;
    return run < tail->run_count ? tail->runs[run].first : ROW_NONE;
}

uint64_t rows_tail_word(const struct rows_tail *tail, uint64_t row)
{
    uint64_t bits = 0;
    uint64_t end = row + ROWS_WORD_ROWS;
    for (uint64_t next = rows_tail_next(tail, row); next < end; next = rows_tail_next(tail, next)) {
        uint64_t stop = run_end(tail, runs_until(tail, next) - 1);
        for (; next < stop && next < end; next++)
            bits |= 1ull << (next - row);
    }
    return bits;
}

void rows_add(struct rows *rows, uint64_t row, const struct row_place *place)
{
    struct rows_tail *tail = &rows->tail;
    assert(tail->count < tail->capacity);
    if (tail->run_count == 0 || run_end(tail, tail->run_count - 1) != row) {
        assert(tail->run_count < tail->run_capacity);
        tail->runs[tail->run_count++] = (struct rows_run){row, tail->count};
    }
    rows_encode_place(place, tail->entries + tail->count * ROWS_ENTRY_BYTES);
    tail->count++;
}

static void empty_tail(struct rows_tail *tail)
{
    memory_free(tail->entries);
    memory_free(tail->runs);
    memset(tail, 0, sizeof *tail);
}

/* Takes the rows below `covered` out of the tail. */
static void cut_tail(struct rows_tail *tail, uint64_t covered)
{
    uint64_t next = rows_tail_next(tail, covered);
    if (next == ROW_NONE) {
        empty_tail(tail);
        return;
    }
    size_t run = runs_until(tail, next) - 1;
    size_t at = tail->runs[run].at + (size_t)(next - tail->runs[run].first);
    tail->runs[run] = (struct rows_run){next, at};
    tail->run_count -= run;
    memmove(tail->runs, tail->runs + run, tail->run_count * sizeof *tail->runs);
    for (size_t i = 0; i < tail->run_count; i++)
        tail->runs[i].at -= at;
    tail->count -= at;
    memmove(tail->entries, tail->entries + at * ROWS_ENTRY_BYTES, tail->count * ROWS_ENTRY_BYTES);
}

void rows_adopt(struct rows *rows, struct store_section_list *sections, uint64_t covered)
{
    store_section_list_replace(&rows->sections, sections);
    if (covered <= rows->tail_first)
        return;
    cut_tail(&rows->tail, covered);
    rows->tail_first = covered;
}

static edb_status keep_tail(const struct rows_tail *tail, struct rows_tail *out)
{
    out->entries = memory_zeroed(tail->count + 1, ROWS_ENTRY_BYTES);
    out->runs = memory_zeroed(tail->run_count + 1, sizeof *out->runs);
    if (out->entries == NULL || out->runs == NULL)
        return memory_failed(tail->count * ROWS_ENTRY_BYTES);
    if (tail->count > 0) {
        memcpy(out->entries, tail->entries, tail->count * ROWS_ENTRY_BYTES);
        memcpy(out->runs, tail->runs, tail->run_count * sizeof *out->runs);
    }
    out->count = tail->count;
    out->run_count = tail->run_count;
    return EDB_OK;
}

edb_status rows_keep(const struct rows *rows, struct rows *kept_out)
{
    memset(kept_out, 0, sizeof *kept_out);
    kept_out->tail_first = rows->tail_first;
    edb_status status = keep_tail(&rows->tail, &kept_out->tail);
    if (status == EDB_OK)
        status = store_section_list_share(&rows->sections, &kept_out->sections);
    if (status != EDB_OK)
        rows_close(kept_out);
    return status;
}

void rows_close(struct rows *rows)
{
    store_section_list_close(&rows->sections);
    for (size_t i = 0; i < rows->chunk_count; i++) {
        store_section_close(rows->chunks[i].section);
        memory_free(rows->chunks[i].bits);
        memory_free((void *)atomic_load(&rows->chunks[i].checked));
    }
    memory_free(rows->chunks);
    empty_tail(&rows->tail);
    memset(rows, 0, sizeof *rows);
}
