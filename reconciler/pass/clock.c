#include "pass.h"

#include <time.h>

uint64_t gp_now_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
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
