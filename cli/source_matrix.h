/* What the sources of plain numbers share: their state is a matrix. */
#ifndef EMBEDCACHE_CLI_SOURCE_MATRIX_H
#define EMBEDCACHE_CLI_SOURCE_MATRIX_H

#include "matrix_read.h"
#include "source.h"

/* Gives the source a matrix that reads the input. CODE_OK or a reported code. */
int source_matrix_open(struct source *source, const struct input *input);

struct matrix *source_matrix(const struct source *source);

/* Called when the matrix knows its rows, dims and element: matrix_begin, and the source knows them
 * too. */
int source_matrix_begin(struct source *source, uint64_t behind);

/* As struct source_kind asks for them. */
int source_matrix_next(struct source *source, struct record *record, float *vector_out);
int source_matrix_skip(struct source *source, uint64_t rows);
void source_matrix_close(struct source *source);

#endif
