/* Every reading call of the public API, asked of a file that may be damaged, and each answer held
 * against the account of what was written. */
#ifndef EDB_TESTS_CORRUPT_ASK_EVERYTHING_H
#define EDB_TESTS_CORRUPT_ASK_EVERYTHING_H

#include "support/sample_cache.h"

/* What was answered. `wrong` is the one that must never be. */
struct answers {
    edb_status open;
    edb_status verify;
    uint64_t sequence; /* where the handle stood */
    bool whole;        /* it stood at the newest state, and every single answer was right */
    size_t right;
    size_t missing;  /* a live key that was not found */
    size_t refused;  /* an error instead of an answer */
    char wrong[256]; /* "" or the first wrong answer, in words */
};

/* Opens `path` with the flags, asks, closes. The same questions in the same order each time. */
void ask_everything(const struct sample_cache *sample, const char *path, uint32_t flags,
                    struct answers *out);

/* As ask_everything, on an open handle that is left open. */
void ask_handle(const struct sample_cache *sample, edb *db, struct answers *out);

#endif
