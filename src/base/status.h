/* How a failure is told: a status for the program, one sentence for people, recorded once, where it
 * is known. */
#ifndef EDB_BASE_STATUS_H
#define EDB_BASE_STATUS_H

#include <stdarg.h>

#include "embedcache.h"

/* Records the sentence for this thread and returns `status`: `return fail(EDB_CORRUPT, "frame at
 * %llu: …", off);`. The present sentence may be an argument: `fail(status, "%s: %s", path,
 * edb_error_detail())` says more about the failure that it tells. */
edb_status fail(edb_status status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Tells the application's log function, if there is one. Values in the sentence, as in fail(). */
void log_event(edb_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
