/* Whether bytes are UTF-8. Called for names of spaces and for the strings of metadata. */
#ifndef EDB_BASE_UTF8_H
#define EDB_BASE_UTF8_H

#include <stddef.h>

/* The offset of the first byte that does not belong to well-formed UTF-8 (Unicode 15, table 3-7: no
 * surrogates, no overlong forms, nothing over U+10FFFF); `count` when all of it is. NUL is a
 * character like any other. */
size_t utf8_first_bad(const void *bytes, size_t count);

#endif
