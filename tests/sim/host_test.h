/* A simulated host of a test's own: gpusim in a private mount namespace, gone with the test however
 * it ends. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Mounts tests/sim/hosts/@name.yaml with delays scaled by @time_scale; false: this machine has no
 * FUSE. */
bool sim_host_up(const char *name, const char *time_scale);
void sim_host_down(void);

/* Paths below the mount; "@0000:08:00.0/x" is "sys/bus/pci/devices/0000:08:00.0/x". The result is
 * static. */
const char *sim_host_path(const char *path);
/* One write(2), without a newline; 0 or the errno of open or write. */
int sim_host_write(const char *path, const char *value);
/* The text less its last newline; 0 or errno. */
int sim_host_read(const char *path, char *ret, size_t size);
void sim_host_command(const char *text);
/* Runs the stand-in for sriov-manage; its exit status. */
int sim_host_manage(const char *direction, const char *address);
/* Runs @lines, one check to a line:
 *   VALUE > PATH [! ERRNO]   write         PATH = TEXT    read, whole       PATH -> NAME   a link's
 * last component PATH ! ERRNO             read          PATH ~ TEXT    read, contains    yes PATH,
 * no PATH   is there or not : COMMAND                to the control file          manage -e ADDRESS
 * = STATUS hold PATH [! ERRNO]      open and keep open           drop   close all  sleep MS A value
 * of _ is empty; in what is read, newlines but the last are tabs. */
void sim_host_script(const char *lines);
