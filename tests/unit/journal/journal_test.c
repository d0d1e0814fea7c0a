/* What goes over the journal's socket, and what happens where nobody takes it. */
#include "rows.h"

#include "cleanup.h"
#include "journal.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

static char folder[] = "/tmp/gpupart-journal-XXXXXX";
static char path[64];
static int receiver = -1;

static void begin(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    cr_assert(mkdtemp(folder) != NULL);
    (void)snprintf(path, sizeof path, "%s/socket", folder);
    receiver = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    memcpy(address.sun_path, path, strlen(path));
    cr_assert(bind(receiver, (struct sockaddr *)&address, sizeof address) == 0);
}

static void end(void)
{
    (void)close(receiver);
    (void)unlink(path);
    (void)rmdir(folder);
}

TestSuite(journal, .init = begin, .fini = end);

static uint64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Reads one datagram as journald does: "NAME=VALUE;" for each field, in order. */
static const char *received(struct gp_arena *mem)
{
    static char data[1 << 16];
    ssize_t size = recv(receiver, data, sizeof data, 0);
    struct gp_text text = {.mem = mem};

    cr_assert(size > 0, "nothing came");
    for (char *at = data, *stop = data + size; at < stop;) {
        char *line = memchr(at, '\n', (size_t)(stop - at)), *equals;

        cr_assert(line != NULL, "a field has no end");
        equals = memchr(at, '=', (size_t)(line - at));
        if (equals) {
            gp_text_addn(&text, at, (size_t)(line - at));
            at = line + 1;
        } else {
            uint64_t length = 0;

            for (int i = 7; i >= 0; i--)
                length = length << 8 | (unsigned char)line[1 + i];
            cr_assert(length < (uint64_t)(stop - line - 9), "a length that does not fit: %llu",
                      (unsigned long long)length);
            gp_text_addn(&text, at, (size_t)(line - at));
            gp_text_add(&text, "=");
            gp_text_addn(&text, line + 9, length);
            at = line + 9 + length;
            cr_assert(at[0] == '\n');
            at++;
        }
        gp_text_add(&text, ";");
    }
    return gp_text_get(&text);
}

Test(journal, every_field_is_sent_under_its_name)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    const struct gp_entry entry = {.event = GP_EVENT_DRIFT_FOUND,
                                   .priority = -1,
                                   .message = "4 partitions expected, 0 found",
                                   .cluster = "edge-west",
                                   .host = "kvm-a",
                                   .commit = "3f2c1ab",
                                   .plan = "9f31c2a4b7de",
                                   .rule = "GP-D801",
                                   .gpu = "slot3",
                                   .vm = "vdi-a-01",
                                   .partition = "slot3/2",
                                   .before = "4",
                                   .after = "0",
                                   .class = "gpu"};

    cr_assert(gp_journal_send(path, &entry));
    cr_assert(eq(
        str, (char *)received(mem),
        "MESSAGE=4 partitions expected, 0 found;"
        "MESSAGE_ID=c62a5b1dae724b38a344b1340207f8a4;PRIORITY=4;SYSLOG_IDENTIFIER=gpupart;"
        "GPUPART_EVENT=drift-found;GPUPART_CLUSTER=edge-west;GPUPART_HOST=kvm-a;"
        "GPUPART_COMMIT=3f2c1ab;GPUPART_PLAN=9f31c2a4b7de;GPUPART_RULE=GP-D801;GPUPART_GPU=slot3;"
        "GPUPART_VM=vdi-a-01;GPUPART_PARTITION=slot3/2;GPUPART_BEFORE=4;GPUPART_AFTER=0;"
        "GPUPART_CLASS=gpu;"));
}

Test(journal, what_is_not_given_is_not_sent)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    const struct gp_entry entry = {
        .event = GP_EVENT_PAUSED, .priority = 7, .message = "m", .vm = ""};

    cr_assert(gp_journal_send(path, &entry));
    cr_assert(eq(str, (char *)received(mem),
                 "MESSAGE=m;MESSAGE_ID=5d92625f66674aba9d6317baca7cbc0d;PRIORITY=7;SYSLOG_"
                 "IDENTIFIER=gpupart;"
                 "GPUPART_EVENT=paused;GPUPART_VM=;"));
}

/* A value may hold what looks like fields: it must stay one value. */
static const char *const values[] = {
    "a=b", "two\nlines", "\n", "x\nPRIORITY=0\n", "\xff\xfe", "ü", "ends in a newline\n"};
GP_ROWS(journal, any_bytes_stay_one_value, values)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    const struct gp_entry entry = {.event = GP_EVENT_APPLIED,
                                   .priority = -1,
                                   .message = "m",
                                   .before = values[*i],
                                   .after = "z"};

    cr_assert(gp_journal_send(path, &entry));
    cr_assert(
        eq(str, (char *)received(mem),
           gp_printf(
               mem,
               "MESSAGE=m;MESSAGE_ID=e64a3254de734b79b7b7d52972965f8f;PRIORITY=5;"
               "SYSLOG_IDENTIFIER=gpupart;GPUPART_EVENT=applied;GPUPART_BEFORE=%s;GPUPART_AFTER=z;",
               values[*i])));
}

Test(journal, no_socket_and_nobody_behind_it_are_told)
{
    const struct gp_entry entry = {.event = GP_EVENT_PLAN, .priority = -1, .message = "m"};

    (void)close(receiver);
    cr_assert(gp_journal_send(path, &entry) == false);
    cr_assert(eq(int, errno, ECONNREFUSED));
    cr_assert(unlink(path) == 0);
    cr_assert(gp_journal_send(path, &entry) == false);
    cr_assert(eq(int, errno, ENOENT));
}

Test(journal, a_journal_that_is_stopped_costs_a_second_and_only_once)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    const struct gp_entry entry = {.event = GP_EVENT_PLAN, .priority = -1, .message = "m"};
    uint64_t before = now_ms();
    unsigned taken = 0;

    while (taken < 100000 && gp_journal_send(path, &entry)) {
        taken++;
        before = now_ms();
    }
    cr_assert(eq(int, errno, ETIMEDOUT), "%u taken", taken);
    cr_assert(now_ms() - before >= 900 && now_ms() - before < 20000, "%d ms",
              (int)(now_ms() - before));
    before = now_ms();
    for (int i = 0; i < 20; i++)
        cr_assert(gp_journal_send(path, &entry) == false);
    cr_assert(now_ms() - before < 10000, "%d ms", (int)(now_ms() - before));
    for (; taken > 0; taken--)
        (void)received(mem);
    cr_assert(gp_journal_send(path, &entry), "it goes on once there is room");
}

Test(journal, without_a_journal_one_line_goes_to_stderr)
{
    const struct gp_entry entry = {
        .event = GP_EVENT_RESTORED, .priority = -1, .message = "vm a\nwas \x1b[31mnot stopped"};
    char line[256] = "";
    int ends[2], status;
    pid_t child;

    cr_assert(pipe(ends) == 0);
    child = fork();
    if (child == 0) {
        if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
            mount("tmpfs", "/run", "tmpfs", 0, NULL) < 0)
            _exit(access("/run/systemd/journal/socket", F_OK) == 0 ? 4 : 5);
        (void)dup2(ends[1], 2);
        gp_journal(&entry);
        _exit(0);
    }
    cr_assert(waitpid(child, &status, 0) == child);
    if (WEXITSTATUS(status) != 0)
        cr_skip("SKIP: needs root for a mount namespace");
    (void)close(ends[1]);
    cr_assert(read(ends[0], line, sizeof line - 1) > 0);
    cr_assert(eq(str, line, "gpupart: restored: vm a was ?[31mnot stopped\n"));
}
