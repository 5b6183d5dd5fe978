/* Taking a simulated file out and putting it back. */
#include "corrupt/damaged_copy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include "os/os_sim.h"

#include <cmocka.h>

void damaged_copy_take(struct damaged_copy *copy, const char *path)
{
    const uint8_t *file = os_sim_file(path, &copy->count);
    assert_true(copy->count <= sizeof copy->bytes);
    memcpy(copy->bytes, file, copy->count);
    copy->path = path;
    assert_true(frame_map_make(copy->bytes, copy->count, &copy->map));
}

uint64_t damaged_copy_body(const struct damaged_copy *copy, uint16_t kind,
                           struct section_descriptor *descriptor_out)
{
    uint64_t body = 0;
    int found = 0;
    for (size_t i = 0; i < copy->map.count; i++) {
        struct section_descriptor section;
        const struct frame_header *header = &copy->map.frames[i];
        if (header->type != FRAME_SECTION)
            continue;
        assert_int_equal(section_decode(copy->bytes + header->offset + FRAME_HEADER_BYTES,
                                        header->payload_bytes, header->frame_bytes, &section),
                         EDB_OK);
        if (section.kind != kind)
            continue;
        body = header->offset + section.body_offset;
        *descriptor_out = section;
        found++;
    }
    assert_int_equal(found, 1);
    return body;
}

void damaged_copy_boot(const struct damaged_copy *copy)
{
    os_sim_begin(2);
    os_sim_record(false);
    os_sim_load(copy->path, copy->bytes, copy->count);
}
