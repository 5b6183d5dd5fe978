/* The texts of one request to an embedder, and the records that wait for their vectors. A text that
 * several records share is there once. */
#ifndef EMBEDCACHE_CLI_TEXT_BATCH_H
#define EMBEDCACHE_CLI_TEXT_BATCH_H

#include "record_batch.h"

/* What became of a text. */
enum text_fate {
    FATE_WAITS,    /* no answer yet */
    FATE_CAME,     /* its vector is there */
    FATE_KNOWN,    /* likewise, and was before it was added */
    FATE_WORDLESS, /* likewise, all zeros: nothing in it that the embedder reads */
    FATE_REFUSED,  /* by the server, though it was alone in its request */
    FATE_FAILED,   /* its request failed */
    FATE_DROPPED   /* an interrupt came first */
};

struct batch_text {
    uint32_t record; /* the first that has it */
    uint32_t twins;  /* further input of the same key and text: hits, if it comes */
    uint32_t fate;
    uint32_t cost; /* in tokens; 0 = not known. Records that bring no cost get it */
    uint64_t hash; /* of the owner */
};

/* What a record waits for. */
struct batch_need {
    uint32_t text;
    uint32_t is_changed; /* another text, or none, stood under its key */
};

/* A text that is not in the batch yet. */
enum { TEXT_NEW = -1 };

struct text_batch {
    struct batch records;
    struct batch_need *needs; /* of each record */
    struct batch_text *texts;
    size_t text_count;
    uint32_t *asked; /* numbers of the texts that the embedder is asked for */
    size_t asked_count;
    size_t asked_max;
    uint64_t asked_tokens; /* estimated */
    uint32_t dims;
    float *vectors; /* of each text, where it came */

    size_t parts;            /* of the embedder: requests that are not answered yet */
    struct text_batch *next; /* of the embedder: in its list */
    int is_away;             /* of the owner: given to the embedder */
};

/* At most `asked_max` texts that are asked for, and `records_max` records. CODE_OK or a reported
 * code; after either, text_batch_close. */
int text_batch_open(struct text_batch *batch, size_t asked_max, size_t records_max);

/* Whether nothing more can be added; or no text of `bytes` that is to be asked for, where the
 * tokens of all may be `tokens_max` (a single one may have more). */
int text_batch_is_full(const struct text_batch *batch);
int text_batch_lacks_room(const struct text_batch *batch, size_t bytes, uint64_t tokens_max);

/* Adds a record (copied) that waits for a text: one of the batch, or its own, TEXT_NEW. */
int text_batch_add(struct text_batch *batch, const struct record *record, int is_changed, int text);

/* Adds a record whose vector is known, and what that cost. */
int text_batch_add_known(struct text_batch *batch, const struct record *record, int is_changed,
                         const edb_view *known);

/* Valid until the next text_batch_add. */
const char *text_batch_text(const struct text_batch *batch, size_t text, size_t *bytes_out);

/* Makes room for the vectors of all texts, of this size. */
int text_batch_make_vectors(struct text_batch *batch, uint32_t dims);

float *text_batch_vector(const struct text_batch *batch, size_t text);

int text_batch_came(const struct text_batch *batch, size_t text);

/* Stores the records whose texts have come, as one commit, and leaves the others out: afterwards
 * the batch is to be cleared. `rows_out` (NULL: not wanted) gets the row number of each record of
 * the batch, ROW_NONE where it was not stored. CODE_OK or a reported code. */
int text_batch_store(struct text_batch *batch, edb_space *space, uint64_t *rows_out);

void text_batch_clear(struct text_batch *batch);
void text_batch_close(struct text_batch *batch);

/* How many tokens a text may have: a quarter of its bytes, for want of the model's own count. */
uint64_t text_tokens(size_t bytes);

#define ROW_NONE UINT64_MAX

#endif
