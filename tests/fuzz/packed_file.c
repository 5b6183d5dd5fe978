/* Packing and unpacking. Called by both targets of whole files. */
#include "fuzz/packed_file.h"

#include <string.h>

#include "format/frame.h"
#include "format/genesis.h"
#include "fuzz/target.h"

enum { HEADS = 3 };

static const size_t head_offsets[HEADS] = {SLOT_OFFSET(0), SLOT_OFFSET(1), GENESIS_OFFSET};

size_t packed_file_open(const uint8_t *bytes, size_t count, uint8_t file[PACKED_FILE_MAX])
{
    uint8_t options = count > 0 ? bytes[0] : PACKED_RAW;
    size_t behind = options & PACKED_NO_TAIL ? 0 : PAGE_BYTES;
    memset(file, 0, PACKED_FILE_MAX);
    if (options & PACKED_RAW) {
        size_t left = count > 0 ? count - 1 : 0;
        memcpy(file, bytes + 1, left < PACKED_FILE_MAX ? left : PACKED_FILE_MAX);
        return left < PACKED_FILE_MAX ? left : PACKED_FILE_MAX;
    }
    for (size_t i = 0; i < HEADS; i++) {
        size_t at = 1 + i * SLOT_BYTES;
        size_t left = count > at ? count - at : 0;
        memcpy(file + head_offsets[i], bytes + at, left < SLOT_BYTES ? left : SLOT_BYTES);
    }
    size_t frames = count > PACKED_HEAD_BYTES ? count - PACKED_HEAD_BYTES : 0;
    size_t room = PACKED_FILE_MAX - FIRST_FRAME_OFFSET - 2 * PAGE_BYTES;
    frames = frames < room ? frames : room;
    memcpy(file + FIRST_FRAME_OFFSET, bytes + PACKED_HEAD_BYTES, frames);
    if (behind > 0)
        behind += (PAGE_BYTES - frames % PAGE_BYTES) % PAGE_BYTES;
    return FIRST_FRAME_OFFSET + frames + behind;
}

size_t packed_file_pack(const uint8_t *file, size_t count, uint8_t options, uint8_t *out,
                        size_t room)
{
    while (!(options & PACKED_NO_TAIL) && count > FIRST_FRAME_OFFSET && file[count - 1] == 0)
        count--;
    size_t needed = options & PACKED_RAW ? 1 + count : PACKED_HEAD_BYTES + count;
    if (!(options & PACKED_RAW))
        needed -= FIRST_FRAME_OFFSET;
    target_hold(count >= FIRST_FRAME_OFFSET, "a file of %zu bytes has no frames", count);
    if (needed > room)
        return 0;
    out[0] = options;
    if (options & PACKED_RAW) {
        memcpy(out + 1, file, count);
        return needed;
    }
    for (size_t i = 0; i < HEADS; i++)
        memcpy(out + 1 + i * SLOT_BYTES, file + head_offsets[i], SLOT_BYTES);
    memcpy(out + PACKED_HEAD_BYTES, file + FIRST_FRAME_OFFSET, count - FIRST_FRAME_OFFSET);
    return needed;
}
