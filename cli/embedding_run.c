/* Sorting hits from misses, while earlier misses are on their way.
 *
 * 1. A hit has the same text under the same key: in the file, or in a batch that is being filled or
 *    is away.
 * 2. Records of one key are stored in the order in which they came. So a key that is away with
 *    another text is waited for; in the batch that is being filled both may stand, the last one
 *    stays.
 * 3. A text is asked for once, where several keys have it: a record joins the batch that has its
 *    text, also one that is away, or has the vector copied of the record that has been stored.
 *
 * Whatever was waited for or handed over has changed what is where: then a record is looked up
 * anew. */
#include "embedding_run.h"

#include <stdlib.h>
#include <string.h>

#include "report_error.h"

enum { PENDING_SHIFT = 32, TURNS_A_LOOK = 64 };

/* Of a place in `seen`: not a row, but a batch and a text of it. */
#define PENDING (UINT64_C(1) << 63)

/* What stands under a record's key. */
enum standing { KEY_ABSENT, TEXT_SAME, TEXT_CHANGED };

/* Where a record was found. */
struct finding {
    enum standing standing;
    struct text_batch *holder; /* of the key; NULL: the file, or nobody */
    size_t row;                /* in the holder */
    uint64_t hash;             /* of the text */
    uint64_t place;            /* of the text */
};

/* A text that is looked for in `seen`. */
struct sought {
    struct embedding *run;
    const struct record *record;
};

static int find_record(struct embedding *run, const struct record *record,
                       struct finding *finding_out);
static int find_key(struct embedding *run, const struct record *record, struct finding *finding);
static enum standing compare_text(const struct record *record, const char *text, size_t bytes);
static int is_text_at(void *arg, uint64_t place);
static void count_hit(struct embedding *run, const struct record *record,
                      const struct finding *finding);
static int make_way(struct embedding *run, const struct record *record,
                    const struct finding *finding, int *is_changed_out);
static int add_miss(struct embedding *run, const struct record *record,
                    const struct finding *finding);
static int add_known(struct embedding *run, const struct record *record, uint64_t row,
                     int is_changed);
static int add_new(struct embedding *run, const struct record *record,
                   const struct finding *finding);
static struct text_batch *pending_batch(const struct embedding *run, uint64_t place);
static uint64_t pending_place(const struct embedding *run, const struct text_batch *batch,
                              size_t text);
static int hand_over(struct embedding *run);
static int open_embedder(struct embedding *run);
static int settle_all(struct embedding *run);
static int settle(struct embedding *run, int waits);
static int store(struct embedding *run, struct text_batch *batch);
static void count_fates(struct embedding_counts *counts, const struct text_batch *batch);
static void count_fate(struct embedding_counts *counts, uint32_t fate, uint64_t texts);
static uint64_t tokens_of(const struct text_batch *batch, size_t text);
static void move_places(struct embedding *run, const struct text_batch *batch, int is_stored);

int embedding_open(struct embedding *run, struct cache *cache, const struct embedder_choice *choice,
                   const struct embedding_limits *limits)
{
    memset(run, 0, sizeof *run);
    run->cache = cache;
    run->choice = *choice;
    run->limits = *limits;
    run->batch_count = choice->concurrency + 1;
    run->batches = calloc(run->batch_count, sizeof *run->batches);
    /* As many records again may join the texts of a batch. */
    size_t records_max = limits->texts_max * (limits->texts_recur ? 2 : 1);
    run->rows = malloc(records_max * sizeof *run->rows);
    if (run->batches == NULL || run->rows == NULL)
        return report_no_memory();
    run->filling = run->batches;
    int code = CODE_OK;
    for (size_t i = 0; i < run->batch_count && code == CODE_OK; i++)
        code = text_batch_open(&run->batches[i], limits->texts_max, records_max);
    return code;
}

int embedding_take(struct embedding *run, const struct record *record)
{
    struct finding finding;
    int is_changed = 0;
    int code = CODE_OK;
    run->counts.texts++;
    if (run->away > 0 && ++run->turns % TURNS_A_LOOK == 0)
        code = settle(run, 0);
    do {
        if (code == CODE_OK)
            code = find_record(run, record, &finding);
        if (code != CODE_OK)
            return code;
        if (finding.standing == TEXT_SAME) {
            count_hit(run, record, &finding);
            return CODE_OK;
        }
        code = make_way(run, record, &finding, &is_changed);
    } while (is_changed);
    if (code == CODE_OK)
        code = add_miss(run, record, &finding);
    return code == CODE_OK && text_batch_is_full(run->filling) ? hand_over(run) : code;
}

int embedding_is_stopped(const struct embedding *run)
{
    return run->embedder != NULL && embedder_is_stopped(run->embedder);
}

int embedding_finish(struct embedding *run)
{
    int code = run->filling != NULL && run->filling->records.rows > 0 ? hand_over(run) : CODE_OK;
    int settled = settle_all(run);
    return code != CODE_OK ? code : settled;
}

int embedding_code(const struct embedding *run)
{
    return run->embedder != NULL ? embedder_code(run->embedder) : CODE_OK;
}

struct embedder_counts embedding_calls(const struct embedding *run)
{
    struct embedder_counts none = {0, 0, 0, 0};
    return run->embedder != NULL ? embedder_count(run->embedder) : none;
}

void embedding_close(struct embedding *run)
{
    embedder_close(run->embedder);
    for (size_t i = 0; run->batches != NULL && i < run->batch_count; i++)
        text_batch_close(&run->batches[i]);
    free(run->batches);
    free(run->rows);
    seen_close(&run->seen);
    memset(run, 0, sizeof *run);
}

static int find_record(struct embedding *run, const struct record *record,
                       struct finding *finding_out)
{
    struct finding finding = {KEY_ABSENT, NULL, 0, 0, SEEN_NOWHERE};
    int code = find_key(run, record, &finding);
    if (code == CODE_OK && finding.standing != TEXT_SAME && run->limits.texts_recur) {
        struct sought sought = {run, record};
        finding.hash = seen_hash(record->text, record->text_bytes);
        finding.place = seen_find(&run->seen, finding.hash, is_text_at, &sought);
    }
    *finding_out = finding;
    return code;
}

/* The key alone makes no hit: a text that was edited keeps its key. */
static int find_key(struct embedding *run, const struct record *record, struct finding *finding)
{
    for (size_t i = 0; i < run->batch_count; i++) {
        struct text_batch *batch = &run->batches[i];
        size_t bytes;
        if (batch->records.rows == 0 ||
            !batch_find_row(&batch->records, record->key, record->key_bytes, &finding->row))
            continue;
        const char *text = batch_text_of(&batch->records, finding->row, &bytes);
        finding->holder = batch;
        finding->standing = compare_text(record, text, bytes);
        return CODE_OK;
    }
    if (run->cache->space == NULL)
        return CODE_OK;
    edb_view view;
    edb_status status = edb_view_key(run->cache->space, record->key, record->key_bytes, &view);
    if (status == EDB_OK)
        finding->standing = compare_text(record, view.has_text ? view.text : NULL, view.text_bytes);
    edb_view_release(&view);
    return status == EDB_OK || status == EDB_NOT_FOUND ? CODE_OK : report_status(status, NULL);
}

/* A record without a text (NULL) counts as changed: nothing says what its vector was made from. */
static enum standing compare_text(const struct record *record, const char *text, size_t bytes)
{
    int is_same = text != NULL && bytes == record->text_bytes &&
                  (bytes == 0 || memcmp(text, record->text, bytes) == 0);
    return is_same ? TEXT_SAME : TEXT_CHANGED;
}

/* A seen_is_there. A row that was overwritten since is no place. */
static int is_text_at(void *arg, uint64_t place)
{
    const struct sought *sought = arg;
    struct embedding *run = sought->run;
    if (place & PENDING) {
        size_t bytes;
        const char *text =
            text_batch_text(pending_batch(run, place), (size_t)(uint32_t)place, &bytes);
        return compare_text(sought->record, text, bytes) == TEXT_SAME;
    }
    edb_view view;
    int is_same = edb_view_row(run->cache->space, place, &view) == EDB_OK &&
                  compare_text(sought->record, view.has_text ? view.text : NULL, view.text_bytes) ==
                      TEXT_SAME;
    edb_view_release(&view);
    return is_same;
}

/* One that a batch will have is a hit when the batch has come. */
static void count_hit(struct embedding *run, const struct record *record,
                      const struct finding *finding)
{
    if (finding->holder != NULL) {
        finding->holder->texts[finding->holder->needs[finding->row].text].twins++;
        return;
    }
    run->counts.hits++;
    run->counts.tokens_saved += text_tokens(record->text_bytes);
}

static int make_way(struct embedding *run, const struct record *record,
                    const struct finding *finding, int *is_changed_out)
{
    const struct text_batch *filling = run->filling;
    const struct text_batch *owner = finding->place != SEEN_NOWHERE && finding->place & PENDING
                                         ? pending_batch(run, finding->place)
                                         : NULL;
    int key_is_away = finding->holder != NULL && finding->holder->is_away;
    int joins_away = owner != NULL && owner->is_away;
    *is_changed_out = 1;
    if (key_is_away || (joins_away && (finding->holder != NULL || batch_is_full(&owner->records))))
        return settle_all(run);
    int is_new = finding->place == SEEN_NOWHERE;
    int lacks_room =
        is_new ? text_batch_lacks_room(filling, record->text_bytes, run->limits.tokens_max)
               : !joins_away && text_batch_is_full(filling);
    if (lacks_room)
        return hand_over(run);
    *is_changed_out = 0;
    return CODE_OK;
}

static int add_miss(struct embedding *run, const struct record *record,
                    const struct finding *finding)
{
    int is_changed = finding->standing == TEXT_CHANGED;
    if (finding->place == SEEN_NOWHERE)
        return add_new(run, record, finding);
    if (finding->place & PENDING)
        return text_batch_add(pending_batch(run, finding->place), record, is_changed,
                              (int)(uint32_t)finding->place);
    return add_known(run, record, finding->place, is_changed);
}

static int add_known(struct embedding *run, const struct record *record, uint64_t row,
                     int is_changed)
{
    edb_view view;
    edb_status status = edb_view_row(run->cache->space, row, &view);
    int code = status == EDB_OK ? text_batch_add_known(run->filling, record, is_changed, &view)
                                : report_status(status, NULL);
    edb_view_release(&view);
    return code;
}

static int add_new(struct embedding *run, const struct record *record,
                   const struct finding *finding)
{
    struct text_batch *filling = run->filling;
    size_t text = filling->text_count;
    int code = text_batch_add(filling, record, finding->standing == TEXT_CHANGED, TEXT_NEW);
    if (code != CODE_OK || !run->limits.texts_recur)
        return code;
    filling->texts[text].hash = finding->hash;
    return seen_add(&run->seen, finding->hash, pending_place(run, filling, text))
               ? CODE_OK
               : report_no_memory();
}

static struct text_batch *pending_batch(const struct embedding *run, uint64_t place)
{
    return &run->batches[(place & ~PENDING) >> PENDING_SHIFT];
}

static uint64_t pending_place(const struct embedding *run, const struct text_batch *batch,
                              size_t text)
{
    return PENDING | (uint64_t)(batch - run->batches) << PENDING_SHIFT | text;
}

/* Gives the batch that was filled to the embedder, when that has room, and begins another. */
static int hand_over(struct embedding *run)
{
    int code = run->embedder == NULL ? open_embedder(run) : CODE_OK;
    while (code == CODE_OK && !embedder_has_room(run->embedder))
        code = settle(run, 1);
    if (code != CODE_OK)
        return code;
    run->filling->is_away = 1;
    run->away++;
    code = embedder_give(run->embedder, run->filling);
    run->filling = run->batches;
    while (run->filling->is_away)
        run->filling++;
    /* What is there at once is stored at once. */
    return code == CODE_OK ? settle(run, 0) : code;
}

/* Without an embedder the batch has nowhere to go, now or later. */
static int open_embedder(struct embedding *run)
{
    int code = embedder_open(&run->embedder, &run->choice);
    if (code == CODE_OK)
        return CODE_OK;
    embedder_close(run->embedder);
    run->embedder = NULL;
    text_batch_clear(run->filling);
    return code;
}

static int settle_all(struct embedding *run)
{
    int code = CODE_OK;
    while (code == CODE_OK && run->away > 0)
        code = settle(run, 1);
    return code;
}

/* Stores one batch that has come, if there is one. */
static int settle(struct embedding *run, int waits)
{
    struct text_batch *batch = embedder_take(run->embedder, waits);
    if (batch == NULL)
        return CODE_OK;
    int code = store(run, batch);
    text_batch_clear(batch);
    batch->is_away = 0;
    run->away--;
    return code;
}

static int store(struct embedding *run, struct text_batch *batch)
{
    struct cache *cache = run->cache;
    size_t came = 0;
    for (size_t i = 0; i < batch->text_count; i++)
        came += (size_t)text_batch_came(batch, i);
    int code = CODE_OK;
    if (came > 0 && cache->space == NULL)
        cache->spec.dims = batch->dims;
    if (came > 0)
        code = cache_create(cache);
    struct embedding_counts counts = run->counts;
    count_fates(&counts, batch);
    if (code == CODE_OK)
        code = text_batch_store(batch, cache->space, run->rows);
    if (code == CODE_OK)
        run->counts = counts;
    move_places(run, batch, code == CODE_OK);
    return code;
}

static void count_fates(struct embedding_counts *counts, const struct text_batch *batch)
{
    for (size_t i = 0; i < batch->records.rows; i++) {
        const struct batch_need *need = &batch->needs[i];
        const struct batch_text *text = &batch->texts[need->text];
        int is_asked = text->record == i && text->fate != FATE_KNOWN;
        count_fate(counts, text->fate, 1);
        if (!text_batch_came(batch, need->text))
            continue;
        counts->changed += need->is_changed;
        counts->wordless += text->fate == FATE_WORDLESS;
        counts->tokens_saved += is_asked ? 0 : tokens_of(batch, need->text);
    }
    for (size_t i = 0; i < batch->text_count; i++) {
        uint32_t twins = batch->texts[i].twins;
        if (text_batch_came(batch, i)) {
            counts->hits += twins;
            counts->tokens_saved += twins * tokens_of(batch, i);
        } else {
            count_fate(counts, batch->texts[i].fate, twins);
        }
    }
}

static void count_fate(struct embedding_counts *counts, uint32_t fate, uint64_t texts)
{
    if (fate == FATE_REFUSED)
        counts->refused += texts;
    else if (fate == FATE_DROPPED)
        counts->dropped += texts;
    else if (fate == FATE_FAILED || fate == FATE_WAITS)
        counts->failed += texts;
    else
        counts->stored += texts;
}

static uint64_t tokens_of(const struct text_batch *batch, size_t text)
{
    size_t bytes;
    text_batch_text(batch, text, &bytes);
    return text_tokens(bytes);
}

/* From the batch to the file, or out of sight. */
static void move_places(struct embedding *run, const struct text_batch *batch, int is_stored)
{
    for (size_t i = 0; run->limits.texts_recur && i < batch->text_count; i++) {
        const struct batch_text *text = &batch->texts[i];
        uint64_t row = is_stored ? run->rows[text->record] : SEEN_NOWHERE;
        if (text->fate != FATE_KNOWN)
            seen_move(&run->seen, text->hash, pending_place(run, batch, i), row);
    }
}
