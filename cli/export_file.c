/* The files of export. An export that fails, is interrupted or finds the device full leaves what
 * stood under the name before. */
#include "export_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "report_error.h"

enum { BUFFER_BYTES = 1048576 };

static int check_there(const char *path, int may_replace);
static int open_stream(struct export_file *file);
static int name_temporary(struct export_file *file);
static int open_temporary(struct export_file *file);
static int report_write(const struct export_file *file);

int export_is_stdout(const char *path)
{
    struct stat named;
    struct stat out;
    return strcmp(path, "-") == 0 || (stat(path, &named) == 0 && fstat(STDOUT_FILENO, &out) == 0 &&
                                      named.st_dev == out.st_dev && named.st_ino == out.st_ino);
}

int export_is_stream(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && (S_ISFIFO(status.st_mode) || S_ISCHR(status.st_mode));
}

int export_open(struct export_file *file, const char *path, int may_replace)
{
    file->path = path;
    if (strcmp(path, "-") == 0) {
        file->file = stdout;
        return CODE_OK;
    }
    if (export_is_stream(path))
        return open_stream(file);
    int code = check_there(path, may_replace);
    if (code == CODE_OK)
        code = name_temporary(file);
    return code == CODE_OK ? open_temporary(file) : code;
}

int export_finish(struct export_file *file)
{
    if (file->file == stdout)
        return CODE_OK;
    if (fflush(file->file) != 0 || ferror(file->file))
        return report_write(file);
    if (file->temporary == NULL)
        return CODE_OK;
    if (fsync(fileno(file->file)) != 0)
        return report_write(file);
    FILE *closing = file->file;
    file->file = NULL;
    if (fclose(closing) != 0 || rename(file->temporary, file->path) != 0) {
        int code = report_write(file);
        unlink(file->temporary);
        return code;
    }
    return CODE_OK;
}

void export_close(struct export_file *file)
{
    if (file->file != NULL && file->file != stdout) {
        fclose(file->file);
        if (file->temporary != NULL)
            unlink(file->temporary);
    }
    free(file->temporary);
    free(file->buffer);
    memset(file, 0, sizeof *file);
}

/* A link is replaced, not what it leads to. */
static int check_there(const char *path, int may_replace)
{
    struct stat status;
    if (lstat(path, &status) != 0)
        return CODE_OK;
    if (S_ISDIR(status.st_mode))
        return report_error(CODE_USAGE, "%s is a directory: name a file in it", path);
    if (!S_ISREG(status.st_mode) && !S_ISLNK(status.st_mode))
        return report_error(CODE_USAGE, "%s is no regular file: name another", path);
    if (!may_replace)
        return report_error(CODE_USAGE, "%s is there already: --force replaces it", path);
    return CODE_OK;
}

static int open_stream(struct export_file *file)
{
    file->file = fopen(file->path, "wbe");
    return file->file != NULL ? CODE_OK : report_write(file);
}

/* "folder/.name.XXXXXX.tmp". */
static int name_temporary(struct export_file *file)
{
    const char *slash = strrchr(file->path, '/');
    const char *name = slash != NULL ? slash + 1 : file->path;
    size_t bytes = strlen(file->path) + sizeof ".."
                                               "XXXXXX.tmp";
    file->temporary = malloc(bytes);
    if (file->temporary == NULL)
        return report_no_memory();
    snprintf(file->temporary, bytes, "%.*s.%s.XXXXXX.tmp", (int)(name - file->path), file->path,
             name);
    return CODE_OK;
}

static int open_temporary(struct export_file *file)
{
    int descriptor = mkostemps(file->temporary, 4, O_CLOEXEC);
    if (descriptor < 0)
        return report_write(file);
    mode_t mask = umask(0);
    umask(mask);
    file->buffer = malloc(BUFFER_BYTES);
    file->file = file->buffer != NULL && fchmod(descriptor, 0666 & ~mask) == 0
                     ? fdopen(descriptor, "wb")
                     : NULL;
    if (file->file == NULL) {
        int code = report_write(file);
        close(descriptor);
        unlink(file->temporary);
        return code;
    }
    setvbuf(file->file, file->buffer, _IOFBF, BUFFER_BYTES);
    return CODE_OK;
}

static int report_write(const struct export_file *file)
{
    return report_error(CODE_IO, "cannot write %s: %s", file->path, strerror(errno));
}
