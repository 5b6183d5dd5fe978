/* The key that opens an embedding server. It comes from the environment, goes into one header of
 * requests to the one server that it is meant for, and nowhere else. */
#ifndef EMBEDCACHE_CLI_PROVIDER_KEY_H
#define EMBEDCACHE_CLI_PROVIDER_KEY_H

#include <stddef.h>

#include "provider_address.h"

#define KEY_VARIABLE "EMBEDCACHE_API_KEY"

struct provider_key {
    const char *variable; /* where it came from; NULL: no key */
    const char *secret;
};

/* The key that is meant for this address, if any. EMBEDCACHE_API_KEY belongs to the server that
 * EMBEDCACHE_EMBEDDER names, or to any where that is not set; OPENAI_API_KEY to
 * https://api.openai.com. CODE_OK, or CODE_USAGE for one that is no key, reported. */
int key_choose(const struct provider_address *address, struct provider_key *key_out);

/* Covers the key wherever it stands in `text`, which a server wrote. */
void key_cover(const struct provider_key *key, char *text, size_t bytes);

#endif
