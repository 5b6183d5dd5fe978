/* Which table of kernels this machine uses. So far there is one: the portable one. */
#include "kernel/kernel.h"

const struct kernel_table *kernel_current(void)
{
    return &kernel_portable;
}
