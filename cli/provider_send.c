/* Requests to an embedding server, on one thread, over libcurl's multi interface.
 *
 * A batch that is given becomes a task: a range of its texts. A task waits (until it is due), is on
 * its way in a transfer, or is over; then each of its texts has its fate. Failures decide what is
 * next:
 *
 *   passing   due again later: after 0.5 s, 1 s, 2 s, ... up to 30 s, each shortened by up to a
 *             half by chance, so that many clients do not come back at once; or when the server
 *             says, up to two minutes, and until then no other task begins either
 *   form      due again at once, with a request that names the dimensions: the space may have been
 *             made by such requests, which it does not tell
 *   texts     two tasks of half the texts; a text that is alone is refused by name
 *   request   its texts have failed
 *   all       likewise, and everything that comes after
 *
 * Three requests that fail in a row are taken for all: a server that is down is not asked for each
 * of a million texts. So are the refusals of eight single texts by a server that has never taken
 * any: then it is no text that it does not like.
 *
 * A batch is finished when its last task is over. Nothing is stored here. */
#include "provider_send.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "interrupt_catch.h"
#include "progress_draw.h"
#include "provider_failure.h"
#include "provider_request.h"
#include "provider_transfer.h"
#include "report_error.h"

#define WAIT_FIRST 0.5
#define WAIT_MAX 30.0
#define RETRY_AFTER_MAX 120.0
#define SPREAD 0.25

/* An interrupt may come just before the wait begins, so none is long. */
enum {
    POLL_MS_MAX = 200,
    IN_A_ROW_MAX = 3,
    REFUSED_FIRST_MAX = 8,
    NAMED_MAX = 10,
    TEXT_SHOWN = 60
};

struct task {
    struct task *next;
    struct text_batch *batch;
    size_t first; /* of the batch's asked texts */
    size_t count;
    uint32_t tries; /* failed ones */
    int names_dims; /* its request does */
    double due;
};

struct provider {
    struct embedder_choice choice;
    struct provider_address address;
    struct provider_key key;
    struct curl_slist *headers;
    CURLM *multi;
    struct transfer *transfers;
    struct task *waiting;
    struct text_batch *finished;
    size_t batches; /* given and not taken */
    uint32_t dims;  /* 0: not known yet */
    double pause_until;
    uint64_t chance;
    struct embedder_counts counts;
    uint64_t answered; /* requests with vectors that are good */
    uint32_t failed_in_a_row;
    uint32_t refused; /* single texts */
    uint32_t named;   /* failures and refusals, as sentences */
    int code;
    int is_stopped;
};

static int make_headers(struct provider *provider);
static int add_header(struct provider *provider, const char *header);
static int open_transfers(struct provider *provider);
static struct text_batch *pop_finished(struct provider *provider);
static int begin_due(struct provider *provider);
static struct task *pop_due(struct provider *provider, double now);
static int begin(struct provider *provider, struct transfer *transfer, struct task *task);
static struct answer_wish wish_of(const struct provider *provider, const struct task *task);
static void move(struct provider *provider);
static void judge(struct provider *provider, struct transfer *transfer, CURLcode result);
static enum failure_kind examine(struct provider *provider, struct transfer *transfer,
                                 CURLcode result, struct provider_failure *failure);
static enum failure_kind accept_answer(struct provider *provider, struct transfer *transfer,
                                       struct provider_failure *failure);
static int keep_vectors(struct task *task, const struct answer *answer);
static uint32_t share_of(uint64_t tokens, size_t index, size_t count);
static void try_again(struct provider *provider, struct task *task, double retry_after);
static double chance(struct provider *provider);
static void halve(struct provider *provider, struct task *task,
                  const struct provider_failure *failure);
static void refuse_text(struct provider *provider, struct task *task,
                        const struct provider_failure *failure);
static void fail_task(struct provider *provider, struct task *task,
                      const struct provider_failure *failure);
static void tell(struct provider *provider, const char *sentence);
static void stop(struct provider *provider, int code);
static void finish(struct provider *provider, struct task *task, enum text_fate fate);
static void settle(struct provider *provider, const struct task *task, enum text_fate fate);
static void finish_waiting(struct provider *provider, enum text_fate fate);
static void drop_all(struct provider *provider);
static void wait_for_news(struct provider *provider);
static int has_idle_transfer(const struct provider *provider);
static void push(struct provider *provider, struct task *task);

int provider_open(struct provider **provider_out, const struct embedder_choice *choice)
{
    struct provider *provider = calloc(1, sizeof *provider);
    *provider_out = provider;
    if (provider == NULL)
        return report_no_memory();
    provider->choice = *choice;
    provider->dims = choice->dims;
    provider->chance = ((uint64_t)(progress_seconds() * 1e9) ^ (uint64_t)getpid() << 32) | 1;
    int code = address_read(&provider->address, choice->address, choice->source);
    if (code == CODE_OK)
        code = key_choose(&provider->address, &provider->key);
    if (code == CODE_OK)
        code = make_headers(provider);
    return code == CODE_OK ? open_transfers(provider) : code;
}

int provider_has_room(const struct provider *provider)
{
    return provider->batches < provider->choice.concurrency;
}

int provider_give(struct provider *provider, struct text_batch *batch)
{
    struct task whole = {.batch = batch, .count = batch->asked_count};
    struct task *task = malloc(sizeof *task);
    provider->batches++;
    batch->parts = 1;
    if (task == NULL) {
        settle(provider, &whole, FATE_FAILED);
        return report_no_memory();
    }
    *task = whole;
    if (task->count == 0 || provider->is_stopped || interrupt_caught()) {
        finish(provider, task, interrupt_caught() ? FATE_DROPPED : FATE_FAILED);
        return CODE_OK;
    }
    push(provider, task);
    int code = begin_due(provider);
    if (code == CODE_OK)
        move(provider);
    return code;
}

struct text_batch *provider_take(struct provider *provider, int waits)
{
    int is_over = provider->finished != NULL || provider->batches == 0;
    while (!is_over) {
        move(provider);
        if (interrupt_caught())
            drop_all(provider);
        else if (provider->is_stopped)
            finish_waiting(provider, FATE_FAILED);
        else if (begin_due(provider) != CODE_OK)
            stop(provider, CODE_IO);
        is_over = provider->finished != NULL || !waits;
        if (!is_over)
            wait_for_news(provider);
    }
    return pop_finished(provider);
}

int provider_code(const struct provider *provider)
{
    return provider->code;
}

int provider_is_stopped(const struct provider *provider)
{
    return provider->is_stopped;
}

struct embedder_counts provider_count(const struct provider *provider)
{
    return provider->counts;
}

void provider_close(struct provider *provider)
{
    if (provider == NULL)
        return;
    if (provider->transfers != NULL)
        drop_all(provider);
    for (size_t i = 0; provider->transfers != NULL && i < provider->choice.concurrency; i++)
        transfer_close(&provider->transfers[i]);
    free(provider->transfers);
    curl_multi_cleanup(provider->multi);
    curl_slist_free_all(provider->headers);
    address_close(&provider->address);
    free(provider);
}

/* "Expect:" is taken away: a server that waits for what follows it would wait a second. */
static int make_headers(struct provider *provider)
{
    int code = add_header(provider, "Content-Type: application/json");
    if (code == CODE_OK)
        code = add_header(provider, "Accept: application/json");
    if (code == CODE_OK)
        code = add_header(provider, "Expect:");
    if (code != CODE_OK || provider->key.secret == NULL)
        return code;
    size_t bytes = sizeof "Authorization: Bearer " + strlen(provider->key.secret);
    char *header = malloc(bytes);
    if (header == NULL)
        return report_no_memory();
    snprintf(header, bytes, "Authorization: Bearer %s", provider->key.secret);
    code = add_header(provider, header);
    free(header);
    return code;
}

static int add_header(struct provider *provider, const char *header)
{
    struct curl_slist *longer = curl_slist_append(provider->headers, header);
    if (longer == NULL)
        return report_no_memory();
    provider->headers = longer;
    return CODE_OK;
}

static int open_transfers(struct provider *provider)
{
    size_t count = provider->choice.concurrency;
    provider->multi = curl_multi_init();
    provider->transfers = calloc(count, sizeof *provider->transfers);
    if (provider->multi == NULL || provider->transfers == NULL)
        return report_no_memory();
    curl_multi_setopt(provider->multi, CURLMOPT_MAXCONNECTS, (long)count);
    int code = CODE_OK;
    for (size_t i = 0; i < count && code == CODE_OK; i++)
        code = transfer_open(&provider->transfers[i], &provider->address, provider->headers,
                             provider->choice.seconds_max);
    return code;
}

static struct text_batch *pop_finished(struct provider *provider)
{
    struct text_batch *batch = provider->finished;
    if (batch == NULL)
        return NULL;
    provider->finished = batch->next;
    provider->batches--;
    return batch;
}

/* As many as are due and as there are transfers for. */
static int begin_due(struct provider *provider)
{
    double now = progress_seconds();
    int code = CODE_OK;
    if (now < provider->pause_until)
        return CODE_OK;
    for (size_t i = 0; i < provider->choice.concurrency && code == CODE_OK; i++) {
        struct transfer *transfer = &provider->transfers[i];
        struct task *task = transfer->task == NULL ? pop_due(provider, now) : NULL;
        if (task != NULL)
            code = begin(provider, transfer, task);
    }
    return code;
}

static struct task *pop_due(struct provider *provider, double now)
{
    struct task **link = &provider->waiting;
    while (*link != NULL && (*link)->due > now)
        link = &(*link)->next;
    struct task *task = *link;
    if (task != NULL)
        *link = task->next;
    return task;
}

static int begin(struct provider *provider, struct transfer *transfer, struct task *task)
{
    size_t bytes;
    struct answer_wish wish = wish_of(provider, task);
    char *body = request_write(&provider->choice, task->batch, task->first, task->count, &bytes);
    int code = body == NULL ? report_no_memory()
                            : transfer_begin(transfer, provider->multi, body, bytes,
                                             answer_bytes_max(&wish));
    if (code != CODE_OK) {
        push(provider, task);
        return code;
    }
    transfer->task = task;
    task->names_dims = provider->choice.dims_are_asked;
    provider->counts.calls++;
    provider->counts.retries += task->tries > 0;
    return CODE_OK;
}

static struct answer_wish wish_of(const struct provider *provider, const struct task *task)
{
    struct answer_wish wish = {provider->choice.model, task->count, provider->dims,
                               provider->choice.dims != 0};
    return wish;
}

/* Sends and receives what can be, and judges what is over. */
static void move(struct provider *provider)
{
    int running;
    int left;
    CURLMsg *message;
    curl_multi_perform(provider->multi, &running);
    while ((message = curl_multi_info_read(provider->multi, &left)) != NULL) {
        char *transfer = NULL;
        if (message->msg != CURLMSG_DONE)
            continue;
        CURLcode result = message->data.result;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
        judge(provider, (struct transfer *)(void *)transfer, result);
    }
}

static void judge(struct provider *provider, struct transfer *transfer, CURLcode result)
{
    struct provider_failure failure;
    struct task *task = transfer->task;
    enum failure_kind kind = examine(provider, transfer, result, &failure);
    double retry_after = kind == FAILURE_PASSING ? transfer_retry_after(transfer) : 0;
    transfer_end(transfer, provider->multi);
    int is_last_try = task->tries == provider->choice.tries_again || provider->is_stopped;
    if (kind == FAILURE_NONE)
        finish(provider, task, FATE_CAME);
    else if (kind == FAILURE_FORM && !provider->is_stopped)
        push(provider, task);
    else if (kind == FAILURE_PASSING && !is_last_try)
        try_again(provider, task, retry_after);
    else if (kind == FAILURE_TEXTS && task->count > 1 && !provider->is_stopped)
        halve(provider, task, &failure);
    else if (kind == FAILURE_TEXTS && !provider->is_stopped)
        refuse_text(provider, task, &failure);
    else
        fail_task(provider, task, &failure);
}

static enum failure_kind examine(struct provider *provider, struct transfer *transfer,
                                 CURLcode result, struct provider_failure *failure)
{
    struct failure_scene scene = {&provider->choice, &provider->address, &provider->key,
                                  provider->answered > 0};
    long status = transfer_status(transfer);
    if (transfer->has_no_memory)
        failure_of_memory(failure, &scene);
    else if (transfer->is_too_long)
        failure_of_length(failure, &scene, transfer->answer_bytes_max);
    else if (result != CURLE_OK)
        failure_of_transfer(failure, &scene, result, transfer->error);
    else if (status != 200)
        failure_of_status(failure, &scene, status, transfer->answer, transfer->answer_bytes);
    else
        return accept_answer(provider, transfer, failure);
    return failure->kind;
}

static enum failure_kind accept_answer(struct provider *provider, struct transfer *transfer,
                                       struct provider_failure *failure)
{
    struct failure_scene scene = {&provider->choice, &provider->address, &provider->key, 1};
    struct answer answer;
    struct answer_wish wish = wish_of(provider, transfer->task);
    failure->kind = FAILURE_NONE;
    if (!answer_read(&wish, transfer->answer, transfer->answer_bytes, &answer)) {
        failure_of_answer(failure, &scene, &answer, transfer->answer, transfer->answer_bytes);
        if (answer.fault == ANSWER_OTHER_SIZE && !((struct task *)transfer->task)->names_dims) {
            provider->choice.dims_are_asked = 1;
            failure->kind = FAILURE_FORM;
        }
        return failure->kind;
    }
    if (keep_vectors(transfer->task, &answer) != CODE_OK) {
        failure_of_memory(failure, &scene);
        free(answer.vectors);
        return failure->kind;
    }
    provider->dims = answer.dims;
    provider->answered++;
    provider->failed_in_a_row = 0;
    provider->counts.tokens += answer.tokens;
    provider->counts.has_tokens |= answer.has_tokens;
    free(answer.vectors);
    return FAILURE_NONE;
}

static int keep_vectors(struct task *task, const struct answer *answer)
{
    struct text_batch *batch = task->batch;
    int code = text_batch_make_vectors(batch, answer->dims);
    for (size_t i = 0; i < task->count && code == CODE_OK; i++) {
        uint32_t text = batch->asked[task->first + i];
        memcpy(text_batch_vector(batch, text), answer->vectors + i * answer->dims,
               answer->dims * sizeof *answer->vectors);
        batch->texts[text].cost = share_of(answer->tokens, i, task->count);
    }
    return code;
}

/* The tokens of a request are counted over all of its texts: each has the same share, and the first
 * ones what remains. */
static uint32_t share_of(uint64_t tokens, size_t index, size_t count)
{
    uint64_t share = tokens / count + (index < tokens % count);
    return share < UINT32_MAX ? (uint32_t)share : UINT32_MAX;
}

static void try_again(struct provider *provider, struct task *task, double retry_after)
{
    double now = progress_seconds();
    double wait = WAIT_FIRST;
    for (uint32_t i = 0; i < task->tries && wait < WAIT_MAX; i++)
        wait *= 2;
    wait = wait < WAIT_MAX ? wait : WAIT_MAX;
    wait *= 0.5 + 0.5 * chance(provider);
    if (retry_after > 0) {
        retry_after = retry_after < RETRY_AFTER_MAX ? retry_after : RETRY_AFTER_MAX;
        provider->pause_until = now + retry_after;
        wait = retry_after + SPREAD * chance(provider);
    }
    task->due = now + wait;
    task->tries++;
    push(provider, task);
}

/* From 0 to 1, xorshift. */
static double chance(struct provider *provider)
{
    provider->chance ^= provider->chance << 13;
    provider->chance ^= provider->chance >> 7;
    provider->chance ^= provider->chance << 17;
    return (double)(provider->chance >> 11) / 9007199254740992.0;
}

/* The first half comes first: what is wrong with every text is noticed after few calls. */
static void halve(struct provider *provider, struct task *task,
                  const struct provider_failure *failure)
{
    struct task *second = malloc(sizeof *second);
    if (second == NULL) {
        fail_task(provider, task, failure);
        return;
    }
    size_t half = task->count / 2;
    *second = *task;
    second->first += half;
    second->count -= half;
    task->count = half;
    task->batch->parts++;
    task->tries = second->tries = 0;
    push(provider, second);
    push(provider, task);
}

static void refuse_text(struct provider *provider, struct task *task,
                        const struct provider_failure *failure)
{
    char sentence[FAILURE_SENTENCE_BYTES + 128];
    size_t bytes;
    const char *text = text_batch_text(task->batch, task->batch->asked[task->first], &bytes);
    int shown = bytes > TEXT_SHOWN ? TEXT_SHOWN : (int)bytes;
    while (shown > 0 && shown < (int)bytes && ((unsigned char)text[shown] & 0xc0) == 0x80)
        shown--;
    snprintf(sentence, sizeof sentence, "the text \"%.*s%s\" of %zu bytes is refused: %s", shown,
             text, shown < (int)bytes ? "..." : "", bytes, failure->sentence);
    tell(provider, sentence);
    finish(provider, task, FATE_REFUSED);
    provider->code = provider->code == CODE_OK ? failure->code : provider->code;
    if (++provider->refused == REFUSED_FIRST_MAX && provider->answered == 0) {
        report_error(failure->code,
                     "%s has refused %d texts and taken none: check the model, --dims, --encoding "
                     "and what the server says",
                     provider->address.host, REFUSED_FIRST_MAX);
        stop(provider, failure->code);
    }
}

static void fail_task(struct provider *provider, struct task *task,
                      const struct provider_failure *failure)
{
    if (!provider->is_stopped)
        tell(provider, failure->sentence);
    finish(provider, task, FATE_FAILED);
    if (provider->is_stopped)
        return;
    provider->code = provider->code == CODE_OK ? failure->code : provider->code;
    if (failure->kind == FAILURE_ALL) {
        stop(provider, failure->code);
    } else if (++provider->failed_in_a_row == IN_A_ROW_MAX) {
        report_error(failure->code, "%d requests have failed in a row: no more are made",
                     IN_A_ROW_MAX);
        stop(provider, failure->code);
    }
}

static void tell(struct provider *provider, const char *sentence)
{
    if (++provider->named < NAMED_MAX)
        report_error(CODE_OK, "%s", sentence);
    else if (provider->named == NAMED_MAX)
        report_error(CODE_OK, "%s; others are only counted from here on", sentence);
}

static void stop(struct provider *provider, int code)
{
    provider->code = provider->code == CODE_OK ? code : provider->code;
    provider->is_stopped = 1;
}

static void finish(struct provider *provider, struct task *task, enum text_fate fate)
{
    settle(provider, task, fate);
    free(task);
}

/* The task is over, and its batch too when it was the last. */
static void settle(struct provider *provider, const struct task *task, enum text_fate fate)
{
    struct text_batch *batch = task->batch;
    for (size_t i = task->first; i < task->first + task->count; i++)
        batch->texts[batch->asked[i]].fate = fate;
    if (--batch->parts > 0)
        return;
    batch->next = provider->finished;
    provider->finished = batch;
}

static void finish_waiting(struct provider *provider, enum text_fate fate)
{
    while (provider->waiting != NULL) {
        struct task *task = provider->waiting;
        provider->waiting = task->next;
        finish(provider, task, fate);
    }
}

static void drop_all(struct provider *provider)
{
    for (size_t i = 0; i < provider->choice.concurrency; i++) {
        struct task *task = provider->transfers[i].task;
        if (task == NULL)
            continue;
        transfer_end(&provider->transfers[i], provider->multi);
        finish(provider, task, FATE_DROPPED);
    }
    finish_waiting(provider, FATE_DROPPED);
}

/* Until the network moves, or a task is due that a transfer is free for. */
static void wait_for_news(struct provider *provider)
{
    double now = progress_seconds();
    double wait = POLL_MS_MAX;
    const struct task *task = has_idle_transfer(provider) ? provider->waiting : NULL;
    for (; task != NULL; task = task->next) {
        double due = task->due > provider->pause_until ? task->due : provider->pause_until;
        double left = due > now ? (due - now) * 1000 + 1 : 1;
        wait = left < wait ? left : wait;
    }
    curl_multi_poll(provider->multi, NULL, 0, (int)wait, NULL);
}

static int has_idle_transfer(const struct provider *provider)
{
    for (size_t i = 0; i < provider->choice.concurrency; i++) {
        if (provider->transfers[i].task == NULL)
            return 1;
    }
    return 0;
}

static void push(struct provider *provider, struct task *task)
{
    task->next = provider->waiting;
    provider->waiting = task;
}
