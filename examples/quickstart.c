/* The whole of EmbedCache in one page: open a file, keep a vector under a text, get it back,
 * search.
 *
 *     cc quickstart.c $(pkg-config --cflags --libs embedcache) -o quickstart
 *     ./quickstart cache.edb
 */
#include <embedcache.h>
#include <stdio.h>
#include <string.h>

static int complain(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, edb_error_detail());
    return 1;
}

int main(int argc, char **argv)
{
    edb *db;
    if (edb_open(argc > 1 ? argv[1] : "cache.edb", NULL, &db) != EDB_OK)
        return complain("open");

    edb_space_spec spec = EDB_SPACE_SPEC_INIT;
    spec.model = "toy-model";
    spec.dims = 3;
    edb_space *space;
    if (edb_space_open(db, &spec, &space) != EDB_OK)
        return complain("space");

    const char *const texts[] = {"a red apple", "a green apple", "a blue whale"};
    const float vectors[][3] = {{0.9f, 0.1f, 0.0f}, {0.7f, 0.7f, 0.0f}, {0.0f, 0.1f, 0.9f}};
    for (int i = 0; i < 3; i++)
        if (edb_put(space, texts[i], strlen(texts[i]), vectors[i], NULL) != EDB_OK)
            return complain("put");

    float vector[3];
    if (edb_get(space, "a red apple", strlen("a red apple"), vector) != EDB_OK)
        return complain("get");
    printf("a red apple = (%.1f, %.1f, %.1f)\n", vector[0], vector[1], vector[2]);

    edb_search_options options = EDB_SEARCH_OPTIONS_INIT;
    options.k = 2;
    edb_result *found;
    if (edb_search(space, vector, 1, &options, &found) != EDB_OK)
        return complain("search");
    for (size_t i = 0; i < found->count; i++) {
        edb_view view;
        if (edb_view_row(space, found->hits[i].row, &view) != EDB_OK)
            return complain("view");
        printf("%.3f  %.*s\n", found->hits[i].score, (int)view.key_bytes, (const char *)view.key);
        edb_view_release(&view);
    }
    edb_free(found);
    return edb_close(db) == EDB_OK ? 0 : complain("close");
}
