/* The tree over FUSE, with the low-level interface: a node's address is its inode number, so that
 * access relative to a directory's descriptor costs one request instead of one for each component
 * of a path. direct_io and no timeouts: every read asks the node, as in sysfs. The kernel remembers
 * only directories that stay for good, which most components of a path are. */
#define FUSE_USE_VERSION 314

#include "sim.h"

#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <linux/vfio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FOR_GOOD_S 1e6

struct file {
    struct file *next, **back; /* all that are open: FUSE does not close them when it ends */
    struct node *node;
    char *text;
    size_t len;
    struct group *holds;
};

static struct file *files;

static struct file *file_new(void)
{
    struct file *file = calloc(1, sizeof *file);

    if (!file)
        abort();
    file->next = files;
    file->back = &files;
    if (files)
        files->back = &file->next;
    files = file;
    return file;
}

static void file_free(struct file *file)
{
    *file->back = file->next;
    if (file->next)
        file->next->back = file->back;
    free(file->text);
    free(file);
}

static struct node *node_of(fuse_ino_t ino)
{
    return ino == FUSE_ROOT_ID ? &sim_root : (struct node *)(uintptr_t)ino;
}

static fuse_ino_t ino_of(const struct node *node)
{
    return node == &sim_root ? FUSE_ROOT_ID : (fuse_ino_t)(uintptr_t)node;
}

static void fill(const struct node *node, struct stat *st)
{
    static const mode_t kinds[] = {
        [NODE_DIR] = S_IFDIR, [NODE_LINK] = S_IFLNK, [NODE_FILE] = S_IFREG};

    *st = (struct stat){.st_ino = ino_of(node),
                        .st_mode = kinds[node->kind] | node->mode,
                        .st_nlink = 1,
                        .st_uid = getuid(),
                        .st_gid = getgid()};
    if (node->kind != NODE_DIR)
        st->st_size = node->attr ? 4096 : (off_t)node->len;
}

static void fs_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    struct fuse_entry_param entry = {0};
    struct node *node;

    sim_lock();
    node = sim_child(node_of(parent), name);
    if (!node || !sim_visible(node)) {
        sim_unlock();
        fuse_reply_err(req, ENOENT);
        return;
    }
    node->lookups++;
    entry.ino = ino_of(node);
    fill(node, &entry.attr);
    if (node->lasting)
        entry.entry_timeout = entry.attr_timeout = FOR_GOOD_S;
    sim_unlock();
    fuse_reply_entry(req, &entry);
}

static void forget(fuse_ino_t ino, uint64_t count)
{
    struct node *node = node_of(ino);

    if (node == &sim_root)
        return;
    node->lookups -= count;
    sim_node_put(node);
}

static void fs_forget(fuse_req_t req, fuse_ino_t ino, uint64_t count)
{
    sim_lock();
    forget(ino, count);
    sim_unlock();
    fuse_reply_none(req);
}

static void fs_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
    sim_lock();
    for (size_t i = 0; i < count; i++)
        forget(forgets[i].ino, forgets[i].nlookup);
    sim_unlock();
    fuse_reply_none(req);
}

static void fs_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct stat st;

    (void)fi;
    sim_lock();
    fill(node_of(ino), &st);
    sim_unlock();
    fuse_reply_attr(req, &st, 0);
}

/* O_TRUNC and touch change nothing in sysfs either. */
static void fs_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int set,
                       struct fuse_file_info *fi)
{
    (void)attr;
    (void)set;
    fs_getattr(req, ino, fi);
}

static void fs_readlink(fuse_req_t req, fuse_ino_t ino)
{
    char *text;

    sim_lock();
    text = node_of(ino)->kind == NODE_LINK ? strdup(node_of(ino)->text) : NULL;
    sim_unlock();
    if (text)
        fuse_reply_readlink(req, text);
    else
        fuse_reply_err(req, EINVAL);
    free(text);
}

/* ---- directories: the listing is made when it is opened ---- */

static void fs_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct file *file;
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    if (!out)
        abort();
    sim_lock();
    fwrite("d.\0d..", 1, 7, out);
    for (struct node *node = node_of(ino)->children; node; node = node->next)
        if (sim_visible(node)) {
            fputc("dlf"[node->kind], out);
            fwrite(node->name, 1, strlen(node->name) + 1, out);
        }
    fclose(out);
    file = file_new();
    file->text = text;
    file->len = len;
    sim_unlock();
    fi->fh = (uint64_t)(uintptr_t)file;
    fuse_reply_open(req, fi);
}

static void fs_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
                       struct fuse_file_info *fi)
{
    struct file *file = (struct file *)(uintptr_t)fi->fh;
    char *reply = malloc(size);
    size_t used = 0, at = (size_t)off;

    (void)ino;
    if (!reply)
        abort();
    while (at < file->len) {
        const char *name = file->text + at + 1;
        char kind = file->text[at];
        struct stat st = {.st_ino = 1,
                          .st_mode = kind == 'd'   ? S_IFDIR
                                     : kind == 'l' ? S_IFLNK
                                                   : S_IFREG};
        size_t next = at + strlen(name) + 2, need;

        need = fuse_add_direntry(req, reply + used, size - used, name, &st, (off_t)next);
        if (need > size - used)
            break;
        used += need;
        at = next;
    }
    fuse_reply_buf(req, reply, used);
    free(reply);
}

static void fs_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct file *file = (struct file *)(uintptr_t)fi->fh;

    (void)ino;
    sim_lock();
    file_free(file);
    sim_unlock();
    fuse_reply_err(req, 0);
}

/* ---- files ---- */

/* As kernfs: what the mode does not offer is EACCES, for root too. */
static int may_open(const struct node *node, int flags)
{
    int how = flags & O_ACCMODE;

    if (node->kind != NODE_FILE)
        return -EISDIR;
    if (node->dead)
        return -ENODEV;
    if ((how != O_WRONLY && !(node->mode & 0444)) || (how != O_RDONLY && !(node->mode & 0222)))
        return -EACCES;
    return 0;
}

static void fs_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct node *node = node_of(ino);
    struct file *file;
    int err;

    sim_lock();
    file = file_new();
    file->node = node;
    node->opens++;
    err = may_open(node, fi->flags);
    if (!err && node->group) {
        err = sim_group_open(node->group, fuse_req_ctx(req)->pid,
                             node == node->group->dev ? NULL : node->name);
        file->holds = err ? NULL : node->group;
        if (!err && node->dead) { /* it went while we waited */
            sim_group_release(node->group);
            err = -ENODEV;
        }
    }
    if (err) {
        node->opens--;
        sim_node_put(node);
        file_free(file);
    }
    sim_unlock();
    if (err) {
        fuse_reply_err(req, -err);
        return;
    }
    fi->fh = (uint64_t)(uintptr_t)file;
    fi->direct_io = 1;
    fuse_reply_open(req, fi);
}

static void fs_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct file *file = (struct file *)(uintptr_t)fi->fh;

    (void)ino;
    if (file->holds) {
        sim_lock();
        file->holds->closing_ms = sim_now_ms();
        sim_unlock();
    }
    fuse_reply_err(req, 0);
}

/* What an emulator asks first of a group that it opened for a guest. The container that it names is its own. */
static void fs_ioctl(fuse_req_t req, fuse_ino_t ino, unsigned int command, void *arg, struct fuse_file_info *fi,
                     unsigned flags, const void *in, size_t in_size, size_t out_size)
{
    struct file *file = (struct file *)(uintptr_t)fi->fh;

    (void)ino, (void)arg, (void)flags, (void)in, (void)in_size, (void)out_size;
    if (!file->holds || command != VFIO_GROUP_SET_CONTAINER) {
        fuse_reply_err(req, ENOTTY);
        return;
    }
    sim_lock();
    sim_group_use(file->holds);
    sim_unlock();
    fuse_reply_ioctl(req, 0, NULL, 0);
}

static void fs_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct file *file = (struct file *)(uintptr_t)fi->fh;

    (void)ino;
    sim_lock();
    if (file->holds)
        sim_group_release(file->holds);
    file->node->opens--;
    sim_node_put(file->node);
    file_free(file);
    sim_unlock();
    fuse_reply_err(req, 0);
}

/* The text is made at offset 0 and kept for what follows, as a seq_file does. Made aside, since
 * asking the node may wait, and another read of the same file come in between. */
static int render(struct file *file)
{
    struct node *node = file->node;
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    int err;

    if (!out)
        abort();
    if (!node->dead)
        sim_read_fault(node);
    err = node->dead ? -ENODEV : 0;
    if (!err && node->attr)
        err = node->attr->show ? node->attr->show(node, out) : -EIO;
    else if (!err)
        fwrite(node->text, 1, node->len, out);
    fclose(out);
    free(file->text);
    file->text = text;
    file->len = len;
    return err;
}

static void fs_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
                    struct fuse_file_info *fi)
{
    struct file *file = (struct file *)(uintptr_t)fi->fh;
    int err = 0;

    (void)ino;
    sim_lock();
    if (!off || !file->text)
        err = render(file);
    if (err)
        fuse_reply_err(req, -err);
    else if ((size_t)off >= file->len)
        fuse_reply_buf(req, NULL, 0);
    else
        fuse_reply_buf(req, file->text + off,
                       file->len - (size_t)off < size ? file->len - (size_t)off : size);
    sim_unlock();
}

static void fs_write(fuse_req_t req, fuse_ino_t ino, const char *text, size_t len, off_t off,
                     struct fuse_file_info *fi)
{
    struct file *file = (struct file *)(uintptr_t)fi->fh;
    char *copy = strndup(text, len);
    int err;

    (void)ino;
    (void)off;
    if (!copy)
        abort();
    sim_lock();
    err = sim_write(file->node, copy, len, fuse_req_ctx(req)->pid);
    sim_unlock();
    free(copy);
    if (err)
        fuse_reply_err(req, -err);
    else
        fuse_reply_write(req, len);
}

/* ---- sysfs lets nobody make or remove names ---- */

static void fs_create(fuse_req_t req, fuse_ino_t dir, const char *name, mode_t mode,
                      struct fuse_file_info *fi)
{
    (void)dir, (void)name, (void)mode, (void)fi;
    fuse_reply_err(req, EACCES);
}

static void fs_mkdir(fuse_req_t req, fuse_ino_t dir, const char *name, mode_t mode)
{
    (void)dir, (void)name, (void)mode;
    fuse_reply_err(req, EPERM);
}

static void fs_unlink(fuse_req_t req, fuse_ino_t dir, const char *name)
{
    (void)dir, (void)name;
    fuse_reply_err(req, EPERM);
}

static const struct fuse_lowlevel_ops ops = {
    .lookup = fs_lookup,
    .forget = fs_forget,
    .forget_multi = fs_forget_multi,
    .getattr = fs_getattr,
    .setattr = fs_setattr,
    .readlink = fs_readlink,
    .opendir = fs_opendir,
    .readdir = fs_readdir,
    .releasedir = fs_releasedir,
    .open = fs_open,
    .flush = fs_flush,
    .ioctl = fs_ioctl,
    .release = fs_release,
    .read = fs_read,
    .write = fs_write,
    .create = fs_create,
    .mkdir = fs_mkdir,
    .unlink = fs_unlink,
    .rmdir = fs_unlink,
};

int sim_serve(const char *mountpoint, bool foreground, const char *options, bool debug)
{
    struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
    struct fuse_loop_config *config = fuse_loop_cfg_create();
    struct fuse_session *session;
    char *path = realpath(mountpoint, NULL);
    int ret = 1;

    fuse_opt_add_arg(&args, "gpusim");
    fuse_opt_add_arg(&args, "-ofsname=gpusim,subtype=gpusim");
    if (!geteuid())
        fuse_opt_add_arg(&args, "-oallow_other");
    if (options) {
        fuse_opt_add_arg(&args, "-o");
        fuse_opt_add_arg(&args, options);
    }
    if (debug)
        fuse_opt_add_arg(&args, "-d");
    /* A hung write and whoever waits for it take a thread each. */
    fuse_loop_cfg_set_max_threads(config, 200);
    fuse_loop_cfg_set_clone_fd(config, 0);
    session = fuse_session_new(&args, &ops, sizeof ops, NULL);
    if (!path)
        perror(mountpoint);
    if (path && session && !fuse_set_signal_handlers(session)) {
        if (!fuse_session_mount(session, path)) {
            if (!fuse_daemonize(foreground))
                ret = fuse_session_loop_mt(session, config) <
                      0; /* above 0: the signal that ended it */
            fuse_session_unmount(session);
        }
        fuse_remove_signal_handlers(session);
    }
    if (session)
        fuse_session_destroy(session);
    fuse_loop_cfg_destroy(config);
    fuse_opt_free_args(&args);
    free(path);
    return ret;
}
