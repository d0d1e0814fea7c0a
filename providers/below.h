/* Opening what lies below a root, and one read or write of it. Everything here is fit for the child of a process with
 * threads: no memory is asked for and no lock is taken. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A descriptor, or -1 and errno. If @confined, no link leads out of the root; @resolve: more RESOLVE_ flags. */
int gp_below_open(int root_fd, bool confined, const char *path, int flags, uint64_t resolve);

/* One read or write of a file, and what came of it. */
struct gp_io {
    int root_fd;
    bool confined;
    uint64_t resolve;
    const char *path;
    const char *text; /* what is written; NULL: it is read */
    char *room;       /* of @max bytes, for what is read */
    size_t max;
    size_t size; /* so much was read */
    int errnum;  /* 0: it was done */
};

/* Does it here and now, however long that takes. */
void gp_io_do(struct gp_io *io);
