/* The journal of the simulated machine while it grows. Private to os_sim*.c; locks nothing. */
#ifndef EDB_OS_OS_SIM_JOURNAL_H
#define EDB_OS_OS_SIM_JOURNAL_H

#include "os/os_sim.h"

/* Forgets all operations; the memory stays. False when the system refused it. */
bool os_sim_journal_clear(void);
void os_sim_journal_close(void);

size_t os_sim_journal_count(void);
edb_status os_sim_journal_take(struct os_sim_journal *journal_out);

/* Adds one operation; `data` (of `data_bytes`) is copied. */
void os_sim_journal_add(struct os_sim_operation operation, const void *data, size_t data_bytes);

#endif
