/* Bytes of a NOTE. Called by db/ when uses are handed over, and when they are applied. */
#include "format/note.h"

#include <string.h>

#include "base/buffer.h"
#include "base/bytes.h"
#include "format/format.h"

enum {
    VERSION = 1,
    HEAD_BYTES = 8, /* version, spaces */
    PART_AT_SPACE = 0,
    PART_AT_ROWS = 4,
    PART_AT_LIST_BYTES = 8,
    PART_AT_LEDGER = 16,
    PART_BYTES = PART_AT_LEDGER + LEDGER_BYTES,
    NUMBER_BYTES_MAX = 10,
};

void ledger_encode(const struct ledger *ledger, uint8_t bytes[LEDGER_BYTES])
{
    store_u64(bytes, ledger->hits);
    store_u64(bytes + 8, ledger->misses);
    store_u64(bytes + 16, ledger->hit_bytes);
    store_u64(bytes + 24, ledger->hit_cost);
    store_u64(bytes + 32, ledger->evictions);
}

void ledger_decode(const uint8_t bytes[LEDGER_BYTES], struct ledger *out)
{
    *out = (struct ledger){.hits = load_u64(bytes),
                           .misses = load_u64(bytes + 8),
                           .hit_bytes = load_u64(bytes + 16),
                           .hit_cost = load_u64(bytes + 24),
                           .evictions = load_u64(bytes + 32)};
}

void ledger_add(struct ledger *ledger, const struct ledger *more)
{
    ledger->hits += more->hits;
    ledger->misses += more->misses;
    ledger->hit_bytes += more->hit_bytes;
    ledger->hit_cost += more->hit_cost;
    ledger->evictions += more->evictions;
}

void ledger_subtract(struct ledger *ledger, const struct ledger *less)
{
    ledger->hits -= less->hits;
    ledger->misses -= less->misses;
    ledger->hit_bytes -= less->hit_bytes;
    ledger->hit_cost -= less->hit_cost;
    ledger->evictions -= less->evictions;
}

bool ledger_is_zero(const struct ledger *ledger)
{
    return (ledger->hits | ledger->misses | ledger->hit_bytes | ledger->hit_cost |
            ledger->evictions) == 0;
}

/* -------------------------------------------------------------------------------------- writing */

bool note_begin(struct note_writer *writer, struct buffer *out)
{
    uint8_t head[HEAD_BYTES] = {VERSION};
    *writer = (struct note_writer){.out = out};
    return buffer_append(out, head, sizeof head) == EDB_OK;
}

bool note_begin_space(struct note_writer *writer, uint32_t space, const struct ledger *ledger)
{
    uint8_t part[PART_BYTES] = {0};
    writer->part = writer->out->count;
    writer->row = 0;
    writer->rows = 0;
    store_u32(part + PART_AT_SPACE, space);
    ledger_encode(ledger, part + PART_AT_LEDGER);
    return buffer_append(writer->out, part, sizeof part) == EDB_OK;
}

bool note_add_row(struct note_writer *writer, uint64_t row, unsigned uses)
{
    uint8_t bytes[NUMBER_BYTES_MAX];
    size_t count = 0;
    bool back = row < writer->row;
    uint64_t distance = back ? writer->row - row : row - writer->row;
    uint64_t number = (distance << 1 | back) << 2 | uses;
    do {
        bytes[count] = (uint8_t)((number & 127) | (number > 127 ? 128 : 0));
        number >>= 7;
        count++;
    } while (number > 0);
    writer->row = row;
    writer->rows++;
    return buffer_append(writer->out, bytes, count) == EDB_OK;
}

void note_end_space(struct note_writer *writer)
{
    uint8_t *part = writer->out->bytes + writer->part;
    store_u32(part + PART_AT_ROWS, writer->rows);
    store_u32(part + PART_AT_LIST_BYTES,
              (uint32_t)(writer->out->count - writer->part - PART_BYTES));
    writer->spaces++;
    store_u32(writer->out->bytes + 4, writer->spaces);
}

/* -------------------------------------------------------------------------------------- reading */

bool note_open(struct note_reader *reader, const uint8_t *payload, size_t bytes)
{
    memset(reader, 0, sizeof *reader);
    if (bytes < HEAD_BYTES || load_u32(payload) != VERSION)
        return false;
    reader->spaces_left = load_u32(payload + 4);
    reader->at = payload + HEAD_BYTES;
    reader->list_end = reader->at;
    reader->end = payload + bytes;
    return true;
}

bool note_next_space(struct note_reader *reader)
{
    const uint8_t *part = reader->list_end;
    if (reader->spaces_left == 0 || (size_t)(reader->end - part) < PART_BYTES)
        return false;
    uint32_t list_bytes = load_u32(part + PART_AT_LIST_BYTES);
    if (list_bytes > (size_t)(reader->end - part) - PART_BYTES)
        return false;
    reader->spaces_left--;
    reader->space = load_u32(part + PART_AT_SPACE);
    reader->row = 0;
    ledger_decode(part + PART_AT_LEDGER, &reader->ledger);
    reader->at = part + PART_BYTES;
    reader->list_end = reader->at + list_bytes;
    return true;
}

bool note_next_row(struct note_reader *reader, uint64_t *row_out, unsigned *uses_out)
{
    uint64_t number = 0;
    for (unsigned shift = 0; shift < 64 && reader->at < reader->list_end; shift += 7) {
        uint8_t byte = *reader->at++;
        number |= (uint64_t)(byte & 127) << shift;
        if (byte & 128)
            continue;
        reader->row += number >> 2 & 1 ? 0 - (number >> 3) : number >> 3;
        *row_out = reader->row;
        *uses_out = number & 3;
        return reader->row < ROWS_MAX;
    }
    return false;
}
