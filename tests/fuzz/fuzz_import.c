/* Every format that `import` reads. Byte 0 says which kind the bytes are to be, or that their
 * content decides; byte 1 what the command line says beside it; the rest is the source. However it
 * is read (as a file, on standard input, from a row in the middle) its rows are the same, finite,
 * and no more than there are bytes for (27, 28). */
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bytes.h"
#include "fuzz/target.h"
#include "report_error.h"
#include "source.h"

enum { HEAD_BYTES = 2, ROWS_KEPT = 512, NAME_BYTES = 32 };

enum wish_bit { WISH_DIMS = 7, WISH_DTYPE = 24, WISH_FIELDS = 32, WISH_REST = 64, WISH_BARE = 128 };

/* What one reading gave. */
struct reading {
    int code; /* CODE_END when all of it is good */
    uint64_t rows;
    uint64_t digests[ROWS_KEPT]; /* of the first rows */
    uint32_t dims;
};

static int source_file = -1;
static char source_path[NAME_BYTES];
static float vector[EDB_DIMS_MAX];

/* -------------------------------------------------------------------------------- what is asked */

static size_t kind_count(void)
{
    size_t count = 0;
    while (source_kinds[count] != &source_directory)
        count++;
    return count;
}

/* Only words that the kind takes: others are refused before a byte is read. */
static void make_wish(const uint8_t head[HEAD_BYTES], const char *path, struct source_wish *wish)
{
    static const char *const types[] = {"float32", "float16", "int8", "<f8"};
    const struct source_kind *kind = NULL;
    memset(wish, 0, sizeof *wish);
    wish->path = path;
    if (head[0] < kind_count())
        kind = source_kinds[head[0]];
    wish->kind = kind != NULL ? kind->name : NULL;
    if (kind == &source_memmap) {
        wish->dims = 1 + (head[1] & WISH_DIMS);
        wish->dtype = types[(head[1] & WISH_DTYPE) / 8];
    }
    if (kind == &source_csv)
        wish->has_no_header = (head[1] & WISH_BARE) != 0;
    if (kind == &source_jsonl || kind == &source_csv) {
        wish->metadata_is_rest = (head[1] & WISH_REST) != 0;
        if (head[1] & WISH_FIELDS)
            wish->key_field = "text";
    }
}

/* ----------------------------------------------------------------------------------- reading it */

static void put_source(const uint8_t *bytes, size_t count)
{
    bool good = ftruncate(source_file, 0) == 0 &&
                pwrite(source_file, bytes, count, 0) == (ssize_t)count &&
                lseek(STDIN_FILENO, 0, SEEK_SET) == 0;
    target_hold(good, "the source could not be written");
}

static uint64_t digest_part(uint64_t before, const char *bytes, size_t count)
{
    return bytes == NULL ? before + 1 : target_digest(before, bytes, count);
}

static uint64_t digest_row(const struct source *source, const struct record *record)
{
    uint64_t digest = digest_part(0, record->key, record->key_bytes);
    digest = digest_part(digest, record->text, record->text_bytes);
    digest = digest_part(digest, record->metadata, record->metadata_bytes);
    digest = digest_part(digest, record->value, record->value_bytes);
    for (uint32_t i = 0; i < source->dims; i++)
        target_hold(isfinite(vector[i]), "element %u of a row is %f", i, (double)vector[i]);
    return target_digest(digest, vector, source->dims * sizeof vector[0]);
}

static int next_row(struct source *source, uint64_t *digest_out)
{
    struct record record;
    memset(&record, 0, sizeof record);
    int code = source->kind->next(source, &record, vector);
    if (code == CODE_OK)
        *digest_out = digest_row(source, &record);
    return code;
}

/* Rows from number `first` on. */
static void read_rows(struct source *source, uint64_t first, uint64_t rows_max, struct reading *out)
{
    uint64_t digest = 0;
    out->dims = source->dims;
    target_hold(source->dims <= EDB_DIMS_MAX, "%u dims", source->dims);
    out->code = source_skip(source, first);
    while (out->code == CODE_OK) {
        out->code = next_row(source, &digest);
        if (out->code != CODE_OK)
            break;
        if (out->rows < ROWS_KEPT)
            out->digests[out->rows] = digest;
        out->rows++;
        target_hold(out->rows <= rows_max, "more rows than bytes: %llu",
                    (unsigned long long)out->rows);
    }
    if (out->code == CODE_END && source->rows != SOURCE_ROWS_UNKNOWN)
        target_hold(first + out->rows == source->rows || first > source->rows,
                    "%llu rows from row %llu on, of %llu", (unsigned long long)out->rows,
                    (unsigned long long)first, (unsigned long long)source->rows);
}

static void read_source(const uint8_t *bytes, size_t count, const char *path, uint64_t first,
                        struct reading *out)
{
    struct source_wish wish;
    struct source source;
    put_source(bytes + HEAD_BYTES, count - HEAD_BYTES);
    make_wish(bytes, path, &wish);
    memset(out, 0, sizeof *out);
    out->code = source_open(&source, &wish);
    if (out->code == CODE_OK)
        read_rows(&source, first, count + 1, out);
    source_close(&source);
    target_hold(out->code == CODE_END || out->code == CODE_REFUSED || out->code == CODE_USAGE ||
                    out->code == CODE_BAD_DATA,
                "exit code %d", out->code);
}

static void hold_same_rows(const struct reading *a, const struct reading *b, uint64_t first)
{
    target_hold(a->dims == b->dims, "%u dims, and %u", a->dims, b->dims);
    target_hold(b->rows + first == a->rows || first > a->rows, "%llu rows, and %llu from %llu on",
                (unsigned long long)a->rows, (unsigned long long)b->rows,
                (unsigned long long)first);
    for (uint64_t i = first; i < a->rows && i < ROWS_KEPT; i++)
        target_hold(a->digests[i] == b->digests[i - first], "row %llu differs",
                    (unsigned long long)i);
}

static void begin(void)
{
    if (source_file >= 0)
        return;
    source_file = memfd_create("source", MFD_CLOEXEC);
    snprintf(source_path, sizeof source_path, "/proc/self/fd/%d", source_file);
    int standard = open(source_path, O_RDONLY | O_CLOEXEC);
    target_hold(source_file >= 0 && standard >= 0 && dup2(standard, STDIN_FILENO) == STDIN_FILENO,
                "no file in memory");
    target_quiet();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    static struct reading file;
    static struct reading pipe;
    static struct reading later;
    begin();
    if (count < HEAD_BYTES)
        return 0;
    read_source(bytes, count, source_path, 0, &file);
    /* A pipe does not tell its length: what looks like one kind may then look like none. */
    if (bytes[0] < kind_count()) {
        read_source(bytes, count, "-", 0, &pipe);
        if (file.code == CODE_END) {
            target_hold(pipe.code == CODE_END, "refused on standard input");
            hold_same_rows(&file, &pipe, 0);
        }
    }
    if (file.code == CODE_END && file.rows > 1) {
        read_source(bytes, count, source_path, file.rows / 2, &later);
        target_hold(later.code == CODE_END, "refused from row %llu on",
                    (unsigned long long)file.rows / 2);
        hold_same_rows(&file, &later, file.rows / 2);
    }
    return 0;
}

/* ---------------------------------------------------------------------------------------- seeds */

static const struct source_kind *const texts_of[] = {&source_jsonl, &source_jsonl, &source_jsonl,
                                                     &source_csv,   &source_csv,   &source_csv};
static const char *const texts[] = {
    "{\"key\":\"a\",\"vector\":[0.5,-1e-3],\"text\":\"x\\u00e4\",\"metadata\":{\"n\":[1]}}\n"
    "{\"key\":7,\"vector\":[1,2],\"text\":null}\r\n\n{\"key\":\"\",\"vector\":[3.25,4E2]}",
    "{\"embedcache_space\":{\"name\":\"n\",\"dims\":0,\"key_form\":\"bytes\"}}\n"
    "{\"key_base64\":\"AAE=\",\"value_base64\":\"/+8=\",\"text_base64\":\"\"}\n",
    "{\"text\":\"the text\",\"vector\":[1],\"more\":{\"deep\":[[]]},\"flag\":true}\n",
    "key,text,v0,v1\na,\"two, \"\"quoted\"\"\nlines\",1,2\nb,,-0.5,1e3\r\n",
    "1;2;3\n4;5;6\n",
    "key\tvector\ttext\nk\t\"[1, 2, 3]\"\tt\n",
};
enum { TEXTS = sizeof texts / sizeof texts[0] };

static uint8_t number_of(const struct source_kind *kind)
{
    uint8_t number = 0;
    while (source_kinds[number] != kind)
        number++;
    return number;
}

static size_t seed_text(size_t number, uint8_t *out)
{
    size_t count = strlen(texts[number]);
    out[0] = number_of(texts_of[number]);
    out[1] = number == 2 ? WISH_FIELDS | WISH_REST : number == 4 ? WISH_BARE : 0;
    memcpy(out + HEAD_BYTES, texts[number], count);
    return HEAD_BYTES + count;
}

/* Rows of `dims` numbers of the width, each after its dims where the kind says so. */
static size_t put_rows(uint8_t *out, uint32_t width, bool has_dims)
{
    enum { ROWS = 3, DIMS = 4 };
    uint8_t *at = out;
    for (uint32_t row = 0; row < ROWS; row++) {
        if (has_dims) {
            store_u32(at, DIMS);
            at += 4;
        }
        for (uint32_t i = 0; i < DIMS; i++, at += width) {
            float number = (float)row - 0.5f * (float)i;
            memset(at, (int)(row + i), width);
            if (width == 4)
                memcpy(at, &number, sizeof number);
        }
    }
    return (size_t)(at - out);
}

static size_t seed_numbers(const struct source_kind *kind, uint8_t *out)
{
    bool is_vecs = kind == &source_fvecs || kind == &source_bvecs || kind == &source_ivecs;
    bool is_bytes = kind == &source_bvecs || kind == &source_u8bin || kind == &source_i8bin;
    size_t head = is_vecs || kind == &source_memmap ? 0 : 8;
    out[0] = number_of(kind);
    out[1] = 3; /* dims of a memmap, less one */
    if (head > 0) {
        store_u32(out + HEAD_BYTES, 3);
        store_u32(out + HEAD_BYTES + 4, 4);
    }
    return HEAD_BYTES + head + put_rows(out + HEAD_BYTES + head, is_bytes ? 1 : 4, is_vecs);
}

static size_t seed_npy(uint8_t *out, const char *descr, uint32_t width)
{
    char header[119];
    memset(header, ' ', sizeof header);
    int count = snprintf(header, sizeof header,
                         "{'descr': '%s', 'fortran_order': False, 'shape': (3, 4), }", descr);
    header[count] = ' ';
    header[sizeof header - 1] = '\n';
    out[0] = number_of(&source_npy);
    out[1] = 0;
    uint8_t *at = out + HEAD_BYTES;
    memcpy(at, "\x93NUMPY\1\0", 8);
    store_u16(at + 8, sizeof header - 1);
    memcpy(at + 10, header, sizeof header - 1);
    at[10 + sizeof header - 2] = '\n';
    return HEAD_BYTES + 10 + sizeof header - 1 +
           put_rows(at + 10 + sizeof header - 1, width, false);
}

static size_t seed_safetensors(uint8_t *out, const char *header, uint32_t width)
{
    size_t count = strlen(header);
    out[0] = number_of(&source_safetensors);
    out[1] = 0;
    store_u64(out + HEAD_BYTES, count);
    memcpy(out + HEAD_BYTES + 8, header, count);
    return HEAD_BYTES + 8 + count + put_rows(out + HEAD_BYTES + 8 + count, width, false);
}

size_t target_seed(size_t number, uint8_t *out)
{
    static const struct source_kind *const plain[] = {&source_fvecs, &source_bvecs, &source_ivecs,
                                                      &source_fbin,  &source_u8bin, &source_i8bin,
                                                      &source_memmap};
    enum { PLAIN = sizeof plain / sizeof plain[0] };
    if (number < TEXTS)
        return seed_text(number, out);
    number -= TEXTS;
    if (number < PLAIN)
        return seed_numbers(plain[number], out);
    switch (number - PLAIN) {
    case 0:
        return seed_npy(out, "<f4", 4);
    case 1:
        return seed_npy(out, ">f2", 2);
    case 2:
        return seed_npy(out, "|u1", 1);
    case 3:
        return seed_safetensors(
            out, "{\"m\":{\"dtype\":\"F32\",\"shape\":[3,4],\"data_offsets\":[0,48]}}", 4);
    case 4:
        return seed_safetensors(out,
                                "{\"__metadata__\":{\"embedcache_space\":\"{}\"},\"m\":{\"dtype\":"
                                "\"BF16\",\"shape\":[3,4],\"data_offsets\":[0,24]}}",
                                2);
    default:
        return 0;
    }
}
