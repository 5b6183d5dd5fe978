/* Letting the device write while the next batch is made ready. */
#ifndef EMBEDCACHE_CLI_WRITE_BEHIND_H
#define EMBEDCACHE_CLI_WRITE_BEHIND_H

struct write_behind {
    int descriptor; /* -1: not open */
};

/* Asks the system to begin writing what was committed to the file `path`, and does not wait. Advice
 * only: nothing is promised by it, and a failure is no one's business. */
void write_behind_start(struct write_behind *behind, const char *path);

void write_behind_close(struct write_behind *behind);

#endif
