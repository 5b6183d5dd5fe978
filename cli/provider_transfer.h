/* One exchange with an embedding server over HTTP: a body goes out, an answer of bounded length
 * comes in. */
#ifndef EMBEDCACHE_CLI_PROVIDER_TRANSFER_H
#define EMBEDCACHE_CLI_PROVIDER_TRANSFER_H

#include <curl/curl.h>
#include <stdint.h>

#include "provider_address.h"

struct transfer {
    CURL *easy;
    void *task; /* of the owner; NULL: idle */
    char *body;
    char *answer; /* a NUL stands behind it */
    size_t answer_bytes;
    size_t answer_capacity;
    size_t answer_bytes_max;
    double retry_after; /* a number of Retry-After; negative: there was none */
    int is_too_long;
    int has_no_memory;
    char error[CURL_ERROR_SIZE];
};

/* Makes no connection. CODE_OK or a reported code; after either, transfer_close. */
int transfer_open(struct transfer *transfer, const struct provider_address *address,
                  const struct curl_slist *headers, uint32_t seconds_max);

/* Begins to send `body`, which is taken over. */
int transfer_begin(struct transfer *transfer, CURLM *multi, char *body, size_t bytes,
                   size_t answer_bytes_max);

/* Ends it, whether an answer has come or not. What has come stays until the next begin. */
void transfer_end(struct transfer *transfer, CURLM *multi);

long transfer_status(const struct transfer *transfer);

/* Seconds that the server asks to be left alone (Retry-After, a number or a date); 0 = none. */
double transfer_retry_after(const struct transfer *transfer);

void transfer_close(struct transfer *transfer);

#endif
