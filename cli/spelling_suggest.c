/* Edit distance, for the two places that refuse a word: main.c and options.c. */
#include "spelling_suggest.h"

#include <ctype.h>
#include <string.h>

enum { WORD_BYTES = 64 };

static size_t edit_distance(const char *a, size_t a_length, const char *b, size_t b_length);
static size_t smaller(size_t a, size_t b);

size_t spelling_slips(const char *word, const char *known)
{
    char lower[WORD_BYTES];
    size_t length = strlen(word);
    size_t known_length = strlen(known);
    if (length >= WORD_BYTES || known_length >= WORD_BYTES)
        return SLIPS_MANY;
    for (size_t i = 0; i <= length; i++)
        lower[i] = (char)tolower((unsigned char)word[i]);
    if (length >= 2 && strncmp(lower, known, length) == 0)
        return 0;
    size_t slips = edit_distance(lower, length, known, known_length);
    return slips <= 2 && slips * 3 <= known_length ? slips : SLIPS_MANY;
}

/* Insertions, deletions, replacements and swaps of neighbours that lead from a to b, row by row of
 * the table of prefixes. */
static size_t edit_distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
    size_t rows[3][WORD_BYTES + 1];
    for (size_t j = 0; j <= b_length; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a_length; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i + 2) % 3];
        const size_t *two_above = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            int is_swap = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            size_t best = above[j - 1] + (a[i - 1] != b[j - 1]);
            best = smaller(best, smaller(above[j], row[j - 1]) + 1);
            row[j] = is_swap ? smaller(best, two_above[j - 2] + 1) : best;
        }
    }
    return rows[a_length % 3][b_length];
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}
