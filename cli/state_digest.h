/* A digest of what a source of an import is: two states with one digest are taken for the same. */
#ifndef EMBEDCACHE_CLI_STATE_DIGEST_H
#define EMBEDCACHE_CLI_STATE_DIGEST_H

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#define STATE_DIGEST_EMPTY UINT64_C(0xcbf29ce484222325)

uint64_t digest_bytes(uint64_t digest, const void *bytes, size_t count);
uint64_t digest_number(uint64_t digest, uint64_t number);

/* NULL is another word than "". */
uint64_t digest_word(uint64_t digest, const char *word);

/* Size and time of change. */
uint64_t digest_status(uint64_t digest, const struct stat *status);

#endif
