/* What is read from text alone: known hosts, URLs, trailers. */
#include "place.h"

#include "git_priv.h"

#include <nettle/base64.h>

TestSuite(words, .init = place_begin, .fini = place_end);

/* ---- known hosts ---- */

#define KEY_A "AAAAC3NzaC1lZDI1NTE5AAAAIF5lYBQuRatrb6snpcI8ZC85K2bGuZub6C0mxmpyoAFY"
#define KEY_B "AAAAC3NzaC1lZDI1NTE5AAAAIP/SeWXxeDS09bxaUTpchz+tIZJYDaSHyI9e2R/chYlk"
#define ED    " ssh-ed25519 "
/* ssh-keygen -H made these from git.example.org and [git.example.org]:2222. */
#define HASHED      "|1|c4APKJjnvSOXRauwh6cSIaW7r0w=|mW0Ho/1hrut+zA+X0B5bUEndTz8="
#define HASHED_2222 "|1|1/OrhFYHdncKzLTwRBx9qWvuDPw=|qdTes3TNlNsfDcRMz26q4MQ9klQ="

static const struct {
    const char *name, *file, *host;
    uint16_t port;
    enum gp_known want; /* for KEY_A */
} hosts[] = {
    {"nothing", "", "git.example.org", 22, GP_KNOWN_NO},
    {"plain", "git.example.org" ED KEY_A "\n", "git.example.org", 22, GP_KNOWN_YES},
    {"no newline at the end", "git.example.org" ED KEY_A, "git.example.org", 22, GP_KNOWN_YES},
    {"carriage returns, tabs, a comment after it",
     "git.example.org\tssh-ed25519\t" KEY_A "\tsomebody\r\n", "git.example.org", 22, GP_KNOWN_YES},
    {"another key", "git.example.org" ED KEY_B "\n", "git.example.org", 22, GP_KNOWN_CHANGED},
    {"another key first", "git.example.org" ED KEY_B "\ngit.example.org" ED KEY_A "\n",
     "git.example.org", 22, GP_KNOWN_YES},
    {"another host", "example.org" ED KEY_A "\n", "git.example.org", 22, GP_KNOWN_NO},
    {"a name that only begins alike", "git.example.org.evil" ED KEY_A "\n", "git.example.org", 22,
     GP_KNOWN_NO},
    {"names are of any case", "GIT.example.org" ED KEY_A "\n", "git.EXAMPLE.org", 22, GP_KNOWN_YES},
    {"several names", "a,git.example.org,192.0.2.7" ED KEY_A "\n", "192.0.2.7", 22, GP_KNOWN_YES},
    {"a wildcard", "*.example.org" ED KEY_A "\n", "git.example.org", 22, GP_KNOWN_YES},
    {"ruled out", "*.example.org,!git.example.org" ED KEY_A "\n", "git.example.org", 22,
     GP_KNOWN_NO},
    {"ruled out before", "!git.example.org,*.example.org" ED KEY_A "\n", "git.example.org", 22,
     GP_KNOWN_NO},
    {"another port", "git.example.org" ED KEY_A "\n", "git.example.org", 2222, GP_KNOWN_NO},
    {"its port", "[git.example.org]:2222" ED KEY_A "\n", "git.example.org", 2222, GP_KNOWN_YES},
    {"port of another", "[git.example.org]:2222" ED KEY_A "\n", "git.example.org", 22, GP_KNOWN_NO},
    {"hashed", HASHED ED KEY_A "\n", "git.example.org", 22, GP_KNOWN_YES},
    {"hashed, another key", HASHED ED KEY_B "\n", "git.example.org", 22, GP_KNOWN_CHANGED},
    {"hashed, another host", HASHED ED KEY_A "\n", "example.org", 22, GP_KNOWN_NO},
    {"hashed with port", HASHED_2222 ED KEY_A "\n", "git.example.org", 2222, GP_KNOWN_YES},
    {"hashed with another port", HASHED_2222 ED KEY_A "\n", "git.example.org", 22, GP_KNOWN_NO},
    {"commented out", "# git.example.org" ED KEY_A "\n#git.example.org" ED KEY_A "\n",
     "git.example.org", 22, GP_KNOWN_NO},
    {"revoked", "@revoked *" ED KEY_A "\n", "git.example.org", 22, GP_KNOWN_REVOKED},
    {"revoked after it was known", "git.example.org" ED KEY_A "\n@revoked *" ED KEY_A "\n",
     "git.example.org", 22, GP_KNOWN_REVOKED},
    {"another one revoked", "@revoked *" ED KEY_B "\ngit.example.org" ED KEY_A "\n",
     "git.example.org", 22, GP_KNOWN_YES},
    {"an authority is no host key", "@cert-authority *" ED KEY_A "\n", "git.example.org", 22,
     GP_KNOWN_NO},
    {"no base64", "git.example.org" ED "!!!\n", "git.example.org", 22, GP_KNOWN_NO},
    {"cut short", "git.example.org ssh-ed25519\ngit.example.org\n@revoked\n|1|x\n|1||\n",
     "git.example.org", 22, GP_KNOWN_NO},
    {"key cut short", "git.example.org" ED "AAAAC3NzaC1lZDI1NTE5AAAA\n", "git.example.org", 22,
     GP_KNOWN_CHANGED},
};

static size_t decode_key(uint8_t *ret, size_t room)
{
    struct base64_decode_ctx ctx;
    size_t size = room;

    base64_decode_init(&ctx);
    cr_assert(base64_decode_update(&ctx, &size, ret, strlen(KEY_A), KEY_A) &&
              base64_decode_final(&ctx));
    return size;
}

GP_ROWS(words, known_hosts, hosts)
{
    uint8_t key[128];
    size_t size = decode_key(key, sizeof key);
    /* A copy of its exact size, so that a byte read past it is seen. */
    char *file = gp_memdup(mem, hosts[*i].file, strlen(hosts[*i].file) + 1);

    cr_assert(
        eq(int, gp_known_hosts_check(file, strlen(file), hosts[*i].host, hosts[*i].port, key, size),
           hosts[*i].want),
        "%s", hosts[*i].name);
}

Test(words, fingerprints_are_as_ssh_keygen_shows_them)
{
    uint8_t key[128];
    size_t size = decode_key(key, sizeof key);

    cr_assert(eq(str, (char *)gp_ssh_fingerprint(mem, key, size),
                 "SHA256:XY6Rg26b7C3XoEL/Ftqh5ZljP0kqPTIm39hseW3WFsQ"));
    cr_assert(eq(str, (char *)gp_ssh_key_type(mem, key, size), "ssh-ed25519"));
    cr_assert(eq(str, (char *)gp_ssh_key_type(mem, key, 3), "unknown"));
    cr_assert(eq(str, (char *)gp_ssh_key_type(mem, key, 8), "unknown"));
}

/* ---- URLs ---- */

static const struct {
    const char *url, *want; /* NULL: refused */
} urls[] = {
    {"/srv/git/fleet.git", "file - - 0 /srv/git/fleet.git"},
    {"./fleet.git", "file - - 0 ./fleet.git"},
    {"file:///srv/fleet.git", "file - - 0 file:///srv/fleet.git"},
    {"file:///srv/a@b/fleet.git", "file - - 0 file:///srv/a@b/fleet.git"},
    {"file://host/fleet.git", NULL},
    {"https://git.example.org/a.git", "https - git.example.org 443 https://git.example.org/a.git"},
    {"https://git.example.org:8443/a",
     "https - git.example.org 8443 https://git.example.org:8443/a"},
    {"https://u:secret@h/a", "https u h 443 https://***@h/a"},
    {"https://u:p@ss@h/a", "https u h 443 https://***@h/a"},
    {"https://token@h/a", "https token h 443 https://***@h/a"},
    {"https://u:p@h/ss@h/a", "https u h 443 https://***@h/a"},
    {"https://h/a@b/c", "https - h 443 https://***@b/c"}, /* all before it could be a token */
    {"ssh://u:secret@h/a", "ssh u h 22 ssh://u:***@h/a"},
    {"ssh://git@git.example.org/a.git",
     "ssh git git.example.org 22 ssh://git@git.example.org/a.git"},
    {"ssh://h:2222/a", "ssh - h 2222 ssh://h:2222/a"},
    {"ssh://git@[2001:db8::1]:2222/a", "ssh git 2001:db8::1 2222 ssh://git@[2001:db8::1]:2222/a"},
    {"git@git.example.org:fleet.git", "ssh git git.example.org 22 git@git.example.org:fleet.git"},
    {"host:path", "ssh - host 22 host:path"},
    {"http://git.example.org/a", NULL},
    {"git://git.example.org/a", NULL},
    {"ext::sh -c date", "ssh - ext 22 ext::sh -c date"},
    {"ssh:///a", NULL},
    {"ssh://h:0/a", NULL},
    {"ssh://h:65536/a", NULL},
    {"ssh://h:99999999999/a", NULL},
    {"ssh://h:x/a", NULL},
    {"ssh://[::1/a", NULL},
    {"host:", NULL},
    {"-x", NULL},
    {"", NULL},
};
GP_ROWS(words, urls, urls)
{
    static const char *const schemes[] = {"file", "https", "ssh"};
    struct gp_git_url url;
    struct gp_error *err = gp_git_url_parse(urls[*i].url, mem, &url);

    if (!urls[*i].want) {
        (void)refused(err, GP_E_CONFIG, "is no remote that gpupart takes");
        return;
    }
    ok(err);
    cr_assert(eq(str,
                 gp_printf(mem, "%s %s %s %u %s", schemes[url.scheme], url.user ? url.user : "-",
                           url.host ? url.host : "-", url.port, url.shown),
                 (char *)urls[*i].want));
}

/* What is refused is told as well, and a token may have any character. */
static const struct {
    const char *url, *shown;
} secrets[] = {
    {"https://u:pa/ss@h/x.git", "https://***@h/x.git"},
    {"https://u:/secret@h/x.git", "https://***@h/x.git"},
    {"http://u:pa/ss@h/x.git", "http://***@h/x.git"},
    {"git://token@h/x.git", "git://***@h/x.git"},
    {"ssh://u:secret@:x/a", "ssh://u:***@:x/a"},
};
GP_ROWS(words, no_secret_is_told_of_a_url_that_is_refused, secrets)
{
    struct gp_git_url url;

    said(gp_git_url_parse(secrets[*i].url, mem, &url), GP_E_CONFIG,
         gp_printf(mem,
                   "'%s' is no remote that gpupart takes: https://HOST/PATH, ssh://USER@HOST/PATH, USER@HOST:PATH, file:///PATH or "
                   "a path",
                   secrets[*i].shown));
    cr_assert(eq(str, (char *)url.shown, (char *)secrets[*i].shown));
}

/* ---- trailers ---- */

static const struct {
    const char *message, *want;
} trailers[] = {
    {"subject\n\nGpupart-Allow-Removal: 12\n", "12"},
    {"subject\n\nbody\n\nGpupart-Allow-Removal: 12", "12"},
    {"subject\n\nbody\n\nSigned-off-by: A <a@b>\ngpupart-allow-removal:12  \nReviewed-by: B\n\n\n",
     "12"},
    {"subject\n\nGpupart-Allow-Removal: 3\nGpupart-Allow-Removal: 4\n", "4"},
    {"subject\n\nGpupart-Allow-Removal: 3\n  4\n\t5\nOther: x\n  y\n", "3 4 5"},
    {"subject\r\n\r\nGpupart-Allow-Removal: 12\r\n", "12"},
    {"subject\n \t\nGpupart-Allow-Removal: 12\n", "12"},
    {"subject\n\nGpupart-Allow-Removal:\n", ""},
    /* only in the last paragraph, and not in the subject */
    {"Gpupart-Allow-Removal: 12\n", NULL},
    {"subject\nGpupart-Allow-Removal: 12\n", NULL},
    {"subject\n\nGpupart-Allow-Removal: 12\n\nbody\n", NULL},
    {"subject\n\nwe set Gpupart-Allow-Removal: 12\n", NULL},
    {"subject\n\nGpupart-Allow-Removals: 12\n", NULL},
    {"subject\n\nGpupart-Allow-Removal 12\n", NULL},
    {"subject\n\nGpupart-Allow", NULL},
    {"subject\n", NULL},
    {"\n\n", NULL},
    {"", NULL},
};
GP_ROWS(words, trailers, trailers)
{
    const char *got = gp_trailer_parse(trailers[*i].message, "Gpupart-Allow-Removal", mem);

    cr_assert(gp_streq(got, trailers[*i].want), "row %zu: '%s', not '%s'", *i, got ? got : "none",
              trailers[*i].want ? trailers[*i].want : "none");
}

Test(words, a_trailer_is_read_from_a_commit)
{
    const char *value = "unset";

    (void)make_remote("one");
    sh("cd one.work && git commit -q --allow-empty -m 'remove the old hosts' -m "
       "'Gpupart-Allow-Removal: 7' && "
       "git push -q ../one main");
    ok(gp_git_trailer(in_place("one"), sh_text("git -C one rev-parse main"),
                      "Gpupart-Allow-Removal", mem, &value));
    cr_assert(eq(str, (char *)value, "7"));
    ok(gp_git_trailer(in_place("one"), sh_text("git -C one rev-parse main~"),
                      "Gpupart-Allow-Removal", mem, &value));
    cr_assert(value == NULL);
    (void)refused(gp_git_trailer(in_place("one"), "0123456789012345678901234567890123456789", "X",
                                 mem, &value),
                  GP_E_IO, "commit 0123456 cannot be read");
}
