/* What an embedding server is sent. */
#ifndef EMBEDCACHE_CLI_PROVIDER_REQUEST_H
#define EMBEDCACHE_CLI_PROVIDER_REQUEST_H

#include "embedder.h"

/* The body that asks for `count` texts of the batch's asked ones, from `first` on. The caller frees
 * it; NULL when there is no memory. */
char *request_write(const struct embedder_choice *choice, const struct text_batch *batch,
                    size_t first, size_t count, size_t *bytes_out);

#endif
