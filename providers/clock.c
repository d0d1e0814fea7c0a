#include "clock.h"

#include <errno.h>
#include <time.h>

uint64_t gp_monotonic_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint64_t gp_realtime_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

void gp_sleep_ms(uint32_t ms)
{
    struct timespec rest = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

    while (nanosleep(&rest, &rest) < 0 && errno == EINTR)
        continue;
}

const char *gp_time_text(struct gp_arena *mem, uint64_t us)
{
    const time_t seconds = (time_t)(us / 1000000);
    struct tm utc;
    char text[32];

    (void)gmtime_r(&seconds, &utc);
    (void)strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
    return gp_strdup(mem, text);
}
