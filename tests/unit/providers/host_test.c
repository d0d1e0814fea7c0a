#include "clock.h"
#include "rows.h"
#include "tree.h"
#include "worker.h"

#include "cleanup.h"
#include "text.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct tree tree;

static void open_tree(void)
{
    tree_open(&tree);
}

static void close_tree(void)
{
    tree_close(&tree);
}

TestSuite(host, .init = open_tree, .fini = close_tree);

Test(host, read_takes_off_one_newline)
{
    const char *text;

    tree_file(&tree, "sys/a", "two\nlines\n\n");
    tree_ok(gp_host_read(&tree.host, tree.mem, "sys/a", &text));
    cr_assert(eq(str, (char *)text, "two\nlines\n"));
    cr_assert(eq(int, tree_code(gp_host_read(&tree.host, tree.mem, "sys/b", &text)), GP_E_GONE));
}

/* A thread for each of the hundred thousand reads of a fleet's captures is what its report would wait for. */
Test(host, a_capture_in_plain_files_is_read_without_a_thread)
{
    char root[] = "/dev/shm/gp-host-XXXXXX";
    gp_cleanup(gp_host_close) struct gp_host host = {.root_fd = -1};
    const char *text;
    char *path;
    FILE *file;

    cr_assert(ne(ptr, mkdtemp(root), NULL));
    path = gp_printf(tree.mem, "%s/a", root);
    file = fopen(path, "we");
    cr_assert(ne(ptr, file, NULL));
    for (int i = 0; i < 3000; i++)
        (void)fputs("abc\n", file);
    (void)fclose(file);
    tree_ok(gp_host_open(root, false, &host));
    tree_ok(gp_host_read(&host, tree.mem, "a", &text));
    cr_expect(eq(sz, strlen(text), 11999));
    cr_expect(eq(ptr, host.worker, NULL));
    cr_expect(eq(int, tree_code(gp_host_read(&host, tree.mem, "b", &text)), GP_E_GONE));
    cr_expect(zero(int, unlink(path)));
    cr_expect(zero(int, rmdir(root)));
}

static const struct {
    const char *text;
    bool good;
    uint64_t value;
} texts[] = {
    {"16\n", true, 16},
    {"0x030200\n", true, 0x30200},
    {"0\n", true, 0},
    {"18446744073709551615\n", true, UINT64_MAX},
    {"18446744073709551616\n", false, 0},
    {"-1\n", false, 0},
    {"\n", false, 0},
    {"", false, 0},
    {"16 \n", false, 0},
    {"(null)\n", false, 0},
};

GP_ROWS(host_number, numbers_are_numbers, texts)
{
    uint64_t value = 0;
    struct gp_error *err;

    open_tree();
    tree_file(&tree, "sys/n", texts[*i].text);
    err = gp_host_read_u64(&tree.host, "sys/n", &value);
    cr_assert(eq(int, err == NULL, texts[*i].good), "%s", texts[*i].text);
    if (!err)
        cr_assert(eq(u64, value, texts[*i].value));
    gp_error_free(err);
    close_tree();
}

Test(host, links_lead_nowhere_outside)
{
    const char *text;

    tree_link(&tree, "sys/out", "/etc/hostname");
    tree_link(&tree, "sys/up", "../../../../../../../../etc/passwd");
    tree_file(&tree, "etc/hostname", "inside\n");
    tree_ok(gp_host_read(&tree.host, tree.mem, "sys/out", &text));
    cr_assert(eq(str, (char *)text, "inside"));
    cr_assert(eq(int, tree_code(gp_host_read(&tree.host, tree.mem, "sys/up", &text)), GP_E_GONE));
    cr_assert(not(gp_host_exists(&tree.host, "sys/up")));
}

Test(host, nothing_is_written_where_nothing_may_be_changed)
{
    const char *const argv[] = {"/bin/true", NULL};

    tree_file(&tree, "sys/a", "1\n");
    tree.host.may_change = false;
    cr_assert(eq(int, tree_code(gp_host_write(&tree.host, "sys/a", "0")), GP_E_REFUSED));
    cr_assert(eq(int, tree_code(gp_host_run(&tree.host, argv, 1000)), GP_E_REFUSED));
    cr_assert(eq(str, (char *)tree_text(&tree, "sys/a"), "1\n"));
    tree.host.may_change = true;
    tree_ok(gp_host_write(&tree.host, "sys/a", "0"));
    cr_assert(eq(str, (char *)tree_text(&tree, "sys/a"), "0\n"));
    cr_assert(eq(int, tree_code(gp_host_write(&tree.host, "sys/none", "0")), GP_E_GONE));
}

Test(host, lists_count_as_people_do)
{
    struct gp_strings names;

    tree_dir(&tree, "sys/d/virtfn10");
    tree_dir(&tree, "sys/d/virtfn2");
    tree_dir(&tree, "sys/d/virtfn1");
    tree_ok(gp_host_list(&tree.host, tree.mem, "sys/d", &names));
    cr_assert(eq(sz, names.count, 3));
    cr_assert(eq(str, (char *)names.items[1], "virtfn2"));
    tree_ok(gp_host_list(&tree.host, tree.mem, "sys/none", &names));
    cr_assert(eq(sz, names.count, 0));
}

Test(host, a_group_without_node_is_not_held)
{
    const char *holder;

    tree_file(&tree, "dev/vfio/90", "");
    tree_dir(&tree, "dev/vfio/91");
    cr_assert(eq(int, gp_host_held(&tree.host, tree.mem, -1, &holder), GP_HELD_NO));
    cr_assert(eq(int, gp_host_held(&tree.host, tree.mem, 89, &holder), GP_HELD_NO));
    cr_assert(eq(int, gp_host_held(&tree.host, tree.mem, 90, &holder), GP_HELD_NO));
    cr_assert(eq(int, gp_host_held(&tree.host, tree.mem, 91, &holder), GP_HELD_UNKNOWN));
}

/* ---- tools ---- */

static struct gp_error *run_shell(const char *script, uint32_t timeout_ms)
{
    const char *const argv[] = {"/bin/sh", "-c", script, NULL};
    struct gp_host host;
    struct gp_error *err;

    tree_ok(gp_host_open("/", true, &host));
    err = gp_host_run(&host, argv, timeout_ms);
    gp_host_close(&host);
    return err;
}

static const struct {
    const char *script;
    uint32_t timeout_ms;
    enum gp_errc code;
    const char *told;
} tools[] = {
    {"exit 0", 10000, GP_E_COUNT, NULL},
    {"echo one; echo two; echo three; echo four >&2; exit 3", 10000, GP_E_IO, "two three four"},
    {"exit 1", 10000, GP_E_IO, "it said nothing"},
    {"kill -9 $$", 10000, GP_E_IO, "signal 9"},
    {"echo begun; sleep 30", 300, GP_E_TIMEOUT, "begun"},
    /* A child that keeps the output open is not waited for. */
    {"sleep 30 & exit 0", 5000, GP_E_COUNT, NULL},
    {"i=0; while [ $i -lt 4000 ]; do echo line $i; i=$((i+1)); done; exit 1", 10000, GP_E_IO, "line 3999"},
    {"test -z \"$HOME\" && test \"$LC_ALL\" = C.UTF-8", 10000, GP_E_COUNT, NULL},
};

GP_ROWS(tool, ends_and_tells, tools)
{
    struct gp_error *err = run_shell(tools[*i].script, tools[*i].timeout_ms);

    cr_assert(eq(int, err ? err->code : GP_E_COUNT, tools[*i].code), "%s: %s", tools[*i].script,
              err ? err->message : "no error");
    if (tools[*i].told)
        cr_assert(ne(ptr, strstr(err->message, tools[*i].told), NULL), "%s", err->message);
    gp_error_free(err);
}

Test(host, nothing_below_a_root_is_run)
{
    const char *const argv[] = {"/bin/true", NULL}, *const relative[] = {"bin/true", NULL};

    (void)unsetenv("GPUPART_SIMULATED_TOOLS");
    cr_assert(eq(int, tree_code(gp_host_run(&tree.host, argv, 1000)), GP_E_REFUSED));
    (void)setenv("GPUPART_SIMULATED_TOOLS", "1", 1);
    cr_assert(eq(int, tree_code(gp_host_run(&tree.host, relative, 1000)), GP_E_CONFIG));
    tree_ok(gp_host_run(&tree.host, argv, 10000));
}

/* ---- what does not come back ---- */

static atomic_int done, dropped;

static void do_nothing(void *job)
{
    (void)job;
    done++;
}

static void sleep_long(void *job)
{
    gp_sleep_ms(*(uint32_t *)job);
    done++;
}

static void drop(void *job)
{
    (void)job;
    dropped++;
}

Test(worker, a_call_that_hangs_costs_one_worker)
{
    struct gp_worker *worker = NULL;
    uint32_t long_ms = 400;
    uint64_t start = gp_monotonic_ms();

    cr_assert(gp_worker_run(&worker, do_nothing, drop, NULL, 5000));
    cr_assert(not(gp_worker_run(&worker, sleep_long, drop, &long_ms, 50)));
    cr_assert(gp_monotonic_ms() - start < 390, "the caller waited for it");
    cr_assert(gp_worker_run(&worker, do_nothing, drop, NULL, 5000));
    cr_assert(eq(int, dropped, 0));
    gp_worker_free(worker);
    while (!dropped && gp_monotonic_ms() < start + 10000)
        gp_sleep_ms(10);
    cr_assert(eq(int, dropped, 1), "what it had is dropped when it comes back after all");
    cr_assert(eq(int, done, 3));
}
