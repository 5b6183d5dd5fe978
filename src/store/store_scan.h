/* The frames of a file of which anything may be missing: not a walk, which ends at the first gap,
 * but a look at every place where a header can stand. For who saves what is left; headers only.
 *
 * A STRETCH is a row of frames each of which names the checksum of the one before. Between two
 * stretches something is missing: by their sequence numbers one knows how many frames. Old frames
 * of a run that somebody abandoned may stand in between, whole: they give themselves away when
 * their numbers or places contradict those of others: the most frames that do not contradict each
 * other count.
 *
 * WHERE THE DATA ENDS. What stands behind a gap counts only when something shows that the bytes at
 * the gap were on the device once: a slot, or the synced_to of a header. Otherwise the gap is a
 * torn tail, the data ends there, and no reader has ever served what is behind it. */
#ifndef EDB_STORE_STORE_SCAN_H
#define EDB_STORE_STORE_SCAN_H

#include "store/store.h"

struct store_stretch {
    uint64_t offset; /* of its first frame */
    uint64_t end;    /* where the frame behind its last would stand */
    uint64_t first;  /* sequence of its first frame */
    uint64_t last;
    uint64_t frames; /* of it and those before it that it may follow: the most there can be; 0: it
                        is old */
    size_t before;   /* the last of those, from 1; 0: there is none */
};

struct store_scan {
    struct store_stretch *stretches; /* in order of offsets and sequences, without contradiction */
    size_t count;
    size_t capacity;
    uint64_t proven_to; /* bytes before this offset were on the device once */
    uint64_t left_out;  /* whole frames that stand in no stretch: old ones, and a torn tail's */
};

/* Reads every header, and where some are missing all the file behind. 48 bytes of memory a gap.
 * EDB_IO, EDB_NO_MEMORY. */
edb_status store_scan_open(struct store *store, struct store_scan *scan_out);

/* A zeroed one is allowed. */
void store_scan_close(struct store_scan *scan);

/* The header at `offset`, whose frame may reach past the end of the file. False when there is
 * none. */
bool store_scan_header(struct store *store, uint64_t offset, struct frame_header *out);

#endif
