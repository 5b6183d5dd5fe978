/* The crash explorer: seeded workloads on a simulated machine; then the power fails after each of
 * their operations, in every way that it may; each image is opened by the public API and every
 * record in it is read.
 *
 *   crash_protocol [seeds [first seed [stop]]]     EDB_SEED gives the first seed, too; with a third
 *                                                  word it ends quietly at the first bad state
 *
 * Invariants 1 to 12 of docs/format.md. Prints how many distinct images were looked at: "N crash
 * states". */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crash/crash_check.h"
#include "crash/crash_workload.h"
#include "format/frame.h"

enum { SEEDS = 66, OPERATIONS = 64, WORKERS = 2, STATES_PER_INTERVAL = 320 };

/* All are uint64_t: the totals of the workers are added up as an array. */
struct totals {
    uint64_t checked[CRASH_KINDS];
    uint64_t states[CRASH_DEPTH_MAX];
    uint64_t compacted;
    struct workload_counts workload;
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
    for (int depth = 0; depth < CRASH_DEPTH_MAX; depth++)
        totals->states[depth] += checker->states[depth];
    totals->compacted += checker->compacted;
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
    workload_run(kind, seed, OPERATIONS, &history, &totals->workload);
    if (os_sim_journal_copy(&journal) != EDB_OK)
        exit(1);
    struct crash_checker checker = {.history = &history,
                                    .seed = seed,
                                    .depth = CRASH_DEPTH_MAX,
                                    .recover_one_in = {512, 1024},
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

/* A part of the program at work on its share of the seeds. */
struct worker {
    pid_t pid;
    int totals; /* the end of the pipe that its totals come through; -1 when they have come */
};

static void start_worker(uint64_t first, uint64_t seeds, uint64_t number, struct worker *worker)
{
    int ends[2];
    if (pipe(ends) != 0)
        exit(1);
    fflush(NULL);
    worker->pid = fork();
    if (worker->pid == 0) {
        close(ends[0]);
        work(first, seeds, number, ends[1]);
    }
    close(ends[1]);
    worker->totals = ends[0];
}

/* False when the worker died. */
static int collect(struct worker *worker, struct totals *sum)
{
    struct totals one;
    int status = 0;
    ssize_t got = read(worker->totals, &one, sizeof one);
    close(worker->totals);
    worker->totals = -1;
    waitpid(worker->pid, &status, 0);
    if (got != (ssize_t)sizeof one || status != 0)
        return 0;
    const uint64_t *add = (const uint64_t *)&one;
    uint64_t *to = (uint64_t *)sum;
    for (size_t i = 0; i < sizeof one / sizeof *add; i++)
        to[i] += add[i];
    return 1;
}

/* Adds up what the workers tell; where the first bad state is enough, the others are not waited
 * for. False when one died. */
static int collect_all(struct worker workers[WORKERS], struct totals *sum)
{
    int alive = 1;
    for (int left = WORKERS; left > 0;) {
        struct pollfd waiting[WORKERS];
        for (int i = 0; i < WORKERS; i++)
            waiting[i] = (struct pollfd){workers[i].totals, POLLIN, 0};
        if (poll(waiting, WORKERS, -1) < 0)
            return 0;
        for (int i = 0; i < WORKERS; i++)
            if (waiting[i].revents != 0) {
                alive &= collect(&workers[i], sum);
                left--;
            }
        if (stop_at_first && (sum->bad > 0 || !alive))
            break;
    }
    for (int i = 0; i < WORKERS; i++)
        if (workers[i].totals >= 0)
            kill(workers[i].pid, SIGKILL);
    return alive;
}

/* A figure of the report; one that must not be 0 shows that the explorer still does what it
 * says. */
struct figure {
    const char *name;
    uint64_t count;
};

enum { FIGURES = CRASH_KINDS + 13 };

static void list_figures(const struct totals *sum, struct figure figures[FIGURES])
{
    const struct workload_counts *did = &sum->workload;
    const struct figure others[] = {{"sections written", sum->sections},
                                    {"transactions", did->transactions},
                                    {"deletes", did->deletes},
                                    {"compactions", did->compactions},
                                    {"compactions overtaken by another", did->overtaken},
                                    {"lock hand-overs", did->hand_overs},
                                    {"of them behind lazy commits", did->taken_lazy},
                                    {"transactions crossed by another session", did->crossed},
                                    {"sessions that died", did->deaths},
                                    {"failed syncs that kept the pages", did->failed_kept},
                                    {"failed syncs that reverted them", did->failed_reverted},
                                    {"recoveries crashed", sum->states[1]},
                                    {"recoveries of recoveries crashed", sum->states[2]}};
    for (int kind = 0; kind < CRASH_KINDS; kind++)
        figures[kind] = (struct figure){crash_kind_name((enum crash_kind)kind), sum->checked[kind]};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        figures[CRASH_KINDS + i] = others[i];
}

/* False when something that the explorer is there for did not happen. */
static int print_figures(const struct totals *sum)
{
    struct figure figures[FIGURES];
    int complete = 1;
    list_figures(sum, figures);
    for (int i = 0; i < FIGURES; i++) {
        printf("%s%s %llu", i > 0 ? ", " : "", figures[i].name,
               (unsigned long long)figures[i].count);
        complete &= figures[i].count > 0;
    }
    printf("\n");
    return complete;
}

static uint64_t all_states(const struct totals *sum)
{
    uint64_t states = 0;
    for (int depth = 0; depth < CRASH_DEPTH_MAX; depth++)
        states += sum->states[depth];
    return states;
}

/* Returns whether everything happened that should. */
static int print_totals(const struct totals *sum, uint64_t seeds)
{
    printf("%llu seeds, power failed at %llu points; ", (unsigned long long)seeds,
           (unsigned long long)sum->points);
    int complete = print_figures(sum);
    printf("%llu recoveries wrote the file anew; %llu more states were equal to others\n",
           (unsigned long long)sum->compacted, (unsigned long long)sum->duplicates);
    printf("%llu crash states to depth %d, %llu bad\n", (unsigned long long)all_states(sum),
           CRASH_DEPTH_MAX, (unsigned long long)sum->bad);
    return complete && sum->compacted > 0;
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
    struct worker workers[WORKERS];
    printf("first seed %llu (EDB_SEED)\n", (unsigned long long)first);
    for (uint64_t i = 0; i < WORKERS; i++)
        start_worker(first, seeds, i, &workers[i]);
    int alive = collect_all(workers, &sum);
    int complete = print_totals(&sum, seeds);
    if (!alive)
        fprintf(stderr, "a worker died\n");
    if (sum.left_open > 0)
        fprintf(stderr, "%llu files were left open\n", (unsigned long long)sum.left_open);
    int enough = argc > 1 || (all_states(&sum) >= 300000 && sum.sections >= 100 && complete);
    if (!enough)
        fprintf(stderr, "fewer than 300,000 states, or something never happened (0 above): the "
                        "explorer has become blind\n");
    return alive && enough && sum.bad == 0 && sum.left_open == 0 ? 0 : 1;
}
