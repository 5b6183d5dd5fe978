/* A file that appears whole or not at all: written under a hidden name beside it, renamed at the
 * end. A FIFO or a device is written into. */
#ifndef EMBEDCACHE_CLI_EXPORT_FILE_H
#define EMBEDCACHE_CLI_EXPORT_FILE_H

#include <stdio.h>

struct export_file {
    const char *path; /* "-" is standard output */
    char *temporary;  /* NULL: it is written into */
    char *buffer;
    FILE *file; /* NULL: not open */
};

/* Whether the path leads to standard output, by whatever name. */
int export_is_stdout(const char *path);

/* Whether it is a FIFO or a device for characters (a terminal, /dev/null): bytes flow into it, it
 * is never replaced. */
int export_is_stream(const char *path);

/* Refuses a file that is there unless `may_replace`. Zero the file before; after any code,
 * export_close. CODE_OK or a reported code. */
int export_open(struct export_file *file, const char *path, int may_replace);

/* Makes sure that all bytes are on the device, and gives the file its name. CODE_OK or a reported
 * code. */
int export_finish(struct export_file *file);

/* Takes away what was not finished. */
void export_close(struct export_file *file);

#endif
