/* CATALOG: which spaces there are, and which sections are worth using. Derived: a walk over the
 * GROUPs rebuilds it. */
#ifndef EDB_FORMAT_CATALOG_H
#define EDB_FORMAT_CATALOG_H

#include "base/status.h"
#include "format/limits.h"
#include "format/note.h"
#include "format/spec.h"

#define CATALOG_SECTIONS_MAX 65536u

/* What the live rows of a space take and cost. */
struct account {
    uint64_t bytes; /* records, vectors and their index */
    uint64_t cost;
};

struct catalog_space {
    uint32_t id; /* 1 for the first space, then one more each */
    uint64_t next_row;
    uint64_t live;
    uint32_t first_expiry_s; /* no row expires before it; 0: none ever does */
    struct account account;
    struct ledger ledger;
    uint64_t clock; /* of the eviction policy, as the hands */
    uint64_t small_hand;
    uint64_t main_hand;
    struct limits limits;
    struct spec spec;
};

struct catalog_section {
    uint16_t kind;
    uint32_t space;
    uint64_t first; /* rows covered: [first, last) */
    uint64_t last;
    uint64_t offset; /* of its frame */
    uint64_t frame_bytes;
    uint64_t sequence;
};

/* State of the file at `position`: what the frames before it amount to. A walk goes on from
 * there. */
struct catalog {
    uint64_t position;
    uint64_t chain;
    uint64_t sequence;
    struct limits limits; /* of the file */
    struct catalog_space *spaces;
    uint32_t space_count;
    struct catalog_section *sections;
    uint32_t section_count;
};

/* Bytes that catalog_encode needs. */
size_t catalog_bytes(const struct catalog *catalog);
void catalog_encode(const struct catalog *catalog, uint8_t *bytes);

/* Everything is checked against each other and `frame_offset`. library-owned: catalog_close.
 * EDB_CORRUPT, EDB_FORMAT, EDB_NO_MEMORY. */
edb_status catalog_decode(const uint8_t *bytes, size_t count, uint64_t frame_offset,
                          struct catalog *out);
void catalog_close(struct catalog *catalog);

#endif
