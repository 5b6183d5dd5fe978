/* Structs that pass between a program and the library, when the two were built with different
 * releases of the header. A struct only ever grows at its end and 0 is always a default: so what
 * the shorter side does not know is 0. Called by every public call that takes or fills one. */
#include <string.h>

#include "db/db.h"

enum { STRUCT_BYTES_MAX = 1024 };

/* The size in release 0.1 is what struct_size 0 means: where a member is added, write the offset of
 * the first one that 0.1 did not have. */
const struct db_struct db_struct_open_options = {"edb_open_options", sizeof(edb_open_options),
                                                 sizeof(edb_open_options)};
const struct db_struct db_struct_space_spec = {"edb_space_spec", sizeof(edb_space_spec),
                                               sizeof(edb_space_spec)};
const struct db_struct db_struct_put_options = {"edb_put_options", sizeof(edb_put_options),
                                                sizeof(edb_put_options)};
const struct db_struct db_struct_search_options = {"edb_search_options", sizeof(edb_search_options),
                                                   sizeof(edb_search_options)};
const struct db_struct db_struct_stats = {"edb_stats", sizeof(edb_stats), sizeof(edb_stats)};
const struct db_struct db_struct_space_stats = {"edb_space_stats", sizeof(edb_space_stats),
                                                sizeof(edb_space_stats)};
const struct db_struct db_struct_verify_report = {"edb_verify_report", sizeof(edb_verify_report),
                                                  sizeof(edb_verify_report)};

const struct db_struct db_struct_compact_options = {
    "edb_compact_options", sizeof(edb_compact_options), sizeof(edb_compact_options)};
const struct db_struct db_struct_compact_report = {"edb_compact_report", sizeof(edb_compact_report),
                                                   sizeof(edb_compact_report)};
const struct db_struct db_struct_repair_options = {"edb_repair_options", sizeof(edb_repair_options),
                                                   sizeof(edb_repair_options)};
const struct db_struct db_struct_repair_report = {"edb_repair_report", sizeof(edb_repair_report),
                                                  sizeof(edb_repair_report)};
const struct db_struct db_struct_merge_options = {"edb_merge_options", sizeof(edb_merge_options),
                                                  sizeof(edb_merge_options)};
const struct db_struct db_struct_merge_report = {"edb_merge_report", sizeof(edb_merge_report),
                                                 sizeof(edb_merge_report)};

const struct db_struct db_struct_limits = {"edb_limits", sizeof(edb_limits), sizeof(edb_limits)};

size_t db_struct_bytes(const struct db_struct *kind, const void *given)
{
    size_t bytes;
    memcpy(&bytes, given, sizeof bytes);
    return bytes > 0 ? bytes : kind->bytes_0_1;
}

/* Much more than any release will need is a struct whose size was never set. */
static edb_status check_bytes(const struct db_struct *kind, size_t bytes)
{
    if (bytes >= kind->bytes_0_1 && bytes <= STRUCT_BYTES_MAX)
        return EDB_OK;
    return fail(EDB_INVALID, "%s: struct_size %zu; use sizeof(%s), which is %zu, or 0", kind->name,
                bytes, kind->name, kind->bytes);
}

/* A program that was built with a newer header may ask for what is not known here. */
static edb_status check_rest(const struct db_struct *kind, const uint8_t *given, size_t bytes)
{
    for (size_t i = kind->bytes; i < bytes; i++)
        if (given[i] != 0)
            return fail(EDB_INVALID,
                        "%s: byte %zu is set, which this library (%s) does not know: update it",
                        kind->name, i, edb_version());
    return EDB_OK;
}

edb_status db_struct_read(const struct db_struct *kind, const void *given, void *out)
{
    memset(out, 0, kind->bytes);
    if (given == NULL)
        return EDB_OK;
    size_t bytes = db_struct_bytes(kind, given);
    edb_status status = check_bytes(kind, bytes);
    if (status == EDB_OK)
        status = check_rest(kind, given, bytes);
    if (status == EDB_OK)
        memcpy(out, given, bytes < kind->bytes ? bytes : kind->bytes);
    return status;
}

edb_status db_struct_write(const struct db_struct *kind, const void *own, void *out)
{
    size_t bytes = db_struct_bytes(kind, out);
    edb_status status = check_bytes(kind, bytes);
    if (status != EDB_OK)
        return status;
    memset(out, 0, bytes);
    memcpy(out, own, bytes < kind->bytes ? bytes : kind->bytes);
    memcpy(out, &bytes, sizeof bytes);
    return EDB_OK;
}
