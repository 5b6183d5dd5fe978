/* Slots, identity, frames, groups: the truth of a file. Index sections are in decode_sections.c. */
#include "format/decode_golden.h"

#include <string.h>

#include "format/decode_fields.h"

enum { PUT = 1, DELETE = 2, SPACE = 3, ADVANCE = 4, LIMITS = 5 };
enum { SEALED = 1, BEGIN = 2, COMMIT = 4, CRITICAL = 8, GAPS = 16, MOVES = 32 };
enum { HAS_TEXT = 2, HAS_METADATA = 4, PINNED = 8 };

/* ------------------------------------------------------------------------ what stands in front */

static const char *decode_genesis(struct decoded_file *file)
{
    const uint8_t *genesis = file->bytes + 8192;
    REQUIRE(memcmp(genesis, "EmbCache", 8) == 0, "GENESIS has another magic");
    REQUIRE(u64_at(genesis, 248) == xxh3(genesis, 248, GOLDEN_RATIO),
            "GENESIS has another checksum");
    REQUIRE(u32_at(genesis, 8) == 1, "the version is not 1");
    REQUIRE(u32_at(genesis, 12) == 0, "the shard is not 0");
    REQUIRE(!all_zero(genesis + 16, 16), "the uuid is zero");
    REQUIRE(all_zero(genesis + 32, 24), "a feature bit is set");
    file->hash_seed = u64_at(genesis, 56);
    file->chain_seed = u64_at(genesis, 64);
    file->edition = u64_at(genesis, 88);
    REQUIRE(all_zero(genesis + 72, 16), "the set is not zero");
    REQUIRE(all_zero(genesis + 96, 248 - 96), "unnamed bytes of GENESIS are not zero");
    REQUIRE(all_zero(genesis + 256, 4096 - 256), "bytes behind GENESIS are not zero");
    return NULL;
}

static const char *decode_slot(const struct decoded_file *file, const uint8_t *slot)
{
    REQUIRE(memcmp(slot, "EDBslot1", 8) == 0, "a slot has another magic");
    REQUIRE(memcmp(slot + 8, file->bytes + 8192 + 16, 16) == 0, "a slot has another uuid");
    REQUIRE(u64_at(slot, 248) == xxh3(slot, 248, 0xc2b2ae3d27d4eb4fu),
            "a slot has another checksum");
    REQUIRE(u64_at(slot, 24) == file->chain_seed && u64_at(slot, 32) == file->hash_seed,
            "a slot has other seeds");
    REQUIRE(all_zero(slot + 112, 248 - 112) && all_zero(slot + 256, 4096 - 256),
            "bytes of a slot that no field names are not zero");
    for (int anchor = 48; anchor <= 72; anchor += 24) {
        uint64_t catalog = u64_at(slot, anchor + 8);
        REQUIRE(u64_at(slot, anchor) <= file->end, "an anchor lies behind the end");
        REQUIRE(catalog == 0 || (catalog < u64_at(slot, anchor) &&
                                 u64_at(slot, anchor + 16) == u64_at(file->bytes + catalog, 120)),
                "an anchor does not name its catalog");
    }
    return NULL;
}

static const char *decode_slots(const struct decoded_file *file)
{
    const uint8_t *newest = file->bytes;
    for (int i = 0; i < 2; i++) {
        const uint8_t *slot = file->bytes + 4096 * i;
        const char *wrong = decode_slot(file, slot);
        if (wrong != NULL)
            return wrong;
        if (u64_at(slot, 40) > u64_at(newest, 40))
            newest = slot;
    }
    REQUIRE(u64_at(file->bytes, 40) != u64_at(file->bytes + 4096, 40),
            "the slots are of one generation");
    REQUIRE(u64_at(newest, 48) == file->end && u64_at(newest, 72) == file->end,
            "the newest slot of a closed file does not reach its end");
    REQUIRE(u64_at(newest, 56) == file->catalog && u64_at(newest, 80) == file->catalog,
            "the newest slot has not the newest catalog");
    return NULL;
}

/* ------------------------------------------------------------------------------------- a record */

static const char *decode_string(const uint8_t **at, const uint8_t *end, char out[256])
{
    REQUIRE(end - *at >= 2, "a string is cut off");
    size_t bytes = u16_at(*at, 0);
    REQUIRE(bytes <= 255 && (size_t)(end - *at) >= bytes + 2, "a string is too long");
    memcpy(out, *at + 2, bytes);
    out[bytes] = '\0';
    REQUIRE(strlen(out) == bytes, "a string has a NUL");
    *at += 2 + bytes;
    return NULL;
}

const char *decode_spec(const uint8_t *at, size_t count, struct decoded_space *out)
{
    const uint8_t *end = at + count;
    REQUIRE(count >= 16 && at[0] == 1, "a spec has another version");
    out->metric = at[1];
    out->role = at[2];
    out->element = at[3];
    out->key_form = at[4];
    out->dims = u32_at(at, 8);
    REQUIRE(out->metric <= 2 && out->role <= 2 && out->element == 0 && out->key_form <= 2,
            "a spec has an unknown value");
    REQUIRE(out->dims <= 65536, "a spec has too many dimensions");
    REQUIRE(all_zero(at + 5, 3) && all_zero(at + 12, 4), "unnamed bytes of a spec are not zero");
    const uint8_t *strings = at + 16;
    const char *wrong = decode_string(&strings, end, out->name);
    if (wrong == NULL)
        wrong = decode_string(&strings, end, out->model);
    if (wrong == NULL)
        wrong = decode_string(&strings, end, out->revision);
    REQUIRE(wrong != NULL || strings == end, "a spec is longer than its strings");
    return wrong;
}

/* Where the parts of a record stand, each inside of what holds it. */
static const char *decode_parts(const struct decoded_file *file, const uint8_t *frame,
                                const uint8_t *entry, struct decoded_row *out)
{
    const uint8_t *preamble = frame + 128;
    const uint8_t *heap = preamble + 32 + u32_at(preamble, 4) * u16_at(preamble, 8);
    uint64_t text = entry[1] & HAS_TEXT ? (uint64_t)u32_at(entry, 36) + 1 : 0;
    uint64_t part = u32_at(entry, 4) + text + u32_at(entry, 40);
    REQUIRE(u32_at(entry, 32) + part <= u32_at(preamble, 16), "a record leaves its heap");
    out->entry = entry;
    out->key_form = entry[2];
    out->key = heap + u32_at(entry, 32);
    out->key_bytes = u32_at(entry, 4);
    out->key_hash = u64_at(entry, 8);
    out->has_text = text > 0;
    out->text = out->key + out->key_bytes;
    out->text_bytes = u32_at(entry, 36);
    out->metadata = entry[1] & HAS_METADATA ? out->text + text : NULL;
    out->metadata_bytes = u32_at(entry, 40);
    out->vector = frame + u32_at(entry, 48);
    out->vector_bytes = u32_at(entry, 44);
    REQUIRE(text == 0 || out->text[out->text_bytes] == '\0', "a text has no NUL behind it");
    REQUIRE(text > 0 || out->text_bytes == 0, "a text is not there and has a length");
    uint64_t fields = xxh3(entry, 72, file->chain_seed);
    REQUIRE(u64_at(entry, 72) ==
                (xxh3(out->key, part, file->chain_seed) ^ (fields << 1 | fields >> 63)),
            "a record has another checksum");
    REQUIRE(entry[3] == 0, "unnamed bytes of a record are not zero");
    out->pinned = entry[1] & PINNED;
    out->expiry_s = u32_at(entry, 52);
    out->put_s = u32_at(entry, 56);
    out->cost = u32_at(entry, 60);
    REQUIRE(entry[1] & 1, "a record is not marked critical");
    return NULL;
}

static const char *check_key(const struct decoded_file *file, const struct decoded_space *space,
                             const struct decoded_row *row)
{
    REQUIRE(row->key_form <= 2 && row->key_bytes <= 65536, "a key is too long or of no known form");
    REQUIRE(row->key_form == 0 || row->key_bytes == 32, "a digest has another length");
    REQUIRE(space->key_form == 0 ? row->key_form <= 1 : row->key_form == space->key_form,
            "a key has another form than its space");
    REQUIRE(row->key_hash == xxh3(row->key, row->key_bytes, file->hash_seed + row->key_form),
            "a key has another hash");
    return NULL;
}

/* Whether a GROUP may give this number next. */
static bool may_come(const struct decoded_file *file, const struct decoded_space *space,
                     const struct decoded_row *row, uint64_t number)
{
    bool gaps = u16_at(file->bytes + row->frame, 6) & GAPS;
    return number < DECODED_ROWS && (gaps ? number >= space->next_row : number == space->next_row);
}

static const char *apply_put(struct decoded_file *file, struct decoded_space *space,
                             const struct decoded_row *row)
{
    uint64_t number = u64_at(row->entry, 16);
    uint64_t prior = u64_at(row->entry, 24);
    REQUIRE(may_come(file, space, row, number), "a row has another number");
    REQUIRE(prior == UINT64_MAX || (prior < number && space->rows[prior].live),
            "a row replaces one that is not live");
    REQUIRE(space->dims == 0 || row->vector_bytes == 4 * space->dims,
            "a vector has another length");
    REQUIRE(space->dims == 0 || (row->vector - file->bytes) % 4 == 0, "a vector is not aligned");
    REQUIRE(u64_at(row->entry, 64) ==
                (xxh3(row->vector, row->vector_bytes, file->chain_seed) ^ number * GOLDEN_RATIO),
            "a vector has another checksum");
    if (prior != UINT64_MAX) {
        const struct decoded_row *before = &space->rows[prior];
        REQUIRE(before->key_form == row->key_form && before->key_bytes == row->key_bytes &&
                    memcmp(before->key, row->key, row->key_bytes) == 0,
                "a row replaces one of another key");
        space->rows[prior].live = false;
    }
    space->rows[number] = *row;
    space->rows[number].live = true;
    space->next_row = number + 1;
    return NULL;
}

static const char *apply_advance(struct decoded_file *file, struct decoded_space *space,
                                 const struct decoded_row *row)
{
    uint64_t number = u64_at(row->entry, 16);
    REQUIRE(may_come(file, space, row, number), "the next row has an impossible number");
    REQUIRE(row->key_bytes == 0 && row->key_hash == 0 && row->key_form == 0,
            "an advance has a key");
    REQUIRE(!row->has_text && row->metadata_bytes == 0, "an advance has a text or metadata");
    REQUIRE(u64_at(row->entry, 24) == UINT64_MAX, "an advance has a prior row");
    REQUIRE(row->vector_bytes == 0 && u64_at(row->entry, 64) == 0, "an advance has a vector");
    space->next_row = number;
    file->advances++;
    return NULL;
}

static const char *apply_delete(struct decoded_space *space, const struct decoded_row *row)
{
    uint64_t number = u64_at(row->entry, 16);
    REQUIRE(number < space->next_row && space->rows[number].live, "a deleted row is not live");
    REQUIRE(u64_at(row->entry, 24) == UINT64_MAX, "a delete has a prior row");
    REQUIRE(row->vector_bytes == 0 && u64_at(row->entry, 64) == 0, "a delete has a vector");
    REQUIRE(row->key_hash == space->rows[number].key_hash, "a delete is of another key");
    space->rows[number].live = false;
    return NULL;
}

/* ------------------------------------------------------------------------------------- a group */

static const char *check_preamble(const uint8_t *frame, uint64_t at)
{
    const uint8_t *preamble = frame + 128;
    uint64_t payload = u64_at(frame, 56);
    uint64_t entries = (uint64_t)u32_at(preamble, 4) * u16_at(preamble, 8);
    uint64_t block = u32_at(preamble, 20);
    uint64_t block_bytes = u32_at(preamble, 24);
    REQUIRE(payload >= 32 && u32_at(preamble, 4) > 0, "a group is empty");
    REQUIRE(u16_at(preamble, 8) == 80, "an entry has another length than 80");
    REQUIRE(u16_at(preamble, 10) == 0 && u32_at(preamble, 12) == 0,
            "a codec or dictionary is used");
    REQUIRE(32 + entries + u32_at(preamble, 16) == payload, "a group's lengths do not add up");
    REQUIRE((block == 0) == (block_bytes == 0), "a vector block without bytes, or the reverse");
    REQUIRE(block_bytes == 0 || (block >= 128 + payload && block + block_bytes <= u64_at(frame, 8)),
            "a vector block leaves its frame");
    REQUIRE(block_bytes == 0 || (at + block) % (block_bytes < 65536 ? 64 : 4096) == 0,
            "a vector block is not aligned");
    REQUIRE(block_bytes == 0 || all_zero(frame + 128 + payload, block - 128 - payload),
            "the gap before a vector block is not zero");
    REQUIRE(u32_at(preamble, 28) == 0, "unnamed bytes of a preamble are not zero");
    return NULL;
}

static const char *apply_space(struct decoded_file *file, const uint8_t *frame)
{
    struct decoded_row row = {0};
    const uint8_t *preamble = frame + 128;
    const char *wrong = decode_parts(file, frame, preamble + 32, &row);
    if (wrong != NULL)
        return wrong;
    REQUIRE(u32_at(preamble, 4) == 1, "a space record does not stand alone");
    REQUIRE(u32_at(preamble, 0) == file->space_count + 1 && file->space_count < DECODED_SPACES,
            "a space has another id than the next");
    REQUIRE(u64_at(row.entry, 16) == 0 && u64_at(row.entry, 24) == UINT64_MAX,
            "a space record has rows");
    return decode_spec(row.key, row.key_bytes, &file->spaces[file->space_count++]);
}

static const char *apply_limits(struct decoded_file *file, const uint8_t *frame)
{
    struct decoded_row row = {0};
    const uint8_t *preamble = frame + 128;
    const char *wrong = decode_parts(file, frame, preamble + 32, &row);
    if (wrong != NULL)
        return wrong;
    uint32_t space = u32_at(preamble, 0);
    REQUIRE(u32_at(preamble, 4) == 1, "limits do not stand alone");
    REQUIRE(space <= file->space_count, "limits are of no known space");
    REQUIRE(row.key_bytes == 24 && row.key[7] == 0, "limits have another length");
    REQUIRE(row.key[4] <= 2 && row.key[5] <= 1 && row.key[6] <= 99, "limits have unknown values");
    memcpy(space == 0 ? file->limits : file->spaces[space - 1].limits, row.key, 24);
    return NULL;
}

/* The list of a NOTE: numbers in groups of seven bits, low ones first; no policy of these files has
 * another order than that of the rows. */
static const char *check_uses(const struct decoded_space *space, const uint8_t *at,
                              const uint8_t *end, uint32_t rows)
{
    uint64_t row = 0;
    for (uint32_t i = 0; i < rows; i++) {
        uint64_t number = 0;
        unsigned shift = 0;
        do {
            REQUIRE(at < end && shift < 63, "the list of a note is cut off");
            number |= (uint64_t)(*at & 127) << shift;
            shift += 7;
        } while (*at++ & 128);
        row += number / 8;
        REQUIRE((number & 4) == 0, "a note goes back");
        REQUIRE(number % 4 > 0 && (i == 0 || number / 8 > 0), "a note repeats a row");
        REQUIRE(row < space->next_row, "a note is of a row that is not there");
    }
    REQUIRE(at == end, "the list of a note has another length");
    return NULL;
}

static const char *take_note(struct decoded_file *file, uint64_t at)
{
    const uint8_t *payload = file->bytes + at + 128;
    const uint8_t *part = payload + 8;
    REQUIRE(u32_at(payload, 0) == 1, "a note has another version");
    for (uint32_t i = 0; i < u32_at(payload, 4); i++) {
        uint32_t id = u32_at(part, 0);
        REQUIRE(id >= 1 && id <= file->space_count, "a note is of no known space");
        struct decoded_space *space = &file->spaces[id - 1];
        const uint8_t *list = part + 56;
        for (int count = 0; count < 4; count++)
            space->counts[count] += u64_at(part, 16 + 8 * count);
        REQUIRE(u32_at(part, 12) == 0 && u64_at(part, 48) == 0, "a note has unnamed bytes");
        const char *wrong = check_uses(space, list, list + u32_at(part, 8), u32_at(part, 4));
        if (wrong != NULL)
            return wrong;
        part = list + u32_at(part, 8);
    }
    REQUIRE(part == payload + u64_at(file->bytes + at, 56), "a note has another length");
    return NULL;
}

static const char *apply_group(struct decoded_file *file, uint64_t at)
{
    const uint8_t *frame = file->bytes + at;
    const uint8_t *preamble = frame + 128;
    const uint8_t *vector = frame + u32_at(preamble, 20);
    const char *wrong = check_preamble(frame, at);
    if (wrong != NULL || preamble[32] == SPACE)
        return wrong != NULL ? wrong : apply_space(file, frame);
    if (preamble[32] == LIMITS)
        return apply_limits(file, frame);
    REQUIRE(u32_at(preamble, 0) >= 1 && u32_at(preamble, 0) <= file->space_count,
            "a group is of no known space");
    struct decoded_space *space = &file->spaces[u32_at(preamble, 0) - 1];
    for (uint32_t i = 0; i < u32_at(preamble, 4) && wrong == NULL; i++) {
        struct decoded_row row = {.frame = at, .index = i};
        wrong = decode_parts(file, frame, preamble + 32 + 80 * i, &row);
        if (wrong == NULL && row.entry[0] == ADVANCE) {
            wrong = apply_advance(file, space, &row);
            continue;
        }
        if (wrong == NULL)
            wrong = check_key(file, space, &row);
        if (wrong != NULL)
            break;
        REQUIRE(row.entry[0] == PUT || row.entry[0] == DELETE, "an operation is unknown");
        if (row.entry[0] == DELETE) {
            wrong = apply_delete(space, &row);
            continue;
        }
        REQUIRE(row.vector == vector, "the vectors of a group do not follow each other");
        vector += row.vector_bytes;
        wrong = apply_put(file, space, &row);
    }
    return wrong;
}

/* ----------------------------------------------------------------------------------- the frames */

static const char *check_header(const struct decoded_file *file, uint64_t at, uint64_t chain,
                                uint64_t sequence)
{
    const uint8_t *frame = file->bytes + at;
    uint64_t frame_bytes = u64_at(frame, 8);
    REQUIRE(memcmp(frame, "EDBF", 4) == 0, "a frame has another magic");
    REQUIRE(u64_at(frame, 120) == xxh3(frame, 120, file->chain_seed), "a header checksum is wrong");
    REQUIRE(frame[4] >= 1 && frame[4] <= 5 && frame[5] == 0, "a frame is of no known type");
    REQUIRE(u16_at(frame, 6) <= 63, "a frame has an unknown flag");
    REQUIRE(frame[4] == 1 || !(u16_at(frame, 6) & GAPS), "a frame that is no group has gaps");
    REQUIRE(frame[4] == 4 || !(u16_at(frame, 6) & MOVES), "a frame that is no pad is the mark");
    REQUIRE(frame_bytes >= 128 && frame_bytes % 64 == 0 && at + frame_bytes <= file->count,
            "a frame has an impossible length");
    REQUIRE(u64_at(frame, 16) == at, "a frame stands at another place than it says");
    REQUIRE(u64_at(frame, 24) == sequence, "a frame has another sequence number");
    REQUIRE(u64_at(frame, 32) & 1, "an epoch is even");
    REQUIRE(u64_at(frame, 40) == chain, "a frame does not follow the one before it");
    REQUIRE(u64_at(frame, 48) <= at, "a frame calls itself synced");
    REQUIRE(u64_at(frame, 56) <= frame_bytes - 128, "a payload leaves its frame");
    REQUIRE(u64_at(frame, 64) == xxh3(frame + 128, u64_at(frame, 56), file->chain_seed + 1),
            "a payload checksum is wrong");
    REQUIRE(all_zero(frame + 72, 48), "unnamed bytes of a header are not zero");
    return NULL;
}

/* A run is applied frame by frame here: the golden file has no run that was abandoned. */
static const char *take_group(struct decoded_file *file, uint64_t at)
{
    uint16_t flags = u16_at(file->bytes + at, 6);
    REQUIRE(flags & CRITICAL, "a group is not marked critical");
    REQUIRE(((flags & BEGIN) != 0) == !file->in_transaction, "a transaction begins in another");
    file->in_transaction = !(flags & COMMIT);
    return apply_group(file, at);
}

static const char *take_frame(struct decoded_file *file, uint64_t at)
{
    const uint8_t *frame = file->bytes + at;
    file->frames[frame[4]]++;
    file->sealed += u16_at(frame, 6) & SEALED;
    if (u64_at(frame, 48) > file->synced_to)
        file->synced_to = u64_at(frame, 48);
    switch (frame[4]) {
    case 1:
        return take_group(file, at);
    case 2:
        return decode_section(file, at);
    case 3:
        file->catalog = at;
        return decode_catalog(file, at);
    case 5:
        return take_note(file, at);
    default:
        REQUIRE(u64_at(frame, 8) == 128 && u64_at(frame, 56) == 0, "a pad holds something");
        return NULL;
    }
}

static const char *walk(struct decoded_file *file)
{
    uint64_t at = 12288;
    uint64_t sequence = 1;
    uint64_t chain = xxh3(file->bytes + 8192 + 16, 16, file->chain_seed);
    while (at + 128 <= file->count && !all_zero(file->bytes + at, 128)) {
        const uint8_t *frame = file->bytes + at;
        const char *wrong = check_header(file, at, chain, sequence);
        if (wrong == NULL)
            wrong = take_frame(file, at);
        if (wrong != NULL)
            return wrong;
        uint64_t end = at + u64_at(frame, 8);
        chain = u64_at(frame, 120);
        sequence++;
        at = u16_at(frame, 6) & SEALED ? (end + 4095) / 4096 * 4096 : end;
        REQUIRE(all_zero(file->bytes + end, at - end), "bytes between frames are not zero");
    }
    file->end = at;
    REQUIRE(!file->in_transaction, "a transaction has no end");
    REQUIRE(file->count >= at + 4096 && all_zero(file->bytes + at, file->count - at),
            "there is no zero page behind the end");
    return NULL;
}

const char *decode_golden(const uint8_t *bytes, size_t count, struct decoded_file *out)
{
    memset(out, 0, sizeof *out);
    out->bytes = bytes;
    out->count = count;
    REQUIRE(count >= 16384, "the file is too short");
    const char *wrong = decode_genesis(out);
    if (wrong == NULL)
        wrong = walk(out);
    return wrong != NULL ? wrong : decode_slots(out);
}
