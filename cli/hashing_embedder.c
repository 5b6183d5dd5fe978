/* Signed feature hashing of words, word pairs and character pieces; the header fixes every step.
 * Embed and search call it. A change of any result needs a new model name. */
#include "hashing_embedder.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "text_style.h"

enum {
    NUMBER_BITS = 20,
    WORD_CHARACTERS_MAX = 64,
    WORD_BYTES_MAX = WORD_CHARACTERS_MAX * 4,
    PIECE_MIN = 3,
    PIECE_MAX = 5,
    WEIGHT_WORD = 48,
    WEIGHT_PAIR = 24,
    WEIGHT_PIECE = 8,
    FUNCTION_WORD_SHARE = 8,
    SUM_BITS_MAX = 23
};

static const uint64_t SEED = UINT64_C(0x656d62656463616c);
static const uint64_t FNV_PRIME = UINT64_C(0x100000001b3);

/* What is known of one feature number within the present text. */
struct feature {
    uint16_t count;
    uint16_t weight;
};

/* "<word>" in characters. */
struct word {
    unsigned char bytes[WORD_BYTES_MAX + 2];
    uint16_t starts[WORD_CHARACTERS_MAX + 3]; /* of each character, and the end */
    size_t characters;                        /* with both marks */
    int is_function;
};

struct hashing {
    uint32_t dims;
    size_t used_count;
    struct word words[2]; /* the present one and the one before it, taking turns */
    int64_t *sums;
    uint32_t *used; /* numbers of the features of the present text */
    struct feature *features;
};

static const unsigned char *read_word(const unsigned char *at, const unsigned char *end,
                                      struct word *word);
static size_t character_length(const unsigned char *at, const unsigned char *end);
static int is_word_character(const unsigned char *at, size_t length);
static void add_character(struct word *word, const unsigned char *at, size_t length);
static int is_function_word(const struct word *word);
static int compare_words(const void *key, const void *entry);
static void add_word(struct hashing *hashing, const struct word *word, const struct word *before);
static void add_pieces(struct hashing *hashing, const struct word *word, uint32_t weight);
static uint64_t hash_bytes(uint64_t hash, const unsigned char *bytes, size_t count);
static void add_feature(struct hashing *hashing, uint64_t hash, uint32_t weight);
static uint64_t mix(uint64_t value);
static void fold_features(struct hashing *hashing);
static void normalise(const struct hashing *hashing, float *vector_out);

struct hashing *hashing_open(uint32_t dims)
{
    struct hashing *hashing = calloc(1, sizeof *hashing);
    if (hashing == NULL)
        return NULL;
    hashing->dims = dims;
    hashing->sums = malloc(dims * sizeof *hashing->sums);
    hashing->used = malloc(sizeof *hashing->used << NUMBER_BITS);
    hashing->features = calloc((size_t)1 << NUMBER_BITS, sizeof *hashing->features);
    if (hashing->sums != NULL && hashing->used != NULL && hashing->features != NULL)
        return hashing;
    hashing_close(hashing);
    return NULL;
}

int hashing_embed(struct hashing *hashing, const char *text, size_t bytes, float *vector_out)
{
    const unsigned char *at = (const unsigned char *)text;
    const unsigned char *end = at + bytes;
    struct word *word = &hashing->words[0];
    struct word *before = &hashing->words[1];
    before->characters = 0;
    for (;;) {
        at = read_word(at, end, word);
        if (word->characters == 0)
            break;
        add_word(hashing, word, before->characters > 0 ? before : NULL);
        struct word *present = word;
        word = before;
        before = present;
    }
    fold_features(hashing);
    normalise(hashing, vector_out);
    return before->characters > 0;
}

void hashing_close(struct hashing *hashing)
{
    if (hashing == NULL)
        return;
    free(hashing->sums);
    free(hashing->used);
    free(hashing->features);
    free(hashing);
}

/* Passes separators, reads the next word (none: 0 characters) and returns where it ended. */
static const unsigned char *read_word(const unsigned char *at, const unsigned char *end,
                                      struct word *word)
{
    size_t length = 0;
    word->characters = 0;
    while (at < end && !is_word_character(at, length = character_length(at, end)))
        at += length;
    if (at == end)
        return at;
    add_character(word, (const unsigned char *)"<", 1);
    while (at < end && word->characters <= WORD_CHARACTERS_MAX) {
        length = character_length(at, end);
        if (!is_word_character(at, length))
            break;
        add_character(word, at, length);
        at += length;
    }
    add_character(word, (const unsigned char *)">", 1);
    word->is_function = is_function_word(word);
    return at;
}

static size_t character_length(const unsigned char *at, const unsigned char *end)
{
    size_t length = style_utf8_length(at, (size_t)(end - at));
    return length == 0 ? 1 : length;
}

static int is_word_character(const unsigned char *at, size_t length)
{
    if (length == 1 && at[0] < 0x80)
        return (at[0] >= '0' && at[0] <= '9') || (at[0] >= 'A' && at[0] <= 'Z') ||
               (at[0] >= 'a' && at[0] <= 'z');
    if (length == 2 && at[0] == 0xc2)
        return 0; /* U+0080 to U+00BF: Latin punctuation and signs */
    if (length == 3 && at[0] == 0xe2 && (at[1] == 0x80 || (at[1] == 0x81 && at[2] <= 0xaf)))
        return 0; /* U+2000 to U+206F: dashes, quotes, spaces */
    return !(length == 3 && at[0] == 0xe3 && at[1] == 0x80); /* U+3000 to U+303F: CJK punctuation */
}

/* Keeps `starts[characters]` at the end of the word. */
static void add_character(struct word *word, const unsigned char *at, size_t length)
{
    if (word->characters == 0)
        word->starts[0] = 0;
    uint16_t start = word->starts[word->characters];
    for (size_t i = 0; i < length; i++)
        word->bytes[start + i] = at[i] >= 'A' && at[i] <= 'Z' ? (unsigned char)(at[i] + 32) : at[i];
    word->characters++;
    word->starts[word->characters] = (uint16_t)(start + length);
}

/* English words that carry grammar rather than content. */
static int is_function_word(const struct word *word)
{
    static const char *const functions[] = {
        "all",    "also",  "and",  "any",   "are",   "been",  "but",   "can",  "could", "did",
        "does",   "for",   "from", "had",   "has",   "have",  "her",   "his",  "how",   "into",
        "its",    "may",   "nor",  "not",   "one",   "other", "our",   "out",  "shall", "she",
        "should", "some",  "such", "than",  "that",  "the",   "their", "them", "then",  "there",
        "these",  "they",  "this", "those", "under", "upon",  "was",   "were", "what",  "when",
        "where",  "which", "who",  "why",   "will",  "with",  "would", "you",  "your",
    };
    size_t bytes = (size_t)word->starts[word->characters] - 2;
    if (bytes < 3)
        return word->bytes[1] < 0x80;
    return bsearch(word, functions, sizeof functions / sizeof functions[0], sizeof functions[0],
                   compare_words) != NULL;
}

static int compare_words(const void *key, const void *entry)
{
    const struct word *word = key;
    const char *function = *(const char *const *)entry;
    size_t bytes = (size_t)word->starts[word->characters] - 2;
    size_t length = strlen(function);
    int order = memcmp(word->bytes + 1, function, bytes < length ? bytes : length);
    return order != 0 ? order : (bytes > length) - (bytes < length);
}

static void add_word(struct hashing *hashing, const struct word *word, const struct word *before)
{
    uint32_t share = word->is_function ? FUNCTION_WORD_SHARE : 1;
    const unsigned char *bytes = word->bytes + 1;
    size_t count = (size_t)word->starts[word->characters] - 2;
    uint64_t hash = hash_bytes(SEED, (const unsigned char *)"w", 1);
    add_feature(hashing, hash_bytes(hash, bytes, count), WEIGHT_WORD / share);
    if (before != NULL) {
        uint32_t pair_share = before->is_function ? FUNCTION_WORD_SHARE : share;
        hash = hash_bytes(SEED, (const unsigned char *)"b", 1);
        hash = hash_bytes(hash, before->bytes + 1, (size_t)before->starts[before->characters] - 2);
        hash = hash_bytes(hash, (const unsigned char *)" ", 1);
        add_feature(hashing, hash_bytes(hash, bytes, count), WEIGHT_PAIR / pair_share);
    }
    add_pieces(hashing, word, WEIGHT_PIECE / share);
}

static void add_pieces(struct hashing *hashing, const struct word *word, uint32_t weight)
{
    uint64_t begun = hash_bytes(SEED, (const unsigned char *)"c", 1);
    for (size_t first = 0; first + PIECE_MIN <= word->characters; first++) {
        uint64_t hash = begun;
        for (size_t n = 1; n <= PIECE_MAX && first + n <= word->characters; n++) {
            size_t start = word->starts[first + n - 1];
            hash = hash_bytes(hash, word->bytes + start, word->starts[first + n] - start);
            if (n >= PIECE_MIN)
                add_feature(hashing, hash, weight);
        }
    }
}

static uint64_t hash_bytes(uint64_t hash, const unsigned char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        hash = (hash ^ bytes[i]) * FNV_PRIME;
    return hash;
}

static void add_feature(struct hashing *hashing, uint64_t hash, uint32_t weight)
{
    uint32_t number = (uint32_t)(mix(hash) >> (64 - NUMBER_BITS));
    struct feature *feature = &hashing->features[number];
    if (feature->count == 0) {
        feature->weight = (uint16_t)weight;
        hashing->used[hashing->used_count++] = number;
    }
    if (feature->count < UINT16_MAX)
        feature->count++;
}

/* Spreads every input bit over the word: xor-shift and multiply, twice. */
static uint64_t mix(uint64_t value)
{
    value = (value ^ value >> 31) * UINT64_C(0x9e3779b97f4a7c15);
    value = (value ^ value >> 29) * UINT64_C(0xd1b54a32d192ed03);
    return value ^ value >> 32;
}

/* Adds the features into the sums and forgets them. */
static void fold_features(struct hashing *hashing)
{
    memset(hashing->sums, 0, hashing->dims * sizeof *hashing->sums);
    for (size_t i = 0; i < hashing->used_count; i++) {
        uint32_t number = hashing->used[i];
        struct feature *feature = &hashing->features[number];
        uint64_t place = mix(number + SEED);
        uint32_t often = 64u * feature->count / (feature->count + 3u);
        int64_t value = (int64_t)feature->weight * often;
        hashing->sums[(uint32_t)place % hashing->dims] += place >> 63 ? -value : value;
        feature->count = 0;
    }
    hashing->used_count = 0;
}

static void normalise(const struct hashing *hashing, float *vector_out)
{
    int64_t largest = 0;
    for (uint32_t i = 0; i < hashing->dims; i++) {
        int64_t size = llabs(hashing->sums[i]);
        largest = size > largest ? size : largest;
    }
    int64_t divisor = 1;
    while (largest / divisor >> SUM_BITS_MAX)
        divisor *= 2;
    int64_t squares = 0;
    for (uint32_t i = 0; i < hashing->dims; i++) {
        hashing->sums[i] /= divisor;
        squares += hashing->sums[i] * hashing->sums[i];
    }
    double norm = squares > 0 ? sqrt((double)squares) : 1.0;
    for (uint32_t i = 0; i < hashing->dims; i++)
        vector_out[i] = (float)((double)hashing->sums[i] / norm);
}
