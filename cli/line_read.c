/* The line reader under keys files, texts and JSONL. It reads the descriptor itself: stdio would
 * wait for a full buffer where a pipe already has a line. */
#include "line_read.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "interrupt_catch.h"
#include "report_error.h"
#include "text_style.h"

/* Room for the longest line and its end, CR and LF. */
enum { FIRST_BYTES = 65536, BUFFER_BYTES_MAX = LINE_BYTES_MAX + 2, SENTENCE_BYTES = 512 };

static int find_line(struct line_reader *reader, const char **line_out, size_t *bytes_out);
static int pass_long_line(struct line_reader *reader);
static int refuse_long_line(struct line_reader *reader);
static int refill(struct line_reader *reader);
static int is_regular(const struct line_reader *reader);
static int check_beginning(const struct line_reader *reader);
static int begins(const struct line_reader *reader, const char *bytes);
static int make_room(struct line_reader *reader);

int line_open(struct line_reader *reader, const char *path)
{
    struct stat status;
    int is_stdin = strcmp(path, "-") == 0;
    memset(reader, 0, sizeof *reader);
    if (input_check_path(path) != CODE_OK)
        return CODE_USAGE;
    reader->name = is_stdin ? "standard input" : path;
    reader->descriptor = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (reader->descriptor < 0)
        return report_error(CODE_IO, "cannot read %s: %s", path, strerror(errno));
    if (fstat(reader->descriptor, &status) == 0 && S_ISDIR(status.st_mode))
        return report_error(CODE_USAGE, "%s is a directory: name a file in it", reader->name);
    return make_room(reader);
}

int line_open_input(struct line_reader *reader, const struct input *input)
{
    memset(reader, 0, sizeof *reader);
    reader->name = input->name;
    reader->descriptor = input->descriptor;
    int code = make_room(reader);
    if (code != CODE_OK)
        return code;
    memcpy(reader->buffer, input->head, input->head_bytes);
    reader->end = input->head_bytes;
    reader->at_end = input->head_bytes < INPUT_HEAD_BYTES;
    return check_beginning(reader);
}

int line_next(struct line_reader *reader, const char **line_out, size_t *bytes_out)
{
    int code = find_line(reader, line_out, bytes_out);
    if (code != CODE_OK)
        return code;
    if (reader->line == 1 && *bytes_out >= 3 && memcmp(*line_out, "\xef\xbb\xbf", 3) == 0) {
        *line_out += 3;
        *bytes_out -= 3;
    }
    if (*bytes_out > 0 && memchr(*line_out, '\0', *bytes_out) != NULL)
        return line_refuse(reader, "it has a NUL byte: give text, one a line");
    if (!text_is_utf8(*line_out, *bytes_out))
        return line_refuse(reader, "it is not UTF-8: convert the file with iconv -t UTF-8");
    return CODE_OK;
}

int line_refuse(struct line_reader *reader, const char *format, ...)
{
    char sentence[SENTENCE_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    if (reader->refused++ < REFUSED_NAMED_MAX)
        report_error(CODE_BAD_DATA, "%s, line %" PRIu64 ": %s", reader->name, reader->line,
                     sentence);
    return CODE_REFUSED;
}

int line_sum_up(const struct line_reader *reader)
{
    char count[STYLE_COUNT_BYTES];
    if (reader->refused == 0)
        return CODE_OK;
    return report_error(CODE_BAD_DATA, "%s %s of %s refused: mend them and give them again",
                        style_count(reader->refused, count),
                        reader->refused == 1 ? "line" : "lines", reader->name);
}

void line_close(struct line_reader *reader)
{
    if (reader->name != NULL && reader->descriptor > STDIN_FILENO)
        close(reader->descriptor);
    free(reader->buffer);
    memset(reader, 0, sizeof *reader);
}

/* The next line as the file has it. */
static int find_line(struct line_reader *reader, const char **line_out, size_t *bytes_out)
{
    size_t searched = 0;
    for (;;) {
        char *line = reader->buffer + reader->start;
        size_t bytes = reader->end - reader->start;
        char *newline = bytes > searched ? memchr(line + searched, '\n', bytes - searched) : NULL;
        if (newline != NULL || (reader->at_end && bytes > 0)) {
            size_t length = newline != NULL ? (size_t)(newline - line) : bytes;
            reader->start += length + (newline != NULL);
            reader->line++;
            *line_out = line;
            *bytes_out = length - (newline != NULL && length > 0 && line[length - 1] == '\r');
            return *bytes_out > LINE_BYTES_MAX ? refuse_long_line(reader) : CODE_OK;
        }
        if (reader->at_end)
            return CODE_END;
        if (bytes == BUFFER_BYTES_MAX)
            return pass_long_line(reader);
        searched = bytes;
        int code = refill(reader);
        if (code != CODE_OK)
            return code;
    }
}

/* Forgets what was read of the line and reads on to its end. */
static int pass_long_line(struct line_reader *reader)
{
    char *newline = NULL;
    reader->line++;
    while (newline == NULL && !reader->at_end) {
        reader->start = reader->end = 0;
        int code = refill(reader);
        if (code != CODE_OK)
            return code;
        newline = memchr(reader->buffer, '\n', reader->end);
    }
    reader->start = newline != NULL ? (size_t)(newline - reader->buffer) + 1 : reader->end;
    return refuse_long_line(reader);
}

static int refuse_long_line(struct line_reader *reader)
{
    char limit[STYLE_COUNT_BYTES];
    return line_refuse(reader, "it is longer than %s bytes: is it a file of lines?",
                       style_count(LINE_BYTES_MAX, limit));
}

/* Reads more behind what is there. An interrupt ends the input; a line that was only half typed, or
 * that its writer did not come to end, is dropped. */
static int refill(struct line_reader *reader)
{
    int code = make_room(reader);
    if (code != CODE_OK)
        return code;
    ssize_t got;
    do
        got =
            read(reader->descriptor, reader->buffer + reader->end, reader->capacity - reader->end);
    while (got < 0 && errno == EINTR && !interrupt_caught());
    if (got < 0 && errno == EINTR)
        return CODE_END;
    if (got < 0)
        return report_error(CODE_IO, "cannot read %s: %s", reader->name, strerror(errno));
    if (got == 0 && interrupt_caught() && !is_regular(reader))
        return CODE_END;
    int is_first = reader->line == 0 && reader->end == 0;
    reader->end += (size_t)got;
    reader->at_end = got == 0;
    return is_first ? check_beginning(reader) : CODE_OK;
}

/* A file is whole, whoever is interrupted. */
static int is_regular(const struct line_reader *reader)
{
    struct stat status;
    return fstat(reader->descriptor, &status) == 0 && S_ISREG(status.st_mode);
}

/* Whether the first bytes are those of a text. */
static int check_beginning(const struct line_reader *reader)
{
    const char *name = reader->name;
    const char *bytes = reader->buffer;
    if (begins(reader, "EDBslot"))
        return report_error(CODE_BAD_DATA,
                            "%s is an EmbedCache file, no text: name a file with a "
                            "text or key on each line",
                            name);
    if (begins(reader, "\x93NUMPY"))
        return report_error(CODE_BAD_DATA,
                            "%s is a NumPy array, no text: its rows are stored by "
                            "embedcache import",
                            name);
    if (begins(reader, "\xff\xfe") || begins(reader, "\xfe\xff"))
        return report_error(CODE_BAD_DATA,
                            "%s is text in UTF-16: convert it with iconv -f UTF-16 "
                            "-t UTF-8",
                            name);
    const char *nul = memchr(bytes, '\0', reader->end);
    if (nul == NULL)
        return CODE_OK;
    uint64_t line = 1;
    for (const char *at = bytes; at < nul; at++)
        line += *at == '\n';
    return report_error(CODE_BAD_DATA,
                        "%s, line %" PRIu64 ": a NUL byte, so it is no text: name a "
                        "file with a text or key on each line",
                        name, line);
}

static int begins(const struct line_reader *reader, const char *bytes)
{
    size_t count = strlen(bytes);
    return reader->end >= count && memcmp(reader->buffer, bytes, count) == 0;
}

static int make_room(struct line_reader *reader)
{
    if (reader->end < reader->capacity)
        return CODE_OK;
    size_t bytes = reader->end - reader->start;
    if (reader->start > 0) {
        memmove(reader->buffer, reader->buffer + reader->start, bytes);
        reader->start = 0;
        reader->end = bytes;
        return CODE_OK;
    }
    size_t capacity = reader->capacity == 0 ? FIRST_BYTES : reader->capacity * 2;
    if (capacity > BUFFER_BYTES_MAX)
        capacity = BUFFER_BYTES_MAX;
    char *buffer = realloc(reader->buffer, capacity);
    if (buffer == NULL)
        return report_no_memory();
    reader->buffer = buffer;
    reader->capacity = capacity;
    return CODE_OK;
}
