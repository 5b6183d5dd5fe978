/* Exact search: every query against every row it is shown. Called by db/ for rows that no index
 * covers. */
#ifndef EDB_INDEX_FLAT_FLAT_SEARCH_H
#define EDB_INDEX_FLAT_FLAT_SEARCH_H

#include "base/status.h"
#include "index/index.h"

struct flat_search;

/* How many rows of `dims` make a good block: about a quarter of a megabyte, so that a block stays
 * in the cache while all queries go over it. At least 1. Larger and smaller blocks are right
 * too. */
size_t flat_search_block_rows(size_t dims);

/* Begins a search. Copies `query`, not what it points to.
 *
 * search_out  free with flat_search_close.
 *
 * EDB_NO_MEMORY. */
edb_status flat_search_open(const struct index_query *query, struct flat_search **search_out);

/* Shows the search some rows, in any order, each row once.
 *
 * EDB_NO_MEMORY  the search is useless now. */
edb_status flat_search_block(struct flat_search *search, const struct index_block *block);

/* What was found: one result a query, best first, equal scores by row number, `complete` set. May
 * be called once.
 *
 * results_out  one piece of memory with all results and hits in it (free with memory_free).
 *
 * EDB_NO_MEMORY. */
edb_status flat_search_finish(struct flat_search *search, edb_result **results_out);

/* NULL is allowed. */
void flat_search_close(struct flat_search *search);

#endif
