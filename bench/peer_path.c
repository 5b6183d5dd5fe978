/* Where a peer's file lies in the directory it was given. */
#include <stdio.h>

#include "peer.h"

void peer_path(const struct peer_setting *setting, const char *name, char *path, size_t bytes)
{
    snprintf(path, bytes, "%s/%s", setting->directory, name);
}
