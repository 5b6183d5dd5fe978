/* Sections in use: opened by their header alone, read in place, each 4 KiB block verified when
 * first touched in this process, and again when it is copied into a new section. A block that does
 * not verify loses the section: its owner rebuilds what it said from the GROUPs. */
#ifndef EDB_STORE_STORE_SECTION_H
#define EDB_STORE_STORE_SECTION_H

#include "format/catalog.h"
#include "format/section.h"
#include "store/store.h"

struct store_section {
    struct section_descriptor descriptor;
    struct catalog_section entry; /* as the catalog names it */
    const uint8_t *body;
    const uint8_t *table; /* checksums of the blocks */
    uint64_t chain_seed;
    _Atomic uint8_t *verified; /* one bit a block */
    _Atomic bool lost;
    _Atomic uint32_t users;
};

/* Checks the header and the descriptor; touches no other byte. EDB_CORRUPT: the frame at
 * entry->offset is not the section that `entry` means. EDB_IO, EDB_NO_MEMORY. */
edb_status store_section_open(struct store *store, const struct catalog_section *entry,
                              struct store_section **section_out);

/* One more user of an open section; each closes it once. */
struct store_section *store_section_share(struct store_section *section);

/* NULL is allowed. */
void store_section_close(struct store_section *section);

/* Verifies the blocks of [offset, offset + count), which lies in the body. False, and the section
 * is lost, if one is damaged. */
bool store_section_verify(struct store_section *section, uint64_t offset, size_t count);

/* Whether every block of [offset, offset + count) has been verified. `count` is at most a block. */
static inline bool store_section_verified(const struct store_section *section, uint64_t offset,
                                          size_t count)
{
    uint64_t first = offset / SECTION_BLOCK_BYTES;
    uint64_t last = (offset + count - 1) / SECTION_BLOCK_BYTES;
    uint8_t a = atomic_load_explicit(&section->verified[first / 8], memory_order_relaxed);
    uint8_t b = atomic_load_explicit(&section->verified[last / 8], memory_order_relaxed);
    return (a >> (first % 8) & 1) && (b >> (last % 8) & 1);
}

/* The verified bytes [offset, offset + count) of the body; NULL, and the section is lost, when they
 * lie outside of it or are damaged. `count` is 1 to a block. */
static inline const uint8_t *store_section_at(struct store_section *section, uint64_t offset,
                                              size_t count)
{
    uint64_t body_bytes = section->descriptor.body_bytes;
    if (offset > body_bytes || count > body_bytes - offset) {
        atomic_store(&section->lost, true);
        return NULL;
    }
    if (!store_section_verified(section, offset, count) &&
        !store_section_verify(section, offset, count))
        return NULL;
    return section->body + offset;
}

/* One block of a section in memory, all zero at first. */
struct store_section_copy {
    const struct store_section *section; /* NULL: no block */
    uint64_t index;
    uint8_t block[SECTION_BLOCK_BYTES];
};

/* The bytes [offset, offset + count), which do not cross the end of a block, in a copy that
 * verifies. For whatever goes into a new section: the bytes in the map may have changed since they
 * were verified (a page that was read again from a failing disk), and a new checksum would make
 * damage look whole. NULL, and the section is lost: outside of the body or damaged. Good until the
 * next call. */
const uint8_t *store_section_copy_at(struct store_section_copy *copy, struct store_section *section,
                                     uint64_t offset, size_t count);

/* A section to be written: its body in memory, and room for what the frame needs around it. */
struct store_section_draft {
    struct section_descriptor descriptor;
    uint8_t *body;  /* freed with memory_free by store_section_draft_close; NULL: it is written in
                       parts, see below */
    uint8_t *table; /* checksums of the blocks; NULL: the section is not laid out yet */
    uint64_t frame_bytes;
    uint8_t payload[SECTION_DESCRIPTOR_BYTES];
    struct frame_piece pieces[3];
};

/* Lays the section out for file offset `offset`, computes its checksums, fills the frame and the
 * catalog's entry (whose sequence is the caller's to set). EDB_NO_MEMORY. */
edb_status store_section_draft_lay_out(struct store_section_draft *draft, uint64_t offset,
                                       uint64_t chain_seed, struct frame_draft *frame_out,
                                       struct catalog_section *entry_out);

/* A body that never stands in memory whole. Begun with a descriptor that says how long it will be,
 * for a frame at `offset`, which is where the file ends; then written in parts of whole blocks, but
 * for the end of the last, in any order, each once; then laid out as above. EDB_NO_MEMORY; a part:
 * what store_write_ahead says. */
edb_status store_section_draft_begin(struct store_section_draft *draft, uint64_t offset);
edb_status store_section_draft_write(struct store_section_draft *draft, struct store *store,
                                     uint64_t at, const uint8_t *bytes, size_t count);
void store_section_draft_close(struct store_section_draft *draft);

#endif
