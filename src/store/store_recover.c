/* Where the walk ended, is that the end of the data? Called once a session, before its first
 * append.
 *
 * After power loss the end is torn: frames that were never synced are missing in part. Whatever
 * stands behind was written before any sync covered the gap, so its headers say synced_to <= end. A
 * header that says more was written when the gap was known to be on the device: then something that
 * was synced is gone, that is damage, and appending here would bury what stands behind it. The
 * first frame after a sync stands at the start of a page (9), so only those places are looked
 * at. */
#include "base/checked.h"
#include "store/store.h"

/* Unsynced data is never longer than this: a damaged file shows its next synced header before. */
static const uint64_t look_ahead_max = 2ull << 30;

static edb_status damaged(struct store *store, uint64_t proof)
{
    atomic_store(&store->damaged, true);
    log_event(EDB_LOG_WARNING, "%s is damaged at %llu: data behind it (%llu) was synced",
              store->path, (unsigned long long)store->end.offset, (unsigned long long)proof);
    return fail(EDB_READ_ONLY,
                "%s is damaged at %llu, before data that was synced: what is before is readable, "
                "nothing is written",
                store->path, (unsigned long long)store->end.offset);
}

/* What the header at `at` says was synced; 0 when there is none. */
static edb_status read_synced_to(struct store *store, uint64_t at, uint64_t *synced_to_out)
{
    uint8_t raw[FRAME_HEADER_BYTES];
    struct os_read read = {at, raw, sizeof raw, 0};
    struct frame_header header;
    edb_status status = store->io->read_batch(store->file, &read, 1);
    bool whole = status == EDB_OK && read.got == sizeof raw &&
                 frame_header_decode(raw, store->genesis.chain_seed, at, &header);
    *synced_to_out = whole ? header.synced_to : 0;
    return status;
}

static bool proves(const struct store_proof *proof, uint64_t end)
{
    return proof->at >= end && proof->synced_to > end;
}

/* What was no proof for an earlier end is none for this one: each page is read once. */
edb_status store_look_behind(struct store *store, uint64_t *proof_out)
{
    struct store_proof *proof = &store->proof;
    uint64_t bytes = 0;
    edb_status status = store->io->size(store->file, &bytes);
    uint64_t end = store->end.offset;
    uint64_t limit = bytes < end + look_ahead_max ? bytes : end + look_ahead_max;
    uint64_t at = round_up(end, PAGE_BYTES);
    if (at < proof->looked_to)
        at = proof->looked_to;
    for (; status == EDB_OK && at < limit && !proves(proof, end); at += PAGE_BYTES) {
        proof->at = at;
        status = read_synced_to(store, at, &proof->synced_to);
        proof->looked_to = at + PAGE_BYTES;
    }
    *proof_out = status == EDB_OK && proves(proof, end) ? proof->at : 0;
    return status;
}

edb_status store_check_end(struct store *store)
{
    edb_status status = store_check_writable(store);
    if (status != EDB_OK || store->writer.damage_checked)
        return status;
    uint64_t proof = 0;
    uint64_t synced = atomic_load(&store->synced_to);
    if (synced > store->end.offset)
        return damaged(store, synced);
    store->proof = (struct store_proof){0}; /* others may have written since */
    status = store_look_behind(store, &proof);
    if (status != EDB_OK)
        return status;
    if (proof != 0)
        return damaged(store, proof);
    store->writer.damage_checked = true;
    return EDB_OK;
}
