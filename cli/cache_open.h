/* Opening a file and one of its spaces, and closing both: the beginning and the end of every
 * command. */
#ifndef EMBEDCACHE_CLI_CACHE_OPEN_H
#define EMBEDCACHE_CLI_CACHE_OPEN_H

#include <embedcache.h>

#include "options.h"

enum cache_access {
    CACHE_READ,   /* the file must exist; nothing is written */
    CACHE_CHANGE, /* the file must exist */
    CACHE_CREATE  /* it is created when absent */
};

struct cache {
    const char *path;
    edb *db;
    edb_space *space;
    edb_space_spec spec; /* of `space` */
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
struct space_wish space_wish_none(const struct arguments *arguments);

/* A wish as --space and OPTIONS_SPACE_SPEC say. */
struct space_wish space_wish_take(const struct arguments *arguments);

/* All return CODE_OK or a reported code. Commits are durable. After any code, cache_close. */
int cache_open(struct cache *cache, const char *path, enum cache_access access);
int cache_find_space(struct cache *cache, const char *name);

/* Opens the wished space, creating it when absent. An existing space that differs is refused. */
int cache_make_space(struct cache *cache, const struct space_wish *wish);

/* Closes; returns `code`, or what went wrong in closing when `code` is CODE_OK. */
int cache_close(struct cache *cache, int code);

#endif
