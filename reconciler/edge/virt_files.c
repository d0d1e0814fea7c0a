/* Captures: DIR/libvirt/NAME.xml is a persistent definition, NAME.live.xml that of the running
 * domain. What libvirt knows besides (autostart, managed-save images, pauses, jobs) is not in
 * definitions, so a captured domain counts as running or off, and as stoppable unless its
 * definition says otherwise. */
#include "virt_private.h"

#include "cleanup.h"
#include "domain.h"
#include "text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define LIVE     ".live.xml"
#define FILE_MAX (4u << 20)

static void closedir_p(DIR **dir)
{
    if (*dir)
        (void)closedir(*dir);
}

static bool ends_with(const char *text, const char *end)
{
    size_t size = strlen(text), tail = strlen(end);

    return size > tail && strcmp(text + size - tail, end) == 0;
}

/* *ret NULL: there is no such file. */
static struct gp_error *read_file(struct gp_arena *mem, int dir, const char *name, const char **ret)
{
    gp_cleanup(gp_fclose_p) FILE *file = NULL;
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat st;
    char *text;

    *ret = NULL;
    if (fd < 0)
        return errno == ENOENT ? NULL : gp_error_errno(errno, "libvirt/%s", name);
    file = fdopen(fd, "r");
    if (!file || fstat(fd, &st) < 0)
        return gp_error_errno(errno, "libvirt/%s", name);
    if (!S_ISREG(st.st_mode) || st.st_size > FILE_MAX)
        return gp_error_new(GP_E_INVALID, "libvirt/%s: no file of at most %u bytes", name,
                            FILE_MAX);
    text = gp_arena_alloc(mem, (size_t)st.st_size + 1);
    if (fread(text, 1, (size_t)st.st_size, file) != (size_t)st.st_size)
        return gp_error_new(GP_E_IO, "libvirt/%s: cannot be read", name);
    *ret = text;
    return NULL;
}

static struct gp_error *add_vm(struct gp_arena *mem, int dir, const char *base,
                               struct gp_have *have)
{
    struct gp_virt_seen seen = {0};
    struct gp_error *err;
    struct gp_vm vm;

    err = read_file(mem, dir, gp_printf(mem, "%s.xml", base), &seen.inactive);
    if (!err)
        err = read_file(mem, dir, gp_printf(mem, "%s" LIVE, base), &seen.live);
    if (err)
        return err;
    seen.persistent = seen.inactive != NULL;
    seen.power = seen.live ? GP_POWER_RUNNING : GP_POWER_OFF;
    err = gp_virt_vm(mem, &seen, have->machine_id, &vm);
    if (err)
        return gp_error_wrap(err, "libvirt/%s.xml", base);
    *gp_push(mem, have->vms, have->vm_count) = vm;
    return NULL;
}

struct gp_error *gp_virt_observe_files(const char *dir, struct gp_arena *mem, struct gp_have *have)
{
    const char *path = gp_printf(mem, "%s/libvirt", dir);
    gp_cleanup(closedir_p) DIR *listing = NULL;
    const struct dirent *entry;

    gp_virt_init();
    have->vms = NULL;
    have->vm_count = 0;
    listing = opendir(path);
    if (!listing && errno == ENOENT) {
        have->vms_unknown = true;
        have->vms_reason = "the capture holds no domains: it has no directory libvirt";
        return NULL;
    }
    if (!listing)
        return gp_error_errno(errno, "%s", path);
    while ((entry = readdir(listing))) {
        const char *name = entry->d_name;
        struct gp_error *err;
        const char *base;
        bool live;

        if (!ends_with(name, ".xml") || *name == '.')
            continue;
        live = ends_with(name, LIVE);
        base = gp_strndup(mem, name, strlen(name) - strlen(live ? LIVE : ".xml"));
        /* A domain with both files comes with the first of them. */
        if (live && faccessat(dirfd(listing), gp_printf(mem, "%s.xml", base), F_OK, 0) == 0)
            continue;
        err = add_vm(mem, dirfd(listing), base, have);
        if (err)
            return err;
    }
    gp_virt_sort(have);
    return NULL;
}

static struct gp_error *write_outline(struct gp_arena *mem, const char *dir, const char *file,
                                      const char *xml)
{
    const char *path = gp_printf(mem, "%s/%s", dir, file), *outline;
    gp_cleanup(gp_fclose_p) FILE *out = NULL;
    struct gp_error *err;

    err = gp_domain_outline(mem, xml, &outline);
    if (err)
        return gp_error_wrap(err, "libvirt/%s", file);
    out = fopen(path, "we");
    if (!out || fputs(outline, out) == EOF || fflush(out) == EOF)
        return gp_error_errno(errno, "%s", path);
    return NULL;
}

struct gp_error *gp_virt_capture(struct gp_virt *virt, const char *dir)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    const char *path = gp_printf(mem, "%s/libvirt", dir);
    struct gp_virt_text *texts;
    struct gp_error *err;
    size_t count;

    err = gp_virt_definitions(virt, mem, &texts, &count);
    if (err)
        return err;
    if (mkdir(path, 0755) < 0 && errno != EEXIST)
        return gp_error_errno(errno, "%s", path);
    for (size_t i = 0; i < count && !err; i++) {
        /* libvirt takes names with a slash for some hypervisors: such a file would lie elsewhere.
         */
        const char *name =
            strchr(texts[i].name, '/') || *texts[i].name == '.' ? NULL : texts[i].name;

        if (!name)
            name = gp_printf(mem, "domain-%zu", i);
        if (texts[i].inactive)
            err = write_outline(mem, path, gp_printf(mem, "%s.xml", name), texts[i].inactive);
        if (!err && texts[i].live)
            err = write_outline(mem, path, gp_printf(mem, "%s" LIVE, name), texts[i].live);
    }
    return err;
}
