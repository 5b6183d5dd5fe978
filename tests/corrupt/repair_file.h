/* Making a damaged file look undamaged: every checksum and every link of the chain is computed
 * again over whatever the bytes say now. What is left to the library then are its bounds. */
#ifndef EDB_TESTS_CORRUPT_REPAIR_FILE_H
#define EDB_TESTS_CORRUPT_REPAIR_FILE_H

#include "corrupt/frame_map.h"
#include "format/slot.h"

/* What a hostile file is made from. The headers may be changed before they are written. */
struct hostile_file {
    const struct frame_map *map; /* of the good file */
    uint8_t *bytes;
    size_t count;
    struct frame_header frames[FRAME_MAP_MAX];
    bool touched[FRAME_MAP_MAX]; /* the frame's payload or body was changed */
    struct slot slots[2];
    bool keep_chain; /* of catalogs: a mutation is about it */
};

/* Begins with a copy of the good bytes. */
void hostile_file_begin(struct hostile_file *file, const struct frame_map *map, const uint8_t *good,
                        uint8_t *bytes, size_t count);

/* Computes everything again: records and blocks of touched frames, payloads, headers, the chain,
 * what catalogs say of it, the slots. */
void hostile_file_repair(struct hostile_file *file);

#endif
