/* Specs of spaces as the caller gives them: checked, and compared with what is in the file. */
#ifndef EDB_SPACE_SPACE_H
#define EDB_SPACE_SPACE_H

#include "format/spec.h"

/* Fills a spec from the caller's, with defaults. EDB_INVALID names the value that is wrong. */
edb_status space_check(const edb_space_spec *given, struct spec *out);

/* EDB_MISMATCH names the first field that differs, and both values. */
edb_status space_compare(const struct spec *there, const struct spec *asked);

#endif
