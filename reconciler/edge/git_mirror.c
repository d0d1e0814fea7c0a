#include "git_priv.h"

#include "cleanup.h"
#include "git_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <string.h>
#include <sys/stat.h>

/* Stands in every repository that gpupart made, and in no other: only such a one is ever removed.
 */
static const char marker[] = "gpupart-mirror";

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static bool has_marker(const char *dir)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();

    return access(gp_printf(mem, "%s/%s", dir, marker), F_OK) == 0;
}

/* Fact: gitrepository-layout(5), objects/info/alternates: a line for each folder of objects of other repositories, which are
 * read as if they were here and never written. One that cannot be read would make the whole repository unreadable. */
static struct gp_error *borrow_objects(const char *dir, const char *from)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    gp_cleanup(gp_free_p) char *objects = realpath(gp_printf(mem, "%s/objects", from), NULL);
    const char *file = gp_printf(mem, "%s/objects/info/alternates", dir);
    gp_cleanup(gp_fclose_p) FILE *out = NULL;

    if (!objects || !has_marker(from) || access(objects, R_OK | X_OK) < 0 ||
        access(gp_printf(mem, "%s/pack", objects), R_OK | X_OK) < 0)
        return NULL;
    out = fopen(file, "we");
    if (!out || fprintf(out, "%s\n", objects) < 0 || fflush(out) != 0)
        return gp_error_errno(errno, "%s could not be made", file);
    return NULL;
}

static struct gp_error *make(const char *dir, const char *borrow)
{
    gp_cleanup(gp_git_repository_p) git_repository *repo = NULL;
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    gp_cleanup(gp_close_p) int fd = -1;
    const char *file = gp_printf(mem, "%s/%s", dir, marker);

    /* rmdir() tells an empty folder from one that somebody uses; git makes it again. */
    if (rmdir(dir) < 0 && errno != ENOENT)
        return gp_error_new(GP_E_CONFIG,
                            "%s is not a repository that gpupart made, and not empty: move it away",
                            dir);
    if (git_repository_init(&repo, dir, true) < 0)
        return gp_git_fail(GP_E_IO, "the repository %s could not be made", dir);
    fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0 || fsync(fd) < 0)
        return gp_error_errno(errno, "%s could not be made", file);
    return borrow ? borrow_objects(dir, borrow) : NULL;
}

struct gp_error *gp_git_mirror_remove(const char *dir)
{
    enum { OPEN_FOLDERS = 16 };

    if (has_marker(dir) &&
        nftw(dir, remove_entry, OPEN_FOLDERS, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) < 0)
        return gp_error_errno(errno, "the damaged repository %s could not be removed", dir);
    return NULL;
}

/* A child that was killed leaves lock files, which would make every later fetch fail, and halves of
 * packs. The pass lock says that no fetch runs now. */
static void sweep(const char *dir, bool (*stale)(int dirfd, const char *name))
{
    DIR *folder = opendir(dir);
    const struct dirent *entry;

    if (!folder)
        return;
    while ((entry = readdir(folder)))
        if (entry->d_name[0] != '.' && stale(dirfd(folder), entry->d_name))
            (void)unlinkat(dirfd(folder), entry->d_name, 0);
    (void)closedir(folder);
}

static bool is_lock(int folder, const char *name)
{
    size_t size = strlen(name);

    (void)folder;
    return size > 5 && strcmp(name + size - 5, ".lock") == 0;
}

/* Finished ones are pack-HASH.pack and pack-HASH.idx. */
static bool is_half_pack(int folder, const char *name)
{
    return gp_starts_with(name, "pack_") || gp_starts_with(name, "tmp_") || is_lock(folder, name);
}

/* A ref that holds no id would make every fetch fail; without it, it is only fetched once more. */
static bool is_no_ref(int folder, const char *name)
{
    gp_cleanup(gp_close_p) int fd =
        openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    char id[GIT_OID_HEXSZ + 1] = "";

    return fd < 0 || read(fd, id, GIT_OID_HEXSZ) != GIT_OID_HEXSZ ||
           strspn(id, "0123456789abcdef") != GIT_OID_HEXSZ;
}

struct gp_error *gp_git_mirror_open(const char *dir, const char *borrow, git_repository **ret)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct gp_error *err = NULL;

    if (!has_marker(dir))
        err = make(dir, borrow);
    if (err)
        return err;
    sweep(dir, is_lock);
    sweep(gp_printf(mem, "%s/refs/gpupart/remote", dir), is_no_ref);
    sweep(gp_printf(mem, "%s/objects/pack", dir), is_half_pack);
    if (git_repository_open_bare(ret, dir) == 0)
        return NULL;
    err = gp_git_mirror_remove(dir);
    if (!err)
        err = make(dir, borrow);
    if (!err && git_repository_open_bare(ret, dir) < 0)
        err = gp_git_fail(GP_E_IO, "the repository %s could not be opened", dir);
    return err;
}

/* ---- is it whole? ---- */

struct reading {
    git_repository *repo;
    struct gp_file_budget budget;
};

/* Nothing is unpacked that the one who loads it would not take: whoever may push could else fill the memory of a host
 * that does not even believe the commit. */
static bool can_be_read(struct reading *reading, const git_oid *id)
{
    struct gp_error *too_large;
    git_blob *blob;
    git_object_t type;
    git_odb *odb;
    size_t size;
    int rc;

    if (git_repository_odb(&odb, reading->repo) < 0)
        return false;
    rc = git_odb_read_header(&size, &type, odb, id);
    git_odb_free(odb);
    if (rc < 0)
        return false;
    too_large = gp_file_budget_take(&reading->budget, "", size);
    gp_error_free(too_large);
    if (too_large)
        return true; /* which is for the one who loads it to say */
    rc = git_blob_lookup(&blob, reading->repo, id);
    git_blob_free(rc == 0 ? blob : NULL);
    return rc == 0;
}

static int read_entry(const char *root, const git_tree_entry *entry, void *data)
{
    const char *name = git_tree_entry_name(entry);

    (void)root;
    if (gp_declaration_hidden(name))
        return 1; /* and nothing below it */
    if (git_tree_entry_type(entry) != GIT_OBJECT_BLOB || !gp_declaration_name(name))
        return 0;
    return can_be_read(data, git_tree_entry_id(entry)) ? 0 : -1;
}

bool gp_git_mirror_holds(git_repository *repo, const char *id, const char *path)
{
    gp_cleanup(gp_git_commit_p) git_commit *commit = NULL;
    gp_cleanup(gp_git_tree_p) git_tree *root = NULL, *below = NULL;
    struct reading reading = {.repo = repo};
    git_tree_entry *entry;
    git_object_t type;
    git_oid oid;
    int rc;

    if (git_oid_fromstr(&oid, id) < 0 || git_commit_lookup(&commit, repo, &oid) < 0 ||
        git_commit_tree(&root, commit) < 0)
        return false;
    if (!path || !*path)
        return git_tree_walk(root, GIT_TREEWALK_PRE, read_entry, &reading) == 0;
    rc = git_tree_entry_bypath(&entry, root, path);
    if (rc == GIT_ENOTFOUND)
        return true; /* the commit has no such path, which is for the one who loads it to say */
    if (rc < 0)
        return false;
    type = git_tree_entry_type(entry);
    git_oid_cpy(&oid, git_tree_entry_id(entry));
    git_tree_entry_free(entry);
    if (type == GIT_OBJECT_BLOB)
        return can_be_read(&reading, &oid);
    return type != GIT_OBJECT_TREE || (git_tree_lookup(&below, repo, &oid) == 0 &&
                                       git_tree_walk(below, GIT_TREEWALK_PRE, read_entry, &reading) == 0);
}
