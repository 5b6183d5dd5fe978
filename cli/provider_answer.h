/* What an embedding server answers: read, and checked before anything of it is believed. */
#ifndef EMBEDCACHE_CLI_PROVIDER_ANSWER_H
#define EMBEDCACHE_CLI_PROVIDER_ANSWER_H

#include <stddef.h>
#include <stdint.h>

enum { WRONG_BYTES = 512 };

/* What was asked for. */
struct answer_wish {
    const char *model;
    size_t count;       /* vectors */
    uint32_t dims;      /* 0: any */
    int dims_are_fixed; /* by the space or by --dims, not by an answer before */
};

enum answer_fault {
    ANSWER_WRONG,       /* in itself: another one may be right */
    ANSWER_FOREIGN,     /* no answer of an embedding server at all */
    ANSWER_OTHER_SIZE,  /* than the space's */
    ANSWER_OTHER_MODEL, /* than the space's */
};

struct answer {
    float *vectors; /* count * dims, in the order of the texts; the caller frees them */
    uint32_t dims;
    uint64_t tokens;
    int has_tokens;
    enum answer_fault fault; /* when it is wrong */
    int has_no_memory;       /* when it is not read: nothing is wrong with it */
    char wrong[WRONG_BYTES];
};

/* Reads `body`, behind which stands a NUL. Returns whether it is what was asked for: one finite
 * vector of one size for each text, their indices a permutation, of the model. Else `wrong` says
 * why, as "it has ...". */
int answer_read(const struct answer_wish *wish, const char *body, size_t bytes,
                struct answer *answer_out);

/* How long an answer may be at most. */
size_t answer_bytes_max(const struct answer_wish *wish);

#endif
