/* The writer's lock: one writer on a file at a time, in any process. Called when a write begins.
 * Waiting is bounded, by trying again with growing pauses; the lock dies with its holder (19). */
#include "store/store.h"

enum {
    PAUSE_MS_MAX = 2,    /* longer, and a busy writer next door always comes first */
    LONG_WAIT_MS = 1000, /* worth a word in the log */
    WRITERS_BYTES = 256, /* of a sentence that names them */
};

static edb_status busy(struct store *store, uint64_t waited_ms)
{
    char writers[WRITERS_BYTES];
    store->io->describe_writers(store->file, writers, sizeof writers);
    const char *who = writers[0] != '\0' ? "; open for writing in " : "";
    return fail(EDB_BUSY, "%s: another writer held the file for the whole wait of %llu ms%s%s",
                store->path, (unsigned long long)waited_ms, who, writers);
}

static edb_status wait_for_lock(struct store *store, uint32_t wait_ms)
{
    uint64_t begin = store->io->monotonic_ms();
    bool told = false;
    for (uint32_t pause = 1;; pause = pause < PAUSE_MS_MAX ? pause * 2 : PAUSE_MS_MAX) {
        edb_status status = store->io->try_lock(store->file, OS_LOCK_WRITER);
        if (status != EDB_BUSY)
            return status;
        uint64_t waited = store->io->monotonic_ms() - begin;
        if (waited >= wait_ms)
            return busy(store, waited);
        if (waited >= LONG_WAIT_MS && !told) {
            log_event(EDB_LOG_INFO, "%s: waiting for another writer, for %llu ms by now",
                      store->path, (unsigned long long)waited);
            told = true;
        }
        store->io->sleep_ms(pause);
    }
}

/* The path still leads to the open file (18), and that is as long as it was (13): what was cut off
 * must not be touched in the map. */
static edb_status check_same(struct store *store, bool *elsewhere_out)
{
    bool same = false;
    uint64_t bytes = 0;
    edb_status status = store->io->same_file(store->file, store->path, &same, &bytes);
    *elsewhere_out = status == EDB_OK && !same;
    if (status == EDB_OK && same && bytes < atomic_load(&store->file_bytes))
        return store_note_replaced(store);
    return status;
}

edb_status store_lock(struct store *store, uint32_t wait_ms, bool *elsewhere_out)
{
    *elsewhere_out = false;
    edb_status status = wait_for_lock(store, wait_ms);
    if (status != EDB_OK)
        return status;
    status = check_same(store, elsewhere_out);
    if (status != EDB_OK || *elsewhere_out)
        store->io->unlock(store->file, OS_LOCK_WRITER);
    return status;
}

void store_unlock(struct store *store)
{
    store->io->unlock(store->file, OS_LOCK_WRITER);
}
