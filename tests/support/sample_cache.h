/* A small .edb file with everything in it, and an exact account of what it says.
 *
 * Written through the public API on the simulated machine, in three sessions: batches, single puts,
 * overwrites, deletes, a transaction over two spaces, lazy and durable commits; index sections that
 * were written, superseded and merged; catalogs; and groups behind them that no section covers. The
 * same bytes each time.
 *
 * The account is a list of states, one a commit: a reader that stands at frame number n must see
 * exactly the last state whose number is not above n, nothing newer, older or mixed. */
#ifndef EDB_TESTS_SUPPORT_SAMPLE_CACHE_H
#define EDB_TESTS_SUPPORT_SAMPLE_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "embedcache.h"

/* The file has 68 KiB. With EDB_SAMPLE_DIMS=3712 it has a megabyte, and blocks that begin on a
 * page. */
#ifndef EDB_SAMPLE_DIMS
#define EDB_SAMPLE_DIMS 12
#endif

enum {
    SAMPLE_DOCS = 0,  /* vectors, cosine, texts and metadata */
    SAMPLE_BLOBS = 1, /* byte values under SHA-256 keys */
    SAMPLE_LATE = 2,  /* vectors, L2; made in the last session */
    SAMPLE_SPACES = 3,
    SAMPLE_KEYS = 34,    /* of each space at most; named "d000", "b001" … */
    SAMPLE_VERSIONS = 4, /* of each key at most, from 1 */
    SAMPLE_STATES = 64,
    SAMPLE_DIMS = EDB_SAMPLE_DIMS, /* of SAMPLE_DOCS */
    SAMPLE_VECTOR_BYTES = 4 * SAMPLE_DIMS,
    SAMPLE_HITS = 3,
};

/* One version of a key, as it was put. */
struct sample_value {
    uint64_t row;
    uint8_t vector[SAMPLE_VECTOR_BYTES];
    size_t vector_bytes;
    bool has_text;
    char text[128];
    char metadata[128]; /* as edb_view_metadata_json gives it; "" = none */
};

struct sample_state {
    uint64_t sequence;                           /* of the last frame of the commit */
    uint8_t version[SAMPLE_SPACES][SAMPLE_KEYS]; /* 0: the key is not there */
    uint64_t live[SAMPLE_SPACES];
    uint64_t rows[SAMPLE_SPACES]; /* given so far */
    uint32_t spaces;              /* made so far */
    uint64_t hits[SAMPLE_HITS];   /* rows nearest to sample_query */
};

struct sample_cache {
    uint8_t *bytes;
    size_t count;
    struct sample_state states[SAMPLE_STATES];
    size_t state_count;
    struct sample_value values[SAMPLE_SPACES][SAMPLE_KEYS][SAMPLE_VERSIONS + 1];
    char keys[SAMPLE_SPACES][SAMPLE_KEYS][8]; /* their names */
    uint8_t boot_id[16];                      /* of the boot that wrote the file */
};

/* Writes the file. False, and said on stderr, when a call failed. Leaves os_posix in use. */
bool sample_cache_write(struct sample_cache *sample);
void sample_cache_free(struct sample_cache *sample);

/* The state at frame number `sequence`. */
const struct sample_state *sample_state_at(const struct sample_cache *sample, uint64_t sequence);

extern const char *const sample_space_names[SAMPLE_SPACES];
extern const uint32_t sample_space_dims[SAMPLE_SPACES];

/* What the searches of a state ask for, in SAMPLE_DOCS. */
void sample_query(float query[SAMPLE_DIMS]);

#endif
