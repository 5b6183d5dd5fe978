/* A bar with rate and time left, drawn over itself on stderr. Import, export and embed call it; off
 * a terminal and under --quiet every call does nothing. */
#include "progress_draw.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "report_error.h"
#include "text_style.h"

enum { BAR_CELLS = 24, BAR_CELLS_MIN = 4, BAR_FRAME = 10, TEXT_BYTES = 192 };

static void write_text(const struct progress *progress, uint64_t done, double spent,
                       char out[TEXT_BYTES]);
static void write_left(double seconds, char out[STYLE_COUNT_BYTES]);
static int draw_bar(double fraction, int room);

double progress_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

void progress_begin(struct progress *progress, const char *verb, const char *unit, uint64_t first,
                    uint64_t total)
{
    progress->verb = verb;
    progress->unit = unit;
    progress->first = first;
    progress->total = total;
    progress->started = progress_seconds();
    progress->drawn = 0;
    progress->on = !report_is_quiet() && style_on_terminal(stderr);
}

void progress_show(struct progress *progress, uint64_t done)
{
    double now = progress_seconds();
    if (!progress->on || now - progress->drawn < 0.1)
        return;
    char text[TEXT_BYTES];
    progress->drawn = now;
    write_text(progress, done, now - progress->started, text);
    /* Asked each time, for a window may change its size. The last column stays free: some
     * terminals go to the next line when it is written. */
    int room = (int)style_columns(stderr) - 1 - fprintf(stderr, "\r%s ", progress->verb) + 1;
    if (progress->total > 0)
        room -= draw_bar((double)done / (double)progress->total, room - (int)strlen(text));
    fprintf(stderr, "%.*s\033[K", room, text);
    fflush(stderr);
    report_over_progress(1);
}

void progress_end(struct progress *progress)
{
    if (progress->on)
        report_over_progress(0);
    progress->on = 0;
}

/* "1,234 rows, 99 a second, 3 s left". */
static void write_text(const struct progress *progress, uint64_t done, double spent,
                       char out[TEXT_BYTES])
{
    char count[STYLE_COUNT_BYTES];
    char rate_text[STYLE_COUNT_BYTES];
    char left[STYLE_COUNT_BYTES] = "";
    double rate = spent > 0 ? (double)(done - progress->first) / spent : 0;
    if (progress->total > done && rate > 0)
        write_left((double)(progress->total - done) / rate, left);
    snprintf(out, TEXT_BYTES, "%s %s, %s a second%s", style_count(done, count), progress->unit,
             style_count((uint64_t)rate, rate_text), left);
}

static void write_left(double seconds, char out[STYLE_COUNT_BYTES])
{
    if (seconds < 90)
        snprintf(out, STYLE_COUNT_BYTES, ", %.0f s left", seconds);
    else if (seconds < 5400)
        snprintf(out, STYLE_COUNT_BYTES, ", %.0f min left", seconds / 60);
    else
        snprintf(out, STYLE_COUNT_BYTES, ", %.1f h left", seconds / 3600);
}

/* In at most `room` columns; returns how many it took. Where there is no room it is left away. */
static int draw_bar(double fraction, int room)
{
    int cells = room - BAR_FRAME < BAR_CELLS ? room - BAR_FRAME : BAR_CELLS;
    if (cells < BAR_CELLS_MIN)
        return 0;
    fputc('[', stderr);
    for (int i = 0; i < cells; i++)
        fputc(i < (int)(fraction * cells) ? '#' : '.', stderr);
    return cells + 1 + fprintf(stderr, "] %3.0f %%  ", fraction * 100.0);
}
