/* A run of embed: texts go in one by one, hits are told from misses, misses go to the embedder in
 * batches, and each batch that has come is stored, whole, as one durable commit. */
#ifndef EMBEDCACHE_CLI_EMBEDDING_RUN_H
#define EMBEDCACHE_CLI_EMBEDDING_RUN_H

#include "cache_open.h"
#include "embedder.h"
#include "text_seen.h"

struct embedding_counts {
    uint64_t texts;
    uint64_t hits;
    uint64_t stored;
    uint64_t changed;      /* of the stored: another text, or none, stood under the key */
    uint64_t wordless;     /* of the stored: nothing in them that the embedder reads */
    uint64_t refused;      /* by the server, one by one */
    uint64_t failed;       /* lost with their requests, or not asked for any more */
    uint64_t dropped;      /* by an interrupt */
    uint64_t tokens_saved; /* estimated: of hits, and of texts that came more than once */
};

struct embedding_limits {
    size_t texts_max;    /* of a batch */
    uint64_t tokens_max; /* likewise, estimated */
    int texts_recur;     /* several keys may have one text: it is asked for once */
};

struct embedding {
    struct cache *cache;
    struct embedder_choice choice;
    struct embedding_limits limits;
    struct embedder *embedder; /* made for the first miss: a run of hits does without */
    struct text_batch *batches;
    size_t batch_count;
    size_t away;                /* of the batches */
    struct text_batch *filling; /* the one that takes what comes next */
    struct text_seen seen;
    uint64_t *rows;
    uint64_t turns;
    struct embedding_counts counts;
};

/* CODE_OK or a reported code; after either, embedding_close. */
int embedding_open(struct embedding *run, struct cache *cache, const struct embedder_choice *choice,
                   const struct embedding_limits *limits);

/* Takes a record that has a text. CODE_OK or a reported code. A server that fails is no such code:
 * see embedding_code. */
int embedding_take(struct embedding *run, const struct record *record);

/* Whether there is a point in going on. */
int embedding_is_stopped(const struct embedding *run);

/* Embeds and stores what is left; after an interrupt, what has come. */
int embedding_finish(struct embedding *run);

/* CODE_OK, or the code of the embedder's first failure. */
int embedding_code(const struct embedding *run);

struct embedder_counts embedding_calls(const struct embedding *run);

void embedding_close(struct embedding *run);

#endif
