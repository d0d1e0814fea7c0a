#include "run.h"

#include "cleanup.h"
#include "clock.h"
#include "state_file.h"
#include "text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum { GOING_TRIES = 100, GOING_STEP_MS = 10 };

struct hold {
    char vm[40];
    int fd;
};

struct gp_run {
    char *holds_dir, *devices_dir;
    int holds_fd, devices_fd;
    pthread_mutex_t lock; /* of what follows */
    struct hold *holds;
    size_t hold_count;
};

/* ---- opening ---- */

static struct gp_error *open_folder(const char *dir, const char *name, char **ret_dir, int *ret_fd)
{
    struct gp_error *err;

    if (asprintf(ret_dir, "%s/%s", dir, name) < 0)
        abort();
    err = gp_state_file_make_dir(*ret_dir);
    if (err)
        return err;
    *ret_fd = open(*ret_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return *ret_fd < 0 ? gp_error_errno(errno, "%s could not be opened", *ret_dir) : NULL;
}

static bool is_locked(int dirfd, const char *name)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    gp_cleanup(gp_close_p) int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    return fd >= 0 && fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

/* A process that wrote for a pass that was killed lets go of the state first, and of its holds a moment later. */
static bool stays_locked(int dirfd, const char *name)
{
    for (int tries = 0; tries < GOING_TRIES; tries++) {
        if (!is_locked(dirfd, name))
            return false;
        gp_sleep_ms(GOING_STEP_MS);
    }
    return true;
}

/* What a hung write of a dead pass still has locked stays: it may yet happen. */
static void remove_dead_holds(const struct gp_run *run)
{
    int copy = openat(run->holds_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = copy < 0 ? NULL : fdopendir(copy);

    if (!dir) {
        if (copy >= 0)
            (void)close(copy);
        return;
    }
    for (const struct dirent *entry; (entry = readdir(dir));)
        if (entry->d_name[0] != '.' && !stays_locked(run->holds_fd, entry->d_name))
            (void)unlinkat(run->holds_fd, entry->d_name, 0);
    (void)closedir(dir);
}

struct gp_error *gp_run_open(const char *dir, struct gp_run **ret)
{
    struct gp_run *run = calloc(1, sizeof *run);
    struct gp_error *err;

    if (!run)
        abort();
    run->holds_fd = run->devices_fd = -1;
    (void)pthread_mutex_init(&run->lock, NULL);
    err = open_folder(dir, "holds", &run->holds_dir, &run->holds_fd);
    if (!err)
        err = open_folder(dir, "devices", &run->devices_dir, &run->devices_fd);
    if (err) {
        gp_run_close(run);
        return gp_error_wrap(err, "the start hook could not be told anything");
    }
    remove_dead_holds(run);
    *ret = run;
    return NULL;
}

void gp_run_close(struct gp_run *run)
{
    if (!run)
        return;
    while (run->hold_count)
        gp_run_release(run, run->holds[0].vm);
    free(run->holds);
    if (run->holds_fd >= 0)
        (void)close(run->holds_fd);
    if (run->devices_fd >= 0)
        (void)close(run->devices_fd);
    (void)pthread_mutex_destroy(&run->lock);
    free(run->holds_dir);
    free(run->devices_dir);
    free(run);
}

/* ---- holds ---- */

static struct hold *find_hold(struct gp_run *run, const char *vm)
{
    for (size_t i = 0; i < run->hold_count; i++)
        if (gp_streq(run->holds[i].vm, vm))
            return &run->holds[i];
    return NULL;
}

/* One line, whatever the text is. */
static void add_line(struct gp_text *text, const char *key, const char *value)
{
    gp_text_addf(text, "%s\t", key);
    for (const char *c = value; *c; c++)
        gp_text_addn(text, (unsigned char)*c < ' ' ? " " : c, 1);
    gp_text_add(text, "\n");
}

static const char *hold_text(struct gp_arena *mem, const char *reason)
{
    struct gp_text text = {.mem = mem};
    const time_t now = time(NULL);
    char since[32];
    struct tm tm;

    (void)gmtime_r(&now, &tm);
    (void)strftime(since, sizeof since, "%Y-%m-%dT%H:%M:%SZ", &tm);
    gp_text_addf(&text, "pass\t%d\t%s\n", (int)getpid(), since);
    add_line(&text, "reason", reason);
    return gp_text_get(&text);
}

/* Puts the file in place as a whole, and locked if it is a hold: no hook ever sees it otherwise. Nothing is synced:
 * after a reboot there is no run directory. @ret is the open file. */
static struct gp_error *put(int dirfd, const char *dir, const char *name, const char *text, int *ret)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    const size_t size = strlen(text);
    char temp[NAME_MAX];
    int fd;

    (void)snprintf(temp, sizeof temp, ".%s.new", name);
    fd = openat(dirfd, temp, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0)
        return gp_state_file_error(errno, dir, name);
    if (fcntl(fd, F_OFD_SETLK, &lock) < 0 || write(fd, text, size) != (ssize_t)size ||
        renameat(dirfd, temp, dirfd, name) < 0) {
        struct gp_error *err = gp_state_file_error(errno, dir, name);

        (void)close(fd);
        return err;
    }
    *ret = fd;
    return NULL;
}

static struct gp_error *hold(struct gp_run *run, const char *vm, const char *reason)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct hold *grown;
    struct gp_error *err;
    int fd = -1;

    if (find_hold(run, vm))
        return NULL;
    if (strlen(vm) >= sizeof grown->vm || strchr(vm, '/'))
        return gp_error_new(GP_E_BUG, "'%s' is no UUID", vm);
    err = put(run->holds_fd, run->holds_dir, vm, hold_text(mem, reason), &fd);
    if (err)
        return err;
    grown = realloc(run->holds, (run->hold_count + 1) * sizeof *grown);
    if (!grown)
        abort();
    run->holds = grown;
    run->holds[run->hold_count].fd = fd;
    (void)snprintf(run->holds[run->hold_count++].vm, sizeof grown->vm, "%s", vm);
    return NULL;
}

struct gp_error *gp_run_hold(struct gp_run *run, const char *vm, const char *reason)
{
    struct gp_error *err;

    (void)pthread_mutex_lock(&run->lock);
    err = hold(run, vm, reason);
    (void)pthread_mutex_unlock(&run->lock);
    return err ? gp_error_wrap(err, "somebody else could start VM %s in the meantime", vm) : NULL;
}

static void let_go(struct gp_run *run, const char *vm, bool remove)
{
    struct hold *held;

    (void)pthread_mutex_lock(&run->lock);
    held = find_hold(run, vm);
    if (held) {
        if (remove)
            (void)unlinkat(run->holds_fd, held->vm, 0);
        (void)close(held->fd);
        *held = run->holds[--run->hold_count];
    }
    (void)pthread_mutex_unlock(&run->lock);
}

void gp_run_release(struct gp_run *run, const char *vm)
{
    let_go(run, vm, true);
}

void gp_run_leave(struct gp_run *run, const char *vm)
{
    let_go(run, vm, false);
}

/* ---- devices ---- */

struct gp_error *gp_run_set_device(struct gp_run *run, const struct gp_run_device *device)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct gp_text text = {.mem = mem};
    gp_cleanup(gp_close_p) int fd = -1;
    struct gp_error *err;

    add_line(&text, "partition", device->partition);
    if (device->vm)
        add_line(&text, "vm", device->vm);
    if (device->refuse)
        add_line(&text, "refuse", device->refuse);
    for (size_t i = 0; i < device->fact_count; i++)
        gp_text_addf(&text, "%s\t%s\t%s\n", device->facts[i].link ? "link" : "value", device->facts[i].path,
                     device->facts[i].value);
    (void)pthread_mutex_lock(&run->lock);
    err = put(run->devices_fd, run->devices_dir, gp_device_text(mem, device->device), gp_text_get(&text), &fd);
    (void)pthread_mutex_unlock(&run->lock);
    return err;
}

struct gp_error *gp_run_forget_device(struct gp_run *run, struct gp_device device)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();

    const char *name = gp_device_text(mem, device);

    if (unlinkat(run->devices_fd, name, 0) < 0 && errno != ENOENT)
        return gp_state_file_error(errno, run->devices_dir, name);
    return NULL;
}

/* gp_run_set_device() writes that line first. */
static bool is_of_gpu(struct gp_run *run, struct gp_arena *mem, const char *name, const char *gpu)
{
    const char *partition = gp_printf(mem, "partition\t%s/", gpu), *whole = gp_printf(mem, "partition\t%s\n", gpu);
    gp_cleanup(gp_free_p) char *text = NULL;
    size_t size = 0;
    struct gp_error *err = gp_state_file_read(run->devices_fd, run->devices_dir, name, &text, &size);

    gp_error_free(err); /* whatever it is, nobody reads of a device there */
    return text && (gp_starts_with(text, partition) || gp_starts_with(text, whole));
}

struct gp_error *gp_run_forget_gpu(struct gp_run *run, const char *gpu)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    int copy = openat(run->devices_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = copy < 0 ? NULL : fdopendir(copy);
    struct gp_error *err = dir ? NULL : gp_error_errno(errno, "%s could not be read", run->devices_dir);

    if (!dir && copy >= 0)
        (void)close(copy);
    for (const struct dirent *entry; !err && (entry = readdir(dir));)
        if (entry->d_name[0] != '.' && is_of_gpu(run, mem, entry->d_name, gpu) &&
            unlinkat(run->devices_fd, entry->d_name, 0) < 0 && errno != ENOENT)
            err = gp_state_file_error(errno, run->devices_dir, entry->d_name);
    if (dir)
        (void)closedir(dir);
    return err;
}

bool gp_run_has_device(struct gp_run *run, struct gp_device device, const char *vm)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    gp_cleanup(gp_free_p) char *text = NULL;
    size_t size = 0;
    struct gp_error *err =
        gp_state_file_read(run->devices_fd, run->devices_dir, gp_device_text(mem, device), &text, &size);
    const char *line = gp_printf(mem, "\nvm\t%s\n", vm ? vm : "");

    if (err) {
        gp_error_free(err);
        return false;
    }
    if (!text || strstr(text, "\nrefuse\t"))
        return false;
    return vm ? strstr(text, line) != NULL : !strstr(text, "\nvm\t");
}
