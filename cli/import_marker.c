/* The marker of an import. Its record: key "<space>\n<absolute path>", value {"next_row": N,
 * "first_row": N, "state": "<16 hex digits>"}.
 *
 * The state is a digest of all that would make rows differ: kind, rows, dims, the options, size,
 * time of change and both ends of the source, size and time of the keys file. A directory counts
 * with its own time and its number of files. */
#include "import_marker.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "report_error.h"

enum { END_BYTES = 4096, VALUE_BYTES = 160 };

static uint64_t digest_bytes(uint64_t digest, const void *bytes, size_t count);
static uint64_t digest_word(uint64_t digest, const char *word);
static uint64_t digest_number(uint64_t digest, uint64_t number);
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
    uint64_t state = digest_word(UINT64_C(0xcbf29ce484222325), source->kind->name);
    state = digest_number(state, source->rows);
    state = digest_number(state, source->dims);
    state = digest_options(state, wish);
    state = digest_file(state, wish->path);
    marker->state = keys_path != NULL ? digest_file(state, keys_path) : state;
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
    char value[VALUE_BYTES];
    edb_put_options options = EDB_PUT_OPTIONS_INIT;
    edb_space_spec spec = EDB_SPACE_SPEC_INIT;
    edb_space *space;
    spec.name = IMPORT_MARKER_SPACE;
    edb_status status = edb_space_open(db, &spec, &space);
    int bytes = snprintf(value, sizeof value,
                         "{\"next_row\": %" PRIu64 ", \"first_row\": %" PRIu64
                         ", \"state\": \"%016" PRIx64 "\"}",
                         next_row, marker->first_row, marker->state);
    options.value_bytes = (size_t)bytes;
    if (status == EDB_OK)
        status = edb_txn_put(txn, space, marker->key, strlen(marker->key), value, &options);
    return status;
}

edb_status marker_delete(struct import_marker *marker, edb *db, edb_txn *txn)
{
    edb_space *space;
    edb_status status = edb_space_find(db, IMPORT_MARKER_SPACE, &space);
    if (status == EDB_OK)
        status = edb_txn_delete(txn, space, marker->key, strlen(marker->key));
    return status;
}

void marker_close(struct import_marker *marker)
{
    free(marker->key);
    memset(marker, 0, sizeof *marker);
}

/* FNV-1a. */
static uint64_t digest_bytes(uint64_t digest, const void *bytes, size_t count)
{
    const unsigned char *at = bytes;
    for (size_t i = 0; i < count; i++)
        digest = (digest ^ at[i]) * UINT64_C(0x100000001b3);
    return digest;
}

/* NULL is another word than "". */
static uint64_t digest_word(uint64_t digest, const char *word)
{
    return word == NULL ? digest_bytes(digest, "\xff", 1)
                        : digest_bytes(digest, word, strlen(word) + 1);
}

static uint64_t digest_number(uint64_t digest, uint64_t number)
{
    return digest_bytes(digest, &number, sizeof number);
}

static uint64_t digest_options(uint64_t digest, const struct source_wish *wish)
{
    const char *const words[] = {wish->dtype,       wish->tensor,     wish->texts,
                                 wish->key_field,   wish->text_field, wish->metadata_field,
                                 wish->vector_field};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        digest = digest_word(digest, words[i]);
    digest = digest_number(digest, (uint64_t)wish->metadata_is_rest);
    return digest_number(digest, (uint64_t)wish->has_no_header);
}

static uint64_t digest_file(uint64_t digest, const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0)
        return digest_word(digest, NULL);
    digest = digest_number(digest, (uint64_t)status.st_size);
    digest = digest_number(digest, (uint64_t)status.st_mtim.tv_sec);
    digest = digest_number(digest, (uint64_t)status.st_mtim.tv_nsec);
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
    marker->next_row = (uint64_t)json_integer_value(json_object_get(value, "next_row"));
    marker->first_row = (uint64_t)json_integer_value(json_object_get(value, "first_row"));
    snprintf(state, sizeof state, "%016" PRIx64, marker->state);
    int is_same = kept != NULL && strcmp(kept, state) == 0;
    json_decref(value);
    return is_same;
}
