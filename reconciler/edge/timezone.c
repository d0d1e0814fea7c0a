#include "timezone.h"

#include "cleanup.h"
#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Whether the tz database has @zone as a file, which a folder of zones ("America") is not. Fact: RFC 9636, section 3.1: a
 * zone's file begins with "TZif". */
static bool in_database(const char *zone)
{
    const char *dir = getenv("TZDIR");
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    gp_cleanup(gp_fclose_p) FILE *file =
        fopen(gp_printf(mem, "%s/%s", dir && *dir ? dir : "/usr/share/zoneinfo", zone), "re");
    char magic[4];

    return file && fread(magic, sizeof magic, 1, file) == 1 && memcmp(magic, "TZif", sizeof magic) == 0;
}

enum gp_timezone_state gp_timezone_find(const char *zone)
{
    if (gp_streq(zone, "UTC") || gp_streq(zone, "Etc/UTC") || in_database(zone))
        return GP_TIMEZONE_KNOWN;
    return in_database("Etc/UTC") ? GP_TIMEZONE_UNKNOWN : GP_TIMEZONE_NO_DATABASE;
}

uint32_t gp_timezone_week_minute(time_t now, const char *zone)
{
    gp_cleanup(gp_free_p) char *before = getenv("TZ") ? strdup(getenv("TZ")) : NULL;
    struct tm local;

    if (zone) {
        (void)setenv("TZ", zone, 1);
        tzset();
    }
    (void)localtime_r(&now, &local);
    if (zone) {
        if (before)
            (void)setenv("TZ", before, 1);
        else
            (void)unsetenv("TZ");
        tzset();
    }
    return (uint32_t)(((local.tm_wday + 6) % 7) * 1440 + local.tm_hour * 60 + local.tm_min);
}
