/* One read-only file in memory, as a table of os.h, for tests that damage a file and open it a
 * hundred thousand times: nothing is copied, nothing is opened, and a look past the end of the file
 * is a SIGBUS, as in a real mapping. Any path names it; only reading is possible. One thread. */
#ifndef EDB_TESTS_SUPPORT_MEMORY_FILE_H
#define EDB_TESTS_SUPPORT_MEMORY_FILE_H

#include "os/os.h"

extern const struct os_io memory_file;

/* Makes the file from these bytes; os_use(&memory_file) is the caller's to do. False when the
 * system refused the memory. */
bool memory_file_begin(const void *bytes, size_t count);
void memory_file_end(void);

/* The file's bytes, for the test to change. They stay where they are. */
uint8_t *memory_file_bytes(void);

/* Cuts the file, or lengthens it with zeros. */
void memory_file_resize(size_t count);

/* The boot that the library believes to be in. */
void memory_file_set_boot_id(const uint8_t id[16]);

/* How many handles are open: 0 after every edb_close. */
size_t memory_file_open_count(void);

#endif
