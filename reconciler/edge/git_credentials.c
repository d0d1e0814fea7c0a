#include "git_priv.h"

#include "cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

static int no(struct gp_git_access *access, int code, const char *why)
{
    access->why = access->why ? access->why : why;
    git_error_set_str(GIT_ERROR_CALLBACK, why);
    return code;
}

/* The first line of the file, without blanks around it. */
static const char *read_token(const char *file, struct gp_arena *mem)
{
    char text[4096];
    gp_cleanup(gp_fclose_p) FILE *in = fopen(file, "re");
    size_t size;

    if (!in || !fgets(text, sizeof text, in))
        return NULL;
    size = strcspn(text, " \t\r\n");
    return size ? gp_strndup(mem, text, size) : NULL;
}

static int ssh_credential(git_credential **out, const char *user, unsigned allowed_types,
                          struct gp_git_access *access)
{
    const char *identity = access->remote->identity;

    user = user && *user ? user : access->url.user ? access->url.user : "git";
    if (allowed_types & GIT_CREDENTIAL_USERNAME)
        return git_credential_username_new(out, user);
    if (!(allowed_types & GIT_CREDENTIAL_SSH_KEY))
        return no(access, GIT_EAUTH,
                  gp_printf(access->mem, "%s takes no keys, and gpupart has nothing else",
                            access->url.host));
    if (!identity)
        return no(access, GIT_EAUTH,
                  gp_printf(access->mem, "%s wants a key, and the remote names no identity",
                            access->url.host));
    if (euidaccess(identity, R_OK) < 0)
        return no(access, GIT_EAUTH,
                  gp_printf(access->mem, "the identity %s cannot be read: %s", identity,
                            strerrordesc_np(errno)));
    access->given = true;
    return git_credential_ssh_key_new(out, user, NULL, identity, NULL);
}

static int https_credential(git_credential **out, const char *user, unsigned allowed_types,
                            struct gp_git_access *access)
{
    const char *file = access->remote->token_file, *token;

    if (!(allowed_types & GIT_CREDENTIAL_USERPASS_PLAINTEXT) || !file)
        return no(access, GIT_EAUTH,
                  gp_printf(access->mem, "%s wants a login, and the remote names no tokenFile",
                            access->url.host));
    token = read_token(file, access->mem);
    if (!token)
        return no(access, GIT_EAUTH,
                  gp_printf(access->mem, "%s cannot be read or holds no token", file));
    /* Forges look at the token alone; some want any name at all beside it. */
    user = user && *user ? user : access->url.user ? access->url.user : "gpupart";
    access->given = true;
    return git_credential_userpass_plaintext_new(out, user, token);
}

int gp_git_credentials(git_credential **out, const char *url, const char *user_from_url,
                       unsigned allowed_types, void *data)
{
    struct gp_git_access *access = data;
    bool ssh = access->url.scheme == GP_GIT_SSH;

    (void)url;
    /* Asked again after the key or the token: the server does not take it, and libgit2 would go on
     * asking. The user's name is asked for by itself, before. */
    if (access->given)
        return no(access, GIT_EAUTH,
                  gp_printf(access->mem, "%s refuses the %s %s", access->url.host,
                            ssh ? "identity" : "token in",
                            ssh ? access->remote->identity : access->remote->token_file));
    return ssh ? ssh_credential(out, user_from_url, allowed_types, access)
               : https_credential(out, user_from_url, allowed_types, access);
}

/* ---- who answers ---- */

static struct gp_error *read_file(const char *file, struct gp_arena *mem, const char **ret,
                                  size_t *ret_size)
{
    enum { MAX_SIZE = 16 << 20 };
    gp_cleanup(gp_close_p) int fd = open(file, O_RDONLY | O_CLOEXEC);
    struct stat st;
    char *text;
    ssize_t n;

    if (fd < 0 || fstat(fd, &st) < 0)
        return gp_error_errno(errno, "%s cannot be read", file);
    if (!S_ISREG(st.st_mode) || st.st_size > MAX_SIZE)
        return gp_error_new(GP_E_CONFIG, "%s is not a file of known hosts", file);
    text = gp_arena_alloc(mem, (size_t)st.st_size + 1);
    n = read(fd, text, (size_t)st.st_size);
    if (n < 0)
        return gp_error_errno(errno, "%s cannot be read", file);
    *ret = text;
    *ret_size = (size_t)n;
    return NULL;
}

static int check_host_key(const git_cert_hostkey *cert, struct gp_git_access *access)
{
    static const char *const verdicts[] = {
        [GP_KNOWN_NO] = "is not known",
        [GP_KNOWN_CHANGED] =
            "is not the one that is known: it was changed, or another machine answers",
        [GP_KNOWN_REVOKED] = "is revoked",
    };
    const char *file = access->remote->known_hosts, *text;
    enum gp_known known;
    size_t size;
    struct gp_error *err;

    if (!(cert->type & GIT_CERT_SSH_RAW))
        return no(access, GIT_ECERTIFICATE,
                  "the host key cannot be compared: libgit2 did not hand it out");
    if (!file)
        return no(access, GIT_ECERTIFICATE,
                  gp_printf(access->mem, "the remote names no knownHosts, and %s has the %s key %s",
                            access->url.host,
                            gp_ssh_key_type(access->mem, cert->hostkey, cert->hostkey_len),
                            gp_ssh_fingerprint(access->mem, cert->hostkey, cert->hostkey_len)));
    err = read_file(file, access->mem, &text, &size);
    if (err) {
        gp_cleanup(gp_free_p) char *line = gp_error_line(err);

        gp_error_free(err);
        return no(access, GIT_ECERTIFICATE, gp_strdup(access->mem, line));
    }
    known = gp_known_hosts_check(text, size, access->url.host, access->url.port, cert->hostkey,
                                 cert->hostkey_len);
    if (known == GP_KNOWN_YES)
        return 0;
    return no(access, GIT_ECERTIFICATE,
              gp_printf(access->mem, "the %s key %s of %s port %u %s in %s",
                        gp_ssh_key_type(access->mem, cert->hostkey, cert->hostkey_len),
                        gp_ssh_fingerprint(access->mem, cert->hostkey, cert->hostkey_len),
                        access->url.host, access->url.port, verdicts[known], file));
}

int gp_git_certificate(git_cert *cert, int valid, const char *host, void *data)
{
    struct gp_git_access *access = data;

    if (cert->cert_type == GIT_CERT_HOSTKEY_LIBSSH2)
        return check_host_key((const git_cert_hostkey *)cert, access);
    if (valid)
        return 0;
    return no(
        access, GIT_ECERTIFICATE,
        gp_printf(
            access->mem,
            "the certificate of %s is not signed by %s, has expired, or is for another name", host,
            access->remote->ca_file ? access->remote->ca_file : "a CA that this host trusts"));
}

/* libgit2 asks a server for the kinds of key that it finds in .ssh/known_hosts of the home directory. Without that
 * a server with several keys may show one of a kind that the named file does not have. Only the
 * choice comes from there; the verdict is check_host_key()'s.
 * Fact: without a home directory, as in a service, libgit2 does not ask at all ("error loading known_hosts"). Up to 1.5 it
 * reads $HOME each time; later ones read it once, when they begin. */
static void offer_known_hosts(const char *known_hosts, const char *scratch)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    gp_cleanup(gp_free_p) char *target = known_hosts ? realpath(known_hosts, NULL) : NULL;
    const char *folder = gp_printf(mem, "%s/.ssh", scratch),
               *link = gp_printf(mem, "%s/known_hosts", folder);

    (void)mkdir(scratch, 0700);
    (void)mkdir(folder, 0700);
    (void)unlink(link);
    if (target)
        (void)!symlink(target, link);
    (void)setenv("HOME", scratch, true);
#if LIBGIT2_VER_MAJOR > 1 || LIBGIT2_VER_MINOR > 5
    (void)git_libgit2_opts(GIT_OPT_SET_HOMEDIR, scratch);
#endif
}

struct gp_error *gp_git_access_init(struct gp_git_access *access, const char *scratch)
{
    const struct gp_remote_decl *remote = access->remote;
    struct gp_error *err = gp_git_url_parse(remote->url, access->mem, &access->url);

    if (err)
        return err;
    if (access->url.scheme == GP_GIT_SSH)
        offer_known_hosts(remote->known_hosts, scratch);
    if (access->url.scheme == GP_GIT_HTTPS && remote->ca_file &&
        git_libgit2_opts(GIT_OPT_SET_SSL_CERT_LOCATIONS, remote->ca_file, NULL) < 0)
        return gp_git_fail(GP_E_CONFIG, "the CA file %s cannot be used", remote->ca_file);
    return NULL;
}
