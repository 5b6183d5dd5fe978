/* The main() of a fuzz target where there is no libFuzzer: its seeds, the cases that are kept, and
 * changed ones of both. Each may take two seconds and 256 MB.
 *
 *   fuzz_x                  all of that; EDB_SEED and EDB_CASES choose the changed ones
 *   fuzz_x PATH...          these cases, or all in these folders
 *   fuzz_x --write FOLDER   writes the seeds, for libFuzzer to begin with */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fuzz/mutate_case.h"
#include "fuzz/target.h"
#include "support/bound_memory.h"
#include "support/watch_case.h"
#include "unit/base/seeded_random.h"

enum {
    CASE_MS_MAX = 2000,
    CASE_SECONDS = 60, /* on a machine that is busy with something else */
    CHANGED = 20000,
    CHANGES_MAX = 4,
    PATH_BYTES = 4096,
    KEPT_MAX = 4096,
};

static const size_t memory_max = 256u << 20;

/* A case that others are made from. */
struct kept {
    uint8_t *bytes;
    size_t count;
};

static struct kept kept[KEPT_MAX];
static size_t kept_count;

#pragma weak LLVMFuzzerCustomMutator

static void keep(const uint8_t *bytes, size_t count)
{
    if (kept_count == KEPT_MAX)
        return;
    kept[kept_count++] = (struct kept){target_exact(bytes, count), count};
}

/* ---------------------------------------------------------------------------- the cases on disk */

static void replay_file(const char *path)
{
    static uint8_t bytes[1 << 20];
    FILE *file = fopen(path, "rb");
    target_hold(file != NULL, "cannot read %s", path);
    size_t count = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    watch_case(path, count, 0);
    LLVMFuzzerTestOneInput(bytes, count);
    if (count <= CASE_BYTES_MAX)
        keep(bytes, count);
}

/* In the order of their names, whatever the file system says. */
static size_t replay_path(const char *path)
{
    struct stat status;
    struct dirent **entries;
    size_t count = 0;
    if (stat(path, &status) == 0 && !S_ISDIR(status.st_mode)) {
        replay_file(path);
        return 1;
    }
    int found = scandir(path, &entries, NULL, alphasort);
    for (int i = 0; i < found; i++) {
        char inner[PATH_BYTES];
        snprintf(inner, sizeof inner, "%s/%s", path, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.')
            count += replay_path(inner);
        free(entries[i]);
    }
    if (found >= 0)
        free(entries);
    return count;
}

static size_t replay_kept(const char *name)
{
    char path[PATH_BYTES];
    const char *source = getenv("EDB_SOURCE");
    snprintf(path, sizeof path, "%s/tests/fuzz/corpus/%s", source != NULL ? source : ".", name);
    return replay_path(path);
}

/* ------------------------------------------------------------------------------------ the seeds */

static size_t replay_seeds(void)
{
    static uint8_t bytes[CASE_BYTES_MAX];
    size_t number = 0;
    for (size_t count; (count = target_seed(number, bytes)) > 0; number++) {
        watch_case("seed", number, 0);
        LLVMFuzzerTestOneInput(bytes, count);
        keep(bytes, count);
    }
    return number;
}

static int write_seeds(const char *folder)
{
    static uint8_t bytes[CASE_BYTES_MAX];
    size_t count;
    for (size_t number = 0; (count = target_seed(number, bytes)) > 0; number++) {
        char path[PATH_BYTES];
        snprintf(path, sizeof path, "%s/seed_%02zu", folder, number);
        FILE *file = fopen(path, "wb");
        target_hold(file != NULL && fwrite(bytes, 1, count, file) == count && fclose(file) == 0,
                    "cannot write %s", path);
    }
    return 0;
}

/* -------------------------------------------------------------------------------- changed cases */

static size_t change(uint8_t *bytes, size_t count, uint64_t seed)
{
    if (LLVMFuzzerCustomMutator != NULL)
        return LLVMFuzzerCustomMutator(bytes, count, CASE_BYTES_MAX, (unsigned)seed);
    return LLVMFuzzerMutate(bytes, count, CASE_BYTES_MAX);
}

static size_t replay_changed(const char *name)
{
    static uint8_t bytes[CASE_BYTES_MAX];
    const char *given = getenv("EDB_CASES");
    size_t cases = given != NULL ? strtoul(given, NULL, 10) : CHANGED;
    uint64_t seed = seeded_random(name).state;
    for (size_t i = 0; i < cases; i++, seed++) {
        watch_case("EDB_CASES=1 EDB_SEED", seed, i);
        mutate_begin(seed);
        struct random_source random = {~seed};
        const struct kept *from = &kept[random_below(&random, kept_count)];
        size_t count = from->count;
        memcpy(bytes, from->bytes, count);
        for (uint64_t left = 1 + random_below(&random, CHANGES_MAX); left > 0; left--)
            count = change(bytes, count, seed);
        LLVMFuzzerTestOneInput(bytes, count);
    }
    return cases;
}

int main(int argc, char **argv)
{
    const char *slash = strrchr(argv[0], '/');
    const char *name = slash != NULL ? slash + 1 : argv[0];
    if (argc == 3 && strcmp(argv[1], "--write") == 0)
        return write_seeds(argv[2]);
    watch_case_begin(name, CASE_SECONDS);
    watch_case_limit(CASE_MS_MAX);
    size_t seeds = replay_seeds();
    target_hold(seeds > 0, "%s has no seeds", name);
    /* From here on: the first cases have made what is made once. */
    bound_memory(memory_max);
    size_t cases = 0;
    for (int i = 1; i < argc; i++)
        cases += replay_path(argv[i]);
    if (argc == 1)
        cases = replay_kept(name);
    size_t changed = argc == 1 ? replay_changed(name) : 0;
    watch_case_end();
    printf("%s: %zu seeds, %zu kept cases, %zu changed ones\n", name, seeds, cases, changed);
    return argc > 1 && cases == 0;
}
