/* Reading the processor's counters. A counter that the system refuses stays closed (-1). */
#include "hardware_count.h"

#include <linux/perf_event.h>
#include <math.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static const uint64_t events[] = {PERF_COUNT_HW_INSTRUCTIONS, PERF_COUNT_HW_CACHE_MISSES};

static int open_event(uint64_t event)
{
    struct perf_event_attr attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.type = PERF_TYPE_HARDWARE;
    attributes.size = sizeof attributes;
    attributes.config = event;
    attributes.disabled = 1;
    attributes.exclude_kernel = 1;
    attributes.exclude_hv = 1;
    return (int)syscall(SYS_perf_event_open, &attributes, 0, -1, -1, 0);
}

void hardware_count_open(struct hardware_count *count)
{
    for (int i = 0; i < 2; i++)
        count->descriptors[i] = open_event(events[i]);
}

static void command(const struct hardware_count *count, unsigned long request)
{
    for (int i = 0; i < 2; i++)
        if (count->descriptors[i] >= 0)
            ioctl(count->descriptors[i], request, 0);
}

void hardware_count_start(struct hardware_count *count)
{
    command(count, PERF_EVENT_IOC_ENABLE);
}

void hardware_count_stop(struct hardware_count *count)
{
    command(count, PERF_EVENT_IOC_DISABLE);
}

static double take(int descriptor)
{
    uint64_t value;
    if (descriptor < 0)
        return NAN;
    double result = read(descriptor, &value, sizeof value) == sizeof value ? (double)value : NAN;
    close(descriptor);
    return result;
}

void hardware_count_close(struct hardware_count *count)
{
    count->instructions = take(count->descriptors[0]);
    count->cache_misses = take(count->descriptors[1]);
}
