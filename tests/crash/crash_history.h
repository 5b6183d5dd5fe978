/* What a workload asked for, and what it was told: the reference that crash images are held
 * against. Versions are numbers of operations; a value says of itself which key and version it is.
 * Knows nothing of files. */
#ifndef EDB_TESTS_CRASH_HISTORY_H
#define EDB_TESTS_CRASH_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/format.h"

enum {
    HISTORY_SPACES = 2,
    HISTORY_KEYS = 24, /* of each space */
    HISTORY_OPERATIONS_MAX = 256,
    HISTORY_DIMS_MAX = 160,
    HISTORY_TEXT_BYTES = 32,
    HISTORY_AFTER = 60000, /* version of what is written after the crash; fits any state */
    HISTORY_HEAD_BYTES = GENESIS_OFFSET + 256, /* both slots, and the identity they carry */
};

/* The content after an operation. Version 0: the key is not there. */
struct history_state {
    bool exists; /* the file has its name */
    uint32_t spaces;
    uint16_t version[HISTORY_SPACES][HISTORY_KEYS];
    bool durable;        /* acknowledged as such: this operation and all before it */
    uint64_t generation; /* of the newest slot that was whole on the device then */
};

/* states[n] is the content after operation n; states[0] is nothing at all. */
struct history {
    struct history_state states[HISTORY_OPERATIONS_MAX];
    size_t count;
};

/* Dimensions of a space: one small, one that covers several sectors. */
uint32_t history_dims(uint32_t space);

void history_key(uint32_t space, uint32_t key, char text[HISTORY_TEXT_BYTES]);
void history_vector(uint32_t space, uint32_t key, uint16_t version, float *vector);
/* False when this version has no text. */
bool history_text(uint32_t key, uint16_t version, char text[HISTORY_TEXT_BYTES]);

/* Generation of the newer whole slot among the first bytes of a file; 0 when none is. */
uint64_t history_generation(const uint8_t *file, uint64_t count);

/* Whether some state between the last durable one at or before `acknowledged` and the one after
 * `acknowledged` (which may have been under way) is this content. */
bool history_allows(const struct history *history, uint64_t acknowledged,
                    const struct history_state *found);

#endif
