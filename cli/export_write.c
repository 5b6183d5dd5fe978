/* What export writes. Import reads it back (record_read.c, source_*.c): the names of members are
 * promised to both. */
#include "export_write.h"

#include <inttypes.h>
#include <string.h>

#include "file_figures.h"
#include "json_emit.h"
#include "record_read.h"
#include "record_write.h"
#include "report_error.h"
#include "text_style.h"

enum { NPY_HEADER_BYTES = 118 };

static void write_space(struct emitter *json, const edb_space_spec *spec);
static int write_key(struct emitter *json, struct export_lines *lines, const edb_view *view);
static int is_key_text(edb_space *space, const edb_view *view, int *is_key_out);
static void write_bytes(struct emitter *json, const char *name, const void *bytes, size_t count);

int export_line(struct export_lines *lines, const edb_view *view)
{
    struct emitter json = EMITTER(lines->file);
    char *metadata = NULL;
    emit_begin(&json, '{');
    int code = write_key(&json, lines, view);
    if (code != CODE_OK)
        return code;
    if (lines->spec->dims == 0)
        emit_name(&json, "value_base64");
    if (lines->spec->dims == 0)
        emit_base64(&json, view->vector, view->vector_bytes);
    else if (lines->has_vectors)
        record_write_vector(&json, view, lines->spec->dims);
    if (view->has_text)
        write_bytes(&json, "text", view->text, view->text_bytes);
    edb_status status = edb_view_metadata_json(view, &metadata);
    if (status != EDB_OK)
        return report_status(status, NULL);
    if (metadata != NULL) {
        emit_name(&json, "metadata");
        emit_document(&json, metadata);
    }
    edb_free(metadata);
    record_write_terms(&json, view);
    if (lines->count++ == 0)
        write_space(&json, lines->spec);
    emit_end(&json, '}');
    fputc('\n', lines->file);
    return CODE_OK;
}

int export_key(edb_space *space, const edb_view *view, edb_key *key_out)
{
    int is_key;
    *key_out = (edb_key){view->key, view->key_bytes};
    if (view->key_form == EDB_KEY_BYTES)
        return CODE_OK;
    int code = is_key_text(space, view, &is_key);
    if (code != CODE_OK)
        return code;
    *key_out = (edb_key){view->text, view->text_bytes};
    return is_key ? CODE_OK : CODE_NOT_FOUND;
}

void export_lines_end(struct export_lines *lines)
{
    struct emitter json = EMITTER(lines->file);
    if (lines->count > 0)
        return;
    emit_begin(&json, '{');
    write_space(&json, lines->spec);
    emit_end(&json, '}');
    fputc('\n', lines->file);
}

void export_npy_header(FILE *file, uint64_t rows, uint32_t dims)
{
    char header[NPY_HEADER_BYTES + 1];
    int length = snprintf(header, sizeof header,
                          "{'descr': '<f4', 'fortran_order': False, 'shape': (%" PRIu64 ", %u), }",
                          rows, dims);
    memset(header + length, ' ', (size_t)(NPY_HEADER_BYTES - length));
    header[NPY_HEADER_BYTES - 1] = '\n';
    fwrite("\x93NUMPY\x01\x00", 1, 8, file);
    fputc(NPY_HEADER_BYTES & 255, file);
    fputc(NPY_HEADER_BYTES >> 8, file);
    fwrite(header, 1, NPY_HEADER_BYTES, file);
}

int export_fbin_header(FILE *file, uint64_t rows, uint32_t dims)
{
    char count[STYLE_COUNT_BYTES];
    char limit[STYLE_COUNT_BYTES];
    if (rows > UINT32_MAX)
        return report_error(CODE_USAGE,
                            "%s rows: an .fbin has at most %s: export to .npy, or parts of it with "
                            "--prefix",
                            style_count(rows, count), style_count(UINT32_MAX, limit));
    for (int shift = 0; shift < 32; shift += 8)
        fputc((int)(rows >> shift & 255), file);
    for (int shift = 0; shift < 32; shift += 8)
        fputc((int)(dims >> shift & 255), file);
    return CODE_OK;
}

static void write_space(struct emitter *json, const edb_space_spec *spec)
{
    char word[16];
    emit_name(json, RECORD_SPACE_MEMBER);
    emit_begin(json, '{');
    emit_named_text(json, "name", spec->name);
    emit_named_text(json, "model", spec->model);
    emit_named_text(json, "revision", spec->revision);
    emit_named_count(json, "dims", spec->dims);
    emit_named_text(json, "metric", figures_word(METRIC_WORDS, spec->metric, word));
    emit_named_text(json, "role", figures_word(ROLE_WORDS, spec->role, word));
    emit_named_text(json, "key_form", figures_word(KEY_FORM_WORDS, spec->key_form, word));
    emit_end(json, '}');
}

static int write_key(struct emitter *json, struct export_lines *lines, const edb_view *view)
{
    edb_key key;
    int code = export_key(lines->space, view, &key);
    if (code == CODE_OK)
        write_bytes(json, "key", key.data, key.bytes);
    if (code != CODE_NOT_FOUND)
        return code;
    lines->unknown++;
    record_write_digest(json, view);
    return CODE_OK;
}

/* Whether looking for the text as a key leads to this record. */
static int is_key_text(edb_space *space, const edb_view *view, int *is_key_out)
{
    edb_view found;
    *is_key_out = 0;
    if (!view->has_text)
        return CODE_OK;
    edb_status status = edb_view_key(space, view->text, view->text_bytes, &found);
    if (status == EDB_NOT_FOUND)
        return CODE_OK;
    if (status != EDB_OK)
        return report_status(status, NULL);
    *is_key_out = found.row == view->row;
    edb_view_release(&found);
    return CODE_OK;
}

/* A string, or "<name>_base64" where the bytes are no UTF-8. */
static void write_bytes(struct emitter *json, const char *name, const void *bytes, size_t count)
{
    char base64_name[32];
    if (text_is_utf8(bytes, count)) {
        emit_name(json, name);
        emit_bytes(json, bytes, count);
        return;
    }
    snprintf(base64_name, sizeof base64_name, "%s_base64", name);
    emit_name(json, base64_name);
    emit_base64(json, bytes, count);
}
