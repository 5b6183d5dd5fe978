/* Content from key and stamp, and back. Called by the loads, the audit and the tests. */
#include "support/stamped_row.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"

enum { STAMP_PART_BITS = 24 };

static const uint32_t stamp_part_mask = (1u << STAMP_PART_BITS) - 1;

uint32_t register_keys(uint32_t reg)
{
    return reg % 8 < 4 ? 1 : REGISTER_KEYS_MAX;
}

bool register_shared(uint32_t reg)
{
    return reg % 8 == 7;
}

uint32_t register_owner(uint32_t reg, uint32_t writers)
{
    return reg / 8 % writers;
}

size_t stamped_key(uint32_t reg, uint32_t slot, uint64_t stamp, char key[STAMPED_KEY_BYTES])
{
    int length = reg == ADDED ? snprintf(key, STAMPED_KEY_BYTES, "added %" PRIu64, stamp)
                              : snprintf(key, STAMPED_KEY_BYTES, "register %u.%u", reg, slot);
    return (size_t)length;
}

bool stamped_key_parse(const void *key, size_t bytes, uint32_t *reg, uint32_t *slot,
                       uint64_t *stamp)
{
    char text[STAMPED_KEY_BYTES], again[STAMPED_KEY_BYTES];
    if (bytes >= sizeof text)
        return false;
    memcpy(text, key, bytes);
    text[bytes] = '\0';
    *slot = 0;
    *stamp = 0;
    if (sscanf(text, "added %" SCNu64, stamp) == 1)
        *reg = ADDED;
    else if (sscanf(text, "register %u.%u", reg, slot) != 2 || *reg >= REGISTERS ||
             *slot >= register_keys(*reg))
        return false;
    return stamped_key(*reg, *slot, *stamp, again) == bytes && strcmp(text, again) == 0;
}

void stamped_vector(uint32_t reg, uint32_t slot, uint64_t stamp, float vector[STAMPED_DIMS])
{
    uint32_t key = reg * REGISTER_KEYS_MAX + slot;
    struct random_source random = {stamp << 12 ^ key};
    vector[0] = (float)key * 0x1p-12f;
    vector[1] = (float)(stamp & stamp_part_mask) * 0x1p-24f;
    vector[2] = (float)(stamp >> STAMP_PART_BITS & stamp_part_mask) * 0x1p-24f;
    for (size_t i = 3; i < STAMPED_DIMS; i++)
        vector[i] = random_signed(&random);
}

bool stamped_vector_read(uint32_t reg, uint32_t slot, const float *vector, uint64_t *stamp)
{
    float expected[STAMPED_DIMS];
    for (size_t i = 1; i < 3; i++)
        if (!(vector[i] >= 0 && vector[i] < 1))
            return false;
    *stamp = (uint64_t)(vector[1] * 0x1p24f) | (uint64_t)(vector[2] * 0x1p24f) << STAMP_PART_BITS;
    stamped_vector(reg, slot, *stamp, expected);
    return memcmp(vector, expected, sizeof expected) == 0;
}

void stamped_text(uint32_t reg, uint32_t slot, uint64_t stamp, char text[STAMPED_TEXT_BYTES])
{
    snprintf(text, STAMPED_TEXT_BYTES, "what operation %" PRIu64 " wrote to %u.%u", stamp, reg,
             slot);
}

bool stamped_has_metadata(uint64_t stamp)
{
    return stamp % 4 == 0;
}

void stamped_metadata(uint64_t stamp, char json[STAMPED_TEXT_BYTES])
{
    snprintf(json, STAMPED_TEXT_BYTES, "{\"stamp\":%" PRIu64 "}", stamp);
}

static bool metadata_is_right(const edb_view *view, uint64_t stamp)
{
    char expected[STAMPED_TEXT_BYTES];
    char *json;
    if (edb_view_metadata_json(view, &json) != EDB_OK)
        return false;
    stamped_metadata(stamp, expected);
    bool right =
        stamped_has_metadata(stamp) ? json != NULL && strcmp(json, expected) == 0 : json == NULL;
    edb_free(json);
    return right;
}

bool stamped_view_read(const edb_view *view, uint32_t *reg, uint32_t *slot, uint64_t *stamp)
{
    char text[STAMPED_TEXT_BYTES];
    uint64_t named;
    if (!stamped_key_parse(view->key, view->key_bytes, reg, slot, &named) ||
        view->vector_bytes != STAMPED_DIMS * sizeof(float) ||
        !stamped_vector_read(*reg, *slot, view->vector, stamp) ||
        (*reg == ADDED && named != *stamp))
        return false;
    stamped_text(*reg, *slot, *stamp, text);
    return view->has_text && view->text_bytes == strlen(text) && strcmp(view->text, text) == 0 &&
           metadata_is_right(view, *stamp);
}

edb_status stamped_spaces(edb *db, edb_space *spaces_out[2])
{
    static const char *const names[2] = {"registers", "added"};
    edb_status status = EDB_OK;
    for (int i = 0; i < 2 && status == EDB_OK; i++) {
        edb_space_spec spec = EDB_SPACE_SPEC_INIT;
        spec.name = names[i];
        spec.model = "stamped";
        spec.dims = STAMPED_DIMS;
        status = edb_space_open(db, &spec, &spaces_out[i]);
    }
    return status;
}
