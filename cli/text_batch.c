/* Texts of one request and their records. A run of embed fills it, an embedder gives each text its
 * fate and its vector, the run stores what came. */
#include "text_batch.h"

#include <stdlib.h>
#include <string.h>

#include "report_error.h"

enum { BYTES_A_TOKEN = 4 };

static void keep_record(struct text_batch *batch, size_t from, size_t to);
static int store_kept(struct text_batch *batch, edb_space *space);

int text_batch_open(struct text_batch *batch, size_t asked_max, size_t records_max)
{
    memset(batch, 0, sizeof *batch);
    batch->asked_max = asked_max;
    batch->needs = calloc(records_max, sizeof *batch->needs);
    batch->texts = calloc(records_max, sizeof *batch->texts);
    batch->asked = calloc(asked_max, sizeof *batch->asked);
    int code = batch_open(&batch->records, 0, records_max);
    if (code != CODE_OK)
        return code;
    int is_complete = batch->needs != NULL && batch->texts != NULL && batch->asked != NULL;
    return is_complete ? CODE_OK : report_no_memory();
}

int text_batch_is_full(const struct text_batch *batch)
{
    return batch->asked_count == batch->asked_max || batch_is_full(&batch->records);
}

int text_batch_lacks_room(const struct text_batch *batch, size_t bytes, uint64_t tokens_max)
{
    return text_batch_is_full(batch) ||
           (batch->asked_count > 0 && batch->asked_tokens + text_tokens(bytes) > tokens_max);
}

int text_batch_add(struct text_batch *batch, const struct record *record, int is_changed, int text)
{
    uint32_t number = (uint32_t)batch->records.rows;
    int code = batch_add(&batch->records, record);
    if (code != CODE_OK)
        return code;
    if (text == TEXT_NEW) {
        text = (int)batch->text_count++;
        batch->texts[text] = (struct batch_text){.record = number, .fate = FATE_WAITS};
        batch->asked[batch->asked_count++] = (uint32_t)text;
        batch->asked_tokens += text_tokens(record->text_bytes);
    }
    batch->needs[number] = (struct batch_need){(uint32_t)text, (uint32_t)is_changed};
    return CODE_OK;
}

int text_batch_add_known(struct text_batch *batch, const struct record *record, int is_changed,
                         const edb_view *known)
{
    int text = (int)batch->text_count;
    int code = text_batch_make_vectors(batch, (uint32_t)(known->vector_bytes / sizeof(float)));
    if (code == CODE_OK)
        code = text_batch_add(batch, record, is_changed, text);
    if (code != CODE_OK)
        return code;
    batch->texts[text] = (struct batch_text){
        .record = (uint32_t)batch->records.rows - 1, .fate = FATE_KNOWN, .cost = known->cost};
    batch->text_count++;
    memcpy(text_batch_vector(batch, (size_t)text), known->vector, known->vector_bytes);
    return CODE_OK;
}

const char *text_batch_text(const struct text_batch *batch, size_t text, size_t *bytes_out)
{
    return batch_text_of(&batch->records, batch->texts[text].record, bytes_out);
}

int text_batch_make_vectors(struct text_batch *batch, uint32_t dims)
{
    if (batch->vectors != NULL && batch->dims == dims)
        return CODE_OK;
    free(batch->vectors);
    batch->dims = dims;
    batch->vectors = malloc(batch->records.rows_max * dims * sizeof *batch->vectors);
    return batch->vectors != NULL ? CODE_OK : report_no_memory();
}

float *text_batch_vector(const struct text_batch *batch, size_t text)
{
    return batch->vectors + text * batch->dims;
}

int text_batch_came(const struct text_batch *batch, size_t text)
{
    uint32_t fate = batch->texts[text].fate;
    return fate == FATE_CAME || fate == FATE_KNOWN || fate == FATE_WORDLESS;
}

int text_batch_store(struct text_batch *batch, edb_space *space, uint64_t *rows_out)
{
    size_t records = batch->records.rows;
    size_t kept = 0;
    for (size_t i = 0; i < records; i++) {
        int comes = text_batch_came(batch, batch->needs[i].text);
        if (rows_out != NULL)
            rows_out[i] = comes ? kept : ROW_NONE;
        if (comes)
            keep_record(batch, i, kept++);
    }
    batch->records.rows = kept;
    int code = kept > 0 ? store_kept(batch, space) : CODE_OK;
    for (size_t i = 0; rows_out != NULL && i < records; i++)
        rows_out[i] = rows_out[i] == ROW_NONE ? ROW_NONE : batch->records.row_numbers[rows_out[i]];
    return code;
}

void text_batch_clear(struct text_batch *batch)
{
    batch_clear(&batch->records);
    batch->text_count = 0;
    batch->asked_count = 0;
    batch->asked_tokens = 0;
    batch->parts = 0;
}

void text_batch_close(struct text_batch *batch)
{
    batch_close(&batch->records);
    free(batch->needs);
    free(batch->texts);
    free(batch->asked);
    free(batch->vectors);
    memset(batch, 0, sizeof *batch);
}

uint64_t text_tokens(size_t bytes)
{
    return bytes / BYTES_A_TOKEN + (bytes % BYTES_A_TOKEN != 0 || bytes == 0);
}

static void keep_record(struct text_batch *batch, size_t from, size_t to)
{
    struct record_terms *terms = &batch->records.terms[to];
    batch->needs[to] = batch->needs[from];
    batch_move_row(&batch->records, from, to);
    if (terms->cost == 0)
        terms->cost = batch->texts[batch->needs[to].text].cost;
}

/* Records that share a text have its vector each. */
static int store_kept(struct text_batch *batch, edb_space *space)
{
    size_t records = batch->records.rows;
    size_t vector_bytes = batch->dims * sizeof(float);
    float *matrix = malloc(records * vector_bytes);
    if (matrix == NULL)
        return report_no_memory();
    for (size_t i = 0; i < records; i++)
        memcpy(matrix + i * batch->dims, text_batch_vector(batch, batch->needs[i].text),
               vector_bytes);
    edb_status status = batch_store_matrix(&batch->records, space, matrix);
    free(matrix);
    return status == EDB_OK ? CODE_OK : report_status(status, "these texts are not stored");
}
