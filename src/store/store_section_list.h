/* The sections of one kind and space, in order of their rows. A list is one user of each of its
 * sections: two lists may hold the same one, and closing a list closes what nobody else uses. */
#ifndef EDB_STORE_STORE_SECTION_LIST_H
#define EDB_STORE_STORE_SECTION_LIST_H

#include "store/store_section.h"

struct store_section_list {
    struct store_section **items;
    size_t count;
};

/* The sections of `kind` that a catalog names for `space`. Those in `known` (NULL: none) are used
 * on, the others opened. On failure the list is empty. EDB_CORRUPT, EDB_IO, EDB_NO_MEMORY. */
edb_status store_section_list_open(struct store *store, const struct catalog *catalog,
                                   uint32_t space, uint16_t kind,
                                   const struct store_section_list *known,
                                   struct store_section_list *out);

/* Another list of the same sections. EDB_NO_MEMORY. */
edb_status store_section_list_share(const struct store_section_list *list,
                                    struct store_section_list *out);

/* Closes what the list holds and takes over what `by` holds, which is empty then. */
void store_section_list_replace(struct store_section_list *list, struct store_section_list *by);

/* A zeroed list and an empty one are allowed. */
void store_section_list_close(struct store_section_list *list);

/* Whether the sections follow each other from row 0 to row `rows`, without a gap. */
bool store_section_list_covers(const struct store_section_list *list, uint64_t rows);

/* Whether any of the sections is known to be damaged. */
bool store_section_list_lost(const struct store_section_list *list);

#endif
