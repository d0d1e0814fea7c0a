/* Whatever happens to a process or its disk in the middle of a change, the old or the new is there.
 */
#include "scratch.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

TestSuite(state_crash, .init = scratch_begin, .fini = scratch_end);

static struct gp_snapshot nothing;

/* ---- killed at every system call ---- */

/* From "old" to "new" in every kind of file there is. */
static void change(const char *to, uint64_t until_us)
{
    const struct gp_record record = {.set = "slot3", .commit = to, .snapshot = &nothing};
    const struct gp_pause pause = {.object = "host", .reason = to, .until_us = until_us};
    struct gp_state *state = NULL;

    if (gp_state_open(scratch, true, mem, &state, NULL) ||
        gp_state_set_applied(state, "vm/1", to, "c", NULL) || gp_state_write_record(state, &record) ||
        gp_state_add_history(state, gp_printf(mem, "{\"result\": \"%s\"}", to)) ||
        gp_state_set_pause(state, false, &pause) || gp_state_remove_record(state, "slot3"))
        _exit(3);
    gp_state_close(state);
}

static void to_new(void)
{
    change("new", 20);
}

/* Runs @work in a child that is killed as it enters system call number @at (from 1), before that
 * has any effect. False if it came to its end before. @calls: where not NULL, the numbers of the
 * calls, for the test of their order. */
static bool killed_at(void (*work)(void), unsigned at, long *calls, size_t room, size_t *ret_count)
{
    unsigned entered = 0;
    bool inside = false, stopped;
    int status;
    pid_t child = fork();

    if (child == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
            _exit(4);
        (void)raise(SIGSTOP);
        work();
        _exit(0);
    }
    cr_assert(waitpid(child, &status, 0) == child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 4)
        cr_skip("SKIP: no ptrace here");
    cr_assert(ptrace(PTRACE_SETOPTIONS, child, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL) ==
              0);
    for (;;) {
        cr_assert(ptrace(PTRACE_SYSCALL, child, NULL, NULL) == 0);
        cr_assert(waitpid(child, &status, 0) == child);
        if (WIFEXITED(status)) {
            cr_assert(zero(int, WEXITSTATUS(status)));
            return false;
        }
        stopped = WIFSTOPPED(status);
        cr_assert(stopped);
        if (WSTOPSIG(status) != (SIGTRAP | 0x80))
            continue;
        inside = inside == false;
        if (inside == false)
            continue;
        entered++;
        if (calls && *ret_count < room) {
            struct __ptrace_syscall_info info = {0};

            if (ptrace(PTRACE_GET_SYSCALL_INFO, child, sizeof info, &info) > 0)
                calls[(*ret_count)++] = (long)info.entry.nr;
        }
        if (entered == at) {
            cr_assert(kill(child, SIGKILL) == 0 && waitpid(child, &status, 0) == child);
            return true;
        }
    }
}

/* What the next start finds: each part old or new, none between. */
static const char *look(void)
{
    gp_cleanup(gp_state_close_p) struct gp_state *state =
        opened(true); /* no warning: nothing is corrupt */
    const struct gp_applied *applied = gp_memory_applied(gp_state_memory(state), "vm/1");
    struct gp_record *records;
    struct gp_strings lines;
    struct gp_pause *pauses;
    size_t record_count, pause_count;

    ok(gp_state_records(state, mem, &records, &record_count));
    ok(gp_state_history(state, mem, &lines));
    ok(gp_state_pauses(state, false, mem, &pauses, &pause_count));
    cr_assert(applied && (gp_streq(applied->value, "old") || gp_streq(applied->value, "new")));
    cr_assert(record_count == 0 || (record_count == 1 && gp_streq(records[0].commit, "new")));
    cr_assert(lines.count == 1 || lines.count == 2);
    cr_assert(eq(str, (char *)lines.items[0], "{\"result\": \"old\"}"));
    cr_assert(lines.count == 1 || gp_streq(lines.items[1], "{\"result\": \"new\"}"));
    cr_assert(pause_count == 1 &&
              (gp_streq(pauses[0].reason, "old") || gp_streq(pauses[0].reason, "new")));
    return gp_printf(mem, "%s %zu %zu %s", applied->value, lines.count, record_count,
                     pauses[0].reason);
}

static void fresh(void)
{
    static const char *const files[] = {"applied.json", "history.jsonl", "pauses.json",
                                        "records/slot3.json"};

    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        (void)unlink(gp_printf(mem, "%s/%s", scratch, files[i]));
    change("old", 20);
    cr_assert(eq(str, (char *)look(), "old 1 0 old"));
}

Test(state_crash, killed_at_any_system_call, .timeout = 90)
{
    const char *seen[64], *found;
    size_t seen_count = 0;
    unsigned at = 1, points = 0;

    for (;; at++, points++) {
        bool killed, known = false;

        fresh();
        killed = killed_at(to_new, at, NULL, 0, NULL);
        found = look();
        if (killed == false)
            break;
        for (size_t i = 0; i < seen_count; i++)
            known = known || gp_streq(seen[i], found);
        if (known == false && seen_count < 64)
            seen[seen_count++] = found;
    }
    cr_assert(eq(str, (char *)found, "new 2 0 new"), "not killed, and not new");
    /* A test that never kills in the middle of the work proves nothing. */
    cr_assert(points > 50, "%u points", points);
    cr_assert(eq(sz, seen_count, 6), "states between old and new that were seen");
    (void)fprintf(stderr, "state: killed at %u points, %zu different survivals, all whole\n",
                  points, seen_count);
}

static void set_applied(void)
{
    struct gp_state *state = NULL;

    if (gp_state_open(scratch, true, mem, &state, NULL) ||
        gp_state_set_applied(state, "vm/1", "x", "c", NULL))
        _exit(3);
    _exit(0); /* nothing after it */
}

/* Without a power switch to pull: the order that makes it last is the order of the calls. */
Test(state_crash, content_is_synced_before_its_name_and_the_name_before_returning)
{
    long calls[512];
    size_t count = 0, i;

    gp_state_close(opened(true));
    cr_assert(killed_at(set_applied, 0, calls, 512, &count) == false);
    cr_assert(count > 0 && count < 512);
    for (i = count; i > 0 && calls[i - 1] != SYS_fsync; i--)
        ;
    cr_assert(i > 3, "no fsync at the end");
    cr_assert(calls[i - 2] == SYS_renameat || calls[i - 2] == SYS_renameat2,
              "no rename before it: %ld", calls[i - 2]);
    cr_assert(eq(long, calls[i - 3], SYS_close));
    cr_assert(eq(long, calls[i - 4], SYS_fsync));
    cr_assert(eq(long, calls[i - 5], SYS_write));
}

/* ---- what is done to a name lasts before the next thing is done ---- */

static void remove_record(void)
{
    struct gp_state *state = NULL;

    _exit(gp_state_open(scratch, true, mem, &state, NULL) || gp_state_remove_record(state, "slot3") ? 3 : 0);
}

static void write_record(void)
{
    const struct gp_record record = {.set = "slot3", .snapshot = &nothing};
    struct gp_state *state = NULL;

    _exit(gp_state_open(scratch, true, mem, &state, NULL) || gp_state_write_record(state, &record) ? 3 : 0);
}

static void just_open(void)
{
    struct gp_state *state = NULL;

    _exit(gp_state_open(scratch, true, mem, &state, NULL) ? 3 : 0);
}

static void with_record(void)
{
    const struct gp_record record = {.set = "slot3", .snapshot = &nothing};
    gp_cleanup(gp_state_close_p) struct gp_state *state = opened(true);

    ok(gp_state_write_record(state, &record));
}

static void with_nothing(void)
{
    gp_state_close(opened(true));
}

static void with_damage(void)
{
    with_nothing();
    write_scratch("applied.json", "{");
}

static void without_directory(void)
{
}

static const struct {
    const char *name;
    void (*before)(void), (*work)(void);
    long call, other; /* the same on another architecture */
    unsigned between; /* what else is opened or written before the sync */
} names[] = {
    {"a record is removed", with_record, remove_record, SYS_unlinkat, SYS_unlinkat, 0},
    {"the folder of the records is made", with_nothing, write_record, SYS_mkdirat, SYS_mkdirat, 0},
    {"a corrupt file is kept aside", with_damage, just_open, SYS_renameat, SYS_renameat2, 0},
#ifdef SYS_mkdir
    {"the directory is made", without_directory, just_open, SYS_mkdir, SYS_mkdirat, 1}, /* its parent */
#else
    {"the directory is made", without_directory, just_open, SYS_mkdirat, SYS_mkdirat, 1},
#endif
};

/* What was there already is made too, and needs no sync: the last one counts. */
GP_ROWS(state_names, are_synced, names)
{
    size_t count = 0, done = 0;
    unsigned between = 0;
    bool synced = false;
    long calls[512];

    scratch_begin();
    names[*i].before();
    cr_assert(killed_at(names[*i].work, 0, calls, 512, &count) == false);
    cr_assert(count > 0 && count < 512);
    for (size_t n = 0; n < count; n++) {
        if (calls[n] == SYS_fsync && done)
            synced = synced || between <= names[*i].between;
        if (calls[n] == SYS_openat || calls[n] == SYS_write)
            between++;
        if (calls[n] != names[*i].call && calls[n] != names[*i].other)
            continue;
        synced = false;
        between = 0;
        done++;
    }
    cr_assert(done > 0, "%s: not at all", names[*i].name);
    cr_assert(synced, "%s: no sync after it", names[*i].name);
    scratch_end();
}

/* ---- every kind of call refused ---- */

static const struct {
    const char *name;
    long call;
    int errnum;
    const char *words;
} refusals[] = {
    {"open", SYS_openat, EACCES, "may not be written by this user"},
    {"open, full of files", SYS_openat, ENOSPC, "no room in the state directory"},
    {"write, full", SYS_write, ENOSPC, "no room in the state directory"},
    {"write, quota", SYS_write, EDQUOT, "no room in the state directory"},
    {"write", SYS_write, EIO, "could not be written"},
    {"sync", SYS_fsync, EIO, "could not be written"},
    {"rename", SYS_renameat, EROFS, "read-only file system"},
};

static int refuse(long call, int errnum)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)call, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)errnum),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof filter / sizeof *filter, .filter = filter};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -1;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

/* In the child: says what happened through writev(), which no row refuses. */
static void try_refused(long call, int errnum, int out)
{
    struct gp_state *state = NULL;
    struct gp_error *err = gp_state_open(scratch, true, mem, &state, NULL);
    const char *line = "no seccomp";
    struct iovec part;

    if (!err && refuse(call, errnum) == 0) {
        err = gp_state_set_applied(state, "vm/1", "new", "c", NULL);
        line = gp_printf(mem, "memory %s: %s",
                         gp_memory_applied(gp_state_memory(state), "vm/1")->value,
                         err ? gp_error_line(err) : "done");
    }
    part = (struct iovec){.iov_base = (void *)(uintptr_t)line, .iov_len = strlen(line)};
    (void)!writev(out, &part, 1);
    _exit(0);
}

GP_ROWS(state_crash, a_refused_call_leaves_the_old, refusals)
{
    gp_cleanup(gp_state_close_p) struct gp_state *state = opened(true);
    char line[1024] = "";
    int ends[2], status;
    pid_t child;

    ok(gp_state_set_applied(state, "vm/1", "old", "c", NULL));
    gp_state_close(gp_steal(state));
    cr_assert(pipe(ends) == 0);
    child = fork();
    if (child == 0)
        try_refused(refusals[*i].call, refusals[*i].errnum, ends[1]);
    cr_assert(waitpid(child, &status, 0) == child);
    (void)close(ends[1]);
    cr_assert(read(ends[0], line, sizeof line - 1) > 0);
    if (strcmp(line, "no seccomp") == 0)
        cr_skip("SKIP: no seccomp here");
    cr_assert(strstr(line, "memory old: ") == line, "%s: %s", refusals[*i].name, line);
    cr_assert(strstr(line, refusals[*i].words) != NULL, "%s: %s", refusals[*i].name, line);
    cr_assert(strstr(line, scratch) != NULL, "it does not name the directory: %s", line);
    cr_assert(exists_scratch(".applied.json.new") == false, "%s: the half stayed",
              refusals[*i].name);
    state = opened(true);
    cr_assert(eq(str, (char *)gp_state_memory(state)->applied[0].value, "old"));
}

/* ---- real disks that are full or read-only ---- */

/* A small file system of the test's own where the state directory will be. */
static void small_disk(void)
{
    const char *above = gp_strndup(mem, scratch, strlen(scratch) - strlen("/state"));

    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        cr_skip("SKIP: needs root for a mount namespace");
    cr_assert(mkdir(above, 0755) == 0 && mount("tmpfs", above, "tmpfs", 0, "size=64k") == 0);
}

Test(state_crash, a_full_disk_keeps_the_old_and_says_so)
{
    gp_cleanup(gp_state_close_p) struct gp_state *state = NULL;
    struct gp_strings lines;
    char *large;
    int fd;

    small_disk();
    state = opened(true);
    ok(gp_state_set_applied(state, "vm/1", "old", "c", NULL));
    ok(gp_state_add_history(state, "{\"n\": 1}"));
    large = gp_arena_alloc(mem, 4001);
    memset(large, 'x', 4000);
    fd = open(gp_printf(mem, "%s/filler", scratch), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    while (write(fd, large, 4000) > 0 || write(fd, large, 1) > 0)
        ;
    cr_assert(eq(int, errno, ENOSPC));
    (void)close(fd);
    refused(gp_state_set_applied(state, "vm/1", large, "c", NULL), GP_E_IO,
            "no room in the state directory");
    refused(gp_state_add_history(state, gp_printf(mem, "{\"n\": \"%s%s\"}", large, large)), GP_E_IO,
            "no room");
    gp_state_close(gp_steal(state));
    state = opened(true); /* the lock needs no room */
    cr_assert(eq(str, (char *)gp_state_memory(state)->applied[0].value, "old"));
    ok(gp_state_history(state, mem, &lines));
    cr_assert(eq(sz, lines.count, 1));
    cr_assert(unlink(gp_printf(mem, "%s/filler", scratch)) == 0);
    ok(gp_state_set_applied(state, "vm/1", large, "c", NULL));
    ok(gp_state_add_history(state, "{\"n\": 2}"));
    ok(gp_state_history(state, mem, &lines));
    cr_assert(eq(sz, lines.count, 2));
}

Test(state_crash, a_read_only_disk_can_be_read)
{
    gp_cleanup(gp_state_close_p) struct gp_state *state = NULL;
    const char *above;

    small_disk();
    state = opened(true);
    ok(gp_state_set_applied(state, "vm/1", "old", "c", NULL));
    gp_state_close(gp_steal(state));
    above = gp_strndup(mem, scratch, strlen(scratch) - strlen("/state"));
    cr_assert(mount(NULL, above, NULL, MS_REMOUNT | MS_RDONLY, NULL) == 0);
    refused(gp_state_open(scratch, true, mem, &state, NULL), GP_E_IO, "read-only file system");
    state = opened(false);
    cr_assert(eq(str, (char *)gp_state_memory(state)->applied[0].value, "old"));
    (void)mount(NULL, above, NULL, MS_REMOUNT, NULL);
}

Test(state_crash, a_user_without_rights_reads_and_is_told_that_it_may_not_write)
{
    const char *base = gp_strndup(mem, scratch, strlen(scratch) - strlen("/a/state"));
    gp_cleanup(gp_state_close_p) struct gp_state *state = opened(true);
    struct gp_state *none = NULL;

    if (getuid() != 0)
        cr_skip("SKIP: needs root to become another user");
    ok(gp_state_set_applied(state, "vm/1", "old", "c", NULL));
    gp_state_close(gp_steal(state));
    cr_assert(chmod(base, 0755) == 0 && seteuid(65534) == 0);
    state = opened(false);
    cr_assert(eq(str, (char *)gp_state_memory(state)->applied[0].value, "old"));
    refused(gp_state_open(scratch, true, mem, &none, NULL), GP_E_PERM,
            "may not be written by this user");
    cr_assert(seteuid(0) == 0);
}
