/* The words for objects that a user may type. */
#pragma once

#include "pass.h"

/* Whether @what has the form of "host", "vm/NAME" or "gpu/ADDRESS". */
bool gp_cli_is_object(const char *what);

/* "gpu/slot3" for @name, its id or its address ("0000:08:00.0"), from pass->mem. GP_E_GONE, naming those that there are,
 * if there is no such GPU. Looks at sysfs only. */
struct gp_error *gp_cli_gpu(struct gp_pass *pass, const char *name, const char **ret) GP_MUST_CHECK;

/* "host", "vm/NAME" or "gpu/ID" for @what, from pass->mem. GP_E_GONE if there is no such GPU, or no such VM and libvirt
 * is there to say so; GP_E_INVALID if it is none of these. Looks at the host for a GPU or a VM only: the host itself can
 * be named whatever state it is in. */
struct gp_error *gp_cli_object(struct gp_pass *pass, const char *what, const char **ret) GP_MUST_CHECK;
