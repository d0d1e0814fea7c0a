/* Files of the state directory: read whole, replaced whole. After a crash or a power loss at any
 * instant a file holds what it held before the replacement or what it holds after it, never a part
 * of either. */
#pragma once

#include "error.h"

#include <stddef.h>

/* @dirfd is the open directory (not O_PATH: it is fsynced); @dir names it in errors. @ret_text is
 * malloc()ed and ends in NUL, NULL if there is no such file. */
struct gp_error *gp_state_file_read(int dirfd, const char *dir, const char *name, char **ret_text,
                                    size_t *ret_size) GP_MUST_CHECK;
/* Durable when it returns NULL. GP_E_IO with a full or read-only file system (the message says
 * which), and the old file is untouched. */
struct gp_error *gp_state_file_replace(int dirfd, const char *dir, const char *name,
                                       const char *text, size_t size) GP_MUST_CHECK;
/* Durable too; that it is gone already is success. */
struct gp_error *gp_state_file_remove(int dirfd, const char *dir, const char *name) GP_MUST_CHECK;
/* Renames @name to NAME.corrupt, over an earlier one. */
struct gp_error *gp_state_file_keep_aside(int dirfd, const char *dir,
                                          const char *name) GP_MUST_CHECK;
/* Makes @dir and what lacks above it; durable. */
struct gp_error *gp_state_file_make_dir(const char *dir) GP_MUST_CHECK;
/* An errno of a write in @dir as what it means for the person who reads it. */
struct gp_error *gp_state_file_error(int errnum, const char *dir, const char *name) GP_MUST_CHECK;
