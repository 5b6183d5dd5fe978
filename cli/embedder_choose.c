/* The choice of an embedder. A server is named by --embedder or EMBEDCACHE_EMBEDDER only; the file
 * says which model its vectors are of, and never where that model is. */
#include "embedder_choose.h"

#include <stdlib.h>
#include <string.h>

#include "hashing_embedder.h"
#include "provider_address.h"
#include "report_error.h"

#define REQUEST_OPTIONS "encoding|timeout|retries|concurrency|batch-tokens"

enum { OPTION_NAME_BYTES = 24, CONCURRENCY = 4, SECONDS_MAX = 120, TRIES_AGAIN = 5 };

static int choose_for_space(struct embedder_choice *choice, const struct cache *cache,
                            const char *wished);
static int choose_for_new(struct embedder_choice *choice, struct cache *cache, const char *wished);
static int refuse_builtin(void);
static int check_no_requests(const struct cache *cache, const struct arguments *arguments);
static const char *request_option(const struct arguments *arguments);
static void use_builtin(struct embedder_choice *choice);
static void take_address(struct embedder_choice *choice, const struct arguments *arguments);
static int check_address(const struct embedder_choice *choice);

int embedder_choose(struct embedder_choice *choice_out, struct cache *cache,
                    const struct arguments *arguments)
{
    memset(choice_out, 0, sizeof *choice_out);
    choice_out->base64_is_asked = (int)option_choice(arguments, "encoding", 0);
    choice_out->seconds_max = (uint32_t)option_count(arguments, "timeout", SECONDS_MAX);
    choice_out->tries_again = (uint32_t)option_count(arguments, "retries", TRIES_AGAIN);
    choice_out->concurrency = CONCURRENCY;
    take_address(choice_out, arguments);
    const char *wished = option_text(arguments, "model");
    int code = cache->space != NULL ? choose_for_space(choice_out, cache, wished)
                                    : choose_for_new(choice_out, cache, wished);
    if (code != CODE_OK)
        return code;
    choice_out->model = cache->spec.model;
    choice_out->dims = cache->spec.dims;
    return choice_out->address != NULL ? check_address(choice_out)
                                       : check_no_requests(cache, arguments);
}

static int choose_for_space(struct embedder_choice *choice, const struct cache *cache,
                            const char *wished)
{
    const char *model = cache->spec.model;
    int is_builtin = strcmp(model, HASHING_MODEL) == 0;
    if (wished != NULL || cache->spec.dims == 0 || model[0] == '\0') {
        const char *name = wished != NULL            ? wished
                           : choice->address == NULL ? HASHING_MODEL
                                                     : "the server's model";
        int code = cache_check_model(cache, name, "choose another with --space");
        if (code != CODE_OK)
            return code;
    }
    if (is_builtin && choice->address != NULL && strcmp(choice->source, "--embedder") == 0)
        return refuse_builtin();
    if (is_builtin)
        use_builtin(choice);
    if (is_builtin || choice->address != NULL)
        return CODE_OK;
    return cache_check_model(cache, HASHING_MODEL,
                             "name a server that has that model with --embedder URL or "
                             "EMBEDCACHE_EMBEDDER, or choose another with --space");
}

static int choose_for_new(struct embedder_choice *choice, struct cache *cache, const char *wished)
{
    int is_builtin = wished == NULL ? choice->address == NULL : strcmp(wished, HASHING_MODEL) == 0;
    if (is_builtin && choice->address != NULL && strcmp(choice->source, "--embedder") == 0)
        return refuse_builtin();
    if (!is_builtin && choice->address == NULL)
        return report_error(CODE_USAGE,
                            "--model %s needs the server that has it: give --embedder URL or set "
                            "EMBEDCACHE_EMBEDDER",
                            wished);
    if (wished == NULL && choice->address != NULL)
        return report_error(CODE_USAGE,
                            "%s names a server, but no model: give --model NAME (--model %s is "
                            "the built-in embedder)",
                            choice->source, HASHING_MODEL);
    cache->spec.model = wished != NULL ? wished : HASHING_MODEL;
    if (is_builtin)
        use_builtin(choice);
    if (is_builtin && cache->spec.dims == 0)
        cache->spec.dims = HASHING_DIMS;
    return CODE_OK;
}

static int refuse_builtin(void)
{
    return report_error(CODE_BAD_DATA,
                        HASHING_MODEL " is the built-in embedder, not a model of a server: leave "
                                      "--embedder away, or choose another with --space");
}

/* The built-in embedder serves: who said something of requests believes in a server. */
static int check_no_requests(const struct cache *cache, const struct arguments *arguments)
{
    const char *name = request_option(arguments);
    if (name == NULL)
        return CODE_OK;
    return report_error(CODE_USAGE,
                        "--%s is for requests, and the built-in embedder, which serves here, makes "
                        "none: leave it away, or %s",
                        name,
                        cache->space != NULL
                            ? "choose another space with --space"
                            : "name a server with --embedder URL or EMBEDCACHE_EMBEDDER");
}

/* An option that is given and says something of requests alone, or NULL. */
static const char *request_option(const struct arguments *arguments)
{
    const struct option *options = arguments->command->options;
    char name[OPTION_NAME_BYTES];
    for (size_t row = 0; options[row].name != NULL; row++) {
        for (size_t i = 0; option_word(REQUEST_OPTIONS, i, name, sizeof name); i++) {
            if (arguments->values[row] != NULL && strcmp(options[row].name, name) == 0)
                return options[row].name;
        }
    }
    return NULL;
}

static void use_builtin(struct embedder_choice *choice)
{
    choice->address = NULL;
    choice->concurrency = 1;
}

static void take_address(struct embedder_choice *choice, const struct arguments *arguments)
{
    choice->source = "--embedder";
    choice->address = option_text(arguments, "embedder");
    if (choice->address != NULL)
        return;
    const char *address = getenv(ADDRESS_VARIABLE);
    choice->source = ADDRESS_VARIABLE;
    choice->address = address != NULL && address[0] != '\0' ? address : NULL;
}

static int check_address(const struct embedder_choice *choice)
{
    struct provider_address address;
    int code = address_read(&address, choice->address, choice->source);
    address_close(&address);
    return code;
}
