/* The buffer under the readers of .npy and its like. It reads the descriptor itself: large pieces
 * go past the buffer, and a regular file is skipped over by seeking. */
#include "byte_read.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "interrupt_catch.h"
#include "report_error.h"

enum { BUFFER_BYTES = 1048576 };

static int fetch(struct byte_reader *reader, void *out, size_t count, size_t *got_out);
static int refill(struct byte_reader *reader);

int byte_open(struct byte_reader *reader, const struct input *input)
{
    memset(reader, 0, sizeof *reader);
    reader->name = input->name;
    reader->descriptor = input->descriptor;
    reader->is_regular = input->is_regular;
    reader->bytes = input->bytes;
    reader->buffer = malloc(BUFFER_BYTES);
    if (reader->buffer == NULL)
        return report_no_memory();
    memcpy(reader->buffer, input->head, input->head_bytes);
    reader->end = input->head_bytes;
    reader->at_end = input->head_bytes < INPUT_HEAD_BYTES;
    return CODE_OK;
}

int byte_read(struct byte_reader *reader, void *out, size_t count, size_t *got_out)
{
    unsigned char *to = out;
    size_t got = 0;
    int code = CODE_OK;
    while (got < count && code == CODE_OK) {
        size_t there = reader->end - reader->start;
        size_t piece = there < count - got ? there : count - got;
        if (piece > 0) {
            memcpy(to + got, reader->buffer + reader->start, piece);
            reader->start += piece;
        } else if (reader->at_end) {
            break;
        } else if (count - got >= BUFFER_BYTES) {
            code = fetch(reader, to + got, count - got, &piece);
        } else {
            code = refill(reader);
        }
        got += piece;
    }
    reader->at += got;
    *got_out = got;
    return code;
}

int byte_lend(struct byte_reader *reader, const unsigned char **bytes_out, size_t *count_out)
{
    int code = reader->start == reader->end && !reader->at_end ? refill(reader) : CODE_OK;
    *bytes_out = reader->buffer + reader->start;
    *count_out = reader->end - reader->start;
    reader->at += *count_out;
    reader->start = reader->end;
    return code;
}

int byte_is_interrupted(const struct byte_reader *reader)
{
    return reader->at_end && !reader->is_regular && interrupt_caught();
}

int byte_skip(struct byte_reader *reader, uint64_t count)
{
    int code = CODE_OK;
    while (count > 0 && code == CODE_OK) {
        size_t there = reader->end - reader->start;
        size_t piece = there < count ? there : (size_t)count;
        reader->start += piece;
        reader->at += piece;
        count -= piece;
        if (count == 0 || reader->at_end)
            break;
        if (reader->is_regular) {
            if (lseek(reader->descriptor, (off_t)count, SEEK_CUR) < 0)
                return report_error(CODE_IO, "cannot read %s: %s", reader->name, strerror(errno));
            reader->at += count;
            break;
        }
        code = refill(reader);
    }
    return code;
}

void byte_close(struct byte_reader *reader)
{
    if (reader->name != NULL)
        input_close(reader->descriptor);
    free(reader->buffer);
    memset(reader, 0, sizeof *reader);
}

static int refill(struct byte_reader *reader)
{
    reader->start = reader->end = 0;
    return fetch(reader, reader->buffer, BUFFER_BYTES, &reader->end);
}

/* One read of the descriptor. Ctrl-C does not end it: the batch at hand is finished. */
static int fetch(struct byte_reader *reader, void *out, size_t count, size_t *got_out)
{
    ssize_t got;
    do
        got = read(reader->descriptor, out, count);
    while (got < 0 && errno == EINTR);
    *got_out = got > 0 ? (size_t)got : 0;
    reader->at_end = got <= 0;
    if (got < 0)
        return report_error(CODE_IO, "cannot read %s: %s", reader->name, strerror(errno));
    return CODE_OK;
}
