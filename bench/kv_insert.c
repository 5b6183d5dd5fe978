/* Filling a store, and inserting as a measurement. Records are made a stage at a time, outside of
 * the timed part; only the calls to the store are timed. Closing, where some stores do work that
 * they have put off, is not. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "kv_measure.h"

enum { STAGE_ROWS = 1000 };

/* Times of the calls of a run. */
struct timing {
    double seconds;
    double *commits; /* of each commit, or NULL */
    size_t count;
};

/* Puts the records of a batch, one by one or in one transaction. */
static bool put_stage(const struct kv_run *run, void *store, const struct kv_batch *batch)
{
    if (run->batch > 1)
        return run->peer->put_many(store, batch->keys, batch->vectors, batch->count);
    for (size_t i = 0; i < batch->count; i++)
        if (!run->peer->put(store, &batch->keys[i], batch->vectors + i * batch->shape.dims))
            return false;
    return true;
}

/* The same, with a look at the clock around every commit. */
static bool put_stage_timed(const struct kv_run *run, void *store, const struct kv_batch *batch,
                            struct timing *timing)
{
    size_t step = run->batch > 1 ? batch->count : 1;
    for (size_t i = 0; i < batch->count; i += step) {
        double begin = kv_seconds();
        const float *vectors = batch->vectors + i * batch->shape.dims;
        bool done = step == 1 ? run->peer->put(store, &batch->keys[i], vectors)
                              : run->peer->put_many(store, &batch->keys[i], vectors, step);
        if (!done)
            return false;
        timing->commits[timing->count++] = kv_seconds() - begin;
    }
    return true;
}

static bool put_all(const struct kv_run *run, void *store, struct timing *timing)
{
    struct kv_batch batch;
    size_t stage = run->batch > 1 ? run->batch : STAGE_ROWS;
    bool done = true;
    kv_batch_open(&batch, &run->shape, stage, true);
    for (uint64_t row = 0; row < run->rows && done; row += stage) {
        kv_batch_fill_range(&batch, row, run->rows - row < stage ? run->rows - row : stage);
        double begin = kv_seconds();
        done = timing->commits != NULL ? put_stage_timed(run, store, &batch, timing)
                                       : put_stage(run, store, &batch);
        timing->seconds += kv_seconds() - begin;
    }
    kv_batch_close(&batch);
    return done;
}

/* A virtual machine may hand free memory back to its host, and then pays for every page that it
 * takes again: four times what filling the page costs. A scratch file, written and removed just
 * before the measurement, leaves the page cache with as much memory as the store will need. */
static void claim_memory(const struct kv_run *run)
{
    static char block[1 << 20];
    char path[4096];
    peer_path(&run->setting, "scratch", path, sizeof path);
    FILE *file = fopen(path, "w");
    if (file == NULL)
        return;
    uint64_t bytes = kv_record_raw_bytes(&run->shape, run->rows);
    for (uint64_t at = 0; at < bytes + bytes / 2; at += sizeof block)
        if (fwrite(block, 1, sizeof block, file) != sizeof block)
            break;
    fclose(file);
    remove(path);
}

bool kv_insert(const struct kv_run *run, struct kv_result *result)
{
    struct timing timing = {.seconds = 0.0};
    if (run->setting.durability == PEER_DURABLE)
        timing.commits = calloc(run->rows, sizeof *timing.commits);
    claim_memory(run);
    void *store = kv_open_peer(run);
    bool done = store != NULL && put_all(run, store, &timing);
    if (store != NULL)
        done = run->peer->close(store) && done;
    kv_report(result, "per_second", (double)run->rows / timing.seconds);
    if (timing.count > 0) {
        kv_report(result, "us_median", 1e6 * kv_quantile(timing.commits, timing.count, 0.5));
        kv_report(result, "us_p99", 1e6 * kv_quantile(timing.commits, timing.count, 0.99));
    }
    free(timing.commits);
    return done;
}

/* What the files of a directory take on the disk: blocks that are allocated, holes not counted. */
static double allocated_bytes(const char *directory)
{
    DIR *stream = opendir(directory);
    double bytes = 0.0;
    if (stream == NULL)
        return 0.0;
    for (const struct dirent *entry; (entry = readdir(stream)) != NULL;) {
        char path[4096];
        struct stat state;
        snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
        if (stat(path, &state) == 0 && S_ISREG(state.st_mode))
            bytes += 512.0 * (double)state.st_blocks;
    }
    closedir(stream);
    return bytes;
}

bool kv_fill(const struct kv_run *run, struct kv_result *result)
{
    struct timing timing = {.seconds = 0.0};
    void *store = kv_open_peer(run);
    bool done = store != NULL && put_all(run, store, &timing);
    if (store != NULL)
        done = run->peer->close(store) && done;
    kv_report(result, "seconds", timing.seconds);
    kv_report(result, "file_bytes", allocated_bytes(run->setting.directory));
    kv_report(result, "raw_bytes", (double)kv_record_raw_bytes(&run->shape, run->rows));
    return done;
}
