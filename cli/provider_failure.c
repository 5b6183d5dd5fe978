/* Failures of requests: each status of HTTP and each end of a connection has its kind, its exit
 * code and its way out. What a server says is shown in its first words, the key covered. */
#include "provider_failure.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "report_error.h"
#include "text_style.h"

enum { MESSAGE_BYTES = 240, DOCUMENT_BYTES_MAX = 65536 };

static void describe(struct provider_failure *failure, enum failure_kind kind, int code,
                     const char *format, ...) __attribute__((format(printf, 4, 5)));
static void describe_status(struct provider_failure *failure, const struct failure_scene *scene,
                            long status, const char *message);
static const char *advise_key(const struct failure_scene *scene, char *out, size_t bytes);
static int may_pass(long status);
static int blames_texts(long status, const char *message);
static void read_message(const struct provider_key *key, char *body, size_t bytes,
                         char message_out[MESSAGE_BYTES]);
static const char *message_of(const json_t *document);
static void cut(const char *text, size_t bytes, char out[MESSAGE_BYTES]);

void failure_of_transfer(struct provider_failure *failure, const struct failure_scene *scene,
                         CURLcode result, const char *error)
{
    const char *host = scene->address->host;
    int is_query = scene->choice->is_query;
    const char *detail = error[0] != '\0' ? error : curl_easy_strerror(result);
    /* Who has never answered will not do so for the next request. */
    enum failure_kind kind = scene->has_answered ? FAILURE_PASSING : FAILURE_ALL;
    switch (result) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
        describe(failure, kind, CODE_IO,
                 "%s cannot be found (%s): check the address of the embedder and the network", host,
                 detail);
        return;
    case CURLE_COULDNT_CONNECT:
        describe(failure, kind, CODE_IO,
                 "cannot connect to %s (%s): start the server, or check its address", host, detail);
        return;
    case CURLE_OPERATION_TIMEDOUT:
        describe(failure, FAILURE_PASSING, CODE_IO,
                 "%s has not answered in time (%s): give more with --timeout%s", host, detail,
                 is_query ? "" : ", or fewer texts at once with --batch");
        return;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CACERT_BADFILE:
        describe(failure, kind, CODE_IO,
                 "no secure connection to %s (%s): use an address that its certificate is for, or "
                 "http:// where the server has none",
                 host, detail);
        return;
    default:
        describe(failure, FAILURE_PASSING, CODE_IO, "the connection to %s broke (%s): try again%s",
                 host, detail, is_query ? "" : ", what has come is stored");
    }
}

void failure_of_status(struct provider_failure *failure, const struct failure_scene *scene,
                       long status, char *body, size_t bytes)
{
    char words[MESSAGE_BYTES];
    char message[MESSAGE_BYTES + 8] = "";
    int is_query = scene->choice->is_query;
    read_message(scene->key, body, bytes, words);
    if (words[0] != '\0')
        snprintf(message, sizeof message, ", \"%s\"", words);
    if (may_pass(status) && !blames_texts(status, words))
        describe(failure, FAILURE_PASSING, CODE_IO, "%s answers HTTP %ld%s: try again later%s%s",
                 scene->address->host, status, message,
                 status == 429 && !is_query ? " or with a smaller --concurrency" : "",
                 is_query ? "" : ", what has come is stored");
    else if (blames_texts(status, words))
        describe(failure, FAILURE_TEXTS, CODE_BAD_DATA, "%s answers HTTP %ld%s",
                 scene->address->host, status, message);
    else
        describe_status(failure, scene, status, message);
}

void failure_of_answer(struct provider_failure *failure, const struct failure_scene *scene,
                       struct answer *answer, char *body, size_t bytes)
{
    char words[MESSAGE_BYTES];
    char begins[MESSAGE_BYTES + 24] = "";
    if (answer->has_no_memory) {
        failure_of_memory(failure, scene);
        return;
    }
    read_message(scene->key, body, bytes, words);
    int is_foreign = answer->fault == ANSWER_FOREIGN;
    int is_of_others = answer->fault == ANSWER_OTHER_SIZE || answer->fault == ANSWER_OTHER_MODEL;
    if (is_foreign && words[0] != '\0')
        snprintf(begins, sizeof begins, " (\"%s\")", words);
    key_cover(scene->key, answer->wrong, strlen(answer->wrong));
    describe(failure, is_of_others ? FAILURE_ALL : FAILURE_REQUEST, CODE_BAD_DATA,
             "the answer of %s is refused, for %s%s%s%s", scene->address->host, answer->wrong,
             begins, scene->choice->is_query ? "" : ": nothing of it is stored",
             is_of_others ? ""
             : is_foreign ? "; give the address of an embedding server, like "
                            "http://HOST/v1"
                          : "");
}

void failure_of_length(struct provider_failure *failure, const struct failure_scene *scene,
                       size_t bytes_max)
{
    describe(failure, FAILURE_REQUEST, CODE_BAD_DATA,
             "the answer of %s is refused, for it has more than the %zu bytes that so many "
             "vectors need%s",
             scene->address->host, bytes_max,
             scene->choice->is_query ? "" : ": nothing of it is stored");
}

void failure_of_memory(struct provider_failure *failure, const struct failure_scene *scene)
{
    describe(failure, FAILURE_ALL, CODE_IO,
             "out of memory for an answer of %s: close other programs, or ask for fewer texts at "
             "once with --batch",
             scene->address->host);
}

static void describe(struct provider_failure *failure, enum failure_kind kind, int code,
                     const char *format, ...)
{
    va_list args;
    failure->kind = kind;
    failure->code = code;
    va_start(args, format);
    vsnprintf(failure->sentence, sizeof failure->sentence, format, args);
    va_end(args);
}

/* Those that no further try changes. */
static void describe_status(struct provider_failure *failure, const struct failure_scene *scene,
                            long status, const char *message)
{
    const char *host = scene->address->host;
    char advice[128];
    if (status == 401 || status == 403)
        describe(failure, FAILURE_ALL, CODE_USAGE, "%s answers HTTP %ld%s: %s", host, status,
                 message, advise_key(scene, advice, sizeof advice));
    else if (status == 404 || status == 405)
        describe(failure, FAILURE_ALL, CODE_USAGE,
                 "%s answers HTTP %ld%s: give the address with its path, like http://HOST/v1, and "
                 "a model that the server has (--model \"%.100s\")",
                 host, status, message, scene->choice->model);
    else if (status >= 300 && status < 400)
        describe(failure, FAILURE_ALL, CODE_USAGE,
                 "%s answers HTTP %ld, which leads elsewhere and is not followed: give the address "
                 "where the server is",
                 host, status);
    else
        describe(failure, FAILURE_ALL, CODE_IO,
                 "%s answers HTTP %ld%s: check the address, the model and your account", host,
                 status, message);
}

static const char *advise_key(const struct failure_scene *scene, char *out, size_t bytes)
{
    if (scene->key->variable == NULL)
        return "set " KEY_VARIABLE " to a key of that server";
    snprintf(out, bytes, "set %s to a key that this server and this model take",
             scene->key->variable);
    return out;
}

/* Request timeout, conflict, too early, too many, and all that is the server's own fault. */
static int may_pass(long status)
{
    return status == 408 || status == 409 || status == 424 || status == 425 || status == 429 ||
           (status >= 500 && status != 501 && status != 505);
}

/* Bad request, too large, unprocessable: too long a text, too many, or something else that half of
 * the batch may not have. llama.cpp says 500 for too long a text. */
static int blames_texts(long status, const char *message)
{
    return status == 400 || status == 413 || status == 422 ||
           (status == 500 && strstr(message, "too large") != NULL);
}

/* The server's message: a member of its JSON, or what the body begins with. */
static void read_message(const struct provider_key *key, char *body, size_t bytes,
                         char message_out[MESSAGE_BYTES])
{
    json_t *document = NULL;
    key_cover(key, body, bytes);
    if (bytes <= DOCUMENT_BYTES_MAX)
        document = json_loadb(body, bytes, 0, NULL);
    const char *message = document != NULL ? message_of(document) : NULL;
    if (message != NULL) {
        /* Decoded, it may show what was spelled with escapes; it is never longer. */
        bytes = strlen(message);
        memcpy(body, message, bytes);
        key_cover(key, body, bytes);
    }
    json_decref(document);
    cut(body, bytes, message_out);
}

/* {"error": {"message": ""}}, {"error": ""}, {"message": ""} or {"detail": ""} */
static const char *message_of(const json_t *document)
{
    static const char *const names[] = {"error", "message", "detail"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const json_t *member = json_object_get(document, names[i]);
        if (json_is_object(member))
            member = json_object_get(member, "message");
        if (json_is_string(member))
            return json_string_value(member);
    }
    return NULL;
}

/* Whole characters, up to a NUL. */
static void cut(const char *text, size_t bytes, char out[MESSAGE_BYTES])
{
    size_t length = 0;
    while (length < bytes && text[length] != '\0') {
        size_t step = style_utf8_length((const unsigned char *)text + length, bytes - length);
        step = step == 0 ? 1 : step;
        if (length + step >= MESSAGE_BYTES)
            break;
        length += step;
    }
    memcpy(out, text, length);
    out[length] = '\0';
}
