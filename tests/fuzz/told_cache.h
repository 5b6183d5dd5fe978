/* Small caches whose content follows from space, key and version, so that whoever reads a record
 * can tell whether it was ever written; and the files of them that fuzzing begins with. */
#ifndef EDB_TESTS_FUZZ_TOLD_CACHE_H
#define EDB_TESTS_FUZZ_TOLD_CACHE_H

#include <stddef.h>
#include <stdint.h>

#include "embedcache.h"

enum { TOLD_SPACES = 4, TOLD_KEYS = 96, TOLD_KEY_BYTES = 8, TOLD_DIMS_MAX = 6 };

extern const char *const told_space_names[TOLD_SPACES];

size_t told_key(int key, char name[TOLD_KEY_BYTES]);

/* Which space has the name, -1 none. */
int told_space(const char *name);

/* NULL when all of the record is what was put under its key in the space, else what is not. */
const char *told_wrong(int space, const edb_view *view);

/* File `number`, from 0, on the simulated machine. Returns its length, 0 behind the last one.
 * Leaves os_posix in use, and the machine as it is. */
size_t told_cache_write(size_t number, uint8_t *file, size_t room);

#endif
