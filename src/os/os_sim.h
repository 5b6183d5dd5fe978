/* A machine in memory for tests: files, a page cache over a device, one directory, a clock, a power
 * switch.
 *
 * os_sim fills the table of os.h. Everything that a program asks of it is kept in a journal, in
 * order, from which tests/crash builds each state that a crash may leave; such a state is put back
 * with os_sim_begin and os_sim_load and opened like any other file. Nothing here depends on time or
 * chance: one seed, one run.
 *
 * There is one machine in the process and it has one directory: a path is just a name. All calls
 * are thread-safe except begin and end; a mapping may be read while a write changes it, as on a
 * real machine.
 *
 * Not part of the library: built into tests only. */
#ifndef EDB_OS_OS_SIM_H
#define EDB_OS_OS_SIM_H

#include "os/os.h"

enum { OS_SIM_FILES_MAX = 256, OS_SIM_SECTOR_BYTES = 512, OS_SIM_NAME_BYTES = 512 };

#define OS_SIM_CALENDAR_S 1800000000ull /* in January 2027 */
#define OS_SIM_FILE_BYTES_MAX (64ull << 20)

extern const struct os_io os_sim;

/* ---------------------------------------------------------------------------------- the machine */

/* Boots an empty machine: no file, no fault, an empty journal, the boot identity and all randomness
 * from `seed`. Files that are still open from before answer EDB_IO and may be closed. Maps of
 * before are no longer valid. */
void os_sim_begin(uint64_t seed);

/* Gives all memory back. */
void os_sim_end(void);

/* Puts a file on the device before anything runs; it is not in the journal. Numbered from 0 in
 * order of loading. */
void os_sim_load(const char *name, const void *bytes, uint64_t count);

/* What programs see of a file; NULL when there is none. Valid until the machine is asked anything
 * else. */
const uint8_t *os_sim_file(const char *name, uint64_t *count_out);

/* How many files are open: 0 after every handle was closed. */
size_t os_sim_open_files(void);

/* How many files have a name. */
size_t os_sim_named_files(void);

/* The calendar clock, which goes on from there; it begins at OS_SIM_CALENDAR_S. */
void os_sim_set_calendar(uint64_t seconds);

void os_sim_set_boot_id(const uint8_t id[16]);

/* The name that is_network tells for all files; NULL (the default) = a local disk. */
void os_sim_set_network(const char *name);

/* Bytes that the device has for all files together: EDB_FULL beyond. UINT64_MAX (the default) = no
 * limit. */
void os_sim_set_capacity(uint64_t bytes);

/* What a failed sync does to the pages that it should have written. Whatever the policy they count
 * as clean then: the next sync succeeds without writing them. */
enum os_sim_policy {
    OS_SIM_KEEP,   /* programs go on seeing the new content, the device has the old */
    OS_SIM_REVERT, /* programs see the device's content again */
};

/* Makes the n-th sync from now on (1 = the next) fail with EDB_IO; 0 = none. */
void os_sim_fail_sync(uint64_t n, enum os_sim_policy policy);

/* ---------------------------------------------------------------------------------- the journal */

enum os_sim_kind {
    OS_SIM_WRITE,          /* file, offset, bytes, data */
    OS_SIM_SIZE,           /* file; offset = the size it has grown to. Comes before the write that
                              grew it */
    OS_SIM_SYNC,           /* file */
    OS_SIM_SYNC_FAILED,    /* file: its writes since the last sync are not on the device and will
                              not be */
    OS_SIM_CREATE,         /* file, name */
    OS_SIM_PUBLISH,        /* file, name, new name behind it */
    OS_SIM_REMOVE,         /* name */
    OS_SIM_SYNC_DIRECTORY, /* */
    OS_SIM_MARK,           /* offset = the number given */
};

struct os_sim_operation {
    enum os_sim_kind kind;
    uint32_t file;
    uint64_t offset;
    uint64_t bytes;
    size_t data; /* where in the journal's data the written bytes or the names (with NUL) stand */
};

struct os_sim_journal {
    struct os_sim_operation *operations;
    size_t count;
    uint8_t *data;
    size_t data_bytes;
};

/* Puts a word of the test into the journal: "number n is acknowledged". */
void os_sim_mark(uint64_t number);

/* How many operations the journal has. */
size_t os_sim_position(void);

/* Whether operations are kept; begin switches it on. */
void os_sim_record(bool on);

/* A copy of the journal since begin; free it with os_sim_journal_free. */
edb_status os_sim_journal_copy(struct os_sim_journal *journal_out);
void os_sim_journal_free(struct os_sim_journal *journal);

#endif
