/* A handle of libcurl, set up once and used again and again, which keeps its connection. It follows
 * no redirect, knows http and https only, reads no .netrc and keeps no cookie; a proxy, and a file
 * of certificates (SSL_CERT_FILE), are those of the environment, as for curl. */
#include "provider_transfer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "report_error.h"

enum { SECONDS_TO_CONNECT = 10, ANSWER_BYTES_FIRST = 65536, HEADER_VALUE_BYTES = 64 };

static int set_up(struct transfer *transfer, const struct provider_address *address,
                  const struct curl_slist *headers, uint32_t seconds_max);
static size_t take_bytes(char *bytes, size_t size, size_t count, void *arg);
static size_t take_header(char *line, size_t size, size_t count, void *arg);
static int make_room(struct transfer *transfer, size_t bytes);

int transfer_open(struct transfer *transfer, const struct provider_address *address,
                  const struct curl_slist *headers, uint32_t seconds_max)
{
    memset(transfer, 0, sizeof *transfer);
    transfer->easy = curl_easy_init();
    if (transfer->easy == NULL || !make_room(transfer, 0))
        return report_no_memory();
    return set_up(transfer, address, headers, seconds_max) ? CODE_OK : report_no_memory();
}

int transfer_begin(struct transfer *transfer, CURLM *multi, char *body, size_t bytes,
                   size_t answer_bytes_max)
{
    free(transfer->body);
    transfer->body = body;
    transfer->answer_bytes = 0;
    transfer->answer[0] = '\0';
    transfer->answer_bytes_max = answer_bytes_max;
    transfer->retry_after = -1;
    transfer->is_too_long = 0;
    transfer->has_no_memory = 0;
    transfer->error[0] = '\0';
    int is_begun = curl_easy_setopt(transfer->easy, CURLOPT_POSTFIELDS, body) == CURLE_OK &&
                   curl_easy_setopt(transfer->easy, CURLOPT_POSTFIELDSIZE_LARGE,
                                    (curl_off_t)bytes) == CURLE_OK &&
                   curl_multi_add_handle(multi, transfer->easy) == CURLM_OK;
    return is_begun ? CODE_OK : report_no_memory();
}

void transfer_end(struct transfer *transfer, CURLM *multi)
{
    curl_multi_remove_handle(multi, transfer->easy);
    free(transfer->body);
    transfer->body = NULL;
    transfer->task = NULL;
}

long transfer_status(const struct transfer *transfer)
{
    long status = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    return status;
}

double transfer_retry_after(const struct transfer *transfer)
{
    curl_off_t seconds = 0;
    if (transfer->retry_after >= 0)
        return transfer->retry_after;
    curl_easy_getinfo(transfer->easy, CURLINFO_RETRY_AFTER, &seconds);
    return seconds > 0 ? (double)seconds : 0;
}

void transfer_close(struct transfer *transfer)
{
    curl_easy_cleanup(transfer->easy);
    free(transfer->body);
    free(transfer->answer);
    memset(transfer, 0, sizeof *transfer);
}

static int set_up(struct transfer *transfer, const struct provider_address *address,
                  const struct curl_slist *headers, uint32_t seconds_max)
{
    CURL *easy = transfer->easy;
    long to_connect = seconds_max < SECONDS_TO_CONNECT ? (long)seconds_max : SECONDS_TO_CONNECT;
    int failures = 0;
    failures += curl_easy_setopt(easy, CURLOPT_URL, address->url) != CURLE_OK;
#if LIBCURL_VERSION_NUM >= 0x075500
    failures += curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") != CURLE_OK;
#else
    failures += curl_easy_setopt(easy, CURLOPT_PROTOCOLS,
                                 (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS)) != CURLE_OK;
#endif
    failures += curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) != CURLE_OK;
    failures += curl_easy_setopt(easy, CURLOPT_POST, 1L) != CURLE_OK;
    failures += curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers) != CURLE_OK;
    failures += curl_easy_setopt(easy, CURLOPT_USERAGENT, "embedcache") != CURLE_OK;
    failures += curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) != CURLE_OK;
    failures += curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, to_connect) != CURLE_OK;
    failures += curl_easy_setopt(easy, CURLOPT_TIMEOUT, (long)seconds_max) != CURLE_OK;
    failures += curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->error) != CURLE_OK;
    failures += curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer) != CURLE_OK;
    failures += curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_bytes) != CURLE_OK;
    failures += curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer) != CURLE_OK;
    failures += curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header) != CURLE_OK;
    failures += curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer) != CURLE_OK;
    const char *certificates = getenv("SSL_CERT_FILE");
    if (certificates != NULL && certificates[0] != '\0')
        failures += curl_easy_setopt(easy, CURLOPT_CAINFO, certificates) != CURLE_OK;
    return failures == 0;
}

/* What libcurl calls for each piece of the answer; a return of less than it has ends the
 * transfer. */
static size_t take_bytes(char *bytes, size_t size, size_t count, void *arg)
{
    struct transfer *transfer = arg;
    size_t piece = size * count;
    transfer->is_too_long = piece > transfer->answer_bytes_max - transfer->answer_bytes;
    transfer->has_no_memory = !transfer->is_too_long && !make_room(transfer, piece);
    if (transfer->is_too_long || transfer->has_no_memory)
        return 0;
    memcpy(transfer->answer + transfer->answer_bytes, bytes, piece);
    transfer->answer_bytes += piece;
    transfer->answer[transfer->answer_bytes] = '\0';
    return piece;
}

/* What libcurl calls for each line of the header, which has no NUL. Of Retry-After libcurl reads
 * whole seconds and dates; some servers send parts of a second. */
static size_t take_header(char *line, size_t size, size_t count, void *arg)
{
    static const char name[] = "retry-after:";
    struct transfer *transfer = arg;
    char value[HEADER_VALUE_BYTES];
    char *end;
    size_t bytes = size * count;
    if (bytes < sizeof name || strncasecmp(line, name, sizeof name - 1) != 0)
        return bytes;
    snprintf(value, sizeof value, "%.*s", (int)(bytes - (sizeof name - 1)), line + sizeof name - 1);
    double seconds = strtod(value, &end);
    int is_number = end != value && end[strspn(end, " \t\r\n")] == '\0';
    transfer->retry_after = is_number && seconds >= 0 ? seconds : -1;
    return bytes;
}

/* For so many further bytes and a NUL. */
static int make_room(struct transfer *transfer, size_t bytes)
{
    size_t needed = transfer->answer_bytes + bytes + 1;
    size_t capacity = transfer->answer_capacity;
    if (needed <= capacity)
        return 1;
    capacity = capacity == 0 ? ANSWER_BYTES_FIRST : capacity;
    while (capacity < needed)
        capacity *= 2;
    char *grown = realloc(transfer->answer, capacity);
    if (grown == NULL)
        return 0;
    transfer->answer = grown;
    transfer->answer_capacity = capacity;
    return 1;
}
