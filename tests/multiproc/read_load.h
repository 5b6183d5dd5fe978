/* A reader that never rests: get, view, get_many, iterate, search, snapshots, by key and by row. It
 * checks the content of all it reads, and that groups are whole, and tells when it saw what. */
#ifndef EDB_TESTS_MULTIPROC_READ_LOAD_H
#define EDB_TESTS_MULTIPROC_READ_LOAD_H

#include <stdint.h>

/* Reads until it is killed. Reports through report_gather. */
_Noreturn void read_load(const char *path, uint64_t seed);

#endif
