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
#define ROWS_WORD_ROWS 64u

/* Where a record stands. */
struct row_place {
    uint64_t frame;      /* offset of its GROUP in the file */
    uint32_t index;      /* of the record in the GROUP */
    uint32_t key_offset; /* from the frame's start */
    uint32_t key_bytes;
    uint8_t key_form;
    uint8_t extras;         /* RECORD_TEXT, RECORD_METADATA, RECORD_PINNED */
    uint32_t vector_offset; /* from the frame's start */
    uint32_t vector_bytes;
    uint32_t extra_bytes; /* text with its NUL, metadata */
    uint32_t expiry_s;    /* since 1970; 0 = never */
    uint32_t cost;        /* of computing it */
};

/* Rows in memory: their entries, and where runs of following rows begin. One run, but for a file
 * that was compacted and whose index is lost. */
struct rows_run {
    uint64_t first;
    size_t at; /* its first entry */
};
struct rows_tail {
    uint8_t *entries;
    size_t count;
    size_t capacity;
    struct rows_run *runs;
    size_t run_count;
    size_t run_capacity;
};

typedef _Atomic uint64_t rows_checked_word;

/* What is known of ROWS_CHUNK_ROWS rows beside where they stand. */
struct rows_chunk {
    uint64_t number;
    struct store_section *section; /* DEAD section, or NULL */
    uint8_t *bits; /* copy that has changed since, or NULL: then the section counts */
    bool changed;
    /* One bit a row: has its vector been verified in this process? Made with the first one that is
     * set, by whichever thread that is. */
    _Atomic(rows_checked_word *) checked;
};

struct rows {
    uint64_t tail_first; /* rows below it are in sections, or gone */
    struct rows_tail tail;
    struct store_section_list sections; /* without gaps from row 0 to tail_first */
    struct rows_chunk *chunks;          /* in order of their numbers */
    size_t chunk_count;
};

void rows_close(struct rows *rows);

/* -------------------------------------------------------------------------------------- looking */

/* EDB_NOT_FOUND: no such row, or it was gone when the section was built. EDB_CORRUPT: a section is
 * damaged. */
edb_status rows_place(const struct rows *rows, uint64_t row, struct row_place *place_out);

/* Keeps where all rows stand now, whatever is merged later: only rows_place may be asked of it.
 * Close it with rows_close. EDB_NO_MEMORY. */
edb_status rows_keep(const struct rows *rows, struct rows *kept_out);

/* The place of a row has turned out to be none: the section that said so is lost. */
void rows_lose_place(const struct rows *rows, uint64_t row);

/* Asks the memory for the entry of a row. */
void rows_prefetch(const struct rows *rows, uint64_t row);

/* Whether the row is marked as gone; one without a place is gone, too. EDB_CORRUPT: a DEAD section
 * is damaged. */
edb_status rows_dead(const struct rows *rows, uint64_t row, bool *dead_out);

/* The live ones of the 64 rows that begin with `first`, a multiple of 64. */
struct rows_word {
    uint64_t first;
    uint64_t bits;
};

/* Its first row that is not below `row`; ROW_NONE when there is none. */
uint64_t rows_word_next(const struct rows_word *word, uint64_t row);

/* The first word, from the one of `row` on, with a live row below `end`; without bits when there is
 * none. Ranges without entries cost next to nothing. EDB_CORRUPT: a section is damaged. */
edb_status rows_next_live(const struct rows *rows, uint64_t row, uint64_t end,
                          struct rows_word *out);

/* Whether this row's vector was verified before, and noting that it was. Any thread with the view
 * lock, shared. */
bool rows_is_checked(const struct rows *rows, uint64_t row);
void rows_set_checked(struct rows *rows, uint64_t row);

/* ------------------------------------------------------------------------------------- changing */

/* Makes room for `count` more rows in `runs` runs of following ones: rows_add cannot fail then.
 * EDB_NO_MEMORY. */
edb_status rows_reserve(struct rows *rows, size_t count, size_t runs);

/* Makes room to note what becomes known of a row and its neighbours; and of all rows that the
 * sections have entries of. EDB_NO_MEMORY. */
edb_status rows_reserve_chunk(struct rows *rows, uint64_t row);
edb_status rows_reserve_chunks(struct rows *rows);

/* Makes room to mark a row as gone: rows_kill of it cannot fail then. EDB_NO_MEMORY, EDB_CORRUPT
 * (a section that says what is there, or gone so far, is damaged). */
edb_status rows_reserve_kill(struct rows *rows, uint64_t victim);

/* Adds a row, higher than all there are. Those between are gone. */
void rows_add(struct rows *rows, uint64_t row, const struct row_place *place);

/* Marks a row as gone and says where it stood. False if it already was, or has no place. */
bool rows_kill(struct rows *rows, uint64_t row, struct row_place *place_out);

/* Uses these ROWS sections from now on and empties the list; they cover the rows below `covered`,
 * which leave the tail. */
void rows_adopt(struct rows *rows, struct store_section_list *sections, uint64_t covered);

/* Uses these DEAD sections for their chunks. A chunk that changed in memory since keeps its copy.
 * EDB_NO_MEMORY: nothing has changed. */
edb_status rows_adopt_dead(struct rows *rows, const struct store_section_list *sections);

/* ------------------------------------------------------------------------------------- building */

/* The body of a ROWS section in the making. All zero but `first` at first. */
struct rows_writer {
    uint64_t first;
    struct rows_list {
        uint8_t *bytes; /* freed by rows_writer_close */
        size_t count;
        size_t capacity;
    } groups, words, entries;
};

/* Adds the place of a row, higher than all before. EDB_NO_MEMORY; EDB_FULL: too far from the
 * first. */
edb_status rows_writer_add(struct rows_writer *writer, uint64_t row, const struct row_place *place);

/* Fills a draft for the rows [first, last), of which those behind the last one that was added cost
 * nothing. The writer is empty then. EDB_NO_MEMORY. */
edb_status rows_writer_finish(struct rows_writer *writer, uint64_t last,
                              struct store_section_draft *draft);
void rows_writer_close(struct rows_writer *writer);

/* Builds the body of a ROWS section for the rows below `last`, out of the sections from number
 * `from` on and the tail, in copies that are verified as they are made. Rows that are gone take no
 * entry. EDB_CORRUPT: a section is damaged. EDB_NO_MEMORY. */
edb_status rows_build(const struct rows *rows, size_t from, uint64_t last,
                      struct store_section_draft *draft);

/* Builds the body of the DEAD section of chunk `index` (in rows->chunks) for rows below `last`. */
edb_status rows_build_dead(const struct rows *rows, size_t index, uint64_t last,
                           struct store_section_draft *draft);

/* Which rows of [first, last) are live, in a copy that is verified as it is made. */
struct rows_live {
    struct rows_word *words; /* those with bits, in order; freed by rows_live_close */
    size_t count;
    size_t capacity;
};
edb_status rows_live_open(const struct rows *rows, uint64_t first, uint64_t last,
                          struct rows_live *out);

/* The same a piece at a time: adds the next `words` words of rows [*row, last) that have bits.
 * *row is where to go on; `last` when there is no more. */
edb_status rows_live_add(const struct rows *rows, uint64_t *row, uint64_t last, size_t words,
                         struct rows_live *live);

/* Takes out, from word number `from` on, the rows whose time is over at `now_s`, and the words that
 * are empty then. EDB_CORRUPT: a section is damaged. */
edb_status rows_drop_expired(const struct rows *rows, uint64_t now_s, size_t from,
                             struct rows_live *live);
uint64_t rows_live_count(const struct rows_live *live);
bool rows_live_has(const struct rows_live *live, uint64_t row);

/* The first of them from `row` on; ROW_NONE when there is none. The words before number *at are
 * done: who asks in order begins with 0. */
uint64_t rows_live_next(const struct rows_live *live, size_t *at, uint64_t row);

/* As rows_live_has, for a builder of keys: a row is worth an entry as long as it is live. */
bool rows_live_keep(void *live, uint64_t row);
void rows_live_close(struct rows_live *live);

/* Whether the body of a ROWS or DEAD section is one that this version can read, by its
 * descriptor. */
bool rows_section_valid(const struct store_section *section);

#endif
