#include "capture.h"

#include "cleanup.h"
#include "scan.h"
#include "text.h"
#include "vpd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LINKS_AT_MOST 40
#define CPUINFO       "proc/cpuinfo"
#define MEMINFO       "proc/meminfo"
#define MDEVCTL       "etc/mdevctl.d"

struct gp_capture {
    struct gp_arena *mem;
    struct gp_host *host;
    struct gp_recorder recorder;
    struct gp_redact *redact; /* NULL: all as it is */
    int dir_fd;
    bool busy; /* it reads itself, which is not to be saved */
    size_t files;
    struct gp_strings unreadable;
    struct gp_error *err;
};

static void fail(struct gp_capture *capture, int errnum, const char *path)
{
    if (!capture->err)
        capture->err = gp_error_errno(errnum, "writing %s of the capture", path);
}

/* ---- the directory ---- */

/* No link of the capture is followed, since those are the host's words. */
static int open_inside(const struct gp_capture *capture, const char *path, int flags)
{
    struct open_how how = {
        .flags = (unsigned)(flags | O_CLOEXEC),
        .mode = flags & O_CREAT ? 0644 : 0,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
    };

    return (int)syscall(SYS_openat2, capture->dir_fd, *path ? path : ".", &how, sizeof how);
}

static int open_parent(const struct gp_capture *capture, const char *path, const char **ret_leaf)
{
    const char *slash = strrchr(path, '/');

    *ret_leaf = slash ? slash + 1 : path;
    return open_inside(capture, slash ? gp_strndup(capture->mem, path, (size_t)(slash - path)) : "",
                       O_RDONLY | O_DIRECTORY);
}

/* What is said of the kernel and the processor has the form of an address now and then. */
static bool is_plain(const char *path)
{
    return gp_starts_with(path, "proc/") || gp_streq(path, GP_SCAN_NAMES);
}

static const char *redacted(struct gp_capture *capture, const char *text)
{
    return capture->redact ? gp_redact_text(capture->redact, text) : text;
}

/* All of @path, as it is written; its parts are no links. */
static void make_written_dir(struct gp_capture *capture, const char *path)
{
    for (const char *end = path; *end;) {
        const char *leaf, *part;
        gp_cleanup(gp_close_p) int parent = -1;

        end = strchrnul(*end == '/' ? end + 1 : end, '/');
        part = gp_strndup(capture->mem, path, (size_t)(end - path));
        parent = open_parent(capture, part, &leaf);
        if (parent < 0 || (mkdirat(parent, leaf, 0755) < 0 && errno != EEXIST)) {
            fail(capture, errno, part);
            return;
        }
    }
}

static void make_dir(struct gp_capture *capture, const char *path)
{
    make_written_dir(capture, redacted(capture, path));
}

static const char *parent_of(struct gp_arena *mem, const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? gp_strndup(mem, path, (size_t)(slash - path)) : "";
}

static void make_file(struct gp_capture *capture, const char *path, const void *bytes, size_t size, bool keep)
{
    gp_cleanup(gp_close_p) int fd = -1;
    const char *at;

    if (capture->redact && !is_plain(path))
        gp_redact_bytes(capture->redact, bytes, size, &bytes, &size);
    at = bytes;
    path = redacted(capture, path);
    make_written_dir(capture, parent_of(capture->mem, path));
    fd = open_inside(capture, path, O_WRONLY | O_CREAT | O_NOFOLLOW | (keep ? O_EXCL : O_TRUNC));
    if (fd < 0 && keep && errno == EEXIST)
        return;
    if (fd < 0) {
        fail(capture, errno, path);
        return;
    }
    capture->files++;
    while (size) {
        ssize_t n = write(fd, at, size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            fail(capture, errno, path);
            return;
        }
        at += n;
        size -= (size_t)n;
    }
}

static void make_link(struct gp_capture *capture, const char *path, const char *target)
{
    gp_cleanup(gp_close_p) int parent = -1;
    const char *leaf;

    path = redacted(capture, path);
    target = redacted(capture, target);
    make_written_dir(capture, parent_of(capture->mem, path));
    parent = open_parent(capture, path, &leaf);
    if (parent < 0 || (symlinkat(target, parent, leaf) < 0 && errno != EEXIST))
        fail(capture, errno, path);
}

/* ---- the host's links ---- */

/* NULL: @path is no link. */
static const char *link_at(struct gp_capture *capture, const char *path)
{
    const char *target = NULL;
    struct gp_error *err = gp_host_readlink_full(capture->host, capture->mem, path, &target);

    gp_error_free(err); /* EINVAL: it is something else, and target is as it was */
    return target;
}

/* A link that names the root by "/" leads out of the capture on another host. */
static const char *relative(struct gp_arena *mem, const char *path, const char *target)
{
    struct gp_text text = {.mem = mem};

    if (*target != '/')
        return target;
    for (const char *c = path; *c; c++)
        if (*c == '/')
            gp_text_add(&text, "../");
    gp_text_add(&text, target + 1);
    return gp_text_get(&text);
}

/* Walks @path as the kernel would, makes the links that lie on the way, and returns where it ends, without links;
 * NULL if it does not end. With @last the last part is left as it is. */
static const char *place(struct gp_capture *capture, const char *path, bool last)
{
    struct gp_arena *mem = capture->mem;
    const char *done = "", *rest = path;

    for (unsigned links = 0; links <= LINKS_AT_MOST;) {
        const char *end, *part, *here, *target;

        rest += strspn(rest, "/");
        if (!*rest)
            return done;
        end = strchrnul(rest, '/');
        part = gp_strndup(mem, rest, (size_t)(end - rest));
        rest = end;
        if (gp_streq(part, "."))
            continue;
        if (gp_streq(part, "..")) {
            done = parent_of(mem, done);
            continue;
        }
        here = *done ? gp_printf(mem, "%s/%s", done, part) : part;
        target = !last && !rest[strspn(rest, "/")] ? NULL : link_at(capture, here);
        if (!target) {
            done = here;
            continue;
        }
        make_link(capture, here, relative(mem, here, target));
        links++;
        rest = gp_printf(mem, "%s%s", target, rest);
        if (*target == '/')
            done = "";
    }
    return NULL;
}

/* ---- what was seen ---- */

/* Processes are looked at to name who holds a device; they are nobody's business. */
static bool is_ours(const char *path)
{
    return gp_starts_with(path, "sys/") || gp_starts_with(path, "dev/vfio/") || gp_streq(path, "etc/machine-id") ||
           gp_streq(path, "proc/sys/kernel/osrelease") || gp_streq(path, CPUINFO) || gp_streq(path, MEMINFO) ||
           gp_starts_with(path, MDEVCTL) || strstr(path, "libvirt-guests");
}

/* gpupart asks the processor one thing: whether there is a hypervisor below. */
static void save_cpuinfo(struct gp_capture *capture, const char *text, size_t size)
{
    const char *copy = gp_strndup(capture->mem, text, size), *flags = strstr(copy, "\nflags");

    flags = flags ? flags + 1 : "flags\t\t:";
    copy = gp_printf(capture->mem, "processor\t: 0\n%.*s\n", (int)strcspn(flags, "\n"), flags);
    make_file(capture, CPUINFO, copy, strlen(copy), false);
}

/* Of libvirt's shutdown service: what it does with guests. */
static void save_shutdown(struct gp_capture *capture, const char *path, const char *text, size_t size)
{
    const char *copy = gp_strndup(capture->mem, text, size);
    struct gp_text out = {.mem = capture->mem};

    for (const char *line = copy; *line; line += *line == '\n') {
        const size_t length = strcspn(line, "\n");

        if (gp_starts_with(line, "ON_SHUTDOWN="))
            gp_text_addf(&out, "%.*s\n", (int)length, line);
        line += length;
    }
    make_file(capture, path, gp_text_get(&out), out.size, false);
}

/* Vendors write whatever they like into a card's vital product data: the serial number is all that is kept. */
static void save_vpd(struct gp_capture *capture, const char *path, const void *bytes, size_t size)
{
    const char *serial = gp_vpd_serial(capture->mem, bytes, size);
    struct gp_text out = {.mem = capture->mem};

    gp_vpd_write(&out, serial ? gp_redact_serial(capture->redact, serial) : NULL);
    make_file(capture, path, gp_text_get(&out), out.size, false);
}

static bool is_vpd(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash && gp_streq(slash, "/vpd");
}

static void save_read(struct gp_capture *capture, const char *path, const void *bytes, size_t size, int errnum)
{
    const char *at;

    if (errnum == ENOENT || errnum == ENOTDIR || errnum == ENODEV)
        return;
    if (errnum) {
        *gp_push(capture->mem, capture->unreadable.items, capture->unreadable.count) =
            gp_printf(capture->mem, "%s: %s", redacted(capture, path), strerrordesc_np(errnum));
        return;
    }
    if (gp_streq(path, CPUINFO)) {
        save_cpuinfo(capture, bytes, size);
        return;
    }
    /* How much there is in all, which stands in the first line; the rest changes all the time. */
    if (gp_streq(path, MEMINFO) && memchr(bytes, '\n', size))
        size = (size_t)((const char *)memchr(bytes, '\n', size) - (const char *)bytes) + 1;
    if (strstr(path, "libvirt-guests")) {
        save_shutdown(capture, path, bytes, size);
        return;
    }
    at = place(capture, path, true);
    if (at && capture->redact && is_vpd(path))
        save_vpd(capture, at, bytes, size);
    else if (at)
        make_file(capture, at, bytes, size, false);
}

static void save_link(struct gp_capture *capture, const char *path, const char *target)
{
    const char *at = place(capture, path, false);

    if (at)
        make_link(capture, at, relative(capture->mem, at, target));
}

static void save_there(struct gp_capture *capture, const char *path)
{
    const char *at = place(capture, path, true);

    if (!at || !*at)
        return;
    if (gp_host_exists(capture->host, gp_printf(capture->mem, "%s/.", at)))
        make_dir(capture, at);
    else
        make_file(capture, at, "", 0, true);
}

/* Links and directories; of a file the name alone says nothing that is not read besides. */
static void save_list(struct gp_capture *capture, const char *path, const struct gp_strings *names)
{
    const char *at = place(capture, path, true);

    if (!at)
        return;
    make_dir(capture, at);
    for (size_t i = 0; i < names->count; i++) {
        const char *name = gp_printf(capture->mem, "%s/%s", at, names->items[i]), *target = link_at(capture, name);

        if (target)
            make_link(capture, name, relative(capture->mem, name, target));
        else if (gp_host_exists(capture->host, gp_printf(capture->mem, "%s/.", name)))
            make_dir(capture, name);
    }
}

/* As gp_host_held() reads it. */
static void save_held(struct gp_capture *capture, const char *path, enum gp_held held, const char *holder)
{
    const char *text = held == GP_HELD_NO        ? ""
                       : held == GP_HELD_UNKNOWN ? "unknown\n"
                       : holder && capture->redact ? "held by a process\n"
                       : holder                    ? gp_printf(capture->mem, "held by %s\n", holder)
                                                 : "held\n";

    make_file(capture, path, text, strlen(text), false);
}

static void seen(void *data, enum gp_seen what, const char *path, const void *bytes, size_t size, const char *holder,
                 int errnum)
{
    struct gp_capture *capture = data;

    if (capture->busy || !is_ours(path))
        return;
    capture->busy = true;
    switch (what) {
    case GP_SEEN_READ:
        save_read(capture, path, bytes, size, errnum);
        break;
    case GP_SEEN_LINK:
        save_link(capture, path, bytes);
        break;
    case GP_SEEN_THERE:
        save_there(capture, path);
        break;
    case GP_SEEN_LIST:
        save_list(capture, path, bytes);
        break;
    case GP_SEEN_HELD:
        save_held(capture, path, *(const enum gp_held *)bytes, holder);
        break;
    }
    capture->busy = false;
}

/* ---- the whole ---- */

struct gp_capture *gp_capture_new(struct gp_host *host, int dir_fd)
{
    struct gp_arena *mem = gp_arena_new();
    struct gp_capture *capture = gp_new(mem, struct gp_capture);

    *capture = (struct gp_capture){
        .mem = mem,
        .host = host,
        .recorder = {.seen = seen, .data = capture},
        .dir_fd = dir_fd,
    };
    host->recorder = &capture->recorder;
    return capture;
}

void gp_capture_redact(struct gp_capture *capture, struct gp_redact *redact)
{
    capture->redact = redact;
}

void gp_capture_free(struct gp_capture *capture)
{
    if (!capture)
        return;
    capture->host->recorder = NULL;
    gp_error_free(capture->err);
    gp_arena_free(capture->mem);
}

void gp_capture_free_p(struct gp_capture **capture)
{
    gp_capture_free(*capture);
}

static void look_at(struct gp_capture *capture, const char *path)
{
    const char *text;
    struct gp_error *err = gp_host_read(capture->host, capture->mem, path, &text);

    gp_error_free(err); /* what cannot be read was noted */
}

static int by_ids(const void *a, const void *b)
{
    const struct gp_scan_item *one = a, *other = b;

    return one->vendor != other->vendor   ? (one->vendor > other->vendor) - (one->vendor < other->vendor)
           : one->device != other->device ? (one->device > other->device) - (one->device < other->device)
                                          : 0;
}

/* What the host calls its GPUs: another host's pci.ids may be older, and know fewer. */
static void save_names(struct gp_capture *capture)
{
    struct gp_text text = {.mem = capture->mem};
    struct gp_scan_item *items;
    size_t count;
    struct gp_error *err = gp_scan(capture->host, capture->mem, &items, &count);

    gp_error_free(err); /* what cannot be listed was noted */
    if (err || !count)
        return;
    qsort(items, count, sizeof *items, by_ids);
    for (size_t i = 0; i < count; i++) {
        const struct gp_scan_item *item = &items[i];
        const char *vendor = gp_scan_name(capture->host, capture->mem, GP_SCAN_NAME_VENDOR, item->vendor, 0);
        const char *device =
            gp_scan_name(capture->host, capture->mem, GP_SCAN_NAME_DEVICE, item->vendor, item->device);

        if (vendor && (!i || item->vendor != items[i - 1].vendor))
            gp_text_addf(&text, "%04x  %s\n", item->vendor, vendor);
        if (vendor && device && (!i || by_ids(item, &items[i - 1])))
            gp_text_addf(&text, "\t%04x  %s\n", item->device, device);
    }
    make_file(capture, GP_SCAN_NAMES, gp_text_get(&text), text.size, false);
}

void gp_capture_rest(struct gp_capture *capture)
{
    static const char *const others[] = {"etc/machine-id", "proc/sys/kernel/osrelease", CPUINFO};

    for (size_t n = 0; n < sizeof others / sizeof *others; n++)
        look_at(capture, others[n]);
    save_names(capture);
}

struct gp_error *gp_capture_error(struct gp_capture *capture)
{
    return gp_steal(capture->err);
}

size_t gp_capture_files(const struct gp_capture *capture)
{
    return capture->files;
}

static int by_text(const void *a, const void *b)
{
    return gp_strcmp(*(const char *const *)a, *(const char *const *)b);
}

void gp_capture_unreadable(const struct gp_capture *capture, struct gp_arena *mem, struct gp_strings *ret)
{
    const struct gp_strings *all = &capture->unreadable;

    *ret = (struct gp_strings){0};
    for (size_t i = 0; i < all->count; i++)
        *gp_push(mem, ret->items, ret->count) = gp_strdup(mem, all->items[i]);
    if (!ret->count)
        return;
    qsort(ret->items, ret->count, sizeof *ret->items, by_text);
    ret->count = 1;
    for (size_t i = 1, count = capture->unreadable.count; i < count; i++)
        if (!gp_streq(ret->items[i], ret->items[ret->count - 1]))
            ret->items[ret->count++] = ret->items[i];
}
