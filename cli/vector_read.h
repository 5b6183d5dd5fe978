/* One vector given by hand: JSON text, a .npy file, or standard input. */
#ifndef EMBEDCACHE_CLI_VECTOR_READ_H
#define EMBEDCACHE_CLI_VECTOR_READ_H

#include <stddef.h>
#include <stdint.h>

/* Numbers are read straight to the nearest float32. On CODE_OK the caller frees *vector_out; any
 * other code is reported and *vector_out is NULL. `source` names the text in messages. */
int vector_from_json(const char *text, size_t bytes, const char *source, float **vector_out,
                     uint32_t *dims_out);

/* A .npy file of one vector: shape (dims,) or (1, dims). */
int vector_from_npy(const char *path, float **vector_out, uint32_t *dims_out);

/* A JSON list on standard input. */
int vector_from_stdin(float **vector_out, uint32_t *dims_out);

#endif
