/* BLAKE2b-256 and SHA-256 by libsodium, whose one-time start this file takes care of. */
#include "codec/codec_digest.h"

#include <sodium.h>
#include <stdatomic.h>
#include <string.h>

_Static_assert(crypto_hash_sha256_BYTES == CODEC_DIGEST_BYTES, "SHA-256 has 32 bytes");

static edb_status start(void);

edb_status codec_digest(edb_key_form form, const void *bytes, size_t count,
                        uint8_t digest_out[CODEC_DIGEST_BYTES])
{
    static const uint8_t nothing[1];
    memset(digest_out, 0, CODEC_DIGEST_BYTES);
    edb_status status = start();
    if (status != EDB_OK)
        return status;
    const uint8_t *from = bytes == NULL ? nothing : bytes;
    if (form == EDB_KEY_SHA256)
        crypto_hash_sha256(digest_out, from, count);
    else
        crypto_generichash_blake2b(digest_out, CODEC_DIGEST_BYTES, from, count, NULL, 0);
    return EDB_OK;
}

/* sodium_init may be called by several threads at once and more than once; the flag spares the lock
 * that it takes. */
static edb_status start(void)
{
    static _Atomic int started;
    if (atomic_load_explicit(&started, memory_order_acquire))
        return EDB_OK;
    if (sodium_init() < 0)
        return fail(EDB_IO, "libsodium could not be started: keys cannot be digested");
    atomic_store_explicit(&started, 1, memory_order_release);
    return EDB_OK;
}
