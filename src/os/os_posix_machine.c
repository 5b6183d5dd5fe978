/* What the real table knows of the machine: this boot's identity, randomness, clock and sleep.
 * Called through struct os_io only; knows no files of ours. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "os/os_posix.h"

static int hex_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    return -1;
}

/* Reads 32 hexadecimal digits, stepping over dashes; false when there are fewer. */
static bool parse_id(const char *text, size_t length, uint8_t id_out[16])
{
    size_t digits = 0;
    for (size_t i = 0; i < length && digits < 32; i++) {
        int value = hex_value(text[i]);
        if (value < 0 && text[i] != '-')
            return false;
        if (value < 0)
            continue;
        id_out[digits / 2] = (uint8_t)(id_out[digits / 2] << 4 | value);
        digits++;
    }
    return digits == 32;
}

void os_posix_boot_id(uint8_t id_out[16])
{
    char text[64];
    ssize_t got = -1;
    memset(id_out, 0, 16);
    int descriptor = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return;
    do
        got = read(descriptor, text, sizeof text);
    while (got < 0 && errno == EINTR);
    close(descriptor);
    if (got < 0 || !parse_id(text, (size_t)got, id_out))
        memset(id_out, 0, 16);
}

edb_status os_posix_random(void *buffer, size_t bytes)
{
    uint8_t *at = buffer;
    while (bytes > 0) {
        ssize_t got = getrandom(at, bytes, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            char text[OS_EXPLAIN_BYTES];
            return fail(EDB_IO, "the system gave no randomness: %s", os_posix_explain(errno, text));
        }
        at += got;
        bytes -= (size_t)got;
    }
    return EDB_OK;
}

uint64_t os_posix_monotonic_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* The clock that costs least: its seconds are those of the others but for some milliseconds. */
uint64_t os_posix_calendar_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    return now.tv_sec > 0 ? (uint64_t)now.tv_sec : 0;
}

void os_posix_sleep_ms(uint32_t ms)
{
    struct timespec left = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};
    while (clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) == EINTR)
        continue;
}
