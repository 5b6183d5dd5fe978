/* Opening, verifying and drafting sections. Called by keys/ and rows/ to read, by db/ to open and
 * write. Knows blocks, not what is in them. */
#include "store/store_section.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/memory.h"

/* Bytes from the frame's start on that are checked when a section is opened. */
enum { HEAD_BYTES = FRAME_HEADER_BYTES + SECTION_DESCRIPTOR_BYTES };

static bool is_meant(const struct catalog_section *entry, const struct frame_header *header,
                     const struct section_descriptor *descriptor)
{
    return header->type == FRAME_SECTION && header->frame_bytes == entry->frame_bytes &&
           header->sequence == entry->sequence && descriptor->kind == entry->kind &&
           descriptor->space == entry->space && descriptor->first == entry->first &&
           descriptor->last == entry->last;
}

/* By a call, not through the map: it costs less than the page fault of a page that may not be
 * needed again. */
static edb_status read_head(struct store *store, const struct catalog_section *entry,
                            struct store_section *section)
{
    uint8_t head[HEAD_BYTES];
    struct os_read read = {entry->offset, head, sizeof head, 0};
    struct frame_header header;
    uint64_t seed = store->genesis.chain_seed;
    edb_status status = store->io->read_batch(store->file, &read, 1);
    if (status != EDB_OK)
        return status;
    if (read.got < sizeof head || !frame_header_decode(head, seed, entry->offset, &header))
        return fail(EDB_CORRUPT, "the index section at %llu has no whole header",
                    (unsigned long long)entry->offset);
    const uint8_t *payload = head + FRAME_HEADER_BYTES;
    status =
        section_decode(payload, header.payload_bytes, header.frame_bytes, &section->descriptor);
    if (status != EDB_OK)
        return status;
    if (frame_payload_checksum(payload, header.payload_bytes, seed) != header.payload_checksum ||
        !is_meant(entry, &header, &section->descriptor))
        return fail(EDB_CORRUPT,
                    "the frame at %llu is not the index section that the catalog means",
                    (unsigned long long)entry->offset);
    return EDB_OK;
}

/* Where the checked parts stand in the map. */
static edb_status find_parts(struct store *store, struct store_section *section)
{
    const uint8_t *frame = store_at(store, section->entry.offset, section->entry.frame_bytes);
    if (frame == NULL)
        return EDB_CORRUPT;
    section->table = frame + HEAD_BYTES;
    section->body = frame + section->descriptor.body_offset;
    return EDB_OK;
}

edb_status store_section_open(struct store *store, const struct catalog_section *entry,
                              struct store_section **section_out)
{
    *section_out = NULL;
    struct store_section *section = memory_zeroed(1, sizeof *section);
    if (section == NULL)
        return memory_failed(sizeof *section);
    atomic_store(&section->users, 1);
    section->entry = *entry;
    section->chain_seed = store->genesis.chain_seed;
    edb_status status = read_head(store, entry, section);
    if (status == EDB_OK)
        status = find_parts(store, section);
    if (status == EDB_OK) {
        size_t bits = (size_t)section_blocks(section->descriptor.body_bytes);
        section->verified = memory_zeroed(bits / 8 + 1, 1);
        if (section->verified == NULL)
            status = memory_failed(bits / 8 + 1);
    }
    if (status != EDB_OK) {
        store_section_close(section);
        return status;
    }
    *section_out = section;
    return EDB_OK;
}

struct store_section *store_section_share(struct store_section *section)
{
    atomic_fetch_add(&section->users, 1);
    return section;
}

void store_section_close(struct store_section *section)
{
    if (section == NULL || atomic_fetch_sub(&section->users, 1) != 1)
        return;
    memory_free((void *)section->verified);
    memory_free(section);
}

static size_t block_bytes(const struct section_descriptor *descriptor, uint64_t index)
{
    uint64_t left = descriptor->body_bytes - index * SECTION_BLOCK_BYTES;
    return left < SECTION_BLOCK_BYTES ? (size_t)left : SECTION_BLOCK_BYTES;
}

/* Whether `block` is what was written as number `index`. One that is not loses the section, also
 * when the block was verified before. */
static bool check_block(struct store_section *section, uint64_t index, const uint8_t *block)
{
    uint64_t expected = load_u64(section->table + 8 * index);
    uint64_t found =
        section_block_checksum(&section->descriptor, index, block,
                               block_bytes(&section->descriptor, index), section->chain_seed);
    uint8_t bit = (uint8_t)(1u << (index % 8));
    if (found == expected) {
        atomic_fetch_or_explicit(&section->verified[index / 8], bit, memory_order_relaxed);
        return true;
    }
    atomic_fetch_and_explicit(&section->verified[index / 8], (uint8_t)~bit, memory_order_relaxed);
    atomic_store(&section->lost, true);
    return false;
}

bool store_section_verify(struct store_section *section, uint64_t offset, size_t count)
{
    uint64_t last = (offset + count - 1) / SECTION_BLOCK_BYTES;
    for (uint64_t index = offset / SECTION_BLOCK_BYTES; index <= last; index++)
        if (!check_block(section, index, section->body + index * SECTION_BLOCK_BYTES))
            return false;
    return true;
}

const uint8_t *store_section_copy_at(struct store_section_copy *copy, struct store_section *section,
                                     uint64_t offset, size_t count)
{
    uint64_t index = offset / SECTION_BLOCK_BYTES;
    if (!range_within(offset, count, section->descriptor.body_bytes)) {
        atomic_store(&section->lost, true);
        return NULL;
    }
    if (copy->section != section || copy->index != index) {
        copy->section = NULL;
        copy->index = index;
        memcpy(copy->block, section->body + index * SECTION_BLOCK_BYTES,
               block_bytes(&section->descriptor, index));
        if (!check_block(section, index, copy->block))
            return NULL;
        copy->section = section;
    }
    return copy->block + offset % SECTION_BLOCK_BYTES;
}

edb_status store_section_draft_begin(struct store_section_draft *draft, uint64_t offset)
{
    draft->frame_bytes = section_layout(&draft->descriptor, offset);
    size_t blocks = (size_t)section_blocks(draft->descriptor.body_bytes);
    draft->table = memory_aligned(blocks * 8);
    return draft->table != NULL ? EDB_OK : memory_failed(blocks * 8);
}

/* The checksums of the blocks of a part of the body. */
static void fill_table(struct store_section_draft *draft, uint64_t at, const uint8_t *bytes,
                       uint64_t count, uint64_t chain_seed)
{
    const struct section_descriptor *descriptor = &draft->descriptor;
    for (uint64_t done = 0; done < count; done += SECTION_BLOCK_BYTES) {
        uint64_t index = (at + done) / SECTION_BLOCK_BYTES;
        store_u64(draft->table + 8 * index,
                  section_block_checksum(descriptor, index, bytes + done,
                                         block_bytes(descriptor, index), chain_seed));
    }
}

edb_status store_section_draft_write(struct store_section_draft *draft, struct store *store,
                                     uint64_t at, const uint8_t *bytes, size_t count)
{
    uint64_t body = store_append_offset(store) + draft->descriptor.body_offset;
    assert(at % SECTION_BLOCK_BYTES == 0 && range_within(at, count, draft->descriptor.body_bytes));
    fill_table(draft, at, bytes, count, store->genesis.chain_seed);
    return store_write_ahead(store, body + at, bytes, count);
}

edb_status store_section_draft_lay_out(struct store_section_draft *draft, uint64_t offset,
                                       uint64_t chain_seed, struct frame_draft *frame_out,
                                       struct catalog_section *entry_out)
{
    struct section_descriptor *descriptor = &draft->descriptor;
    if (draft->table == NULL) {
        edb_status status = store_section_draft_begin(draft, offset);
        if (status != EDB_OK)
            return status;
        fill_table(draft, 0, draft->body, descriptor->body_bytes, chain_seed);
    }
    uint64_t frame_bytes = draft->frame_bytes;
    uint64_t blocks = section_blocks(descriptor->body_bytes);
    section_encode(descriptor, draft->payload);
    draft->pieces[0] =
        (struct frame_piece){FRAME_HEADER_BYTES, draft->payload, sizeof draft->payload};
    draft->pieces[1] = (struct frame_piece){HEAD_BYTES, draft->table, (size_t)blocks * 8};
    draft->pieces[2] =
        (struct frame_piece){descriptor->body_offset, draft->body, (size_t)descriptor->body_bytes};
    *frame_out = (struct frame_draft){.type = FRAME_SECTION,
                                      .offset = offset,
                                      .frame_bytes = frame_bytes,
                                      .payload_bytes = sizeof draft->payload,
                                      .payload = draft->payload,
                                      .pieces = draft->pieces,
                                      .piece_count = 3};
    *entry_out = (struct catalog_section){.kind = descriptor->kind,
                                          .space = descriptor->space,
                                          .first = descriptor->first,
                                          .last = descriptor->last,
                                          .offset = offset,
                                          .frame_bytes = frame_bytes};
    return EDB_OK;
}

void store_section_draft_close(struct store_section_draft *draft)
{
    memory_free(draft->body);
    memory_free(draft->table);
    memset(draft, 0, sizeof *draft);
}
