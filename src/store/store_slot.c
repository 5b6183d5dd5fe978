/* Reading and moving the anchors. Slots are hints: whatever they say is checked by the walk that
 * begins there.
 *
 * "Two slots, in turn, a sync between" (7): a slot that is whole on the device stays so until a
 * newer one is there. A session goes on writing the same slot until a sync has made it durable,
 * then turns to the other. Before its first slot, and when other sessions have been at work since
 * its last one, it does not know what of the slots reached the device: so it syncs once, and
 * looks. */
#include <string.h>

#include "store/store.h"

enum { READ_ATTEMPTS = 8 };

static const uint64_t synced_lag_bytes = 1u << 20;
static const uint64_t live_lag_bytes = 4u << 20;

struct slot_pair {
    struct slot slots[2];
    bool valid[2];
};

/* A slot that is being replaced may be read torn: tried again before it counts as lost. */
static edb_status read_slots(struct store *store, struct slot_pair *pair)
{
    for (int attempt = 0; attempt < READ_ATTEMPTS; attempt++) {
        uint8_t bytes[2][SLOT_BYTES];
        struct os_read reads[2] = {{SLOT_OFFSET(0), bytes[0], SLOT_BYTES, 0},
                                   {SLOT_OFFSET(1), bytes[1], SLOT_BYTES, 0}};
        edb_status status = store->io->read_batch(store->file, reads, 2);
        if (status != EDB_OK)
            return status;
        for (int i = 0; i < 2; i++)
            pair->valid[i] = reads[i].got == SLOT_BYTES &&
                             slot_decode(bytes[i], store->genesis.uuid, &pair->slots[i]);
        if (pair->valid[0] && pair->valid[1])
            return EDB_OK;
    }
    return EDB_OK;
}

/* Index of the newest valid slot, or -1. */
static int newest_slot(const struct slot_pair *pair)
{
    if (pair->valid[0] && pair->valid[1])
        return pair->slots[0].generation > pair->slots[1].generation ? 0 : 1;
    return pair->valid[0] ? 0 : pair->valid[1] ? 1 : -1;
}

/* Whether the slot was written in the boot `now`. An unknown one is no boot. */
static bool same_boot(const struct slot *slot, const uint8_t now[16])
{
    static const uint8_t unknown[16];
    return memcmp(now, unknown, sizeof unknown) != 0 &&
           memcmp(now, slot->boot_id, sizeof slot->boot_id) == 0;
}

static size_t add_hints(const struct slot *slot, const uint8_t now[16], struct store_hint *hints)
{
    size_t count = 0;
    uint64_t trusted = slot->synced.position;
    if (same_boot(slot, now) && slot->live.position > trusted) {
        trusted = slot->live.position;
        hints[count++] = (struct store_hint){slot->live, trusted, slot->synced.position};
    }
    hints[count++] = (struct store_hint){slot->synced, trusted, slot->synced.position};
    return count;
}

/* Slots of another file would count as lost, and its frames as none: an empty file. */
static edb_status check_identity(struct store *store)
{
    uint8_t bytes[GENESIS_BYTES];
    struct os_read read = {GENESIS_OFFSET, bytes, sizeof bytes, 0};
    edb_status status = store->io->read_batch(store->file, &read, 1);
    if (status == EDB_OK && (read.got < sizeof bytes || !genesis_is_of(bytes, &store->genesis)))
        return store_note_replaced(store);
    return status;
}

size_t store_hints(struct store *store, struct store_hint hints[4], edb_status *status_out)
{
    struct slot_pair pair;
    *status_out = check_identity(store);
    if (*status_out == EDB_OK)
        *status_out = read_slots(store, &pair);
    if (*status_out != EDB_OK)
        return 0;
    int newest = newest_slot(&pair);
    if (newest < 0) {
        log_event(EDB_LOG_WARNING, "%s: both slots are lost; every frame is read", store->path);
        return 0;
    }
    store->writer.noted = pair.slots[newest];
    uint8_t now[16];
    store->io->boot_id(now);
    size_t count = add_hints(&pair.slots[newest], now, hints);
    if (pair.valid[!newest])
        count += add_hints(&pair.slots[!newest], now, hints + count);
    return count;
}

edb_status store_slots_reach(struct store *store, uint64_t *reach_out)
{
    struct slot_pair pair;
    uint8_t now[16];
    *reach_out = 0;
    edb_status status = read_slots(store, &pair);
    store->io->boot_id(now);
    for (int i = 0; i < 2 && status == EDB_OK; i++) {
        const struct slot *slot = &pair.slots[i];
        if (!pair.valid[i])
            continue;
        if (slot->synced.position > *reach_out)
            *reach_out = slot->synced.position;
        if (same_boot(slot, now) && slot->live.position > *reach_out)
            *reach_out = slot->live.position;
    }
    return status;
}

edb_status store_slot_generation(struct store *store, uint64_t *generation_out)
{
    struct slot_pair pair;
    edb_status status = read_slots(store, &pair);
    int newest = status == EDB_OK ? newest_slot(&pair) : -1;
    *generation_out = newest < 0 ? 0 : pair.slots[newest].generation;
    return status;
}

/* Which slot may be replaced now. */
static int choose_slot(const struct store *store, const struct slot_pair *pair)
{
    int newest = newest_slot(pair);
    if (newest < 0)
        return 0;
    return pair->slots[newest].generation <= store->writer.slots_synced ? !newest : newest;
}

bool store_slot_due(const struct store *store)
{
    const struct slot *slot = &store->writer.noted;
    uint64_t synced = atomic_load(&store->synced_to);
    return synced >= slot->synced.position + synced_lag_bytes ||
           store->end.offset >= slot->live.position + live_lag_bytes ||
           store->catalog.catalog != slot->live.catalog;
}

/* Takes slots that the page cache has and the device has not (a failed sync left them so) for
 * lost. */
static edb_status forget_undurable(struct store *store, struct slot_pair *pair)
{
    for (int i = 0; i < 2; i++) {
        uint8_t bytes[SLOT_BYTES];
        struct slot slot;
        edb_status status =
            store->io->read_device(store->file, SLOT_OFFSET(i), bytes, sizeof bytes);
        if (status == EDB_NOT_FOUND)
            return EDB_OK; /* this filesystem cannot tell */
        if (status != EDB_OK)
            return status;
        pair->valid[i] = pair->valid[i] && slot_decode(bytes, store->genesis.uuid, &slot) &&
                         slot.generation == pair->slots[i].generation;
    }
    return EDB_OK;
}

/* What the slots will say: a generation above all, and where the file stands. */
static void fill_slot(struct store *store, const struct slot_pair *pair, struct slot *out)
{
    int newest = newest_slot(pair);
    memset(out, 0, sizeof *out);
    out->chain_seed = store->genesis.chain_seed;
    out->hash_seed = store->genesis.hash_seed;
    memcpy(out->uuid, store->genesis.uuid, sizeof out->uuid);
    out->generation = newest < 0 ? 1 : pair->slots[newest].generation + 1;
    out->synced = store->synced_catalog;
    out->synced.position = atomic_load(&store->synced_to);
    out->live = store->catalog;
    out->live.position = store->end.offset;
    store->io->boot_id(out->boot_id);
}

/* Whether another session may have made the newest slot durable, or written it: then it is not to
 * be replaced. */
static bool others_may_rely(const struct store *store, const struct slot_pair *pair)
{
    int newest = newest_slot(pair);
    const struct store_writer *writer = &store->writer;
    return newest >= 0 && pair->slots[newest].generation > writer->slots_synced &&
           (store->others_wrote || pair->slots[newest].generation != writer->slot.generation);
}

/* The slots, of which none that another session relies on will be replaced. */
static edb_status settle_slots(struct store *store, struct slot_pair *pair)
{
    edb_status status = read_slots(store, pair);
    if (status != EDB_OK || (store->writer.slots_synced > 0 && !others_may_rely(store, pair)))
        return status;
    status = store_sync_file(store);
    return status == EDB_OK ? read_slots(store, pair) : status;
}

edb_status store_slot_write(struct store *store)
{
    struct slot_pair pair;
    struct slot slot;
    bool first = store->writer.slot.generation == 0;
    edb_status status = settle_slots(store, &pair);
    if (status != EDB_OK)
        return status;
    fill_slot(store, &pair, &slot);
    if (first)
        status = forget_undurable(store, &pair);
    if (status != EDB_OK)
        return status;
    uint8_t bytes[SLOT_BYTES];
    slot_encode(&slot, bytes);
    struct os_span span = {bytes, sizeof bytes};
    status = store->io->write(store->file, SLOT_OFFSET(choose_slot(store, &pair)), &span, 1);
    if (status == EDB_OK) {
        store->writer.slot = store->writer.noted = slot;
        store->others_wrote = false;
    }
    return status;
}
