/* Memory of the journal: two ranges of address space that are reserved once and filled from the
 * front, so that recording never allocates (a test that makes allocations fail meets the library's
 * only) and starting anew is free. Called by os_sim.c under its lock. */
#include "os/os_sim_journal.h"

#include <assert.h>
#include <string.h>
#include <sys/mman.h>

#include "base/memory.h"

#define OPERATIONS_MAX ((size_t)4 << 20)
#define DATA_BYTES_MAX ((size_t)4 << 30)

static struct os_sim_journal journal;

static void *reserve_range(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

bool os_sim_journal_clear(void)
{
    if (journal.operations == NULL)
        journal.operations = reserve_range(OPERATIONS_MAX * sizeof *journal.operations);
    if (journal.data == NULL)
        journal.data = reserve_range(DATA_BYTES_MAX);
    journal.count = 0;
    journal.data_bytes = 0;
    return journal.operations != NULL && journal.data != NULL;
}

void os_sim_journal_close(void)
{
    if (journal.operations != NULL)
        munmap(journal.operations, OPERATIONS_MAX * sizeof *journal.operations);
    if (journal.data != NULL)
        munmap(journal.data, DATA_BYTES_MAX);
    memset(&journal, 0, sizeof journal);
}

size_t os_sim_journal_count(void)
{
    return journal.count;
}

void os_sim_journal_add(struct os_sim_operation operation, const void *data, size_t data_bytes)
{
    assert(journal.count < OPERATIONS_MAX && data_bytes <= DATA_BYTES_MAX - journal.data_bytes);
    operation.data = journal.data_bytes;
    if (data_bytes > 0)
        memcpy(journal.data + journal.data_bytes, data, data_bytes);
    journal.data_bytes += data_bytes;
    journal.operations[journal.count++] = operation;
}

edb_status os_sim_journal_take(struct os_sim_journal *journal_out)
{
    size_t operation_bytes = journal.count * sizeof *journal.operations;
    *journal_out = journal;
    journal_out->operations = memory_aligned(operation_bytes);
    journal_out->data = memory_aligned(journal.data_bytes);
    if (journal_out->operations == NULL || journal_out->data == NULL) {
        os_sim_journal_free(journal_out);
        return memory_failed(operation_bytes + journal.data_bytes);
    }
    if (journal.count > 0)
        memcpy(journal_out->operations, journal.operations, operation_bytes);
    if (journal.data_bytes > 0)
        memcpy(journal_out->data, journal.data, journal.data_bytes);
    return EDB_OK;
}

void os_sim_journal_free(struct os_sim_journal *copy)
{
    memory_free(copy->operations);
    memory_free(copy->data);
    memset(copy, 0, sizeof *copy);
}
