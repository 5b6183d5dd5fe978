/* Who embeds: the built-in embedder, or a server that the user has named. */
#ifndef EMBEDCACHE_CLI_EMBEDDER_CHOOSE_H
#define EMBEDCACHE_CLI_EMBEDDER_CHOOSE_H

#include "cache_open.h"
#include "embedder.h"

/* Rows that the tables of embed and search share. */
/* clang-format off */
#define OPTIONS_EMBEDDER \
    TEXT_ROW("embedder", "URL", "an OpenAI-compatible server, like http://localhost:11434/v1 " \
             "(EMBEDCACHE_EMBEDDER, else the built-in embedder)"), \
    TEXT_ROW("model", "NAME", "its model (that of the space)"), \
    CHOICE_ROW("encoding", "float|base64", "how the server is to write vectors (float)"), \
    COUNT_ROW("timeout", 0, "seconds that an answer may take (120)", 1, 86400), \
    COUNT_ROW("retries", 0, "further tries after a failure that may pass (5)", 0, 100)
/* clang-format on */

/* Reads these options and the environment, and decides by the space, which cache_open_wish or
 * cache_open_space has opened: vectors of one space are all of one model. A space that is not there
 * yet gets model and, where they are known, dims. CODE_OK or a reported code; no connection is
 * made. */
int embedder_choose(struct embedder_choice *choice_out, struct cache *cache,
                    const struct arguments *arguments);

#endif
