/* Rows of plain numbers as a source. The formats read their headers, then come here. */
#include "source_matrix.h"

#include <stdlib.h>

#include "report_error.h"

int source_matrix_open(struct source *source, const struct input *input)
{
    source->state = calloc(1, sizeof(struct matrix));
    if (source->state == NULL) {
        input_close(input->descriptor);
        return report_no_memory();
    }
    return matrix_open(source->state, input);
}

struct matrix *source_matrix(const struct source *source)
{
    return source->state;
}

int source_matrix_begin(struct source *source, uint64_t behind)
{
    struct matrix *matrix = source->state;
    int code = matrix_begin(matrix, behind);
    source->rows = matrix->rows;
    source->dims = matrix->dims;
    return code;
}

int source_matrix_next(struct source *source, struct record *record, float *vector_out)
{
    (void)record;
    return matrix_next(source->state, vector_out);
}

int source_matrix_skip(struct source *source, uint64_t rows)
{
    return matrix_skip(source->state, rows);
}

void source_matrix_close(struct source *source)
{
    if (source->state != NULL)
        matrix_close(source->state);
    free(source->state);
    source->state = NULL;
}
