/* capture: saves what gpupart sees of this host, and what it remembers. What was saved is a root for --root: the same inventory,
 * the same plan, on any machine.
 *
 *   sys/ dev/ proc/ etc/ usr/   what was read of the host
 *   libvirt/                    its guests' definitions, and what libvirt knows besides (virt_files.c)
 *   systemd/units/              the units that use its GPUs, and how each is (units.c)
 *   state/                      what was applied, and what else a plan is made from (state_capture.c)
 *   capture.json                when it was made, and how much is in it */
#include "clock.h"
#include "command.h"

#include "capture.h"
#include "cleanup.h"
#include "plan_json.h"
#include "text.h"
#include "units.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

static const char *dir;
static bool redacted;
static struct gp_redact *redact; /* NULL: nothing is replaced */

enum { KEY_REDACT = 2000 };

static const struct argp_option options[] = {
    {"redact", KEY_REDACT, NULL, 0,
     "with stand-ins for the names of the host, its VMs and its users, UUIDs, serial numbers, the machine id, commits and "
     "network addresses; it plans as before, for those names",
     0},
    {0},
};

static error_t parse(int key, char *value, struct argp_state *state)
{
    switch (key) {
    case KEY_REDACT:
        redacted = true;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "capture takes a directory that does not exist yet, or is empty");
        return EINVAL;
    case ARGP_KEY_ARG:
        if (dir)
            argp_error(state, "capture takes one directory, not '%s' besides", value);
        dir = value;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void closedir_p(DIR **listing)
{
    if (*listing)
        (void)closedir(*listing);
}

/* A directory that holds nothing, made if need be. What somebody else put into it is never mixed with a capture. */
static struct gp_error *open_empty(const char *path, int *ret)
{
    gp_cleanup(closedir_p) DIR *listing = NULL;
    gp_cleanup(gp_close_p) int fd = -1;
    const struct dirent *entry;

    if (mkdir(path, 0755) < 0 && errno != EEXIST)
        return gp_error_errno(errno, "the directory %s cannot be made", path);
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    listing = fd < 0 ? NULL : fdopendir(dup(fd));
    if (!listing)
        return gp_error_errno(errno, "%s cannot be opened as a directory", path);
    while ((entry = readdir(listing)))
        if (!gp_streq(entry->d_name, ".") && !gp_streq(entry->d_name, ".."))
            return gp_error_new(GP_E_REFUSED, "%s is not empty: it holds %s; a capture needs a directory of its own",
                                path, entry->d_name);
    *ret = fd;
    fd = -1;
    return NULL;
}

static struct gp_error *write_text(int at, const char *path, const char *text)
{
    int fd = openat(at, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
    gp_cleanup(gp_fclose_p) FILE *out = fd < 0 ? NULL : fdopen(fd, "w");

    if (!out || fputs(text, out) == EOF || fflush(out) == EOF)
        return gp_error_errno(errno, "%s/%s cannot be written", dir, path);
    return NULL;
}

static const char *shown_host(const struct gp_pass *pass)
{
    return redact ? gp_redact_known(redact, pass->host_name) : pass->host_name;
}

static struct gp_error *save_host_name(struct gp_pass *pass, int fd)
{
    if (mkdirat(fd, "etc", 0755) < 0 && errno != EEXIST)
        return gp_error_errno(errno, "%s/etc cannot be made", dir);
    return write_text(fd, "etc/hostname", gp_printf(pass->mem, "%s\n", shown_host(pass)));
}

static struct gp_error *save_guests(struct gp_pass *pass)
{
    if (pass->virt)
        return gp_virt_capture(pass->virt, dir, redact);
    if (!pass->connect && !pass->have->vms_unknown)
        return gp_error_new(GP_E_UNSUPPORTED, "%s is a capture itself: copy it", pass->options.root);
    return NULL; /* without guests it says so wherever it is used */
}

static struct gp_error *save_manifest(struct gp_pass *pass, const struct gp_capture *capture, int fd)
{
    gp_cleanup(gp_free_p) char *text = NULL;
    json_t *unreadable = json_array(), *manifest;
    struct gp_strings missing;

    gp_capture_unreadable(capture, pass->mem, &missing);
    for (size_t i = 0; i < missing.count; i++) {
        (void)json_array_append_new(unreadable, gp_text_json(missing.items[i]));
        (void)fprintf(stderr, "gpupart: note: not in the capture: %s\n", missing.items[i]);
    }
    manifest = json_pack("{s:s, s:s, s:s, s:o, s:o, s:I, s:I, s:o, s:I, s:o}", "formatVersion", "1.0", "kind", "Capture",
                         "program", argp_program_version, "host", gp_text_json(shown_host(pass)), "at",
                         gp_text_json(gp_time_text(pass->mem, gp_realtime_us())), "gpus", (json_int_t)pass->have->gpu_count,
                         "files", (json_int_t)gp_capture_files(capture), "guests",
                         pass->have->vms_unknown ? json_null() : json_integer((json_int_t)pass->have->vm_count), "applied",
                         (json_int_t)gp_state_memory(pass->state)->applied_count, "unreadable", unreadable);
    text = json_dumps(manifest, JSON_INDENT(2) | JSON_SORT_KEYS);
    json_decref(manifest);
    return write_text(fd, "capture.json", gp_printf(pass->mem, "%s\n", text));
}

/* A look beforehand, through a handle of its own, since what is read once is not read again for the capture. */
static struct gp_error *know_names(struct gp_pass *pass)
{
    struct gp_host host;
    struct gp_have *have = NULL;
    struct gp_error *err = gp_pass_host_open(pass, &host);

    if (err)
        return err;
    err = gp_pass_observe(pass, &host, pass->mem, &have);
    gp_host_close(&host);
    if (!err)
        redact = gp_redact_new(pass->mem, have, pass->host_name);
    return err;
}

static struct gp_error *capture_in(struct gp_pass *pass, int fd)
{
    gp_cleanup(gp_capture_free_p) struct gp_capture *capture = gp_capture_new(&pass->host, fd);
    struct gp_error *err = redacted ? know_names(pass) : NULL;

    gp_capture_redact(capture, redact);
    if (!err)
        err = gp_pass_observe(pass, &pass->host, pass->mem, &pass->have);
    if (err)
        return err;
    gp_capture_rest(capture);
    err = gp_capture_error(capture);
    if (!err)
        err = save_host_name(pass, fd);
    if (!err)
        err = save_guests(pass);
    if (!err)
        err = gp_state_capture(pass->state, dir, redact);
    if (!err)
        err = gp_pass_capture_units(pass->have, fd);
    if (!err)
        err = save_manifest(pass, capture, fd);
    return err;
}

static int run(struct gp_cli *cli)
{
    static const int formats[] = {GP_FORMAT_TEXT, -1};
    gp_cleanup(gp_close_p) int fd = -1;
    struct gp_pass pass;
    struct gp_error *err;
    int exit = GP_EXIT_OK;

    (void)gp_cli_format(cli, formats);
    err = gp_pass_open(&cli->pass, &pass);
    if (err)
        return gp_cli_fail(err);
    err = open_empty(dir, &fd);
    if (!err) {
        err = capture_in(&pass, fd);
        if (err)
            err = gp_error_wrap(err, "what is in %s is not a whole capture", dir);
    }
    if (err) {
        exit = gp_cli_fail(err);
        gp_pass_close(&pass);
        return exit;
    }
    if (pass.have->vms_unknown) {
        (void)fprintf(stderr, "gpupart: warning: guests are not in the capture: %s\n", pass.have->vms_reason);
        exit = GP_EXIT_INCOMPLETE;
    }
    (void)printf("%s holds what gpupart sees of %s: %zu GPUs, %zu VMs, and what was last applied to %zu of them. Look at it "
                 "anywhere: gpupart plan --root %s --dir DECLARATION\n",
                 dir, pass.host_name, pass.have->gpu_count, pass.have->vm_count,
                 gp_state_memory(pass.state)->applied_count, dir);
    gp_pass_close(&pass);
    return exit;
}

const struct gp_command gp_command_capture = {
    .name = "capture",
    .args_doc = "DIR",
    .doc = "save what gpupart sees of this host, for --root anywhere",
    .options = options,
    .parser = parse,
    .run = run,
};
