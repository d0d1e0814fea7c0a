/* Law: one step at a time leads where openat2(RESOLVE_IN_ROOT) leads in one, or fails as it does. */
#include "walk.h"
#include "tree.h"

#include "text.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct tree tree;

static void open_tree(void)
{
    static const char *const links[][2] = {
        {"up", "../sys/a"},       {"sys/out", "../../../../etc/passwd"}, {"sys/root", "/"},      {"sys/absolute", "/sys/a"},
        {"sys/self", "self"},     {"sys/deep/back", "../a"},             {"sys/gone", "nobody"}, {"sys/folder", "deep"},
        {"sys/slash", "a/"},      {"sys/chain", "absolute"},             {"sys/dots", "./././deep/../a"},
        {"sys/empty-ish", "deep/./"}, {"sys/mounted", "/dev/null"},
    };

    tree_open(&tree);
    tree_file(&tree, "sys/a", "a\n");
    tree_file(&tree, "sys/deep/b", "b\n");
    tree_file(&tree, "etc/passwd", "inside\n");
    for (size_t i = 0; i < sizeof links / sizeof *links; i++)
        cr_assert_eq(symlinkat(links[i][1], tree.host.root_fd, links[i][0]), 0, "%s", links[i][0]);
}

static void close_tree(void)
{
    tree_close(&tree);
}

TestSuite(walk, .init = open_tree, .fini = close_tree);

static int by_kernel(const char *path, int flags)
{
    struct open_how how = {.flags = (unsigned)(flags | O_CLOEXEC), .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    int fd;

    do
        fd = (int)syscall(SYS_openat2, tree.host.root_fd, path, &how, sizeof how);
    while (fd < 0 && errno == EAGAIN);
    return fd;
}

static void compare(const char *path, int flags)
{
    struct stat theirs = {0}, ours = {0};
    const int kernel = by_kernel(path, flags), kernel_errno = errno;
    const int walked = gp_walk_open(tree.host.root_fd, path, flags, false), walked_errno = errno;

    cr_assert_eq(kernel < 0, walked < 0, "'%s' with %#x: kernel %s, walk %s", path, flags, kernel < 0 ? strerror(kernel_errno) : "goes",
                 walked < 0 ? strerror(walked_errno) : "goes");
    if (kernel < 0) {
        cr_assert_eq(kernel_errno, walked_errno, "'%s' with %#x: kernel %s, walk %s", path, flags, strerror(kernel_errno),
                     strerror(walked_errno));
        return;
    }
    cr_assert_eq(fstat(kernel, &theirs), 0);
    cr_assert_eq(fstat(walked, &ours), 0);
    cr_assert(theirs.st_ino == ours.st_ino && theirs.st_dev == ours.st_dev && theirs.st_mode == ours.st_mode, "'%s' with %#x", path,
              flags);
    cr_assert_eq(fcntl(kernel, F_GETFL) & ~O_NOFOLLOW, fcntl(walked, F_GETFL) & ~O_NOFOLLOW, "'%s' with %#x", path, flags);
    (void)close(kernel);
    (void)close(walked);
}

Test(walk, is_the_kernels)
{
    static const char *const paths[] = {
        "",           "/",           ".",           "..",          "../..",         "sys",          "sys/",       "/sys/a",
        "sys//a",     "sys/./a",     "sys/../up",   "up",          "up/",           "up/x",         "sys/a/",     "sys/a/x",
        "sys/a/..",   "sys/out",     "sys/root",    "sys/root/up", "sys/absolute",  "sys/self",     "sys/self/x", "sys/deep/back",
        "sys/gone",   "sys/gone/",   "sys/gone/x",  "nobody",      "nobody/x",      "sys/folder",   "sys/folder/", "sys/folder/b",
        "sys/folder/../a", "sys/slash", "sys/chain", "sys/dots",   "sys/empty-ish", "sys/mounted",  "sys/deep/.", "sys/deep/..",
        "sys/deep/../../../../etc/passwd", "../../../../etc/passwd",
    };
    static const int flags[] = {O_RDONLY, O_PATH, O_RDONLY | O_DIRECTORY, O_PATH | O_DIRECTORY, O_PATH | O_NOFOLLOW, O_WRONLY};

    for (size_t p = 0; p < sizeof paths / sizeof *paths; p++)
        for (size_t f = 0; f < sizeof flags / sizeof *flags; f++)
            compare(paths[p], flags[f]);
}

/* As deep as it may be, in a name as long as one may be. */
Test(walk, has_limits)
{
    char path[2 * 70 + 1] = "", name[NAME_MAX + 2];

    for (int i = 0; i < 70; i++) {
        (void)strcat(path, i ? "/d" : "d");
        cr_assert_eq(mkdirat(tree.host.root_fd, path, 0755), 0);
    }
    cr_assert_eq(gp_walk_open(tree.host.root_fd, path, O_PATH, false), -1);
    cr_assert_eq(errno, ENAMETOOLONG);
    (void)memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    compare(name, O_PATH);
    name[NAME_MAX] = '\0';
    compare(name, O_PATH);
}

/* Descriptors: as many are open as before. */
Test(walk, leaves_nothing_open)
{
    const int before = gp_walk_open(tree.host.root_fd, "sys/deep/b", O_RDONLY, false);
    int after;

    cr_assert_geq(before, 0);
    (void)close(before);
    cr_assert_eq(gp_walk_open(tree.host.root_fd, "sys/self", O_RDONLY, false), -1);
    cr_assert_eq(gp_walk_open(tree.host.root_fd, "sys/gone/x", O_RDONLY, false), -1);
    cr_assert_eq(gp_walk_open(tree.host.root_fd, "sys/deep/b/x", O_RDONLY, false), -1);
    after = gp_walk_open(tree.host.root_fd, "sys/deep/../deep/b", O_RDONLY, false);
    cr_assert_eq(before, after);
}
