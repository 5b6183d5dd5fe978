/* Where the parts of an .edb file stand, for tests that damage one part and expect something of it.
 * Made from a good file by its own walk over the headers. */
#ifndef EDB_TESTS_CORRUPT_FRAME_MAP_H
#define EDB_TESTS_CORRUPT_FRAME_MAP_H

#include "format/frame.h"
#include "format/genesis.h"

enum { FRAME_MAP_MAX = 256 };

/* What a byte of the file belongs to. */
enum file_part {
    PART_SLOT,    /* the two pages of the slots */
    PART_GENESIS, /* the page of the identity: the bytes in use */
    PART_UNUSED,  /* the rest of that page, between frames, behind the last frame */
    PART_GROUP_HEADER,
    PART_GROUP_PAYLOAD,
    PART_GROUP_VECTORS, /* and the gaps around them */
    PART_SECTION_HEADER,
    PART_SECTION_BODY, /* descriptor, checksums, body */
    PART_CATALOG_HEADER,
    PART_CATALOG_BODY,
    PART_PAD,
};

struct frame_map {
    struct genesis genesis;
    struct frame_header frames[FRAME_MAP_MAX];
    size_t count;
    uint64_t end; /* where the next frame would stand */
};

/* False when the bytes are no good file or there are too many frames. */
bool frame_map_make(const uint8_t *bytes, size_t count, struct frame_map *map);

enum file_part frame_map_part(const struct frame_map *map, uint64_t offset);
const char *frame_map_part_name(enum file_part part);

#endif
