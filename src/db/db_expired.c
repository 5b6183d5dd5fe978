/* Finding rows whose time is over. Called when room is made (db_evict.c), and after commits when
 * the file is to be compacted by what is dead (db_maintain.c).
 *
 * The hand goes over the live rows in rounds and counts what expired ones take. A round begins when
 * the time of a row that was met, or put since, is over, and not more often than once a second for
 * each 65,536 rows; while room is made also when expired rows were passed that could go. What is
 * told is what the round before has met, or the one at hand if that is more; what goes meanwhile is
 * subtracted (db_forget_expired). */
#include "db/db_budget.h"

enum { ROUND_ROWS = 1 << 16 };

uint64_t db_expired_bytes(const edb_space *space)
{
    uint64_t now = atomic_load_explicit(&space->expiry.met_bytes, memory_order_relaxed);
    uint64_t before = atomic_load_explicit(&space->expiry.bytes, memory_order_relaxed);
    return now > before ? now : before;
}

static void subtract(_Atomic uint64_t *from, uint64_t bytes)
{
    uint64_t left = atomic_load_explicit(from, memory_order_relaxed);
    atomic_store_explicit(from, left > bytes ? left - bytes : 0, memory_order_relaxed);
}

void db_forget_expired(edb_space *space, uint64_t row, const struct row_place *place)
{
    struct db_expiry *expiry = &space->expiry;
    uint64_t bytes = db_place_bytes(place);
    if (place->expiry_s == 0)
        return;
    if (expiry->in_round && row < expiry->hand && place->expiry_s <= expiry->round_s)
        subtract(&expiry->met_bytes, bytes);
    if (place->expiry_s <= expiry->before_s)
        subtract(&expiry->bytes, bytes);
}

void db_expect_expiry(edb_space *space, uint32_t expiry_s)
{
    struct db_expiry *expiry = &space->expiry;
    if (expiry_s != 0 && (expiry->next_s == 0 || expiry_s < expiry->next_s))
        expiry->next_s = expiry_s;
}

/* Whether the hand is on its way, or has a reason to begin. */
static bool begin_round(edb_space *space, bool evicting)
{
    struct db_expiry *expiry = &space->expiry;
    uint64_t now_s = space->db->store->io->calendar_s();
    uint64_t pause_s = evicting ? 0 : space->live / ROUND_ROWS + 1;
    bool over = expiry->next_s != 0 && expiry->next_s <= now_s;
    bool known = evicting && expiry->passed;
    if (expiry->in_round)
        return true;
    if (!known && (!over || now_s < expiry->round_s + pause_s))
        return false;
    expiry->in_round = true;
    expiry->round_s = (uint32_t)(now_s < UINT32_MAX ? now_s : UINT32_MAX);
    expiry->next_s = 0;
    expiry->passed = false;
    return true;
}

static void end_round(struct db_expiry *expiry)
{
    uint64_t met = atomic_load_explicit(&expiry->met_bytes, memory_order_relaxed);
    atomic_store_explicit(&expiry->bytes, met, memory_order_relaxed);
    atomic_store_explicit(&expiry->met_bytes, 0, memory_order_relaxed);
    expiry->before_s = expiry->round_s;
    expiry->in_round = false;
    expiry->hand = 0;
}

/* Whether the row's time was over when the round began; if not, when it will be is noted. */
static bool meet_row(edb_space *space, const struct row_place *place)
{
    struct db_expiry *expiry = &space->expiry;
    if (place->expiry_s == 0)
        return false;
    if (place->expiry_s > expiry->round_s) {
        db_expect_expiry(space, place->expiry_s);
        return false;
    }
    atomic_fetch_add_explicit(&expiry->met_bytes, db_place_bytes(place), memory_order_relaxed);
    return true;
}

/* The next row of a word, from the hand on, that has expired; ROW_NONE when there is none. Pinned
 * ones are counted only: they stay until they are not copied. */
static edb_status look_at_word(edb_space *space, const struct rows_word *word, bool evicting,
                               uint64_t *row_out)
{
    struct db_expiry *expiry = &space->expiry;
    *row_out = ROW_NONE;
    for (uint64_t bits = word->bits; bits != 0 && *row_out == ROW_NONE; bits &= bits - 1) {
        uint64_t row = word->first + (uint64_t)__builtin_ctzll(bits);
        struct row_place place;
        if (row < expiry->hand)
            continue;
        edb_status status = rows_place(&space->rows, row, &place);
        if (status != EDB_OK)
            return status;
        expiry->hand = row + 1;
        if (!meet_row(space, &place) || (place.extras & RECORD_PINNED))
            continue;
        expiry->passed |= !evicting;
        *row_out = evicting ? row : ROW_NONE;
    }
    if (*row_out == ROW_NONE)
        expiry->hand = word->first + ROWS_WORD_ROWS;
    return EDB_OK;
}

static edb_status look(edb_space *space, bool evicting, uint64_t *looks, uint64_t *row_out)
{
    struct rows_word word;
    edb_status status = EDB_OK;
    *row_out = ROW_NONE;
    if (!begin_round(space, evicting))
        return EDB_OK;
    while (status == EDB_OK && *row_out == ROW_NONE && *looks > 0) {
        status = rows_next_live(&space->rows, space->expiry.hand, space->next_row, &word);
        if (status == EDB_OK && word.bits != 0)
            status = look_at_word(space, &word, evicting, row_out);
        else if (status == EDB_OK) {
            end_round(&space->expiry);
            if (!begin_round(space, evicting)) /* more may have expired since it began */
                break;
        }
        *looks -= *looks < ROWS_WORD_ROWS ? *looks : ROWS_WORD_ROWS;
    }
    return status;
}

edb_status db_next_expired(edb_space *space, uint64_t *looks, uint64_t *row_out)
{
    return look(space, true, looks, row_out);
}

edb_status db_count_expired(edb_space *space, uint64_t looks)
{
    uint64_t row;
    return look(space, false, &looks, &row);
}
