/* The 256-bit digests that stand for a key: in spaces that keep digests only, and for keys over 64
 * KiB. */
#ifndef EDB_CODEC_CODEC_DIGEST_H
#define EDB_CODEC_CODEC_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum { CODEC_DIGEST_BYTES = 32 };

/* The digest of the bytes under a key form. EDB_KEY_SHA256: SHA-256. EDB_KEY_BLAKE2B, and
 * EDB_KEY_BYTES (its over-long keys): BLAKE2b with 256 bits of output and no key. Any thread, any
 * time.
 *
 * digest_out  caller buffer; zeroed on failure.
 *
 * EDB_IO  the library of digests could not be started. */
edb_status codec_digest(edb_key_form form, const void *bytes, size_t count,
                        uint8_t digest_out[CODEC_DIGEST_BYTES]);

#endif
