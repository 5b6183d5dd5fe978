/* How numbers, texts and colours look to people. Commands that print for people call it; --json
 * output never does. */
#include "text_style.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { ESCAPE_BYTES = 8, MINUTE_S = 60, HOUR_S = 60 * MINUTE_S, DAY_S = 24 * HOUR_S };

static void print_characters(FILE *file, const char *text, size_t bytes, size_t columns);
static size_t write_escape(const unsigned char *at, size_t length, char out[ESCAPE_BYTES]);
static int colour_wanted(FILE *file);
static size_t skip_blank(const char *text, size_t bytes);

const char *style_begin(FILE *file, const char *style)
{
    return colour_wanted(file) ? style : "";
}

const char *style_end(FILE *file)
{
    return colour_wanted(file) ? "\033[0m" : "";
}

int style_on_terminal(FILE *file)
{
    const char *terminal = getenv("TERM");
    if (terminal == NULL || strcmp(terminal, "dumb") == 0)
        return 0;
    return isatty(fileno(file));
}

size_t style_columns(FILE *file)
{
    struct winsize size;
    if (isatty(fileno(file)) && ioctl(fileno(file), TIOCGWINSZ, &size) == 0 && size.ws_col >= 20)
        return size.ws_col;
    return 80;
}

const char *style_count(uint64_t count, char out[STYLE_COUNT_BYTES])
{
    char digits[STYLE_COUNT_BYTES];
    int length = snprintf(digits, sizeof digits, "%" PRIu64, count);
    char *to = out;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            *to++ = ',';
        *to++ = digits[i];
    }
    *to = '\0';
    return out;
}

const char *style_counted(uint64_t count, const char *one, const char *many,
                          char out[STYLE_COUNTED_BYTES])
{
    char number[STYLE_COUNT_BYTES];
    snprintf(out, STYLE_COUNTED_BYTES, "%s %s", style_count(count, number),
             count == 1 ? one : many);
    return out;
}

const char *style_bytes(uint64_t bytes, char out[STYLE_COUNT_BYTES])
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double amount = (double)bytes;
    size_t unit = 0;
    while (amount >= 1024.0 && unit + 1 < sizeof units / sizeof units[0]) {
        amount /= 1024.0;
        unit++;
    }
    snprintf(out, STYLE_COUNT_BYTES, unit == 0 ? "%.0f %s" : "%.1f %s", amount, units[unit]);
    return out;
}

const char *style_seconds(double seconds, char out[STYLE_COUNT_BYTES])
{
    if (seconds < 0.1)
        snprintf(out, STYLE_COUNT_BYTES, "%.1f ms", seconds * 1000.0);
    else
        snprintf(out, STYLE_COUNT_BYTES, "%.2f s", seconds);
    return out;
}

const char *style_span(uint64_t seconds, char out[STYLE_COUNT_BYTES])
{
    static const struct {
        uint64_t seconds;
        const char *name;
    } units[] = {{DAY_S, "d"}, {HOUR_S, "h"}, {MINUTE_S, "min"}, {1, "s"}};
    char count[STYLE_COUNT_BYTES];
    size_t unit = 0;
    while (seconds % units[unit].seconds != 0)
        unit++;
    style_count(seconds / units[unit].seconds, count);
    snprintf(out, STYLE_COUNT_BYTES, "%.26s %s", count, units[unit].name);
    return out;
}

const char *style_span_about(uint64_t seconds, char out[STYLE_COUNT_BYTES])
{
    uint64_t unit = 1;
    if (seconds >= 2 * DAY_S - HOUR_S)
        unit = DAY_S;
    else if (seconds >= 2 * HOUR_S - MINUTE_S)
        unit = HOUR_S;
    else if (seconds >= 2 * MINUTE_S)
        unit = MINUTE_S;
    return style_span((seconds + unit / 2) / unit * unit, out);
}

void style_print_name(FILE *file, const char *text)
{
    print_characters(file, text, strlen(text), SIZE_MAX);
}

void style_print_key(FILE *file, const char *key, size_t bytes, size_t columns)
{
    int is_plain = bytes > 0 && key[0] != ' ' && key[bytes - 1] != ' ';
    const char *quote = is_plain ? "" : "\"";
    fputs(quote, file);
    print_characters(file, key, bytes, is_plain ? columns : columns - 2);
    fputs(quote, file);
}

void style_first_line(FILE *file, const char *text, size_t bytes, size_t columns)
{
    size_t at = skip_blank(text, bytes);
    size_t written = 0;
    for (; at < bytes && text[at] != '\n' && text[at] != '\r'; written++) {
        if (written + 1 >= columns && at + 1 < bytes) {
            fputs("…", file);
            return;
        }
        const unsigned char *here = (const unsigned char *)text + at;
        size_t length = style_utf8_length(here, bytes - at);
        if (*here == '\t')
            fputc(' ', file);
        else if (length == 0 || style_is_control(here, length))
            fputc('?', file);
        else
            fwrite(here, 1, length, file);
        at += length == 0 ? 1 : length;
    }
}

size_t style_utf8_length(const unsigned char *text, size_t bytes)
{
    /* Smallest code point of each length: longer spellings of a character are not valid. */
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned char lead = text[0];
    if (lead < 0x80)
        return 1;
    size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || length > bytes)
        return 0;
    uint32_t point = lead & (0xffu >> (length + 1));
    for (size_t i = 1; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
        point = point << 6 | (text[i] & 0x3fu);
    }
    int is_surrogate = point >= 0xd800 && point <= 0xdfff;
    return point < smallest[length] || point > 0x10ffff || is_surrogate ? 0 : length;
}

uint32_t style_code_point(const unsigned char *text, size_t length)
{
    uint32_t point = length == 1 ? text[0] : text[0] & (0xffu >> (length + 1));
    for (size_t i = 1; i < length; i++)
        point = point << 6 | (text[i] & 0x3fu);
    return point;
}

/* C0, DEL and C1 (U+0080 to U+009F), which some terminals obey too. Of what Unicode has of the kind
 * not the joiners U+200C and U+200D: scripts and emoji need them. */
int style_is_control(const unsigned char *text, size_t length)
{
    static const struct {
        uint32_t first;
        uint32_t last;
    } steering[] = {{0, 0x1f},        {0x7f, 0x9f},     {0x61c, 0x61c},   {0x200b, 0x200b},
                    {0x200e, 0x200f}, {0x2028, 0x202e}, {0x2066, 0x2069}, {0xfeff, 0xfeff}};
    uint32_t point = style_code_point(text, length);
    for (size_t i = 0; i < sizeof steering / sizeof steering[0]; i++) {
        if (point >= steering[i].first && point <= steering[i].last)
            return 1;
    }
    return 0;
}

int text_is_utf8(const void *text, size_t bytes)
{
    const unsigned char *at = text;
    for (size_t i = 0; i < bytes;) {
        uint64_t eight;
        if (bytes - i >= sizeof eight) { /* most text is ASCII */
            memcpy(&eight, at + i, sizeof eight);
            if ((eight & UINT64_C(0x8080808080808080)) == 0) {
                i += sizeof eight;
                continue;
            }
        }
        size_t length = style_utf8_length(at + i, bytes - i);
        if (length == 0)
            return 0;
        i += length;
    }
    return 1;
}

/* At most `columns` characters, the last of them "…" where the text goes on. */
static void print_characters(FILE *file, const char *text, size_t bytes, size_t columns)
{
    char escape[ESCAPE_BYTES];
    size_t written = 0;
    for (size_t at = 0; at < bytes;) {
        const unsigned char *here = (const unsigned char *)text + at;
        size_t length = style_utf8_length(here, bytes - at);
        size_t cells = 1;
        if (length == 0 || style_is_control(here, length))
            cells = write_escape(here, length, escape);
        size_t step = length == 0 ? 1 : length;
        if (written + cells + (at + step < bytes) > columns) {
            fputs("…", file);
            return;
        }
        if (cells == 1)
            fwrite(here, 1, length, file);
        else
            fputs(escape, file);
        written += cells;
        at += step;
    }
}

/* The visible form of a control character, or (length 0) of a byte. Returns its length. */
static size_t write_escape(const unsigned char *at, size_t length, char out[ESCAPE_BYTES])
{
    const char *named = strchr("\nn\rr\tt", *at);
    if (*at != '\0' && named != NULL)
        return (size_t)snprintf(out, ESCAPE_BYTES, "\\%c", named[1]);
    const char *format = length >= 2 ? "\\u%04x" : "\\x%02x";
    unsigned point = length >= 2 ? style_code_point(at, length) : *at;
    return (size_t)snprintf(out, ESCAPE_BYTES, format, point);
}

static int colour_wanted(FILE *file)
{
    const char *refused = getenv("NO_COLOR");
    return (refused == NULL || refused[0] == '\0') && style_on_terminal(file);
}

static size_t skip_blank(const char *text, size_t bytes)
{
    size_t at = 0;
    while (at < bytes &&
           (text[at] == ' ' || text[at] == '\t' || text[at] == '\n' || text[at] == '\r'))
        at++;
    return at;
}
