/* The line reader under keys files, texts and JSONL. It reads the descriptor itself: stdio would
 * wait for a full buffer where a pipe already has a line. */
#include "line_read.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "interrupt_catch.h"
#include "report_error.h"

enum { FIRST_BYTES = 65536 };

static int refill(struct line_reader *reader);
static int make_room(struct line_reader *reader);

int line_open(struct line_reader *reader, const char *path)
{
    int is_stdin = strcmp(path, "-") == 0;
    memset(reader, 0, sizeof *reader);
    reader->name = is_stdin ? "standard input" : path;
    reader->descriptor = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (reader->descriptor < 0)
        return report_error(CODE_IO, "cannot read %s: %s", path, strerror(errno));
    return make_room(reader);
}

int line_next(struct line_reader *reader, const char **line_out, size_t *bytes_out)
{
    size_t searched = 0;
    for (;;) {
        char *line = reader->buffer + reader->start;
        size_t bytes = reader->end - reader->start;
        char *newline = bytes > searched ? memchr(line + searched, '\n', bytes - searched) : NULL;
        if (newline != NULL || (reader->at_end && bytes > 0)) {
            *line_out = line;
            *bytes_out = newline != NULL ? (size_t)(newline - line) : bytes;
            reader->start += *bytes_out + (newline != NULL);
            reader->line++;
            break;
        }
        if (reader->at_end)
            return CODE_END;
        searched = bytes;
        int code = refill(reader);
        if (code != CODE_OK)
            return code;
    }
    if (reader->line == 1 && *bytes_out >= 3 && memcmp(*line_out, "\xef\xbb\xbf", 3) == 0) {
        *line_out += 3;
        *bytes_out -= 3;
    }
    return CODE_OK;
}

void line_close(struct line_reader *reader)
{
    if (reader->name != NULL && reader->descriptor > STDIN_FILENO)
        close(reader->descriptor);
    free(reader->buffer);
    memset(reader, 0, sizeof *reader);
}

/* Reads more behind what is there. An interrupt ends the input; a line that was only half typed is
 * dropped. */
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
    reader->end += (size_t)got;
    reader->at_end = got == 0;
    return CODE_OK;
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
    if (bytes >= LINE_BYTES_MAX)
        return report_error(CODE_BAD_DATA,
                            "%s, line %llu: longer than %d bytes: is it a file of lines?",
                            reader->name, (unsigned long long)reader->line + 1, LINE_BYTES_MAX);
    size_t capacity = reader->capacity == 0 ? FIRST_BYTES : reader->capacity * 2;
    if (capacity > LINE_BYTES_MAX)
        capacity = LINE_BYTES_MAX;
    char *buffer = realloc(reader->buffer, capacity);
    if (buffer == NULL)
        return report_no_memory();
    reader->buffer = buffer;
    reader->capacity = capacity;
    return CODE_OK;
}
