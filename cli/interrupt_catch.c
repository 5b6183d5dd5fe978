/* The interrupt flag. Import, export and embed look at it between batches and rows, stats --watch
 * between looks, readers and the asking of servers where they wait. Nothing else catches signals;
 * main() ignores SIGXFSZ. */
#include "interrupt_catch.h"

#include <signal.h>
#include <string.h>

static volatile sig_atomic_t caught;

static void raise_flag(int signal_number);

void interrupt_catch(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = raise_flag;
    sigemptyset(&action.sa_mask);
    /* No SA_RESTART: a read that waits for standard input has to come back. */
    action.sa_flags = (int)SA_RESETHAND;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

int interrupt_caught(void)
{
    return caught != 0;
}

static void raise_flag(int signal_number)
{
    (void)signal_number;
    caught = 1;
}
