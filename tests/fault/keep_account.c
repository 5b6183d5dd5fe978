/* Keeping the account. Called by the scenarios beside every call of the library; the memory is
 * libc's, because the library's own may be failing. */
#include "fault/keep_account.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static uint8_t *state_at(const struct kept_account *account, size_t state)
{
    assert(state < account->count);
    return account->states + state * account->state_bytes;
}

static uint8_t *version_at(const struct kept_account *account, size_t state, int space, int key)
{
    assert(space < ACCOUNT_SPACES && key < account->keys);
    return state_at(account, state) + 1 + (size_t)space * (size_t)account->keys + (size_t)key;
}

void account_open(struct kept_account *account, int keys)
{
    *account = (struct kept_account){.keys = keys, .count = 1};
    account->state_bytes = 1 + (size_t)keys * ACCOUNT_SPACES;
    account->states = calloc(ACCOUNT_STATES, account->state_bytes);
    account->changes = calloc(ACCOUNT_CHANGES, sizeof *account->changes);
    assert(account->states != NULL && account->changes != NULL);
}

void account_close(struct kept_account *account)
{
    free(account->states);
    free(account->changes);
}

void account_shed(struct kept_account *account, int space, int least)
{
    account->sheds[space] = true;
    account->least[space] = least;
}

static bool may_go(const struct kept_account *account, int space, int key)
{
    return account->sheds[space] && key % ACCOUNT_PINNED != 0;
}

void account_copy(struct kept_account *account, const struct kept_account *from)
{
    assert(account->state_bytes == from->state_bytes);
    account->count = from->count - from->current_from;
    memcpy(account->states, state_at(from, from->current_from),
           account->count * account->state_bytes);
    account->current_from = 0;
    account->durable_from = 0;
    account->change_count = 0;
    memcpy(account->sheds, from->sheds, sizeof account->sheds);
    memcpy(account->hits, from->hits, sizeof account->hits);
    memcpy(account->least, from->least, sizeof account->least);
}

void account_change(struct kept_account *account, int space, int key, uint8_t version)
{
    assert(account->change_count < ACCOUNT_CHANGES);
    account->changes[account->change_count++] = (struct account_change){space, key, version};
}

/* Appends a copy of every state that is possible now; returns where the copies begin. */
static size_t double_states(struct kept_account *account)
{
    size_t first = account->count;
    size_t possible = first - account->current_from;
    assert(first + possible <= ACCOUNT_STATES);
    account->count += possible;
    memcpy(state_at(account, first), state_at(account, account->current_from),
           possible * account->state_bytes);
    return first;
}

static void drop_old(struct kept_account *account, size_t copies_from, edb_status status)
{
    if (status == EDB_OK)
        account->current_from = copies_from;
}

void account_settle(struct kept_account *account, edb_status status)
{
    if (status == EDB_OK || status == EDB_IO) {
        size_t copies = double_states(account);
        for (size_t state = copies; state < account->count; state++)
            for (size_t i = 0; i < account->change_count; i++) {
                const struct account_change *change = &account->changes[i];
                *version_at(account, state, change->space, change->key) = change->version;
            }
        drop_old(account, copies, status);
    }
    account->change_count = 0;
}

void account_settle_space(struct kept_account *account, int space, edb_status status)
{
    if (status != EDB_OK && status != EDB_IO)
        return;
    size_t copies = double_states(account);
    for (size_t state = copies; state < account->count; state++)
        if (*state_at(account, state) < space + 1)
            *state_at(account, state) = (uint8_t)(space + 1);
    drop_old(account, copies, status);
}

void account_promise(struct kept_account *account)
{
    account->durable_from = account->current_from;
}

int account_spaces(const struct kept_account *account, size_t state)
{
    return *state_at(account, state);
}

uint8_t account_version(const struct kept_account *account, size_t state, int space, int key)
{
    return *version_at(account, state, space, key);
}

static bool space_matches(const struct kept_account *account, size_t state,
                          const struct kept_account *seen, int space)
{
    int given = 0;
    int left = 0;
    for (int key = 0; key < account->keys; key++) {
        uint8_t version = account_version(account, state, space, key);
        uint8_t found = account_version(seen, seen->count - 1, space, key);
        bool gone = found == 0 && may_go(account, space, key);
        if (found != version && !gone)
            return false;
        given += version != 0;
        left += found != 0;
    }
    return !account->sheds[space] || left >= account->least[space] || left == given;
}

bool account_matches(const struct kept_account *account, size_t state,
                     const struct kept_account *seen)
{
    bool matches = account_spaces(account, state) == account_spaces(seen, seen->count - 1);
    for (int space = 0; space < ACCOUNT_SPACES && matches; space++)
        matches = space_matches(account, state, seen, space);
    return matches;
}

bool account_allows(const struct kept_account *account, int space, int key, uint8_t version)
{
    if (version == 0 && may_go(account, space, key))
        return true;
    for (size_t state = account->current_from; state < account->count; state++)
        if (account_version(account, state, space, key) == version)
            return true;
    return false;
}

int account_knows(const struct kept_account *account, int space, int key)
{
    size_t there = 0;
    for (size_t state = account->current_from; state < account->count; state++)
        there += account_version(account, state, space, key) != 0;
    if (there > 0 && may_go(account, space, key))
        return -1;
    return there == 0 ? 0 : there == account->count - account->current_from ? 1 : -1;
}
