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

static int name_temporary(struct export_file *file);
static int open_temporary(struct export_file *file);
static int report_write(const struct export_file *file);

int export_open(struct export_file *file, const char *path, int may_replace)
{
    struct stat status;
    file->path = path;
    if (strcmp(path, "-") == 0) {
        file->file = stdout;
        return CODE_OK;
    }
    if (lstat(path, &status) == 0) {
        if (S_ISDIR(status.st_mode))
            return report_error(CODE_USAGE, "%s is a directory: name a file in it", path);
        if (!may_replace)
            return report_error(CODE_USAGE, "%s is there already: --force replaces it", path);
    }
    int code = name_temporary(file);
    return code == CODE_OK ? open_temporary(file) : code;
}

int export_finish(struct export_file *file)
{
    if (file->file == stdout)
        return CODE_OK;
    if (fflush(file->file) != 0 || ferror(file->file) || fsync(fileno(file->file)) != 0)
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
        unlink(file->temporary);
    }
    free(file->temporary);
    free(file->buffer);
    memset(file, 0, sizeof *file);
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
