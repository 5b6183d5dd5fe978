/* The header of a .npy file: a Python dictionary of three entries, in text. */
#ifndef EMBEDCACHE_CLI_NPY_HEADER_H
#define EMBEDCACHE_CLI_NPY_HEADER_H

#include <stddef.h>
#include <stdint.h>

enum { NPY_RANK_MAX = 32, NPY_DESCR_BYTES = 16 };

struct npy_header {
    char descr[NPY_DESCR_BYTES]; /* for example "<f4" */
    int fortran_order;
    size_t rank;
    uint64_t shape[NPY_RANK_MAX];
};

/* Reads the dictionary strictly: the three entries once each, nothing else. NULL, or what is wrong
 * with it (a phrase for people, static storage). */
const char *npy_parse_header(const char *text, size_t bytes, struct npy_header *header_out);

#endif
