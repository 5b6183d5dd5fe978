/* The address of an embedding server. It comes from --embedder or from EMBEDCACHE_EMBEDDER and from
 * nowhere else: no file can name one. */
#ifndef EMBEDCACHE_CLI_PROVIDER_ADDRESS_H
#define EMBEDCACHE_CLI_PROVIDER_ADDRESS_H

#define ADDRESS_VARIABLE "EMBEDCACHE_EMBEDDER"

struct provider_address {
    char *url;    /* what is asked */
    char *host;   /* for messages, with a port that is not the scheme's */
    char *origin; /* scheme, host and port: who gets what is sent */
    int is_https;
};

/* Reads `text`, which `source` ("--embedder") gave. "/embeddings" is appended where it is not the
 * end of the path, "/v1/embeddings" where there is no path. CODE_OK, or CODE_USAGE, reported; after
 * either, address_close. */
int address_read(struct provider_address *address, const char *text, const char *source);

/* Whether it is on this machine. */
int address_is_loopback(const struct provider_address *address);

void address_close(struct provider_address *address);

#endif
