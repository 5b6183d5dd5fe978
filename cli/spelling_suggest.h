/* What somebody may have meant who wrote a word that is none. */
#ifndef EMBEDCACHE_CLI_SPELLING_SUGGEST_H
#define EMBEDCACHE_CLI_SPELLING_SUGGEST_H

#include <stddef.h>

enum { SLIPS_MANY = 64 };

/* How many slips of the hand lead from `word` to `known`, capitals not counted; 0 where it is the
 * beginning of it, SLIPS_MANY where they are too many to be meant. */
size_t spelling_slips(const char *word, const char *known);

#endif
