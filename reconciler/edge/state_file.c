#include "state_file.h"

#include "cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_SIZE = 64 << 20 }; /* a state file that large is not ours */

struct gp_error *gp_state_file_error(int errnum, const char *dir, const char *name)
{
    switch (errnum) {
    case ENOSPC:
    case EDQUOT:
        return gp_error_wrap(
            gp_error_errno(errnum, "%s", name),
            "no room in the state directory %s: what was there is kept, make room there", dir);
    case EROFS:
        return gp_error_wrap(
            gp_error_errno(errnum, "%s", name),
            "the state directory %s is on a read-only file system: what was there is kept", dir);
    case EACCES:
    case EPERM:
        return gp_error_wrap(gp_error_errno(errnum, "%s", name),
                             "the state directory %s may not be written by this user", dir);
    default:
        return gp_error_wrap(gp_error_errno(errnum, "%s", name),
                             "the state directory %s could not be written", dir);
    }
}

struct gp_error *gp_state_file_read(int dirfd, const char *dir, const char *name, char **ret_text,
                                    size_t *ret_size)
{
    gp_cleanup(gp_close_p) int fd =
        openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    gp_cleanup(gp_free_p) char *text = NULL;
    struct stat st;
    size_t size = 0;

    if (fd < 0 && errno == ENOENT) {
        *ret_text = NULL;
        *ret_size = 0;
        return NULL;
    }
    if (fd < 0 || fstat(fd, &st) < 0)
        return gp_error_errno(errno, "%s/%s could not be read", dir, name);
    if (!S_ISREG(st.st_mode) || st.st_size > MAX_SIZE)
        return gp_error_new(GP_E_CONFIG, "%s/%s is not a file of gpupart's: move it away", dir,
                            name);
    text = malloc((size_t)st.st_size + 1);
    if (!text)
        abort();
    while (size < (size_t)st.st_size) {
        ssize_t n = read(fd, text + size, (size_t)st.st_size - size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return gp_error_errno(errno, "%s/%s could not be read", dir, name);
        if (n == 0)
            break;
        size += (size_t)n;
    }
    text[size] = '\0';
    *ret_text = gp_steal(text);
    *ret_size = size;
    return NULL;
}

static int write_whole(int fd, const char *text, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = write(fd, text + done, size - done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        done += (size_t)n;
    }
    return 0;
}

struct gp_error *gp_state_file_replace(int dirfd, const char *dir, const char *name,
                                       const char *text, size_t size)
{
    char temp[NAME_MAX + 1];
    struct gp_error *err;
    int fd, errnum;

    /* One fixed name for each file: what a crash left of an earlier try is overwritten, not
     * collected. */
    if (snprintf(temp, sizeof temp, ".%s.new", name) >= (int)sizeof temp)
        return gp_error_new(GP_E_BUG, "state file name too long: %s", name);
    fd = openat(dirfd, temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0)
        return gp_state_file_error(errno, dir, name);
    /* Some file systems tell a full disk or an I/O error only at fsync() or close(): all three are
     * asked. */
    if (fchmod(fd, 0644) < 0 || write_whole(fd, text, size) < 0 || fsync(fd) < 0) {
        errnum = errno;
        (void)close(fd);
        goto fail;
    }
    if (close(fd) < 0 || renameat(dirfd, temp, dirfd, name) < 0) {
        errnum = errno;
        goto fail;
    }
    if (fsync(dirfd) < 0)
        return gp_state_file_error(errno, dir, name);
    return NULL;

fail:
    err = gp_state_file_error(errnum, dir, name);
    (void)unlinkat(dirfd, temp, 0);
    return err;
}

struct gp_error *gp_state_file_remove(int dirfd, const char *dir, const char *name)
{
    if (unlinkat(dirfd, name, 0) < 0 && errno != ENOENT)
        return gp_state_file_error(errno, dir, name);
    if (fsync(dirfd) < 0)
        return gp_state_file_error(errno, dir, name);
    return NULL;
}

struct gp_error *gp_state_file_keep_aside(int dirfd, const char *dir, const char *name)
{
    char aside[NAME_MAX + 1];

    if (snprintf(aside, sizeof aside, "%s.corrupt", name) >= (int)sizeof aside)
        return gp_error_new(GP_E_BUG, "state file name too long: %s", name);
    if (renameat(dirfd, name, dirfd, aside) < 0 || fsync(dirfd) < 0)
        return gp_state_file_error(errno, dir, name);
    return NULL;
}

static struct gp_error *fsync_parent(const char *dir)
{
    gp_cleanup(gp_free_p) char *parent = strdup(dir);
    gp_cleanup(gp_close_p) int fd = -1;
    char *slash;

    if (!parent)
        abort();
    slash = strrchr(parent, '/');
    if (slash)
        slash[slash == parent ? 1 : 0] = '\0';
    fd = open(slash ? parent : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) < 0)
        return gp_error_errno(errno, "the state directory %s could not be made", dir);
    return NULL;
}

struct gp_error *gp_state_file_make_dir(const char *dir)
{
    gp_cleanup(gp_free_p) char *path = strdup(dir);
    size_t size;

    if (!path)
        abort();
    size = strlen(path);
    while (size > 1 && path[size - 1] == '/')
        path[--size] = '\0';
    for (size_t i = 1; i <= size; i++) {
        struct gp_error *err;
        char kept = path[i];

        if (kept != '/' && kept != '\0')
            continue;
        path[i] = '\0';
        /* On a read-only file system an existing directory may answer EROFS: what matters is that
         * it is there. */
        if (mkdir(path, 0755) == 0) {
            err = fsync_parent(path);
            if (err)
                return err;
        } else {
            int errnum = errno;

            if (errnum != EEXIST && access(path, F_OK) < 0)
                return gp_state_file_error(errnum, dir, path);
        }
        path[i] = kept;
    }
    return NULL;
}
