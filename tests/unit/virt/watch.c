/* The watch and the operations share the mock of this process, "test:///default", whose domain is
 * "test". */
#include "virt.h"

#include "cleanup.h"
#include "text.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <limits.h>
#include <sys/resource.h>
#include <systemd/sd-event.h>

#define URI  "test:///default"
#define UUID "6695eb01-f6a4-8304-79aa-97f2502e193f"

struct seen {
    struct gp_text text;
    unsigned count;
};

static void on_change(const char *name, const char *event, void *data)
{
    struct seen *seen = data;

    gp_text_addf(&seen->text, "%s %s\n", name ? name : "-", event);
    seen->count++;
}

/* Runs the loop until @count events have been told, or for half a minute. */
static void run_until(sd_event *loop, struct seen *seen, unsigned count)
{
    for (unsigned i = 0; i < 3000 && seen->count < count; i++)
        cr_assert(sd_event_run(loop, 10000) >= 0);
}

static void stop(struct gp_virt *virt)
{
    struct gp_virt_stop stop = {UUID, "test", {.timeout_ms = 5000}};
    struct gp_error *result;

    gp_virt_stop(virt, &stop, 1, NULL, NULL, &result, NULL);
    cr_assert(result == NULL, "%s", gp_error_line(result));
}

Test(watch, tells_what_happens)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct seen seen = {.text = {.mem = mem}};
    gp_cleanup(gp_virt_close_p) struct gp_virt *virt = NULL;
    struct gp_virt_watch *watch = NULL;
    sd_event *loop = NULL;
    struct gp_error *err;

    cr_assert(sd_event_new(&loop) >= 0);
    for (unsigned again = 0; again < 2; again++) { /* a second watch after the first is as good */
        seen.text.size = 0;
        seen.count = 0;
        err = gp_virt_watch_new(loop, URI, on_change, &seen, &watch);
        cr_assert(err == NULL, "%s", gp_error_line(err));
        run_until(loop, &seen, 1);
        err = gp_virt_open(URI, false, 5000, &virt);
        cr_assert(err == NULL, "%s", gp_error_line(err));
        stop(virt);
        run_until(loop, &seen, 2);
        err = gp_virt_start(virt, UUID, 5000);
        cr_assert(err == NULL, "%s", gp_error_line(err));
        run_until(loop, &seen, 3);
        cr_assert(
            eq(str, (char *)gp_text_get(&seen.text), "- connected\ntest stopped\ntest started\n"));
        gp_virt_close(gp_steal(virt));
        gp_virt_watch_free(gp_steal(watch));
    }
    sd_event_unref(loop);
}

Test(watch, one_at_a_time)
{
    struct gp_virt_watch *watch = NULL, *other = NULL;
    struct seen seen = {.text = {.mem = gp_arena_new()}};
    sd_event *loop = NULL;
    struct gp_error *err;

    cr_assert(sd_event_new(&loop) >= 0);
    err = gp_virt_watch_new(loop, URI, on_change, &seen, &watch);
    cr_assert(err == NULL, "%s", gp_error_line(err));
    err = gp_virt_watch_new(loop, URI, on_change, &seen, &other);
    cr_assert(err && err->code == GP_E_BUG);
    gp_error_free(err);
    gp_virt_watch_free(watch);
    sd_event_unref(loop);
    gp_arena_free(seen.text.mem);
}

/* Nothing happens, nothing wakes up: a loop of a second goes round once. */
Test(watch, sleeps)
{
    struct seen seen = {.text = {.mem = gp_arena_new()}};
    struct gp_virt_watch *watch = NULL;
    struct rusage before, after;
    long switches = LONG_MAX;
    sd_event *loop = NULL;
    struct gp_error *err;

    cr_assert(sd_event_new(&loop) >= 0);
    err = gp_virt_watch_new(loop, URI, on_change, &seen, &watch);
    cr_assert(err == NULL, "%s", gp_error_line(err));
    run_until(loop, &seen, 1);
    while (sd_event_run(loop, 0) > 0)
        ;
    for (unsigned i = 0; i < 3 && switches > 3; i++) { /* the thread that connected may still be ending */
        getrusage(RUSAGE_SELF, &before);
        cr_assert(eq(int, sd_event_run(loop, 1000000), 0));
        getrusage(RUSAGE_SELF, &after);
        switches = after.ru_nvcsw - before.ru_nvcsw;
    }
    cr_assert(le(long, switches, 3));
    gp_virt_watch_free(watch);
    sd_event_unref(loop);
    gp_arena_free(seen.text.mem);
}

Test(watch, nobody_there)
{
    struct seen seen = {.text = {.mem = gp_arena_new()}};
    struct gp_virt_watch *watch = NULL;
    sd_event *loop = NULL;
    struct gp_error *err;

    cr_assert(sd_event_new(&loop) >= 0);
    err = gp_virt_watch_new(loop, "qemu+unix:///system?socket=/nonexistent/s", on_change, &seen,
                            &watch);
    cr_assert(err == NULL, "%s", gp_error_line(err));
    for (unsigned i = 0; i < 50; i++)
        cr_assert(sd_event_run(loop, 10000) >= 0);
    cr_assert(eq(u32, seen.count, 0u));
    gp_virt_watch_free(watch);
    sd_event_unref(loop);
    gp_arena_free(seen.text.mem);
}
