/* Bytes of a CATALOG. Called by db/ when sections are published and when a file is opened. */
#include "format/catalog.h"

#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/memory.h"

enum {
    AT_VERSION = 0,
    AT_SPACES = 4,
    AT_SECTIONS = 8,
    AT_POSITION = 16,
    AT_CHAIN = 24,
    AT_SEQUENCE = 32,
    AT_LIMITS = 64,
    HEAD_BYTES = 128,
    SPACE_AT_ID = 0,
    SPACE_AT_SPEC_BYTES = 4,
    SPACE_AT_NEXT_ROW = 8,
    SPACE_AT_LIVE = 16,
    SPACE_AT_FIRST_EXPIRY = 24,
    SPACE_AT_CLOCK = 32,
    SPACE_AT_BYTES = 40,
    SPACE_AT_COST = 48,
    SPACE_AT_LEDGER = 56,
    SPACE_AT_SMALL_HAND = 96,
    SPACE_AT_MAIN_HAND = 104,
    SPACE_AT_LIMITS = 112,
    SPACE_HEAD_BYTES = 160,
    SECTION_BYTES = 56,
    CATALOG_VERSION = 1,
};

size_t catalog_bytes(const struct catalog *catalog)
{
    return HEAD_BYTES + (size_t)catalog->space_count * (SPACE_HEAD_BYTES + SPEC_BYTES_MAX) +
           (size_t)catalog->section_count * SECTION_BYTES;
}

static void encode_space(const struct catalog_space *space, uint8_t *at)
{
    store_u32(at + SPACE_AT_ID, space->id);
    store_u64(at + SPACE_AT_NEXT_ROW, space->next_row);
    store_u64(at + SPACE_AT_LIVE, space->live);
    store_u32(at + SPACE_AT_FIRST_EXPIRY, space->first_expiry_s);
    store_u64(at + SPACE_AT_CLOCK, space->clock);
    store_u64(at + SPACE_AT_BYTES, space->account.bytes);
    store_u64(at + SPACE_AT_COST, space->account.cost);
    ledger_encode(&space->ledger, at + SPACE_AT_LEDGER);
    store_u64(at + SPACE_AT_SMALL_HAND, space->small_hand);
    store_u64(at + SPACE_AT_MAIN_HAND, space->main_hand);
    limits_encode(&space->limits, at + SPACE_AT_LIMITS);
    uint32_t spec_bytes = (uint32_t)spec_encode(&space->spec, at + SPACE_HEAD_BYTES);
    store_u32(at + SPACE_AT_SPEC_BYTES, spec_bytes);
}

static void encode_section(const struct catalog_section *section, uint8_t *at)
{
    memset(at, 0, SECTION_BYTES);
    store_u16(at, section->kind);
    store_u32(at + 4, section->space);
    store_u64(at + 8, section->first);
    store_u64(at + 16, section->last);
    store_u64(at + 24, section->offset);
    store_u64(at + 32, section->frame_bytes);
    store_u64(at + 40, section->sequence);
}

void catalog_encode(const struct catalog *catalog, uint8_t *bytes)
{
    memset(bytes, 0, catalog_bytes(catalog));
    store_u32(bytes + AT_VERSION, CATALOG_VERSION);
    store_u32(bytes + AT_SPACES, catalog->space_count);
    store_u32(bytes + AT_SECTIONS, catalog->section_count);
    store_u64(bytes + AT_POSITION, catalog->position);
    store_u64(bytes + AT_CHAIN, catalog->chain);
    store_u64(bytes + AT_SEQUENCE, catalog->sequence);
    limits_encode(&catalog->limits, bytes + AT_LIMITS);
    uint8_t *at = bytes + HEAD_BYTES;
    for (uint32_t i = 0; i < catalog->space_count; i++) {
        encode_space(&catalog->spaces[i], at);
        at += SPACE_HEAD_BYTES + SPEC_BYTES_MAX;
    }
    for (uint32_t i = 0; i < catalog->section_count; i++)
        encode_section(&catalog->sections[i], at + (size_t)i * SECTION_BYTES);
}

static edb_status decode_space(const uint8_t *at, uint32_t index, struct catalog_space *out)
{
    out->id = load_u32(at + SPACE_AT_ID);
    uint32_t spec_bytes = load_u32(at + SPACE_AT_SPEC_BYTES);
    out->next_row = load_u64(at + SPACE_AT_NEXT_ROW);
    out->live = load_u64(at + SPACE_AT_LIVE);
    out->first_expiry_s = load_u32(at + SPACE_AT_FIRST_EXPIRY);
    out->clock = load_u64(at + SPACE_AT_CLOCK);
    out->account = (struct account){.bytes = load_u64(at + SPACE_AT_BYTES),
                                    .cost = load_u64(at + SPACE_AT_COST)};
    ledger_decode(at + SPACE_AT_LEDGER, &out->ledger);
    out->small_hand = load_u64(at + SPACE_AT_SMALL_HAND);
    out->main_hand = load_u64(at + SPACE_AT_MAIN_HAND);
    limits_decode(at + SPACE_AT_LIMITS, &out->limits);
    if (out->id != index + 1 || out->next_row > ROWS_MAX || out->live > out->next_row ||
        spec_bytes > SPEC_BYTES_MAX)
        return fail(EDB_CORRUPT,
                    "a catalog describes space %u as number %u with %llu of %llu rows live and a "
                    "spec of %u bytes",
                    out->id, index + 1, (unsigned long long)out->live,
                    (unsigned long long)out->next_row, spec_bytes);
    return spec_decode(at + SPACE_HEAD_BYTES, spec_bytes, &out->spec);
}

static edb_status decode_section(const uint8_t *at, const struct catalog *catalog,
                                 uint64_t frame_offset, struct catalog_section *out)
{
    out->kind = load_u16(at);
    out->space = load_u32(at + 4);
    out->first = load_u64(at + 8);
    out->last = load_u64(at + 16);
    out->offset = load_u64(at + 24);
    out->frame_bytes = load_u64(at + 32);
    out->sequence = load_u64(at + 40);
    if (out->space == 0 || out->space > catalog->space_count || out->first >= out->last ||
        out->last > catalog->spaces[out->space - 1].next_row || out->offset < FIRST_FRAME_OFFSET ||
        out->offset % FRAME_ALIGN != 0 ||
        !range_within(out->offset, out->frame_bytes, frame_offset))
        return fail(EDB_CORRUPT,
                    "a catalog names a section of space %u, rows %llu to %llu, with %llu bytes at "
                    "%llu, that cannot be",
                    out->space, (unsigned long long)out->first, (unsigned long long)out->last,
                    (unsigned long long)out->frame_bytes, (unsigned long long)out->offset);
    return EDB_OK;
}

static edb_status decode_head(const uint8_t *bytes, size_t count, uint64_t frame_offset,
                              struct catalog *out)
{
    if (count < HEAD_BYTES)
        return fail(EDB_CORRUPT, "a catalog of %zu bytes has no head", count);
    if (load_u32(bytes + AT_VERSION) != CATALOG_VERSION)
        return fail(EDB_CORRUPT, "a catalog of version %u, not %d", load_u32(bytes + AT_VERSION),
                    CATALOG_VERSION);
    out->space_count = load_u32(bytes + AT_SPACES);
    out->section_count = load_u32(bytes + AT_SECTIONS);
    out->position = load_u64(bytes + AT_POSITION);
    out->chain = load_u64(bytes + AT_CHAIN);
    out->sequence = load_u64(bytes + AT_SEQUENCE);
    limits_decode(bytes + AT_LIMITS, &out->limits);
    if (out->space_count > EDB_SPACES_MAX || out->section_count > CATALOG_SECTIONS_MAX ||
        catalog_bytes(out) != count || out->position < FIRST_FRAME_OFFSET ||
        out->position > frame_offset || out->position % FRAME_ALIGN != 0)
        return fail(EDB_CORRUPT,
                    "a catalog of %u spaces and %u sections as of %llu does not fit %zu bytes at "
                    "%llu",
                    out->space_count, out->section_count, (unsigned long long)out->position, count,
                    (unsigned long long)frame_offset);
    return EDB_OK;
}

/* By space, kind and first row: no section is named twice. */
static bool in_order(const struct catalog_section *before, const struct catalog_section *after)
{
    if (before->space != after->space)
        return before->space < after->space;
    if (before->kind != after->kind)
        return before->kind < after->kind;
    return before->first < after->first;
}

static edb_status check_order(const struct catalog *catalog)
{
    for (uint32_t i = 1; i < catalog->section_count; i++)
        if (!in_order(&catalog->sections[i - 1], &catalog->sections[i]))
            return fail(EDB_CORRUPT, "a catalog's sections %u and %u are not in order", i - 1, i);
    return EDB_OK;
}

edb_status catalog_decode(const uint8_t *bytes, size_t count, uint64_t frame_offset,
                          struct catalog *out)
{
    memset(out, 0, sizeof *out);
    edb_status status = decode_head(bytes, count, frame_offset, out);
    if (status != EDB_OK)
        goto out;
    out->spaces = memory_zeroed(out->space_count, sizeof *out->spaces);
    out->sections = memory_zeroed(out->section_count, sizeof *out->sections);
    if (out->spaces == NULL || out->sections == NULL) {
        status = memory_failed(count);
        goto out;
    }
    const uint8_t *at = bytes + HEAD_BYTES;
    for (uint32_t i = 0; i < out->space_count && status == EDB_OK;
         i++, at += SPACE_HEAD_BYTES + SPEC_BYTES_MAX)
        status = decode_space(at, i, &out->spaces[i]);
    for (uint32_t i = 0; i < out->section_count && status == EDB_OK; i++, at += SECTION_BYTES)
        status = decode_section(at, out, frame_offset, &out->sections[i]);
    if (status == EDB_OK)
        status = check_order(out);
out:
    if (status != EDB_OK)
        catalog_close(out);
    return status;
}

void catalog_close(struct catalog *catalog)
{
    memory_free(catalog->spaces);
    memory_free(catalog->sections);
    memset(catalog, 0, sizeof *catalog);
}
