/* Errors and notes on stderr, one line each, "embedcache: what is wrong: fix". Every command
 * reports through here; the exit code of a library status is decided here and nowhere else. */
#include "report_error.h"

#include <stdarg.h>
#include <stdio.h>

#include "text_style.h"

/* A sentence with a path and a long key in it; a longer one is cut. */
enum { SENTENCE_BYTES = 16384 };

const struct exit_code exit_codes[] = {
    {CODE_OK, "done"},
    {CODE_NOT_FOUND, "a key or space is not there; of diff: the caches differ"},
    {CODE_USAGE, "wrong usage"},
    {CODE_BAD_DATA, "bad data, given or in the file"},
    {CODE_BUSY, "busy: another writer holds the file"},
    {CODE_IO, "I/O: a file is not there, the system, its memory or a server failed"},
    {CODE_INTERRUPTED, "interrupted; what was stored before stays"},
    {0, NULL},
};

static int quiet_wanted;
static int detail_wanted;
static int progress_drawn;

static const char *fix_of(edb_status status);
static void print_sentence(const char *style, const char *format, va_list args);

int report_error(int code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    print_sentence(STYLE_ERROR, format, args);
    va_end(args);
    return code;
}

int report_code(edb_status status)
{
    switch (status) {
    case EDB_OK:
        return CODE_OK;
    case EDB_NOT_FOUND:
        return CODE_NOT_FOUND;
    case EDB_INVALID:
    case EDB_MISMATCH:
    case EDB_CORRUPT:
    case EDB_FORMAT:
    case EDB_EXISTS:
        return CODE_BAD_DATA;
    case EDB_BUSY:
        return CODE_BUSY;
    case EDB_CANCELLED:
        return CODE_INTERRUPTED;
    case EDB_READ_ONLY:
    case EDB_IO:
    case EDB_FULL:
    case EDB_NO_MEMORY:
    case EDB_STALE:
    case EDB_FORKED:
        break;
    }
    return CODE_IO;
}

int report_status(edb_status status, const char *context)
{
    const char *detail = edb_error_detail();
    const char *fix = fix_of(status);
    if (detail[0] == '\0')
        detail = edb_status_name(status);
    if (context == NULL)
        return report_error(report_code(status), "%s%s", detail, fix);
    return report_error(report_code(status), "%s: %s%s", context, detail, fix);
}

void report_note(const char *format, ...)
{
    if (quiet_wanted)
        return;
    va_list args;
    va_start(args, format);
    print_sentence(STYLE_BOLD, format, args);
    va_end(args);
}

void report_detail(const char *format, ...)
{
    if (!detail_wanted)
        return;
    va_list args;
    va_start(args, format);
    print_sentence(STYLE_DIM, format, args);
    va_end(args);
}

void report_over_progress(int drawn)
{
    if (progress_drawn && !drawn)
        fputs("\r\033[K", stderr);
    progress_drawn = drawn;
}

void report_quietly(int quiet)
{
    quiet_wanted = quiet;
}

void report_verbosely(int verbose)
{
    detail_wanted = verbose;
}

int report_is_quiet(void)
{
    return quiet_wanted;
}

int report_is_verbose(void)
{
    return detail_wanted;
}

int report_no_memory(void)
{
    return report_error(CODE_IO, "out of memory: close other programs");
}

/* What somebody at a shell can do where the library's sentence tells only what is. */
static const char *fix_of(edb_status status)
{
    switch (status) {
    case EDB_BUSY:
        return ": run it again when the other is done";
    case EDB_CORRUPT:
        return ": embedcache verify tells what else is damaged; restore a copy, or save what is "
               "whole with embedcache repair";
    default:
        return "";
    }
}

static void print_sentence(const char *style, const char *format, va_list args)
{
    fflush(stdout);
    report_over_progress(0);
    fprintf(stderr, "%sembedcache:%s ", style_begin(stderr, style), style_end(stderr));
    char sentence[SENTENCE_BYTES];
    vsnprintf(sentence, sizeof sentence, format, args);
    style_print_name(stderr, sentence);
    fputc('\n', stderr);
}
