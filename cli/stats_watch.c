/* The file is opened once and asked again and again; its handle sees what others commit. What it
 * cannot see is that the path leads to another file now: the path's inode is compared before each
 * look. A file that is gone is waited for. */
#include "stats_watch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "cache_open.h"
#include "file_figures.h"
#include "interrupt_catch.h"
#include "progress_draw.h"
#include "report_error.h"
#include "stats_figures.h"
#include "text_style.h"

enum { SPACES_SHOWN = 10 };

static const double seconds_min = 0.1;
static const double seconds_max = 86400;
static const double nap_seconds = 0.1;

struct watch {
    const struct arguments *arguments;
    double seconds;
    struct cache cache;
    struct stat opened; /* the file that `cache` has open */
    int is_gone;        /* nothing is at the path; that was told */
    edb_stats last;     /* struct_size 0: none yet */
    double last_at;
    int lines; /* drawn on the terminal, and still to be drawn over */
};

static int open_again(struct watch *watch);
static int look(struct watch *watch);
static int is_replaced(struct watch *watch);
static int close_replaced(struct watch *watch, const char *what);
static int show(struct watch *watch, const edb_stats *stats, double spent);
static int draw(struct watch *watch, const edb_stats *stats, double spent);
static int draw_spaces(struct watch *watch);
static void draw_rate(uint64_t before, uint64_t now, double spent, int is_bytes);
static void append(const edb_stats *last, const edb_stats *stats, double spent);
static void wait_for(double seconds);

int stats_watch(const struct arguments *arguments, double seconds)
{
    struct watch watch;
    char limit[STYLE_COUNT_BYTES];
    memset(&watch, 0, sizeof watch);
    watch.arguments = arguments;
    watch.seconds = seconds;
    if (seconds < seconds_min || seconds > seconds_max)
        return report_error(CODE_USAGE, "--watch %s: give seconds from %g to %s",
                            option_text(arguments, "watch"), seconds_min,
                            style_count((uint64_t)seconds_max, limit));
    interrupt_catch();
    int code = open_again(&watch);
    while (code == CODE_OK && !interrupt_caught()) {
        code = look(&watch);
        if (code == CODE_OK && fflush(stdout) != 0)
            break; /* main says why */
        if (code == CODE_OK)
            wait_for(seconds);
    }
    return cache_close(&watch.cache, code);
}

/* The inode is taken first: a file that comes between is taken for a replacement, not missed. */
static int open_again(struct watch *watch)
{
    memset(&watch->last, 0, sizeof watch->last);
    stat(watch->arguments->operands[0], &watch->opened);
    return cache_open(&watch->cache, watch->arguments, CACHE_READ);
}

static int look(struct watch *watch)
{
    edb_stats stats = {.struct_size = sizeof stats};
    if (is_replaced(watch)) {
        int code = close_replaced(watch, "was replaced");
        if (code != CODE_OK || watch->is_gone)
            return code;
    }
    watch->is_gone = 0;
    uint64_t imports;
    edb_status status = figures_file(&watch->cache, &stats, &imports);
    if (status == EDB_STALE)
        return close_replaced(watch, "was written over");
    if (status != EDB_OK)
        return report_status(status, NULL);
    double now = progress_seconds();
    int code = show(watch, &stats, now - watch->last_at);
    watch->last = stats;
    watch->last_at = now;
    return code;
}

static int is_replaced(struct watch *watch)
{
    struct stat now;
    if (stat(watch->arguments->operands[0], &now) != 0)
        return errno == ENOENT;
    return now.st_ino != watch->opened.st_ino || now.st_dev != watch->opened.st_dev;
}

static int close_replaced(struct watch *watch, const char *what)
{
    const char *path = watch->arguments->operands[0];
    struct stat now;
    int was_gone = watch->is_gone;
    watch->lines = 0;
    watch->is_gone = stat(path, &now) != 0 && errno == ENOENT;
    if (watch->is_gone) {
        if (!was_gone)
            report_note("%s is gone: waiting for another", path);
        return CODE_OK;
    }
    edb_close(watch->cache.db);
    watch->cache.db = NULL;
    report_note("%s %s: opened again", path, what);
    return open_again(watch);
}

static int show(struct watch *watch, const edb_stats *stats, double spent)
{
    if (style_on_terminal(stdout))
        return draw(watch, stats, spent);
    append(&watch->last, stats, spent);
    return CODE_OK;
}

/* Over what was drawn last: up, and all below wiped. */
static int draw(struct watch *watch, const edb_stats *stats, double spent)
{
    char text[STYLE_COUNT_BYTES];
    if (watch->lines > 0)
        printf("\033[%dA\033[J", watch->lines);
    style_print_key(stdout, watch->cache.path, strlen(watch->cache.path),
                    style_columns(stdout) / 2);
    printf(", every %g s; Ctrl-C ends it\n", watch->seconds);
    watch->lines = 1;
    for (const struct figure *figure = stats_figures; figure->name != NULL; figure++) {
        printf("%-22s %s", figure->label, stats_figure_text(stats, figure, text));
        if (figure->kind != FIGURE_LEVEL && watch->last.struct_size != 0)
            draw_rate(stats_figure(&watch->last, figure), stats_figure(stats, figure), spent,
                      figure->is_bytes);
        putchar('\n');
        watch->lines++;
    }
    return draw_spaces(watch);
}

/* The first few: what is drawn has to fit on the screen. */
static int draw_spaces(struct watch *watch)
{
    char text[STYLE_COUNT_BYTES];
    edb_space_spec spec;
    edb_space_stats stats;
    int code = CODE_OK;
    size_t next = 0;
    for (size_t i = 0; i < SPACES_SHOWN; i++) {
        code = figures_space(&watch->cache, &next, &spec, &stats);
        if (code != CODE_OK)
            break;
        fputs("space ", stdout);
        style_print_key(stdout, spec.name, strlen(spec.name), 32);
        printf(": %s alive", style_count(stats.live, text));
        printf(" of %s rows\n", style_count(stats.rows, text));
        watch->lines++;
    }
    return code == CODE_END ? CODE_OK : code;
}

static void draw_rate(uint64_t before, uint64_t now, double spent, int is_bytes)
{
    char text[STYLE_COUNT_BYTES];
    uint64_t grown = now > before && spent > 0 ? (uint64_t)((double)(now - before) / spent) : 0;
    printf(" %s(+%s a second)%s", style_begin(stdout, STYLE_DIM),
           is_bytes ? style_bytes(grown, text) : style_count(grown, text), style_end(stdout));
}

/* A line a look, for a log. */
static void append(const edb_stats *last, const edb_stats *stats, double spent)
{
    char text[STYLE_COUNT_BYTES];
    char clock[16];
    const char *separator = " ";
    time_t now = time(NULL);
    struct tm local;
    localtime_r(&now, &local);
    strftime(clock, sizeof clock, "%H:%M:%S", &local);
    fputs(clock, stdout);
    for (const struct figure *figure = stats_figures; figure->name != NULL; figure++) {
        if (figure->kind == FIGURE_LEVEL)
            continue;
        printf("%s %s %s", separator, figure->label, stats_figure_text(stats, figure, text));
        separator = ",";
        if (last->struct_size != 0)
            draw_rate(stats_figure(last, figure), stats_figure(stats, figure), spent,
                      figure->is_bytes);
    }
    printf(", rows alive %s\n", style_count(stats->live, text));
}

/* In naps: a signal may come just before one. */
static void wait_for(double seconds)
{
    double until = progress_seconds() + seconds;
    double left = seconds;
    while (left > 0 && !interrupt_caught()) {
        double nap = left < nap_seconds ? left : nap_seconds;
        struct timespec time = {0, (long)(nap * 1e9)};
        nanosleep(&time, NULL);
        left = until - progress_seconds();
    }
}
