/* A cache in front of a model: each text of standard input is embedded at most once, in this run or
 * any later one. The "model" here counts letters; put yours in its place.
 *
 *     printf 'one\ntwo\none\n' | ./get_or_compute cache.edb
 */
#include <ctype.h>
#include <embedcache.h>
#include <stdio.h>
#include <string.h>

enum { DIMS = 26 };

static size_t computed;

/* What costs time or money. */
static void embed(const char *text, float vector[DIMS])
{
    memset(vector, 0, DIMS * sizeof *vector);
    for (; *text != '\0'; text++)
        if (isalpha((unsigned char)*text))
            vector[(tolower((unsigned char)*text) - 'a') % DIMS] += 1.0f;
    computed++;
}

/* The vector of a text: from the file when it is there, otherwise from the model, and kept. */
static edb_status get_or_compute(edb_space *space, const char *text, float vector[DIMS])
{
    size_t bytes = strlen(text);
    edb_status status = edb_get(space, text, bytes, vector);
    if (status != EDB_NOT_FOUND)
        return status;
    embed(text, vector);
    return edb_put(space, text, bytes, vector, NULL);
}

int main(int argc, char **argv)
{
    edb *db = NULL;
    edb_space *space;
    edb_space_spec spec = EDB_SPACE_SPEC_INIT;
    spec.model = "letter-count";
    spec.name = "letter-count";
    spec.dims = DIMS;
    edb_status status = edb_open(argc > 1 ? argv[1] : "cache.edb", NULL, &db);
    if (status == EDB_OK)
        status = edb_space_open(db, &spec, &space);

    char line[4096];
    size_t asked = 0;
    while (status == EDB_OK && fgets(line, sizeof line, stdin) != NULL) {
        float vector[DIMS];
        line[strcspn(line, "\n")] = '\0';
        status = get_or_compute(space, line, vector);
        asked++;
    }
    if (status != EDB_OK)
        fprintf(stderr, "%s: %s\n", edb_status_name(status), edb_error_detail());
    if (edb_close(db) != EDB_OK || status != EDB_OK)
        return 1;
    printf("%zu texts, %zu computed\n", asked, computed);
    return 0;
}
