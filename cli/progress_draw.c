/* A bar with rate and time left, drawn over itself on stderr. Import and embed call it; off a
 * terminal and under --quiet every call does nothing. */
#include "progress_draw.h"

#include <stdio.h>
#include <time.h>

#include "report_error.h"
#include "text_style.h"

enum { BAR_CELLS = 24 };

static void draw_bar(double fraction);
static void draw_left(double seconds);

double progress_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

void progress_begin(struct progress *progress, const char *verb, const char *unit, uint64_t total)
{
    progress->verb = verb;
    progress->unit = unit;
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
    progress->drawn = now;
    double spent = now - progress->started;
    double rate = spent > 0 ? (double)done / spent : 0;
    char count[STYLE_COUNT_BYTES];
    fprintf(stderr, "\r%s ", progress->verb);
    if (progress->total > 0)
        draw_bar((double)done / (double)progress->total);
    fprintf(stderr, "%s %s, ", style_count(done, count), progress->unit);
    fprintf(stderr, "%s a second", style_count((uint64_t)rate, count));
    if (progress->total > done && rate > 0)
        draw_left((double)(progress->total - done) / rate);
    fputs("\033[K", stderr);
    fflush(stderr);
    report_over_progress(1);
}

void progress_end(struct progress *progress)
{
    if (progress->on)
        report_over_progress(0);
    progress->on = 0;
}

static void draw_bar(double fraction)
{
    int full = (int)(fraction * BAR_CELLS);
    fputc('[', stderr);
    for (int i = 0; i < BAR_CELLS; i++)
        fputc(i < full ? '#' : '.', stderr);
    fprintf(stderr, "] %3.0f %%  ", fraction * 100.0);
}

static void draw_left(double seconds)
{
    if (seconds < 90)
        fprintf(stderr, ", %.0f s left", seconds);
    else if (seconds < 5400)
        fprintf(stderr, ", %.0f min left", seconds / 60);
    else
        fprintf(stderr, ", %.1f h left", seconds / 3600);
}
