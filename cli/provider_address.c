/* Reading and completing the address of an embedding server, by libcurl's own parser: what is
 * checked here is what is asked later. A message never repeats an address with a password in it. */
#include "provider_address.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "report_error.h"

#define EXAMPLE "http://localhost:11434/v1"

static int check_parts(CURLU *parts, const char *text, const char *source);
static int refuse(const char *text, const char *source);
static int take_parts(struct provider_address *address, CURLU *parts);
static int complete_path(CURLU *parts);
static char *join_host(CURLU *parts, int with_scheme);
static int part_is(CURLU *parts, CURLUPart part, const char *wanted);

int address_read(struct provider_address *address, const char *text, const char *source)
{
    memset(address, 0, sizeof *address);
    CURLU *parts = curl_url();
    if (parts == NULL)
        return report_no_memory();
    int code = CODE_OK;
    if (curl_url_set(parts, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK)
        code = refuse(text, source);
    if (code == CODE_OK)
        code = check_parts(parts, text, source);
    if (code == CODE_OK)
        code = take_parts(address, parts);
    curl_url_cleanup(parts);
    return code;
}

int address_is_loopback(const struct provider_address *address)
{
    const char *host = address->host;
    size_t length = strcspn(host, ":");
    return (length == 9 && strncasecmp(host, "localhost", 9) == 0) ||
           strncmp(host, "127.", 4) == 0 || strncmp(host, "[::1]", 5) == 0;
}

void address_close(struct provider_address *address)
{
    curl_free(address->url);
    free(address->host);
    free(address->origin);
    memset(address, 0, sizeof *address);
}

static int check_parts(CURLU *parts, const char *text, const char *source)
{
    char *user = NULL;
    curl_url_get(parts, CURLUPART_USER, &user, 0);
    curl_free(user);
    if (user != NULL)
        return report_error(CODE_USAGE,
                            "%s has a user name or a password in it: leave them out, a key is "
                            "given in EMBEDCACHE_API_KEY",
                            source);
    if (part_is(parts, CURLUPART_SCHEME, "http") || part_is(parts, CURLUPART_SCHEME, "https"))
        return CODE_OK;
    return refuse(text, source);
}

static int refuse(const char *text, const char *source)
{
    if (strchr(text, '@') != NULL)
        return report_error(CODE_USAGE,
                            "%s is no address of a server: give one like %s, without \"@\"", source,
                            EXAMPLE);
    return report_error(CODE_USAGE, "%s \"%s\" is no http or https address: give one like %s",
                        source, text, EXAMPLE);
}

static int take_parts(struct provider_address *address, CURLU *parts)
{
    if (!complete_path(parts) || curl_url_get(parts, CURLUPART_URL, &address->url, 0) != CURLUE_OK)
        return report_no_memory();
    address->is_https = part_is(parts, CURLUPART_SCHEME, "https");
    address->host = join_host(parts, 0);
    address->origin = join_host(parts, 1);
    return address->host != NULL && address->origin != NULL ? CODE_OK : report_no_memory();
}

static int complete_path(CURLU *parts)
{
    static const char wanted[] = "/embeddings";
    const size_t wanted_bytes = sizeof wanted - 1;
    char *path = NULL;
    if (curl_url_get(parts, CURLUPART_PATH, &path, 0) != CURLUE_OK)
        return 0;
    size_t bytes = strlen(path);
    while (bytes > 0 && path[bytes - 1] == '/')
        bytes--;
    int is_complete =
        bytes >= wanted_bytes && memcmp(path + bytes - wanted_bytes, wanted, wanted_bytes) == 0;
    char *whole = malloc(bytes + sizeof "/v1/embeddings");
    if (whole != NULL)
        snprintf(whole, bytes + sizeof "/v1/embeddings", "%.*s%s%s", (int)bytes, path,
                 bytes == 0 ? "/v1" : "", is_complete ? "" : wanted);
    int is_set = whole != NULL && curl_url_set(parts, CURLUPART_PATH, whole, 0) == CURLUE_OK &&
                 curl_url_set(parts, CURLUPART_FRAGMENT, NULL, 0) == CURLUE_OK;
    free(whole);
    curl_free(path);
    return is_set;
}

/* "host:port", where the port is not the usual one; with the scheme "scheme://host:port". */
static char *join_host(CURLU *parts, int with_scheme)
{
    char *scheme = NULL;
    char *host = NULL;
    char *port = NULL;
    char *joined = NULL;
    size_t bytes;
    curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0);
    curl_url_get(parts, CURLUPART_HOST, &host, 0);
    curl_url_get(parts, CURLUPART_PORT, &port,
                 with_scheme ? CURLU_DEFAULT_PORT : CURLU_NO_DEFAULT_PORT);
    FILE *file = scheme != NULL && host != NULL ? open_memstream(&joined, &bytes) : NULL;
    if (file != NULL) {
        fprintf(file, "%s%s%s%s%s", with_scheme ? scheme : "", with_scheme ? "://" : "", host,
                port != NULL ? ":" : "", port != NULL ? port : "");
        fclose(file);
    }
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    return joined;
}

static int part_is(CURLU *parts, CURLUPart part, const char *wanted)
{
    char *found = NULL;
    curl_url_get(parts, part, &found, 0);
    int is_same = found != NULL && strcasecmp(found, wanted) == 0;
    curl_free(found);
    return is_same;
}
