/* Import commits lazily in between and durably now and then. Without this the device would stand
 * still until the durable commit, and the processor during it. */
#include "write_behind.h"

#include <fcntl.h>
#include <unistd.h>

void write_behind_start(struct write_behind *behind, const char *path)
{
    if (behind->descriptor < 0)
        behind->descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (behind->descriptor >= 0)
        (void)sync_file_range(behind->descriptor, 0, 0, SYNC_FILE_RANGE_WRITE);
}

void write_behind_close(struct write_behind *behind)
{
    if (behind->descriptor >= 0)
        close(behind->descriptor);
    behind->descriptor = -1;
}
