/* Checking and comparing specs. Called by db_space.c. A space that is opened as something else than
 * it is would give vectors of another model for the same text: so every field counts. */
#include <string.h>

#include "base/utf8.h"
#include "space/space.h"

static edb_status copy_name(const char *field, const char *given, char out[EDB_NAME_BYTES_MAX + 1])
{
    size_t bytes = given != NULL ? strlen(given) : 0;
    if (bytes > EDB_NAME_BYTES_MAX)
        return fail(EDB_INVALID, "the %s of a space has %zu bytes; at most %u are possible", field,
                    bytes, EDB_NAME_BYTES_MAX);
    if (utf8_first_bad(given, bytes) != bytes)
        return fail(EDB_INVALID, "the %s of a space is not UTF-8", field);
    memset(out, 0, EDB_NAME_BYTES_MAX + 1);
    if (bytes > 0)
        memcpy(out, given, bytes);
    return EDB_OK;
}

static edb_status check_number(const char *field, uint32_t value, uint32_t most)
{
    if (value <= most)
        return EDB_OK;
    return fail(EDB_INVALID, "%s %u of a space is not known; the highest is %u", field, value,
                most);
}

edb_status space_check(const edb_space_spec *given, struct spec *out)
{
    memset(out, 0, sizeof *out);
    const char *name = given->name != NULL ? given->name : "default";
    if (name[0] == '\0')
        return fail(EDB_INVALID, "the name of a space is empty; NULL means 'default'");
    edb_status status = copy_name("name", name, out->name);
    if (status == EDB_OK)
        status = copy_name("model", given->model, out->model);
    if (status == EDB_OK)
        status = copy_name("revision", given->revision, out->revision);
    if (status == EDB_OK)
        status = check_number("metric", given->metric, EDB_L2);
    if (status == EDB_OK)
        status = check_number("role", given->role, EDB_ROLE_DOCUMENT);
    if (status == EDB_OK)
        status = check_number("element type", given->element, EDB_F32);
    if (status == EDB_OK)
        status = check_number("key form", given->key_form, EDB_KEY_SHA256);
    if (status == EDB_OK && given->dims > EDB_DIMS_MAX)
        status =
            fail(EDB_INVALID, "%u dimensions; at most %u are possible", given->dims, EDB_DIMS_MAX);
    out->dims = given->dims;
    out->metric = (uint8_t)given->metric;
    out->role = (uint8_t)given->role;
    out->element = (uint8_t)given->element;
    out->key_form = (uint8_t)given->key_form;
    return status;
}

static edb_status differ(const struct spec *there, const char *field, const char *is,
                         const char *asked)
{
    return fail(EDB_MISMATCH, "space '%s' has %s '%s', not '%s': use another space for the other",
                there->name, field, is, asked);
}

edb_status space_compare(const struct spec *there, const struct spec *asked)
{
    static const char *const metrics[] = {"cosine", "dot", "l2"};
    static const char *const roles[] = {"none", "query", "document"};
    static const char *const forms[] = {"bytes", "blake2b", "sha256"};
    if (there->dims != asked->dims)
        return fail(EDB_MISMATCH,
                    "space '%s' has %u dimensions, not %u: use another space for the other",
                    there->name, there->dims, asked->dims);
    if (strcmp(there->model, asked->model) != 0)
        return differ(there, "model", there->model, asked->model);
    if (strcmp(there->revision, asked->revision) != 0)
        return differ(there, "revision", there->revision, asked->revision);
    if (there->metric != asked->metric)
        return differ(there, "metric", metrics[there->metric], metrics[asked->metric]);
    if (there->role != asked->role)
        return differ(there, "role", roles[there->role], roles[asked->role]);
    if (there->key_form != asked->key_form)
        return differ(there, "key form", forms[there->key_form], forms[asked->key_form]);
    if (there->element != asked->element)
        return fail(EDB_MISMATCH, "space '%s' has another element type", there->name);
    return EDB_OK;
}
