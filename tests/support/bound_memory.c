/* The limit is the system's own. Called by tests of hostile bytes. */
#include "support/bound_memory.h"

#include <stdio.h>
#include <sys/resource.h>

#include "support/under_sanitizer.h"

void bound_memory(size_t bytes)
{
    struct rlimit limit;
    unsigned long pages = 0;
    FILE *file = UNDER_SANITIZER ? NULL : fopen("/proc/self/statm", "r");
    if (file == NULL)
        return;
    if (fscanf(file, "%lu", &pages) == 1 && getrlimit(RLIMIT_AS, &limit) == 0) {
        limit.rlim_cur = pages * 4096 + bytes;
        setrlimit(RLIMIT_AS, &limit);
    }
    fclose(file);
}
