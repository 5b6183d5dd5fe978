/* What goes first when a budget is used up: marks of how rows were used, and the policies that
 * judge by them. A row number says when its record came; so the queues of the policies need no
 * memory but a hand that moves over the rows.
 *
 *   S3-FIFO  Yang, Zhang, Qiu, Yue, Vinayak: "FIFO queues are all you need for cache eviction",
 *            SOSP 2023, section 4. The small queue is the rows from `small_hand` on, the main queue
 *            those before it and those that came back from the ghosts; the main queue's order of
 *            second chances is the order of rows. One pass over many rows does not drive out what
 *            is used.
 *   LRU      a row's mark says in which period of the clock it was used last; those of the oldest
 *            periods go, in the order of their rows: exact to 1/64 of the rows. The clock goes on
 *            with every put and use, from handle to handle.
 *   FIFO     the oldest row.
 *
 * The owner tells what happens to rows (evict_insert, evict_remove, evict_use) and asks for
 * victims. Needs the view lock: exclusive for what readers look at, too (evict_insert,
 * evict_remove, evict_use, evict_take_touched); shared, and the write lock, for victims
 * (evict_next, evict_keep); shared for evict_touch. */
#ifndef EDB_EVICT_EVICT_H
#define EDB_EVICT_EVICT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "format/catalog.h"

#define EVICT_LEAF_ROWS 64u
#define EVICT_CHUNK_LEAVES 1024u
#define EVICT_CHUNK_ROWS (EVICT_LEAF_ROWS * EVICT_CHUNK_LEAVES)
#define EVICT_USES_MAX 3u

/* Marks of EVICT_LEAF_ROWS rows that follow one another, of those that are live. A leaf is there
 * as long as one is, and where rows are about to come. */
struct evict_leaf {
    uint64_t first;                         /* row */
    uint64_t live;                          /* a bit a row */
    uint16_t marks[EVICT_LEAF_ROWS];        /* what everybody knows */
    _Atomic uint16_t uses[EVICT_LEAF_ROWS]; /* by this process, not yet handed over: how many, or in
                                               LRU when */
};

/* The leaves of EVICT_CHUNK_ROWS rows. */
struct evict_chunk {
    uint64_t number;
    uint32_t live;                /* rows */
    bool changed;                 /* since the newest section of it */
    struct catalog_section saved; /* that begins here, and that the newest catalog names; all zero:
                                     none */
    _Atomic bool touched;
    uint64_t present[EVICT_CHUNK_LEAVES / 64]; /* a bit a leaf */
    uint16_t before[EVICT_CHUNK_LEAVES / 64];  /* leaves that the words before this one tell of */
    struct evict_leaf **leaves;                /* in the order of their rows */
    size_t leaf_count;
    size_t leaf_capacity;
};

/* Keys that went from the small queue not long ago: who comes back belongs into the main queue. */
struct evict_ghosts {
    struct evict_ghost {
        uint32_t tag;
        uint32_t when;
    } * slots;
    size_t mask; /* of `slots`, whose number is a power of two; slots in groups of four */
    uint32_t clock;
};

struct evict {
    uint8_t policy; /* edb_eviction */
    bool cost_aware;
    uint64_t small_hand;
    uint64_t main_hand;
    uint64_t small_count;       /* rows of the small queue */
    bool small_counted;         /* false: not known yet */
    uint64_t cost_mean;         /* of a record, 0 = not known */
    uint64_t clock;             /* LRU: periods */
    uint32_t events;            /* LRU: in the period at hand */
    _Atomic uint64_t touches;   /* LRU: by this process, since the last were handed over */
    uint64_t touches_tick;      /* LRU: so many are not told apart */
    uint16_t old_age;           /* LRU: periods after which a row goes */
    uint64_t old_rows;          /* LRU: that may still go by it, before it is found anew */
    uint32_t laps;              /* of the main hand since the last victim */
    uint64_t live;              /* rows, when a victim was last asked for */
    uint64_t rows;              /* that have marks */
    uint64_t kept;              /* of them, that their owner keeps */
    uint64_t newest_row;        /* the highest that had one */
    struct evict_chunk *chunks; /* in order of their numbers */
    size_t chunk_count;
    size_t chunk_capacity;
    struct evict_ghosts ghosts;
};

/* A zeroed one has no marks. */
void evict_close(struct evict *evict);

/* Makes room for the marks of a row and its neighbours: it stays until a row has come behind all
 * of them. EDB_NO_MEMORY. */
edb_status evict_reserve(struct evict *evict, uint64_t row);

/* Rows that were there before: a bit each for `first`, a multiple of EVICT_LEAF_ROWS, and those
 * behind it. */
void evict_count(struct evict *evict, uint64_t first, uint64_t live);

/* ------------------------------------------------------------------------------ what happens */

/* A record has come; `prior` is the row that it replaces, or ROW_NONE. */
void evict_insert(struct evict *evict, uint64_t row, uint64_t prior, uint64_t key_hash,
                  uint32_t cost);

/* A row is gone; `evicted`: because a policy said so. */
void evict_remove(struct evict *evict, uint64_t row, uint64_t key_hash, bool evicted);

/* A row was used so often, as some handle says. */
void evict_use(struct evict *evict, uint64_t row, unsigned uses);

/* A row is as recent as any, if that counts. */
void evict_renew(struct evict *evict, uint64_t row);

/* A row is used now, by this process. Any thread. */
void evict_touch(struct evict *evict, uint64_t row);

/* A row that was touched. */
struct evict_used {
    uint64_t row;
    unsigned uses; /* 1 to EVICT_USES_MAX */
};

/* Takes `max` rows, or as many as there are, that were touched: they count as handed over. With LRU
 * in the order in which they were touched last, else ascending. Returns how many. */
size_t evict_take_touched(struct evict *evict, struct evict_used *out, size_t max);

/* ---------------------------------------------------------------------------------- what goes */

/* What the policies ask about rows. */
struct evict_rows {
    /* The first live row from `row` on; ROW_NONE when there is none. */
    edb_status (*next)(void *arg, uint64_t row, uint64_t *row_out);
    void *arg;
    uint64_t live;
    uint64_t end;    /* no row is as high */
    uint64_t hidden; /* live rows that `next` does not tell: they stay */
};

/* The row to go next; its owner removes it, or says that it keeps it. EDB_NOT_FOUND: none was found
 * in a bounded number of steps; ask again, or there is none. What `next` returns. */
edb_status evict_next(struct evict *evict, const struct evict_rows *rows, uint64_t *row_out);

/* A row that was named stays: it is not named again before others were. */
void evict_keep(struct evict *evict, uint64_t row);

/* ---------------------------------------------------------------------------- from file to file */

/* Chunks of which a section speaks: all that are left of the space when that are few live rows,
 * else one, or neighbours that have few together. So there are few sections, however far apart the
 * rows are, and where rows are many those of chunks in which nothing changes stay. */
struct evict_reach {
    size_t from; /* chunks, by their places */
    size_t to;
    uint64_t first; /* rows */
    uint64_t last;
};

/* The reach that begins with a chunk, or behind it where that has no live rows. False: none is
 * left. */
bool evict_next_reach(const struct evict *evict, size_t from, uint64_t next_row,
                      struct evict_reach *out);

/* The section that holds for a reach, which nothing has changed since; NULL: none. */
const struct catalog_section *evict_saved(const struct evict *evict,
                                          const struct evict_reach *reach);

/* Whether nothing that is known of any row is in a section. */
bool evict_is_unsaved(const struct evict *evict);

/* The body of a section: a head, then an entry for each live row of which there is something to
 * say. 0 bytes: there is none. */
size_t evict_save_bytes(const struct evict *evict, const struct evict_reach *reach);
void evict_save(const struct evict *evict, const struct evict_reach *reach, uint8_t *bytes);

/* Marks of the rows [first, last), as a section has them. False, and nothing is changed: it is not
 * of this policy, or no such body. */
bool evict_load(struct evict *evict, uint64_t first, uint64_t last, const uint8_t *bytes,
                size_t count);

/* What the clock said when the view begins: of no row it is known yet when it was used. */
void evict_set_clock(struct evict *evict, uint64_t clock);

/* Takes over what another knows of the same rows: marks, hands, ghosts. */
void evict_inherit(struct evict *evict, struct evict *from);

/* Another catalog counts from now on; and a section that it names. */
void evict_forget_saved(struct evict *evict);
void evict_note_saved(struct evict *evict, const struct catalog_section *section);

#endif
