/* The file as a sequence of frames: appended, synced, walked, mapped. Knows no section's content
 * and no space.
 *
 * WHO MAY TOUCH WHAT. A store belongs to one handle, whose db/ holds three locks:
 *   the view lock   guards what the walk finds: `end`, `last`, `pending`, `suspect`, the anchors of
 *                   catalogs, the segments of the map. store_walk, store_rewind and db_apply change
 *                   it with the lock held exclusively.
 *   the turn lock   (a mutex of the handle) guards struct store_writer; its holder takes the lock
 *                   on the file.
 *   the write lock  (another one) keeps `end` still for who writes, and guards writer.noted.
 *                   Order: turn lock, file lock, write lock, view lock.
 * Between its refresh and its next append the writer reads and changes the view without the view
 * lock (store_append, store_sync, store_slot_write): nobody else appends, so no walk of another
 * thread finds a frame to step over, and building the view anew needs the write lock.
 * An append does not move `end`: the walk finds the new frames, in the writer as in everybody else.
 * What was written is thus read back and checked before anything is built on it.
 *
 * WHAT IS TRUE OF THE FILE (numbers are those of docs/format.md).
 *   Frames stand one behind another behind GENESIS, each naming the checksum of the one before
 *   (3). Bytes before `end` never change (1). Behind `end` there is a header that is zero, or
 *   garbage that does not verify. [0, synced_to) is on the device. Frames behind it may be lost at
 *   power loss, in any part and order; those that are left then no longer chain, and the walk stops
 *   before the first gap (2). Where a sync was, the next frame starts on a new page: a device that
 *   spoils the sector it is writing spoils nothing that was synced (9). */
#ifndef EDB_STORE_STORE_H
#define EDB_STORE_STORE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/format.h"
#include "format/frame.h"
#include "format/genesis.h"
#include "format/slot.h"
#include "os/os.h"

struct store_map;

/* Where the next frame stands, and what it must carry. */
struct store_position {
    uint64_t offset;
    uint64_t chain;
    uint64_t sequence;
};

/* A frame that was accepted: its checked header, and its first byte in the map. */
struct store_frame {
    struct frame_header header;
    const uint8_t *bytes;
};

/* The frames of a transaction whose last one has not come yet, or was not accepted. */
struct store_pending {
    uint64_t *offsets;
    size_t count;
    size_t capacity;
    uint64_t sequence; /* of the first */
};

/* What store_look_behind has read so far, so that asking again and again reads no page twice. */
struct store_proof {
    uint64_t at;        /* the last header looked at */
    uint64_t synced_to; /* what it says */
    uint64_t looked_to; /* pages before it have been looked at */
};

/* How far a walk goes, and how closely it looks. */
struct store_limits {
    uint64_t deep_from; /* GROUPs that end behind it have every vector checked, too */
    uint64_t stop_at;   /* sequence of the first frame that is not accepted; 0: there is none */
};

/* A session of writing. Guarded by the turn lock; `noted` by the write lock. */
struct store_writer {
    bool poisoned;         /* a write or sync failed: what is on the device is not known */
    bool name_synced;      /* the directory is on the device as far as this file's name goes */
    bool damage_checked;   /* store_check_end has found the end of the walk to be that of the
                              data */
    uint64_t reserve_step; /* bytes that the last reservation added */
    uint64_t written_to;   /* end of the last frame that this session wrote */
    struct slot slot;      /* as last written by this session */
    struct slot noted;     /* the newest one that this handle read or wrote */
    uint64_t slots_synced; /* slots up to this generation are on the device; 0: not known yet */
};

struct store {
    /* Set by store_open, never changed. */
    const struct os_io *io;
    struct os_file *file;
    char *path;
    bool writable;
    struct genesis genesis;
    struct store_map *map; /* its segments: see store_map.c */

    _Atomic uint32_t users;

    /* Changed and read without a lock. */
    _Atomic uint64_t file_bytes; /* as last seen; the file never shrinks */
    _Atomic uint64_t synced_to;
    _Atomic bool damaged;      /* frames are missing before data that was synced: no more writing */
    _Atomic uint32_t replaced; /* how often other bytes came where accepted ones stood; no more
                                  writing then */

    _Atomic uint64_t epoch; /* of this session's frames; 0 before its first append */

    /* Headers that this handle wrote: counted before each is written, loaded before one is read. A
     * thread may meet in the map what another has just written to the file; this orders what they
     * did in memory, of which the file tells the processor's rules nothing. */
    _Atomic uint64_t headers;

    /* The view: under the view lock, or by the writer while nothing is new. */
    struct store_position end;
    struct frame_header last; /* newest accepted header; all zero when there is none */
    struct store_pending pending;
    bool visit_failed; /* the last walk ended in a visit: its frame may be applied in part */
    bool suspect;      /* frames of other sessions stand behind synced_to */
    bool others_wrote; /* frames of other sessions came since this one's last slot */
    uint64_t rejected; /* header checksum of the frame at `end` that failed its deep check; 0
                          none */

    struct store_proof proof; /* of data behind `end`; forgotten when `end` goes back */

    struct anchor newest_catalog; /* the last one met that should be good, whether it could be used
                                     or not */
    struct anchor catalog;        /* newest CATALOG in use; position = end of its frame */
    struct anchor synced_catalog; /* newest CATALOG that lies before synced_to */

    struct store_writer writer;
};

/* ------------------------------------------------------------------- creating, opening, closing */

/* Creates an empty file at `path`, whole or not at all, durably. EDB_EXISTS when one is
 * there. */
edb_status store_create(const char *path, uint32_t mode);

/* A random number for the file: of the same bytes of chance it is the same on every machine. */
edb_status store_random_number(const struct os_io *io, uint64_t *number_out);

/* Opens an existing file and reads its identity; no frame is walked yet: `end` is unset until
 * store_rewind. */
edb_status store_open(const char *path, bool writable, struct store **store_out);

/* The same for a file that is open already; it belongs to the store then, or is closed. */
edb_status store_attach(const char *path, struct os_file *file, bool writable,
                        struct store **store_out);

/* Opens a file of which anything may be damaged, to read what is left: where GENESIS does not
 * verify, uuid and seeds are those of a slot. *genesis_lost_out says so. EDB_FORMAT: a newer
 * format, or no .edb file; EDB_CORRUPT: the slots do not verify either. */
edb_status store_open_damaged(const char *path, struct store **store_out, bool *genesis_lost_out);

/* One more user of an open store. */
struct store *store_share(struct store *store);

/* The last user closes the file. The map lives on while it is pinned. NULL is allowed. */
void store_close(struct store *store);

/* ----------------------------------------------------------------------------------- succession */

/* A file that is to take the place of another: the same cache, written anew, its edition one
 * higher. It has a temporary name, and its creator the writer lock. */
struct store_successor {
    struct store *store;
    char *path;      /* that it will get */
    char *temporary; /* that it has; NULL when it has the other one */
};

/* EDB_FULL, EDB_READ_ONLY (no permission), EDB_IO, EDB_NO_MEMORY: nothing is left behind. */
edb_status store_successor_create(const struct store *store, struct store_successor *out);

/* How many files there are that are to become this one, with a creator that lives; what the dead
 * have left is removed. EDB_NOT_FOUND, EDB_IO, EDB_NO_MEMORY. */
edb_status store_successors_living(const struct store *store, uint32_t *count_out);

/* Whether the temporary name still leads to it: else EDB_STALE. EDB_IO. */
edb_status store_successor_check(const struct store_successor *successor);

/* Gives it the name, which the file of before loses; the writer lock on that one is held. The
 * successor is on the device, whole; its name is not before the next store_sync. EDB_IO: nothing
 * has changed. */
edb_status store_successor_publish(struct store_successor *successor);

/* Removes what has not been published, unless it has lost its temporary name. A zeroed one is
 * allowed. */
void store_successor_close(struct store_successor *successor);

/* A file for what is saved of a damaged one: another cache, under an identity of its own, with the
 * permissions of the damaged one. It has a temporary name, and its creator the writer lock. */
edb_status store_rescue_create(const struct store *damaged, const char *path,
                               struct store_successor *out);

/* Gives it its name, which nothing must have (EDB_EXISTS), durably. EDB_IO: it may have the
 * name. */
edb_status store_rescue_publish(struct store_successor *rescue);

/* ------------------------------------------------------------------------------------------ map */

/* The bytes [offset, offset + bytes) in the map, or NULL (EDB_CORRUPT, told) when they are not in
 * the file. Only for ranges before `end` or inside a checked frame. Any thread that holds the view
 * lock. */
const uint8_t *store_at(struct store *store, uint64_t offset, uint64_t bytes);

/* Makes one segment of the map hold all of [offset, offset + bytes), also where the file has yet to
 * grow. Needs the view lock, exclusive. EDB_NO_MEMORY: there is no address space. */
edb_status store_map_range(struct store *store, uint64_t offset, uint64_t bytes);

/* Whether one does. Needs no lock. */
bool store_is_mapped(const struct store *store, uint64_t offset, uint64_t bytes);

/* For whoever reads on in order: asks for what comes behind `offset`, once every few megabytes.
 * `asked_to` is the caller's memory of what was asked for, 0 at first. */
void store_read_ahead(struct store *store, uint64_t offset, uint64_t *asked_to);

/* Keeps the mapping alive after store_close; give it back with store_unpin. */
struct store_map *store_pin(struct store *store);
void store_unpin(struct store_map *map);

/* Maps ranges of whole pages, which are in the file, one behind another. Give them back with
 * store_unjoin; they outlive the store. EDB_NO_MEMORY, EDB_IO: the system does not do it. */
edb_status store_join(struct store *store, const struct os_range *ranges, size_t count,
                      const uint8_t **address_out);
void store_unjoin(const struct os_io *io, const uint8_t *address, uint64_t bytes);
uint64_t store_mapped_bytes(const struct store *store);

/* ----------------------------------------------------------------------------------------- walk */

/* Called for every accepted frame, in order; the frames of a transaction only when it is
 * complete. */
typedef edb_status store_visit(void *arg, const struct store_frame *frame);

/* Puts `end` to a position from where to walk: a catalog's, or the first frame's. Forgets what was
 * pending. */
void store_rewind(struct store *store, const struct store_position *position);
struct store_position store_first_position(const struct store *store);

/* Maps the whole file as it is now: what is not walked can be looked at, too. Needs the view lock,
 * exclusive. */
edb_status store_cover(struct store *store);

/* Whether there is something behind `end`, or what is before it is no longer there: two loads from
 * the map. Needs the view lock, shared. */
bool store_has_news(struct store *store);

/* Whether what was walked still stands in the file: its newest header or, in an empty file, its
 * identity, as the map shows them. Somebody who copies another file over this one changes them.
 * Needs the view lock, shared. */
bool store_stands(struct store *store);

/* Notes that accepted bytes are gone, for ever: EDB_STALE with the sentence. */
edb_status store_note_replaced(struct store *store);

/* The sentence about it: EDB_STALE. */
edb_status store_tell_replaced(const struct store *store);

/* Accepts frames from `end` on as long as they verify, within the limits. EDB_STALE: what was
 * walked no longer stands there (begin again from the slots; nothing is written any more). A
 * failure of `visit` is returned and the frame not accepted, and visit_failed set; when earlier
 * frames of its transaction were visited already, they are still pending. After any other failure
 * everything before `end` is as it was, and a later walk goes on there: EDB_NO_MEMORY when the next
 * frame finds no address space. Needs the view lock, exclusive. */
edb_status store_walk(struct store *store, const struct store_limits *limits, store_visit *visit,
                      void *arg);

/* Whether the walk has come to where its limits stop it. */
bool store_walk_stopped(const struct store *store, const struct store_limits *limits);

/* Whether a frame's payload is what was written. The walk asks for GROUPs, and for a CATALOG where
 * it looks deep; elsewhere its user asks himself. */
bool store_payload_verifies(const struct store *store, const struct store_frame *frame);

/* The anchor that leads to a CATALOG. */
struct anchor store_anchor_of(const struct frame_header *header);

/* Reads and checks the one frame at `offset`; no chain is followed. EDB_CORRUPT when it does not
 * verify. */
edb_status store_frame_at(struct store *store, uint64_t offset, struct store_frame *frame_out);

/* The anchors of the valid slots, best first: what was written (in the same boot), then what was
 * synced. */
struct store_hint {
    struct anchor catalog_hint; /* of which CATALOG to begin with */
    uint64_t trusted_to;        /* frames before it need no deep check */
    uint64_t synced_to;
};
/* Returns how many of `hints` (up to 4) were filled. To *status_out go EDB_IO, and EDB_STALE when
 * another file's bytes were copied over this one. */
size_t store_hints(struct store *store, struct store_hint hints[4], edb_status *status_out);

/* ---------------------------------------------------------------------------------------- write */

/* Takes the file's lock within `wait_ms` and makes sure that the path still names it and that it
 * was not cut off. With *elsewhere_out another file is at the path, or none, and the lock is not
 * taken. EDB_BUSY, EDB_STALE. */
edb_status store_lock(struct store *store, uint32_t wait_ms, bool *elsewhere_out);
void store_unlock(struct store *store);

/* After the lock and the walk, before the first append of a session: is the end of the walk the end
 * of the data, or is something missing before data that was synced? EDB_READ_ONLY, and nothing may
 * be written, when it is; also what store_check_writable refuses. */
edb_status store_check_end(struct store *store);

/* EDB_READ_ONLY: the file is damaged, or a write of this handle failed. EDB_STALE: other bytes were
 * copied over it. */
edb_status store_check_writable(struct store *store);

/* Where behind `end` a header stands that was written when `end` was known to be on the device; 0
 * when there is none. */
edb_status store_look_behind(struct store *store, uint64_t *proof_out);

/* One frame to append. Its pieces are written one behind another from the header on, with zeros
 * between. */
struct frame_piece {
    uint64_t offset;   /* from the frame's start */
    const void *bytes; /* NULL: store_write_ahead has written them there */
    size_t count;
};
struct frame_draft {
    uint8_t type;
    uint16_t flags;
    uint64_t offset; /* in the file: where the caller laid it out for */
    uint64_t frame_bytes;
    uint64_t payload_bytes;
    const void *payload; /* payload_bytes, also the first piece */
    struct frame_piece *pieces;
    size_t piece_count;
};

/* Where the next frame will stand. */
uint64_t store_append_offset(const struct store *store);

/* Appends the frames, the last of which commits. Space for all of them is reserved first: EDB_FULL
 * means that nothing was committed; EDB_IO poisons the handle. `durable` seals the last frame;
 * store_sync must follow. Does not move `end`: walk. */
edb_status store_append(struct store *store, struct frame_draft *drafts, size_t count,
                        bool durable);

/* Writes a part of the frame that is appended next, and reserves the space up to it: for what does
 * not stand in memory whole. Nothing but that frame may be appended after it. EDB_FULL; EDB_IO
 * poisons the handle. */
edb_status store_write_ahead(struct store *store, uint64_t offset, const void *bytes, size_t count);

/* Ends the page: after it the file may be synced. Appends a PAD (then walk) unless the last frame
 * did it. */
edb_status store_seal(struct store *store, bool *appended_out);

/* Makes everything before `end` survive power loss: one sync, and a second look at what other
 * sessions left unsynced (12). The file must be sealed and walked. EDB_IO: the handle is poisoned,
 * nothing is retried (11). */
edb_status store_sync(struct store *store);

/* Moves the anchors up to what is known now. A hint: it is not synced here, but the first one of a
 * session syncs what was there before. */
edb_status store_slot_write(struct store *store);

/* One sync of the file. EDB_IO: the handle is poisoned. For store_sync and store_slot_write. */
edb_status store_sync_file(struct store *store);

/* How far the slots know the file to have been written: before this, what is missing is damage. 0
 * when both are lost. */
edb_status store_slots_reach(struct store *store, uint64_t *reach_out);

/* Generation of the newest slot; 0 when both are lost. */
edb_status store_slot_generation(struct store *store, uint64_t *generation_out);

/* Whether the anchors lag far enough behind to be worth a write. */
bool store_slot_due(const struct store *store);

#endif
