/* The marker of an import. Its record: key "<space>\n<absolute path>", value {"begin_row": N,
 * "next_row": N, "first_row": N, "first_expiry_s": N, "state": "<16 hex digits>"}; of an import
 * that is done also "space_rows": N and "space_live": N, what the space had then.
 *
 * The state is a digest of all that would make rows differ: kind, rows, dims, the options; size,
 * time of change and both ends of the source, of the keys file and of the texts file; of a
 * directory what its look says. */
#include "import_marker.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "report_error.h"
#include "state_digest.h"

enum { END_BYTES = 4096, VALUE_BYTES = 256 };

static edb_status put_value(struct import_marker *marker, edb *db, edb_txn *txn);
static uint64_t digest_source(const struct source *source, const struct source_wish *wish,
                              const char *keys_path);
static uint64_t digest_options(uint64_t digest, const struct source_wish *wish);
static uint64_t digest_file(uint64_t digest, const char *path);
static uint64_t digest_ends(uint64_t digest, const char *path, uint64_t bytes);
static int read_value(struct import_marker *marker, const edb_view *view);

int marker_open(struct import_marker *marker, const struct source *source,
                const struct source_wish *wish, const char *keys_path, const char *name)
{
    memset(marker, 0, sizeof *marker);
    char *path = realpath(wish->path, NULL);
    size_t bytes = strlen(name) + strlen(path != NULL ? path : wish->path) + 2;
    marker->key = malloc(bytes);
    if (marker->key == NULL) {
        free(path);
        return report_no_memory();
    }
    snprintf(marker->key, bytes, "%s\n%s", name, path != NULL ? path : wish->path);
    free(path);
    marker->state = digest_source(source, wish, keys_path);
    return CODE_OK;
}

int marker_find(struct import_marker *marker, edb *db)
{
    edb_view view;
    edb_space *space;
    if (db == NULL || marker->key == NULL)
        return CODE_OK;
    edb_status status = edb_space_find(db, IMPORT_MARKER_SPACE, &space);
    if (status == EDB_OK)
        status = edb_view_key(space, marker->key, strlen(marker->key), &view);
    if (status == EDB_NOT_FOUND)
        return CODE_OK;
    if (status != EDB_OK)
        return report_status(status, IMPORT_MARKER_SPACE);
    marker->is_kept = 1;
    marker->is_changed = !read_value(marker, &view);
    edb_view_release(&view);
    return CODE_OK;
}

edb_status marker_put(struct import_marker *marker, edb *db, edb_txn *txn, uint64_t next_row)
{
    marker->next_row = next_row;
    marker->is_done = 0;
    return put_value(marker, db, txn);
}

edb_status marker_finish(struct import_marker *marker, edb *db, edb_space *space)
{
    edb_space_stats stats = {.struct_size = sizeof stats};
    edb_txn *txn = NULL;
    edb_status status = edb_space_stats_get(space, &stats);
    marker->is_done = 1;
    marker->space_rows = stats.rows;
    marker->space_live = stats.live;
    if (status == EDB_OK)
        status = edb_begin(db, &txn);
    if (status == EDB_OK)
        status = put_value(marker, db, txn);
    if (status == EDB_OK)
        return edb_commit(txn, EDB_DURABLE);
    edb_abort(txn);
    return status;
}

int marker_is_current(const struct import_marker *marker, const edb_space_stats *stats)
{
    return marker->begin_row == 0 && marker->space_rows == stats->rows &&
           marker->space_live == stats->live &&
           (marker->first_expiry_s == 0 || marker->first_expiry_s > time(NULL));
}

edb_status marker_count_unfinished(edb_space *markers, uint64_t *count_out)
{
    edb_iterator *iterator;
    edb_view view;
    *count_out = 0;
    edb_status status = edb_iterate(markers, &iterator);
    while (status == EDB_OK && (status = edb_next(iterator, &view)) == EDB_OK) {
        struct import_marker marker = {0};
        (void)read_value(&marker, &view);
        *count_out += (uint64_t)!marker.is_done;
        edb_view_release(&view);
    }
    edb_iterator_close(iterator);
    return status == EDB_NOT_FOUND || status == EDB_CORRUPT ? EDB_OK : status;
}

int marker_check(const struct import_marker *marker, struct source *source,
                 const struct source_wish *wish, const char *keys_path)
{
    int code = source->kind->look != NULL ? source->kind->look(source) : CODE_OK;
    if (code != CODE_OK || digest_source(source, wish, keys_path) == marker->state)
        return code;
    return report_error(CODE_BAD_DATA, "%s%s was changed while it was read", source->name,
                        keys_path != NULL || wish->texts != NULL ? ", or what is read beside it,"
                                                                 : "");
}

void marker_close(struct import_marker *marker)
{
    free(marker->key);
    memset(marker, 0, sizeof *marker);
}

static edb_status put_value(struct import_marker *marker, edb *db, edb_txn *txn)
{
    char done[80] = "";
    char value[VALUE_BYTES];
    edb_put_options options = EDB_PUT_OPTIONS_INIT;
    edb_space_spec spec = EDB_SPACE_SPEC_INIT;
    edb_space *space;
    spec.name = IMPORT_MARKER_SPACE;
    edb_status status = edb_space_open(db, &spec, &space);
    if (marker->is_done)
        snprintf(done, sizeof done, ", \"space_rows\": %" PRIu64 ", \"space_live\": %" PRIu64,
                 marker->space_rows, marker->space_live);
    int bytes =
        snprintf(value, sizeof value,
                 "{\"begin_row\": %" PRIu64 ", \"next_row\": %" PRIu64 ", \"first_row\": %" PRIu64
                 ", \"first_expiry_s\": %" PRIu32 ", \"state\": \"%016" PRIx64 "\"%s}",
                 marker->begin_row, marker->next_row, marker->first_row, marker->first_expiry_s,
                 marker->state, done);
    options.value_bytes = (size_t)bytes;
    if (status == EDB_OK)
        status = edb_txn_put(txn, space, marker->key, strlen(marker->key), value, &options);
    return status;
}

static uint64_t digest_source(const struct source *source, const struct source_wish *wish,
                              const char *keys_path)
{
    uint64_t digest = digest_word(STATE_DIGEST_EMPTY, source->kind->name);
    digest = digest_number(digest, source->rows);
    digest = digest_number(digest, source->dims);
    digest = digest_number(digest, source->digest);
    digest = digest_options(digest, wish);
    if (source->kind->look == NULL)
        digest = digest_file(digest, wish->path);
    if (wish->texts != NULL)
        digest = digest_file(digest, wish->texts);
    return keys_path != NULL ? digest_file(digest, keys_path) : digest;
}

static uint64_t digest_options(uint64_t digest, const struct source_wish *wish)
{
    const char *const words[] = {wish->dtype,        wish->tensor,     wish->texts,
                                 wish->key_field,    wish->text_field, wish->metadata_field,
                                 wish->vector_field, wish->cost_field};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        digest = digest_word(digest, words[i]);
    digest = digest_number(digest, wish->ttl_s);
    digest = digest_number(digest, (uint64_t)wish->is_pinned);
    digest = digest_number(digest, (uint64_t)wish->metadata_is_rest);
    return digest_number(digest, (uint64_t)wish->has_no_header);
}

static uint64_t digest_file(uint64_t digest, const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0)
        return digest_word(digest, NULL);
    digest = digest_status(digest, &status);
    return S_ISREG(status.st_mode) ? digest_ends(digest, path, (uint64_t)status.st_size) : digest;
}

/* The first and the last bytes: a file that was exchanged with its time kept. */
static uint64_t digest_ends(uint64_t digest, const char *path, uint64_t bytes)
{
    unsigned char end[END_BYTES];
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    off_t last = bytes > END_BYTES ? (off_t)(bytes - END_BYTES) : 0;
    ssize_t got = pread(descriptor, end, sizeof end, 0);
    digest = digest_bytes(digest, end, got > 0 ? (size_t)got : 0);
    got = pread(descriptor, end, sizeof end, last);
    digest = digest_bytes(digest, end, got > 0 ? (size_t)got : 0);
    if (descriptor >= 0)
        close(descriptor);
    return digest;
}

/* Returns whether the value is of this state. */
static int read_value(struct import_marker *marker, const edb_view *view)
{
    char state[24];
    json_error_t error;
    json_t *value = json_loadb(view->vector, view->vector_bytes, 0, &error);
    const char *kept = json_string_value(json_object_get(value, "state"));
    marker->begin_row = (uint64_t)json_integer_value(json_object_get(value, "begin_row"));
    marker->next_row = (uint64_t)json_integer_value(json_object_get(value, "next_row"));
    marker->first_row = (uint64_t)json_integer_value(json_object_get(value, "first_row"));
    const json_t *expiry = json_object_get(value, "first_expiry_s");
    marker->first_expiry_s = (uint32_t)json_integer_value(expiry);
    const json_t *space_rows = json_object_get(value, "space_rows");
    marker->is_done = space_rows != NULL;
    marker->space_rows = (uint64_t)json_integer_value(space_rows);
    marker->space_live = (uint64_t)json_integer_value(json_object_get(value, "space_live"));
    snprintf(state, sizeof state, "%016" PRIx64, marker->state);
    int is_same = kept != NULL && strcmp(kept, state) == 0;
    json_decref(value);
    return is_same;
}
