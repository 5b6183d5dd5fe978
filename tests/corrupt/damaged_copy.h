/* A simulated file taken out of its machine, to be changed and put into one that boots anew. */
#ifndef EDB_TESTS_CORRUPT_DAMAGED_COPY_H
#define EDB_TESTS_CORRUPT_DAMAGED_COPY_H

#include "corrupt/frame_map.h"
#include "format/section.h"

enum { COPY_BYTES_MAX = 32 << 20 };

struct damaged_copy {
    const char *path;
    uint8_t bytes[COPY_BYTES_MAX];
    uint64_t count;
    struct frame_map map; /* of the good bytes */
};

/* Ends the test when the file is no good one or does not fit. */
void damaged_copy_take(struct damaged_copy *copy, const char *path);

/* The only section of a kind: the offset of its body in the file. Ends the test when there is not
 * exactly one. */
uint64_t damaged_copy_body(const struct damaged_copy *copy, uint16_t kind,
                           struct section_descriptor *descriptor_out);

void damaged_copy_boot(const struct damaged_copy *copy);

#endif
