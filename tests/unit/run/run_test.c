/* Holds end with whoever set them, in whatever way that ends; what devices are is kept as it was told. */
#include "rows.h"

#include "cleanup.h"
#include "plan.h"
#include "run.h"
#include "text.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

static const char vm[] = "7a1f0e7e-7a2b-4c11-9b57-0c2f1a1d9e10";
static char dir[] = "/tmp/gpupart-run-XXXXXX";
static struct gp_arena *mem;

static void begin(void)
{
    mem = gp_arena_new();
    cr_assert(mkdtemp(dir) != NULL);
}

static void end(void)
{
    cr_assert(eq(int, system(gp_printf(mem, "rm -rf '%s'", dir)), 0));
    gp_arena_free(mem);
}

TestSuite(run, .init = begin, .fini = end);

static void ok(struct gp_error *err)
{
    gp_cleanup(gp_free_p) char *line = err ? gp_error_line(err) : NULL;

    cr_assert(err == NULL, "%s", line);
}

static void close_p(struct gp_run **run)
{
    gp_run_close(*run);
}

/* As the hook looks: by a file of its own. */
static bool is_held(void)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    gp_cleanup(gp_close_p) int fd = open(gp_printf(mem, "%s/holds/%s", dir, vm), O_RDONLY);

    return fd >= 0 && fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type == F_WRLCK;
}

static const char *read_device(const char *name)
{
    gp_cleanup(gp_fclose_p) FILE *in = fopen(gp_printf(mem, "%s/devices/%s", dir, name), "re");
    char text[1024] = "";

    if (!in)
        return NULL;
    (void)!fread(text, 1, sizeof text - 1, in);
    return gp_strdup(mem, text);
}

Test(run, a_hold_lasts_until_it_is_released)
{
    gp_cleanup(close_p) struct gp_run *run = NULL;

    ok(gp_run_open(dir, &run));
    cr_assert(not(is_held()));
    ok(gp_run_hold(run, vm, "a reason"));
    ok(gp_run_hold(run, vm, "again"));
    cr_assert(is_held());
    gp_run_release(run, vm);
    gp_run_release(run, vm);
    cr_assert(not(is_held()));
    cr_assert(access(gp_printf(mem, "%s/holds/%s", dir, vm), F_OK) < 0);
    ok(gp_run_hold(run, vm, "a reason"));
    gp_run_close(gp_steal(run));
    cr_assert(not(is_held()));
    cr_assert(access(gp_printf(mem, "%s/holds/%s", dir, vm), F_OK) < 0);
}

Test(run, a_hold_ends_with_its_process_and_its_file_with_the_next)
{
    gp_cleanup(close_p) struct gp_run *run = NULL;
    int ready[2], status;
    pid_t pid;
    char byte;

    cr_assert(eq(int, pipe(ready), 0));
    pid = fork();
    if (pid == 0) {
        if (gp_run_open(dir, &run) || gp_run_hold(run, vm, "a reason") || write(ready[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            (void)pause();
    }
    cr_assert(eq(int, (int)read(ready[0], &byte, 1), 1));
    cr_assert(is_held());
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, &status, 0);
    cr_assert(not(is_held()));
    cr_assert(eq(int, access(gp_printf(mem, "%s/holds/%s", dir, vm), F_OK), 0));
    ok(gp_run_open(dir, &run));
    cr_assert(access(gp_printf(mem, "%s/holds/%s", dir, vm), F_OK) < 0);
}

/* A write that hangs has what its pass had open, and outlives it. */
Test(run, a_hold_that_is_left_lasts_as_long_as_whoever_else_has_it)
{
    gp_cleanup(close_p) struct gp_run *run = NULL;
    int over[2];
    pid_t pid;
    char byte;

    cr_assert(eq(int, pipe(over), 0));
    ok(gp_run_open(dir, &run));
    ok(gp_run_hold(run, vm, "a reason"));
    pid = fork();
    if (pid == 0) {
        (void)close(over[1]);
        _exit(read(over[0], &byte, 1) == 0 ? 0 : 1);
    }
    gp_run_leave(run, vm);
    gp_run_leave(run, vm);
    cr_assert(is_held());
    gp_run_close(gp_steal(run));
    cr_assert(is_held());
    (void)close(over[1]);
    cr_assert(eq(int, waitpid(pid, NULL, 0), pid));
    cr_assert(not(is_held()));
    ok(gp_run_open(dir, &run));
    cr_assert(access(gp_printf(mem, "%s/holds/%s", dir, vm), F_OK) < 0, "it is a dead one's");
}

Test(run, whoever_opens_it_too_ends_no_hold_of_the_living)
{
    gp_cleanup(close_p) struct gp_run *run = NULL, *other = NULL;

    ok(gp_run_open(dir, &run));
    ok(gp_run_hold(run, vm, "a reason"));
    ok(gp_run_open(dir, &other));
    cr_assert(is_held());
}

Test(run, devices_are_facts_in_lines)
{
    const struct gp_run_fact facts[] = {{true, "/sys/bus/pci/devices/0000:08:00.4", "../x"},
                                        {false, "/sys/bus/pci/devices/0000:08:00.4/vendor", "0x10de"}};
    struct gp_run_device device = {.partition = "slot3/0", .vm = vm, .facts = facts, .fact_count = 2};
    gp_cleanup(close_p) struct gp_run *run = NULL;

    cr_assert(gp_device_parse("0000:08:00.4", &device.device));
    ok(gp_run_open(dir, &run));
    cr_assert(not(gp_run_has_device(run, device.device, vm)));
    ok(gp_run_set_device(run, &device));
    cr_assert(eq(str, (char *)read_device("0000:08:00.4"),
                 gp_printf(mem, "partition\tslot3/0\nvm\t%s\nlink\t%s\t../x\nvalue\t%s\t0x10de\n", vm, facts[0].path,
                           facts[1].path)));
    cr_assert(gp_run_has_device(run, device.device, vm));
    cr_assert(not(gp_run_has_device(run, device.device, NULL)));
    cr_assert(not(gp_run_has_device(run, device.device, "another")));
    device.refuse = "two\nlines\tof it";
    ok(gp_run_set_device(run, &device));
    cr_assert(strstr(read_device("0000:08:00.4"), "refuse\ttwo lines of it\n") != NULL);
    cr_assert(not(gp_run_has_device(run, device.device, vm)));
    ok(gp_run_forget_device(run, device.device));
    ok(gp_run_forget_device(run, device.device));
    cr_assert(read_device("0000:08:00.4") == NULL);
}

Test(run, what_is_known_of_a_gpu_is_forgotten_with_what_it_had)
{
    static const struct {
        const char *device, *partition;
        bool stays;
    } known[] = {
        {"0000:08:00.4", "slot3/0", false},
        {"0000:08:00.5", "slot3/11", false},
        {"0000:08:00.0", "slot3", false},
        {"0000:09:00.4", "slot31/0", true},
        {"0000:09:00.0", "slot31", true},
    };
    enum { KNOWN = sizeof known / sizeof *known };
    gp_cleanup(close_p) struct gp_run *run = NULL;

    ok(gp_run_open(dir, &run));
    for (size_t n = 0; n < KNOWN; n++) {
        struct gp_run_device device = {.partition = known[n].partition, .refuse = "it is not what it was"};

        cr_assert(gp_device_parse(known[n].device, &device.device));
        ok(gp_run_set_device(run, &device));
    }
    ok(gp_run_forget_gpu(run, "slot3"));
    ok(gp_run_forget_gpu(run, "slot3"));
    for (size_t n = 0; n < KNOWN; n++)
        cr_assert(eq(int, read_device(known[n].device) != NULL, known[n].stays), "%s", known[n].partition);
}

/* ---- which card it is ---- */

static const struct {
    const char *a, *b;
    bool same;
} rows[] = {
    {"10de:25b6 10de:157e p/0000:08:00.0", "10de:25b6 10de:157e p/0000:08:00.0", true},
    {"10de:25b6 10de:157e p/0000:08:00.0", "10de:25b6 10de:157e p/0000:08:00.1", false},
    {"10de:25b6 10de:157e p/0000:08:00.0", "10de:25b6 10de:157f p/0000:08:00.0", false},
    /* With both serial numbers known the card is known wherever it is, and another one for another. */
    {"10de:25b6 10de:157e p/1 serial 7", "10de:25b6 10de:157e p/2 serial 7", true},
    {"10de:25b6 10de:157e p/1 serial 7", "10de:25b6 10de:157e p/1 serial 77", false},
    {"10de:25b6 10de:157e p/1 serial 7", "10de:25b5 10de:157e p/1 serial 7", false},
    {"10de:25b6 10de:157e p/1 serial 7", "10de:25b6 10de:157e p/1", true},
    {"10de:25b6 10de:157e p/1 serial 7", "10de:25b6 10de:157e p/12", false},
    {NULL, "10de:25b6 10de:157e p/1", false},
    {NULL, NULL, false},
};

GP_ROWS(run, identity, rows)
{
    cr_assert(eq(int, gp_identity_eq(rows[*i].a, rows[*i].b), rows[*i].same), "%s, %s", rows[*i].a, rows[*i].b);
    cr_assert(eq(int, gp_identity_eq(rows[*i].b, rows[*i].a), rows[*i].same), "%s, %s", rows[*i].b, rows[*i].a);
}
