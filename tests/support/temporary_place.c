/* Making and removing a test's folder. Called by tests that need files on a real disk. */
#include "support/temporary_place.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void place_open(char place[PLACE_BYTES])
{
    const char *root = getenv("TMPDIR");
    snprintf(place, PLACE_BYTES, "%s/edb_test_XXXXXX", root != NULL ? root : "/tmp");
    if (mkdtemp(place) != NULL)
        return;
    fprintf(stderr, "cannot make a folder %s: %s\n", place, strerror(errno));
    exit(1);
}

static int remove_one(const char *path, const struct stat *found, int kind, struct FTW *where)
{
    (void)found;
    (void)kind;
    (void)where;
    return remove(path);
}

void place_close(const char *place)
{
    nftw(place, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
