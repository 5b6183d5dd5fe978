/* SPDX-License-Identifier: Apache-2.0
 *
 * EmbedCache: an embedding cache and vector store in one file. "Never compute the same embedding
 * twice."
 *
 * COMMON TO ALL CALLS, said once:
 *
 * Threads.    A handle (edb, edb_space) may be used from any number of threads at once. An edb_txn,
 *             an edb_iterator, an edb_view and an edb_claims belong to one thread at a time.
 *             Nothing else may run on a handle while it is being closed.
 * Processes.  Any number of processes may have one file open. One writes at a time (a writer waits
 *             up to `busy_wait_ms`, then gets EDB_BUSY); readers never wait and never write. A get,
 *             view, contains, iterate or search that starts after another process's commit returned
 *             sees that commit, unless the handle was opened with EDB_OPEN_SNAPSHOT.
 * fork.       A handle does not survive fork(): in the child every call on it returns EDB_FORKED
 *             and its descriptors are closed. Close it there (that frees memory only) and open the
 *             file again.
 * Ownership.  *caller buffer*: memory of the caller, filled by the call. *borrowed view*: memory of
 *             the library, valid until edb_view_release. *library-owned (free with X)*: the caller
 *             frees it with X. close and free functions accept NULL.
 * Results.    Every call that can fail returns an edb_status: EDB_OK (0) or a negative code. Every
 *             call that looks at the file can also meet a newer writer's EDB_FORMAT, or EDB_STALE
 *             when the file fell back behind the handle: close it and open it again.
 *             Outputs come last and are cleared on failure. edb_error_detail() tells, per thread,
 *             what went wrong and where; it is for people, never needed for control flow.
 * Options.    Option structs begin with `struct_size`. Set it with the _INIT macro (or leave it 0:
 *             then the fields of release 0.1 are read). A NULL options pointer means all defaults.
 *             0 is always a default. A program and a library of different releases get along: what
 *             the older side does not know is 0; asking an older library for more is EDB_INVALID.
 * Durability. EDB_DURABLE: when the commit returns EDB_OK it survives kill -9, an operating system
 *             crash and power loss. EDB_LAZY (the default): it survives the death of the process;
 *             the newest commits may be lost at power loss, the file never is. Both: seen whole or
 *             not at all, by everybody, always.
 * Keys.       A key is its exact bytes: nothing is trimmed or folded. 0 to 65,536 bytes are stored
 *             and compared in full. Longer keys, and all keys of a space with `key_form`
 *             EDB_KEY_BLAKE2B or EDB_KEY_SHA256, are stored and compared as their 256-bit digest.
 * Expiry.     A record may have a time at which it expires. From then on it is a miss to every
 *             call, by the calendar clock of who asks: a clock that jumps makes it early or late.
 *             Its space comes back when the file is compacted.
 * Rows.       Each put takes the next row number of its space (0, 1, 2 …), for ever: never reused,
 *             never renumbered. An overwritten or deleted row is gone: asking for it is
 *             EDB_NOT_FOUND.
 *
 * The library never prints, exits, or touches signals, locale or the environment. This header is
 * C99 and C++.
 */
#ifndef EMBEDCACHE_H
#define EMBEDCACHE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define EDB_API __attribute__((visibility("default")))
#else
#define EDB_API
#endif

#define EDB_VERSION_MAJOR 0
#define EDB_VERSION_MINOR 1
#define EDB_VERSION_PATCH 0

/* --------------------------------------------------------------------------------------- limits */

#define EDB_KEY_BYTES_MAX 65536u        /* longer keys are stored as their BLAKE2b-256 digest */
#define EDB_DIMS_MAX 65536u             /* dimensions of a vector */
#define EDB_TEXT_BYTES_MAX 16777216u    /* text beside a vector: 16 MiB */
#define EDB_METADATA_BYTES_MAX 1048576u /* metadata as JSON: 1 MiB */
#define EDB_VALUE_BYTES_MAX 33554432u   /* a value in a space of dims 0: 32 MiB */
#define EDB_NAME_BYTES_MAX 255u         /* name, model and revision of a space */
#define EDB_SPACES_MAX 1024u            /* spaces in a file */
#define EDB_CLAIM_MINE_MAX 1024u        /* keys that one edb_claim has to compute at a time */
#define EDB_TXN_BYTES_MAX 268435456u    /* what one transaction or put_many may hold: 256 MiB */

/* --------------------------------------------------------------------------------------- status */

/* Result of a call. The numbers are fixed for ever. */
typedef enum edb_status {
    EDB_OK = 0,
    EDB_NOT_FOUND = -1, /* no such key, row or space; the end of an iteration */
    EDB_INVALID = -2,   /* an argument is wrong; nothing was done */
    EDB_MISMATCH = -3, /* the space exists with another model, dimension, metric, role …, or a key
                          with other content where that is refused; the detail names both */
    EDB_BUSY = -4,     /* others had the file, or what was waited for, the whole time; try again */
    EDB_READ_ONLY = -5, /* the handle, the file, the medium or its damage allows no writing */
    EDB_IO = -6,        /* the system failed. From a commit: outcome unknown, the handle takes no
                           more writes */
    EDB_FULL = -7,      /* no space left on the device, quota or file size limit; nothing was
                           stored */
    EDB_NO_MEMORY = -8, /* out of memory; nothing was stored */
    EDB_CORRUPT = -9,   /* damage was found where the answer lies: never a wrong answer instead */
    EDB_FORMAT = -10,   /* not an .edb file, or one of a newer format */
    EDB_EXISTS = -11,   /* EDB_OPEN_CREATE_NEW and the file is there */
    EDB_STALE = -12,    /* the file at the path, or what is in it, was exchanged: close and open
                           again */
    EDB_FORKED = -13,   /* the handle was opened before fork() */
    EDB_CANCELLED = -14 /* a progress function asked to stop; the call says what was done */
} edb_status;

/* Name of a status, for example "EDB_BUSY". Never NULL; static storage. */
EDB_API const char *edb_status_name(edb_status status);

/* What went wrong in this thread's last failed call, in words (file, offset, errno, both values of
 * a mismatch). Never NULL; library-owned, valid until this thread's next call. */
EDB_API const char *edb_error_detail(void);

/* Version of the library, for example "0.1.0". Static storage. */
EDB_API const char *edb_version(void);

typedef enum edb_log_level { EDB_LOG_WARNING = 1, EDB_LOG_INFO = 2 } edb_log_level;
typedef void edb_log_function(void *arg, edb_log_level level, const char *message);

/* Tells `log` what the library does on its own: a recovery, a lost index that is rebuilt, a long
 * wait for a lock. One function for the process, NULL for silence (the default). It may be called
 * from any thread, must not call the library, and `message` is valid only inside the call. */
EDB_API void edb_set_log(edb_log_function *log, void *arg);

/* ---------------------------------------------------------------------------------- open, close */

typedef struct edb edb;
typedef struct edb_space edb_space;
typedef struct edb_txn edb_txn;
typedef struct edb_iterator edb_iterator;

typedef enum edb_durability {
    EDB_DEFAULT = 0, /* in a commit: as the handle was opened; in edb_open: EDB_LAZY */
    EDB_LAZY = 1,
    EDB_DURABLE = 2
} edb_durability;

enum {
    EDB_OPEN_READ_ONLY = 1,  /* no write-class system call is made; works on read-only media */
    EDB_OPEN_EXISTING = 2,   /* do not create: EDB_NOT_FOUND when the file is absent */
    EDB_OPEN_CREATE_NEW = 4, /* create: EDB_EXISTS when the file is there */
    EDB_OPEN_SNAPSHOT = 8    /* see the file as it was at open: read-only, later commits stay
                                unseen, EDB_STALE once other bytes were copied over it */
};

typedef struct edb_open_options {
    size_t struct_size;
    uint32_t flags;          /* EDB_OPEN_… or-ed */
    uint32_t durability;     /* edb_durability of commits that do not say; default EDB_LAZY */
    uint32_t busy_wait_ms;   /* how long a write waits for another writer; default 5,000 */
    uint32_t file_mode;      /* permissions of a created file; default 0644 less umask */
    uint32_t maintenance_ms; /* how long a writing call may go on with work that nobody asked for,
                                such as evicting; default 50. EDB_MAINTENANCE_OFF: only edb_maintain
                                and edb_close do it */
} edb_open_options;
/* clang-format off */
#define EDB_OPEN_OPTIONS_INIT {sizeof(edb_open_options), 0, 0, 0, 0, 0}
/* clang-format on */

#define EDB_MAINTENANCE_OFF UINT32_MAX

/* Opens the file at `path`, creating it when absent (unless told otherwise). Reads kilobytes, at
 * any file size.
 *
 * path     file name, NUL-terminated. A file appears whole or not at all.
 * options  NULL = defaults.
 * db_out   the handle; library-owned (free with edb_close).
 *
 * EDB_INVALID    path or options are wrong.
 * EDB_NOT_FOUND  absent, and EDB_OPEN_EXISTING, EDB_OPEN_READ_ONLY or EDB_OPEN_SNAPSHOT was asked;
 *                or its directory is absent.
 * EDB_EXISTS     present, and EDB_OPEN_CREATE_NEW was asked.
 * EDB_FORMAT     not an .edb file, or one that needs a newer library.
 * EDB_CORRUPT    the first bytes of the file (identity) are damaged.
 * EDB_READ_ONLY  no permission to write (the file, or its directory where it is absent), a network
 *                filesystem, or a feature that only newer libraries write: open it with
 *                EDB_OPEN_READ_ONLY.
 * EDB_IO, EDB_FULL, EDB_NO_MEMORY  the system refused. */
EDB_API edb_status edb_open(const char *path, const edb_open_options *options, edb **db_out);

/* Closes the handle and its spaces. What this handle wrote is synced: after EDB_OK all of it
 * survives power loss. Where it wrote and limits ask for it, records are evicted and the file is
 * compacted first. Views that are still held stay valid until released. Iterators,
 * transactions and claims must be closed before.
 *
 * db   NULL is allowed. The handle is gone whatever is returned.
 *
 * EDB_IO, EDB_FULL, EDB_NO_MEMORY  the last sync failed: what was committed lazily since the sync
 *             before may not survive power loss. Every durable commit is safe.
 * EDB_BUSY    another writer held the file for the whole wait: as EDB_IO.
 * EDB_STALE   the file at the path is another one now: as EDB_IO.
 * EDB_READ_ONLY  damage was met that forbids writing: as EDB_IO. */
EDB_API edb_status edb_close(edb *db);

/* --------------------------------------------------------------------------------------- spaces */

typedef enum edb_metric { EDB_COSINE = 0, EDB_DOT = 1, EDB_L2 = 2 } edb_metric;
typedef enum edb_role { EDB_ROLE_NONE = 0, EDB_ROLE_QUERY = 1, EDB_ROLE_DOCUMENT = 2 } edb_role;
typedef enum edb_element { EDB_F32 = 0 } edb_element;
typedef enum edb_key_form {
    EDB_KEY_BYTES = 0,
    EDB_KEY_BLAKE2B = 1,
    EDB_KEY_SHA256 = 2
} edb_key_form;

/* What a space is. Fixed when the space is created; opening it with any other value is refused. */
typedef struct edb_space_spec {
    size_t struct_size;
    const char *name;     /* NULL = "default" */
    const char *model;    /* for example "text-embedding-3-small"; NULL = "" */
    const char *revision; /* of the model; NULL = "" */
    uint32_t dims;        /* 1 to 65,536; 0 = opaque byte values, never searched */
    uint32_t metric;      /* edb_metric */
    uint32_t role;        /* edb_role: query and document vectors of one model differ; keep them
                             apart */
    uint32_t element;     /* edb_element */
    uint32_t key_form;    /* edb_key_form */
} edb_space_spec;
/* clang-format off */
#define EDB_SPACE_SPEC_INIT {sizeof(edb_space_spec), 0, 0, 0, 0, 0, 0, 0, 0}
/* clang-format on */

/* Opens the space that `spec` names, creating it when absent. The handle lives as long as `db` and
 * need not be closed; opening a name again gives the same handle.
 *
 * spec       every field counts. To open whatever is there, use edb_space_find.
 * space_out  the space; owned by `db`.
 *
 * EDB_INVALID    a name longer than 255 bytes or not UTF-8, dims over 65,536, an unknown metric,
 *                role, element or key form.
 * EDB_MISMATCH   the space exists and differs; the detail names the field and both values.
 * EDB_FULL       the file already has 1,024 spaces, or the device is full.
 * EDB_READ_ONLY  it is absent and the handle cannot create it.
 * EDB_BUSY, EDB_IO, EDB_NO_MEMORY, EDB_CORRUPT, EDB_STALE, EDB_FORKED  as for edb_put. */
EDB_API edb_status edb_space_open(edb *db, const edb_space_spec *spec, edb_space **space_out);

/* Finds an existing space by name.
 *
 * name       NULL = "default".
 * space_out  the space; owned by `db`.
 *
 * EDB_NOT_FOUND  no space has that name; the detail lists the names there are.
 * EDB_INVALID, EDB_IO, EDB_NO_MEMORY, EDB_CORRUPT, EDB_FORKED  as for edb_get. */
EDB_API edb_status edb_space_find(edb *db, const char *name, edb_space **space_out);

/* The n-th space of the file in order of creation, from 0.
 *
 * space_out  the space; owned by `db`.
 *
 * EDB_NOT_FOUND  `index` is past the last space.
 * EDB_INVALID, EDB_IO, EDB_NO_MEMORY, EDB_CORRUPT, EDB_FORKED  as for edb_get. */
EDB_API edb_status edb_space_at(edb *db, size_t index, edb_space **space_out);

/* What the space is. spec_out is filled, its strings are owned by the space; set
 * spec_out->struct_size before.
 *
 * EDB_INVALID  space or spec_out is NULL, or struct_size is no size of it. EDB_FORKED. */
EDB_API edb_status edb_space_describe(edb_space *space, edb_space_spec *spec_out);

/* -------------------------------------------------------------------------------------- writing */

typedef struct edb_key {
    const void *data; /* may be NULL when bytes is 0 */
    size_t bytes;
} edb_key;

/* What stands beside a vector. */
typedef struct edb_put_options {
    size_t struct_size;
    const char *text;          /* UTF-8 or any bytes; NULL = none */
    size_t text_bytes;         /* 0 with a text: NUL-terminated */
    const char *metadata_json; /* a JSON object; NULL = none */
    size_t metadata_bytes;     /* 0 with metadata: NUL-terminated */
    size_t value_bytes;        /* length of the value; only in a space of dims 0 */
    uint32_t ttl_s;            /* seconds from the commit until it expires; EDB_TTL_NEVER; 0 = as
                                  expiry_s says */
    uint32_t expiry_s;         /* when it expires, in seconds since 1970; 0 = never */
    uint32_t cost;             /* of computing it, in a unit of yours, such as tokens */
    uint32_t pinned;           /* 1: never evicted */
} edb_put_options;
/* clang-format off */
#define EDB_PUT_OPTIONS_INIT {sizeof(edb_put_options), 0, 0, 0, 0, 0, 0, 0, 0, 0}
/* clang-format on */

#define EDB_TTL_NEVER UINT32_MAX

/* Stores one vector under a key, replacing what was there. One transaction of its own.
 *
 * key, key_bytes  the key's exact bytes.
 * vector          dims floats, finite; in a space of dims 0: options->value_bytes bytes.
 * options         text, metadata, expiry, cost; NULL = none.
 *
 * EDB_INVALID    a NaN or infinity (the detail names the element), too long a text or metadata, not
 *                a JSON object, both a ttl_s and an expiry_s.
 * EDB_BUSY       another writer held the file; the detail names the wait and, where it is known,
 *                who.
 * EDB_READ_ONLY  the handle, the file or its damage allows no writing; or an earlier write of this
 *                handle failed.
 * EDB_FULL       the device is full. Nothing was stored, the handle goes on.
 * EDB_IO         the system failed: outcome unknown, the handle takes no more writes.
 * EDB_STALE      the file at the path is another one now.
 * EDB_NO_MEMORY, EDB_CORRUPT, EDB_FORKED. */
EDB_API edb_status edb_put(edb_space *space, const void *key, size_t key_bytes, const void *vector,
                           const edb_put_options *options);

/* Stores n vectors in one transaction: all or none. Of equal keys in one call the last wins (each
 * takes a row).
 *
 * keys       n keys.
 * vectors    (n, dims) floats, row-major, finite; in a space of dims 0: the values one after
 *            another.
 * options    n entries, or NULL.
 * rows_out   caller buffer of n row numbers, or NULL; all UINT64_MAX on failure.
 *
 * EDB_INVALID  also: the batch is over 256 MiB; the detail names the row. Others as for edb_put. */
EDB_API edb_status edb_put_many(edb_space *space, const edb_key *keys, size_t n,
                                const void *vectors, const edb_put_options *options,
                                uint64_t *rows_out);

/* Deletes a key. The row is gone, its number is never used again.
 *
 * EDB_NOT_FOUND  the key is not there, or has expired. Others as for edb_put. */
EDB_API edb_status edb_delete(edb_space *space, const void *key, size_t key_bytes);

/* Begins a transaction over any spaces of the file. It gathers in memory (up to 256 MiB) and holds
 * no lock before edb_commit; it is not seen by anybody, this handle included, before that.
 *
 * txn_out  library-owned (free with edb_commit or edb_abort).
 *
 * EDB_READ_ONLY  the handle cannot write.
 * EDB_INVALID, EDB_NO_MEMORY, EDB_FORKED. */
EDB_API edb_status edb_begin(edb *db, edb_txn **txn_out);

/* Adds a put to the transaction. Everything is copied. Parameters as for edb_put.
 *
 * EDB_INVALID    as for edb_put, or the transaction would be over 256 MiB; the transaction stays as
 *                it was.
 * EDB_NO_MEMORY  the transaction stays as it was.
 * EDB_IO         a digest of the key could not be made. EDB_FORKED. */
EDB_API edb_status edb_txn_put(edb_txn *txn, edb_space *space, const void *key, size_t key_bytes,
                               const void *vector, const edb_put_options *options);

/* Adds a delete to the transaction. Whether the key is there is decided at commit; an absent one is
 * no error.
 *
 * EDB_INVALID, EDB_NO_MEMORY, EDB_IO, EDB_FORKED  as for edb_txn_put. */
EDB_API edb_status edb_txn_delete(edb_txn *txn, edb_space *space, const void *key,
                                  size_t key_bytes);

/* Commits: all of it or nothing. The transaction is gone whatever is returned.
 *
 * durability  EDB_DEFAULT = as the handle was opened.
 *
 * Statuses as for edb_put. EDB_IO: outcome unknown, never half. */
EDB_API edb_status edb_commit(edb_txn *txn, edb_durability durability);

/* Forgets the transaction. NULL is allowed. */
EDB_API void edb_abort(edb_txn *txn);

/* Makes everything that was committed on this file so far survive power loss. One sync.
 *
 * Statuses as for edb_put. */
EDB_API edb_status edb_sync(edb *db);

/* -------------------------------------------------------------------------------------- reading */

/* Copies the vector of a key.
 *
 * vector_out  caller buffer of dims floats. Bit for bit what was put.
 *
 * EDB_NOT_FOUND  the key is not there.
 * EDB_INVALID    the space has dims 0 (use edb_view), or an argument is NULL.
 * EDB_CORRUPT    the record is damaged; the detail names the place.
 * EDB_IO, EDB_NO_MEMORY, EDB_FORKED. */
EDB_API edb_status edb_get(edb_space *space, const void *key, size_t key_bytes, float *vector_out);

/* One record, borrowed. The pointers lead into the file's mapping where the bytes are raw (no copy
 * is made; on big-endian machines the vector is one). They stay valid until edb_view_release, also
 * over overwrite, delete and edb_close. */
typedef struct edb_view {
    const void *vector; /* dims floats, 4-byte aligned; or value bytes */
    size_t vector_bytes;
    const void *key; /* the key's bytes, or its 32-byte digest */
    size_t key_bytes;
    uint32_t key_form; /* edb_key_form: whether `key` is a digest */
    uint32_t has_text; /* 0: no text was given; `text` is then NULL */
    uint32_t pinned;   /* 1: never evicted */
    uint32_t put_s;    /* when it was put, in seconds since 1970, by the clock of who did */
    uint32_t expiry_s; /* when it expires; 0 = never */
    uint32_t cost;     /* as it was given */
    const char *text;  /* text_bytes bytes and a NUL */
    size_t text_bytes;
    uint64_t row;
    const void *metadata; /* opaque; see edb_view_metadata_json. NULL = none */
    size_t metadata_bytes;
    void *pin; /* of the library */
} edb_view;

/* Borrows the record of a key, without copying.
 *
 * view_out  borrowed view; release it with edb_view_release.
 *
 * EDB_NOT_FOUND, EDB_CORRUPT, EDB_INVALID, EDB_IO, EDB_NO_MEMORY, EDB_FORKED  as for edb_get. */
EDB_API edb_status edb_view_key(edb_space *space, const void *key, size_t key_bytes,
                                edb_view *view_out);

/* Borrows the record of a row. As edb_view_key.
 *
 * EDB_NOT_FOUND  the row was deleted, overwritten, or never given. Others as for edb_get. */
EDB_API edb_status edb_view_row(edb_space *space, uint64_t row, edb_view *view_out);

/* Gives a view back. Clears it; a cleared or zeroed view, and NULL, are allowed. */
EDB_API void edb_view_release(edb_view *view);

/* The view's metadata as compact JSON text. Members keep their order, numbers their value; how they
 * were spelled is forgotten (1e3 comes back as 1000.0).
 *
 * json_out  library-owned (free with edb_free); NULL when the record has none.
 *
 * EDB_CORRUPT, EDB_NO_MEMORY, EDB_INVALID. */
EDB_API edb_status edb_view_metadata_json(const edb_view *view, char **json_out);

/* Frees what a call gave as library-owned (free with edb_free). NULL is allowed. */
EDB_API void edb_free(void *memory);

/* Copies the vectors of n keys into one matrix. A missing key is no error.
 *
 * matrix_out  caller buffer of (n, dims) floats; rows of missing keys are zeroed.
 * found_out   caller buffer of n bytes: 1 found, 0 missing.
 *
 * EDB_OK even when some are missing. EDB_CORRUPT if any is damaged (the others are filled). Others
 * as for edb_get. */
EDB_API edb_status edb_get_many(edb_space *space, const edb_key *keys, size_t n, float *matrix_out,
                                uint8_t *found_out);

/* Copies the vectors of n rows into one matrix. As edb_get_many, by row number.
 *
 * EDB_OK, EDB_CORRUPT, EDB_INVALID, EDB_IO, EDB_NO_MEMORY, EDB_FORKED  as for edb_get_many. */
EDB_API edb_status edb_get_rows(edb_space *space, const uint64_t *rows, size_t n, float *matrix_out,
                                uint8_t *found_out);

/* Whether a key is there, without touching its vector.
 *
 * EDB_OK  it is. EDB_NOT_FOUND  it is not. Others as for edb_get. */
EDB_API edb_status edb_contains(edb_space *space, const void *key, size_t key_bytes);

/* Iterates over the records of a space in row order, as they were when the iteration began: later
 * writes neither add to it nor take from it.
 *
 * iterator_out  library-owned (free with edb_iterator_close).
 *
 * EDB_NO_MEMORY (two bits a row are held), EDB_IO, EDB_CORRUPT, EDB_FORKED, EDB_INVALID. */
EDB_API edb_status edb_iterate(edb_space *space, edb_iterator **iterator_out);

/* The next record.
 *
 * view_out  borrowed view; release it before the next call or keep it, as you like.
 *
 * EDB_NOT_FOUND  the end. EDB_CORRUPT  this record is damaged; the next call goes on behind it.
 * EDB_STALE  other bytes were copied over the file since the iteration began: it is over.
 * EDB_FORMAT  a newer library has written it. As for EDB_IO, EDB_NO_MEMORY, EDB_FORKED and
 *             EDB_INVALID the next call tries this record again: who goes on after an error goes on
 *             after EDB_CORRUPT alone. */
EDB_API edb_status edb_next(edb_iterator *iterator, edb_view *view_out);

/* Ends an iteration. NULL is allowed. */
EDB_API void edb_iterator_close(edb_iterator *iterator);

/* Vectors that stand one behind another. */
typedef struct edb_block {
    const float *vectors; /* (count, dims) floats, row-major; in the file's mapping, never
                             written */
    const uint64_t *rows; /* their row numbers, ascending */
    size_t count;
} edb_block;

/* All vectors of a space, without a copy. Only the library makes one. */
typedef struct edb_matrix {
    const edb_block *blocks; /* in the order of their rows */
    size_t block_count;
    const uint64_t *rows; /* of all blocks, one behind another */
    size_t count;         /* of all rows */
    size_t dims;
    uint32_t contiguous; /* 1: one block, or none: blocks[0].vectors is the (count, dims) matrix */
} edb_matrix;

/* Lends all vectors of a space as they are now, in blocks of neighbours in the file, with their row
 * numbers. Rows that are gone are not among them: a block ends before such a row. Directly after a
 * compaction, at once or by edb_maintain, everything is one block of up to about 64 GiB, unless
 * rows were put, overwritten or deleted while it ran (they follow it as they were committed), more
 * than 16 million row numbers are missing in one place, 16 MiB of records do not hold the number of
 * rows that fill whole pages (1,024 rows with odd dims, 8 with dims of a multiple of 128), or the
 * system refuses the mapping. It is so until the next put, overwrite or delete in the space: then
 * there is a block for each 4 MiB or so, one more for each row that is gone, and one for each
 * commit.
 *
 * Every vector is verified that this process has not verified before: the first call reads all of
 * them, the next ones an index. What is lent stays as it is, and where it is, over overwrite,
 * delete, compaction and edb_close.
 *
 * This is what to hand to a program that wants a matrix: a matrix product per block (one, when it
 * is contiguous), and rows[i] says which row the i-th score belongs to. From Python, a block is
 * np.frombuffer(...).reshape(count, dims) over `vectors`, read-only, with edb_vectors_release in
 * the finalizer of the last array that refers to it. edb_search is this, block by block.
 *
 * On big-endian machines what is lent is a copy in memory, one block.
 *
 * matrix_out  library-owned (free with edb_vectors_release). 8 bytes a row.
 *
 * EDB_INVALID  the space has dims 0. EDB_CORRUPT  a vector is damaged: nothing is lent, see
 *              edb_iterate. Others as for edb_iterate. */
EDB_API edb_status edb_vectors(edb_space *space, edb_matrix **matrix_out);

/* Gives them back. NULL is allowed. */
EDB_API void edb_vectors_release(edb_matrix *matrix);

/* -------------------------------------------------------------------------------- single flight */

typedef enum edb_claim_state {
    EDB_CLAIM_NONE = 0, /* given back, and not in the cache */
    EDB_CLAIM_HIT = 1,  /* in the cache */
    EDB_CLAIM_MINE = 2, /* not in the cache: to be computed and put by who has the claims */
    EDB_CLAIM_WAIT = 3  /* not in the cache: another thread or process computes it, or its turn
                           comes later */
} edb_claim_state;

/* What has become of keys that were claimed together. Only the library makes one. */
typedef struct edb_claims {
    const uint8_t *states; /* n of them, edb_claim_state, in the order of the keys */
    size_t n;
    size_t mine;    /* how many are EDB_CLAIM_MINE */
    size_t waiting; /* how many are EDB_CLAIM_WAIT */
} edb_claims;

/* Says for each key who computes what is missing, so that of all threads and processes that want it
 * just one does. Whoever embeds in this way:
 *
 *     edb_claims *claims;
 *     edb_status status = edb_claim(space, keys, n, &claims);
 *     while (status == EDB_OK && claims->mine + claims->waiting > 0) {
 *         ... embed and edb_put_many the keys that are MINE ...
 *         status = edb_claim_wait(claims, 60000);
 *     }
 *     edb_claim_release(claims);
 *     ... edb_get_many ...
 *
 * embeds what is his own before he waits for others, and has given it back by then: so two who want
 * each other's keys never wait for each other. Waits for nobody itself.
 *
 * A claim ends with edb_claim_wait, edb_claim_release, edb_close, or the death of the process. It
 * keeps nobody from reading or writing: who puts without a claim is not held up. Of a key that is
 * twice among `keys`, and of two that the system cannot tell apart (1 in 4 billion pairs), the
 * second waits for the first. Nothing is counted as a hit or a miss. An expired record is no hit. A
 * HIT may be deleted or evicted before it is read.
 *
 * Threads, tasks and processes may claim through one handle or many. When the file is compacted
 * meanwhile, a key may be computed by two who were about it at that moment; no answer changes by
 * it.
 *
 * At most EDB_CLAIM_MINE_MAX keys are MINE at a time. The others are WAIT meanwhile, and
 * edb_claim_wait goes on to them: so of a long list others may take a part.
 *
 * keys        may be freed after the call.
 * claims_out  library-owned (free with edb_claim_release, before the handle is closed); of one
 *             thread at a time.
 *
 * EDB_OK, EDB_READ_ONLY (a handle that cannot write computes for itself), EDB_INVALID, EDB_IO,
 * EDB_NO_MEMORY, EDB_CORRUPT, EDB_FORKED: nothing is claimed. */
EDB_API edb_status edb_claim(edb_space *space, const edb_key *keys, size_t n,
                             edb_claims **claims_out);

/* Gives back what is MINE (to be called when it has been put; what is not in the cache then becomes
 * NONE, and is for others to compute), and waits until at least one key that is WAIT has become
 * HIT, because it was put, or MINE, because who had it gave it back without a put, or died. Returns
 * at once when nothing is WAIT.
 *
 * wait_ms  the longest wait; 0: one look, for a thread that has other tasks to go on with, among
 *          them perhaps the one that computes.
 *
 * EDB_BUSY  all that was WAIT still is after the whole wait: wait again, or compute it anyway.
 * EDB_INVALID, EDB_IO, EDB_NO_MEMORY, EDB_CORRUPT, EDB_FORKED  the states are true; release the
 *           claims. */
EDB_API edb_status edb_claim_wait(edb_claims *claims, uint32_t wait_ms);

/* Gives back what is MINE and frees the claims. NULL is allowed. */
EDB_API void edb_claim_release(edb_claims *claims);

/* ------------------------------------------------------------------------------------ searching */

typedef struct edb_search_options {
    size_t struct_size;
    uint32_t k;             /* nearest rows wanted; 0 = 10, or all that pass the threshold */
    uint32_t has_threshold; /* 1: only rows at least this near */
    float threshold;        /* cosine, dot: score >= threshold. L2: score <= threshold */
} edb_search_options;
/* clang-format off */
#define EDB_SEARCH_OPTIONS_INIT {sizeof(edb_search_options), 0, 0, 0.0f}
/* clang-format on */

typedef struct edb_hit {
    uint64_t row;
    float score; /* EDB_COSINE: cosine, -1 to 1. EDB_DOT: dot product. EDB_L2: squared Euclidean
                    distance */
} edb_hit;

typedef struct edb_result {
    const edb_hit *hits; /* best first; equal scores by row number */
    size_t count;
    uint32_t complete; /* 1: every row of the space was considered */
} edb_result;

/* Finds the nearest rows of each query: exact. The cosine of an all-zero vector with anything is 0.
 *
 * queries      (n, dims) floats, row-major, finite.
 * results_out  n results, library-owned (free with edb_free, one call frees all).
 *
 * EDB_INVALID  the space has dims 0, or a query is not finite. EDB_CORRUPT  a vector is damaged.
 *              Others as for edb_get. */
EDB_API edb_status edb_search(edb_space *space, const float *queries, size_t n,
                              const edb_search_options *options, edb_result **results_out);

/* ------------------------------------------------------------------------------------- a budget */

typedef enum edb_eviction {
    EDB_EVICT_S3_FIFO = 0, /* keeps what is used again; one pass over many records does not drive it
                              out */
    EDB_EVICT_LRU = 1,     /* what was not used for longest goes first */
    EDB_EVICT_FIFO = 2     /* what was put first goes first */
} edb_eviction;

/* What a space may hold, or the whole file. It stands in the file: every process that writes keeps
 * to it, in steps, after its own commits. */
typedef struct edb_limits {
    size_t struct_size;
    uint64_t max_rows;   /* live rows; 0 = no limit */
    uint64_t max_bytes;  /* of a space: what its live records take, about. Of the file: its size on
                            disk; a quarter of that is left to what is dead. 0 = no limit */
    uint32_t ttl_s;      /* of records that are put without an expiry; 0 = none, or the file's */
    uint32_t eviction;   /* edb_eviction; a space without max_rows and max_bytes goes by the
                            file's */
    uint32_t cost_aware; /* 1: what cost much more than others stays longer. S3-FIFO only */
    uint32_t dead_percent; /* of the file only: when so much of it is dead it is compacted; 1 to 99.
                              0 = with max_bytes when that is reached, else never */
} edb_limits;
#define EDB_LIMITS_INIT                                                                            \
    {                                                                                              \
        sizeof(edb_limits), 0, 0, 0, 0, 0, 0                                                       \
    }

/* Sets the limits of a space or, with space NULL, of the file, for ever or until they are set
 * again. What is over the budget is evicted by this call and those that write after it; the oldest
 * or least used first, as the policy says. Pinned records stay, as long as there are others. After
 * a commit a space has at most max_rows rows, unless more than maintenance_ms would be needed.
 *
 * A use is a get or a view by key. It is counted in memory and handed over with the next commit of
 * the handle, or at its close; no call that reads writes, and handles that are open read-only count
 * nothing.
 *
 * EDB_INVALID  an unknown policy; cost_aware without S3-FIFO; dead_percent over 99, or of a space.
 *              Others as for edb_put. */
EDB_API edb_status edb_limits_set(edb *db, edb_space *space, const edb_limits *limits);

/* The limits that were set. Set limits_out->struct_size before (or 0).
 *
 * EDB_INVALID, EDB_IO, EDB_NO_MEMORY, EDB_CORRUPT, EDB_FORKED. */
EDB_API edb_status edb_limits_get(edb *db, edb_space *space, edb_limits *limits_out);

/* Does at once what commits do in steps: hands over what was counted, evicts what is over a budget,
 * and compacts when that is due.
 *
 * EDB_BUSY  another writer has the file just now, or another process compacts it: what was left is
 *           done at a later call. Others as for edb_put, and edb_compact. */
EDB_API edb_status edb_maintain(edb *db);

/* ----------------------------------------------------------------------------- looking after it */

typedef struct edb_stats {
    size_t struct_size;
    uint64_t file_bytes;   /* size of the file, reserved space included */
    uint64_t used_bytes;   /* up to the end of the last commit */
    uint64_t synced_bytes; /* known to survive power loss */
    uint64_t sequence;     /* frames since creation */
    uint64_t spaces;
    uint64_t rows;          /* row numbers given, over all spaces */
    uint64_t live;          /* of them neither deleted nor overwritten */
    uint64_t tail_rows;     /* rows held in memory, not yet in an index section */
    uint64_t sections;      /* index sections in use */
    uint64_t section_bytes; /* of the file in index sections in use */
    uint64_t mapped_bytes;  /* address space reserved for the mapping */
    uint32_t format_version;
    uint8_t uuid[16];
} edb_stats;

/* Figures of the file. Set stats_out->struct_size (or 0).
 *
 * stats_out  caller buffer.
 *
 * EDB_INVALID, EDB_IO, EDB_NO_MEMORY, EDB_CORRUPT, EDB_FORKED. */
EDB_API edb_status edb_stats_get(edb *db, edb_stats *stats_out);

typedef struct edb_space_stats {
    size_t struct_size;
    uint64_t rows;       /* row numbers given */
    uint64_t live;       /* of them neither deleted nor overwritten */
    uint64_t live_bytes; /* about what they take in the file */
    uint64_t hits;       /* of edb_get, edb_get_many and edb_view_key, as far as they were handed
                            over, and by this handle */
    uint64_t misses;
    uint64_t hit_bytes; /* of the vectors that were hit */
    uint64_t hit_cost;  /* that they would have cost again */
    uint64_t evictions;
} edb_space_stats;

/* Figures of one space. As edb_stats_get.
 *
 * EDB_INVALID, EDB_IO, EDB_NO_MEMORY, EDB_CORRUPT, EDB_FORKED. */
EDB_API edb_status edb_space_stats_get(edb_space *space, edb_space_stats *stats_out);

/* Called now and then while something long goes on, by the thread that asked for it: `done` of
 * `total` are done. Anything but 0 asks to stop, soon. It must not call the library on this
 * handle. */
typedef int edb_progress(void *arg, uint64_t done, uint64_t total);

typedef struct edb_compact_options {
    size_t struct_size;
    uint64_t bytes_per_s;   /* written on average at most; 0 = as fast as it goes */
    edb_progress *progress; /* of rows; NULL = none */
    void *arg;
} edb_compact_options;

#define EDB_COMPACT_OPTIONS_INIT                                                                   \
    {                                                                                              \
        sizeof(edb_compact_options), 0, NULL, NULL                                                 \
    }

typedef struct edb_compact_report {
    size_t struct_size;
    uint64_t rows;         /* live rows that were copied */
    uint64_t bytes_before; /* of the file */
    uint64_t bytes_after;
} edb_compact_report;

/* Gives space back: writes a new file of what is live, which then takes the place of the old one.
 * Keys, vectors, texts, metadata and row numbers stay as they are; deleted and overwritten rows,
 * and index sections that newer ones have replaced, are gone; vectors stand one behind another.
 * Every vector and record is verified as it is copied. The new file is durable when this returns.
 *
 * Meanwhile everybody reads and writes on, in all processes. Handles move over to the new file by
 * themselves; views and iterators keep the old one, and its space on the device, until they are
 * released; snapshot handles until they are closed. A crash leaves the old file or the new one. The
 * new file gets the permissions of the old one and, where the process may, its owner; other hard
 * links of the old file keep that.
 *
 * options     NULL = defaults.
 * report_out  caller buffer, or NULL; filled on success.
 *
 * Cost: reads the live records once and writes them once; beside the file, room for what is live;
 * at most 64 MiB of memory for up to 10 million rows. The writer lock is held for the last few
 * megabytes only.
 *
 * EDB_OK. EDB_BUSY: another compaction is at work on the file, or writers were faster than the
 * copy, or held the file for the whole wait. EDB_CANCELLED: `progress` asked for it. EDB_FULL:
 * there is no room for the new file. EDB_CORRUPT, EDB_READ_ONLY: the file is damaged. EDB_STALE:
 * something else is at the path. EDB_IO, EDB_NO_MEMORY, EDB_INVALID, EDB_FORKED. In all these cases
 * the file is as it was, but for EDB_IO from the very end, after which it may be the new one. */
EDB_API edb_status edb_compact(edb *db, const edb_compact_options *options,
                               edb_compact_report *report_out);

typedef enum edb_conflict {
    EDB_CONFLICT_NEWEST = 0, /* the record that was put later, by put_s; of equal ones that of
                                `from` */
    EDB_CONFLICT_KEEP = 1,   /* the record that is there */
    EDB_CONFLICT_REFUSE = 2  /* neither: EDB_MISMATCH names the key, nothing is written */
} edb_conflict;

typedef struct edb_merge_options {
    size_t struct_size;
    uint32_t on_conflict;   /* edb_conflict: which of two records of a key counts when they
                               differ */
    uint32_t dry_run;       /* 1: nothing is written; the report says what would be */
    edb_progress *progress; /* of records; NULL = none. It must not call either handle */
    void *arg;
} edb_merge_options;

#define EDB_MERGE_OPTIONS_INIT                                                                     \
    {                                                                                              \
        sizeof(edb_merge_options), 0, 0, NULL, NULL                                                \
    }

typedef struct edb_merge_report {
    size_t struct_size;
    uint64_t added;    /* records under keys that were not there, or had expired */
    uint64_t replaced; /* that had other content */
    uint64_t kept;     /* whose other content stays as it was */
    uint64_t equal;    /* that were there with the same vector, text and metadata */
    uint64_t spaces;   /* that were created */
} edb_merge_report;

/* Puts the records of one file into another: the union of both. Spaces that are absent are created;
 * records keep vector, text, metadata, expiry, cost, pin and when they were put, and take new row
 * numbers. A key that has the same vector, text and metadata in both is left alone. Expired records
 * stay out; so do the marks of unfinished imports (space "embedcache.imports"). What was deleted in
 * `from` is not known: it stays in `into`, and what was deleted in `into` comes back from `from`.
 *
 * The records go in by transactions of some megabytes, each seen whole or not at all, as durable as
 * `into` was opened for. After a failure or a crash in between some are merged: merge again, and
 * the rest follows. Each space is read as it was at one moment; with EDB_OPEN_SNAPSHOT on `from`
 * all are of one.
 *
 * into        writable; of another file than `from`.
 * from        nothing is written to it.
 * options     NULL = defaults.
 * report_out  caller buffer, or NULL; filled on success.
 *
 * EDB_MISMATCH   a space is another one in the two files (the detail names the field and both
 *                values), or two records differ and that is refused: nothing was written, unless
 *                somebody else put the key meanwhile.
 * EDB_CORRUPT    a record of either file is damaged.
 * EDB_INVALID    both are the same file, or the options are wrong.
 * EDB_CANCELLED  `progress` asked for it; what was merged stays.
 * EDB_FULL       also: the spaces of both are more than 1,024. Others as for edb_put. */
EDB_API edb_status edb_merge(edb *into, edb *from, const edb_merge_options *options,
                             edb_merge_report *report_out);

/* One finding of edb_verify; `message` is valid only inside the call. */
typedef void edb_verify_function(void *arg, uint64_t offset, uint64_t bytes, const char *message);

typedef struct edb_verify_report {
    size_t struct_size;
    uint64_t frames;
    uint64_t records;
    uint64_t vectors;
    uint64_t sections;
    uint64_t bytes;    /* read and checked */
    uint64_t problems; /* findings reported; 0 = all is well */
} edb_verify_report;

/* Checks every byte that is in use: headers, chain, records, vectors, index sections, and that the
 * index finds every live record. Reads the whole file; writes nothing.
 *
 * found       called for each problem; NULL = none. It must not call the library on this handle.
 * report_out  caller buffer, or NULL.
 *
 * EDB_OK  no problem. EDB_CORRUPT  problems were found. EDB_INVALID, EDB_IO, EDB_NO_MEMORY,
 * EDB_FORKED. */
EDB_API edb_status edb_verify(edb *db, edb_verify_function *found, void *arg,
                              edb_verify_report *report_out);

typedef struct edb_repair_options {
    size_t struct_size;
    edb_verify_function *found; /* called for each range that is damaged; NULL = none */
    edb_progress *progress;     /* of bytes, twice the file in all; NULL = none */
    void *arg;                  /* of both */
} edb_repair_options;

#define EDB_REPAIR_OPTIONS_INIT                                                                    \
    {                                                                                              \
        sizeof(edb_repair_options), NULL, NULL, NULL                                               \
    }

typedef struct edb_repair_report {
    size_t struct_size;
    uint64_t records;        /* that are in the new file */
    uint64_t uncertain;      /* of them: of transactions that may not have been committed */
    uint64_t lost;           /* records that are known to be gone */
    uint64_t frames;         /* that were found */
    uint64_t frames_missing; /* numbers of frames that were not: what they stored is gone, and what
                                they deleted or replaced may be back */
    uint64_t ranges;         /* damaged ones, each of which was told; 0 = the file is sound */
    uint64_t left_out;       /* whole frames that no reader has served: behind the end of the
                                data */
    uint64_t spaces;         /* of the new file */
    uint64_t spaces_lost;    /* whose spec is lost, and their records with it */
    uint64_t bytes;          /* of the new file */
} edb_repair_report;

/* Saves what is left of a damaged file: every record that verifies goes into a new file. Nothing is
 * written to the damaged one, nor locked; it may be damaged in any way, cut, or on a read-only
 * medium. What was deleted or replaced stays so as long as the record that says so verifies. Of a
 * sound file the new one is a copy of what is there. Nobody should write to the file meanwhile.
 *
 * The new file is a cache of its own: other programs do not take it for the old one. Row numbers
 * stay as they are; spaces keep their order. It appears whole and durable, or not at all.
 *
 * damaged_path  the file to read.
 * new_path      the file to make; it must not exist.
 * options       NULL = defaults.
 * report_out    caller buffer, or NULL; filled on success.
 *
 * Cost: reads the file twice, in order; memory of 16 bytes for each record that deletes or replaces
 * another, beside that of a handle.
 *
 * EDB_OK          the new file is there, whatever was lost: the report tells.
 * EDB_EXISTS      something is at new_path.
 * EDB_NOT_FOUND   there is no damaged file, or no directory for the new one.
 * EDB_FORMAT      no .edb file, or one of a newer format.
 * EDB_CORRUPT     the identity is damaged in all three places: nothing can be verified.
 * EDB_CANCELLED   `progress` asked for it.
 * EDB_STALE       somebody changed the file meanwhile.
 * EDB_READ_ONLY   no permission to read the one or to create the other, or a network filesystem.
 * EDB_FULL, EDB_IO, EDB_NO_MEMORY, EDB_INVALID. */
EDB_API edb_status edb_repair(const char *damaged_path, const char *new_path,
                              const edb_repair_options *options, edb_repair_report *report_out);

#ifdef __cplusplus
}
#endif
#endif
