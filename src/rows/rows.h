/* Row directory of one space: row number -> where its record stands, and whether it is gone.
 *
 * Old rows stand in sections (immutable, mapped, 32 bytes a row), new ones in the tail (the same 32
 * bytes in memory). Rows that are gone are bits: in DEAD sections, and in a copy in memory for the
 * chunks that changed since. Needs the view lock: shared to look, exclusive to change. */
#ifndef EDB_ROWS_ROWS_H
#define EDB_ROWS_ROWS_H

#include "format/record.h"
#include "store/store_section_list.h"

#define ROWS_ENTRY_BYTES 32u
#define ROWS_CHUNK_ROWS (1u << 20) /* rows that one DEAD section speaks of */

/* Where a record stands. */
struct row_place {
    uint64_t frame;      /* offset of its GROUP in the file */
    uint32_t index;      /* of the record in the GROUP */
    uint32_t key_offset; /* from the frame's start */
    uint32_t key_bytes;
    uint8_t key_form;
    uint8_t extras;         /* RECORD_TEXT, RECORD_METADATA */
    uint32_t vector_offset; /* from the frame's start */
    uint32_t vector_bytes;
};

struct rows_chunk {
    struct store_section *section; /* DEAD section, or NULL */
    uint8_t *bits; /* copy that has changed since, or NULL: then the section counts */
    bool changed;
};

/* One bit a row: has its vector been verified in this process? A chunk's bits come with the first
 * one that is set, by whichever thread that is. */
typedef _Atomic uint64_t rows_checked_word;
struct rows_checked {
    _Atomic(rows_checked_word *) *chunks; /* room for all rows; changed like the rest of the view */
    size_t count;
};

struct rows {
    uint64_t tail_first;
    uint8_t *tail;
    size_t tail_count;
    size_t tail_capacity;
    struct store_section_list sections; /* without gaps from row 0 to tail_first */
    struct rows_chunk *chunks;
    size_t chunk_count;
    struct rows_checked checked;
};

void rows_close(struct rows *rows);

/* -------------------------------------------------------------------------------------- looking */

/* EDB_NOT_FOUND: no such row, or its page was dead when the section was built. EDB_CORRUPT: a
 * section is damaged. */
edb_status rows_place(const struct rows *rows, uint64_t row, struct row_place *place_out);

/* Keeps where all rows stand now, whatever is merged later: only rows_place may be asked of it.
 * Close it with rows_close. EDB_NO_MEMORY. */
edb_status rows_keep(const struct rows *rows, struct rows *kept_out);

/* The place of a row has turned out to be none: the section that said so is lost. */
void rows_lose_place(const struct rows *rows, uint64_t row);

/* Asks the memory for the entry of a row. */
void rows_prefetch(const struct rows *rows, uint64_t row);

/* Whether the row is gone. EDB_CORRUPT: a DEAD section is damaged. */
edb_status rows_dead(const struct rows *rows, uint64_t row, bool *dead_out);

/* Whether this row's vector was verified before, and noting that it was. Any thread with the view
 * lock, shared. */
bool rows_is_checked(const struct rows *rows, uint64_t row);
void rows_set_checked(struct rows *rows, uint64_t row);

/* ------------------------------------------------------------------------------------- changing */

/* Makes room for `count` more rows: rows_add cannot fail then. EDB_NO_MEMORY. */
edb_status rows_reserve(struct rows *rows, size_t count);

/* Makes room to mark a row as gone: rows_kill of it cannot fail then. EDB_NO_MEMORY, EDB_CORRUPT
 * (the section that says what is gone so far is damaged). */
edb_status rows_reserve_kill(struct rows *rows, uint64_t victim);

/* Adds the next row. */
void rows_add(struct rows *rows, const struct row_place *place);

/* Marks a row as gone. False if it already was. */
bool rows_kill(struct rows *rows, uint64_t row);

/* Uses these ROWS sections from now on and empties the list; they cover the rows below `covered`,
 * which leave the tail. */
void rows_adopt(struct rows *rows, struct store_section_list *sections, uint64_t covered);

/* Uses these DEAD sections for their chunks. A chunk that changed in memory since keeps its copy.
 * EDB_NO_MEMORY: nothing has changed. */
edb_status rows_adopt_dead(struct rows *rows, const struct store_section_list *sections);

/* ------------------------------------------------------------------------------------- building */

/* Which rows of [first, last) are gone, in a copy that is verified as it is made. */
struct rows_gone {
    uint64_t first;
    uint8_t *bits; /* freed with memory_free */
};
edb_status rows_copy_gone(const struct rows *rows, uint64_t first, uint64_t last,
                          struct rows_gone *out);

static inline bool rows_is_gone(const struct rows_gone *gone, uint64_t row)
{
    return gone->bits[(row - gone->first) / 8] >> ((row - gone->first) % 8) & 1;
}

/* Builds the body of a ROWS section for the rows below `last`, out of the sections from number
 * `from` on and the tail. Pages whose rows are all gone take no space. EDB_CORRUPT: a section is
 * damaged. EDB_NO_MEMORY. */
edb_status rows_build(const struct rows *rows, size_t from, uint64_t last,
                      struct store_section_draft *draft);

/* Builds the body of the DEAD section of chunk `index` for rows below `last`. */
edb_status rows_build_dead(const struct rows *rows, size_t index, uint64_t last,
                           struct store_section_draft *draft);

/* Whether the body of a ROWS or DEAD section is one that this version can read, by its
 * descriptor. */
bool rows_section_valid(const struct store_section *section);

#endif
