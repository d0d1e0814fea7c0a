/* The hours on the wall elsewhere: time zones as the tz database of this machine has them. */
#pragma once

#include <stdint.h>
#include <time.h>

enum gp_timezone_state {
    GP_TIMEZONE_KNOWN,
    GP_TIMEZONE_UNKNOWN,    /* the tz database of this machine has no such zone */
    GP_TIMEZONE_NO_DATABASE /* this machine has none */
};
/* Whether the C library knows @zone: for one that it does not know it takes UTC and says nothing (glibc, tzset(3)). UTC is
 * known everywhere. Looks below $TZDIR, or /usr/share/zoneinfo. */
enum gp_timezone_state gp_timezone_find(const char *zone);

/* Minutes since Monday 00:00 at @now, as the clock on the wall says in @zone (one that is known); NULL: here. Sets TZ in
 * between, so no other thread may ask for local time meanwhile. */
uint32_t gp_timezone_week_minute(time_t now, const char *zone);
