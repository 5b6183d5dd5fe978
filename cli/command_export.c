/* embedcache export: the records of a space as files that other programs read, and that import
 * reads back into the same cache. What is exported is the space as it was when the command
 * began. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cache_open.h"
#include "commands.h"
#include "export_file.h"
#include "export_write.h"
#include "interrupt_catch.h"
#include "json_emit.h"
#include "progress_draw.h"
#include "report_error.h"
#include "text_style.h"

#define FORM_WORDS "npy|jsonl|fbin"

/* In the order of FORM_WORDS. */
enum form { FORM_NPY, FORM_JSONL, FORM_FBIN, FORMS };

/* An export that is under way. */
struct export
{
    const struct arguments *arguments;
    const char *path;
    const char *prefix;
    enum form form;
    char *beside; /* the path of the .jsonl beside rows of plain numbers, or NULL */
    struct cache cache;
    struct export_file rows;
    struct export_file keys;
    struct export_lines lines;
    struct progress progress;
    uint64_t total;
    uint64_t done;
    uint64_t unknown; /* records whose key is not known well enough to begin with the prefix */
};

static int export(const struct arguments *arguments);
static int choose_form(struct export *export);
static int check_path(struct export *export);
static int is_cache(const struct export *export, const char *path);
static int name_beside(struct export *export);
static int open_files(struct export *export);
static int write_header(struct export *export, uint64_t rows);
static int count_rows(struct export *export);
static int write_rows(struct export *export);
static int write_row(struct export *export, const edb_view *view);
static int finish(struct export *export);
static int mend_header(struct export *export);
static int is_wanted(struct export *export, const edb_view *view, int *is_wanted_out);
static void sum_up(const struct export *export, double seconds);
static void print_json(const struct export *export, double seconds);
static void print_summary(const struct export *export, double seconds);

static const struct option options[] = {
    CHOICE_ROW("to", FORM_WORDS, "what to write (as OUT is named; jsonl on standard output)"),
    TEXT_ROW("prefix", "TEXT", "only keys that begin with TEXT"),
    FLAG_ROW("force", 0, "replace OUT where it is there"),
    OPTION_SPACE,
    OPTION_JSON,
    OPTIONS_COMMON,
};

const struct command command_export = {
    .name = "export",
    .operands = "FILE OUT",
    .summary = "Writes the records of a space to files",
    .description =
        "OUT is a .jsonl (a record on each line, vectors included), or an .npy or .fbin of the "
        "vectors with a .jsonl beside it that has keys, texts and metadata. \"-\" is standard "
        "output. Numbers are the shortest decimals that read back as the same float32. Bytes that "
        "are no UTF-8 are base64 (\"key_base64\"). Where a cache keeps only the digest of a key "
        "and the text is not the key, the line has \"key_digest\", and the record cannot be "
        "imported again.\n\n"
        "The first line also says what the space is: import makes one like it. OUT appears when "
        "it is whole; after Ctrl-C there is nothing.",
    .examples = "embedcache export cache.edb cache.jsonl\n"
                "embedcache export cache.edb docs.npy --prefix docs/\n"
                "embedcache export cache.edb - | gzip >cache.jsonl.gz",
    .options = options,
    .operands_min = 2,
    .operands_max = 2,
    .run = export,
};

static int export(const struct arguments *arguments)
{
    struct export export;
    memset(&export, 0, sizeof export);
    export.arguments = arguments;
    export.path = arguments->operands[1];
    export.prefix = option_text(arguments, "prefix");
    int code = choose_form(&export);
    if (export_is_stdout(export.path))
        export.path = "-";
    if (code == CODE_OK)
        code = cache_open_space(&export.cache, arguments, CACHE_SNAPSHOT);
    if (code == CODE_OK)
        code = check_path(&export);
    if (code == CODE_OK)
        code = count_rows(&export);
    if (code == CODE_OK)
        code = open_files(&export);
    if (code == CODE_OK)
        code = write_rows(&export);
    export_close(&export.rows);
    export_close(&export.keys);
    free(export.beside);
    return cache_close(&export.cache, code);
}

static int choose_form(struct export *export)
{
    char word[16];
    const char *dot = strrchr(export->path, '.');
    int is_stdout = strcmp(export->path, "-") == 0;
    if (export->path[0] == '\0')
        return report_error(CODE_USAGE, "the name of the file to write is empty: name one, or "
                                        "\"-\" for standard output");
    if (option_given(export->arguments, "to") || is_stdout) {
        export->form = (enum form)option_choice(export->arguments, "to", FORM_JSONL);
        return CODE_OK;
    }
    for (size_t i = 0; dot != NULL && option_word(FORM_WORDS, i, word, sizeof word); i++) {
        if (strcmp(word, dot + 1) == 0) {
            export->form = (enum form)i;
            return CODE_OK;
        }
    }
    export->form = FORM_JSONL;
    if (dot != NULL && strcmp(dot, ".ndjson") == 0)
        return CODE_OK;
    return report_error(CODE_USAGE,
                        "%s: its name does not say what to write: name it .jsonl, .npy or .fbin, "
                        "or give --to",
                        export->path);
}

/* What cannot be written, and what must not be written over. */
static int check_path(struct export *export)
{
    const struct cache *from = &export->cache;
    if (export->form != FORM_JSONL && from->spec.dims == 0)
        return cache_refuse_opaque(from, "export it --to jsonl");
    if (is_cache(export, export->path))
        return report_error(CODE_USAGE, "%s is the cache itself: name another file", export->path);
    return export->form != FORM_JSONL ? name_beside(export) : CODE_OK;
}

static int is_cache(const struct export *export, const char *path)
{
    struct stat out;
    struct stat cache;
    return stat(path, &out) == 0 && stat(export->cache.path, &cache) == 0 &&
           out.st_dev == cache.st_dev && out.st_ino == cache.st_ino;
}

/* What only flows has nothing beside it. */
static int name_beside(struct export *export)
{
    if (strcmp(export->path, "-") == 0 || export_is_stream(export->path))
        return CODE_OK;
    const char *slash = strrchr(export->path, '/');
    const char *dot = strrchr(slash != NULL ? slash : export->path, '.');
    size_t stem = dot != NULL ? (size_t)(dot - export->path) : strlen(export->path);
    export->beside = malloc(stem + sizeof ".jsonl");
    if (export->beside == NULL)
        return report_no_memory();
    memcpy(export->beside, export->path, stem);
    memcpy(export->beside + stem, ".jsonl", sizeof ".jsonl");
    if (strcmp(export->beside, export->path) == 0)
        return report_error(CODE_USAGE,
                            "%s: its name is that of the keys beside the rows: name it .npy or "
                            ".fbin",
                            export->path);
    if (is_cache(export, export->beside))
        return report_error(CODE_USAGE,
                            "%s, which gets the keys of %s, is the cache itself: name another file",
                            export->beside, export->path);
    return CODE_OK;
}

static int open_files(struct export *export)
{
    int may_replace = option_given(export->arguments, "force");
    const edb_space_spec *spec = &export->cache.spec;
    int is_jsonl = export->form == FORM_JSONL;
    int code = export_open(&export->rows, export->path, may_replace);
    if (code == CODE_OK && export->beside != NULL)
        code = export_open(&export->keys, export->beside, may_replace);
    if (code != CODE_OK)
        return code;
    FILE *lines = is_jsonl ? export->rows.file : export->keys.file;
    export->lines = (struct export_lines){lines, export->cache.space, spec, is_jsonl, 0, 0};
    return write_header(export, export->total);
}

static int write_header(struct export *export, uint64_t rows)
{
    uint32_t dims = export->cache.spec.dims;
    if (export->form == FORM_NPY)
        export_npy_header(export->rows.file, rows, dims);
    if (export->form == FORM_FBIN)
        return export_fbin_header(export->rows.file, rows, dims);
    return CODE_OK;
}

/* The headers need it before the first row. In a file they can be mended: there the rows that have
 * expired may count. */
static int count_rows(struct export *export)
{
    edb_space_stats stats = {.struct_size = sizeof stats};
    edb_iterator *iterator;
    edb_view view;
    edb_status status = edb_space_stats_get(export->cache.space, &stats);
    export->total = stats.live;
    int may_be_more = export->form == FORM_JSONL || export->beside != NULL;
    if (status != EDB_OK || (export->prefix == NULL && may_be_more))
        return status == EDB_OK ? CODE_OK : report_status(status, NULL);
    export->total = 0;
    status = edb_iterate(export->cache.space, &iterator);
    int code = CODE_OK;
    while (status == EDB_OK && code == CODE_OK && (status = edb_next(iterator, &view)) == EDB_OK) {
        int is_counted;
        code = is_wanted(export, &view, &is_counted);
        export->total += (uint64_t)is_counted;
        edb_view_release(&view);
    }
    if (code == CODE_OK && status != EDB_NOT_FOUND)
        code = report_status(status, export->cache.path);
    edb_iterator_close(iterator);
    return code;
}

static int write_rows(struct export *export)
{
    double started = progress_seconds();
    edb_iterator *iterator;
    edb_view view;
    int code = CODE_OK;
    export->unknown = 0;
    interrupt_catch();
    progress_begin(&export->progress, "export", "rows", 0, export->total);
    edb_status status = edb_iterate(export->cache.space, &iterator);
    while (status == EDB_OK && code == CODE_OK && !interrupt_caught()) {
        status = edb_next(iterator, &view);
        if (status != EDB_OK)
            break;
        int is_written;
        code = is_wanted(export, &view, &is_written);
        if (code == CODE_OK && is_written)
            code = write_row(export, &view);
        edb_view_release(&view);
        progress_show(&export->progress, export->done);
    }
    progress_end(&export->progress);
    if (code == CODE_OK && status != EDB_OK && status != EDB_NOT_FOUND)
        code = report_status(status, export->cache.path);
    edb_iterator_close(iterator);
    if (code == CODE_OK && interrupt_caught())
        return report_error(CODE_INTERRUPTED, "interrupted: %s was not written", export->path);
    if (code == CODE_OK)
        code = finish(export);
    if (code == CODE_OK)
        sum_up(export, progress_seconds() - started);
    return code;
}

static int write_row(struct export *export, const edb_view *view)
{
    if (export->form != FORM_JSONL)
        fwrite(view->vector, 1, view->vector_bytes, export->rows.file);
    export->done++;
    int code = export->lines.file != NULL ? export_line(&export->lines, view) : CODE_OK;
    if (code != CODE_OK || !ferror(export->rows.file))
        return code;
    /* Of standard output main() says it. */
    return export->rows.file == stdout
               ? CODE_IO
               : report_error(CODE_IO, "cannot write %s: %s", export->path, strerror(errno));
}

/* The rows get their name last: where they are, their keys are. */
static int finish(struct export *export)
{
    int code = mend_header(export);
    if (code != CODE_OK)
        return code;
    if (export->lines.file != NULL)
        export_lines_end(&export->lines);
    if (export->keys.file != NULL)
        code = export_finish(&export->keys);
    return code == CODE_OK ? export_finish(&export->rows) : code;
}

/* Rows that have expired are fewer than were counted. What has flowed away cannot be mended. */
static int mend_header(struct export *export)
{
    if (export->form == FORM_JSONL || export->done == export->total)
        return CODE_OK;
    if (export->beside == NULL)
        return report_error(CODE_IO,
                            "records expired while they were written, and the number of rows "
                            "stands before them: run it again");
    if (fseek(export->rows.file, 0, SEEK_SET) != 0)
        return report_error(CODE_IO, "cannot write %s: %s", export->path, strerror(errno));
    return write_header(export, export->done);
}

/* Whether the key begins with the prefix: the one that its line has. A digest begins with
 * nothing. */
static int is_wanted(struct export *export, const edb_view *view, int *is_wanted_out)
{
    edb_key key;
    size_t bytes = export->prefix != NULL ? strlen(export->prefix) : 0;
    *is_wanted_out = bytes == 0;
    if (bytes == 0)
        return CODE_OK;
    int code = export_key(export->cache.space, view, &key);
    *is_wanted_out =
        code == CODE_OK && key.bytes >= bytes && memcmp(key.data, export->prefix, bytes) == 0;
    export->unknown += (uint64_t)(code == CODE_NOT_FOUND);
    return code == CODE_NOT_FOUND ? CODE_OK : code;
}

static void sum_up(const struct export *export, double seconds)
{
    char count[STYLE_COUNTED_BYTES];
    int is_stdout = strcmp(export->path, "-") == 0;
    if (export->lines.unknown > 0)
        report_note("the keys of %s are kept as digests only: lines with \"key_digest\" cannot be "
                    "imported again",
                    style_counted(export->lines.unknown, "record", "records", count));
    if (export->unknown > 0)
        report_note("%s left out: only the digest of a key is kept, so whether it begins with "
                    "\"%s\" is not known",
                    style_counted(export->unknown, "record is", "records are", count),
                    export->prefix);
    if (!is_stdout && option_given(export->arguments, "json"))
        print_json(export, seconds);
    else if (!is_stdout && !report_is_quiet())
        print_summary(export, seconds);
}

static void print_json(const struct export *export, double seconds)
{
    struct emitter json = EMITTER(stdout);
    emit_begin(&json, '{');
    emit_named_count(&json, "rows", export->done);
    emit_named_count(&json, "keys_unknown", export->lines.unknown);
    emit_name(&json, "seconds");
    emit_real(&json, (float)seconds);
    emit_end(&json, '}');
    putchar('\n');
}

static void print_summary(const struct export *export, double seconds)
{
    char count[STYLE_COUNTED_BYTES];
    printf("%s of ", style_counted(export->done, "row", "rows", count));
    style_print_name(stdout, export->cache.path);
    fputs(" (space ", stdout);
    style_print_name(stdout, export->cache.spec.name);
    fputs(") written to ", stdout);
    style_print_name(stdout, export->path);
    if (export->beside != NULL) {
        fputs(", keys to ", stdout);
        style_print_name(stdout, export->beside);
    }
    printf(", %s\n", style_seconds(seconds, count));
}
