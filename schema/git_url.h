/* What the URL of a git remote says: read when a declaration is checked, and by a pass when it asks the remote. */
#pragma once

#include "arena.h"
#include "error.h"

#include <stdint.h>

enum gp_git_scheme { GP_GIT_FILE, GP_GIT_HTTPS, GP_GIT_SSH };
struct gp_git_url {
    enum gp_git_scheme scheme;
    const char *user, *host; /* NULL: not given */
    uint16_t port;           /* 22 and 443 where not given */
    const char *shown;       /* without what lets somebody in, for messages; set even where the URL is none */
};
/* GP_E_CONFIG for a scheme that is not taken: http and git have neither secrecy nor a proof of who
 * answers. */
struct gp_error *gp_git_url_parse(const char *url, struct gp_arena *mem, struct gp_git_url *ret) GP_MUST_CHECK;
