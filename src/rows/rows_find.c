/* Looking up a row: tail, or the one section that covers it; and finding the live ones. Called by
 * every read. */

#include "base/memory.h"
#include "rows/rows.h"
#include "rows/rows_section.h"

#define ENTRY_NONE UINT64_MAX

/* The section that covers `row`, which is below tail_first. */
static struct store_section *covering_section(const struct rows *rows, uint64_t row)
{
    size_t low = 0;
    size_t high = rows->sections.count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (rows->sections.items[middle]->descriptor.last <= row)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == rows->sections.count || rows->sections.items[low]->descriptor.first > row)
        return NULL;
    return rows->sections.items[low];
}

edb_status rows_section_damaged(const struct store_section *section)
{
    return fail(EDB_CORRUPT, "the %s at %llu is damaged",
                section->entry.kind == SECTION_DEAD ? "section of deleted rows"
                                                    : "row directory section",
                (unsigned long long)section->entry.offset);
}

/* 64 bits, and how many were set before them. */
struct set {
    uint64_t bits;
    uint64_t before;
};

static inline bool set_has(const struct set *set, unsigned bit)
{
    return set->bits >> bit & 1;
}

/* The place of bit number `bit` among all that are set. */
static inline uint64_t set_rank(const struct set *set, unsigned bit)
{
    return set->before + (uint64_t)__builtin_popcountll(set->bits & ((1ull << bit) - 1));
}

static edb_status read_set(struct store_section *section, uint64_t offset,
                           struct store_section_copy *copy, struct set *out)
{
    const uint8_t *bytes = rows_bytes_at(section, offset, ROWS_SET_BYTES, copy);
    if (bytes == NULL)
        return rows_section_damaged(section);
    *out = (struct set){load_u64(bytes), load_u64(bytes + 8)};
    return EDB_OK;
}

static edb_status read_group(struct store_section *section, uint64_t row, struct rows_copy *copy,
                             struct set *out)
{
    uint64_t index = row / ROWS_GROUP_ROWS - section->descriptor.first / ROWS_GROUP_ROWS;
    *out = (struct set){0};
    if (index >= section->descriptor.groups)
        return EDB_OK;
    return read_set(section, index * ROWS_SET_BYTES, copy ? &copy->groups : NULL, out);
}

/* The word of a row; without bits when none of its rows has an entry. */
static edb_status read_word(struct store_section *section, uint64_t row, const struct set *group,
                            struct rows_copy *copy, struct set *out)
{
    unsigned bit = (unsigned)(row / ROWS_WORD_ROWS % 64);
    *out = (struct set){0};
    if (!set_has(group, bit))
        return EDB_OK;
    uint64_t index = set_rank(group, bit);
    if (index >= section->descriptor.words) {
        atomic_store(&section->lost, true);
        return rows_section_damaged(section);
    }
    return read_set(section, rows_words_offset(&section->descriptor) + index * ROWS_SET_BYTES,
                    copy ? &copy->words : NULL, out);
}

/* Whether every row has an entry: then the number of a row says which, and no set is read. */
static bool is_dense(const struct section_descriptor *descriptor)
{
    return descriptor->body_bytes - rows_entries_offset(descriptor) ==
           (descriptor->last - descriptor->first) * ROWS_ENTRY_BYTES;
}

/* Which entry is the row's; ENTRY_NONE when it has none. */
static edb_status find_entry(struct store_section *section, uint64_t row, struct rows_copy *copy,
                             uint64_t *index_out)
{
    struct set group;
    struct set word = {0};
    *index_out = row - section->descriptor.first;
    if (is_dense(&section->descriptor))
        return EDB_OK;
    edb_status status = read_group(section, row, copy, &group);
    if (status == EDB_OK)
        status = read_word(section, row, &group, copy, &word);
    unsigned bit = (unsigned)(row % ROWS_WORD_ROWS);
    *index_out = set_has(&word, bit) ? set_rank(&word, bit) : ENTRY_NONE;
    return status;
}

static edb_status read_entry(struct store_section *section, uint64_t index, struct rows_copy *copy,
                             struct row_place *place_out)
{
    uint64_t from = rows_entries_offset(&section->descriptor);
    const uint8_t *entry = NULL;
    if (index < section->descriptor.body_bytes / ROWS_ENTRY_BYTES)
        entry = rows_bytes_at(section, from + index * ROWS_ENTRY_BYTES, ROWS_ENTRY_BYTES,
                              copy ? &copy->entries : NULL);
    else
        atomic_store(&section->lost, true);
    if (entry == NULL)
        return rows_section_damaged(section);
    rows_decode_place(entry, place_out);
    return EDB_OK;
}

static edb_status find_in_section(const struct rows *rows, uint64_t row, struct rows_copy *copy,
                                  struct row_place *place_out)
{
    struct store_section *section = covering_section(rows, row);
    uint64_t index;
    if (section == NULL)
        return EDB_NOT_FOUND;
    edb_status status = find_entry(section, row, copy, &index);
    if (status == EDB_OK && index == ENTRY_NONE)
        return EDB_NOT_FOUND;
    return status == EDB_OK ? read_entry(section, index, copy, place_out) : status;
}

edb_status rows_place(const struct rows *rows, uint64_t row, struct row_place *place_out)
{
    return rows_place_copied(rows, row, NULL, place_out);
}

edb_status rows_place_copied(const struct rows *rows, uint64_t row, struct rows_copy *copy,
                             struct row_place *place_out)
{
    if (row < rows->tail_first)
        return find_in_section(rows, row, copy, place_out);
    const uint8_t *entry = rows_tail_entry(&rows->tail, row);
    if (entry == NULL)
        return EDB_NOT_FOUND;
    rows_decode_place(entry, place_out);
    return EDB_OK;
}

void rows_lose_place(const struct rows *rows, uint64_t row)
{
    struct store_section *section = row < rows->tail_first ? covering_section(rows, row) : NULL;
    if (section != NULL)
        atomic_store(&section->lost, true);
}

/* Guesses that every row has an entry: a wrong guess costs nothing but the guess. */
void rows_prefetch(const struct rows *rows, uint64_t row)
{
    const struct store_section *section =
        row < rows->tail_first ? covering_section(rows, row) : NULL;
    if (section == NULL)
        return;
    const struct section_descriptor *descriptor = &section->descriptor;
    const uint8_t *entries = section->body + rows_entries_offset(descriptor);
    __builtin_prefetch(entries + (row - descriptor->first) * ROWS_ENTRY_BYTES);
}

/* -------------------------------------------------------------------------------- what is live */

/* The first row from `row` on that may have an entry: whole groups without one are passed over.
 * `limit` when there is none before it. */
static edb_status pass_groups(const struct rows *rows, uint64_t row, uint64_t limit,
                              struct rows_copy *copy, uint64_t *row_out)
{
    while (row < limit) {
        struct store_section *section = row < rows->tail_first ? covering_section(rows, row) : NULL;
        struct set group;
        if (section == NULL) {
            row = rows_tail_next(&rows->tail, row);
            break;
        }
        edb_status status = read_group(section, row, copy, &group);
        if (status != EDB_OK)
            return status;
        if (group.bits >> (row / ROWS_WORD_ROWS % 64) != 0)
            break;
        uint64_t next = (row / ROWS_GROUP_ROWS + 1) * ROWS_GROUP_ROWS;
        row = next < rows_groups_end(&section->descriptor) ? next : section->descriptor.last;
    }
    *row_out = row < limit ? row : limit;
    return EDB_OK;
}

/* Which rows of the word that begins with `row` have an entry. Several sections, and the tail, may
 * share a word. */
static edb_status entry_bits(const struct rows *rows, uint64_t row, struct rows_copy *copy,
                             uint64_t *bits_out)
{
    edb_status status = EDB_OK;
    *bits_out = rows_tail_word(&rows->tail, row);
    for (uint64_t at = row; at < row + ROWS_WORD_ROWS && at < rows->tail_first;) {
        struct store_section *section = covering_section(rows, at);
        struct set group;
        struct set word = {0};
        if (section == NULL)
            break;
        status = read_group(section, at, copy, &group);
        if (status == EDB_OK)
            status = read_word(section, at, &group, copy, &word);
        if (status != EDB_OK)
            break;
        *bits_out |= word.bits;
        at = section->descriptor.last;
    }
    return status;
}

/* The live rows of the word that begins with `first`, as far as they are below `end`. */
static edb_status live_bits(const struct rows *rows, uint64_t first, uint64_t end,
                            struct rows_copy *copy, uint64_t *bits_out)
{
    uint64_t dead = 0;
    edb_status status = entry_bits(rows, first, copy, bits_out);
    if (status == EDB_OK && *bits_out != 0)
        status = rows_dead_word(rows, first, copy ? &copy->dead : NULL, &dead);
    *bits_out &= ~dead;
    if (end - first < ROWS_WORD_ROWS)
        *bits_out &= (1ull << (end - first)) - 1;
    return status;
}

edb_status rows_next_live_copied(const struct rows *rows, uint64_t row, uint64_t end,
                                 struct rows_copy *copy, struct rows_word *out)
{
    *out = (struct rows_word){end, 0};
    while (row < end) {
        uint64_t bits;
        edb_status status = pass_groups(rows, row, end, copy, &row);
        if (status != EDB_OK || row == end)
            return status;
        uint64_t first = row - row % ROWS_WORD_ROWS;
        status = live_bits(rows, first, end, copy, &bits);
        if (status != EDB_OK)
            return status;
        if (bits != 0) {
            *out = (struct rows_word){first, bits};
            return EDB_OK;
        }
        row = first + ROWS_WORD_ROWS;
    }
    return EDB_OK;
}

uint64_t rows_word_next(const struct rows_word *word, uint64_t row)
{
    uint64_t bits = word->bits;
    if (row >= word->first + ROWS_WORD_ROWS)
        return ROW_NONE;
    if (row > word->first)
        bits &= ~0ull << (row - word->first);
    return bits != 0 ? word->first + (uint64_t)__builtin_ctzll(bits) : ROW_NONE;
}

edb_status rows_next_live(const struct rows *rows, uint64_t row, uint64_t end,
                          struct rows_word *out)
{
    return rows_next_live_copied(rows, row, end, NULL, out);
}
