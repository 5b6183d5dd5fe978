/* What can go wrong with a request, what can be done about it, and the sentence that says so. */
#ifndef EMBEDCACHE_CLI_PROVIDER_FAILURE_H
#define EMBEDCACHE_CLI_PROVIDER_FAILURE_H

#include <curl/curl.h>

#include "embedder.h"
#include "provider_address.h"
#include "provider_answer.h"
#include "provider_key.h"

enum failure_kind {
    FAILURE_NONE,
    FAILURE_PASSING, /* another try may help */
    FAILURE_FORM,    /* another form of the request may help */
    FAILURE_TEXTS,   /* the server does not take these texts; fewer at once may do */
    FAILURE_REQUEST, /* this request is lost */
    FAILURE_ALL      /* no request would do better */
};

enum { FAILURE_SENTENCE_BYTES = 1024 };

struct provider_failure {
    enum failure_kind kind;
    int code;
    char sentence[FAILURE_SENTENCE_BYTES];
};

/* Whom it happened with. */
struct failure_scene {
    const struct embedder_choice *choice;
    const struct provider_address *address;
    const struct provider_key *key;
    int has_answered; /* the server, in this run */
};

/* No answer came: `error` is what libcurl says. */
void failure_of_transfer(struct provider_failure *failure, const struct failure_scene *scene,
                         CURLcode result, const char *error);

/* An answer came with a status other than 200. `body` is changed. */
void failure_of_status(struct provider_failure *failure, const struct failure_scene *scene,
                       long status, char *body, size_t bytes);

/* The answer is not what was asked for. `body` is changed. */
void failure_of_answer(struct provider_failure *failure, const struct failure_scene *scene,
                       struct answer *answer, char *body, size_t bytes);

/* The answer is longer than `bytes_max`. */
void failure_of_length(struct provider_failure *failure, const struct failure_scene *scene,
                       size_t bytes_max);

/* There is no memory for the answer: nor for the next one. */
void failure_of_memory(struct provider_failure *failure, const struct failure_scene *scene);

#endif
