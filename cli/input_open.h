/* A file, a directory or standard input, opened for reading, with its first bytes looked at: what
 * it is can be told before anything is taken from it, on a pipe too. */
#ifndef EMBEDCACHE_CLI_INPUT_OPEN_H
#define EMBEDCACHE_CLI_INPUT_OPEN_H

#include <stddef.h>
#include <stdint.h>

enum { INPUT_HEAD_BYTES = 4096 };

struct input {
    const char *path; /* "-" is standard input */
    const char *name; /* for messages */
    int descriptor;
    int is_regular;
    int is_directory;
    uint64_t bytes; /* of a regular file */
    unsigned char head[INPUT_HEAD_BYTES];
    size_t head_bytes; /* fewer than INPUT_HEAD_BYTES: that is all of it */
};

/* Refuses an empty name, of which the system would say that it is not there. CODE_OK or
 * CODE_USAGE. */
int input_check_path(const char *path);

/* CODE_OK or a reported code. On CODE_OK the descriptor stands behind the head; who takes it over
 * closes it with input_close. */
int input_open(struct input *input, const char *path);

/* Whether the head begins with the NUL-terminated `bytes`. */
int input_begins(const struct input *input, const char *bytes);

/* Closes a descriptor of input_open; standard input stays open. */
void input_close(int descriptor);

#endif
