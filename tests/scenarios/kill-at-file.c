/* Preloaded into gpupart: KILLs it as it is about to put in place, or to remove, the Nth file of its state
 * directory (KILL_AT_FILE=N, from 1), over all threads. Those files are the ones named "*.json", relative to a
 * folder that is open. What gpupart runs as a child is left alone. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static atomic_ulong count;
static unsigned long last;
static pid_t first;

__attribute__((constructor)) static void begin(void)
{
    const char *n = getenv("KILL_AT_FILE");

    last = n ? strtoul(n, NULL, 10) : 0;
    first = getpid();
    unsetenv("LD_PRELOAD");
}

static void step(const char *name)
{
    const size_t length = strlen(name);

    if (length < 5 || strcmp(name + length - 5, ".json") != 0 || getpid() != first)
        return;
    if (atomic_fetch_add(&count, 1) + 1 == last)
        (void)kill(first, SIGKILL);
}

int renameat(int from_fd, const char *from, int to_fd, const char *to)
{
    step(to);
    return (int)syscall(SYS_renameat2, from_fd, from, to_fd, to, 0);
}

int unlinkat(int fd, const char *name, int flags)
{
    step(name);
    return (int)syscall(SYS_unlinkat, fd, name, flags);
}
