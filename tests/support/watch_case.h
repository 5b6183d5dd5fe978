/* Says which case a test was at when it crashed or hung. */
#ifndef EDB_TESTS_SUPPORT_WATCH_CASE_H
#define EDB_TESTS_SUPPORT_WATCH_CASE_H

/* From now on a crash, or a case that takes longer than `seconds`, prints the case and ends the
 * process with status 99. Under a sanitizer crashes are left to its own report. */
void watch_case_begin(const char *test, unsigned seconds);

/* Of the process's own time, in which a busy machine does not count, a case may take so much from
 * now on; the process ends as above. 0 = any. */
void watch_case_limit(unsigned own_ms);

/* The case that begins now; `kind` is a literal. */
void watch_case(const char *kind, unsigned long long a, unsigned long long b);

/* Ends the watch. */
void watch_case_end(void);

#endif
