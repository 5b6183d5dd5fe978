/* Opening a store and the first get, timed; and what an open store takes of memory.
 *
 * The same is done before, untimed, with a store of a few records in a directory beside: the code
 * of the library is then in memory and what it does once in a process is done. */
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kv_measure.h"

enum { REHEARSAL_ROWS = 100, MEMORY_GETS = 1000 };

/* Writes everything back, then drops page cache, directory entries and inodes. Only root may. */
static bool drop_caches(void)
{
    sync();
    int descriptor = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);
    bool done = descriptor >= 0 && write(descriptor, "3\n", 2) == 2;
    if (!done)
        perror("bench_kv: drop_caches");
    if (descriptor >= 0)
        close(descriptor);
    return done;
}

/* Opens, gets the key of one random row; *store_out is open afterwards. */
static bool open_and_get(const struct kv_run *run, const struct kv_batch *wanted, float *vector,
                         void **store_out)
{
    *store_out = kv_open_peer(run);
    return *store_out != NULL && run->peer->get(*store_out, &wanted->keys[0], vector);
}

static bool rehearse(const struct kv_run *run, float *vector)
{
    char directory[4096];
    struct kv_run small = *run;
    struct kv_result ignored = {.count = 0};
    struct kv_batch wanted;
    void *store;
    snprintf(directory, sizeof directory, "%s/rehearsal", run->setting.directory);
    small.setting.directory = directory;
    small.rows = REHEARSAL_ROWS;
    mkdir(directory, 0755);
    kv_batch_open(&wanted, &run->shape, 1, false);
    kv_batch_fill_random(&wanted, small.rows, 1, run->draw);
    bool done = kv_fill(&small, &ignored) && open_and_get(&small, &wanted, vector, &store) &&
                run->peer->close(store);
    kv_batch_close(&wanted);
    return done;
}

bool kv_open(const struct kv_run *run, struct kv_result *result)
{
    struct kv_batch wanted;
    void *store = NULL;
    float *vector = calloc(run->shape.dims, sizeof *vector);
    kv_batch_open(&wanted, &run->shape, 1, false);
    kv_batch_fill_random(&wanted, run->rows, 1, run->draw);
    bool done = vector != NULL && rehearse(run, vector) && (!run->cold || drop_caches());
    if (done) {
        double begin = kv_seconds();
        done = open_and_get(run, &wanted, vector, &store);
        kv_report(result, "ms", 1e3 * (kv_seconds() - begin));
        done = done && kv_record_matches(&run->shape, wanted.rows[0], vector);
    }
    if (store != NULL)
        done = run->peer->close(store) && done;
    kv_batch_close(&wanted);
    free(vector);
    return done;
}

/* Anonymous memory of this process, in bytes. */
static double resident_anonymous(void)
{
    char line[256];
    unsigned long long kibibytes = 0;
    FILE *file = fopen("/proc/self/status", "r");
    if (file == NULL)
        return NAN;
    bool found = false;
    while (!found && fgets(line, sizeof line, file) != NULL)
        found = sscanf(line, "RssAnon: %llu kB", &kibibytes) == 1;
    fclose(file);
    return found ? 1024.0 * (double)kibibytes : NAN;
}

bool kv_memory(const struct kv_run *run, struct kv_result *result)
{
    struct kv_batch wanted;
    float *vector = calloc(run->shape.dims, sizeof *vector);
    kv_batch_open(&wanted, &run->shape, MEMORY_GETS, false);
    kv_batch_fill_random(&wanted, run->rows, MEMORY_GETS, run->draw);
    (void)resident_anonymous(); /* the memory of looking is there before the first look */
    double before = resident_anonymous();
    void *store = kv_open_peer(run);
    bool done = store != NULL && vector != NULL;
    for (size_t i = 0; i < MEMORY_GETS && done; i++)
        done = run->peer->get(store, &wanted.keys[i], vector);
    kv_report(result, "rss_anon", resident_anonymous() - before);
    if (store != NULL)
        done = run->peer->close(store) && done;
    kv_batch_close(&wanted);
    free(vector);
    return done;
}
