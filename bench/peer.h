/* A store that the key-value benchmark measures, behind one struct of functions: EmbedCache itself,
 * LMDB, SQLite, and a bare file as the floor. Called by kv_*.c. A peer does nothing that is not
 * asked for: no checks beyond its own, no statistics. */
#ifndef BENCH_PEER_H
#define BENCH_PEER_H

#include <embedcache.h>
#include <stdbool.h>

/* What a commit promises. */
enum peer_durability {
    PEER_LAZY,   /* nothing is synced; the fastest the store can do */
    PEER_SAFE,   /* the newest commits may be lost at power loss, the file stays whole */
    PEER_DURABLE /* a commit that returned survives power loss */
};

struct peer_setting {
    const char *directory; /* exists; the peer's files go into it */
    uint32_t dims;
    enum peer_durability durability;
    bool fresh;         /* each get sees the newest commit; otherwise all may see one snapshot */
    uint64_t raw_bytes; /* of keys and vectors that will be stored, for limits set in advance */
};

struct peer {
    const char *name;
    const char *(*version)(void);

    /* Opens the store in the directory, creating it when absent. NULL: the reason is on stderr. */
    void *(*open)(const struct peer_setting *setting);
    bool (*close)(void *store);

    bool (*put)(void *store, const edb_key *key, const float *vector);
    /* One transaction. */
    bool (*put_many)(void *store, const edb_key *keys, const float *vectors, size_t n);

    bool (*get)(void *store, const edb_key *key, float *vector_out);
    /* Borrows the vector where it lies, reads its first element, gives it back. NULL: not offered
     * by the store, like the next one. */
    bool (*view)(void *store, const edb_key *key, float *first_out);
    bool (*get_many)(void *store, const edb_key *keys, size_t n, float *matrix_out);
};

extern const struct peer peer_edb;
extern const struct peer peer_lmdb;
extern const struct peer peer_sqlite;
extern const struct peer peer_bare;

/* "<directory>/<name>" into `path`. */
void peer_path(const struct peer_setting *setting, const char *name, char *path, size_t bytes);

#endif
