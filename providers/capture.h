/* Saves what gpupart sees of a host. While a capture is attached, everything that is read through the host handle also
 * goes below a directory, which then is a root that reads the same: what is saved is what is looked at, and nothing
 * else. */
#pragma once

#include "host.h"
#include "redact.h"

struct gp_capture;

/* Takes over @host->recorder. @dir_fd: the directory, empty, writable; the caller's, and outlives the capture, as @host
 * does. Nothing is ever written outside of it, whatever the links of the host say. */
struct gp_capture *gp_capture_new(struct gp_host *host, int dir_fd);
/* From now on nothing is written but with stand-ins, neither in names nor in contents. @redact is the caller's and outlives
 * the capture. */
void gp_capture_redact(struct gp_capture *capture, struct gp_redact *redact);
/* Detaches it. Takes NULL. */
void gp_capture_free(struct gp_capture *capture);
void gp_capture_free_p(struct gp_capture **capture);

/* What a pass reads besides: the machine id, the kernel's release, the processor's flags. Call it after the look. */
void gp_capture_rest(struct gp_capture *capture);

/* The first thing that could not be written; NULL: all is there. The caller's; asked once. */
struct gp_error *gp_capture_error(struct gp_capture *capture) GP_MUST_CHECK;
size_t gp_capture_files(const struct gp_capture *capture);
/* "PATH: why" of what is there but could not be read, sorted; from @mem. */
void gp_capture_unreadable(const struct gp_capture *capture, struct gp_arena *mem, struct gp_strings *ret);
