/* The body of a request: texts, model, form of the answer. Texts go as they are, nothing else of
 * the file goes with them. */
#include "provider_request.h"

#include <stdio.h>
#include <stdlib.h>

#include "json_emit.h"

char *request_write(const struct embedder_choice *choice, const struct text_batch *batch,
                    size_t first, size_t count, size_t *bytes_out)
{
    char *body = NULL;
    FILE *file = open_memstream(&body, bytes_out);
    if (file == NULL)
        return NULL;
    struct emitter json = EMITTER(file);
    emit_begin(&json, '{');
    emit_named_text(&json, "model", choice->model);
    emit_named_text(&json, "encoding_format", choice->base64_is_asked ? "base64" : "float");
    if (choice->dims_are_asked)
        emit_named_count(&json, "dimensions", choice->dims);
    emit_name(&json, "input");
    emit_begin(&json, '[');
    for (size_t i = first; i < first + count; i++) {
        size_t bytes;
        const char *text = text_batch_text(batch, batch->asked[i], &bytes);
        emit_bytes(&json, text, bytes);
    }
    emit_end(&json, ']');
    emit_end(&json, '}');
    int is_whole = !ferror(file);
    if (fclose(file) == 0 && is_whole)
        return body;
    free(body);
    return NULL;
}
