/* The mapping of a file, private to store/. A first segment reaches far past the end of the file,
 * so that it grows in place; when the file outgrows it, further segments are added beside it. The
 * less address space there is, the shorter a segment.
 * Nothing is ever moved: pointers stay good until the last pin is given back (14: no mapping is
 * writable). */
#ifndef EDB_STORE_STORE_MAP_H
#define EDB_STORE_STORE_MAP_H

#include "store/store.h"

edb_status store_map_open(struct store *store);

/* Whether store_map_open would find the address space for a new file: maps and unmaps it. */
edb_status store_map_try(struct os_file *file);

#endif
