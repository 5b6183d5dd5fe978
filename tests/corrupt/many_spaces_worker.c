/* many_spaces_worker FILE: makes a file with as many spaces as there can be, which would be a
 * thousand runs of the command. */
#include <embedcache.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    edb *db;
    edb_space *space;
    char name[16];
    if (argc != 2 || edb_open(argv[1], NULL, &db) != EDB_OK)
        return 2;
    for (unsigned i = 0; i < EDB_SPACES_MAX; i++) {
        edb_space_spec spec = EDB_SPACE_SPEC_INIT;
        snprintf(name, sizeof name, "space %u", i);
        spec.name = name;
        spec.dims = 1;
        if (edb_space_open(db, &spec, &space) != EDB_OK)
            return 1;
    }
    return edb_close(db) != EDB_OK;
}
