/* What a file must say after calls of which some failed: the account that a test keeps beside its
 * calls.
 *
 * A state is the version of every key. The states that the file may be in now are a run at the end
 * of the list: one as a rule; a commit whose outcome is unknown (EDB_IO) doubles them. What was
 * promised to survive power loss is a place in the same list: from there on everything is
 * allowed. */
#ifndef EDB_TESTS_FAULT_KEEP_ACCOUNT_H
#define EDB_TESTS_FAULT_KEEP_ACCOUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "embedcache.h"

enum { ACCOUNT_SPACES = 2, ACCOUNT_DIMS = 3, ACCOUNT_STATES = 1024, ACCOUNT_CHANGES = 20000 };

/* Keys of a multiple of this are pinned and never expire. */
enum { ACCOUNT_PINNED = 5 };

/* One change of a commit. */
struct account_change {
    int space;
    int key;
    uint8_t version; /* 0 = deleted */
};

struct kept_account {
    int keys; /* of each space */
    size_t state_bytes;
    uint8_t *states; /* each: how many spaces there are, then the versions */
    size_t count;
    size_t current_from;
    size_t durable_from;
    struct account_change *changes; /* of the commit that is being made */
    size_t change_count;
    bool sheds[ACCOUNT_SPACES]; /* what is not pinned may go by itself */
    uint64_t hits[ACCOUNT_SPACES];
    int least[ACCOUNT_SPACES]; /* records that a space which sheds keeps, of those it was given */
};

/* Nothing is there yet, for keys 0 to `keys` - 1. */
void account_open(struct kept_account *account, int keys);
void account_close(struct kept_account *account);

/* From now on records of the space may go by themselves; `least` stay, if there are so many. */
void account_shed(struct kept_account *account, int space, int least);

/* Becomes a copy, with only the states that are possible now. */
void account_copy(struct kept_account *account, const struct kept_account *from);

/* Adds to the commit that is being made. */
void account_change(struct kept_account *account, int space, int key, uint8_t version);

/* The commit came back with this status. Deletes, puts and new spaces count alike. */
void account_settle(struct kept_account *account, edb_status status);

/* As account_settle for the making of space `space`. */
void account_settle_space(struct kept_account *account, int space, edb_status status);

/* Whatever is there now was promised to survive power loss. */
void account_promise(struct kept_account *account);

/* How many spaces a state has, and the version of a key in it. */
int account_spaces(const struct kept_account *account, size_t state);
uint8_t account_version(const struct kept_account *account, size_t state, int space, int key);

/* Whether what was seen, the last state of `seen`, is state `state`. */
bool account_matches(const struct kept_account *account, size_t state,
                     const struct kept_account *seen);

/* Whether the key has that version in a state that is possible now. */
bool account_allows(const struct kept_account *account, int space, int key, uint8_t version);

/* Whether the key is there in every, or in no, state that is possible now; -1 when they differ, or
 * when it may have gone by itself. */
int account_knows(const struct kept_account *account, int space, int key);

#endif
