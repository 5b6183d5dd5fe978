/* A directory with a file for each vector, as LangChain's LocalFileStore keeps the embeddings of a
 * CacheBackedEmbeddings: a file's name (with the folders above it, from the directory on) is the
 * key, its content a JSON list of numbers. Files are taken in the order in which the system names
 * them, so that any number of them needs no memory; where the order, a name, a size or a time is
 * another one, the directory's state is, too. */
#include <dirent.h>
#include <embedcache.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file_read.h"
#include "float_list.h"
#include "report_error.h"
#include "source.h"
#include "state_digest.h"
#include "text_style.h"

enum { DEPTH_MAX = 32, PATH_BYTES = 4096, FILE_BYTES_MAX = 16777216, TEXTS_BYTES_MAX = 16777216 };

struct directory {
    const char *path;
    DIR *open[DEPTH_MAX];
    size_t name_at[DEPTH_MAX]; /* where the names of each depth begin in `file` */
    size_t depth;
    char file[PATH_BYTES]; /* the path of the entry at hand */
    size_t key_at;         /* where the key begins in it */
    struct stat status;    /* of the entry at hand */
    uint64_t files;        /* that the last look has seen */
    json_t *texts;         /* key -> text, or NULL */
    float *vector;         /* room for one */
};

static int open_directory(struct source *source, const struct input *input,
                          const struct source_wish *wish);
static int begin(struct directory *directory);
static void end(struct directory *directory);
static int next_file(struct directory *directory);
static int take_entry(struct directory *directory, const char *name, int *is_file_out);
static int enter(struct directory *directory);
static int count_files(struct source *source);
static int look(struct source *source);
static int read_file(struct directory *directory, size_t *count_out);
static int read_texts(struct directory *directory, const char *path);
static int has_only_strings(const json_t *object);
static int next_row(struct source *source, struct record *record, float *vector_out);
static int skip_rows(struct source *source, uint64_t rows);
static void close_directory(struct source *source);

const struct source_kind source_directory = {
    .name = "directory",
    .options = "texts",
    .open = open_directory,
    .look = look,
    .next = next_row,
    .skip = skip_rows,
    .close = close_directory,
};

static int open_directory(struct source *source, const struct input *input,
                          const struct source_wish *wish)
{
    size_t count = 0;
    input_close(input->descriptor);
    struct directory *directory = calloc(1, sizeof *directory);
    source->state = directory;
    if (directory == NULL)
        return report_no_memory();
    directory->path = input->path;
    source->brings_keys = 1;
    directory->vector = malloc(EDB_DIMS_MAX * sizeof *directory->vector);
    if (directory->vector == NULL)
        return report_no_memory();
    int code = wish->texts != NULL ? read_texts(directory, wish->texts) : CODE_OK;
    if (code == CODE_OK)
        code = count_files(source);
    if (code == CODE_OK)
        code = begin(directory);
    if (code == CODE_OK)
        code = next_file(directory);
    if (code == CODE_OK)
        code = read_file(directory, &count);
    source->dims = (uint32_t)count;
    return code == CODE_OK ? begin(directory) : code;
}

/* Back to the first file. */
static int begin(struct directory *directory)
{
    end(directory);
    int length = snprintf(directory->file, sizeof directory->file, "%s", directory->path);
    if (length < 0 || (size_t)length + 2 > sizeof directory->file)
        return report_error(CODE_USAGE, "%s: a path has at most %d bytes", directory->path,
                            PATH_BYTES);
    directory->key_at = (size_t)length + 1;
    return enter(directory);
}

static void end(struct directory *directory)
{
    while (directory->depth > 0)
        closedir(directory->open[--directory->depth]);
}

/* Goes on to the next regular file: its path is then in directory->file. CODE_END behind the
 * last. */
static int next_file(struct directory *directory)
{
    while (directory->depth > 0) {
        int is_file = 0;
        errno = 0;
        directory->file[directory->name_at[directory->depth - 1]] = '\0';
        const struct dirent *entry = readdir(directory->open[directory->depth - 1]);
        if (entry == NULL && errno != 0)
            return report_error(CODE_IO, "cannot read %s: %s", directory->file, strerror(errno));
        if (entry == NULL) {
            closedir(directory->open[--directory->depth]);
            continue;
        }
        if (entry->d_name[0] == '.')
            continue;
        int code = take_entry(directory, entry->d_name, &is_file);
        if (code != CODE_OK || is_file)
            return code;
    }
    return CODE_END;
}

/* A file, a folder that is entered, or something that is refused. */
static int take_entry(struct directory *directory, const char *name, int *is_file_out)
{
    struct stat status;
    struct stat *target = &directory->status;
    size_t at = directory->name_at[directory->depth - 1];
    if (at + strlen(name) + 2 > sizeof directory->file)
        return report_error(CODE_BAD_DATA, "%s/%s: a path has at most %d bytes", directory->file,
                            name, PATH_BYTES);
    directory->file[at - 1] = '/';
    memcpy(directory->file + at, name, strlen(name) + 1);
    if (lstat(directory->file, &status) != 0 || stat(directory->file, target) != 0)
        return report_error(CODE_IO, "cannot read %s: %s", directory->file, strerror(errno));
    if (S_ISDIR(status.st_mode))
        return enter(directory);
    if (S_ISDIR(target->st_mode))
        return report_error(CODE_BAD_DATA,
                            "%s is a link to a directory: links are not followed; import its "
                            "target by itself, or take the link away",
                            directory->file);
    if (!S_ISREG(target->st_mode))
        return report_error(CODE_BAD_DATA, "%s is no regular file: take it away", directory->file);
    *is_file_out = 1;
    return CODE_OK;
}

static int enter(struct directory *directory)
{
    size_t length = strlen(directory->file);
    if (directory->depth == DEPTH_MAX)
        return report_error(CODE_BAD_DATA, "%s: folders are read %d deep", directory->file,
                            DEPTH_MAX);
    DIR *open = opendir(directory->file);
    if (open == NULL)
        return report_error(CODE_IO, "cannot read %s: %s", directory->file, strerror(errno));
    directory->name_at[directory->depth] = length + 1;
    directory->open[directory->depth++] = open;
    return CODE_OK;
}

static int count_files(struct source *source)
{
    const struct directory *directory = source->state;
    int code = look(source);
    source->rows = directory->files;
    if (code == CODE_OK && source->rows == 0)
        return report_error(CODE_BAD_DATA,
                            "%s has no files: a directory of vectors has a file for each, a JSON "
                            "list of numbers, as LangChain's LocalFileStore writes them",
                            source->name);
    return code;
}

static int look(struct source *source)
{
    struct directory *directory = source->state;
    int code = begin(directory);
    directory->files = 0;
    source->digest = STATE_DIGEST_EMPTY;
    while (code == CODE_OK && (code = next_file(directory)) == CODE_OK) {
        source->digest = digest_word(source->digest, directory->file + directory->key_at);
        source->digest = digest_status(source->digest, &directory->status);
        directory->files++;
    }
    return code == CODE_END ? CODE_OK : code;
}

/* The file at hand into directory->vector. */
static int read_file(struct directory *directory, size_t *count_out)
{
    struct float_list_found found;
    char count[STYLE_COUNT_BYTES];
    char limit[STYLE_COUNT_BYTES];
    char *text;
    size_t bytes;
    int code =
        file_read_whole(directory->file, FILE_BYTES_MAX,
                        "a file with one vector: take it out of the directory", &text, &bytes);
    if (code == CODE_OK) {
        const char *wrong =
            float_list_read(text, bytes, FLOAT_LIST_JSON, directory->vector, EDB_DIMS_MAX, &found);
        *count_out = found.count;
        if (wrong != NULL)
            code = report_error(CODE_BAD_DATA, "%s %s", directory->file, wrong);
        else if (found.count > EDB_DIMS_MAX)
            code = report_error(CODE_BAD_DATA, "%s has %s numbers: a vector has at most %s",
                                directory->file, style_count(found.count, count),
                                style_count(EDB_DIMS_MAX, limit));
    }
    free(text);
    return code;
}

/* A JSON list of {"file": NAME, "text": TEXT}, or an object {NAME: TEXT}. */
static int read_texts(struct directory *directory, const char *path)
{
    json_error_t error;
    size_t bytes;
    size_t index;
    json_t *entry;
    char *text;
    int code = file_read_whole(path, TEXTS_BYTES_MAX,
                               "a file of texts: import the directory in parts", &text, &bytes);
    json_t *texts = code == CODE_OK ? json_loadb(text, bytes, JSON_ALLOW_NUL, &error) : NULL;
    free(text);
    if (code != CODE_OK)
        return code;
    if (texts == NULL)
        return report_error(CODE_BAD_DATA, "%s is no valid JSON: %s at line %d", path, error.text,
                            error.line);
    directory->texts = json_is_object(texts) ? json_incref(texts) : json_object();
    int is_good = json_is_array(texts) || (json_is_object(texts) && has_only_strings(texts));
    json_array_foreach(texts, index, entry)
    {
        const char *file = json_string_value(json_object_get(entry, "file"));
        json_t *given = json_object_get(entry, "text");
        is_good = is_good && file != NULL && json_is_string(given);
        if (is_good)
            json_object_set(directory->texts, file, given);
    }
    json_decref(texts);
    return is_good ? CODE_OK
                   : report_error(CODE_BAD_DATA,
                                  "%s is no JSON list of {\"file\": name, \"text\": text}, and "
                                  "no object {name: text}",
                                  path);
}

static int has_only_strings(const json_t *object)
{
    const char *name;
    json_t *member;
    json_object_foreach((json_t *)(uintptr_t)object, name, member)
    {
        if (!json_is_string(member))
            return 0;
    }
    return 1;
}

static int next_row(struct source *source, struct record *record, float *vector_out)
{
    struct directory *directory = source->state;
    size_t count;
    int code = next_file(directory);
    if (code == CODE_OK)
        code = read_file(directory, &count);
    if (code != CODE_OK)
        return code;
    if (count != source->dims)
        return report_error(CODE_BAD_DATA,
                            "%s has %zu numbers, the first file has %u: the vectors of one space "
                            "are of one length",
                            directory->file, count, source->dims);
    memcpy(vector_out, directory->vector, count * sizeof *vector_out);
    record->key = directory->file + directory->key_at;
    record->key_bytes = strlen(record->key);
    const json_t *text = json_object_get(directory->texts, record->key);
    record->text = json_string_value(text);
    record->text_bytes = json_string_length(text);
    return CODE_OK;
}

static int skip_rows(struct source *source, uint64_t rows)
{
    int code = CODE_OK;
    for (uint64_t i = 0; i < rows && code == CODE_OK; i++)
        code = next_file(source->state);
    return code == CODE_END ? CODE_OK : code;
}

static void close_directory(struct source *source)
{
    struct directory *directory = source->state;
    if (directory != NULL) {
        end(directory);
        json_decref(directory->texts);
        free(directory->vector);
    }
    free(directory);
    source->state = NULL;
}
