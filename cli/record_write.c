/* What get, search, diff and export show of a record. The JSON member names are relied on by
 * scripts. */
#include "record_write.h"

#include <string.h>

#include "options.h"
#include "record_read.h"
#include "report_error.h"
#include "text_style.h"

enum { DIGEST_BYTES_MAX = 32, HEX_BYTES = DIGEST_BYTES_MAX * 2 + 1 };

static void write_hex(const edb_view *view, char out[HEX_BYTES]);

void record_write_key(struct emitter *json, const edb_view *view, const char *asked)
{
    char word[16] = "base64";
    emit_name(json, "key");
    if (asked != NULL || view->key_form == EDB_KEY_BYTES) {
        const void *key = asked != NULL ? asked : view->key;
        size_t bytes = asked != NULL ? strlen(asked) : view->key_bytes;
        if (!emit_bytes(json, key, bytes))
            return;
    } else {
        char hex[HEX_BYTES];
        write_hex(view, hex);
        emit_text(json, hex);
        option_word(KEY_FORM_WORDS, view->key_form, word, sizeof word);
    }
    emit_named_text(json, "key_form", word);
}

void record_write_digest(struct emitter *json, const edb_view *view)
{
    char word[16];
    char hex[HEX_BYTES];
    write_hex(view, hex);
    emit_named_text(json, "key_digest", hex);
    option_word(KEY_FORM_WORDS, view->key_form, word, sizeof word);
    emit_named_text(json, "key_form", word);
}

void record_write_row(struct emitter *json, const edb_view *view)
{
    emit_named_count(json, "row", view->row);
}

void record_write_vector(struct emitter *json, const edb_view *view, uint32_t dims)
{
    if (dims == 0) {
        emit_name(json, "value");
        emit_base64(json, view->vector, view->vector_bytes);
        return;
    }
    const float *numbers = view->vector;
    emit_name(json, "vector");
    emit_begin(json, '[');
    for (uint32_t i = 0; i < dims; i++)
        emit_real(json, numbers[i]);
    emit_end(json, ']');
}

int record_write_rest(struct emitter *json, const edb_view *view)
{
    char *metadata;
    emit_name(json, "text");
    if (!view->has_text)
        emit_null(json);
    else if (emit_bytes(json, view->text, view->text_bytes)) {
        emit_named_text(json, "text_form", "base64");
    }
    edb_status status = edb_view_metadata_json(view, &metadata);
    if (status != EDB_OK)
        return report_status(status, NULL);
    emit_name(json, "metadata");
    if (metadata != NULL)
        emit_document(json, metadata);
    else
        emit_null(json);
    edb_free(metadata);
    record_write_terms(json, view);
    return CODE_OK;
}

void record_write_terms(struct emitter *json, const edb_view *view)
{
    if (view->expiry_s != 0)
        emit_named_count(json, RECORD_EXPIRY_MEMBER, view->expiry_s);
    if (view->cost != 0)
        emit_named_count(json, RECORD_COST_MEMBER, view->cost);
    if (view->pinned == 0)
        return;
    emit_name(json, RECORD_PINNED_MEMBER);
    emit_bool(json, 1);
}

void record_print_key(FILE *file, const edb_view *view, size_t columns)
{
    char hex[HEX_BYTES];
    if (view->key_form == EDB_KEY_BYTES) {
        style_print_key(file, view->key, view->key_bytes, columns);
    } else {
        write_hex(view, hex);
        style_print_key(file, hex, strlen(hex), columns);
    }
}

int record_has_own_text(const edb_view *view)
{
    if (!view->has_text)
        return 0;
    return view->text_bytes != view->key_bytes ||
           memcmp(view->text, view->key, view->key_bytes) != 0;
}

static void write_hex(const edb_view *view, char out[HEX_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *digest = view->key;
    size_t bytes = view->key_bytes < DIGEST_BYTES_MAX ? view->key_bytes : DIGEST_BYTES_MAX;
    for (size_t i = 0; i < bytes; i++) {
        out[2 * i] = digits[digest[i] >> 4];
        out[2 * i + 1] = digits[digest[i] & 15];
    }
    out[2 * bytes] = '\0';
}
