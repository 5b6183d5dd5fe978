/* Judging the content of records that verify. Called by db_verify, db_merge
 * and db_repair. */
#include "db/db_content.h"

#include "base/bytes.h"
#include "base/memory.h"
#include "codec/codec_metadata.h"

static bool is_finite(const uint8_t *vector, uint32_t dims)
{
    enum { EXPONENT = 0x7f800000 };
    for (uint32_t i = 0; i < dims; i++)
        if ((load_u32(vector + 4 * (size_t)i) & EXPONENT) == EXPONENT)
            return false;
    return true;
}

/* Whether a key of this form and length can be asked for. */
static bool key_fits(const edb_space *space, const struct db_key *key)
{
    uint8_t form = space->spec.key_form;
    if (form == EDB_KEY_BYTES && key->form == EDB_KEY_BYTES)
        return true;
    uint8_t digest = form == EDB_KEY_BYTES ? (uint8_t)EDB_KEY_BLAKE2B : form;
    return key->form == digest && key->count == sizeof key->digest;
}

static edb_status check_metadata(const struct db_change *change, bool *good_out)
{
    char *json = NULL;
    *good_out = true;
    if (change->metadata_bytes == 0)
        return EDB_OK;
    edb_status status = codec_metadata_decode(change->metadata, change->metadata_bytes, &json);
    memory_free(json);
    *good_out = status == EDB_OK;
    return status == EDB_NO_MEMORY ? status : EDB_OK;
}

edb_status db_content_check(const edb_space *space, const struct db_change *change,
                            const char **fault_out)
{
    bool good;
    *fault_out = NULL;
    if (!is_finite(change->vector, space->spec.dims))
        *fault_out = "has a vector with a NaN or an infinity";
    else if (!key_fits(space, &change->key))
        *fault_out = "has a key that nobody can ask for";
    if (*fault_out != NULL)
        return EDB_OK;
    edb_status status = check_metadata(change, &good);
    if (!good)
        *fault_out = "has metadata that cannot be decoded";
    return status;
}
