/* Base and work of a file, page by page. Called by crash_states.c, thousands of times a second:
 * only touched pages are hashed and put back. */
#include "crash/crash_image.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/checksum.h"
#include "base/random.h"

enum { PAGE = 4096 };

static uint64_t pages_of(uint64_t bytes)
{
    return (bytes + PAGE - 1) / PAGE;
}

/* The page number is the seed: equal pages at two places do not cancel out. */
static uint64_t hash_page(const uint8_t *bytes, uint64_t page)
{
    return checksum(bytes + page * PAGE, PAGE, page);
}

static void *zeroed(uint64_t count, size_t bytes)
{
    void *memory = calloc((size_t)count, bytes);
    if (memory == NULL)
        abort();
    return memory;
}

void crash_image_open(struct crash_image *image, uint64_t capacity, const uint8_t *bytes,
                      uint64_t count)
{
    assert(count <= capacity);
    memset(image, 0, sizeof *image);
    image->pages = pages_of(capacity) + 1;
    image->base = zeroed(image->pages, PAGE);
    image->work = zeroed(image->pages, PAGE);
    image->page_hash = zeroed(image->pages, sizeof *image->page_hash);
    image->is_touched = zeroed(image->pages, 1);
    image->touched = zeroed(image->pages, sizeof *image->touched);
    if (count > 0) {
        memcpy(image->base, bytes, (size_t)count);
        memcpy(image->work, bytes, (size_t)count);
    }
    image->base_bytes = count;
    image->work_bytes = count;
    for (uint64_t page = 0; page < image->pages; page++)
        image->page_hash[page] = hash_page(image->base, page);
    for (uint64_t page = 0; page < pages_of(count); page++)
        image->base_hash += image->page_hash[page];
}

void crash_image_close(struct crash_image *image)
{
    free(image->base);
    free(image->work);
    free(image->page_hash);
    free(image->is_touched);
    free(image->touched);
}

/* ------------------------------------------------------------------------------------- the base */

void crash_image_settle_size(struct crash_image *image, uint64_t bytes)
{
    assert(image->touched_count == 0 && bytes <= image->pages * PAGE);
    if (bytes <= image->base_bytes)
        return;
    for (uint64_t page = pages_of(image->base_bytes); page < pages_of(bytes); page++)
        image->base_hash += image->page_hash[page];
    image->base_bytes = bytes;
    image->work_bytes = bytes;
}

/* What of `count` bytes at `offset` lies before `limit`. */
static uint64_t cut(uint64_t offset, uint64_t count, uint64_t limit)
{
    if (offset >= limit)
        return 0;
    return count < limit - offset ? count : limit - offset;
}

void crash_image_settle(struct crash_image *image, uint64_t offset, const uint8_t *bytes,
                        uint64_t count)
{
    assert(image->touched_count == 0);
    count = cut(offset, count, image->base_bytes);
    if (count == 0)
        return;
    memcpy(image->base + offset, bytes, (size_t)count);
    memcpy(image->work + offset, bytes, (size_t)count);
    for (uint64_t page = offset / PAGE; page <= (offset + count - 1) / PAGE; page++) {
        uint64_t hash = hash_page(image->base, page);
        image->base_hash += hash - image->page_hash[page];
        image->page_hash[page] = hash;
    }
}

/* ------------------------------------------------------------------------------------- the work */

void crash_image_grow(struct crash_image *image, uint64_t bytes)
{
    if (bytes > image->work_bytes)
        image->work_bytes = bytes;
}

static void touch(struct crash_image *image, uint64_t offset, uint64_t count)
{
    for (uint64_t page = offset / PAGE; page <= (offset + count - 1) / PAGE; page++) {
        if (!image->is_touched[page])
            image->touched[image->touched_count++] = page;
        image->is_touched[page] = 1;
    }
}

void crash_image_put(struct crash_image *image, uint64_t offset, const uint8_t *bytes,
                     uint64_t count)
{
    count = cut(offset, count, image->work_bytes);
    if (count == 0)
        return;
    touch(image, offset, count);
    memcpy(image->work + offset, bytes, (size_t)count);
}

void crash_image_trash(struct crash_image *image, uint64_t offset, uint64_t count, uint64_t seed)
{
    count = cut(offset, count, image->work_bytes);
    if (count == 0)
        return;
    touch(image, offset, count);
    struct random_source random = {seed};
    uint8_t *at = image->work + offset;
    switch (random_below(&random, 8)) {
    case 0:
        memset(at, 0, (size_t)count);
        break;
    case 1:
        memset(at, 0xff, (size_t)count);
        break;
    case 2: /* nearly right is the hardest to see */
        at[random_below(&random, count)] ^= (uint8_t)(1u << random_below(&random, 8));
        break;
    default:
        for (uint64_t i = 0; i < count; i++)
            at[i] = (uint8_t)random_u64(&random);
    }
}

uint64_t crash_image_hash(const struct crash_image *image)
{
    uint64_t sum = image->base_hash;
    for (uint64_t page = pages_of(image->base_bytes); page < pages_of(image->work_bytes); page++)
        sum += image->page_hash[page];
    for (size_t i = 0; i < image->touched_count; i++) {
        uint64_t page = image->touched[i];
        sum += hash_page(image->work, page) - image->page_hash[page];
    }
    uint64_t both[2] = {sum, image->work_bytes};
    return checksum(both, sizeof both, 1);
}

void crash_image_undo(struct crash_image *image)
{
    for (size_t i = 0; i < image->touched_count; i++) {
        uint64_t page = image->touched[i];
        memcpy(image->work + page * PAGE, image->base + page * PAGE, PAGE);
        image->is_touched[page] = 0;
    }
    image->touched_count = 0;
    image->work_bytes = image->base_bytes;
}
