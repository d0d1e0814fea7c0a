#include "git_priv.h"

#include "cleanup.h"
#include "git_files.h"

#include <string.h>

/* What a walk over the tree has found. */
struct found {
    struct gp_arena *mem;
    const char *prefix; /* "clusters/west/" or "" */
    struct gp_git_file {
        const char *path; /* below the repository's root */
        git_oid id;
        git_filemode_t mode;
    } * files;
    size_t count;
};

static int add_entry(const char *root, const git_tree_entry *entry, void *data)
{
    struct found *found = data;
    const char *name = git_tree_entry_name(entry);
    git_filemode_t mode = git_tree_entry_filemode(entry);
    struct gp_git_file *file;

    if (gp_declaration_hidden(name))
        return 1; /* and nothing below it */
    if (mode == GIT_FILEMODE_TREE || (mode != GIT_FILEMODE_COMMIT && !gp_declaration_name(name)))
        return 0;
    file = gp_push(found->mem, found->files, found->count);
    file->path = gp_printf(found->mem, "%s%s%s", found->prefix, root, name);
    git_oid_cpy(&file->id, git_tree_entry_id(entry));
    file->mode = mode;
    return 0;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct gp_git_file *)a)->path, ((const struct gp_git_file *)b)->path);
}

/* What stands where @path should, for whoever mistyped it. */
static const char *nearest_path(git_repository *repo, const git_tree *root, const char *path,
                                struct gp_arena *mem)
{
    gp_cleanup(gp_git_object_p) git_object *object = NULL;
    gp_cleanup(gp_git_tree_p) git_tree *tree = NULL;
    const char *parent = path, *slash = strrchr(path, '/'), **names = NULL, *near;
    size_t count = 0;

    if (slash) {
        parent = gp_strndup(mem, path, (size_t)(slash - path));
        if (git_object_lookup_bypath(&object, (const git_object *)root, parent, GIT_OBJECT_TREE) <
                0 ||
            git_tree_lookup(&tree, repo, git_object_id(object)) < 0)
            return nearest_path(repo, root, parent, mem);
    }
    for (size_t i = 0; i < git_tree_entrycount(tree ? tree : root); i++) {
        const git_tree_entry *entry = git_tree_entry_byindex(tree ? tree : root, i);

        if (git_tree_entry_type(entry) == GIT_OBJECT_TREE)
            *gp_push(mem, names, count) = gp_strdup(mem, git_tree_entry_name(entry));
    }
    *gp_push(mem, names, count) = NULL;
    near = gp_nearest(slash ? slash + 1 : path, names);
    if (!near)
        return "";
    return slash ? gp_printf(mem, "; there is '%s/%s'", parent, near)
                 : gp_printf(mem, "; there is '%s'", near);
}

static struct gp_error *find(git_repository *repo, const git_tree *root, const char *commit,
                             const char *path, struct found *found)
{
    gp_cleanup(gp_git_tree_p) git_tree *tree = NULL;
    git_tree_entry *entry = NULL;
    int rc = 0;

    if (!*path) {
        rc = git_tree_walk(root, GIT_TREEWALK_PRE, add_entry, found);
    } else {
        rc = git_tree_entry_bypath(&entry, root, path);
        if (rc == GIT_ENOTFOUND)
            return gp_error_new(GP_E_INVALID, "commit %.7s has no '%s'%s", commit, path,
                                nearest_path(repo, root, path, found->mem));
        if (rc == 0 && git_tree_entry_type(entry) == GIT_OBJECT_TREE) {
            found->prefix = gp_printf(found->mem, "%s/", path);
            rc = git_tree_lookup(&tree, repo, git_tree_entry_id(entry));
            if (rc == 0)
                rc = git_tree_walk(tree, GIT_TREEWALK_PRE, add_entry, found);
        } else if (rc == 0) {
            /* A file by name is taken whatever it is called. */
            struct gp_git_file *file = gp_push(found->mem, found->files, found->count);

            file->path = gp_strdup(found->mem, path);
            git_oid_cpy(&file->id, git_tree_entry_id(entry));
            file->mode = git_tree_entry_filemode(entry);
        }
        git_tree_entry_free(entry);
    }
    if (rc < 0)
        return gp_git_fail(GP_E_IO, "the tree of commit %.7s cannot be read", commit);
    if (found->count)
        qsort(found->files, found->count, sizeof *found->files, by_path);
    return NULL;
}

static void blob_p(git_blob **blob)
{
    git_blob_free(*blob);
}

static struct gp_error *load_blob(git_repository *repo, const char *name,
                                  const struct gp_git_file *file, struct gp_file_budget *budget,
                                  struct gp_load *load)
{
    gp_cleanup(blob_p) git_blob *blob = NULL;
    git_odb *odb;
    git_object_t type;
    size_t size;
    struct gp_error *err;
    int rc;

    if (git_repository_odb(&odb, repo) < 0)
        return gp_git_fail(GP_E_IO, "%s cannot be read", name);
    /* The size stands before the content: one that is too large is never unpacked. */
    rc = git_odb_read_header(&size, &type, odb, &file->id);
    git_odb_free(odb);
    if (rc < 0)
        return gp_git_fail(GP_E_IO, "%s cannot be read", name);
    err = gp_file_budget_take(budget, name, size);
    if (err)
        return err;
    if (git_blob_lookup(&blob, repo, &file->id) < 0)
        return gp_git_fail(GP_E_IO, "%s cannot be read", name);
    size = (size_t)git_blob_rawsize(blob);
    gp_load_file(load, name, gp_strndup_bytes(load->mem, git_blob_rawcontent(blob), size), size);
    return NULL;
}

static struct gp_error *load_tree(git_repository *repo, const git_tree *root, const char *commit,
                                  const char *path, struct gp_load *load)
{
    struct found found = {.mem = load->mem, .prefix = ""};
    struct gp_file_budget budget = {0};
    struct gp_error *err = find(repo, root, commit, path, &found);

    for (size_t i = 0; !err && i < found.count; i++) {
        const struct gp_git_file *file = &found.files[i];
        const char *name = gp_printf(load->mem, "%.7s:%s", commit, file->path);

        if (file->mode == GIT_FILEMODE_COMMIT)
            gp_file_not_read(load, name, "a submodule: what is in it is not read",
                             GP_LEVEL_WARNING);
        else if (file->mode == GIT_FILEMODE_LINK)
            gp_file_not_read(load, name, "a symbolic link: put the file itself there",
                             GP_LEVEL_ERROR);
        else
            err = load_blob(repo, name, file, &budget, load);
    }
    return err;
}

struct gp_error *gp_git_load(const char *dir, const char *commit, const char *path,
                             struct gp_load *load)
{
    GP_GIT_SCOPE;
    gp_cleanup(gp_git_repository_p) git_repository *repo = NULL;
    gp_cleanup(gp_git_commit_p) git_commit *object = NULL;
    gp_cleanup(gp_git_tree_p) git_tree *root = NULL;
    char *trimmed = gp_strdup(load->mem, path ? path : "");
    size_t size;
    git_oid oid;

    trimmed += strspn(trimmed, "/");
    size = strlen(trimmed);
    while (size && trimmed[size - 1] == '/')
        trimmed[--size] = '\0';
    if (git_repository_open_bare(&repo, dir) < 0)
        return gp_git_fail(GP_E_IO, "the repository %s could not be opened", dir);
    if (git_oid_fromstr(&oid, commit) < 0)
        return gp_error_new(GP_E_INVALID, "'%s' is no full commit id (40 hex digits)", commit);
    if (git_commit_lookup(&object, repo, &oid) < 0 || git_commit_tree(&root, object) < 0)
        return gp_git_fail(GP_E_IO, "commit %.7s cannot be read", commit);
    load->declaration.commit = gp_strdup(load->mem, commit);
    return load_tree(repo, root, commit, trimmed, load);
}
