/* Rows whose content follows from key and stamp, so that any process can tell whether what it reads
 * was ever written.
 *
 * A stamp is the number of one writing operation and never comes twice. The keys that are written
 * over and over are those of registers: a register is what one operation writes as a whole, one key
 * or a group of four. Beside them every transaction adds one row under a key of its own, to another
 * space, which is never written over. Used by writers, readers and the judge alike. */
#ifndef EDB_TESTS_SUPPORT_STAMPED_ROW_H
#define EDB_TESTS_SUPPORT_STAMPED_ROW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "embedcache.h"

enum {
    STAMPED_DIMS = 32,
    STAMPED_KEY_BYTES = 40,
    STAMPED_TEXT_BYTES = 80,
    REGISTERS = 160,
    REGISTER_KEYS_MAX = 4,
    ADDED = REGISTERS /* in place of a register: a row of the space that only grows */
};

/* Eight registers in a row: four of one key, three groups, one group that all writers share. The
 * others belong to the writer whose turn the eight are. */
uint32_t register_keys(uint32_t reg);
bool register_shared(uint32_t reg);
uint32_t register_owner(uint32_t reg, uint32_t writers);

/* Text of a key; returns its length. Of ADDED the stamp is part, of registers the slot. */
size_t stamped_key(uint32_t reg, uint32_t slot, uint64_t stamp, char key[STAMPED_KEY_BYTES]);

/* The reverse; false when no such key is ever written. */
bool stamped_key_parse(const void *key, size_t bytes, uint32_t *reg, uint32_t *slot,
                       uint64_t *stamp);

void stamped_vector(uint32_t reg, uint32_t slot, uint64_t stamp, float vector[STAMPED_DIMS]);
void stamped_text(uint32_t reg, uint32_t slot, uint64_t stamp, char text[STAMPED_TEXT_BYTES]);

/* Every fourth stamp has metadata. */
bool stamped_has_metadata(uint64_t stamp);
void stamped_metadata(uint64_t stamp, char json[STAMPED_TEXT_BYTES]);

/* The stamp that a vector was made with; false when it is not, bit for bit, a vector of this
 * key. */
bool stamped_vector_read(uint32_t reg, uint32_t slot, const float *vector, uint64_t *stamp);

/* Whether all of a view is what one operation wrote for this key, and which one. */
bool stamped_view_read(const edb_view *view, uint32_t *reg, uint32_t *slot, uint64_t *stamp);

/* The two spaces: the registers', and the one that only grows. */
edb_status stamped_spaces(edb *db, edb_space *spaces_out[2]);

#endif
