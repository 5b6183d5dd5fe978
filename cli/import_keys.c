/* Keys, texts and metadata that stand beside the rows of an import, a line for each row. */
#include "import_keys.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "report_error.h"

static int find_beside(struct import_keys *keys, const struct source *source, const char *path);

int keys_find(struct import_keys *keys, const struct source *source, const struct source_wish *wish,
              const char *given)
{
    keys->path = given;
    keys->fields = source_fields(wish);
    if (given != NULL && source->brings_keys)
        return report_error(CODE_USAGE, "--keys %s: %s brings its own keys: leave --keys away",
                            given, source->name);
    int code = CODE_OK;
    if (given == NULL && !source->brings_keys)
        code = find_beside(keys, source, wish->path);
    if (keys->path != NULL)
        keys->are_json = record_is_json_name(keys->path) || wish->key_field != NULL ||
                         wish->text_field != NULL || wish->metadata_field != NULL ||
                         wish->metadata_is_rest || wish->cost_field != NULL;
    return code;
}

/* An export wrote keys beside the rows: they are taken. What only has the same name is told; rows
 * of a kind that export does not write have it by chance. */
static int find_beside(struct import_keys *keys, const struct source *source, const char *path)
{
    const char *dot = strrchr(path, '.');
    struct record_reader reader;
    struct record ignored;
    struct stat status;
    if (dot == NULL || strchr(dot, '/') != NULL || !source->can_resume)
        return CODE_OK;
    size_t stem = (size_t)(dot - path);
    keys->beside = malloc(stem + sizeof ".jsonl");
    if (keys->beside == NULL)
        return report_no_memory();
    memcpy(keys->beside, path, stem);
    memcpy(keys->beside + stem, ".jsonl", sizeof ".jsonl");
    if (stat(keys->beside, &status) != 0 || !S_ISREG(status.st_mode))
        return CODE_OK;
    if (strcmp(keys->beside, path) == 0)
        return CODE_OK;
    int code = record_open(&reader, keys->beside, 1, &keys->fields);
    if (code == CODE_OK)
        code = record_next(&reader, &ignored);
    const struct source_kind *kind = source->kind;
    int is_export = reader.space != NULL && (kind == &source_npy || kind == &source_fbin);
    record_close(&reader);
    if (code == CODE_IO)
        return code;
    if (is_export)
        keys->path = keys->beside;
    report_note(is_export ? "keys, texts and metadata are taken from %s"
                          : "%s stands beside: --keys takes its keys",
                keys->beside);
    return CODE_OK;
}

int keys_check(struct import_keys *keys, const struct source *source, json_t **space)
{
    struct stat status;
    uint64_t count;
    json_t *told = NULL;
    if (stat(keys->path, &status) == 0 && !S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode))
        return report_error(
            CODE_USAGE,
            "--keys %s is no regular file: its lines are counted first, so save it to one",
            keys->path);
    if (source->rows == SOURCE_ROWS_UNKNOWN)
        return report_error(CODE_USAGE,
                            "--keys %s: how many rows %s has is not known before its end: %s",
                            keys->path, source->name,
                            source->can_resume ? "give each of them a key of its own there"
                                               : "save it to a file first");
    int code = record_count(keys->path, keys->are_json, &keys->fields, &count, &told);
    if (*space == NULL)
        *space = told;
    else
        json_decref(told);
    if (code == CODE_OK && count != source->rows)
        return report_error(CODE_BAD_DATA,
                            "%s has %" PRIu64 " keys, %s has %" PRIu64
                            " rows: nothing was stored; give one key per row",
                            keys->path, count, source->name, source->rows);
    return code;
}

int keys_open(struct import_keys *keys, uint64_t passed)
{
    int code = record_open(&keys->reader, keys->path, keys->are_json, &keys->fields);
    for (uint64_t i = 0; i < passed && code == CODE_OK; i++)
        code = record_skip(&keys->reader);
    return code;
}

int keys_next(struct import_keys *keys, struct record *record)
{
    int code = record_next(&keys->reader, record);
    if (code == CODE_END || code == CODE_REFUSED)
        return report_error(CODE_BAD_DATA, "%s was changed while it was read", keys->path);
    return code;
}

int keys_are_named(const struct import_keys *keys)
{
    return !keys->are_json || keys->fields.key != NULL;
}

void keys_close(struct import_keys *keys)
{
    record_close(&keys->reader);
    free(keys->beside);
    memset(keys, 0, sizeof *keys);
}
