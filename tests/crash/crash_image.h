/* The bytes of one file while crash states are built: what the device has for certain (the base),
 * and the state at hand (the work), which differs from it in a few pages and is put back after
 * use. */
#ifndef EDB_TESTS_CRASH_IMAGE_H
#define EDB_TESTS_CRASH_IMAGE_H

#include <stddef.h>
#include <stdint.h>

struct crash_image {
    uint8_t *base; /* zero behind base_bytes */
    uint8_t *work;
    uint64_t base_bytes;
    uint64_t work_bytes;
    uint64_t pages;
    uint64_t *page_hash; /* of the base, page by page */
    uint64_t base_hash;  /* their sum over the pages of base_bytes */
    uint8_t *is_touched; /* pages of the work that may differ */
    uint64_t *touched;
    size_t touched_count;
};

/* An image that may grow to `capacity`, with these bytes in it. */
void crash_image_open(struct crash_image *image, uint64_t capacity, const uint8_t *bytes,
                      uint64_t count);
void crash_image_close(struct crash_image *image);

/* Changes the base, for good: grows it, then writes what lies inside of it. Nothing may be
 * touched. */
void crash_image_settle_size(struct crash_image *image, uint64_t bytes);
void crash_image_settle(struct crash_image *image, uint64_t offset, const uint8_t *bytes,
                        uint64_t count);

/* Changes the work: likewise. */
void crash_image_grow(struct crash_image *image, uint64_t bytes);
void crash_image_put(struct crash_image *image, uint64_t offset, const uint8_t *bytes,
                     uint64_t count);

/* Replaces a range of the work by what a device leaves when power fails while it writes there. */
void crash_image_trash(struct crash_image *image, uint64_t offset, uint64_t count, uint64_t seed);

/* A number for the work's bytes and size. */
uint64_t crash_image_hash(const struct crash_image *image);

/* Makes the work equal to the base again. */
void crash_image_undo(struct crash_image *image);

#endif
