/* Who answers, and whom it lets in: a real sshd and a real https server on 127.0.0.1. */
#include "place.h"

#include <arpa/inet.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

static pid_t server;
static unsigned port;

static void net_end(void)
{
    if (server > 0) {
        (void)kill(server, SIGKILL);
        (void)waitpid(server, NULL, 0);
    }
    place_end();
}

TestSuite(net, .init = place_begin, .fini = net_end, .timeout = 60);

static bool have(const char *command)
{
    return system(gp_printf(mem, "command -v %s >/dev/null 2>&1", command)) == 0;
}

/* Runs @script until the test ends, its output in PLACE/server.log. */
static void serve(const char *script)
{
    server = fork();
    if (server == 0) {
        FILE *log = freopen(in_place("server.log"), "we", stderr);

        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (!log || dup2(fileno(log), 1) < 0)
            _exit(1);
        (void)execl("/bin/sh", "sh", "-c", script, NULL);
        _exit(127);
    }
}

static bool listens(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                  .sin_port = htons((uint16_t)port)};
    gp_cleanup(gp_close_p) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    return port && connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
}

/* One of this process's own, which no bind() to any port gives away before the server has it: those give ports from
 * net.ipv4.ip_local_port_range, which begins at 32768. */
static unsigned free_port(void)
{
    enum { FIRST = 20000, COUNT = 12000 };

    for (unsigned i = 0; i < COUNT; i++) {
        const unsigned one = FIRST + ((unsigned)getpid() + i) % COUNT;
        struct sockaddr_in address = {.sin_family = AF_INET,
                                      .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                      .sin_port = htons((uint16_t)one)};
        gp_cleanup(gp_close_p) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (bind(fd, (struct sockaddr *)&address, sizeof address) == 0)
            return one;
    }
    cr_fatal("no port is free");
    return 0;
}

static void wait_until_it_listens(void)
{
    for (int i = 0; i < 3000; i++) { /* half a minute */
        const struct timespec pause = {.tv_nsec = 10000000};

        if (listens())
            return;
        cr_assert(waitpid(server, NULL, WNOHANG) == 0, "the server ended: %s",
                  sh_text("cat server.log"));
        (void)nanosleep(&pause, NULL);
    }
    cr_fatal("the server does not listen: %s", sh_text("cat server.log"));
}

/* ---- ssh ---- */

/* sshd with an ed25519 and an ECDSA host key; PLACE/id is let in, PLACE/stranger is not. */
static void start_sshd(void)
{
    const char *sshd = access("/usr/sbin/sshd", X_OK) == 0 ? "/usr/sbin/sshd" : NULL;
    const char *run;

    if (!sshd || !have("ssh-keygen"))
        cr_skip("SKIP: no sshd here");
    port = free_port();
    sh("ssh-keygen -q -t ed25519 -N '' -f host-ed && ssh-keygen -q -t ecdsa -N '' -f host-ec && "
       "ssh-keygen -q -t ed25519 -N '' -f id && ssh-keygen -q -t ed25519 -N '' -f stranger && "
       "cp id.pub authorized && "
       "printf '[127.0.0.1]:%u %%s\\n' \"$(cut -d' ' -f1,2 host-ed.pub)\" > known && "
       "printf 'Port %u\\nListenAddress 127.0.0.1\\nHostKey %s/host-ec\\nHostKey %s/host-ed\\n"
       "AuthorizedKeysFile %s/authorized\\nPidFile none\\nStrictModes no\\nUsePAM "
       "no\\nPermitRootLogin yes\\n"
       "PasswordAuthentication no\\nKbdInteractiveAuthentication no\\n' > sshd.conf",
       port, port, place, place, place);
    run = gp_printf(mem, "exec %s -D -e -f %s/sshd.conf", sshd, place);
    if (getuid() == 0) {
        if (system("unshare --mount --pid --fork --kill-child true 2>/dev/null") != 0)
            cr_skip("SKIP: no namespaces for sshd's /run here");
        run =
            gp_printf(mem,
                      "exec unshare --mount --pid --fork --kill-child --propagation private sh -c "
                      "'mount -t tmpfs tmpfs /run && mkdir /run/sshd && %s'",
                      run);
    }
    serve(run);
    wait_until_it_listens();
    remotes[0] = (struct gp_remote_decl){
        .url =
            gp_printf(mem, "ssh://%s@127.0.0.1:%u%s/one", getpwuid(getuid())->pw_name, port, place),
        .identity = in_place("id"),
        .known_hosts = in_place("known"),
    };
    options.remote_count = 1;
}

Test(net, ssh_fetches_from_a_known_host)
{
    const char *first, *second;
    bool moved;

    start_sshd();
    first = make_remote("one");
    synced(GP_GIT_CURRENT, first);
    options.verified = first;
    second = commit_more("one");
    ok(gp_git_moved(&options, first, &moved));
    cr_assert(moved);
    synced(GP_GIT_CURRENT, second);
    sh("ssh-keygen -q -H -f known 2>/dev/null"); /* hashed names, with the port */
    options.verified = second;
    synced(GP_GIT_CURRENT, second);
}

/* Each must end in GitStale with the words, and at once. */
static const struct {
    const char *name, *script, *words;
} ssh_refusals[] = {
    {"unknown", ": > known", "is not known in"},
    {"known under another port only", "sed -i 's/\\[127.0.0.1\\]:[0-9]*/127.0.0.1/' known",
     "is not known in"},
    {"changed",
     "printf '%s %s\\n' \"$(cut -d' ' -f1 known)\" \"$(cut -d' ' -f1,2 stranger.pub)\" > x && mv x "
     "known",
     "is not the one that is known"},
    {"revoked", "printf '@revoked * %s\\n' \"$(cut -d' ' -f1,2 host-ed.pub)\" >> known",
     "is revoked in"},
    {"file is not there", "rm known", "known cannot be read"},
    {"identity refused", "cp stranger id", "refuses the identity"},
    {"RSA identity refused", "rm id && ssh-keygen -q -t rsa -b 2048 -N '' -f id",
     "refuses the identity"},
    {"identity is not there", "rm id", "id cannot be read"},
    {"identity is no key", "echo x > id", "one: "},
    {"repository is not there", "mv one two", "one: "},
};
GP_ROWS(net, ssh_refused_at_once, ssh_refusals)
{
    const char *first;
    struct timespec before, after;

    start_sshd();
    first = make_remote("one");
    synced(GP_GIT_CURRENT, first);
    options.verified = first;
    options.timeout_ms = 10000;
    sh("%s", ssh_refusals[*i].script);
    (void)clock_gettime(CLOCK_MONOTONIC, &before);
    synced(GP_GIT_STALE, first);
    (void)clock_gettime(CLOCK_MONOTONIC, &after);
    cr_assert(strstr(why, ssh_refusals[*i].words) != NULL, "%s: %s", ssh_refusals[*i].name, why);
    cr_assert(after.tv_sec - before.tv_sec < 8, "%s: only the deadline ended it",
              ssh_refusals[*i].name);
}

Test(net, ssh_refusal_names_host_key_and_file)
{
    const char *first, *key;

    start_sshd();
    first = make_remote("one");
    synced(GP_GIT_CURRENT, first);
    options.verified = first;
    sh("printf '[127.0.0.1]:%u %%s\\n' \"$(cut -d' ' -f1,2 stranger.pub)\" > known", port);
    key = sh_text("ssh-keygen -lf host-ed.pub | cut -d' ' -f2");
    synced(GP_GIT_STALE, first);
    cr_assert(strstr(why, key) && strstr(why, in_place("known")) &&
                  strstr(why, gp_printf(mem, "127.0.0.1 port %u", port)),
              "%s", why);
}

Test(net, ssh_without_identity_or_known_hosts_says_what_lacks)
{
    const char *first;

    start_sshd();
    first = make_remote("one");
    synced(GP_GIT_CURRENT, first);
    options.verified = first;
    remotes[0].identity = NULL;
    synced(GP_GIT_STALE, first);
    cr_assert(strstr(why, "names no identity") != NULL, "%s", why);
    remotes[0].known_hosts = NULL;
    synced(GP_GIT_STALE, first);
    cr_assert(strstr(why, "names no knownHosts") && strstr(why, "SHA256:"), "%s", why);
}

/* A service has none, and libgit2 wants one before it asks anybody. */
Test(net, ssh_needs_no_home_directory)
{
    const char *first;

    start_sshd();
    first = make_remote("one");
    (void)unsetenv("HOME");
    synced(GP_GIT_CURRENT, first);
    options.verified = first;
    (void)unsetenv("HOME");
    remotes[0].known_hosts = NULL;
    synced(GP_GIT_STALE, first);
    cr_assert(strstr(why, "names no knownHosts") != NULL, "%s", why);
    sh("rm known");
    remotes[0].known_hosts = in_place("known");
    synced(GP_GIT_STALE, first);
    cr_assert(strstr(why, "known cannot be read") != NULL, "%s", why);
}

Test(net, ssh_ignores_the_known_hosts_of_the_user)
{
    const char *first;

    start_sshd();
    first = make_remote("one");
    synced(GP_GIT_CURRENT, first);
    options.verified = first;
    sh("mkdir -p home/.ssh && mv known home/.ssh/known_hosts && : > known");
    (void)setenv("HOME", in_place("home"), 1);
    synced(GP_GIT_STALE, first);
    cr_assert(strstr(why, "is not known in") != NULL, "%s", why);
}

/* ---- https ---- */

/* A CA, a certificate of its for localhost, and the server; with @token it wants that. */
static void start_https(const char *token)
{
    const struct timespec pause = {.tv_nsec = 10000000};

    if (!have("openssl") || !have("python3") ||
        system("test -x $(git --exec-path)/git-http-backend") != 0)
        cr_skip("SKIP: no openssl, python3 or git-http-backend here");
    sh("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout ca.key "
       "-out ca.pem -days 2 "
       "-subj /CN=test-ca 2>/dev/null && "
       "openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout srv.key -out "
       "srv.csr "
       "-subj /CN=localhost 2>/dev/null && printf 'subjectAltName=DNS:localhost\\n' > ext && "
       "openssl x509 -req -in srv.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile "
       "ext -out srv.pem "
       "2>/dev/null && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes "
       "-keyout other.key "
       "-out other.pem -days 2 -subj /CN=other-ca 2>/dev/null");
    serve(gp_printf(mem, "exec python3 %s/tests/unit/git/https-git.py %s %s/srv.pem %s/srv.key %s",
                    GP_SOURCE_DIR, place, place, place, token ? token : ""));
    for (int i = 0; i < 1000 && port == 0; i++) {
        (void)nanosleep(&pause, NULL);
        (void)sscanf(sh_text("cat server.log 2>/dev/null || true"), "%u", &port);
        cr_assert(waitpid(server, NULL, WNOHANG) == 0, "the server ended: %s",
                  sh_text("cat server.log"));
    }
    remotes[0] = (struct gp_remote_decl){.url = gp_printf(mem, "https://localhost:%u/one", port),
                                         .ca_file = in_place("ca.pem")};
    options.remote_count = 1;
}

Test(net, https_fetches_with_its_own_ca)
{
    const char *first, *second;

    start_https(NULL);
    first = make_remote("one");
    synced(GP_GIT_CURRENT, first);
    options.verified = first;
    second = commit_more("one");
    synced(GP_GIT_CURRENT, second);
}

Test(net, https_refuses_a_certificate_of_another_ca_or_name)
{
    const char *first;

    start_https(NULL);
    first = make_remote("one");
    synced(GP_GIT_CURRENT, first);
    options.verified = first;
    remotes[0].ca_file = in_place("other.pem");
    synced(GP_GIT_STALE, first);
    cr_assert(strstr(why, "is not signed by") && strstr(why, in_place("other.pem")), "%s", why);
    remotes[0].ca_file = NULL;
    synced(GP_GIT_STALE, first);
    cr_assert(strstr(why, "is not signed by a CA that this host trusts") != NULL, "%s", why);
    remotes[0].ca_file = in_place("ca.pem");
    remotes[0].url = gp_printf(mem, "https://127.0.0.1:%u/one", port);
    synced(GP_GIT_STALE, first);
    cr_assert(strstr(why, "is for another name") != NULL, "%s", why);
    remotes[0].url = gp_printf(mem, "https://localhost:%u/one", port);
    remotes[0].ca_file = in_place("never.pem");
    synced(GP_GIT_STALE, first);
    cr_assert(strstr(why, "never.pem cannot be used") != NULL, "%s", why);
}

Test(net, https_gives_its_token_and_ends_when_that_is_refused)
{
    const char *first;

    start_https("s3cret");
    first = make_remote("one");
    sh("echo s3cret > token");
    remotes[0].token_file = in_place("token");
    synced(GP_GIT_CURRENT, first);
    options.verified = first;
    options.timeout_ms = 10000;
    sh("echo wrong > token");
    synced(GP_GIT_STALE, first);
    cr_assert(strstr(why, "refuses the token in") != NULL && strstr(why, "wrong") == NULL, "%s",
              why);
    sh(": > token");
    synced(GP_GIT_STALE, first);
    cr_assert(strstr(why, "holds no token") != NULL, "%s", why);
    remotes[0].token_file = NULL;
    synced(GP_GIT_STALE, first);
    cr_assert(strstr(why, "names no tokenFile") != NULL, "%s", why);
}
