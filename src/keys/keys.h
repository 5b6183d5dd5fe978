/* Key index of one space: the hash of a key -> the rows that may hold it. Whoever asks compares the
 * keys themselves; a hash here only says where to look. Rows that are gone may still be named:
 * rows/ knows which.
 *
 * Old rows stand in sections (immutable, mapped, one cache line a lookup), new ones in the tail (a
 * table in memory). Needs the view lock: shared to look, exclusive to change. */
#ifndef EDB_KEYS_KEYS_H
#define EDB_KEYS_KEYS_H

#include "store/store_section_list.h"

struct keys_slot {
    uint64_t hash;
    uint64_t row_plus_1; /* 0: free */
};

struct keys_tail {
    struct keys_slot *slots;
    size_t capacity; /* a power of two, or 0 */
    size_t count;
};

struct keys {
    struct keys_tail tail;
    struct store_section_list sections; /* oldest first */
};

void keys_close(struct keys *keys);

/* -------------------------------------------------------------------------------------- looking */

struct keys_probe {
    uint64_t hash;
    size_t tail_at; /* slots of the tail looked at */
    size_t section; /* sections done */
    uint32_t bucket;
    uint32_t buckets_left;
    uint8_t entry;
    bool in_section;
};

/* Begins; asks the memory for what the lookup will touch. */
void keys_probe_begin(const struct keys *keys, uint64_t hash, struct keys_probe *probe);

/* The next candidate row, newest sections first. EDB_NOT_FOUND: no more. EDB_CORRUPT: a section is
 * damaged. */
edb_status keys_probe_next(const struct keys *keys, struct keys_probe *probe, uint64_t *row_out);

/* ------------------------------------------------------------------------------------- changing */

/* Makes room for `count` more rows in the tail: keys_insert cannot fail then. */
edb_status keys_reserve(struct keys *keys, size_t count);

/* Adds a row to the tail. `prior` is the row of the same key that it replaces, ROW_NONE if there
 * was none. */
void keys_insert(struct keys *keys, uint64_t hash, uint64_t row, uint64_t prior);

/* Takes a row out of the tail, if it is there. */
void keys_remove(struct keys *keys, uint64_t hash, uint64_t row);

/* Uses these sections from now on and empties the list; rows below `covered` leave the tail. */
void keys_adopt(struct keys *keys, struct store_section_list *sections, uint64_t covered);

/* ------------------------------------------------------------------------------------- building */

/* Whether a row is worth keeping in a new section. */
typedef bool keys_keep(void *arg, uint64_t row);

/* Builds the body of a section for the rows [first, last) of its descriptor, out of the sections
 * from number `from` on and the tail. EDB_CORRUPT: a section is damaged. EDB_NO_MEMORY.
 * EDB_FULL: rows too far apart for one section. */
edb_status keys_build(const struct keys *keys, size_t from, struct store_section_draft *draft,
                      keys_keep *keep, void *arg);

/* The same a part at a time, for what is not to stand in memory whole. The caller fills in what is
 * built, of which nothing but its sections may change until the builder is closed; the rest is
 * zero at first. */
struct keys_entry {
    uint32_t tag;
    uint32_t row; /* from `first` */
};
struct keys_builder {
    const struct keys *keys;
    size_t from;
    uint64_t first;
    uint64_t last;
    keys_keep *keep;
    void *arg;

    uint64_t entries; /* that there will be */
    uint64_t taken;   /* that there are */
    uint64_t body_bytes;
    uint32_t buckets;
    uint64_t parts;
    uint64_t built;
    size_t part_bytes;             /* of all parts but the last */
    uint8_t *kept;                 /* the first part */
    uint8_t *part;                 /* the one at hand */
    struct keys_entry *carried[2]; /* into the part at hand, and out of it */
    size_t carried_in;
    size_t carried_out;
};

/* A part of the body that is done. count 0: none is. */
struct keys_part {
    uint64_t at;
    const uint8_t *bytes; /* good until the next call */
    size_t count;
};

/* `entries`: how many rows will be kept; `part_bytes`: a multiple of the blocks of a section, or
 * SIZE_MAX. EDB_NO_MEMORY. */
edb_status keys_builder_open(struct keys_builder *builder, uint64_t entries, size_t part_bytes);

/* Takes the next step, the last of which gives the first part. EDB_CORRUPT: a section is damaged,
 * or the entries are others than was said; nothing has changed then, and the step may be taken
 * again. EDB_FULL as above. */
edb_status keys_builder_next(struct keys_builder *builder, struct keys_part *part_out);
bool keys_builder_is_done(const struct keys_builder *builder);

/* Fills kind, rows and length. */
void keys_builder_describe(const struct keys_builder *builder,
                           struct section_descriptor *descriptor);
void keys_builder_close(struct keys_builder *builder);

/* Whether the body of a section is one that this version can read, by its descriptor. */
bool keys_section_valid(const struct store_section *section);

#endif
