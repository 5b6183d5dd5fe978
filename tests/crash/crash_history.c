/* Values and states of the reference. Called by the workload, which writes it, and the check, which
 * compares. */
#include "crash/crash_history.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "format/slot.h"

enum { AT_EDITION = 88 }; /* in GENESIS */

uint32_t history_dims(uint32_t space)
{
    return space == 0 ? 6 : HISTORY_DIMS_MAX;
}

void history_key(uint32_t space, uint32_t key, char text[HISTORY_TEXT_BYTES])
{
    snprintf(text, HISTORY_TEXT_BYTES, "space %u key %u", space, key);
}

/* The first element is the version itself; the others tell every key and version apart. */
void history_vector(uint32_t space, uint32_t key, uint16_t version, float *vector)
{
    uint32_t state = (space + 1) * 2654435761u + (key + 1) * 40503u + version * 97u;
    vector[0] = (float)version;
    for (uint32_t i = 1; i < history_dims(space); i++) {
        state = state * 1664525u + 1013904223u;
        vector[i] = (float)(state >> 8);
    }
}

bool history_text(uint32_t key, uint16_t version, char text[HISTORY_TEXT_BYTES])
{
    snprintf(text, HISTORY_TEXT_BYTES, "text %u of version %u", key, version);
    return (key + version) % 2 == 0;
}

uint64_t history_generation(const uint8_t *file, uint64_t count)
{
    uint64_t newest = 0;
    if (count < HISTORY_HEAD_BYTES)
        return 0;
    for (int i = 0; i < 2; i++) {
        struct slot slot;
        const uint8_t *uuid = file + GENESIS_OFFSET + 16;
        if (slot_decode(file + SLOT_OFFSET(i), uuid, &slot) && slot.generation > newest)
            newest = slot.generation;
    }
    uint64_t edition = load_u64(file + GENESIS_OFFSET + AT_EDITION);
    return edition << 32 | newest;
}

static bool same_content(const struct history_state *state, const struct history_state *found)
{
    if (state->exists != found->exists || state->spaces != found->spaces)
        return false;
    for (uint32_t s = 0; s < HISTORY_SPACES; s++)
        for (uint32_t k = 0; k < HISTORY_KEYS; k++)
            if (found->version[s][k] != state->version[s][k] &&
                found->version[s][k] != HISTORY_AFTER)
                return false;
    return true;
}

bool history_allows(const struct history *history, uint64_t acknowledged,
                    const struct history_state *found)
{
    size_t last = acknowledged + 1 < history->count ? (size_t)acknowledged + 1 : history->count - 1;
    for (size_t n = last;; n--) {
        if (same_content(&history->states[n], found))
            return true;
        if (n == 0 || (n <= acknowledged && history->states[n].durable))
            return false;
    }
}
