/* Reading what fits into memory: values, vectors and texts that stand in a file of their own. */
#include "file_read.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "input_open.h"
#include "report_error.h"
#include "text_style.h"

enum { FIRST_BYTES = 65536 };

static int read_all(FILE *file, size_t bytes_max, char **bytes_out, size_t *count_out);

int file_read_whole(const char *path, size_t bytes_max, const char *most_of, char **bytes_out,
                    size_t *count_out)
{
    char limit[STYLE_COUNT_BYTES];
    int is_stdin = strcmp(path, "-") == 0;
    const char *name = is_stdin ? "standard input" : path;
    *bytes_out = NULL;
    *count_out = 0;
    int code = input_check_path(path);
    if (code != CODE_OK)
        return code;
    FILE *file = is_stdin ? stdin : fopen(path, "rbe");
    if (file != NULL)
        code = read_all(file, bytes_max, bytes_out, count_out);
    if (file == NULL || ferror(file))
        code = report_error(CODE_IO, "cannot read %s: %s", name, strerror(errno));
    else if (*count_out > bytes_max)
        code = report_error(CODE_BAD_DATA, "%s is longer than %s bytes, the most of %s", name,
                            style_count(bytes_max, limit), most_of);
    if (file != NULL && !is_stdin)
        fclose(file);
    return code;
}

/* Ends when there is more than `bytes_max`. */
static int read_all(FILE *file, size_t bytes_max, char **bytes_out, size_t *count_out)
{
    size_t capacity = 0;
    while (!feof(file) && !ferror(file) && *count_out <= bytes_max) {
        if (*count_out == capacity) {
            capacity = capacity == 0 ? FIRST_BYTES : capacity * 2;
            char *grown = realloc(*bytes_out, capacity);
            if (grown == NULL)
                return report_no_memory();
            *bytes_out = grown;
        }
        *count_out += fread(*bytes_out + *count_out, 1, capacity - *count_out, file);
    }
    return CODE_OK;
}
