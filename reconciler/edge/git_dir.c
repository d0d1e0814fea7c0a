#include "git.h"

#include "cleanup.h"
#include "git_files.h"
#include "text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

struct walk {
    struct gp_arena *mem;
    struct gp_strings files; /* paths as the user knows them */
    unsigned depth;
};

static void closedir_p(DIR **dir)
{
    if (*dir)
        (void)closedir(*dir);
}

/* Files and links of @dir and below. Links to directories are not followed: they can lead in
 * circles. */
static struct gp_error *list(struct walk *walk, const char *dir)
{
    enum { MAX_DEPTH = 64 };
    gp_cleanup(closedir_p) DIR *folder = opendir(dir);
    const size_t size = strlen(dir);
    const char *slash = size && dir[size - 1] == '/' ? "" : "/";
    const struct dirent *entry;

    if (!folder)
        return gp_error_errno(errno, "%s cannot be read", dir);
    if (walk->depth == MAX_DEPTH)
        return gp_error_new(GP_E_INVALID, "%s lies too deep", dir);
    while ((entry = readdir(folder))) {
        const char *path = gp_printf(walk->mem, "%s%s%s", dir, slash, entry->d_name);
        struct stat st;

        if (gp_declaration_hidden(entry->d_name))
            continue;
        if (fstatat(dirfd(folder), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            return gp_error_errno(errno, "%s cannot be read", path);
        if (S_ISDIR(st.st_mode)) {
            struct gp_error *err;

            walk->depth++;
            err = list(walk, path);
            walk->depth--;
            if (err)
                return err;
        } else if (gp_declaration_name(entry->d_name)) {
            *gp_push(walk->mem, walk->files.items, walk->files.count) = path;
        }
    }
    return NULL;
}

static int by_path(const void *a, const void *b)
{
    return gp_strcmp(*(const char *const *)a, *(const char *const *)b);
}

static struct gp_error *load_file(const char *path, bool follow, struct gp_file_budget *budget,
                                  struct gp_load *load)
{
    gp_cleanup(gp_close_p) int fd =
        open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | (follow ? 0 : O_NOFOLLOW));
    struct gp_error *err;
    struct stat st;
    size_t size = 0;
    char *text;

    if (fd < 0 && errno == ELOOP) {
        gp_file_not_read(load, path, "a symbolic link: put the file itself there", GP_LEVEL_ERROR);
        return NULL;
    }
    if (fd < 0 || fstat(fd, &st) < 0)
        return gp_error_errno(errno, "%s cannot be read", path);
    if (!S_ISREG(st.st_mode))
        return gp_error_new(GP_E_INVALID, "%s is not a file", path);
    err = gp_file_budget_take(budget, path, (uint64_t)st.st_size);
    if (err)
        return err;
    text = gp_arena_alloc(load->mem, (size_t)st.st_size + 1);
    while (size < (size_t)st.st_size) {
        ssize_t n = read(fd, text + size, (size_t)st.st_size - size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return gp_error_errno(errno, "%s cannot be read", path);
        if (n == 0)
            break; /* somebody is writing it: what is there is what counts */
        size += (size_t)n;
    }
    gp_load_file(load, gp_strdup(load->mem, path), text, size);
    return NULL;
}

struct gp_error *gp_dir_load(const char *dir, struct gp_load *load)
{
    struct walk walk = {.mem = load->mem};
    struct gp_file_budget budget = {0};
    struct gp_error *err;
    struct stat st;

    if (stat(dir, &st) < 0)
        return gp_error_errno(errno, "%s cannot be read", dir);
    if (!S_ISDIR(st.st_mode))
        return load_file(dir, true, &budget, load);
    err = list(&walk, dir);
    if (walk.files.count)
        qsort(walk.files.items, walk.files.count, sizeof *walk.files.items, by_path);
    for (size_t i = 0; !err && i < walk.files.count; i++)
        err = load_file(walk.files.items[i], false, &budget, load);
    return err;
}
