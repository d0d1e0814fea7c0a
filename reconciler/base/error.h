/* What went wrong, where, why, and what to do about it. */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Answers one question: what now? Exit status, retry and journal priority follow from it. */
enum gp_errc {
    GP_E_INVALID,     /* waits for another commit (or another command line) */
    GP_E_UNSUPPORTED, /* waits for another host, driver or library */
    GP_E_BUSY,        /* waits for a guest or a process to let go */
    GP_E_IO,          /* tried again with back-off */
    GP_E_PERM,        /* waits for a right to be given */
    GP_E_GONE,        /* the thing named is not there (any more) */
    GP_E_CHANGED,     /* somebody else changed it in between: look again */
    GP_E_TIMEOUT,     /* the deadline passed; the thing may still happen later */
    GP_E_HUNG,        /* the kernel did not come back: the host needs a reboot */
    GP_E_REFUSED,     /* trust, safety or policy says no */
    GP_E_LOCKED,      /* another pass holds the lock, or the object is paused */
    GP_E_CONFIG,      /* the host's own configuration is wrong */
    GP_E_BUG,         /* ours */
    GP_E_COUNT
};

/* "busy" for GP_E_BUSY. */
const char *gp_errc_name(enum gp_errc code);

/* The bytes of a file as they were parsed, kept for excerpts; never read again. */
struct gp_source {
    const char *name; /* as the user knows it: a path, or COMMIT:path */
    const char *text;
    size_t size;
};

/* A place in a source. line and column count from 1; line 0: no place in any file. */
struct gp_span {
    const struct gp_source *source;
    uint32_t line, column;
};

struct gp_error {
    enum gp_errc code;
    struct gp_span at;
    char *message;
    struct gp_error *cause;
    struct gp_source *own; /* of gp_error_freeze(): what at.source is; NULL: somebody else's */
};

#define GP_MUST_CHECK __attribute__((warn_unused_result))

/* A new error, on the heap; NULL never comes back. The caller returns it or logs it, never both. */
struct gp_error *gp_error_new(enum gp_errc code, const char *format, ...)
    __attribute__((format(printf, 2, 3), returns_nonnull)) GP_MUST_CHECK;
struct gp_error *gp_error_at(enum gp_errc code, struct gp_span at, const char *format, ...)
    __attribute__((format(printf, 3, 4), returns_nonnull)) GP_MUST_CHECK;
/* The code that fits @errnum, "MESSAGE: strerror". */
struct gp_error *gp_error_errno(int errnum, const char *format, ...)
    __attribute__((format(printf, 2, 3), returns_nonnull)) GP_MUST_CHECK;
/* Adds what only this level knows; takes @cause, keeps its code. */
struct gp_error *gp_error_wrap(struct gp_error *cause, const char *format, ...)
    __attribute__((format(printf, 2, 3), returns_nonnull)) GP_MUST_CHECK;
/* The code for an errno: EBUSY and EAGAIN BUSY, ENOENT, ENODEV and ENXIO GONE, EPERM and EACCES PERM, … else IO. */
enum gp_errc gp_errc_of_errno(int errnum);

/* Copies the sources that @err and its causes point into, so that it may outlive them (an arena that goes). Takes
 * NULL. */
void gp_error_freeze(struct gp_error *err);

/* Takes NULL. Frees the causes too. */
void gp_error_free(struct gp_error *err);
void gp_error_free_p(struct gp_error **err);

/* One line, cause after cause: "vm a was not stopped: libvirt: no such domain". malloc()ed. */
char *gp_error_line(const struct gp_error *err);
/* For people: a line a cause ("because: …"), each place with its excerpt and a caret. */
void gp_error_print(FILE *out, const struct gp_error *err);
/* For what is no reason to stop: one line on stderr, "gpupart: warning: …". Takes NULL, and frees @err. */
void gp_error_warn(struct gp_error *err);
/* "FILE:LINE:COLUMN: ", the excerpt and the caret of one place; nothing for line 0. Bytes that a
 * terminal could take for a command are shown as '?'. */
void gp_span_print_excerpt(FILE *out, struct gp_span at);
