#include "git_url.h"

#include "cleanup.h"
#include "text.h"

#include <string.h>

static struct gp_error *wrong(const char *shown)
{
    return gp_error_new(
        GP_E_CONFIG,
        "'%s' is no remote that gpupart takes: https://HOST/PATH, ssh://USER@HOST/PATH, "
        "USER@HOST:PATH, file:///PATH or a path",
        shown);
}

/* USER:PASSWORD@HOST:PORT or [ADDRESS]:PORT, up to @end. */
static bool parse_authority(const char *from, const char *end, struct gp_arena *mem,
                            struct gp_git_url *ret)
{
    const char *at = memrchr(from, '@', (size_t)(end - from)), *port = NULL, *host_end = end;

    if (at) {
        const char *colon = memchr(from, ':', (size_t)(at - from));

        ret->user = gp_strndup(mem, from, (size_t)((colon ? colon : at) - from));
        from = at + 1;
    }
    if (from < end && *from == '[') {
        host_end = memchr(from, ']', (size_t)(end - from));
        if (!host_end)
            return false;
        ret->host = gp_strndup(mem, from + 1, (size_t)(host_end - from - 1));
        if (host_end + 1 < end) {
            if (host_end[1] != ':')
                return false;
            port = host_end + 2;
        }
    } else {
        const char *colon = memchr(from, ':', (size_t)(end - from));

        if (colon) {
            host_end = colon;
            port = colon + 1;
        }
        ret->host = gp_strndup(mem, from, (size_t)(host_end - from));
    }
    if (port) {
        uint32_t number = 0;

        for (const char *c = port; c < end; c++) {
            if (*c < '0' || *c > '9' || number > UINT16_MAX)
                return false;
            number = number * 10 + (uint32_t)(*c - '0');
        }
        if (port == end || number == 0 || number > UINT16_MAX)
            return false;
        ret->port = (uint16_t)number;
    }
    return *ret->host;
}

/* The URL without what somebody wrote into it to be let in: messages end in the journal. A token for https stands before the
 * colon as often as after it, or without one, and may have a '/' in it: up to the last '@', nobody can tell it from a path. */
static const char *without_secret(const char *url, struct gp_arena *mem)
{
    const char *from = strstr(url, "://"), *at, *colon;

    if (!from || gp_starts_with(url, "file:///"))
        return gp_strdup(mem, url);
    from += 3;
    if (!gp_starts_with(url, "ssh://")) {
        at = strrchr(from, '@');
        return at ? gp_printf(mem, "%.*s***%s", (int)(from - url), url, at) : gp_strdup(mem, url);
    }
    at = memrchr(from, '@', strcspn(from, "/"));
    colon = at ? memchr(from, ':', (size_t)(at - from)) : NULL;
    return colon ? gp_printf(mem, "%.*s:***%s", (int)(colon - url), url, at) : gp_strdup(mem, url);
}

struct gp_error *gp_git_url_parse(const char *url, struct gp_arena *mem, struct gp_git_url *ret)
{
    const char *rest = strstr(url, "://");
    const char *colon = strchr(url, ':'), *slash = strchr(url, '/');

    *ret = (struct gp_git_url){.shown = without_secret(url, mem)};
    if (gp_starts_with(url, "file://")) {
        ret->scheme = GP_GIT_FILE;
        return url[7] == '/' ? NULL : wrong(ret->shown);
    }
    if (!rest && colon && (!slash || colon < slash)) {
        ret->scheme = GP_GIT_SSH; /* as scp writes it */
        ret->port = 22;
        return colon[1] && parse_authority(url, colon, mem, ret) ? NULL : wrong(ret->shown);
    }
    if (!rest) {
        ret->scheme = GP_GIT_FILE;
        return *url && *url != '-' ? NULL : wrong(ret->shown);
    }
    if (gp_starts_with(url, "https://")) {
        ret->scheme = GP_GIT_HTTPS;
        ret->port = 443;
    } else if (gp_starts_with(url, "ssh://")) {
        ret->scheme = GP_GIT_SSH;
        ret->port = 22;
    } else {
        return wrong(ret->shown);
    }
    rest += 3;
    if (!parse_authority(rest, rest + strcspn(rest, "/"), mem, ret))
        return wrong(ret->shown);
    return NULL;
}
