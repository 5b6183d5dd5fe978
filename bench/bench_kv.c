/* bench_kv MEASUREMENT PEER --dir DIR [options]: one measurement of one store, told as a line of
 * JSON. The program of run_kv, which decides what is compared with what; of use by hand for a
 * profile. Without arguments it tells how. */
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kv_measure.h"

static const char usage[] =
    "usage: bench_kv MEASUREMENT PEER --dir DIR [options]\n"
    "       bench_kv versions\n"
    "\n"
    "One measurement of one store, as a line of JSON. bench/run_kv compares; this is its tool.\n"
    "\n"
    "  MEASUREMENT  fill | insert | get | view | get_many | open | memory\n"
    "               all but fill and insert need a directory that fill has filled, with the same\n"
    "               --rows, --dims, --key-bytes and --seed\n"
    "  PEER         edb | lmdb | sqlite | bare (insert only)\n"
    "\n"
    "  --dir DIR            an existing directory for the store's files\n"
    "  --rows N             records in the store (100000)\n"
    "  --dims N             elements of a vector, float32 (1536)\n"
    "  --key-bytes MIN-MAX  length of the keys, 16 at least (100-400)\n"
    "  --batch N            records in a transaction, keys in a get_many; 1 = singles (1000)\n"
    "  --durability WORD    lazy | safe | durable (lazy)\n"
    "  --fresh              each get sees the newest commit (EmbedCache: always)\n"
    "  --cold               open: drop the system's caches before (root)\n"
    "  --slices N           timed slices of 32,768 random gets (7); more for a profile\n"
    "  --draw N             another choice of random rows (0)\n"
    "  --seed N             other records (1)\n";

static const struct peer *const peers[] = {&peer_edb, &peer_lmdb, &peer_sqlite, &peer_bare};

static const struct {
    const char *name;
    kv_measure *measure;
} measurements[] = {
    {"fill", kv_fill}, {"insert", kv_insert},     {"get", kv_get},       {"view", kv_view},
    {"open", kv_open}, {"get_many", kv_get_many}, {"memory", kv_memory},
};

enum { PEERS = sizeof peers / sizeof *peers };
enum { MEASUREMENTS = sizeof measurements / sizeof *measurements };

static void refuse(const char *what, const char *value)
{
    fprintf(stderr, "bench_kv: %s: '%s' (bench_kv --help lists what there is)\n", what, value);
    exit(2);
}

static uint64_t read_number(const char *text)
{
    char *end;
    uint64_t value = strtoull(text, &end, 10);
    if (end == text || *end != '\0')
        refuse("not a number", text);
    return value;
}

static void read_key_bytes(const char *text, struct kv_shape *shape)
{
    if (sscanf(text, "%u-%u", &shape->key_bytes_min, &shape->key_bytes_max) != 2 ||
        shape->key_bytes_min < 16 || shape->key_bytes_max < shape->key_bytes_min)
        refuse("not a range of lengths from 16", text);
}

static enum peer_durability read_durability(const char *text)
{
    static const char *const words[] = {"lazy", "safe", "durable"};
    for (int i = 0; i < 3; i++)
        if (strcmp(text, words[i]) == 0)
            return (enum peer_durability)i;
    refuse("no such durability", text);
    return PEER_LAZY;
}

static const struct peer *find_peer(const char *name)
{
    for (size_t i = 0; i < PEERS; i++)
        if (strcmp(peers[i]->name, name) == 0)
            return peers[i];
    refuse("no such peer", name);
    return NULL;
}

static kv_measure *find_measurement(const char *name)
{
    for (size_t i = 0; i < MEASUREMENTS; i++)
        if (strcmp(measurements[i].name, name) == 0)
            return measurements[i].measure;
    refuse("no such measurement", name);
    return NULL;
}

static const struct option options[] = {
    {"dir", required_argument, NULL, 'p'},
    {"rows", required_argument, NULL, 'r'},
    {"dims", required_argument, NULL, 'd'},
    {"key-bytes", required_argument, NULL, 'k'},
    {"batch", required_argument, NULL, 'b'},
    {"durability", required_argument, NULL, 'y'},
    {"fresh", no_argument, NULL, 'f'},
    {"cold", no_argument, NULL, 'c'},
    {"slices", required_argument, NULL, 'n'},
    {"draw", required_argument, NULL, 'w'},
    {"seed", required_argument, NULL, 's'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static void read_option(int letter, const char *value, struct kv_run *run)
{
    switch (letter) {
    case 'p':
        run->setting.directory = value;
        break;
    case 'r':
        run->rows = read_number(value);
        break;
    case 'd':
        run->shape.dims = (uint32_t)read_number(value);
        break;
    case 'k':
        read_key_bytes(value, &run->shape);
        break;
    case 'b':
        run->batch = (size_t)read_number(value);
        break;
    case 'y':
        run->setting.durability = read_durability(value);
        break;
    case 'f':
        run->setting.fresh = true;
        break;
    case 'c':
        run->cold = true;
        break;
    case 'n':
        run->slices = (size_t)read_number(value);
        break;
    case 'w':
        run->draw = read_number(value);
        break;
    case 's':
        run->shape.seed = read_number(value);
        break;
    case 'h':
        fputs(usage, stdout);
        exit(0);
    default:
        exit(2);
    }
}

static void check_run(const struct kv_run *run)
{
    if (run->setting.directory == NULL)
        refuse("missing option", "--dir");
    if (run->rows == 0 || run->batch == 0 || run->slices == 0 || run->shape.dims == 0 ||
        run->shape.dims > EDB_DIMS_MAX)
        refuse("out of range", "--rows, --batch, --slices or --dims");
}

static void print_result(const char *measurement, const struct kv_run *run,
                         const struct kv_result *result)
{
    printf("{\"measurement\": \"%s\", \"peer\": \"%s\"", measurement, run->peer->name);
    for (size_t i = 0; i < result->count; i++) {
        if (isfinite(result->figures[i].value))
            printf(", \"%s\": %.10g", result->figures[i].name, result->figures[i].value);
        else
            printf(", \"%s\": null", result->figures[i].name);
    }
    printf("}\n");
}

static int print_versions(void)
{
    printf("{");
    for (size_t i = 0; i < PEERS; i++)
        printf("%s\"%s\": \"%s\"", i > 0 ? ", " : "", peers[i]->name, peers[i]->version());
    printf("}\n");
    return 0;
}

int main(int argc, char **argv)
{
    struct kv_run run = {
        .shape = {.seed = 1, .dims = 1536, .key_bytes_min = 100, .key_bytes_max = 400},
        .rows = 100000,
        .batch = 1000,
        .slices = 7,
    };
    struct kv_result result = {.count = 0};
    for (int letter; (letter = getopt_long(argc, argv, "", options, NULL)) != -1;)
        read_option(letter, optarg, &run);
    if (argc - optind == 1 && strcmp(argv[optind], "versions") == 0)
        return print_versions();
    if (argc - optind != 2) {
        fputs(usage, stderr);
        return 2;
    }
    kv_measure *measure = find_measurement(argv[optind]);
    run.peer = find_peer(argv[optind + 1]);
    check_run(&run);
    if (run.peer == &peer_bare && measure != kv_insert)
        refuse("the bare file can only be inserted into, not", argv[optind]);
    if (!measure(&run, &result))
        return 1;
    print_result(argv[optind], &run, &result);
    return 0;
}
