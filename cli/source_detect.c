/* Which kind a source is: what --from says; else what its content can only be; else what its name
 * says; else a memmap, where --dims says how long its rows are; else what its content looks like.
 * An input that nothing tells is refused with the list of kinds. */
#include <stdio.h>
#include <string.h>

#include "options.h"
#include "report_error.h"
#include "source.h"

const struct source_kind *const source_kinds[] = {
    &source_npy,    &source_safetensors, &source_jsonl, &source_csv,   &source_fvecs,
    &source_bvecs,  &source_ivecs,       &source_fbin,  &source_u8bin, &source_i8bin,
    &source_memmap, &source_directory,   NULL,
};

enum { WORD_BYTES = 32 };

/* An option, and whether the command line has it. */
struct given {
    const char *name;
    int is_given;
};

static int choose_kind(struct source *source, const struct input *input,
                       const struct source_wish *wish);
static const struct source_kind *named_kind(const char *name);
static const struct source_kind *kind_by_content(const struct input *input, int is_strict);
static const struct source_kind *kind_by_name(const char *path);
static int is_listed(const char *list, const char *word);
static int refuse_foreign(const struct input *input);
static int refuse_unknown(const struct input *input);
static int check_options(const struct source *source, const struct source_wish *wish);
static int check_given(const struct source *source, const struct given *given, size_t count);
static int check_dims(const struct source *source, const struct source_wish *wish);

int source_open(struct source *source, const struct source_wish *wish)
{
    struct input input;
    memset(source, 0, sizeof *source);
    int code = input_open(&input, wish->path);
    if (code != CODE_OK)
        return code;
    source->name = input.name;
    source->can_resume = input.is_regular || input.is_directory;
    code = choose_kind(source, &input, wish);
    if (code == CODE_OK)
        code = check_options(source, wish);
    if (code != CODE_OK) {
        input_close(input.descriptor);
        source->kind = NULL;
        return code;
    }
    code = source->kind->open(source, &input, wish);
    return code == CODE_OK ? check_dims(source, wish) : code;
}

int source_check_fields(const struct source *source, const struct source_wish *wish, int has_keys)
{
    const struct given given[] = {
        {"key-field", wish->key_field != NULL},           {"text-field", wish->text_field != NULL},
        {"metadata-field", wish->metadata_field != NULL}, {"metadata-rest", wish->metadata_is_rest},
        {"cost-field", wish->cost_field != NULL},
    };
    if (has_keys && !is_listed(source->kind->options, "key-field"))
        return CODE_OK;
    return check_given(source, given, sizeof given / sizeof given[0]);
}

void source_close(struct source *source)
{
    if (source->kind != NULL)
        source->kind->close(source);
    memset(source, 0, sizeof *source);
}

int source_skip(struct source *source, uint64_t rows)
{
    return rows > 0 ? source->kind->skip(source, rows) : CODE_OK;
}

struct record_fields source_fields(const struct source_wish *wish)
{
    struct record_fields fields = {
        .key = "key",
        .text = "text",
        .metadata = "metadata",
        .metadata_is_rest = wish->metadata_is_rest,
        .key_needed = 1,
        .expiry = wish->metadata_is_rest ? NULL : RECORD_EXPIRY_MEMBER,
        .cost = wish->metadata_is_rest ? NULL : RECORD_COST_MEMBER,
        .pinned = wish->metadata_is_rest ? NULL : RECORD_PINNED_MEMBER,
    };
    if (wish->key_field != NULL)
        fields.key = wish->key_field[0] != '\0' ? wish->key_field : NULL;
    if (wish->text_field != NULL)
        fields.text = wish->text_field[0] != '\0' ? wish->text_field : NULL;
    if (wish->metadata_field != NULL)
        fields.metadata = wish->metadata_field[0] != '\0' ? wish->metadata_field : NULL;
    if (wish->cost_field != NULL)
        fields.cost = wish->cost_field[0] != '\0' ? wish->cost_field : NULL;
    return fields;
}

static int choose_kind(struct source *source, const struct input *input,
                       const struct source_wish *wish)
{
    if (wish->kind != NULL)
        source->kind = named_kind(wish->kind);
    else if (input->is_directory)
        source->kind = &source_directory;
    else
        source->kind = kind_by_content(input, 1);
    if (source->kind == NULL && refuse_foreign(input) != CODE_OK)
        return CODE_BAD_DATA;
    if (source->kind == NULL)
        source->kind = kind_by_name(input->path);
    if (source->kind == NULL && wish->dims > 0)
        source->kind = &source_memmap;
    if (source->kind == NULL)
        source->kind = kind_by_content(input, 0);
    if (source->kind == NULL)
        return refuse_unknown(input);
    if (input->is_directory == (source->kind == &source_directory))
        return CODE_OK;
    if (input->is_directory)
        return report_error(CODE_USAGE, "%s is a directory, no %s: leave --from away", input->name,
                            source->kind->name);
    return report_error(CODE_USAGE, "%s is no directory: leave --from away", input->name);
}

static const struct source_kind *named_kind(const char *name)
{
    for (size_t i = 0; source_kinds[i] != NULL; i++) {
        if (strcmp(source_kinds[i]->name, name) == 0)
            return source_kinds[i];
    }
    return NULL;
}

/* Strictly: by a beginning that nothing else has. Else also by numbers that fit together, which
 * some other file might have by chance. */
static const struct source_kind *kind_by_content(const struct input *input, int is_strict)
{
    static const struct source_kind *const strict[] = {&source_npy, &source_safetensors,
                                                       &source_jsonl, NULL};
    const struct source_kind *const *kinds = is_strict ? strict : source_kinds;
    for (size_t i = 0; kinds[i] != NULL; i++) {
        if (kinds[i]->is_surely != NULL && kinds[i]->is_surely(input))
            return kinds[i];
    }
    return NULL;
}

/* By what follows the last dot of the path. */
static const struct source_kind *kind_by_name(const char *path)
{
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot != NULL && source_kinds[i] != NULL; i++) {
        if (strcmp(source_kinds[i]->name, dot + 1) == 0 ||
            is_listed(source_kinds[i]->endings, dot + 1))
            return source_kinds[i];
    }
    return NULL;
}

static int is_listed(const char *list, const char *word)
{
    char listed[WORD_BYTES];
    for (size_t i = 0; option_word(list, i, listed, sizeof listed); i++) {
        if (strcmp(listed, word) == 0)
            return 1;
    }
    return 0;
}

/* Files that people take for one of ours; CODE_OK when it is none of them. */
static int refuse_foreign(const struct input *input)
{
    static const struct {
        const char *begins;
        const char *advice;
    } foreign[] = {
        {"EDBslot", "an EmbedCache file: write it out with embedcache export first"},
        {"PK\x03\x04", "a zip archive, no .npy file: unpack an .npz and import the array in it"},
        {"PAR1", "a Parquet file: write its columns as CSV or JSON lines"},
        {"\x89HDF", "an HDF5 file: save the array with numpy.save"},
        {"\x80\x04", "a Python pickle: save the array with numpy.save"},
        {"\x80\x02", "a Python pickle: save the array with numpy.save"},
        {"\x1f\x8b", "compressed: unpack it, gzip -dc FILE | embedcache import CACHE -"},
        {"\x28\xb5\x2f\xfd", "compressed: unpack it, zstd -dc FILE | embedcache import CACHE -"},
        {"\xff\xfe", "text in UTF-16: convert it with iconv -f UTF-16 -t UTF-8"},
        {"[", "a JSON list: write one object on each line, jq -c '.[]' FILE"},
        {"SQLite format 3", "an SQLite database: write its rows as CSV or JSON lines"},
    };
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++) {
        if (input_begins(input, foreign[i].begins))
            return report_error(CODE_BAD_DATA, "%s is %s", input->name, foreign[i].advice);
    }
    return CODE_OK;
}

static int refuse_unknown(const struct input *input)
{
    if (input->head_bytes == 0)
        return report_error(CODE_BAD_DATA, "%s is empty: there is nothing to import", input->name);
    return report_error(CODE_USAGE,
                        "%s: neither its content nor its name tells what it is: say it with "
                        "--from, one of %s (memmap: plain numbers without a header, with --dims "
                        "and --dtype)",
                        input->name, SOURCE_WORDS);
}

/* An option that the kind does not know would be passed over in silence. */
static int check_options(const struct source *source, const struct source_wish *wish)
{
    const struct given given[] = {
        {"dtype", wish->dtype != NULL},
        {"tensor", wish->tensor != NULL},
        {"texts", wish->texts != NULL},
        {"no-header", wish->has_no_header},
        {"vector-field", wish->vector_field != NULL},
    };
    return check_given(source, given, sizeof given / sizeof given[0]);
}

static int check_given(const struct source *source, const struct given *given, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (given[i].is_given && !is_listed(source->kind->options, given[i].name))
            return report_error(CODE_USAGE,
                                "--%s says nothing about %s, which is read as %s: leave "
                                "it away, or name the kind with --from",
                                given[i].name, source->name, source->kind->name);
    }
    return CODE_OK;
}

static int check_dims(const struct source *source, const struct source_wish *wish)
{
    if (wish->dims == 0 || wish->dims == source->dims)
        return CODE_OK;
    return report_error(CODE_BAD_DATA,
                        "%s, read as %s, has rows of %u numbers, not of the %u of "
                        "--dims: leave --dims away, or name the kind with --from",
                        source->name, source->kind->name, source->dims, wish->dims);
}
