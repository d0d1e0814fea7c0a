/* The clocks, for every effect: deadlines count on the monotonic one, which no administrator sets; what is written
 * down is realtime, which outlives a reboot. */
#pragma once

#include "arena.h"

#include <stdint.h>

uint64_t gp_monotonic_ms(void);
uint64_t gp_realtime_us(void);
void gp_sleep_ms(uint32_t ms); /* signals do not shorten it */
/* Realtime @us as ISO 8601 in UTC, to the second. */
const char *gp_time_text(struct gp_arena *mem, uint64_t us);
