/* Where the vector of each text of a run is to be found, so that none is asked for twice. It only
 * says where to look: that it is the same text is for the caller to see. */
#ifndef EMBEDCACHE_CLI_TEXT_SEEN_H
#define EMBEDCACHE_CLI_TEXT_SEEN_H

#include <stddef.h>
#include <stdint.h>

struct seen_entry {
    uint64_t hash;
    uint64_t place;
};

/* 32 bytes a text at most. Zero it before use. */
struct text_seen {
    struct seen_entry *entries;
    size_t capacity; /* a power of two */
    size_t used;
};

/* A place that leads nowhere. */
#define SEEN_NOWHERE UINT64_MAX

/* Whether this text stands at `place`. */
typedef int seen_is_there(void *arg, uint64_t place);

uint64_t seen_hash(const char *text, size_t bytes);

/* The place of a text, SEEN_NOWHERE where it was not seen. */
uint64_t seen_find(const struct text_seen *seen, uint64_t hash, seen_is_there *is_there, void *arg);

/* Returns 0 when there is no memory. */
int seen_add(struct text_seen *seen, uint64_t hash, uint64_t place);

/* What was at `place` is at `place_now`; SEEN_NOWHERE forgets it. */
void seen_move(struct text_seen *seen, uint64_t hash, uint64_t place, uint64_t place_now);

void seen_close(struct text_seen *seen);

#endif
