/* Ctrl-C in commands that take long: what is at hand is finished, then the command ends by
 * itself. */
#ifndef EMBEDCACHE_CLI_INTERRUPT_CATCH_H
#define EMBEDCACHE_CLI_INTERRUPT_CATCH_H

/* From now on the first SIGINT or SIGTERM only raises a flag; a second one ends the process at once
 * (which loses nothing that was committed). */
void interrupt_catch(void);

/* Whether it was raised. */
int interrupt_caught(void);

#endif
