/* FNV-1a, for the markers of imports and the directories that they read. It finds changes, nobody
 * who hides one. */
#include "state_digest.h"

#include <string.h>

uint64_t digest_bytes(uint64_t digest, const void *bytes, size_t count)
{
    const unsigned char *at = bytes;
    for (size_t i = 0; i < count; i++)
        digest = (digest ^ at[i]) * UINT64_C(0x100000001b3);
    return digest;
}

uint64_t digest_number(uint64_t digest, uint64_t number)
{
    return digest_bytes(digest, &number, sizeof number);
}

uint64_t digest_word(uint64_t digest, const char *word)
{
    return word == NULL ? digest_bytes(digest, "\xff", 1)
                        : digest_bytes(digest, word, strlen(word) + 1);
}

uint64_t digest_status(uint64_t digest, const struct stat *status)
{
    digest = digest_number(digest, (uint64_t)status->st_size);
    digest = digest_number(digest, (uint64_t)status->st_mtim.tv_sec);
    return digest_number(digest, (uint64_t)status->st_mtim.tv_nsec);
}
