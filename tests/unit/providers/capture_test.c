/* What is saved of a host, on hosts that are odd. */
#include "rows.h"
#include "tree.h"

#include "capture.h"
#include "discover.h"
#include "cleanup.h"
#include "text.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct tree tree, copy;
static int copy_fd;
static struct gp_capture *capture;

static void begin(void)
{
    tree_open(&tree);
    tree_open(&copy);
    copy_fd = open(copy.root, O_RDONLY | O_DIRECTORY);
    cr_assert(ge(int, copy_fd, 0));
    capture = gp_capture_new(&tree.host, copy_fd);
}

static void end(void)
{
    gp_capture_free(capture);
    (void)close(copy_fd);
    tree_close(&copy);
    tree_close(&tree);
}

TestSuite(capture, .init = begin, .fini = end);

static const char *link_of(const char *path)
{
    static char target[256];
    ssize_t size = readlinkat(copy_fd, path, target, sizeof target - 1);

    target[size < 0 ? 0 : size] = '\0';
    return target;
}

static bool is_there(const char *path)
{
    return faccessat(copy_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

Test(capture, a_host_reads_the_same)
{
    struct gp_gpu *before, *after;
    size_t before_count, after_count;

    tree_a2(&tree, 4);
    tree_ok(gp_discover(&tree.host, tree.mem, &before, &before_count));
    gp_capture_rest(capture);
    tree_ok(gp_capture_error(capture));
    tree_ok(gp_discover(&copy.host, copy.mem, &after, &after_count));
    cr_assert(eq(sz, after_count, before_count));
    cr_assert(eq(sz, after_count, 1));
    cr_assert(eq(str, (char *)after->id, (char *)before->id));
    cr_assert(eq(str, (char *)after->path, (char *)before->path));
    cr_assert(eq(u32, after->vf_count, before->vf_count));
    cr_assert(eq(u32, after->vf_count, 4));
    cr_assert(eq(i32, after->group, before->group));
    cr_assert(eq(str, (char *)after->driver, (char *)before->driver));
}

Test(capture, names_come_along)
{
    struct gp_gpu *gpus;
    size_t count;

    tree_a2(&tree, 4);
    tree_file(&tree, "usr/share/misc/pci.ids", "10de  Nvidea\n\t25b6  A card of another name\n");
    tree_ok(gp_discover(&tree.host, tree.mem, &gpus, &count));
    gp_capture_rest(capture);
    tree_ok(gp_capture_error(capture));
    tree_ok(gp_discover(&copy.host, copy.mem, &gpus, &count));
    /* The catalogue knows it: whoever does not print names is spared the list. */
    cr_assert(eq(ptr, (char *)gpus->name, NULL));
    cr_assert(eq(ptr, copy.host.names, NULL));
    copy.host.all_names = true;
    tree_ok(gp_discover(&copy.host, copy.mem, &gpus, &count));
    cr_assert(eq(sz, count, 1));
    cr_assert(eq(str, (char *)gpus->name, "Nvidea A card of another name"));
}

Test(capture, bytes_are_kept_as_they_are)
{
    const char *text;

    tree_file(&tree, "sys/a", "two\nlines\n\n");
    tree_file(&tree, "sys/empty", "");
    tree_ok(gp_host_read(&tree.host, tree.mem, "sys/a", &text));
    tree_ok(gp_host_read(&tree.host, tree.mem, "sys/empty", &text));
    cr_assert(eq(str, (char *)tree_text(&copy, "sys/a"), "two\nlines\n\n"));
    cr_assert(eq(str, (char *)tree_text(&copy, "sys/empty"), ""));
    cr_assert(eq(sz, gp_capture_files(capture), 2));
}

Test(capture, links_stay_links)
{
    const char *text;

    tree_file(&tree, "sys/devices/pci/dev/class", "0x030200\n");
    tree_link(&tree, "sys/bus/dev", "../devices/pci/dev");
    tree_link(&tree, "sys/bus/alias", "dev");
    tree_ok(gp_host_read(&tree.host, tree.mem, "sys/bus/alias/class", &text));
    cr_assert(eq(str, (char *)link_of("sys/bus/alias"), "dev"));
    cr_assert(eq(str, (char *)link_of("sys/bus/dev"), "../devices/pci/dev"));
    cr_assert(eq(str, (char *)tree_text(&copy, "sys/bus/alias/class"), "0x030200\n"));
}

Test(capture, a_link_to_the_root_stays_in_the_capture)
{
    const char *text, *target;

    tree_file(&tree, "sys/devices/a", "1\n");
    tree_link(&tree, "sys/bus/far", "/sys/devices");
    tree_link(&tree, "sys/bus/out", "../../../../../../etc");
    tree_file(&tree, "etc/passwd", "root\n");
    tree_ok(gp_host_read(&tree.host, tree.mem, "sys/bus/far/a", &text));
    cr_assert(eq(str, (char *)link_of("sys/bus/far"), "../../sys/devices"));
    cr_assert(eq(str, (char *)tree_text(&copy, "sys/bus/far/a"), "1\n"));
    /* As the kernel has it, the root has no parent; and a capture writes nothing past its own. */
    tree_ok(gp_host_read(&tree.host, tree.mem, "sys/bus/out/passwd", &text));
    cr_assert(eq(str, (char *)tree_text(&copy, "etc/passwd"), "root\n"));
    tree_ok(gp_host_readlink(&tree.host, tree.mem, "sys/bus/out", &target));
    tree_ok(gp_capture_error(capture));
}

Test(capture, what_is_in_the_way_is_not_followed)
{
    const char *text;

    /* Somebody puts a link to elsewhere into the directory while it is written. */
    tree_link(&copy, "sys/other", "/tmp");
    tree_file(&tree, "sys/other/gpupart-must-not-be-here", "1\n");
    tree_ok(gp_host_read(&tree.host, tree.mem, "sys/other/gpupart-must-not-be-here", &text));
    cr_assert(ne(int, tree_code(gp_capture_error(capture)), GP_E_COUNT));
    cr_assert(access("/tmp/gpupart-must-not-be-here", F_OK) != 0);
}

Test(capture, a_ring_of_links_ends)
{
    const char *text;

    tree_link(&tree, "sys/a", "b");
    tree_link(&tree, "sys/b", "a");
    cr_assert(ne(int, tree_code(gp_host_read(&tree.host, tree.mem, "sys/a/x", &text)), GP_E_COUNT));
    cr_assert(zero(int, gp_host_exists(&tree.host, "sys/a")));
    tree_ok(gp_capture_error(capture));
}

Test(capture, lists_have_links_and_directories)
{
    struct gp_strings names;

    tree_link(&tree, "sys/d/link", "../elsewhere/name");
    tree_file(&tree, "sys/d/sub/x", "1\n");
    tree_file(&tree, "sys/d/file", "1\n");
    tree_ok(gp_host_list(&tree.host, tree.mem, "sys/d", &names));
    cr_assert(eq(str, (char *)link_of("sys/d/link"), "../elsewhere/name"));
    cr_assert(not(zero(int, is_there("sys/d/sub"))));
    cr_assert(zero(int, is_there("sys/d/sub/x")));
    cr_assert(zero(int, is_there("sys/d/file")));
}

Test(capture, what_cannot_be_read_is_told_once)
{
    struct gp_strings unreadable;
    const char *text;

    tree_dir(&tree, "sys/b/attribute");
    tree_dir(&tree, "sys/a/attribute");
    for (int round = 0; round < 2; round++) {
        cr_assert(ne(int, tree_code(gp_host_read(&tree.host, tree.mem, "sys/b/attribute", &text)), GP_E_COUNT));
        cr_assert(ne(int, tree_code(gp_host_read(&tree.host, tree.mem, "sys/a/attribute", &text)), GP_E_COUNT));
        cr_assert(ne(int, tree_code(gp_host_read(&tree.host, tree.mem, "sys/none", &text)), GP_E_COUNT));
    }
    gp_capture_unreadable(capture, tree.mem, &unreadable);
    cr_assert(eq(sz, unreadable.count, 2));
    cr_assert(eq(str, (char *)unreadable.items[0], "sys/a/attribute: Is a directory"));
    cr_assert(eq(str, (char *)unreadable.items[1], "sys/b/attribute: Is a directory"));
}

Test(capture, processes_are_not_saved)
{
    const char *text;
    struct gp_strings names;

    tree_file(&tree, "proc/812/comm", "qemu\n");
    tree_file(&tree, "etc/shadow", "root:x\n");
    tree_file(&tree, "proc/cpuinfo", "processor\t: 0\nmodel name\t: Secret 9000\nflags\t\t: fpu hypervisor\nbugs\t\t:\n\n"
                                     "processor\t: 1\nflags\t\t: fpu\n");
    tree_ok(gp_host_read(&tree.host, tree.mem, "proc/812/comm", &text));
    tree_ok(gp_host_read(&tree.host, tree.mem, "etc/shadow", &text));
    tree_ok(gp_host_list(&tree.host, tree.mem, "proc", &names));
    tree_ok(gp_host_read(&tree.host, tree.mem, "proc/cpuinfo", &text));
    cr_assert(zero(int, is_there("proc/812")));
    cr_assert(zero(int, is_there("etc")));
    cr_assert(eq(str, (char *)tree_text(&copy, "proc/cpuinfo"), "processor\t: 0\nflags\t\t: fpu hypervisor\n"));
}

static const struct {
    const char *text; /* of the file that stands for the node; NULL: there is none */
    enum gp_held held;
    const char *holder;
} nodes[] = {
    {NULL, GP_HELD_NO, NULL},
    {"", GP_HELD_NO, NULL},
    {"held\n", GP_HELD_YES, NULL},
    {"held by pid 812 (qemu-system-x86)\n", GP_HELD_YES, "pid 812 (qemu-system-x86)"},
    {"unknown\n", GP_HELD_UNKNOWN, NULL},
    {"something else\n", GP_HELD_UNKNOWN, NULL},
};

GP_ROWS(capture_held, who_holds_a_device_is_kept, nodes)
{
    const char *holder = "?", *again = "?";

    begin();
    if (nodes[*i].text)
        tree_file(&tree, "dev/vfio/38", nodes[*i].text);
    cr_assert(eq(int, gp_host_held(&tree.host, tree.mem, 38, &holder), nodes[*i].held));
    cr_assert(gp_streq(holder, nodes[*i].holder));
    cr_assert(eq(int, gp_host_held(&copy.host, copy.mem, 38, &again), nodes[*i].held));
    cr_assert(gp_streq(again, nodes[*i].holder));
    cr_assert(eq(int, is_there("dev/vfio/38"), nodes[*i].text != NULL));
    end();
}
