/* Where the modules meet: the handle, its spaces, and the steps that the public calls share.
 *
 * LOCKS, in this order.
 *   turn_lock   mutex: one thread of this handle at a time writes, or is about to: it syncs ahead
 *               of a durable commit and waits for the lock on the file.
 *   (the lock on the file)
 *   write_lock  mutex: held by the thread that writes, with the two above; and to build the view
 *               anew. No reader that has to do that waits for another process.
 *   view_lock   shared: everything that reads what the handle knows (spaces, keys, rows, the end of
 *               the file). exclusive: everything that changes it: db_load and db_refresh with all
 *               they call, and a commit that reserves the memory it will need.
 *   claimed     mutex of the table of claims (db_claimed.h): last of all, for a moment.
 * Nobody waits for one of the first three while holding the view lock. Building the view
 * anew moves the end of the file, on which a writer relies: so it needs the write lock, too.
 *
 * THE VIEW is what the handle knows: the frames before store->end, applied in order. It only moves
 * forward. It grows in one way, by db_refresh, whether the frames are another process's or our own.
 * When a step fails half way (no memory, a damaged section) the view is `lost`: the next call
 * builds it again from the slots. */
#ifndef EDB_DB_DB_H
#define EDB_DB_DB_H

#include "db/db_claimed.h"
#include "evict/evict.h"
#include "format/catalog.h"
#include "format/record.h"
#include "keys/keys.h"
#include "os/os_thread.h"
#include "rows/rows.h"
#include "store/store.h"

/* Hits and misses of some threads of this process since the space was opened. */
struct tally {
    _Alignas(64) _Atomic uint64_t hits;
    _Atomic uint64_t misses;
    _Atomic uint64_t hit_bytes;
    _Atomic uint64_t hit_cost;
};
enum { TALLIES = 16 };

/* What is known of rows whose time is over (db_expired.c). Of who has the write lock, and of who
 * applies; the counts of bytes are read by all. */
struct db_expiry {
    uint64_t hand;     /* rows below it were looked at in the round at hand */
    bool in_round;     /* there is one */
    bool passed;       /* expired rows were met that could have been evicted */
    uint32_t round_s;  /* when it began, or the one before */
    uint32_t before_s; /* when the one before began */
    uint32_t next_s;   /* of the rows met and put since: when the first expires; 0: none does */
    _Atomic uint64_t met_bytes; /* of expired rows, in the round at hand */
    _Atomic uint64_t bytes;     /* in the round before */
};

struct edb_space {
    edb *db;
    uint32_t id; /* 1 for the first */
    struct spec spec;
    uint64_t next_row;
    uint64_t live;           /* expired rows count as long as they are in the file */
    uint32_t first_expiry_s; /* no row expires before it; 0: none ever does */
    struct account account;
    struct db_expiry expiry;
    struct ledger ledger; /* what all handles have handed over */
    struct limits limits;
    struct keys keys;
    struct rows rows;
    struct evict evict;
    uint64_t stuck_at;   /* nothing could be evicted: tried again when it has so many rows */
    bool evicts;         /* this handle writes, and the space or the file has a budget */
    uint64_t fresh_from; /* rows from it on came with the commit at hand; 0: none did */

    struct tally *tallies; /* NULL in a handle that cannot write */
    struct ledger handed;  /* what of them was handed over */
};

/* A section that was found damaged: its offset alone could be another's after a repair by hand. */
struct db_damaged {
    uint64_t offset;
    uint64_t sequence;
};

struct edb {
    /* Set by edb_open, never changed. */
    char *path; /* as the caller wrote it */
    bool writable;
    uint64_t hash_seed;  /* of the cache, however often it is written anew */
    uint32_t flags;      /* EDB_OPEN_… */
    uint32_t durability; /* EDB_LAZY or EDB_DURABLE */
    uint32_t busy_wait_ms;
    uint32_t maintenance_ms; /* EDB_MAINTENANCE_OFF: none but when it is asked for */
    uint32_t fork_generation;

    struct os_mutex turn_lock;
    struct os_mutex write_lock;
    _Atomic(const void *) writer;     /* mark of the thread that holds write_lock; NULL */
    uint64_t flush_rows;              /* a flush failed: the next one waits for so many rows */
    struct store *locked;             /* whose file lock is held, with the write lock; NULL */
    _Atomic bool compacting;          /* a thread of this handle is at work on a compaction */
    struct db_compaction *compaction; /* one that is done in steps; NULL. Of who set `compacting` */
    bool wrote;                       /* this handle has appended something */
    uint64_t handed_over_ms;          /* when counts and uses were handed over last */

    struct db_claimed claimed;

    struct os_rwlock view_lock;
    struct store *store; /* another one when the cache was written anew: see db_move.c. Read with
                            the view lock or the write lock, changed with both */
    edb_space **spaces;  /* in order of their ids; the handles live as long as `db` */
    uint32_t space_count;
    uint32_t space_known; /* handles made, of which the first space_count are in the view */
    struct limits limits;
    struct store_limits walk_limits; /* of the walk, which stops where a snapshot was taken, and
                                        before a transaction that cannot be applied */
    uint64_t compaction_from;   /* one failed: the next waits until the file has so many bytes */
    uint64_t steps_from;        /* others were at one: so does the next in steps */
    bool lost;                  /* the view must be built again */
    uint64_t generation;        /* how often the view was built */
    uint64_t named_catalogs[4]; /* that slots named when the view was built; 0: none */
    uint64_t sections_from;     /* catalogs before it name a damaged section: they are not used */
    struct db_damaged *damaged; /* and later ones that name one of these are not */
    size_t damaged_count;
};

/* -------------------------------------------------------------------------- db_open.c: a handle */

/* A handle for writing of an open store, one of whose users it becomes. Its commits are lazy. */
edb_status db_open_store(const char *path, struct store *store, edb **db_out);

/* ----------------------------------------------------------------------- db_refresh.c: the view */

/* Builds the view from the slots. Needs the write lock and the view lock, exclusive (or nobody
 * else). */
edb_status db_load(edb *db);

/* Takes the view lock, shared, on a view that is up to date. */
edb_status db_enter(edb *db);
void db_leave(edb *db);

/* Applies what is new. Takes the view lock, exclusive; and the write lock when the view must be
 * built anew. */
edb_status db_refresh(edb *db);

/* Whether any section of the view is known to be damaged. Needs the view lock, shared. */
bool db_any_section_lost(const edb *db);

/* EDB_FORKED in a child. */
edb_status db_check_fork(const edb *db);

/* One step of a call, with the view lock held, shared, on a view that is up to date. A step may be
 * done more than once: it begins anew each time. */
typedef edb_status db_step(void *arg);

/* Does a step. When it meets damage in an index section, the view is built again without sections
 * and the step done once more. Not to be called with the view lock held. What the step returned, or
 * what db_enter did. */
edb_status db_with_view(edb *db, db_step *step, void *arg);

/* After damage was met in the view of `generation`: EDB_OK when the view has been built again
 * since, by this thread or another, without the sections that are damaged; EDB_CORRUPT when no
 * section is. Not to be called with the view lock held. */
edb_status db_mend(edb *db, uint64_t generation);

/* ------------------------------------------------------------------ db_struct.c: public structs */

/* A kind of struct of the public header that begins with struct_size. */
struct db_struct {
    const char *name;
    size_t bytes_0_1; /* in release 0.1 */
    size_t bytes;     /* today */
};
extern const struct db_struct db_struct_open_options, db_struct_space_spec, db_struct_put_options,
    db_struct_search_options, db_struct_stats, db_struct_space_stats, db_struct_verify_report,
    db_struct_compact_options, db_struct_compact_report, db_struct_repair_options,
    db_struct_repair_report, db_struct_merge_options, db_struct_merge_report, db_struct_limits;

/* How long the caller's struct is. */
size_t db_struct_bytes(const struct db_struct *kind, const void *given);

/* Copies an option struct; NULL gives defaults. EDB_INVALID: its size is wrong, or something is set
 * in it that this release does not know. */
edb_status db_struct_read(const struct db_struct *kind, const void *given, void *out);

/* Fills the caller's struct with as much as it has room for. EDB_INVALID: its size is wrong. */
edb_status db_struct_write(const struct db_struct *kind, const void *own, void *out);

/* ------------------------------------------------------------------------------------ db_move.c */

/* Whether the file says that another one is about to take its name. Needs the view lock, shared. */
bool db_may_have_moved(const edb *db);

/* Makes the handle one of the file at the path, which is the same cache, written anew. Nothing if
 * the handle has that file: another thread did it already. Not to be called with the view lock
 * held. EDB_STALE: there is no file, or another cache. EDB_IO, EDB_NO_MEMORY. */
edb_status db_move(edb *db);

/* ----------------------------------------------------------------------- db_apply.c, db_adopt.c */

/* Applies one accepted frame to the view: a store_visit. */
edb_status db_apply(void *db, const struct store_frame *frame);

/* Where a record of a GROUP stands. */
struct row_place db_place_of(const struct store_frame *frame, const struct group *group,
                             uint32_t index, const struct record *record);

/* One more live row. */
void db_account_add(struct account *account, const struct row_place *place);

/* Uses a catalog's sections. With `begin`, the view is empty and begins with what the catalog
 * says. */
edb_status db_adopt(edb *db, const struct catalog *catalog, bool begin);

/* Whether the catalog names a section that this handle has found damaged. Another writer, which
 * never touched the damaged block, goes on naming it. */
bool db_names_damaged(const edb *db, const struct catalog *catalog);

/* Reads and checks the CATALOG at `offset`. */
edb_status db_read_catalog(edb *db, const struct anchor *anchor, struct catalog *out);

/* The handle of the space that gets number `id`, made when it is new. */
edb_status db_add_space(edb *db, uint32_t id, const struct spec *spec);

/* ------------------------------------------------------------------- db_locate.c: key -> record */

/* A key as it is stored: itself, or its digest. */
struct db_key {
    const void *bytes;
    size_t count;
    uint8_t form; /* edb_key_form */
    uint64_t hash;
    uint8_t digest[32];
};
edb_status db_make_key(const edb_space *space, const void *key, size_t key_bytes,
                       struct db_key *out);

static inline const void *db_key_bytes(const struct db_key *key)
{
    return key->bytes != NULL ? key->bytes : key->digest;
}

/* A live record. */
struct db_found {
    uint64_t row;
    struct row_place place;
    struct store *store;  /* where it stands */
    const uint8_t *frame; /* first byte of its GROUP */
};

/* These need the view lock, shared. EDB_NOT_FOUND (also when it has expired), EDB_CORRUPT. */
edb_status db_locate(edb_space *space, const struct db_key *key, struct db_found *out);
edb_status db_locate_row(edb_space *space, uint64_t row, struct db_found *out);

/* The same, whether it has expired or not: for who replaces or deletes it, and who checks the
 * index. */
edb_status db_locate_any(edb_space *space, const struct db_key *key, struct db_found *out);
edb_status db_locate_any_row(edb_space *space, uint64_t row, struct db_found *out);

/* Whether the time of any record of the space may be over. */
static inline bool db_may_expire(const edb_space *space)
{
    return space->first_expiry_s != 0 &&
           space->first_expiry_s <= space->db->store->io->calendar_s();
}

/* Whether a record's time is over. */
static inline bool db_has_expired(const struct store *store, const struct row_place *place)
{
    return place->expiry_s != 0 && place->expiry_s <= store->io->calendar_s();
}

/* A record whose place in `store` is known already. EDB_CORRUPT when the place is not in the
 * file. */
edb_status db_locate_place(struct store *store, uint64_t row, const struct row_place *place,
                           struct db_found *out);

/* A key that will be located soon. */
struct db_ahead {
    struct db_key key;
    struct keys_probe probe;
    uint64_t row;
    bool hinted;
};

/* Asks the memory for what locating these keys will touch, a step of all of them at a time: the
 * waits overlap. Finds nothing out; what is wrong is found by db_locate. */
void db_locate_ahead(edb_space *space, struct db_ahead *ahead, size_t count);

/* The vector of a record, verified: now, or earlier in this process. */
edb_status db_vector(edb_space *space, const struct db_found *found, const uint8_t **vector_out);

/* The record of a place, from its GROUP. EDB_CORRUPT. */
edb_status db_read_record(const edb_space *space, const struct db_found *found, struct group *group,
                          struct record *record);

/* Fills a view from a record and pins it. */
edb_status db_fill_view(edb_space *space, const struct db_found *found, edb_view *view_out);
void db_view_unpin(void *pin);

/* ------------------------------------------------------------------------- db_commit.c: writing */

/* One change of a transaction. The pointers lead to the caller's memory, or to the
 * transaction's. */
struct db_change {
    edb_space *space;
    uint8_t operation; /* enum record_operation */
    bool has_text;
    bool pinned;
    bool found;   /* DELETE: the key was there (out) */
    bool expired; /* and its time was over (out) */
    bool evicted; /* DELETE: by a budget */
    struct db_key key;
    const char *text;
    size_t text_bytes;
    const uint8_t *metadata; /* encoded */
    size_t metadata_at;      /* where it stands in the buffer that db_check_put filled */
    size_t metadata_bytes;
    const void *vector;
    size_t vector_bytes;
    bool is_stored;    /* `vector` has its bytes in the file's order, not in the machine's */
    uint32_t ttl_s;    /* PUT: 0, EDB_TTL_NEVER, or from the commit on */
    uint32_t expiry_s; /* without a ttl_s: 0 or since 1970 */
    uint32_t put_s;    /* 0: the time of the commit */
    uint32_t cost;
    bool has_row; /* PUT: `row` is the caller's, at least the next one of the space; those left out
                     are gone. ADVANCE: always */
    uint64_t row; /* PUT: the row it got (out) */
    uint64_t prior_row;
};

/* Commits changes: all or nothing. The order of changes of one space is kept. */
edb_status db_commit(edb *db, struct db_change *changes, size_t count, edb_durability durability);

/* The same between db_write_begin and db_write_end. */
edb_status db_commit_held(edb *db, struct db_change *changes, size_t count, bool durable);

/* Checks a put's arguments against the space and fills a change that points to them. The encoded
 * metadata is appended to `encoded`; the caller sets change->metadata when the buffer no longer
 * moves. */
struct buffer;
edb_status db_check_put(edb_space *space, const edb_key *key, const void *vector,
                        const edb_put_options *given, struct buffer *encoded,
                        struct db_change *out);

/* What the record of a place takes in the file, with its index. */
uint64_t db_place_bytes(const struct row_place *place);

/* What a change counts towards EDB_TXN_BYTES_MAX. */
size_t db_change_bytes(const struct db_change *change);

/* Says why a handle cannot write, before anything is tried. EDB_FORKED, EDB_READ_ONLY. */
edb_status db_check_may_write(const edb *db);

/* Takes the right to write: mutex, file lock, refresh, a look at the end of the data. `durable`: a
 * sync is going to follow; most of what it has to write is written before the lock is taken. */
edb_status db_write_begin(edb *db, bool durable);
edb_status db_write_begin_within(edb *db, bool durable, uint32_t wait_ms);
void db_write_end(edb *db);

/* Appends frames and applies them to the view. Between db_write_begin and db_write_end. */
edb_status db_append(edb *db, struct frame_draft *drafts, size_t count, bool durable);

/* Moves the anchors when they lag: a hint, whose failure is no failure of the commit before it. */
void db_move_anchors(edb *db);

/* Makes everything durable: seal, sync, anchors. Between db_write_begin and db_write_end. */
edb_status db_make_durable(edb *db);

/* ----------------------------------------------------------------- db_flush.c: tail -> sections */

/* Rows that stand in memory only. */
uint64_t db_tail_rows(const edb *db);

/* Writes sections and a catalog when the tail is long enough to be worth it (`closing`: when it is
 * worth more than a short walk at the next open). Between db_write_begin and db_write_end. Derived
 * data that cannot be written is no failure: the log is told, the tail stays. */
void db_flush(edb *db, bool closing);

/* As on close, but no section is merged: in little time, for a file that will be written anew. */
void db_flush_unmerged(edb *db);

#endif
