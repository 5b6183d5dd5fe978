/* The built-in embedder "hashing-v1": text to vector without a model and without a network.
 *
 * It is lexical: two texts are near when they share words, pairs of words and pieces of words, not
 * when they mean the same. What it computes is fixed for ever under this name, on every machine,
 * bit for bit:
 *
 * 1. Words. A-Z become a-z; no other character changes: É and é, Д and д, Σ and σ are different,
 *    and so are the spellings of é as one character and as e with a combining accent. A word is a
 *    run of letters and digits of ASCII and of any characters from U+0080 on, except U+0080-U+00BF,
 *    U+2000-U+206F and U+3000-U+303F, which separate like other ASCII does. A byte that is no valid
 *    UTF-8 is a character of its own. Runs are cut after 64 characters.
 * 2. Features. Each word (weight 48), each two words that follow each other (24), and each piece of
 *    3, 4 and 5 characters of "<word>" (8). A function word ("the", "of", ... and ASCII words
 *    shorter than three) has an eighth of the weights of word and pieces; a pair has an eighth when
 *    either word is one.
 * 3. Number of a feature: FNV-1a, 64 bits, over a kind byte ('w', 'b', 'c') and the feature's bytes
 *    (a pair is joined by one space), started from the seed, mixed; its upper 20 bits. Features of
 *    equal number are one, with the weight of the first.
 * 4. A feature that occurs n times adds weight * floor(64 n / (n + 3)), n at most 65,535, to one of
 *    the dimensions: the number, plus the seed, mixed again, gives the dimension (lower 32 bits
 *    modulo dims) and the sign (top bit: minus).
 * 5. Sums whose largest absolute value needs more than 23 bits are divided by the power of two that
 *    makes them fit (rounding towards zero). Each is divided by the square root of the sum of
 *    squares, in double, rounded to float. A text without words gives the zero vector.
 *
 * All of 1 to 4 is integer arithmetic, 5 uses only operations that IEEE 754 rounds exactly. */
#ifndef EMBEDCACHE_CLI_HASHING_EMBEDDER_H
#define EMBEDCACHE_CLI_HASHING_EMBEDDER_H

#include <stddef.h>
#include <stdint.h>

#define HASHING_MODEL "hashing-v1"

enum { HASHING_DIMS = 384 };

struct hashing;

/* NULL when there is no memory. 8 MiB, whatever the texts. */
struct hashing *hashing_open(uint32_t dims);

/* The vector of one text into `vector_out` (dims floats, length 1, or 0 for a text without words).
 * Returns whether there was a word. */
int hashing_embed(struct hashing *hashing, const char *text, size_t bytes, float *vector_out);

/* NULL is allowed. */
void hashing_close(struct hashing *hashing);

#endif
