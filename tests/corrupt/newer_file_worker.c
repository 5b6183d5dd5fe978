/* newer_file_worker FILE KIND: changes a good file into one that a later release might have
 * written, for tests that ask the command about it. The kinds are the names in `kinds`. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "corrupt/frame_map.h"
#include "format/record.h"

enum { FILE_BYTES = 1 << 20, KEY_BYTES = 3 };

static uint8_t bytes[FILE_BYTES];
static struct frame_map map;

static void version_2(struct genesis *genesis)
{
    genesis->version = FORMAT_VERSION + 1;
}

static void version_0(struct genesis *genesis)
{
    genesis->version = 0;
}

static void feature(struct genesis *genesis)
{
    genesis->incompatible = 1ull << 40;
}

static void reader_feature(struct genesis *genesis)
{
    genesis->read_only_compatible = 1ull << 40;
}

static void append(uint8_t type, uint16_t flags, const uint8_t *payload, size_t payload_bytes)
{
    const struct frame_header *last = &map.frames[map.count - 1];
    struct frame_header header = {
        .type = type,
        .flags = flags,
        .frame_bytes = (FRAME_HEADER_BYTES + payload_bytes + 63) / 64 * 64,
        .offset = map.end,
        .sequence = last->sequence + 1,
        .epoch = last->epoch,
        .chain = last->header_checksum,
        .synced_to = last->synced_to,
        .payload_bytes = payload_bytes,
    };
    header.payload_checksum =
        frame_payload_checksum(payload, payload_bytes, map.genesis.chain_seed);
    memcpy(bytes + map.end + FRAME_HEADER_BYTES, payload, payload_bytes);
    frame_header_encode(&header, map.genesis.chain_seed, bytes + map.end);
}

static void append_group(uint8_t operation, uint16_t codec)
{
    uint8_t payload[256] = {0};
    struct group group = {.space = 1,
                          .codec = codec,
                          .count = 1,
                          .entry_bytes = RECORD_BYTES,
                          .heap_bytes = KEY_BYTES};
    struct record record = {.operation = operation,
                            .flags = RECORD_CRITICAL,
                            .key_bytes = KEY_BYTES,
                            .row = 1,
                            .prior_row = ROW_NONE};
    uint8_t *heap = payload + GROUP_PREAMBLE_BYTES + RECORD_BYTES;
    memcpy(heap, "new", KEY_BYTES);
    group_encode(&group, payload);
    record_encode(&record, heap, map.genesis.chain_seed, payload + GROUP_PREAMBLE_BYTES);
    append(FRAME_GROUP, FRAME_CRITICAL | FRAME_BEGIN | FRAME_COMMIT, payload,
           GROUP_PREAMBLE_BYTES + RECORD_BYTES + KEY_BYTES);
}

static int change(const char *kind)
{
    static const struct {
        const char *name;
        void (*change)(struct genesis *genesis);
    } kinds[] = {{"version-2", version_2},
                 {"version-0", version_0},
                 {"feature", feature},
                 {"reader-feature", reader_feature}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(kind, kinds[i].name) == 0) {
            kinds[i].change(&map.genesis);
            genesis_encode(&map.genesis, bytes + GENESIS_OFFSET);
            return 0;
        }
    }
    if (strcmp(kind, "frame") == 0)
        append(200, FRAME_CRITICAL, (const uint8_t *)"whatever", 8);
    else if (strcmp(kind, "operation") == 0)
        append_group(9, 0);
    else if (strcmp(kind, "codec") == 0)
        append_group(1, 3);
    else
        return 1;
    return 0;
}

int main(int argc, char **argv)
{
    FILE *file = argc == 3 ? fopen(argv[1], "r+b") : NULL;
    size_t count = file != NULL ? fread(bytes, 1, sizeof bytes, file) : 0;
    if (!frame_map_make(bytes, count, &map) || change(argv[2]) != 0) {
        fputs("usage: newer_file_worker FILE KIND, a small good file\n", stderr);
        return 2;
    }
    rewind(file);
    size_t written = fwrite(bytes, 1, count, file);
    return fclose(file) != 0 || written != count;
}
