/* The crash explorer: seeded workloads on a simulated machine; then the power fails after each of
 * their operations, in every way that it may; each image is opened by the public API and every
 * record in it is read.
 *
 *   crash_protocol [seeds [first seed [stop]]]     EDB_SEED gives the first seed, too; with a third
 *                                                  word it ends quietly at the first bad state
 *
 * Invariants 1 to 12 of docs/format.md. Prints how many distinct images were looked at: "N crash
 * states". */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crash/crash_check.h"
#include "crash/crash_workload.h"
#include "format/frame.h"

enum { SEEDS = 64, OPERATIONS = 64, WORKERS = 2, STATES_PER_INTERVAL = 320 };

struct totals {
    uint64_t checked[CRASH_KINDS];
    uint64_t states;
    uint64_t recovery_states;
    uint64_t duplicates;
    uint64_t points;
    uint64_t bad;
    uint64_t left_open;
    uint64_t sections;
};

static void add_counts(struct totals *totals, const struct crash_counts *counts,
                       const struct crash_checker *checker)
{
    for (int kind = 0; kind < CRASH_KINDS; kind++)
        totals->checked[kind] += counts->checked[kind];
    totals->duplicates += counts->duplicates;
    totals->points += counts->points;
    totals->states += checker->states;
    totals->recovery_states += checker->recovery_states;
    totals->bad += checker->bad;
    totals->left_open += os_sim_open_files();
}

/* Sections in the journal: derived data must have been under way when the power failed. */
static uint64_t count_sections(const struct os_sim_journal *journal)
{
    uint64_t sections = 0;
    for (size_t i = 0; i < journal->count; i++) {
        const struct os_sim_operation *operation = &journal->operations[i];
        if (operation->kind == OS_SIM_WRITE && operation->bytes == FRAME_HEADER_BYTES)
            sections += journal->data[operation->data + 4] == FRAME_SECTION;
    }
    return sections;
}

static int stop_at_first;

static void explore_seed(uint64_t seed, struct totals *totals)
{
    static struct history history;
    struct os_sim_journal journal;
    enum workload_kind kind = (enum workload_kind)(seed % WORKLOAD_KINDS);
    os_sim_begin(seed);
    os_use(&os_sim);
    workload_run(kind, seed, OPERATIONS, &history);
    if (os_sim_journal_copy(&journal) != EDB_OK)
        exit(1);
    struct crash_checker checker = {.history = &history,
                                    .seed = seed,
                                    .depth = 2,
                                    .recover_one_in = 256,
                                    .stop_at_first = stop_at_first,
                                    .quiet = stop_at_first};
    struct crash_options options = {seed, STATES_PER_INTERVAL};
    struct crash_counts counts = {0};
    crash_explore(&journal, NULL, &options, crash_check_state, &checker, &counts);
    add_counts(totals, &counts, &checker);
    totals->sections += count_sections(&journal);
    if (checker.bad > 0)
        fprintf(stderr, "seed %llu (%s): %llu bad states\n", (unsigned long long)seed,
                workload_name(kind), (unsigned long long)checker.bad);
    os_sim_journal_free(&journal);
    os_sim_end();
}

/* Every WORKERS-th seed; the totals go through the pipe. */
static void work(uint64_t first, uint64_t seeds, uint64_t worker, int out)
{
    struct totals totals = {0};
    for (uint64_t i = worker; i < seeds && !(stop_at_first && totals.bad > 0); i += WORKERS)
        explore_seed(first + i, &totals);
    ssize_t written = write(out, &totals, sizeof totals);
    _exit(written == (ssize_t)sizeof totals ? 0 : 1);
}

static int start_worker(uint64_t first, uint64_t seeds, uint64_t worker, pid_t *pid_out)
{
    int ends[2];
    if (pipe(ends) != 0)
        exit(1);
    fflush(NULL);
    *pid_out = fork();
    if (*pid_out == 0) {
        close(ends[0]);
        work(first, seeds, worker, ends[1]);
    }
    close(ends[1]);
    return ends[0];
}

/* False when the worker died. */
static int collect(int from, pid_t pid, struct totals *sum)
{
    struct totals one;
    int status = 0;
    ssize_t got = read(from, &one, sizeof one);
    close(from);
    waitpid(pid, &status, 0);
    if (got != (ssize_t)sizeof one || status != 0)
        return 0;
    const uint64_t *add = (const uint64_t *)&one;
    uint64_t *to = (uint64_t *)sum;
    for (size_t i = 0; i < sizeof one / sizeof *add; i++)
        to[i] += add[i];
    return 1;
}

static void print_totals(const struct totals *sum, uint64_t seeds)
{
    printf("%llu seeds, %llu sections written, power failed at %llu points; ",
           (unsigned long long)seeds, (unsigned long long)sum->sections,
           (unsigned long long)sum->points);
    for (int kind = 0; kind < CRASH_KINDS; kind++)
        printf("%s %llu, ", crash_kind_name((enum crash_kind)kind),
               (unsigned long long)sum->checked[kind]);
    printf("crash during recovery %llu; %llu more were equal to others\n",
           (unsigned long long)sum->recovery_states, (unsigned long long)sum->duplicates);
    printf("%llu crash states, %llu bad\n", (unsigned long long)sum->states,
           (unsigned long long)sum->bad);
}

int main(int argc, char **argv)
{
    const char *given = getenv("EDB_SEED");
    uint64_t seeds = argc > 1 ? strtoull(argv[1], NULL, 10) : SEEDS;
    uint64_t first = argc > 2 ? strtoull(argv[2], NULL, 10)
                     : given  ? strtoull(given, NULL, 10)
                              : 1000;
    stop_at_first = argc > 3;
    struct totals sum = {0};
    pid_t pids[WORKERS];
    int pipes[WORKERS];
    int alive = 1;
    printf("first seed %llu (EDB_SEED)\n", (unsigned long long)first);
    for (uint64_t i = 0; i < WORKERS; i++)
        pipes[i] = start_worker(first, seeds, i, &pids[i]);
    for (uint64_t i = 0; i < WORKERS; i++)
        alive &= collect(pipes[i], pids[i], &sum);
    print_totals(&sum, seeds);
    if (!alive)
        fprintf(stderr, "a worker died\n");
    if (sum.left_open > 0)
        fprintf(stderr, "%llu files were left open\n", (unsigned long long)sum.left_open);
    int enough = argc > 1 || (sum.states >= 300000 && sum.sections >= 100);
    if (!enough)
        fprintf(stderr, "fewer than 300,000 states: the explorer has become blind\n");
    return alive && enough && sum.bad == 0 && sum.left_open == 0 ? 0 : 1;
}
