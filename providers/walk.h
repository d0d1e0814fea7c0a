/* openat2(2) with RESOLVE_IN_ROOT, one step at a time. The kernel gives up a walk with EAGAIN if anything on the machine was
 * renamed or mounted while it met a "..", which says nothing about the walk; where a package manager unpacks, that is always.
 * Here ".." is the folder one came from, so that nobody's rename matters. Fit for the child of a process with threads: no
 * memory is asked for and no lock is taken. */
#pragma once

#include <stdbool.h>

/* A descriptor, or -1 and errno as openat2() has it: ELOOP after 40 links, EXDEV if @one_device and another file system is
 * met. ENAMETOOLONG beyond 64 folders deep as well. @flags: as of open(2), without O_CREAT. */
int gp_walk_open(int root_fd, const char *path, int flags, bool one_device);
