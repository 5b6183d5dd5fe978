/* The failure sentence of each thread, and the application's log function. Called by every module;
 * calls none. */
#include "base/status.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum { DETAIL_BYTES = 768 };

static _Thread_local char detail[DETAIL_BYTES];

/* The function and its argument belong together: `turn` is odd while they are being exchanged. */
static _Atomic unsigned turn;
static _Atomic(edb_log_function *) log_function;
static void *_Atomic log_argument;

static edb_log_function *current_log(void **argument_out)
{
    for (;;) {
        unsigned before = atomic_load(&turn);
        edb_log_function *function = atomic_load(&log_function);
        *argument_out = atomic_load(&log_argument);
        if (before % 2 == 0 && atomic_load(&turn) == before)
            return function;
    }
}

edb_status fail(edb_status status, const char *format, ...)
{
    /* Arguments may point into the detail itself (a sentence that is being extended). */
    char sentence[DETAIL_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    memcpy(detail, sentence, sizeof sentence);
    return status;
}

void log_event(edb_log_level level, const char *format, ...)
{
    void *argument;
    edb_log_function *function = current_log(&argument);
    if (function == NULL)
        return;
    char sentence[DETAIL_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    function(argument, level, sentence);
}

void edb_set_log(edb_log_function *log, void *arg)
{
    atomic_fetch_add(&turn, 1);
    atomic_store(&log_function, log);
    atomic_store(&log_argument, arg);
    atomic_fetch_add(&turn, 1);
}

const char *edb_error_detail(void)
{
    return detail;
}

const char *edb_status_name(edb_status status)
{
    static const char *const names[] = {
        "EDB_OK",        "EDB_NOT_FOUND", "EDB_INVALID", "EDB_MISMATCH",  "EDB_BUSY",
        "EDB_READ_ONLY", "EDB_IO",        "EDB_FULL",    "EDB_NO_MEMORY", "EDB_CORRUPT",
        "EDB_FORMAT",    "EDB_EXISTS",    "EDB_STALE",   "EDB_FORKED",    "EDB_CANCELLED",
    };
    int index = -(int)status;
    if (index < 0 || index >= (int)(sizeof names / sizeof names[0]))
        return "unknown status";
    return names[index];
}

const char *edb_version(void)
{
#define TEXT(x) #x
#define DOTTED(a, b, c) TEXT(a) "." TEXT(b) "." TEXT(c)
    return DOTTED(EDB_VERSION_MAJOR, EDB_VERSION_MINOR, EDB_VERSION_PATCH);
}
