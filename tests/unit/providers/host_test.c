#include "clock.h"
#include "rows.h"
#include "tree.h"
#include "worker.h"

#include "cleanup.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
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
    {"echo begun; sleep 30", 3000, GP_E_TIMEOUT, "begun"},
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

/* Whoever opens a pipe waits for its other end: as good as a device's lock that nobody lets go of. */
static char *a_pipe(void)
{
    char *path = gp_printf(tree.mem, "%s/pipe", tree.root);

    cr_assert(zero(int, mkfifo(path, 0600)));
    return path;
}

static struct gp_io read_of(const char *path)
{
    static char room[4096];

    return (struct gp_io){.root_fd = tree.host.root_fd, .path = path, .room = room, .max = sizeof room};
}

/* How many children this thread has; @ret_last: one of them. */
static int children(pid_t *ret_last)
{
    const char *path = gp_printf(tree.mem, "/proc/self/task/%d/children", (int)gettid());
    FILE *in = fopen(path, "re");
    int count = 0;

    cr_assert(ne(ptr, in, NULL));
    while (fscanf(in, "%d", ret_last) == 1)
        count++;
    (void)fclose(in);
    return count;
}

static pid_t only_child(void)
{
    pid_t pid = 0;

    cr_assert(eq(int, children(&pid), 1));
    return pid;
}

static bool gone_soon(pid_t pid)
{
    const uint64_t deadline_ms = gp_monotonic_ms() + 10000;

    while (kill(pid, 0) == 0 && gp_monotonic_ms() < deadline_ms) {
        (void)waitpid(pid, NULL, WNOHANG);
        gp_sleep_ms(10);
    }
    return kill(pid, 0) < 0;
}

TestSuite(worker, .init = open_tree, .fini = close_tree);

Test(worker, a_read_that_hangs_costs_one_reader)
{
    struct gp_worker *worker = NULL;
    struct gp_io hangs = read_of(a_pipe()), good;
    const uint64_t start = gp_monotonic_ms();
    struct gp_worker *first;

    tree_file(&tree, "sys/a", "abc\n");
    good = read_of("sys/a");
    cr_assert(gp_worker_read(&worker, &good, 5000));
    first = worker;
    cr_assert(gp_worker_read(&worker, &good, 5000));
    cr_expect(eq(ptr, worker, first), "one reader serves many reads");
    (void)only_child();
    cr_assert(not(gp_worker_read(&worker, &hangs, 50)));
    cr_expect(lt(u64, gp_monotonic_ms() - start, 5000), "the caller waited for it");
    cr_expect(eq(ptr, worker, NULL));
    cr_assert(gp_worker_read(&worker, &good, 5000));
    cr_expect(eq(int, good.errnum, 0));
    cr_expect(eq(sz, good.size, 4));
    cr_expect(zero(int, memcmp(good.room, "abc\n", 4)));
    gp_worker_free(worker);
}

Test(worker, a_reader_that_is_killed_is_replaced)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    const char *text;

    tree_file(&tree, "sys/a", "abc\n");
    tree.host.plain = false;
    tree_ok(gp_host_read(&tree.host, mem, "sys/a", &text));
    cr_assert(zero(int, kill(only_child(), SIGKILL)));
    tree_ok(gp_host_read(&tree.host, mem, "sys/a", &text));
    cr_expect(eq(str, (char *)text, "abc"));
}

/* The process may be killed at any time: its reader must not stay, whoever else has the socket. */
Test(worker, a_reader_ends_with_its_process)
{
    int ends[2];
    pid_t pass, pids[2] = {0}; /* the reader, and another child */

    tree_file(&tree, "sys/a", "abc\n");
    cr_assert(zero(int, pipe(ends)));
    pass = fork();
    if (pass == 0) {
        struct gp_worker *worker = NULL;
        struct gp_io good = read_of("sys/a");

        (void)gp_worker_read(&worker, &good, 10000);
        pids[0] = only_child();
        pids[1] = fork(); /* it has all that its parent has, the reader's socket too */
        if (pids[1] > 0)
            (void)!write(ends[1], pids, sizeof pids);
        (void)pause();
        _exit(0);
    }
    cr_assert(eq(sz, (size_t)read(ends[0], pids, sizeof pids), sizeof pids));
    cr_assert(zero(int, kill(pids[0], 0)));
    cr_assert(zero(int, kill(pass, SIGKILL)));
    cr_assert(eq(int, waitpid(pass, NULL, 0), pass));
    cr_expect(gone_soon(pids[0]));
    cr_expect(zero(int, kill(pids[1], SIGKILL)));
}

static void *write_that_hangs(void *io)
{
    pid_t left = 0;

    return gp_worker_write(io, 200, &left) ? io : NULL;
}

/* Else a group that was looked at while a slow write began would be held, by nobody's guest, for as long as that takes. */
Test(worker, no_writer_has_what_was_open_while_it_was_held_back)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET}, seen = lock;
    struct gp_io hangs = read_of(a_pipe());
    const char *path;
    pthread_t thread;
    void *written;
    int mine, other;

    tree_file(&tree, "group", "");
    path = gp_printf(tree.mem, "%s/group", tree.root);
    hangs.text = "4";
    gp_worker_hold_back();
    mine = open(path, O_RDWR | O_CLOEXEC);
    other = open(path, O_RDWR | O_CLOEXEC);
    cr_assert(zero(int, fcntl(mine, F_OFD_SETLK, &lock)));
    cr_assert(zero(int, pthread_create(&thread, NULL, write_that_hangs, &hangs)));
    gp_sleep_ms(100); /* until it would begin */
    (void)close(mine);
    gp_worker_go_on();
    cr_assert(zero(int, pthread_join(thread, &written)));
    cr_assert(zero(ptr, written), "the write did not hang");
    cr_assert(zero(int, fcntl(other, F_OFD_GETLK, &seen)));
    cr_expect(eq(int, seen.l_type, F_UNLCK), "the writer has it open");
}

/* What was not written in time may still be: until it is, nobody else gets what the writer had locked. */
Test(worker, a_write_that_hangs_keeps_the_locks_and_no_pipe)
{
    const char *pipe_path = a_pipe(), *lock_path;
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET}, seen = lock;
    struct gp_io hangs = read_of(pipe_path);
    const uint64_t deadline_ms = gp_monotonic_ms() + 20000;
    struct pollfd poller = {.events = POLLIN};
    int mine, other, in, ends[2];
    char got[8] = "";
    pid_t left = 0;

    tree_file(&tree, "lock", "");
    lock_path = gp_printf(tree.mem, "%s/lock", tree.root);
    mine = open(lock_path, O_RDWR | O_CLOEXEC);
    other = open(lock_path, O_RDWR | O_CLOEXEC);
    cr_assert(zero(int, fcntl(mine, F_OFD_SETLK, &lock)));
    cr_assert(zero(int, pipe2(ends, O_CLOEXEC)));
    hangs.text = "4";
    cr_assert(not(gp_worker_write(&hangs, 200, &left)));
    cr_assert(zero(int, waitpid(left, NULL, WNOHANG)), "it is told which process it is");
    (void)close(mine);
    (void)close(ends[1]);
    cr_assert(zero(int, fcntl(other, F_OFD_GETLK, &seen)));
    cr_expect(ne(int, seen.l_type, F_UNLCK), "the lock went although the write may yet happen");
    poller.fd = ends[0];
    cr_expect(eq(int, poll(&poller, 1, 10000), 1), "the pipe has a writer still");
    in = open(pipe_path, O_RDONLY | O_CLOEXEC);
    cr_expect(eq(sz, (size_t)read(in, got, sizeof got), 1));
    cr_expect(eq(str, got, "4"));
    do {
        seen = lock;
        cr_assert(zero(int, fcntl(other, F_OFD_GETLK, &seen)));
        gp_sleep_ms(10);
    } while (seen.l_type != F_UNLCK && gp_monotonic_ms() < deadline_ms);
    cr_expect(eq(int, seen.l_type, F_UNLCK), "the lock outlives the write");
}

Test(worker, a_write_tells_its_error)
{
    struct gp_io io = read_of("sys/none");

    pid_t none = 0, left = 0;

    io.text = "1";
    cr_assert(gp_worker_write(&io, 10000, &left));
    cr_expect(eq(int, io.errnum, ENOENT));
    cr_expect(eq(int, children(&none), 0), "what wrote has ended");
}
