/* The numbers of the file format, in one place. docs/format.md is the normative text; this folder
 * is its only reader and writer: bytes in, checked structs out, and back. Nothing here touches a
 * file. */
#ifndef EDB_FORMAT_FORMAT_H
#define EDB_FORMAT_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FORMAT_VERSION 1u

#define PAGE_BYTES 4096u /* a device may trash at most the page being written */
#define SLOT_BYTES 256u  /* of a slot's page that are in use */
#define SLOT_OFFSET(index) ((uint64_t)(index)*PAGE_BYTES)
#define GENESIS_OFFSET 8192u
#define FIRST_FRAME_OFFSET 12288u

#define FRAME_ALIGN 64u
#define FRAME_HEADER_BYTES 128u
#define FRAME_BYTES_MAX (64u << 20) /* GROUP, CATALOG, PAD */
#define SECTION_BYTES_MAX (1ull << 40)
#define FILE_BYTES_MAX (1ull << 46)
#define BLOCK_ALIGNED_BYTES (64u << 10) /* vector blocks and bodies this large start on a page */

/* 2^64 divided by the golden ratio: spreads neighbouring row numbers over all bits of a seed. */
#define GOLDEN 0x9e3779b97f4a7c15u

#define ROW_NONE UINT64_MAX
#define ROWS_MAX (1ull << 48)

/* Feature words of GENESIS. A reader needs to know every bit of `incompatible`, a writer also every
 * bit of `read_only_compatible`; bits of `compatible` may be ignored. Format 1 begins with none. */
#define FEATURES_INCOMPATIBLE_KNOWN 0u
#define FEATURES_READ_ONLY_KNOWN 0u

#endif
