/* Eight processes of four threads embed overlapping lists in orders of their own, and some are
 * killed while they do. Every text is embedded once, but for those that a killed process had
 * embedded and not yet put: somebody else takes over, and they are counted apart.
 *
 * The embedder takes a few milliseconds and notes each text in a log before it gives its vector,
 * with one append for a batch: the log knows what was embedded whatever becomes of the process. */
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "embedcache.h"
#include "multiproc/run_worker.h"
#include "unit/base/seeded_random.h"

#include <cmocka.h>

enum {
    WORKERS = 8,
    THREADS = 4,
    TEXTS = 24000,
    LIST = 12,
    EMBED_US = 3000,  /* a text */
    ANSWER_US = 2000, /* from then on it is embedded, and not yet put */
    WAIT_MS = 30000,
    KILLS = 25,
    SECONDS_MAX = 100
};

static char place[PLACE_BYTES];
static char path[PLACE_BYTES + 16];
static char log_path[PLACE_BYTES + 16];

/* What the log says: who embedded which text. */
struct entry {
    uint32_t pid;
    uint32_t text;
};

/* --------------------------------------------------------------------------------------- worker */

struct embedder {
    pthread_t thread;
    edb *db;
    edb_space *space;
    int log;
    struct random_source random;
};

static float vector_of(uint32_t text)
{
    return (float)text + 0.5f;
}

static void open_cache(struct embedder *embedder)
{
    edb_space_spec spec = EDB_SPACE_SPEC_INIT;
    spec.dims = 1;
    if (edb_open(path, NULL, &embedder->db) != EDB_OK ||
        edb_space_open(embedder->db, &spec, &embedder->space) != EDB_OK)
        report_fault("%s", edb_error_detail());
}

/* Embeds what is MINE, as one batch, and puts it. */
static void embed(struct embedder *embedder, const edb_claims *claims, const uint32_t *texts)
{
    struct entry entries[LIST];
    edb_key keys[LIST];
    float vectors[LIST];
    size_t count = 0;
    for (size_t i = 0; i < claims->n; i++) {
        if (claims->states[i] != EDB_CLAIM_MINE)
            continue;
        entries[count] = (struct entry){(uint32_t)getpid(), texts[i]};
        keys[count] = (edb_key){&texts[i], sizeof texts[i]};
        vectors[count++] = vector_of(texts[i]);
    }
    if (count == 0)
        return;
    usleep((useconds_t)(count * EMBED_US));
    if (write(embedder->log, entries, count * sizeof *entries) !=
        (ssize_t)(count * sizeof *entries))
        report_fault("the log cannot be written");
    usleep((useconds_t)(count * ANSWER_US));
    if (edb_put_many(embedder->space, keys, count, vectors, NULL, NULL) != EDB_OK)
        report_fault("edb_put_many: %s", edb_error_detail());
}

static void embed_list(struct embedder *embedder, const uint32_t *texts)
{
    edb_key keys[LIST];
    float vectors[LIST];
    uint8_t found[LIST];
    edb_claims *claims;
    for (size_t i = 0; i < LIST; i++)
        keys[i] = (edb_key){&texts[i], sizeof texts[i]};
    edb_status status = edb_claim(embedder->space, keys, LIST, &claims);
    while (status == EDB_OK && claims->mine + claims->waiting > 0) {
        embed(embedder, claims, texts);
        status = edb_claim_wait(claims, WAIT_MS);
    }
    if (status != EDB_OK)
        report_fault("claims: %s", edb_error_detail());
    edb_claim_release(claims);
    if (edb_get_many(embedder->space, keys, LIST, vectors, found) != EDB_OK)
        report_fault("edb_get_many: %s", edb_error_detail());
    for (size_t i = 0; i < LIST; i++)
        if (!found[i] || vectors[i] != vector_of(texts[i]))
            report_fault("text %" PRIu32 " is not there", texts[i]);
}

static void *embed_all(void *arg)
{
    struct embedder *embedder = arg;
    uint32_t texts[TEXTS];
    for (uint32_t i = 0; i < TEXTS; i++) {
        uint32_t other = (uint32_t)random_below(&embedder->random, i + 1);
        texts[i] = texts[other];
        texts[other] = i;
    }
    for (uint32_t at = 0; at < TEXTS; at += LIST)
        embed_list(embedder, texts + at);
    return NULL;
}

/* In one half of all processes the threads share a handle, in the other each has its own. */
static int work(uint64_t number, uint64_t seed)
{
    struct embedder embedders[THREADS];
    int log = open(log_path, O_WRONLY | O_APPEND | O_CLOEXEC);
    for (int i = 0; i < THREADS; i++) {
        struct embedder *embedder = &embedders[i];
        if (i == 0 || number % 2 == 1)
            open_cache(embedder);
        else
            *embedder = embedders[0];
        embedder->log = log;
        embedder->random.state = seed + (uint64_t)i * 1000003;
        if (pthread_create(&embedder->thread, NULL, embed_all, embedder) != 0)
            report_fault("there is no thread");
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(embedders[i].thread, NULL);
    for (int i = 0; i < (number % 2 == 1 ? THREADS : 1); i++)
        if (edb_close(embedders[i].db) != EDB_OK)
            report_fault("edb_close: %s", edb_error_detail());
    close(log);
    return 0;
}

/* ---------------------------------------------------------------------------------------- judge */

static pid_t killed[KILLS];
static size_t killed_count;

static bool was_killed(uint32_t pid)
{
    for (size_t i = 0; i < killed_count; i++)
        if ((uint32_t)killed[i] == pid)
            return true;
    return false;
}

/* A text is embedded anew only when who embedded it before was killed. Gives how often that was. */
static size_t judge_log(void)
{
    static uint32_t last[TEXTS]; /* who embedded it: pid */
    struct entry entry;
    size_t takeovers = 0, wrong = 0;
    FILE *log = fopen(log_path, "re");
    assert_non_null(log);
    while (fread(&entry, sizeof entry, 1, log) == 1) {
        assert_true(entry.text < TEXTS);
        uint32_t before = last[entry.text];
        if (before != 0 && !was_killed(before)) {
            print_error("text %" PRIu32 ": by %" PRIu32 ", then by %" PRIu32 "\n", entry.text,
                        before, entry.pid);
            wrong++;
        }
        takeovers += before != 0;
        last[entry.text] = entry.pid;
    }
    fclose(log);
    assert_int_equal(wrong, 0);
    for (uint32_t i = 0; i < TEXTS; i++)
        assert_true(last[i] != 0);
    return takeovers;
}

static void ignore(void *arg, const struct report *report)
{
    (void)arg;
    (void)report;
}

static void start(struct worker *worker, int number, struct random_source *random)
{
    char digits[24], seed[24];
    snprintf(digits, sizeof digits, "%d", number);
    snprintf(seed, sizeof seed, "%" PRIu64, random_u64(random));
    const char *const arguments[] = {place, digits, seed, NULL};
    worker_start(worker, NULL, arguments);
}

/* Kills one after another while they embed, and starts another in its place. */
static void kill_some(struct worker *workers, struct random_source *random)
{
    for (int i = 0; i < KILLS; i++) {
        usleep((useconds_t)(50000 + random_below(random, 100000)));
        int number = (int)random_below(random, WORKERS);
        pid_t pid = workers[number].pid;
        if (worker_kill(&workers[number], ignore, NULL))
            killed[killed_count++] = pid;
        start(&workers[number], number, random);
    }
}

static void test_every_text_is_embedded_once(void **state)
{
    struct worker workers[WORKERS];
    struct random_source random = seeded_random("claim_once");
    (void)state;
    close(open(log_path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    for (int i = 0; i < WORKERS; i++)
        start(&workers[i], i, &random);
    kill_some(workers, &random);
    for (int i = 0; i < WORKERS; i++) {
        int status = worker_wait(&workers[i], ignore, NULL);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    size_t takeovers = judge_log();
    printf("%d texts, each embedded once; %zu processes killed, %zu texts taken over\n", TEXTS,
           killed_count, takeovers);
    assert_true(killed_count > KILLS / 2 && takeovers > 0);
}

static int begin(void **state)
{
    (void)state;
    place_open(place);
    snprintf(path, sizeof path, "%s/once.edb", place);
    snprintf(log_path, sizeof log_path, "%s/once.log", place);
    return 0;
}

static int end(void **state)
{
    (void)state;
    place_close(place);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 4) {
        worker_begin();
        alarm(SECONDS_MAX);
        snprintf(path, sizeof path, "%s/once.edb", argv[1]);
        snprintf(log_path, sizeof log_path, "%s/once.log", argv[1]);
        return work(strtoull(argv[2], NULL, 10), strtoull(argv[3], NULL, 10));
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_every_text_is_embedded_once, begin, end)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
