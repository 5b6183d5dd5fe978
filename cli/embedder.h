/* Whoever turns texts into vectors: the built-in embedder, at once, or a server, with several
 * batches on their way. */
#ifndef EMBEDCACHE_CLI_EMBEDDER_H
#define EMBEDCACHE_CLI_EMBEDDER_H

#include "text_batch.h"

/* Who is asked, and how. */
struct embedder_choice {
    const char *address; /* of a server; NULL: the built-in embedder */
    const char *source;  /* where the address came from */
    const char *model;
    uint32_t dims;        /* 0: those of the first answer */
    int dims_are_asked;   /* the server is told how many */
    int base64_is_asked;  /* for vectors as base64 instead of decimals */
    size_t concurrency;   /* batches on their way at once */
    uint32_t tries_again; /* after a failure that may pass */
    uint32_t seconds_max; /* for one answer */
    int is_query;         /* one text is asked for, and nothing will be stored */
};

struct embedder_counts {
    uint64_t calls;
    uint64_t retries; /* of the calls */
    uint64_t tokens;  /* as the server counted */
    int has_tokens;   /* it did */
};

struct embedder;

/* Makes no connection. CODE_OK or a reported code; after either, embedder_close, and after a code
 * nothing else. */
int embedder_open(struct embedder **embedder_out, const struct embedder_choice *choice);

/* Whether a batch may be given before one is taken. */
int embedder_has_room(const struct embedder *embedder);

/* Lends a batch, until embedder_take gives it back. While it is away, records may be added that
 * wait for texts of it, but no texts. CODE_OK or a reported code. */
int embedder_give(struct embedder *embedder, struct text_batch *batch);

/* A batch whose texts all have their fate, if need be after a wait (when `waits`); NULL when there
 * is none. What failed is reported. After an interrupt nothing is waited for: what has not come is
 * dropped. */
struct text_batch *embedder_take(struct embedder *embedder, int waits);

/* CODE_OK, or the code of the first failure; and whether to ask on is in vain. */
int embedder_code(const struct embedder *embedder);
int embedder_is_stopped(const struct embedder *embedder);

struct embedder_counts embedder_count(const struct embedder *embedder);

/* NULL is allowed. Batches that are away are dropped. */
void embedder_close(struct embedder *embedder);

#endif
