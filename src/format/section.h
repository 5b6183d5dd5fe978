/* SECTION: derived data about rows [first, last) of a space, in blocks that are each verified when
 * first touched.
 *
 *   frame  | header 128 | descriptor 64 | checksum a block, 8 bytes each | gap | body |
 *                       <--- payload -->
 *
 * The checksum table guards itself: a wrong entry drops the section. */
#ifndef EDB_FORMAT_SECTION_H
#define EDB_FORMAT_SECTION_H

#include "base/status.h"
#include "format/format.h"

#define SECTION_DESCRIPTOR_BYTES 64u
#define SECTION_BLOCK_BYTES 4096u

enum section_kind {
    SECTION_KEYS = 1, /* hash of a key -> row */
    SECTION_ROWS = 2, /* row -> where its record stands */
    SECTION_DEAD = 3, /* rows that are gone */
    SECTION_USES = 4, /* marks of rows, for eviction */
};

/* A section of marks begins at a multiple of the one, and is of the other at most. */
#define USES_FIRST_ROWS (1u << 16)
#define USES_ROWS_MAX (1ull << 32)

struct section_descriptor {
    uint16_t kind;
    uint16_t version; /* of the body's layout */
    uint32_t space;
    uint64_t first; /* rows covered: [first, last) */
    uint64_t last;
    uint64_t from; /* the records of these rows stand in frames of [from, to): where to rebuild it
                      from */
    uint64_t to;
    uint64_t body_bytes;
    uint32_t body_offset; /* from the frame's start */
    uint32_t groups;      /* ROWS: of 4,096 rows, in the body; else 0 */
    uint64_t words;       /* ROWS: of 64 rows, in the body; else 0 */
};

void section_encode(const struct section_descriptor *descriptor,
                    uint8_t bytes[SECTION_DESCRIPTOR_BYTES]);

/* EDB_CORRUPT when the lengths contradict the frame's. */
edb_status section_decode(const uint8_t *bytes, uint64_t payload_bytes, uint64_t frame_bytes,
                          struct section_descriptor *out);

uint64_t section_blocks(uint64_t body_bytes);

/* Lays out a section that starts at file offset `at`: fills body_offset, returns the frame's
 * length. */
uint64_t section_layout(struct section_descriptor *descriptor, uint64_t at);

/* Checksum of block `index`, bound to its section and place. */
uint64_t section_block_checksum(const struct section_descriptor *descriptor, uint64_t index,
                                const uint8_t *block, size_t bytes, uint64_t chain_seed);

#endif
