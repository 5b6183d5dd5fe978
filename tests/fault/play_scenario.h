/* A stage for scenarios: calls of the library that keep the account, and the judgement afterwards.
 *
 * A scenario is played once without faults and then again and again, each time with another call of
 * the system or another allocation failing. Whatever fails, these hold:
 *   a call that says EDB_OK has done it, and the file says so when it is opened again;
 *   one that says EDB_FULL or EDB_NO_MEMORY has done nothing; EDB_IO means all or nothing;
 *   a reader gives the right record or an error, never "not found" for what is there;
 *   the handle goes on afterwards, or says EDB_READ_ONLY;
 *   what was promised durable is on the device alone;
 *   edb_verify finds nothing; no file stays open; the memory is given back. */
#ifndef EDB_TESTS_FAULT_PLAY_SCENARIO_H
#define EDB_TESTS_FAULT_PLAY_SCENARIO_H

#include "fault/keep_account.h"

struct stage {
    struct kept_account account;
    edb *db;
    edb *other; /* a second handle, if the scenario has one */
    edb_space *spaces[ACCOUNT_SPACES];
    edb_space *other_spaces[ACCOUNT_SPACES];
    bool durable;      /* every commit of `db` is promised */
    bool armed;        /* faults may strike: errors are no news */
    bool met_faults;   /* it was armed */
    bool read_only;    /* the outcome of a write was unknown */
    size_t refused;    /* writes and closings that did not say EDB_OK */
    uint32_t expiry_s; /* of records that are put and not pinned */
    bool compacted;    /* in steps, to the end */
    bool compacts;     /* the file may be another one now, and a temporary one left */
    char wrong[512];   /* "" or the first thing that must not be */
};

struct scenario {
    const char *name;
    int keys;
    bool keeps_damage; /* the file is damaged on purpose: verify is right to find something */
    /* Makes the file that the scenario begins with, without faults; NULL = there is none. */
    void (*prepare)(struct stage *stage);
    /* May change the prepared bytes. NULL = not. */
    void (*spoil)(uint8_t *bytes, size_t count);
    /* What happens before faults begin, on the handle that then meets them; NULL = nothing. */
    void (*arrange)(struct stage *stage);
    void (*play)(struct stage *stage);
};

extern const struct scenario scenarios[];
extern const size_t scenario_count;

/* The file that all scenarios work on. */
extern const char *const stage_path;

void stage_wrong(struct stage *stage, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* ------------------------------------------------------------- the calls, each with its account */

void stage_open(struct stage *stage, uint32_t flags, uint32_t durability);
void stage_open_other(struct stage *stage);
void stage_space(struct stage *stage, int space);
void stage_close(struct stage *stage);
void stage_put(struct stage *stage, int space, int key);
void stage_put_other(struct stage *stage, int space, int key);
void stage_put_many(struct stage *stage, int space, int first, int count);
void stage_delete(struct stage *stage, int space, int key);
/* Puts keys [first, first + 3) of both spaces, deletes key first + 3 of the first. */
void stage_transaction(struct stage *stage, int first, edb_durability durability);
/* Puts `count` keys of a space from `first` on, in a transaction during which the handle
 * compacts. */
void stage_transaction_over_compaction(struct stage *stage, int space, int first, int count);
/* Limits of a space, or with space -1 of the file; of each space concerned `least` records stay. */
void stage_limits(struct stage *stage, int space, const edb_limits *limits, int least);
void stage_maintain(struct stage *stage);
/* No more hits of a space are told than were made; without faults just those. */
void stage_hits(struct stage *stage, int space);
/* A piece of a compaction that is done in steps; begins one when there is none. */
void stage_compaction_step(struct stage *stage);
void stage_sync(struct stage *stage);
void stage_compact(struct stage *stage);
void stage_get(struct stage *stage, int space, int key);
void stage_get_many(struct stage *stage, int space, int first, int count);
/* Claims `count` keys of `space` from `first` on, puts those that are its own and waits for nobody;
 * with `compacts`, a compaction comes between. Another handle, if there is one, wants the same: no
 * key has two owners, and nothing stays claimed. */
void stage_claim(struct stage *stage, int space, int first, int count, bool compacts);
void stage_iterate(struct stage *stage, int space);
/* As stage_iterate, and half way this handle compacts. */
void stage_iterate_over_compaction(struct stage *stage, int space);
/* Opens a snapshot, lets the scenario go on, and reads the keys of `space` from it: as they
 * were. */
void stage_look_back(struct stage *stage, int space, void (*go_on)(struct stage *stage));
void stage_search(struct stage *stage, int space);

/* -------------------------------------------------------------------------------------- playing */

/* How faults begin and end; arm returns nothing, disarm how often they struck. */
struct stage_faults {
    void (*arm)(const void *plan);
    uint64_t (*disarm)(void);
};

/* A scenario with its file made. */
struct production {
    const struct scenario *scenario;
    struct kept_account account;
    uint8_t *bytes;
    size_t count;
};

bool production_open(struct production *production, const struct scenario *scenario);
void production_close(struct production *production);

/* Plays once on the simulated machine. Returns how often a fault struck; `wrong` is "" when all
 * was as it must be. */
uint64_t production_play(const struct production *production, const struct stage_faults *faults,
                         const void *plan, char wrong[512]);

#endif
