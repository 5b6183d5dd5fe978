/* Bytes of a space's spec. Called when a space is created and when a GROUP or CATALOG that holds
 * one is read. */
#include "format/spec.h"

#include <string.h>

#include "base/bytes.h"
#include "base/utf8.h"

enum {
    AT_VERSION = 0,
    AT_METRIC = 1,
    AT_ROLE = 2,
    AT_ELEMENT = 3,
    AT_KEY_FORM = 4,
    AT_DIMS = 8,
    AT_STRINGS = 16,
    SPEC_VERSION = 1,
};

static size_t encode_string(const char *text, uint8_t *at)
{
    size_t bytes = strlen(text);
    store_u16(at, (uint16_t)bytes);
    memcpy(at + 2, text, bytes);
    return bytes + 2;
}

size_t spec_encode(const struct spec *spec, uint8_t *bytes)
{
    memset(bytes, 0, AT_STRINGS);
    bytes[AT_VERSION] = SPEC_VERSION;
    bytes[AT_METRIC] = spec->metric;
    bytes[AT_ROLE] = spec->role;
    bytes[AT_ELEMENT] = spec->element;
    bytes[AT_KEY_FORM] = spec->key_form;
    store_u32(bytes + AT_DIMS, spec->dims);
    size_t used = AT_STRINGS;
    used += encode_string(spec->name, bytes + used);
    used += encode_string(spec->model, bytes + used);
    used += encode_string(spec->revision, bytes + used);
    return used;
}

/* Bytes taken, or 0 when the string does not fit, holds a NUL or is not UTF-8. */
static size_t decode_string(const uint8_t *at, size_t left, char out[EDB_NAME_BYTES_MAX + 1])
{
    if (left < 2)
        return 0;
    size_t bytes = load_u16(at);
    if (bytes > EDB_NAME_BYTES_MAX || bytes > left - 2 || memchr(at + 2, 0, bytes) != NULL ||
        utf8_first_bad(at + 2, bytes) != bytes)
        return 0;
    memcpy(out, at + 2, bytes);
    out[bytes] = '\0';
    return bytes + 2;
}

static edb_status decode_strings(const uint8_t *bytes, size_t count, struct spec *out)
{
    char *fields[] = {out->name, out->model, out->revision};
    size_t used = AT_STRINGS;
    for (int i = 0; i < 3; i++) {
        size_t taken = decode_string(bytes + used, count - used, fields[i]);
        if (taken == 0)
            return fail(EDB_CORRUPT, "the description of a space, of %zu bytes, is damaged at %zu",
                        count, used);
        used += taken;
    }
    return EDB_OK;
}

edb_status spec_decode(const uint8_t *bytes, size_t count, struct spec *out)
{
    memset(out, 0, sizeof *out);
    if (count < AT_STRINGS || count > SPEC_BYTES_MAX)
        return fail(EDB_CORRUPT, "the description of a space has %zu bytes", count);
    out->metric = bytes[AT_METRIC];
    out->role = bytes[AT_ROLE];
    out->element = bytes[AT_ELEMENT];
    out->key_form = bytes[AT_KEY_FORM];
    out->dims = load_u32(bytes + AT_DIMS);
    if (bytes[AT_VERSION] != SPEC_VERSION || out->metric > EDB_L2 ||
        out->role > EDB_ROLE_DOCUMENT || out->element != EDB_F32 ||
        out->key_form > EDB_KEY_SHA256 || out->dims > EDB_DIMS_MAX)
        return fail(EDB_FORMAT,
                    "a space of version %u, metric %u, role %u, element %u, key form %u and %u "
                    "dimensions is not known to this library: update EmbedCache",
                    bytes[AT_VERSION], out->metric, out->role, out->element, out->key_form,
                    out->dims);
    return decode_strings(bytes, count, out);
}
