/* Index sections and catalogs, held against the rows that the groups gave. */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <string.h>

#include "format/decode_fields.h"

enum { KEYS = 1, ROWS = 2, DEAD = 3, USES = 4 };
enum { S3_FIFO = 0, LRU = 1 };

uint64_t xxh3(const void *bytes, uint64_t count, uint64_t seed)
{
    return XXH3_64bits_withSeed(bytes, count, seed);
}

/* A section, taken apart. */
struct parts {
    uint16_t kind;
    uint32_t space;
    uint64_t first;
    uint64_t last;
    const uint8_t *body;
    uint64_t body_bytes;
    uint64_t groups;
    uint64_t words;
};

static struct parts take_apart(const struct decoded_file *file, uint64_t at)
{
    const uint8_t *descriptor = file->bytes + at + 128;
    return (struct parts){.kind = u16_at(descriptor, 0),
                          .space = u32_at(descriptor, 4),
                          .first = u64_at(descriptor, 8),
                          .last = u64_at(descriptor, 16),
                          .body = file->bytes + at + u32_at(descriptor, 48),
                          .body_bytes = u64_at(descriptor, 40),
                          .groups = u32_at(descriptor, 52),
                          .words = u64_at(descriptor, 56)};
}

static const char *check_blocks(const struct decoded_file *file, uint64_t at)
{
    struct parts parts = take_apart(file, at);
    const uint8_t *table = file->bytes + at + 192;
    for (uint64_t i = 0; i * 4096 < parts.body_bytes; i++) {
        uint64_t left = parts.body_bytes - i * 4096;
        uint64_t seed = file->chain_seed ^ (uint64_t)parts.kind << 56 ^
                        (uint64_t)parts.space << 32 ^ parts.first * GOLDEN_RATIO ^ i;
        REQUIRE(u64_at(table, 8 * i) ==
                    xxh3(parts.body + i * 4096, left < 4096 ? left : 4096, seed),
                "a block of a section has another checksum");
    }
    return NULL;
}

const char *decode_section(struct decoded_file *file, uint64_t at)
{
    const uint8_t *frame = file->bytes + at;
    const uint8_t *descriptor = frame + 128;
    uint64_t body_bytes = u64_at(descriptor, 40);
    uint64_t body_offset = u32_at(descriptor, 48);
    uint64_t blocks = (body_bytes + 4095) / 4096;
    file->kinds[u16_at(descriptor, 0) % 5]++;
    REQUIRE(u64_at(frame, 56) == 64, "a section's payload is not its descriptor");
    REQUIRE(u16_at(descriptor, 0) >= KEYS && u16_at(descriptor, 0) <= USES,
            "a section is of no known kind");
    REQUIRE(u16_at(descriptor, 2) == 1, "a section has another version");
    REQUIRE(u64_at(descriptor, 8) < u64_at(descriptor, 16), "a section is of no rows");
    REQUIRE(u64_at(descriptor, 24) >= 12288 && u64_at(descriptor, 24) <= u64_at(descriptor, 32) &&
                u64_at(descriptor, 32) <= at,
            "a section says to be built from what is behind it");
    REQUIRE(body_offset >= 192 + 8 * blocks && body_offset + body_bytes <= u64_at(frame, 8),
            "a section's body leaves its frame");
    REQUIRE((at + body_offset) % (body_bytes < 65536 ? 64 : 4096) == 0,
            "a section's body is not aligned");
    REQUIRE(u16_at(descriptor, 0) == ROWS || all_zero(descriptor + 52, 12),
            "unnamed bytes of a descriptor are not zero");
    return check_blocks(file, at);
}

/* ---------------------------------------------------------------------- what the sections say */

/* Whether the lookup of a key comes by its row. */
static bool bucket_walk_finds(const struct parts *keys, uint64_t hash, uint64_t row)
{
    uint64_t buckets = u64_at(keys->body, 0);
    uint64_t tag = hash >> 32;
    uint64_t bucket = tag * buckets >> 32;
    for (uint64_t left = buckets; left > 0; left--) {
        const uint8_t *at = keys->body + 64 + 64 * bucket;
        for (uint64_t e = 0; e < at[56]; e++)
            if (u32_at(at, 4 * e) == tag && keys->first + u32_at(at, 28 + 4 * e) == row)
                return true;
        if (at[57] != 1)
            return false;
        bucket = (bucket + 1) % buckets;
    }
    return false;
}

static const char *check_keys(const struct parts *keys, const struct decoded_space *space)
{
    uint64_t used = 0;
    REQUIRE(keys->body_bytes == 64 + 64 * u64_at(keys->body, 0), "a key index has other buckets");
    for (uint64_t b = 0; b < u64_at(keys->body, 0); b++) {
        const uint8_t *bucket = keys->body + 64 + 64 * b;
        REQUIRE(bucket[56] <= 7 && bucket[57] <= 1, "a bucket holds too much");
        used += bucket[56];
    }
    REQUIRE(used == u64_at(keys->body, 8), "a key index has other entries than it says");
    for (uint64_t row = keys->first; row < keys->last; row++)
        REQUIRE(!space->rows[row].live || bucket_walk_finds(keys, space->rows[row].key_hash, row),
                "a live row is not in the key index");
    return NULL;
}

/* `count` bits from bit number `from` on, the lowest first; they cross no multiple of 64. */
static uint64_t bits_at(const uint8_t *at, unsigned from, unsigned count)
{
    return u64_at(at, from / 64 * 8) >> (from % 64) & ((1ull << count) - 1);
}

static uint64_t extra_bytes(const struct decoded_row *row)
{
    return (row->has_text ? row->text_bytes + 1u : 0) + row->metadata_bytes;
}

static const char *check_place(const struct decoded_file *file, const uint8_t *at,
                               const struct decoded_row *row)
{
    const uint8_t *frame = file->bytes + row->frame;
    REQUIRE(bits_at(at, 0, 40) * 64 == row->frame && bits_at(at, 64 + 27, 20) == row->index,
            "the row directory names another record");
    REQUIRE(frame + bits_at(at, 64, 27) == row->key && bits_at(at, 40, 17) == row->key_bytes &&
                bits_at(at, 57, 4) == row->key_form,
            "the row directory has another key");
    REQUIRE(bits_at(at, 61, 3) << 1 == (row->entry[1] & 14u), "the row directory has other flags");
    REQUIRE(frame + bits_at(at, 128, 27) == row->vector &&
                bits_at(at, 128 + 27, 26) == row->vector_bytes,
            "the row directory has another vector");
    REQUIRE((bits_at(at, 64 + 47, 17) | bits_at(at, 128 + 53, 11) << 17) == extra_bytes(row),
            "the row directory has other extra bytes");
    REQUIRE(u32_at(at, 24) == row->expiry_s && u32_at(at, 28) == row->cost,
            "the row directory has another expiry or cost");
    return NULL;
}

/* Which of the rows from `first` on, to which bit 0 of a 64-bit set belongs, have an entry; and
 * that the sets count what is before them. */
static const char *next_set(const uint8_t *at, uint64_t *before, uint64_t *bits_out)
{
    *bits_out = u64_at(at, 0);
    REQUIRE(u64_at(at, 8) == *before, "a row directory counts otherwise");
    for (uint64_t bit = 0; bit < 64; bit++)
        *before += *bits_out >> bit & 1;
    return NULL;
}

/* Goes through groups, words and entries in order, as they stand one behind another. */
static const char *check_rows(const struct decoded_file *file, const struct parts *rows,
                              const struct decoded_space *space)
{
    uint64_t groups = rows->groups;
    const uint8_t *word = rows->body + 16 * groups;
    const uint8_t *entry = rows->body + (16 * groups + 16 * rows->words + 63) / 64 * 64;
    uint64_t words = 0;
    uint64_t entries = 0;
    uint64_t group_bits = 0;
    const char *wrong = NULL;
    for (uint64_t row = rows->first / 4096 * 4096; row < rows->last && wrong == NULL; row += 64) {
        uint64_t bits = 0;
        if (row % 4096 == 0)
            group_bits = 0;
        if (row % 4096 == 0 && row / 4096 - rows->first / 4096 < groups)
            wrong =
                next_set(rows->body + 16 * (row / 4096 - rows->first / 4096), &words, &group_bits);
        if (wrong == NULL && group_bits >> row / 64 % 64 & 1) {
            wrong = next_set(word, &entries, &bits);
            word += 16;
            REQUIRE(bits != 0, "a word of a row directory without an entry is stored");
        }
        for (uint64_t i = 0; i < 64 && wrong == NULL; i++) {
            bool inside = row + i >= rows->first && row + i < rows->last;
            bool there = bits >> i & 1;
            REQUIRE(inside || !there, "a row directory has rows of another one");
            REQUIRE(!inside || there || !space->rows[row + i].live, "a live row has no entry");
            if (there && space->rows[row + i].live)
                wrong = check_place(file, entry, &space->rows[row + i]);
            entry += there ? 32 : 0;
        }
    }
    REQUIRE(wrong != NULL || words == rows->words, "a row directory has other words");
    REQUIRE(wrong != NULL || entry == rows->body + rows->body_bytes,
            "a row directory has another length");
    return wrong;
}

static const char *check_dead(const struct parts *dead, const struct decoded_space *space)
{
    REQUIRE(dead->first == 0 && u64_at(dead->body, 0) == dead->last,
            "the bits of dead rows are of other rows");
    REQUIRE(dead->body_bytes == 64 + (dead->last + 7) / 8, "the bits of dead rows are cut off");
    for (uint64_t row = 0; row < dead->last; row++) {
        bool marked = dead->body[64 + row / 8] >> row % 8 & 1;
        bool never_came = space->rows[row].entry == NULL; /* it is gone without a mark */
        REQUIRE(marked == !space->rows[row].live || (never_came && !marked),
                "a row is dead in one place and live in another");
    }
    return NULL;
}

/* Marks of live rows; what they say is nobody's promise. */
static const char *check_marks(const struct parts *uses, const struct decoded_space *space)
{
    uint64_t entries = uses->body_bytes >= 64 ? u64_at(uses->body, 8) : 0;
    uint8_t policy = uses->body_bytes >= 64 ? uses->body[16] : UINT8_MAX;
    uint64_t least = uses->first;
    REQUIRE(uses->first % 65536 == 0 && uses->last - uses->first <= 1ull << 32,
            "marks are of rows that no section of marks has");
    REQUIRE(policy == S3_FIFO || policy == LRU, "marks are of no policy that has any");
    REQUIRE(uses->body_bytes == 64 + 6 * entries && entries > 0, "marks have another length");
    REQUIRE((policy == LRU || u64_at(uses->body, 0) == 0) && all_zero(uses->body + 17, 47),
            "marks have another head");
    for (uint64_t i = 0; i < entries; i++) {
        const uint8_t *entry = uses->body + 64 + 6 * i;
        uint64_t row = uses->first + u32_at(entry, 0);
        uint16_t mark = u16_at(entry, 4);
        REQUIRE(row >= least && row < uses->last, "marks are not in the order of their rows");
        REQUIRE(space->rows[row].live, "a row that is gone has a mark");
        REQUIRE(policy == LRU ? mark < 1 << 14 : mark != 0 && (mark & ~0xf7) == 0,
                "a mark says what none says");
        least = row + 1;
    }
    return NULL;
}

/* ---------------------------------------------------------------------------------- the catalog */

/* What the live rows take and cost. */
static const char *check_account(const struct decoded_space *space, const uint8_t *at)
{
    uint64_t bytes = 0;
    uint64_t cost = 0;
    for (uint64_t i = 0; i < space->next_row; i++) {
        const struct decoded_row *row = &space->rows[i];
        if (!row->live)
            continue;
        bytes += 80 + 48 + row->key_bytes + extra_bytes(row) + row->vector_bytes;
        cost += row->cost;
    }
    REQUIRE(u64_at(at, 40) == bytes && u64_at(at, 48) == cost, "a catalog has another account");
    return NULL;
}

/* What a catalog says of a space beside its rows. */
static const char *check_counts(const struct decoded_file *file, const struct decoded_space *space,
                                const uint8_t *at)
{
    bool first = file->edition == 0; /* later ones carry on what was counted before */
    for (int count = 0; count < 4; count++)
        REQUIRE(first ? u64_at(at, 56 + 8 * count) == space->counts[count]
                      : u64_at(at, 56 + 8 * count) >= space->counts[count],
                "a catalog has another ledger");
    REQUIRE(memcmp(at + 112, space->limits, 24) == 0, "a catalog has other limits");
    REQUIRE(space->limits[4] == LRU || u64_at(at, 32) == 0, "a catalog has another clock");
    REQUIRE(all_zero(at + 28, 4) && all_zero(at + 136, 24),
            "unnamed bytes of a space in a catalog are not zero");
    return check_account(space, at);
}

/* 0 is never. */
static uint32_t earlier(uint32_t a, uint32_t b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

static const char *check_spaces(const struct decoded_file *file, const uint8_t *payload)
{
    REQUIRE(u32_at(payload, 4) == file->space_count, "a catalog has other spaces");
    for (uint32_t i = 0; i < file->space_count; i++) {
        const uint8_t *at = payload + 128 + 952 * i;
        const struct decoded_space *space = &file->spaces[i];
        struct decoded_space there = {.next_row = u64_at(at, 8)};
        uint64_t live = 0;
        uint32_t first_expiry_s = 0;
        const char *wrong = decode_spec(at + 160, u32_at(at, 4), &there);
        if (wrong != NULL)
            return wrong;
        for (uint64_t row = 0; row < space->next_row; row++)
            live += space->rows[row].live;
        for (uint64_t row = 0; row < space->next_row; row++)
            first_expiry_s = earlier(first_expiry_s, space->rows[row].expiry_s);
        REQUIRE(u32_at(at, 0) == i + 1, "a catalog numbers its spaces otherwise");
        REQUIRE(u64_at(at, 8) == space->next_row && u64_at(at, 16) == live,
                "a catalog counts other rows");
        REQUIRE(u32_at(at, 24) == first_expiry_s, "a catalog has another first expiry");
        REQUIRE(strcmp(there.name, space->name) == 0 && strcmp(there.model, space->model) == 0 &&
                    strcmp(there.revision, space->revision) == 0 && there.dims == space->dims &&
                    there.metric == space->metric && there.role == space->role &&
                    there.key_form == space->key_form,
                "a catalog describes another space");
        wrong = check_counts(file, space, at);
        if (wrong != NULL)
            return wrong;
    }
    return NULL;
}

/* How far the sections of one kind reach, as they come in order. */
struct reach {
    uint64_t keys[DECODED_SPACES];
    uint64_t rows[DECODED_SPACES];
    uint64_t uses[DECODED_SPACES];
};

static const char *check_entry(const struct decoded_file *file, const uint8_t *entry,
                               uint64_t before, struct reach *reach)
{
    uint64_t at = u64_at(entry, 24);
    REQUIRE(at >= 12288 && at < before && file->bytes[at + 4] == 2, "a catalog names no section");
    struct parts parts = take_apart(file, at);
    REQUIRE(u64_at(file->bytes + at, 8) == u64_at(entry, 32) &&
                u64_at(file->bytes + at, 24) == u64_at(entry, 40),
            "a catalog names another frame");
    REQUIRE(u16_at(entry, 0) == parts.kind && u32_at(entry, 4) == parts.space &&
                u64_at(entry, 8) == parts.first && u64_at(entry, 16) == parts.last,
            "a catalog says something else than its section");
    REQUIRE(parts.space >= 1 && parts.space <= file->space_count, "a section is of no known space");
    const struct decoded_space *space = &file->spaces[parts.space - 1];
    REQUIRE(parts.last <= space->next_row, "a section covers rows that are not there");
    if (parts.kind == DEAD)
        return check_dead(&parts, space);
    if (parts.kind == USES) {
        REQUIRE(parts.first >= reach->uses[parts.space - 1], "sections of marks overlap");
        reach->uses[parts.space - 1] = parts.last;
        return check_marks(&parts, space);
    }
    uint64_t *covered =
        parts.kind == KEYS ? &reach->keys[parts.space - 1] : &reach->rows[parts.space - 1];
    REQUIRE(*covered == parts.first, "sections leave a gap");
    *covered = parts.last;
    return parts.kind == KEYS ? check_keys(&parts, space) : check_rows(file, &parts, space);
}

/* Space, kind and first row of an entry, in that order. */
static bool ascends(const uint8_t *before, const uint8_t *after)
{
    if (u32_at(before, 4) != u32_at(after, 4))
        return u32_at(before, 4) < u32_at(after, 4);
    if (u16_at(before, 0) != u16_at(after, 0))
        return u16_at(before, 0) < u16_at(after, 0);
    return u64_at(before, 8) < u64_at(after, 8);
}

static const char *check_position(const struct decoded_file *file, uint64_t at)
{
    const uint8_t *payload = file->bytes + at + 128;
    uint64_t position = u64_at(payload, 16);
    REQUIRE(position >= 12288 && position <= at, "a catalog's position lies behind it");
    REQUIRE(u64_at(file->bytes + position, 40) == u64_at(payload, 24) &&
                u64_at(file->bytes + position, 24) == u64_at(payload, 32),
            "a catalog's position has another chain or sequence");
    REQUIRE(u32_at(payload, 0) == 1, "a catalog has another version");
    REQUIRE(memcmp(payload + 64, file->limits, 24) == 0, "a catalog has other limits of the file");
    REQUIRE(all_zero(payload + 12, 4) && all_zero(payload + 40, 24) && all_zero(payload + 88, 40),
            "unnamed bytes of a catalog are not zero");
    return NULL;
}

const char *decode_catalog(const struct decoded_file *file, uint64_t at)
{
    struct reach reach = {{0}, {0}, {0}};
    const uint8_t *payload = file->bytes + at + 128;
    uint64_t spaces = u32_at(payload, 4);
    uint64_t sections = u32_at(payload, 8);
    const uint8_t *entries = payload + 128 + 952 * spaces;
    REQUIRE(u64_at(file->bytes + at, 56) == 128 + 952 * spaces + 56 * sections,
            "a catalog has another length");
    const char *wrong = check_position(file, at);
    if (wrong == NULL)
        wrong = check_spaces(file, payload);
    for (uint64_t i = 0; i < sections && wrong == NULL; i++) {
        REQUIRE(i == 0 || ascends(entries + 56 * (i - 1), entries + 56 * i),
                "a catalog's sections are not in order");
        wrong = check_entry(file, entries + 56 * i, at, &reach);
    }
    for (uint32_t i = 0; i < spaces && wrong == NULL; i++)
        REQUIRE(reach.keys[i] == file->spaces[i].next_row &&
                    reach.rows[i] == file->spaces[i].next_row,
                "sections do not cover all rows");
    return wrong;
}
