/* The forms that export writes: lines of JSON, and the headers of .npy and .fbin. */
#ifndef EMBEDCACHE_CLI_EXPORT_WRITE_H
#define EMBEDCACHE_CLI_EXPORT_WRITE_H

#include <embedcache.h>
#include <stdio.h>

struct export_lines {
    FILE *file;
    edb_space *space;
    const edb_space_spec *spec;
    int has_vectors; /* else they stand in a file beside */
    uint64_t count;
    uint64_t unknown; /* lines whose key is only known by its digest */
};

/* One record as a line; the first one also says what the space is. CODE_OK or a reported code. */
int export_line(struct export_lines *lines, const edb_view *view);

/* The key as export writes it; of a digest the text, where that is what was digested. Valid as long
 * as the view. CODE_OK, CODE_NOT_FOUND (only the digest is known), or a reported code. */
int export_key(edb_space *space, const edb_view *view, edb_key *key_out);

/* Where there was no record: a line that says what the space is. */
void export_lines_end(struct export_lines *lines);

/* The header of an array of (rows, dims) float32, little-endian. */
void export_npy_header(FILE *file, uint64_t rows, uint32_t dims);

/* CODE_OK, or the reported refusal of more rows than the format can say. */
int export_fbin_header(FILE *file, uint64_t rows, uint32_t dims);

#endif
