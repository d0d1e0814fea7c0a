/* Captures: DIR/libvirt/NAME.xml is a persistent definition, NAME.live.xml that of the running
 * domain. What libvirt knows besides stands in DIR/libvirt/facts, a line each: "version 9000000",
 * "mock", and for a domain of which there is something to say "domain paused,autostart NAME".
 * Without that file a domain counts as running or off, and as stoppable unless its definition says
 * otherwise. */
#include "virt_private.h"

#include "cleanup.h"
#include "domain.h"
#include "text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LIVE     ".live.xml"
#define FACTS    "facts"
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

/* A link would lead out of the capture. NULL: errno says why. */
static DIR *open_listing(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *listing = fd < 0 ? NULL : fdopendir(fd);

    if (!listing && fd >= 0)
        (void)close(fd);
    return listing;
}

/* ---- what is in no definition ---- */

static const struct {
    const char *word;
    bool paused, other, autostart, managed_save, job;
} words[] = {
    {"paused", .paused = true},       {"other", .other = true},
    {"autostart", .autostart = true}, {"managed-save", .managed_save = true},
    {"job", .job = true},
};

/* What @facts says of the domain whose files are called @base. */
static void apply_facts(struct gp_arena *mem, const char *facts, const char *base,
                        struct gp_virt_seen *seen)
{
    for (const char *line = facts, *end; line && *line; line = *end ? end + 1 : end) {
        char *word, *rest, *name;

        end = strchrnul(line, '\n');
        rest = gp_strndup(mem, line, (size_t)(end - line));
        word = strsep(&rest, " ");
        if (!gp_streq(word, "domain") || !rest)
            continue;
        name = rest;
        rest = strsep(&name, " ");
        if (!gp_streq(name, base))
            continue;
        while ((word = strsep(&rest, ",")))
            for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
                if (!gp_streq(word, words[i].word))
                    continue;
                if (seen->live && (words[i].paused || words[i].other))
                    seen->power = words[i].paused ? GP_POWER_PAUSED : GP_POWER_OTHER;
                seen->autostart |= words[i].autostart;
                seen->managed_save |= words[i].managed_save;
                seen->job |= words[i].job;
            }
    }
}

/* "version 9000000" and "mock". */
static void apply_libvirt(const char *facts, struct gp_have *have)
{
    for (const char *line = facts; line && *line; line = strchrnul(line, '\n'), line += *line != 0) {
        if (gp_starts_with(line, "version "))
            have->libvirt_version = (uint32_t)strtoul(line + strlen("version "), NULL, 10);
        have->hypervisor_is_mock = have->hypervisor_is_mock || gp_starts_with(line, "mock\n");
    }
}

static const char *facts_of(struct gp_arena *mem, const struct gp_virt_text *text)
{
    const bool is[] = {text->power == GP_POWER_PAUSED, text->power == GP_POWER_OTHER,
                       text->autostart, text->managed_save, text->job};
    struct gp_text out = {.mem = mem};

    _Static_assert(sizeof is == sizeof words / sizeof *words, "one for each word");
    for (size_t i = 0; i < sizeof is; i++)
        if (is[i])
            gp_text_addf(&out, "%s%s", out.size ? "," : "", words[i].word);
    return gp_text_get(&out);
}

/* ---- reading ---- */

static struct gp_error *add_vm(struct gp_arena *mem, int dir, const char *base, const char *facts,
                               struct gp_have *have)
{
    struct gp_virt_seen seen = {.job_known = true};
    struct gp_error *err;
    struct gp_vm vm;

    err = read_file(mem, dir, gp_printf(mem, "%s.xml", base), &seen.inactive);
    if (!err)
        err = read_file(mem, dir, gp_printf(mem, "%s" LIVE, base), &seen.live);
    if (err)
        return err;
    seen.persistent = seen.inactive != NULL;
    seen.power = seen.live ? GP_POWER_RUNNING : GP_POWER_OFF;
    apply_facts(mem, facts, base, &seen);
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
    const char *facts = NULL;
    struct gp_error *err;

    gp_virt_init();
    have->vms = NULL;
    have->vm_count = 0;
    listing = open_listing(path);
    if (!listing && errno == ENOENT) {
        have->vms_unknown = true;
        have->vms_reason = "the capture holds no domains: it has no directory libvirt";
        return NULL;
    }
    if (!listing)
        return gp_error_errno(errno, "%s", path);
    err = read_file(mem, dirfd(listing), FACTS, &facts);
    if (err)
        return err;
    apply_libvirt(facts, have);
    while ((entry = readdir(listing))) {
        const char *name = entry->d_name;
        const char *base;
        bool live;

        if (!ends_with(name, ".xml") || *name == '.')
            continue;
        live = ends_with(name, LIVE);
        base = gp_strndup(mem, name, strlen(name) - strlen(live ? LIVE : ".xml"));
        /* A domain with both files comes with the first of them. */
        if (live && faccessat(dirfd(listing), gp_printf(mem, "%s.xml", base), F_OK, AT_SYMLINK_NOFOLLOW) == 0)
            continue;
        err = add_vm(mem, dirfd(listing), base, facts, have);
        if (err)
            return err;
    }
    gp_virt_sort(have);
    return NULL;
}

/* ---- writing ---- */

static struct gp_error *write_file(struct gp_arena *mem, const char *dir, const char *file,
                                   const char *text)
{
    const char *path = gp_printf(mem, "%s/%s", dir, file);
    gp_cleanup(gp_fclose_p) FILE *out = fopen(path, "we");

    if (!out || fputs(text, out) == EOF || fflush(out) == EOF)
        return gp_error_errno(errno, "%s", path);
    return NULL;
}

static struct gp_error *write_outline(struct gp_arena *mem, const char *dir, const char *file,
                                      const char *xml, struct gp_redact *redact)
{
    const char *outline;
    struct gp_error *err = gp_domain_outline(mem, xml, redact, &outline);

    if (err)
        return gp_error_wrap(err, "libvirt/%s", file);
    return write_file(mem, dir, file, outline);
}

struct gp_error *gp_virt_capture(struct gp_virt *virt, const char *dir, struct gp_redact *redact)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    const char *path = gp_printf(mem, "%s/libvirt", dir);
    struct gp_virt_texts texts = {0};
    struct gp_text facts = {.mem = mem};
    struct gp_error *err;

    err = gp_virt_definitions(virt, mem, &texts);
    if (err)
        return err;
    if (mkdir(path, 0755) < 0 && errno != EEXIST)
        return gp_error_errno(errno, "%s", path);
    gp_text_addf(&facts, "version %u\n%s", (unsigned)texts.libvirt_version,
                 texts.mock ? "mock\n" : "");
    for (size_t i = 0; i < texts.count && !err; i++) {
        const struct gp_virt_text *text = &texts.items[i];
        /* libvirt takes names with a slash for some hypervisors: such a file would lie elsewhere.
         */
        const char *name = strchr(text->name, '/') || *text->name == '.' ? NULL : text->name;
        const char *more = facts_of(mem, text);

        if (redact)
            name = gp_redact_vm(redact, text->name);
        else if (!name)
            name = gp_printf(mem, "domain-%zu", i);
        if (*more)
            gp_text_addf(&facts, "domain %s %s\n", more, name);
        if (text->inactive)
            err = write_outline(mem, path, gp_printf(mem, "%s.xml", name), text->inactive, redact);
        if (!err && text->live)
            err = write_outline(mem, path, gp_printf(mem, "%s" LIVE, name), text->live, redact);
    }
    return err ? err : write_file(mem, path, FACTS, gp_text_get(&facts));
}
