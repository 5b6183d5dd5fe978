/* The header that every frame after GENESIS begins with, and the rule where the next frame
 * stands. */
#ifndef EDB_FORMAT_FRAME_H
#define EDB_FORMAT_FRAME_H

#include "base/status.h"
#include "format/format.h"

enum frame_type {
    FRAME_GROUP = 1,   /* records of one space: the truth */
    FRAME_SECTION = 2, /* derived data */
    FRAME_CATALOG = 3, /* which spaces and sections there are: derived too */
    FRAME_PAD = 4,     /* nothing; carries flags */
    FRAME_NOTE = 5,    /* what a handle counted: hints and statistics */
};

enum frame_flag {
    FRAME_SEALED = 1,   /* a sync follows: the next frame starts on a new page */
    FRAME_BEGIN = 2,    /* GROUP: first frame of a transaction; one that was open before it does not
                           exist */
    FRAME_COMMIT = 4,   /* GROUP: last frame of a transaction; without it the transaction does not
                           exist */
    FRAME_CRITICAL = 8, /* a reader that does not know the type must not go on */
    FRAME_GAPS = 16,    /* GROUP: rows that are left out are gone */
    FRAME_MOVES = 32,   /* PAD: a new file is about to take this one's name */
};

struct frame_header {
    uint8_t type;
    uint16_t flags;
    uint64_t frame_bytes;   /* header included; a multiple of FRAME_ALIGN */
    uint64_t offset;        /* where in the file this frame stands */
    uint64_t sequence;      /* 1 for the first frame, then one more each */
    uint64_t epoch;         /* random, one for each writer session */
    uint64_t chain;         /* header checksum of the frame before */
    uint64_t synced_to;     /* bytes before this offset were on the device when this was written */
    uint64_t payload_bytes; /* right behind the header, covered by payload_checksum */
    uint64_t payload_checksum;
    uint64_t header_checksum;
};

/* Fills header->header_checksum as well. */
void frame_header_encode(struct frame_header *header, uint64_t chain_seed,
                         uint8_t bytes[FRAME_HEADER_BYTES]);

/* False when the bytes are no whole header of the file with this seed, made for this offset, with
 * lengths that can be true. That the chain and sequence fit is the walk's to decide. */
bool frame_header_decode(const uint8_t bytes[FRAME_HEADER_BYTES], uint64_t chain_seed,
                         uint64_t offset, struct frame_header *out);

/* The checksum that a header claims, without checking anything. */
uint64_t frame_header_checksum(const uint8_t bytes[FRAME_HEADER_BYTES]);

/* Offset behind the frame, and where the next one starts. */
uint64_t frame_end(const struct frame_header *header);
uint64_t frame_next(const struct frame_header *header);

/* Checksum of a payload, under the seed of the file. */
uint64_t frame_payload_checksum(const void *payload, size_t bytes, uint64_t chain_seed);

#endif
