/* The outside judge: keeps what writers acknowledged and what readers saw, and finds where the two
 * do not fit. It knows the reports only, nothing of the file.
 *
 * What is held against a history:
 *   visible    a read that began after an acknowledgement sees that operation or a later one
 *   lasting    what one read saw, every read that began afterwards sees, or something later;
 *              so a reader's view, too, only moves forward
 *   no ghosts  nothing is seen before it was begun, and nothing comes true after its writer's death
 *   whole      the keys of a register, and the added row, stand and fall together
 *   rows       a row number belongs to one operation for ever */
#ifndef EDB_TESTS_MULTIPROC_JUDGE_HISTORY_H
#define EDB_TESTS_MULTIPROC_JUDGE_HISTORY_H

#include <stddef.h>

#include "multiproc/report.h"

struct history;

struct history *history_open(void);
void history_close(struct history *history);

/* A report_sink: keeps one report. The reports of one process come in their order. */
void history_note(void *history, const struct report *report);

/* A writer is dead; its stamps begin at first_stamp. Returns the stamp of the operation that it had
 * begun and not acknowledged, 0 if there is none. */
uint64_t history_note_death(struct history *history, uint64_t first_stamp, uint64_t now_ns);

/* When the first acknowledgement after `ns` was; UINT64_MAX if there was none. */
uint64_t history_ack_after(const struct history *history, uint64_t ns);

struct verdict {
    size_t faults; /* the first are told on stderr */
    size_t acknowledged;
    size_t durable;
    size_t unknown;       /* operations that were begun and never acknowledged */
    size_t unknown_there; /* of them found in the file */
    size_t sightings;
    size_t audits;
    size_t added; /* rows of the space that only grows, as the last audit found them */
};

/* Judges all that was noted so far. */
struct verdict history_judge(struct history *history);

#endif
