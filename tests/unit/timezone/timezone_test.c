/* Time zones against a tz database of the test's own, so that none is needed on the machine that runs it. */
#include "rows.h"

#include "cleanup.h"
#include "text.h"
#include "timezone.h"

#include <ftw.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/gpupart-tz-XXXXXX";

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static void write_file(struct gp_arena *mem, const char *name, const char *bytes, size_t size)
{
    gp_cleanup(gp_fclose_p) FILE *file = fopen(gp_printf(mem, "%s/%s", folder, name), "we");

    cr_assert(file && fwrite(bytes, 1, size, file) == size);
}

/* RFC 9636, section 3: a header and one type of local time, an hour east of UTC; the first for readers of version 1. */
#define NULLS_16   "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define EAST_BLOCK "TZif2" NULLS_16 NULLS_16 "\0\0\1\0\0\0\4" /* one type, four characters */ "\0\0\x0e\x10\0\0" /* 3600 s */ "EAS\0"
static const char east[] = EAST_BLOCK EAST_BLOCK "\nEAS-1\n";

static void open_database(struct gp_arena *mem)
{
    cr_assert(mkdtemp(folder) != NULL);
    (void)setenv("TZDIR", folder, 1);
    cr_assert(eq(int, mkdir(gp_printf(mem, "%s/Etc", folder), 0700), 0));
}

static void close_database(void)
{
    (void)nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static const struct {
    const char *zone;
    enum gp_timezone_state with, without; /* a database */
} zones[] = {
    {"UTC", GP_TIMEZONE_KNOWN, GP_TIMEZONE_KNOWN},
    {"Etc/UTC", GP_TIMEZONE_KNOWN, GP_TIMEZONE_KNOWN},
    {"Etc/East", GP_TIMEZONE_KNOWN, GP_TIMEZONE_NO_DATABASE},
    {"Etc/Eats", GP_TIMEZONE_UNKNOWN, GP_TIMEZONE_NO_DATABASE},
    {"Etc", GP_TIMEZONE_UNKNOWN, GP_TIMEZONE_NO_DATABASE},
    {"zone.tab", GP_TIMEZONE_UNKNOWN, GP_TIMEZONE_NO_DATABASE},
    {"CET-1CEST", GP_TIMEZONE_UNKNOWN, GP_TIMEZONE_NO_DATABASE}, /* the C library would take the rules of the USA */
};

GP_ROWS(timezone, find, zones)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();

    open_database(mem);
    cr_expect(eq(int, gp_timezone_find(zones[*i].zone), zones[*i].without), "%s without a database", zones[*i].zone);
    write_file(mem, "Etc/UTC", east, sizeof east - 1); /* which zone it is does not matter */
    write_file(mem, "Etc/East", east, sizeof east - 1);
    write_file(mem, "zone.tab", "# no zone\n", sizeof "# no zone\n" - 1);
    cr_expect(eq(int, gp_timezone_find(zones[*i].zone), zones[*i].with), "%s", zones[*i].zone);
    close_database();
}

Test(timezone, minutes_of_the_week_are_those_of_the_zone)
{
    enum { MONDAY_NOON = 4 * 86400 + 12 * 3600 }; /* 1970-01-05 12:00 UTC */
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();

    open_database(mem);
    write_file(mem, "Etc/East", east, sizeof east - 1);
    cr_expect(eq(u32, gp_timezone_week_minute(MONDAY_NOON, "Etc/East"), 13 * 60));
    cr_expect(eq(u32, gp_timezone_week_minute(MONDAY_NOON, "UTC"), 12 * 60));
    cr_expect(eq(u32, gp_timezone_week_minute(MONDAY_NOON - 13 * 3600, "UTC"), 6 * 1440 + 23 * 60));
    (void)setenv("TZ", "Etc/East", 1);
    (void)gp_timezone_week_minute(MONDAY_NOON, "UTC");
    cr_expect(eq(str, getenv("TZ"), (char *)"Etc/East"));
    cr_expect(eq(u32, gp_timezone_week_minute(MONDAY_NOON, NULL), 13 * 60));
    close_database();
}
