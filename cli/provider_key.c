/* Choosing the key for a server, and covering it where a server repeats it. The key is in no
 * message, file, log or command line. */
#include "provider_key.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "report_error.h"

#define OPENAI_VARIABLE "OPENAI_API_KEY"
#define OPENAI_ORIGIN "https://api.openai.com:443"

static const char *environment(const char *variable);
static int is_meant_for(const struct provider_address *address, int *is_meant_out);
static int check_key(const struct provider_key *key);
static void note_plain(const struct provider_address *address, const struct provider_key *key);

int key_choose(const struct provider_address *address, struct provider_key *key_out)
{
    int is_meant = 0;
    memset(key_out, 0, sizeof *key_out);
    int code = CODE_OK;
    if (environment(KEY_VARIABLE) != NULL)
        code = is_meant_for(address, &is_meant);
    if (is_meant)
        key_out->variable = KEY_VARIABLE;
    else if (strcasecmp(address->origin, OPENAI_ORIGIN) == 0 &&
             environment(OPENAI_VARIABLE) != NULL)
        key_out->variable = OPENAI_VARIABLE;
    if (code != CODE_OK || key_out->variable == NULL)
        return code;
    key_out->secret = environment(key_out->variable);
    code = check_key(key_out);
    if (code == CODE_OK)
        note_plain(address, key_out);
    return code;
}

void key_cover(const struct provider_key *key, char *text, size_t bytes)
{
    size_t key_bytes = key->secret != NULL ? strlen(key->secret) : 0;
    char *end = text + bytes;
    char *at = key_bytes > 0 ? memmem(text, bytes, key->secret, key_bytes) : NULL;
    while (at != NULL) {
        memset(at, '*', key_bytes);
        at += key_bytes;
        at = memmem(at, (size_t)(end - at), key->secret, key_bytes);
    }
}

/* NULL where it is not set, or empty. */
static const char *environment(const char *variable)
{
    const char *value = getenv(variable);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

static int is_meant_for(const struct provider_address *address, int *is_meant_out)
{
    const char *named = environment(ADDRESS_VARIABLE);
    *is_meant_out = 1;
    if (named == NULL)
        return CODE_OK;
    struct provider_address owner;
    int code = address_read(&owner, named, ADDRESS_VARIABLE);
    if (code == CODE_OK && strcasecmp(owner.origin, address->origin) != 0) {
        *is_meant_out = 0;
        report_note("note: the key of " KEY_VARIABLE " is not sent to %s, for it belongs to %s, "
                    "which " ADDRESS_VARIABLE " names",
                    address->host, owner.host);
    }
    address_close(&owner);
    return code;
}

/* A line end in a header would be a header of its own. */
static int check_key(const struct provider_key *key)
{
    for (const char *at = key->secret; *at != '\0'; at++) {
        if (*at <= ' ' || *at > '~')
            return report_error(CODE_USAGE,
                                "%s has a blank, a line end or another character in it that no "
                                "key has: set it anew",
                                key->variable);
    }
    return CODE_OK;
}

static void note_plain(const struct provider_address *address, const struct provider_key *key)
{
    if (!address->is_https && !address_is_loopback(address))
        report_note("note: the key of %s goes to %s unencrypted: use https where that leaves "
                    "your network",
                    key->variable, address->host);
}
