/* The floor under a durable put: the bytes of key and vector by one pwrite and one fdatasync, into
 * space that was written before. It finds nothing again; it only costs what any store must pay. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "peer.h"

enum { BLOCK_BYTES = 1 << 20, RECORD_BYTES_MAX = 1 << 20 };

struct store {
    int descriptor;
    off_t end;
    size_t vector_bytes;
    char record[RECORD_BYTES_MAX];
};

static const char *version(void)
{
    return "pwrite + fdatasync";
}

static bool close_store(void *handle)
{
    struct store *store = handle;
    bool done = close(store->descriptor) == 0;
    free(store);
    return done;
}

/* Writes zeros over all the space that will be used, and waits until they are on the device. */
static bool initialise(struct store *store, uint64_t bytes)
{
    for (uint64_t at = 0; at < bytes; at += BLOCK_BYTES)
        if (pwrite(store->descriptor, store->record, BLOCK_BYTES, (off_t)at) != BLOCK_BYTES)
            return false;
    return fsync(store->descriptor) == 0;
}

static void *open_store(const struct peer_setting *setting)
{
    char path[4096];
    struct store *store = calloc(1, sizeof *store);
    if (store == NULL)
        return NULL;
    peer_path(setting, "bare", path, sizeof path);
    store->vector_bytes = setting->dims * sizeof(float);
    store->descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (store->descriptor >= 0 && initialise(store, setting->raw_bytes))
        return store;
    perror("bare file");
    if (store->descriptor >= 0)
        close(store->descriptor);
    free(store);
    return NULL;
}

static bool put(void *handle, const edb_key *key, const float *vector)
{
    struct store *store = handle;
    size_t bytes = key->bytes + store->vector_bytes;
    if (bytes > sizeof store->record)
        return false;
    memcpy(store->record, key->data, key->bytes);
    memcpy(store->record + key->bytes, vector, store->vector_bytes);
    if (pwrite(store->descriptor, store->record, bytes, store->end) != (ssize_t)bytes ||
        fdatasync(store->descriptor) != 0) {
        perror("bare file: put");
        return false;
    }
    store->end += (off_t)bytes;
    return true;
}

const struct peer peer_bare = {
    .name = "bare",
    .version = version,
    .open = open_store,
    .close = close_store,
    .put = put,
};
