/* What `validate` takes for a remote's URL, a pass takes too, and the other way round. */
#include "place.h"

#include "git_priv.h"
#include "rows.h"
#include "schema.h"

#include <string.h>

TestSuite(url_form, .init = place_begin, .fini = place_end);

static const struct {
    const char *url;
    bool taken;
} rows[] = {
    {"/srv/git/fleet.git", true},
    {"file:///srv/fleet.git", true},
    {"file://host/fleet.git", false},
    {"https://git.example.org/a.git", true},
    {"https://u:secret@git.example.org:8443/a.git", true},
    {"https:///a", false},
    {"http://git.example.org/a", false}, /* what is fetched would be anybody's */
    {"ssh://git@git.example.org:2222/a.git", true},
    {"ssh://git@[2001:db8::1]:2222/a", true},
    {"ssh://git.example.org:65535/a", true},
    {"ssh://git.example.org:65536/a", false},
    {"ssh://git.example.org:0/a", false},
    {"ssh://git.example.org:/a", false},
    {"ssh://git.example.org:abc/a", false},
    {"https://u:secret@git.example.org:abc/a", false},
    {"ssh://git@[2001:db8::1/a", false},
    {"ssh://git@[2001:db8::1]22/a", false},
    {"ssh://git@/a", false},
    {"ssh:///a", false},
    {"git@git.example.org:fleet.git", true},
    {"git@git.example.org:/srv/fleet.git", true},
    {"git@git.example.org:", false},
    {"git@git.example.org://fleet.git", false},
    {"git://git.example.org/a", false},
};

/* Whether `validate` has nothing against it in a GpuAgent. */
static bool is_valid(const char *url)
{
    const char *text = gp_printf(mem,
                                 "apiVersion: gpupart/v1\nkind: GpuAgent\nspec:\n  cluster: c\n  git: {ref: refs/heads/main, remotes: "
                                 "[{url: '%s'}]}\n  trust: {mode: none}\n",
                                 url);
    struct gp_load load;

    gp_load_init(&load, mem, true, true);
    gp_load_file(&load, "agent.yaml", text, strlen(text));
    gp_load_finish(&load);
    return !load.failed;
}

GP_ROWS(url_form, agrees_with_the_parser, rows)
{
    struct gp_git_url url;
    struct gp_error *err = gp_git_url_parse(rows[*i].url, mem, &url);

    cr_expect(eq(int, is_valid(rows[*i].url), rows[*i].taken), "validate: %s", rows[*i].url);
    cr_expect(eq(int, err == NULL, rows[*i].taken), "a pass: %s", rows[*i].url);
    gp_error_free(err);
}
