# SPDX-License-Identifier: Apache-2.0
#
# What Python uses of include/embedcache.h, which is the reference: declarations, and nothing else.

from libc.stdint cimport uint8_t, uint32_t, uint64_t


cdef extern from "embedcache.h" nogil:
    ctypedef struct edb:
        pass
    ctypedef struct edb_space:
        pass
    ctypedef struct edb_txn:
        pass
    ctypedef struct edb_iterator:
        pass

    ctypedef enum edb_status:
        EDB_OK
        EDB_NOT_FOUND
        EDB_INVALID
        EDB_BUSY
        EDB_READ_ONLY
        EDB_CORRUPT
        EDB_FORKED

    ctypedef enum edb_durability:
        EDB_DEFAULT
        EDB_LAZY
        EDB_DURABLE

    enum:
        EDB_KEY_BYTES
        EDB_TTL_NEVER
        EDB_TEXT_BYTES_MAX
        EDB_METADATA_BYTES_MAX
        EDB_OPEN_READ_ONLY
        EDB_OPEN_SNAPSHOT

    const char *edb_error_detail()
    const char *edb_version()

    ctypedef struct edb_open_options:
        size_t struct_size
        uint32_t flags
        uint32_t durability
        uint32_t busy_wait_ms
        uint32_t file_mode
        uint32_t maintenance_ms

    edb_status edb_open(const char *path, const edb_open_options *options, edb **db_out)
    edb_status edb_close(edb *db)

    ctypedef struct edb_space_spec:
        size_t struct_size
        const char *name
        const char *model
        const char *revision
        uint32_t dims
        uint32_t metric
        uint32_t role

    edb_status edb_space_open(edb *db, const edb_space_spec *spec, edb_space **space_out)
    edb_status edb_space_find(edb *db, const char *name, edb_space **space_out)
    edb_status edb_space_describe(edb_space *space, edb_space_spec *spec_out)

    ctypedef struct edb_key:
        const void *data
        size_t bytes

    ctypedef struct edb_put_options:
        size_t struct_size
        const char *text
        size_t text_bytes
        const char *metadata_json
        size_t metadata_bytes
        size_t value_bytes
        uint32_t ttl_s
        uint32_t expiry_s
        uint32_t cost
        uint32_t pinned

    edb_status edb_put(edb_space *space, const void *key, size_t key_bytes, const void *vector,
                       const edb_put_options *options)
    edb_status edb_put_many(edb_space *space, const edb_key *keys, size_t n, const void *vectors,
                            const edb_put_options *options, uint64_t *rows_out)
    edb_status edb_delete(edb_space *space, const void *key, size_t key_bytes)
    edb_status edb_begin(edb *db, edb_txn **txn_out)
    edb_status edb_txn_put(edb_txn *txn, edb_space *space, const void *key, size_t key_bytes,
                           const void *vector, const edb_put_options *options)
    edb_status edb_txn_delete(edb_txn *txn, edb_space *space, const void *key, size_t key_bytes)
    edb_status edb_commit(edb_txn *txn, edb_durability durability)
    void edb_abort(edb_txn *txn)
    edb_status edb_sync(edb *db)

    ctypedef struct edb_view:
        const void *vector
        size_t vector_bytes
        const void *key
        size_t key_bytes
        uint32_t key_form
        uint32_t has_text
        uint32_t pinned
        uint32_t put_s
        uint32_t expiry_s
        uint32_t cost
        const char *text
        size_t text_bytes
        uint64_t row
        const void *metadata
        size_t metadata_bytes

    edb_status edb_view_key(edb_space *space, const void *key, size_t key_bytes, edb_view *view_out)
    edb_status edb_view_row(edb_space *space, uint64_t row, edb_view *view_out)
    void edb_view_release(edb_view *view)
    edb_status edb_view_metadata_json(const edb_view *view, char **json_out)
    void edb_free(void *memory)
    edb_status edb_get_many(edb_space *space, const edb_key *keys, size_t n, float *matrix_out,
                            uint8_t *found_out)
    edb_status edb_get_rows(edb_space *space, const uint64_t *rows, size_t n, float *matrix_out,
                            uint8_t *found_out)
    edb_status edb_contains(edb_space *space, const void *key, size_t key_bytes)
    edb_status edb_iterate(edb_space *space, edb_iterator **iterator_out)
    edb_status edb_next(edb_iterator *iterator, edb_view *view_out)
    void edb_iterator_close(edb_iterator *iterator)

    ctypedef struct edb_block:
        const float *vectors
        const uint64_t *rows
        size_t count
    ctypedef struct edb_matrix:
        const edb_block *blocks
        size_t block_count
        const uint64_t *rows
        size_t count
        size_t dims
        uint32_t contiguous

    edb_status edb_vectors(edb_space *space, edb_matrix **matrix_out)
    void edb_vectors_release(edb_matrix *matrix)

    ctypedef enum edb_claim_state:
        EDB_CLAIM_MINE
        EDB_CLAIM_WAIT
    ctypedef struct edb_claims:
        const uint8_t *states

    edb_status edb_claim(edb_space *space, const edb_key *keys, size_t n, edb_claims **claims_out)
    edb_status edb_claim_wait(edb_claims *claims, uint32_t wait_ms)
    void edb_claim_release(edb_claims *claims)

    ctypedef struct edb_search_options:
        size_t struct_size
        uint32_t k
        uint32_t has_threshold
        float threshold
    ctypedef struct edb_hit:
        uint64_t row
        float score
    ctypedef struct edb_result:
        const edb_hit *hits
        size_t count
        uint32_t complete

    edb_status edb_search(edb_space *space, const float *queries, size_t n,
                          const edb_search_options *options, edb_result **results_out)

    ctypedef struct edb_limits:
        size_t struct_size
        uint64_t max_rows
        uint64_t max_bytes
        uint32_t ttl_s
        uint32_t eviction
        uint32_t cost_aware
        uint32_t dead_percent

    edb_status edb_limits_set(edb *db, edb_space *space, const edb_limits *limits)
    edb_status edb_limits_get(edb *db, edb_space *space, edb_limits *limits_out)
    edb_status edb_maintain(edb *db)

    ctypedef struct edb_stats:
        size_t struct_size
        uint64_t file_bytes
        uint64_t used_bytes
        uint64_t synced_bytes
    ctypedef struct edb_space_stats:
        size_t struct_size
        uint64_t rows
        uint64_t live
        uint64_t live_bytes
        uint64_t hits
        uint64_t misses
        uint64_t hit_bytes
        uint64_t hit_cost
        uint64_t evictions

    edb_status edb_stats_get(edb *db, edb_stats *stats_out)
    edb_status edb_space_stats_get(edb_space *space, edb_space_stats *stats_out)

    ctypedef int edb_progress(void *arg, uint64_t done, uint64_t total) noexcept nogil
    ctypedef struct edb_compact_options:
        size_t struct_size
        uint64_t bytes_per_s
        edb_progress *progress
        void *arg
    ctypedef struct edb_compact_report:
        size_t struct_size
        uint64_t rows
        uint64_t bytes_before
        uint64_t bytes_after

    edb_status edb_compact(edb *db, const edb_compact_options *options,
                           edb_compact_report *report_out)

    ctypedef void edb_verify_function(void *arg, uint64_t offset, uint64_t bytes,
                                      const char *message) noexcept nogil
    ctypedef struct edb_verify_report:
        size_t struct_size
        uint64_t frames
        uint64_t records
        uint64_t vectors
        uint64_t sections
        uint64_t bytes
        uint64_t problems

    edb_status edb_verify(edb *db, edb_verify_function *found, void *arg,
                          edb_verify_report *report_out)
