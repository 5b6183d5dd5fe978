/* Opening what is to be read. Import looks at the head to find the format; the readers of formats
 * begin with the head and go on with the descriptor. */
#include "input_open.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "report_error.h"

static int read_head(struct input *input);

int input_check_path(const char *path)
{
    if (path[0] != '\0')
        return CODE_OK;
    return report_error(CODE_USAGE, "the name of a file to read is empty: name one, or \"-\" for "
                                    "standard input");
}

int input_open(struct input *input, const char *path)
{
    struct stat status;
    int is_stdin = strcmp(path, "-") == 0;
    memset(input, 0, sizeof *input);
    if (input_check_path(path) != CODE_OK)
        return CODE_USAGE;
    input->path = path;
    input->name = is_stdin ? "standard input" : path;
    input->descriptor = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (input->descriptor < 0 || fstat(input->descriptor, &status) != 0) {
        int code = report_error(CODE_IO, "cannot read %s: %s", path, strerror(errno));
        input_close(input->descriptor);
        return code;
    }
    if (is_stdin && S_ISDIR(status.st_mode))
        return report_error(CODE_USAGE, "standard input is a directory: name it in place of \"-\"");
    input->is_directory = S_ISDIR(status.st_mode);
    input->is_regular = S_ISREG(status.st_mode) && !is_stdin;
    input->bytes = input->is_regular ? (uint64_t)status.st_size : 0;
    int code = input->is_directory ? CODE_OK : read_head(input);
    if (code != CODE_OK)
        input_close(input->descriptor);
    return code;
}

int input_begins(const struct input *input, const char *bytes)
{
    size_t count = strlen(bytes);
    return input->head_bytes >= count && memcmp(input->head, bytes, count) == 0;
}

void input_close(int descriptor)
{
    if (descriptor > STDIN_FILENO)
        close(descriptor);
}

static int read_head(struct input *input)
{
    while (input->head_bytes < INPUT_HEAD_BYTES) {
        ssize_t got = read(input->descriptor, input->head + input->head_bytes,
                           INPUT_HEAD_BYTES - input->head_bytes);
        if (got == 0)
            break;
        if (got > 0)
            input->head_bytes += (size_t)got;
        else if (errno != EINTR)
            return report_error(CODE_IO, "cannot read %s: %s", input->name, strerror(errno));
    }
    return CODE_OK;
}
