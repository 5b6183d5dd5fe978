/* NOTE: what a writing handle counted since its last one: hits and misses of its spaces, and which
 * rows were used. Nothing depends on it but statistics and what is evicted first: a NOTE that is
 * damaged, or lost, is passed over.
 *
 *   payload  | version 4 | spaces 4 | a part for each space |
 *   part     | space 4 | rows 4 | list bytes 4 | zero 4 | ledger 40 | list |
 *   list     for each row: the distance from the one before, its sign in the lowest bit, * 4 + uses
 *            as a LEB128 number; ascending, or in the order in which they were used last */
#ifndef EDB_FORMAT_NOTE_H
#define EDB_FORMAT_NOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LEDGER_BYTES 40u
#define NOTE_USES_MAX 3u

/* Counts of a space. In a NOTE: since the one before; in a CATALOG: in all. */
struct ledger {
    uint64_t hits;
    uint64_t misses;
    uint64_t hit_bytes; /* of the vectors, or values, that were hit */
    uint64_t hit_cost;  /* that computing them would have cost again */
    uint64_t evictions;
};

void ledger_encode(const struct ledger *ledger, uint8_t bytes[LEDGER_BYTES]);
void ledger_decode(const uint8_t bytes[LEDGER_BYTES], struct ledger *out);
void ledger_add(struct ledger *ledger, const struct ledger *more);
void ledger_subtract(struct ledger *ledger, const struct ledger *less);
bool ledger_is_zero(const struct ledger *ledger);

/* A NOTE in the making, in a buffer that its owner frees with buffer_close. */
struct buffer;
struct note_writer {
    struct buffer *out;
    size_t part;   /* where the part at hand begins */
    uint64_t row;  /* the last one in its list */
    uint32_t rows; /* of it */
    uint32_t spaces;
};

/* Each returns false when there is no memory. */
bool note_begin(struct note_writer *writer, struct buffer *out);
bool note_begin_space(struct note_writer *writer, uint32_t space, const struct ledger *ledger);
/* `uses` is 1 to NOTE_USES_MAX. */
bool note_add_row(struct note_writer *writer, uint64_t row, unsigned uses);
void note_end_space(struct note_writer *writer);

/* Reading one. Nothing outside of the payload is touched, whatever its bytes. */
struct note_reader {
    const uint8_t *at;
    const uint8_t *end;
    const uint8_t *list_end; /* of the part at hand */
    uint32_t spaces_left;
    uint64_t row;
    uint32_t space;
    struct ledger ledger;
};

/* False: it is of another version, or cut. */
bool note_open(struct note_reader *reader, const uint8_t *payload, size_t bytes);
/* Goes on to the next part, whatever is left of the one at hand. False: there is none. */
bool note_next_space(struct note_reader *reader);
/* The next row of the part's list. False: there is none. */
bool note_next_row(struct note_reader *reader, uint64_t *row_out, unsigned *uses_out);

#endif
