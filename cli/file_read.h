/* A small file, or standard input, read whole. */
#ifndef EMBEDCACHE_CLI_FILE_READ_H
#define EMBEDCACHE_CLI_FILE_READ_H

#include <stddef.h>

/* All bytes of a file ("-" is standard input), at most `bytes_max`, the most of what it is:
 * `most_of` says of what, and what to do about more. The caller frees *bytes_out, after any code.
 * CODE_OK or a reported code. */
int file_read_whole(const char *path, size_t bytes_max, const char *most_of, char **bytes_out,
                    size_t *count_out);

#endif
