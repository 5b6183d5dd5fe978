/* A folder for a test's files. */
#ifndef EDB_TESTS_SUPPORT_TEMPORARY_PLACE_H
#define EDB_TESTS_SUPPORT_TEMPORARY_PLACE_H

enum { PLACE_BYTES = 4096 };

/* Makes a new folder under $TMPDIR; the test ends when there can be none. */
void place_open(char place[PLACE_BYTES]);

/* Removes it with all that is in it. */
void place_close(const char *place);

#endif
