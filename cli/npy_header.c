/* A strict reader of the dictionary that stands in front of a .npy array. Knows text only: what the
 * entries mean for the array is npy_read.c's business. Nothing in it recurses or allocates; any
 * bytes are safe. */
#include "npy_header.h"

#include <string.h>

struct cursor {
    const char *at;
    const char *end;
};

enum { HAS_DESCR = 1, HAS_ORDER = 2, HAS_SHAPE = 4, HAS_ALL = 7, NAME_BYTES = 16 };

static const char *parse_entry(struct cursor *cursor, struct npy_header *header, int *seen);
static const char *parse_descr(struct cursor *cursor, struct npy_header *header);
static const char *parse_order(struct cursor *cursor, struct npy_header *header);
static const char *parse_shape(struct cursor *cursor, struct npy_header *header);
static int parse_string(struct cursor *cursor, char *out, size_t out_bytes);
static int parse_number(struct cursor *cursor, uint64_t *number_out);
static int take_word(struct cursor *cursor, const char *word);
static int take(struct cursor *cursor, char wanted);
static void skip_blank(struct cursor *cursor);

const char *npy_parse_header(const char *text, size_t bytes, struct npy_header *header_out)
{
    struct cursor cursor = {text, text + bytes};
    int seen = 0;
    memset(header_out, 0, sizeof *header_out);
    if (!take(&cursor, '{'))
        return "the header does not begin with {";
    while (!take(&cursor, '}')) {
        const char *wrong = parse_entry(&cursor, header_out, &seen);
        if (wrong != NULL)
            return wrong;
        if (take(&cursor, ','))
            continue;
        if (!take(&cursor, '}'))
            return "the header's dictionary is not closed";
        break;
    }
    skip_blank(&cursor);
    if (cursor.at != cursor.end)
        return "the header has something behind its dictionary";
    return seen == HAS_ALL ? NULL : "the header lacks descr, fortran_order or shape";
}

static const char *parse_entry(struct cursor *cursor, struct npy_header *header, int *seen)
{
    char name[NAME_BYTES];
    if (!parse_string(cursor, name, sizeof name) || !take(cursor, ':'))
        return "the header's dictionary has an entry without a name";
    int entry = strcmp(name, "descr") == 0           ? HAS_DESCR
                : strcmp(name, "fortran_order") == 0 ? HAS_ORDER
                : strcmp(name, "shape") == 0         ? HAS_SHAPE
                                                     : 0;
    if (entry == 0)
        return "the header has an entry that .npy does not know";
    if (*seen & entry)
        return "the header has an entry twice";
    *seen |= entry;
    if (entry == HAS_DESCR)
        return parse_descr(cursor, header);
    return entry == HAS_ORDER ? parse_order(cursor, header) : parse_shape(cursor, header);
}

static const char *parse_descr(struct cursor *cursor, struct npy_header *header)
{
    skip_blank(cursor);
    if (cursor->at < cursor->end && *cursor->at == '[')
        return "the array is structured (fields in each element): save one plain field";
    if (!parse_string(cursor, header->descr, sizeof header->descr))
        return "the header's descr is no element type";
    return NULL;
}

static const char *parse_order(struct cursor *cursor, struct npy_header *header)
{
    header->fortran_order = take_word(cursor, "True");
    if (header->fortran_order || take_word(cursor, "False"))
        return NULL;
    return "the header's fortran_order is neither True nor False";
}

static const char *parse_shape(struct cursor *cursor, struct npy_header *header)
{
    if (!take(cursor, '('))
        return "the header's shape is no tuple";
    while (!take(cursor, ')')) {
        if (header->rank == NPY_RANK_MAX)
            return "the header's shape has too many dimensions";
        if (!parse_number(cursor, &header->shape[header->rank]))
            return "the header's shape is no tuple of whole numbers";
        header->rank++;
        int comma = take(cursor, ',');
        if (!comma && header->rank == 1)
            return "the header's shape is no tuple";
        if (!comma && !take(cursor, ')'))
            return "the header's shape is not closed";
        if (!comma)
            break;
    }
    return NULL;
}

/* A quoted word without escapes. */
static int parse_string(struct cursor *cursor, char *out, size_t out_bytes)
{
    skip_blank(cursor);
    if (cursor->at == cursor->end || (*cursor->at != '\'' && *cursor->at != '"'))
        return 0;
    char quote = *cursor->at++;
    size_t length = 0;
    for (; cursor->at < cursor->end && *cursor->at != quote; cursor->at++) {
        char letter = *cursor->at;
        if (letter < 0x20 || letter == 0x7f || letter == '\\' || length + 1 == out_bytes)
            return 0;
        out[length++] = letter;
    }
    out[length] = '\0';
    return take(cursor, quote);
}

static int parse_number(struct cursor *cursor, uint64_t *number_out)
{
    uint64_t number = 0;
    skip_blank(cursor);
    const char *first = cursor->at;
    for (; cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9'; cursor->at++) {
        uint64_t digit = (uint64_t)(*cursor->at - '0');
        if (number > (UINT64_MAX - digit) / 10)
            return 0;
        number = number * 10 + digit;
    }
    *number_out = number;
    int any = cursor->at != first;
    /* Python 2 wrote long integers with an L. */
    if (any && cursor->at < cursor->end && *cursor->at == 'L')
        cursor->at++;
    return any;
}

static int take_word(struct cursor *cursor, const char *word)
{
    size_t length = strlen(word);
    skip_blank(cursor);
    if ((size_t)(cursor->end - cursor->at) < length || memcmp(cursor->at, word, length) != 0)
        return 0;
    cursor->at += length;
    return 1;
}

static int take(struct cursor *cursor, char wanted)
{
    skip_blank(cursor);
    if (cursor->at == cursor->end || *cursor->at != wanted)
        return 0;
    cursor->at++;
    return 1;
}

static void skip_blank(struct cursor *cursor)
{
    while (cursor->at < cursor->end &&
           (*cursor->at == ' ' || *cursor->at == '\n' || *cursor->at == '\t'))
        cursor->at++;
}
