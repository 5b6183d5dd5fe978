/* What the command line says when something is wrong, and the exit code that goes with it. */
#ifndef EMBEDCACHE_CLI_REPORT_ERROR_H
#define EMBEDCACHE_CLI_REPORT_ERROR_H

#include <embedcache.h>

/* Exit codes that scripts rely on. */
enum {
    CODE_OK = 0,
    CODE_NOT_FOUND = 1,
    CODE_USAGE = 2,
    CODE_BAD_DATA = 3,
    CODE_BUSY = 4,
    CODE_IO = 5,
    CODE_INTERRUPTED = 130,
    /* Between functions only, never exit codes. */
    CODE_END = -1,    /* no more input */
    CODE_REFUSED = -2 /* this line is refused and reported; the next one may be good */
};

struct exit_code {
    int code;
    const char *meaning;
};

/* All exit codes; a meaning of NULL ends them. */
extern const struct exit_code exit_codes[];

/* Prints "embedcache: <sentence>" on stderr and returns `code`. The sentence says what is wrong and
 * what to do. */
int report_error(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The exit code of a status. */
int report_code(edb_status status);

/* Prints "embedcache: <context>: <what the library says>" and returns the exit code of `status`.
 * NULL = no context. Call it before any other call of the library: those replace what the library
 * says. */
int report_status(edb_status status, const char *context);

/* As report_error, for a hint that is no error: nothing under --quiet. */
void report_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A progress bar stands on the last line of stderr: whatever is reported wipes it first. */
void report_over_progress(int drawn);

/* As report_note, for what is told under --verbose only. */
void report_detail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* --quiet: notes and progress are not wanted. --verbose: details are. */
void report_quietly(int quiet);
void report_verbosely(int verbose);
int report_is_quiet(void);
int report_is_verbose(void);

/* Out of memory in the command line itself. */
int report_no_memory(void);

#endif
