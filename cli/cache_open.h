/* Opening a file and one of its spaces, and closing both: the beginning and the end of every
 * command. */
#ifndef EMBEDCACHE_CLI_CACHE_OPEN_H
#define EMBEDCACHE_CLI_CACHE_OPEN_H

#include <embedcache.h>
#include <jansson.h>

#include "options.h"

/* The file must exist either way. */
enum cache_access {
    CACHE_READ,     /* nothing is written */
    CACHE_SNAPSHOT, /* as CACHE_READ, and what others commit stays unseen */
    CACHE_CHANGE
};

struct cache {
    const char *path;
    edb *db;             /* NULL: the file is not there yet */
    edb_space *space;    /* NULL: not there yet */
    edb_space_spec spec; /* of `space`, or of what cache_create will make */
};

enum { WISH_NONE = -1 };

/* What a space should be. What is not wished (NULL, WISH_NONE) is as the space is, or the default
 * for a new one. */
struct space_wish {
    const char *name;
    const char *model;
    const char *revision;
    int dims;
    int metric;
    int role;
    int key_form;
};

/* A wish of --space alone. */
struct space_wish space_wish_named(const struct arguments *arguments);

/* A wish as --space and OPTIONS_SPACE_SPEC say. */
struct space_wish space_wish_take(const struct arguments *arguments);

/* What the command line does not say of the space is as an export says (`space`, NULL = nothing,
 * which has to live as long as the wish). */
void space_wish_prefer(struct space_wish *wish, const json_t *space);

/* The file is the first operand of the arguments, the space that of --space. All return CODE_OK or
 * a reported code; commits are durable. After any code, cache_close. */
int cache_open(struct cache *cache, const struct arguments *arguments, enum cache_access access);
int cache_open_at(struct cache *cache, const char *path, enum cache_access access);
int cache_open_space(struct cache *cache, const struct arguments *arguments,
                     enum cache_access access);

/* Opens the file and the wished space where they are there; a space that differs, and the one with
 * the markers of imports, is refused. What is absent is not made yet: cache->spec says what the
 * space will be, and the caller may complete it. */
int cache_open_wish(struct cache *cache, const struct arguments *arguments,
                    const struct space_wish *wish);

/* Refuses the space where imports note how far they have come, if it is that one (NULL = none).
 * CODE_OK or CODE_USAGE. */
int cache_refuse_markers(const char *space);

/* Makes the file and the space that are not there yet. Called when the first record is known to be
 * good: refused data leaves nothing behind. */
int cache_create(struct cache *cache);

/* Refuses a space whose vectors are of another model; `way_out` ends the sentence. */
int cache_check_model(const struct cache *cache, const char *model, const char *way_out);

/* Refuses a space that holds values in place of vectors. */
int cache_refuse_opaque(const struct cache *cache, const char *way_out);

/* Closes; returns `code`, or what went wrong in closing when `code` is CODE_OK. */
int cache_close(struct cache *cache, int code);

#endif
