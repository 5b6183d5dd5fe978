/* How a cache with a budget behaves: what share of a trace it answers under each policy, and how
 * long its puts take while it evicts and compacts. Writes one JSON object on standard output;
 * bench/run_cache runs it and keeps the table.
 *
 *   bench_cache FILE hits POLICY TRACE KEYS ROOM ACCESSES SEED
 *   bench_cache FILE churn MEGABYTES SECONDS SEED
 *
 * POLICY is s3-fifo, lru, fifo or exact-lru, which is none of the library's: the same trace,
 * counted by an LRU that is computed here. TRACE is zipf or scan. */
#include <embedcache.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { DIMS = 64, CHURN_DIMS = 1536, LATENCIES_MAX = 4000000 };

static void die(const char *what)
{
    fprintf(stderr, "bench_cache: %s: %s\n", what, edb_error_detail());
    exit(1);
}

static uint64_t state;

static uint64_t random_next(void)
{
    state += 0x9e3779b97f4a7c15u;
    uint64_t z = state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* By inversion of the continuous distribution with exponent 0.9. */
static uint32_t zipf(uint32_t keys)
{
    double u = (double)(random_next() >> 11) / 9007199254740992.0;
    double rank = pow(u * (pow(keys, 0.1) - 1) + 1, 10);
    uint32_t key = (uint32_t)rank - 1;
    return key < keys ? key : keys - 1;
}

/* Of a polluted trace one access in four goes on through keys that nobody asks for again soon. */
static uint32_t next_key(uint32_t keys, int is_scan, uint32_t i)
{
    return is_scan && i % 4 == 0 ? keys + i / 4 % (10 * keys) : zipf(keys);
}

static edb_space *open_space(edb *db, uint32_t dims)
{
    edb_space *space;
    edb_space_spec spec = EDB_SPACE_SPEC_INIT;
    spec.dims = dims;
    if (edb_space_open(db, &spec, &space) != EDB_OK)
        die("space");
    return space;
}

/* ----------------------------------------------------------------------------------------- hits */

static uint64_t count_exact(uint32_t keys, int is_scan, uint32_t room, uint32_t accesses)
{
    uint32_t *used = calloc((size_t)keys * 11 + 1, sizeof *used);
    uint32_t *key_at = calloc((size_t)accesses + 2, sizeof *key_at);
    uint64_t hits = 0;
    uint32_t count = 0;
    uint32_t low = 1;
    if (used == NULL || key_at == NULL)
        exit(1);
    for (uint32_t i = 1; i <= accesses; i++) {
        uint32_t key = next_key(keys, is_scan, i);
        hits += used[key] != 0;
        count += used[key] == 0;
        used[key] = i;
        key_at[i] = key;
        for (; count > room; count--) {
            while (used[key_at[low]] != low)
                low++;
            used[key_at[low]] = 0;
        }
    }
    free(used);
    free(key_at);
    return hits;
}

static uint64_t count_hits(edb *db, uint32_t policy, uint32_t keys, int is_scan, uint32_t room,
                           uint32_t accesses)
{
    float vector[DIMS] = {1};
    edb_limits limits = EDB_LIMITS_INIT;
    edb_space *space = open_space(db, DIMS);
    uint64_t hits = 0;
    limits.max_rows = room;
    limits.eviction = policy;
    if (edb_limits_set(db, space, &limits) != EDB_OK)
        die("limits");
    for (uint32_t i = 1; i <= accesses; i++) {
        uint32_t key = next_key(keys, is_scan, i);
        edb_status status = edb_get(space, &key, sizeof key, vector);
        hits += status == EDB_OK;
        vector[0] = (float)key;
        if (status == EDB_NOT_FOUND)
            status = edb_put(space, &key, sizeof key, vector, NULL);
        if (status != EDB_OK)
            die("access");
    }
    return hits;
}

static int run_hits(const char *path, char **words)
{
    static const char *const policies[] = {"s3-fifo", "lru", "fifo"};
    uint32_t keys = (uint32_t)strtoul(words[2], NULL, 10);
    uint32_t room = (uint32_t)strtoul(words[3], NULL, 10);
    uint32_t accesses = (uint32_t)strtoul(words[4], NULL, 10);
    int is_scan = strcmp(words[1], "scan") == 0;
    uint64_t hits = 0;
    edb *db;
    state = strtoull(words[5], NULL, 0);
    if (strcmp(words[0], "exact-lru") == 0)
        hits = count_exact(keys, is_scan, room, accesses);
    for (uint32_t policy = 0; policy < 3; policy++) {
        if (strcmp(words[0], policies[policy]) != 0)
            continue;
        if (edb_open(path, NULL, &db) != EDB_OK)
            die("open");
        hits = count_hits(db, policy, keys, is_scan, room, accesses);
        if (edb_close(db) != EDB_OK)
            die("close");
    }
    printf("{\"hit_rate\": %.5f}\n", (double)hits / accesses);
    return 0;
}

/* ---------------------------------------------------------------------------------------- churn */

static double now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static int compare(const void *left, const void *right)
{
    float a = *(const float *)left;
    float b = *(const float *)right;
    return (a > b) - (a < b);
}

static void print_latencies(float *us, size_t count)
{
    qsort(us, count, sizeof *us, compare);
    printf(
        "\"puts\": %zu, \"p50_us\": %.1f, \"p99_us\": %.1f, \"p999_us\": %.1f, \"worst_us\": %.1f",
        count, us[count / 2], us[count - 1 - count / 100], us[count - 1 - count / 1000],
        us[count - 1]);
}

/* New keys all the time: everything that is put drives something out, and the file is written anew
 * again and again. */
static int run_churn(const char *path, char **words)
{
    static float vector[CHURN_DIMS];
    uint64_t max_bytes = strtoull(words[0], NULL, 10) << 20;
    double until = now_us() + 1e6 * strtod(words[1], NULL);
    float *us = calloc(LATENCIES_MAX, sizeof *us);
    edb_limits limits = EDB_LIMITS_INIT;
    edb_stats stats = {.struct_size = sizeof stats};
    uint64_t most = 0;
    uint64_t key = 0;
    size_t count = 0;
    edb *db;
    state = strtoull(words[2], NULL, 0);
    limits.max_bytes = max_bytes;
    if (us == NULL || edb_open(path, NULL, &db) != EDB_OK)
        die("open");
    edb_space *space = open_space(db, CHURN_DIMS);
    if (max_bytes > 0 && edb_limits_set(db, NULL, &limits) != EDB_OK)
        die("limits");
    for (; now_us() < until && count < LATENCIES_MAX; key++) {
        vector[key % CHURN_DIMS] = (float)(random_next() % 1000);
        double begin = now_us();
        if (edb_put(space, &key, sizeof key, vector, NULL) != EDB_OK)
            die("put");
        us[count++] = (float)(now_us() - begin);
        if (key % 256 == 0 && edb_stats_get(db, &stats) == EDB_OK)
            most = stats.file_bytes > most ? stats.file_bytes : most;
    }
    printf("{");
    print_latencies(us, count);
    printf(", \"most_bytes\": %llu, \"max_bytes\": %llu, \"live\": %llu}\n",
           (unsigned long long)most, (unsigned long long)max_bytes, (unsigned long long)stats.live);
    free(us);
    return edb_close(db) == EDB_OK ? 0 : 1;
}

int main(int count, char **words)
{
    if (count == 9 && strcmp(words[2], "hits") == 0)
        return run_hits(words[1], words + 3);
    if (count == 6 && strcmp(words[2], "churn") == 0)
        return run_churn(words[1], words + 3);
    fprintf(stderr, "usage: bench_cache FILE hits POLICY TRACE KEYS ROOM ACCESSES SEED\n"
                    "       bench_cache FILE churn MEGABYTES SECONDS SEED\n");
    return 2;
}
