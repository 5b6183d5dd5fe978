/* Finding one list in a line of JSON without parsing the line. */
#ifndef EMBEDCACHE_CLI_JSON_LIST_FIND_H
#define EMBEDCACHE_CLI_JSON_LIST_FIND_H

#include <stddef.h>

/* Where the list "[...]" of the outermost object's member `name` lies. Returns 0 when there is
 * none, and where the line is no valid object: who parses the line says so. A list that holds other
 * than numbers, blanks and commas is not found either. */
int json_list_find(const char *line, size_t bytes, const char *name, size_t *at_out,
                   size_t *count_out);

#endif
