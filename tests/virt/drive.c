/* One call of virt.h a run, for the scripts beside it.
 *
 *   virt-drive URI observe MACHINE-ID
 *   virt-drive URI stop TIMEOUT-MS agent|acpi|both fail|force NAME=UUID[@TIMEOUT-MS]... [+ NAME=UUID...]
 *                                       what follows a + is stopped by itself, at the same time
 *   virt-drive URI start TIMEOUT-MS UUID
 *   virt-drive URI edit attach|detach|rebind|mark UUID MACHINE-ID BEFORE AFTER     (none, an
 *                                                                       address, a UUID)
 *   virt-drive URI watch                                                  until TERM
 *   virt-drive - canonical < XML
 *
 * Errors go to stdout as "CODE: LINE". Status 1 if there was one. */
#include "domain.h"
#include "virt.h"

#include "cleanup.h"
#include "text.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-event.h>

/* A TERM between two rounds is seen after this. */
#define WATCH_ROUND_US 10000000

static int tell(struct gp_error *err)
{
    gp_cleanup(gp_free_p) char *line = err ? gp_error_line(err) : NULL;

    if (err)
        printf("%s: %s\n", gp_errc_name(err->code), line);
    gp_error_free(err);
    return err != NULL;
}

static void print_devs(struct gp_arena *mem, const char *what, const struct gp_hostdev *devs,
                       size_t count)
{
    for (size_t i = 0; i < count; i++)
        printf(" %s=%s%s%s", what, gp_device_text(mem, devs[i].device), devs[i].ours ? "!" : "",
               devs[i].stray_mark ? "?" : "");
}

static int observe(struct gp_virt *virt, char **args)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct gp_have have = {.machine_id = args[0]};
    struct gp_error *err = gp_virt_observe(virt, mem, &have);

    if (err)
        return tell(err);
    for (size_t i = 0; i < have.vm_count; i++) {
        const struct gp_vm *vm = &have.vms[i];

        printf("%s %s%s%s%s", vm->name, gp_power_name(vm->power),
               vm->persistent ? " persistent" : "", vm->autostart ? " autostart" : "",
               vm->mark_fits ? " marked" : "");
        print_devs(mem, "live", vm->live, vm->live_count);
        print_devs(mem, "next", vm->persistent_devs, vm->persistent_count);
        printf("%s%s\n", vm->unstoppable ? ": " : "", vm->unstoppable ?: "");
    }
    return 0;
}

enum { STOPS_MAX = 4, GUESTS_MAX = 16 };

/* What one set of a pass would stop. */
struct stopping {
    pthread_t thread;
    struct gp_virt *virt;
    struct gp_virt_stop stops[GUESTS_MAX];
    struct gp_error *results[GUESTS_MAX];
    size_t count;
};

static void *stop_run(void *data)
{
    struct stopping *all = data;

    gp_virt_stop(all->virt, all->stops, all->count, NULL, NULL, all->results, NULL);
    return NULL;
}

/* "NAME=UUID", "NAME=UUID@TIMEOUT-MS" */
static struct gp_virt_stop stop_of(char *name, struct gp_stop_policy policy)
{
    char *uuid = strchr(name, '='), *timeout = strchr(name, '@');

    *uuid++ = '\0';
    if (timeout) {
        *timeout++ = '\0';
        policy.timeout_ms = (uint32_t)atoi(timeout);
    }
    return (struct gp_virt_stop){.uuid = uuid, .name = name, .policy = policy};
}

static int stop(struct gp_virt *virt, char **args)
{
    struct gp_stop_policy policy = {
        .timeout_ms = (uint32_t)atoi(args[0]),
        .method = {strcmp(args[1], "acpi") == 0 ? GP_STOP_ACPI : GP_STOP_AGENT,
                   strcmp(args[1], "both") == 0 ? GP_STOP_ACPI : GP_STOP_NONE},
        .force = strcmp(args[2], "force") == 0,
    };
    struct stopping all[STOPS_MAX] = {{.virt = virt}};
    size_t count = 1;
    int failed = 0;

    for (char **name = args + 3; *name; name++) {
        struct stopping *one = &all[count - 1];

        if (strcmp(*name, "+") == 0 && count < STOPS_MAX)
            all[count++].virt = virt;
        else if (one->count < GUESTS_MAX)
            one->stops[one->count++] = stop_of(*name, policy);
        else
            return 64;
    }
    for (size_t i = 0; i < count; i++)
        if (pthread_create(&all[i].thread, NULL, stop_run, &all[i]) != 0)
            abort();
    for (size_t i = 0; i < count; i++) {
        (void)pthread_join(all[i].thread, NULL);
        for (size_t n = 0; n < all[i].count; n++) {
            if (!all[i].results[n])
                printf("%s stopped\n", all[i].stops[n].name);
            failed |= tell(all[i].results[n]);
        }
    }
    return failed;
}

static int edit(struct gp_virt *virt, char **args)
{
    static const char *const kinds[] = {
        [GP_EDIT_ATTACH] = "attach",
        [GP_EDIT_DETACH] = "detach",
        [GP_EDIT_REBIND] = "rebind",
        [GP_EDIT_MARK] = "mark",
    };
    struct gp_edit what = {
        .uuid = args[1],
        .mark = {.host = args[2], .binding = "desktops", .pool = "vdi", .partition = "slot3/2"},
    };

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(args[0], kinds[i]) == 0)
            what.kind = (enum gp_edit_kind)i;
    (void)gp_device_parse(args[3], &what.before);
    (void)gp_device_parse(args[4], &what.after);
    return tell(gp_virt_edit(virt, &what));
}

static void on_change(const char *name, const char *event, void *data)
{
    (void)data;
    printf("%s %s\n", name ? name : "-", event);
    (void)fflush(stdout);
}

static volatile sig_atomic_t told_to_end;

static void on_term(int signal)
{
    (void)signal;
    told_to_end = 1;
}

/* Until TERM. The loop's own count of rounds tells whether it sleeps. */
static int watch(const char *uri)
{
    uint64_t rounds = 0;
    struct gp_virt_watch *watching;
    sd_event *loop = NULL;
    struct gp_error *err;

    if (sd_event_new(&loop) < 0)
        return 70;
    err = gp_virt_watch_new(loop, uri, on_change, NULL, &watching);
    if (err)
        return tell(err);
    (void)signal(SIGTERM, on_term);
    while (!told_to_end)
        rounds += sd_event_run(loop, WATCH_ROUND_US) > 0;
    gp_virt_watch_free(watching);
    sd_event_unref(loop);
    printf("rounds %s\n", rounds < 200 ? "few" : "many");
    return 0;
}

static int canonical(void)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    static char xml[1 << 20];
    const char *text = "";
    struct gp_error *err;

    xml[fread(xml, 1, sizeof xml - 1, stdin)] = '\0';
    err = gp_domain_canonical(mem, xml, &text);
    if (!err)
        puts(text);
    return tell(err);
}

int main(int argc, char **argv)
{
    gp_cleanup(gp_virt_close_p) struct gp_virt *virt = NULL;
    const char *uri = argc > 2 ? argv[1] : "", *verb = argc > 2 ? argv[2] : "";
    struct gp_error *err;

    if (strcmp(verb, "canonical") == 0)
        return canonical();
    if (strcmp(verb, "watch") == 0)
        return watch(uri);
    err = gp_virt_open(uri, strcmp(verb, "observe") == 0, 1000, &virt);
    if (err)
        return tell(err);
    if (strcmp(verb, "observe") == 0)
        return observe(virt, argv + 3);
    if (strcmp(verb, "stop") == 0)
        return stop(virt, argv + 3);
    if (strcmp(verb, "start") == 0)
        return tell(gp_virt_start(virt, argv[4], (uint32_t)atoi(argv[3])));
    if (strcmp(verb, "edit") == 0)
        return edit(virt, argv + 3);
    return 64;
}
