/* Building ROWS and DEAD sections. Called by db_flush and db_compact; rows_find.c reads them. */
#include <string.h>

#include "base/memory.h"
#include "rows/rows.h"
#include "rows/rows_section.h"

enum { GROUPS_MAX = 1 << 20 }; /* of a section that is built: 16 MiB for 2^32 rows */

/* --------------------------------------------------------------------------------- the writer */

static edb_status open_body(struct store_section_draft *draft, uint16_t kind, uint64_t bytes)
{
    draft->body = memory_aligned((size_t)bytes);
    if (draft->body == NULL)
        return memory_failed((size_t)bytes);
    memset(draft->body, 0, (size_t)bytes);
    draft->descriptor.kind = kind;
    draft->descriptor.version = ROWS_SECTION_VERSION;
    draft->descriptor.body_bytes = bytes;
    return EDB_OK;
}

/* Room for one more item, all zero, at the end of a list. NULL: no memory. */
static uint8_t *append(struct rows_list *list, size_t bytes)
{
    if (memory_reserve(&list->bytes, &list->capacity, list->count + 1, bytes) != EDB_OK)
        return NULL;
    uint8_t *item = list->bytes + list->count++ * bytes;
    memset(item, 0, bytes);
    return item;
}

/* Groups up to that of `row`; before each of them, so many words are stored. */
static edb_status extend_groups(struct rows_writer *writer, uint64_t row)
{
    uint64_t wanted = row / ROWS_GROUP_ROWS - writer->first / ROWS_GROUP_ROWS + 1;
    if (wanted > GROUPS_MAX)
        return fail(EDB_FULL, "a row directory section from row %llu to %llu is too large to build",
                    (unsigned long long)writer->first, (unsigned long long)row);
    while (writer->groups.count < wanted) {
        uint8_t *group = append(&writer->groups, ROWS_SET_BYTES);
        if (group == NULL)
            return memory_failed((size_t)wanted * ROWS_SET_BYTES);
        store_u64(group + 8, writer->words.count);
    }
    return EDB_OK;
}

/* The word of a row, which is the last one or the next. NULL: no memory. */
static uint8_t *word_of(struct rows_writer *writer, uint64_t row)
{
    uint8_t *group = writer->groups.bytes + (writer->groups.count - 1) * ROWS_SET_BYTES;
    uint64_t bit = 1ull << (row / ROWS_WORD_ROWS % 64);
    if (load_u64(group) & bit)
        return writer->words.bytes + (writer->words.count - 1) * ROWS_SET_BYTES;
    uint8_t *word = append(&writer->words, ROWS_SET_BYTES);
    if (word == NULL)
        return NULL;
    store_u64(group, load_u64(group) | bit);
    store_u64(word + 8, writer->entries.count);
    return word;
}

edb_status rows_writer_add(struct rows_writer *writer, uint64_t row, const struct row_place *place)
{
    edb_status status = extend_groups(writer, row);
    if (status != EDB_OK)
        return status;
    uint8_t *word = word_of(writer, row);
    uint8_t *entry = word != NULL ? append(&writer->entries, ROWS_ENTRY_BYTES) : NULL;
    if (entry == NULL)
        return memory_failed((writer->entries.count + 1) * ROWS_ENTRY_BYTES);
    store_u64(word, load_u64(word) | 1ull << (row % ROWS_WORD_ROWS));
    rows_encode_place(place, entry);
    return EDB_OK;
}

edb_status rows_writer_finish(struct rows_writer *writer, uint64_t last,
                              struct store_section_draft *draft)
{
    struct section_descriptor *descriptor = &draft->descriptor;
    descriptor->first = writer->first;
    descriptor->last = last;
    descriptor->groups = (uint32_t)writer->groups.count;
    descriptor->words = writer->words.count;
    uint64_t entries = rows_entries_offset(descriptor);
    size_t entries_bytes = writer->entries.count * ROWS_ENTRY_BYTES;
    edb_status status = open_body(draft, SECTION_ROWS, entries + entries_bytes);
    if (status != EDB_OK)
        return status;
    if (writer->words.count > 0) {
        memcpy(draft->body, writer->groups.bytes, writer->groups.count * ROWS_SET_BYTES);
        memcpy(draft->body + rows_words_offset(descriptor), writer->words.bytes,
               writer->words.count * ROWS_SET_BYTES);
        memcpy(draft->body + entries, writer->entries.bytes, entries_bytes);
    }
    rows_writer_close(writer);
    return EDB_OK;
}

void rows_writer_close(struct rows_writer *writer)
{
    memory_free(writer->groups.bytes);
    memory_free(writer->words.bytes);
    memory_free(writer->entries.bytes);
    memset(writer, 0, sizeof *writer);
}

/* ------------------------------------------------------------------------------- what is live */

static edb_status note_word(struct rows_live *live, const struct rows_word *word)
{
    edb_status status =
        memory_reserve(&live->words, &live->capacity, live->count + 1, sizeof *live->words);
    if (status != EDB_OK)
        return status;
    live->words[live->count++] = *word;
    return EDB_OK;
}

edb_status rows_live_add(const struct rows *rows, uint64_t *row, uint64_t last, size_t words,
                         struct rows_live *live)
{
    struct rows_copy copy = {0};
    edb_status status = EDB_OK;
    for (size_t limit = words; *row < last && limit > 0 && status == EDB_OK; limit--) {
        struct rows_word word;
        status = rows_next_live_copied(rows, *row, last, &copy, &word);
        if (status == EDB_OK && word.bits != 0)
            status = note_word(live, &word);
        uint64_t next = word.first + ROWS_WORD_ROWS;
        *row = word.bits != 0 && next < last ? next : last;
    }
    return status;
}

edb_status rows_live_open(const struct rows *rows, uint64_t first, uint64_t last,
                          struct rows_live *out)
{
    memset(out, 0, sizeof *out);
    edb_status status = rows_live_add(rows, &first, last, SIZE_MAX, out);
    if (status != EDB_OK)
        rows_live_close(out);
    return status;
}

/* Which rows of a word have not expired. */
static edb_status keep_unexpired(const struct rows *rows, uint64_t now_s, struct rows_word *word)
{
    for (uint64_t bits = word->bits; bits != 0; bits &= bits - 1) {
        struct row_place place;
        uint64_t row = word->first + (uint64_t)__builtin_ctzll(bits);
        edb_status status = rows_place(rows, row, &place);
        if (status != EDB_OK)
            return status == EDB_NOT_FOUND ? EDB_CORRUPT : status;
        if (place.expiry_s != 0 && place.expiry_s <= now_s)
            word->bits &= ~(bits & -bits);
    }
    return EDB_OK;
}

edb_status rows_drop_expired(const struct rows *rows, uint64_t now_s, size_t from,
                             struct rows_live *live)
{
    edb_status status = EDB_OK;
    size_t kept = from;
    for (size_t i = from; i < live->count && status == EDB_OK; i++) {
        status = keep_unexpired(rows, now_s, &live->words[i]);
        live->words[kept] = live->words[i];
        kept += live->words[i].bits != 0;
    }
    live->count = status == EDB_OK ? kept : live->count;
    return status;
}

uint64_t rows_live_count(const struct rows_live *live)
{
    uint64_t count = 0;
    for (size_t i = 0; i < live->count; i++)
        count += (uint64_t)__builtin_popcountll(live->words[i].bits);
    return count;
}

uint64_t rows_live_next(const struct rows_live *live, size_t *at, uint64_t row)
{
    for (; *at < live->count; (*at)++) {
        uint64_t next = rows_word_next(&live->words[*at], row);
        if (next != ROW_NONE)
            return next;
    }
    return ROW_NONE;
}

bool rows_live_keep(void *live, uint64_t row)
{
    return rows_live_has(live, row);
}

bool rows_live_has(const struct rows_live *live, uint64_t row)
{
    uint64_t first = row - row % ROWS_WORD_ROWS;
    size_t low = 0;
    size_t high = live->count;
    /* Mostly every word is there. */
    if (high > 0 && first >= live->words[0].first) {
        uint64_t guess = (first - live->words[0].first) / ROWS_WORD_ROWS;
        if (guess < high && live->words[guess].first == first)
            return live->words[guess].bits >> (row - first) & 1;
    }
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (live->words[middle].first < first)
            low = middle + 1;
        else
            high = middle;
    }
    return low < live->count && live->words[low].first == first &&
           (live->words[low].bits >> (row - first) & 1);
}

void rows_live_close(struct rows_live *live)
{
    memory_free(live->words);
    memset(live, 0, sizeof *live);
}

/* ----------------------------------------------------------------------------------- sections */

static edb_status add_word(const struct rows *rows, const struct rows_word *word,
                           struct rows_copy *copy, struct rows_writer *writer)
{
    for (uint64_t bits = word->bits; bits != 0; bits &= bits - 1) {
        struct row_place place;
        uint64_t row = word->first + (uint64_t)__builtin_ctzll(bits);
        edb_status status = rows_place_copied(rows, row, copy, &place);
        if (status == EDB_OK)
            status = rows_writer_add(writer, row, &place);
        if (status != EDB_OK)
            return status;
    }
    return EDB_OK;
}

/* The bits of rows from `first` on: a word may begin in a section that stays as it is. */
static void cut_below(struct rows_word *word, uint64_t first)
{
    if (word->first < first)
        word->bits &= ~0ull << (first - word->first);
}

edb_status rows_build(const struct rows *rows, size_t from, uint64_t last,
                      struct store_section_draft *draft)
{
    uint64_t first = from < rows->sections.count ? rows->sections.items[from]->descriptor.first
                                                 : rows->tail_first;
    struct rows_writer writer = {.first = first};
    struct rows_copy copy = {0};
    edb_status status = EDB_OK;
    for (uint64_t row = first; row < last && status == EDB_OK;) {
        struct rows_word word;
        status = rows_next_live_copied(rows, row, last, &copy, &word);
        cut_below(&word, first);
        if (status == EDB_OK)
            status = add_word(rows, &word, &copy, &writer);
        row = word.first + ROWS_WORD_ROWS;
    }
    if (status == EDB_OK)
        status = rows_writer_finish(&writer, last, draft);
    rows_writer_close(&writer);
    return status;
}

edb_status rows_build_dead(const struct rows *rows, size_t index, uint64_t last,
                           struct store_section_draft *draft)
{
    uint64_t first = rows->chunks[index].number * ROWS_CHUNK_ROWS;
    uint64_t count = last - first < ROWS_CHUNK_ROWS ? last - first : ROWS_CHUNK_ROWS;
    draft->descriptor.first = first;
    draft->descriptor.last = first + count;
    edb_status status = open_body(draft, SECTION_DEAD, DEAD_HEAD_BYTES + (count + 7) / 8);
    if (status != EDB_OK)
        return status;
    store_u64(draft->body, count);
    memcpy(draft->body + DEAD_HEAD_BYTES, rows->chunks[index].bits, (count + 7) / 8);
    return EDB_OK;
}

static bool dead_section_valid(const struct store_section *section, uint64_t rows)
{
    const struct section_descriptor *descriptor = &section->descriptor;
    return descriptor->first % ROWS_CHUNK_ROWS == 0 && rows <= ROWS_CHUNK_ROWS &&
           descriptor->body_bytes == DEAD_HEAD_BYTES + (rows + 7) / 8;
}

bool rows_section_valid(const struct store_section *section)
{
    const struct section_descriptor *descriptor = &section->descriptor;
    uint64_t rows = descriptor->last - descriptor->first;
    if (descriptor->version != ROWS_SECTION_VERSION || rows == 0)
        return false;
    if (descriptor->kind == SECTION_DEAD)
        return dead_section_valid(section, rows);
    return descriptor->kind == SECTION_ROWS &&
           descriptor->groups <=
               (descriptor->last - 1) / ROWS_GROUP_ROWS - descriptor->first / ROWS_GROUP_ROWS + 1 &&
           descriptor->words <= descriptor->body_bytes / ROWS_SET_BYTES &&
           descriptor->body_bytes >= rows_entries_offset(descriptor);
}
