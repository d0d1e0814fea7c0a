/* Which commit a host uses: the head if it descends from what was verified, else the verified one,
 * else none. */
#include "place.h"

#include <arpa/inet.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

TestSuite(sync, .init = place_begin, .fini = place_end, .timeout = 60);

static void follow(size_t index, const char *name)
{
    remotes[index].url = in_place(name);
    if (options.remote_count <= index)
        options.remote_count = index + 1;
}

static uint64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* A listener on 127.0.0.1 that lets clients connect and says nothing. */
static int silent(uint16_t *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    cr_assert(bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 16) == 0);
    cr_assert(getsockname(fd, (struct sockaddr *)&address, &size) == 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

Test(sync, the_head_is_fetched_and_only_when_it_moved)
{
    const char *first = make_remote("one"), *second;
    bool moved = true;
    struct stat before, after;

    follow(0, "one");
    synced(GP_GIT_CURRENT, first);
    options.verified = first;
    ok(gp_git_moved(&options, first, &moved));
    cr_assert(moved == false);
    cr_assert(stat(in_place("state/git/refs/gpupart/remote/0"), &before) == 0);
    synced(GP_GIT_CURRENT, first);
    cr_assert(stat(in_place("state/git/refs/gpupart/remote/0"), &after) == 0);
    cr_assert(before.st_ino == after.st_ino && before.st_mtim.tv_nsec == after.st_mtim.tv_nsec,
              "fetched what was there");
    second = commit_more("one");
    ok(gp_git_moved(&options, first, &moved));
    cr_assert(moved);
    synced(GP_GIT_CURRENT, second);
    cr_assert(eq(str, (char *)sh_text("git -C state/git rev-parse refs/gpupart/remote/0"),
                 (char *)second));
}

Test(sync, short_names_and_tags_are_refs_too)
{
    const char *first = make_remote("one"), *second = commit_more("one");
    bool moved = true;

    follow(0, "one");
    sh("git -C one tag -a -m t ring %s", first);
    options.ref = "refs/tags/ring";
    synced(GP_GIT_CURRENT, first);
    ok(gp_git_moved(&options, first, &moved));
    cr_assert(moved == false, "the tag's own id was compared");
    options.ref = "main";
    synced(GP_GIT_CURRENT, second);
}

Test(sync, a_lagging_mirror_is_passed_over)
{
    const char *first = make_remote("old"), *second;

    sh("git clone -q --bare old new && cp -r old.work new.work");
    second = commit_more("new");
    follow(0, "old");
    follow(1, "new");
    options.verified = second;
    synced(GP_GIT_CURRENT, second);
    /* Both lag: the verified one stays, and each is named. */
    sh("git -C new update-ref refs/heads/main %s", first);
    synced(GP_GIT_STALE, second);
    cr_assert(strstr(why, gp_printf(mem, "%s: it lags behind: its head %.12s", in_place("old"),
                                    first)) != NULL,
              "%s", why);
    cr_assert(strstr(why, gp_printf(mem, "; %s: it lags behind", in_place("new"))) != NULL, "%s",
              why);
}

Test(sync, a_lagging_mirror_and_a_lost_copy_do_not_look_rewritten)
{
    const char *second;

    (void)make_remote("old");
    sh("git clone -q --bare old new && cp -r old.work new.work");
    second = commit_more("new");
    follow(0, "old");
    follow(1, "new");
    options.verified =
        second; /* from the state; the mirror repository is new and knows only what it is given */
    synced(GP_GIT_CURRENT, second);
}

Test(sync, a_rewritten_history_is_refused)
{
    const char *first = make_remote("one"), *head, *line;
    enum gp_git_state state;
    const char *commit;

    follow(0, "one");
    synced(GP_GIT_CURRENT, first);
    options.verified = first;
    sh("cd one.work && git commit -q --amend -m other && git push -q -f ../one main");
    head = sh_text("git -C one rev-parse main");
    line = refused(gp_git_sync(&options, mem, &state, &commit, &why), GP_E_REFUSED, "GP-E403");
    cr_assert(strstr(line, gp_printf(mem, "%.12s", first)) &&
                  strstr(line, gp_printf(mem, "%.12s", head)),
              "%s", line);
    cr_assert(strstr(line, gp_printf(mem, "gpupart trust --reset-to %s", head)) != NULL, "%s",
              line);
    /* Saying so once is enough. */
    options.verified = head;
    synced(GP_GIT_CURRENT, head);
}

Test(sync, another_repository_is_refused_even_with_a_new_mirror)
{
    const char *first = make_remote("one");
    enum gp_git_state state;
    const char *commit;

    sh("git init -q --bare -b main other && cd one.work && git checkout -q --orphan x && git "
       "commit -q -m other && "
       "git push -q ../other x:main");
    follow(0, "other");
    options.verified = first;
    said(gp_git_sync(&options, mem, &state, &commit, &why), GP_E_REFUSED,
         "GP-E403: commit COMMIT, the head at PLACE/other, does not descend from the newest verified commit COMMIT, which "
         "no remote has: the history was rewritten, or it is another repository. Look at it, and if it is meant: gpupart "
         "trust --reset-to COMMIT --reason \"...\"");
}

Test(sync, the_floor_holds_on_the_first_day)
{
    const char *first = make_remote("one"), *second = commit_more("one");
    enum gp_git_state state;
    const char *commit;

    follow(0, "one");
    options.floor = first;
    synced(GP_GIT_CURRENT, second);
    options.floor = second;
    synced(GP_GIT_CURRENT, second);
    sh("git -C one update-ref refs/heads/main %s", first);
    (void)refused(gp_git_sync(&options, mem, &state, &commit, &why), GP_E_IO, "it lags behind");
    sh("cd one.work && git checkout -q --orphan x && git commit -q -m other && git push -q -f "
       "../one x:main");
    said(gp_git_sync(&options, mem, &state, &commit, &why), GP_E_REFUSED,
         "GP-E403: commit COMMIT, the head at PLACE/one, does not descend from the floor, trust.floor of this host's GpuAgent, "
         "commit COMMIT: the history was rewritten, or it is another repository. Look at it, and if it is meant: write trust.floor: "
         "COMMIT, or an older commit of that history, into this host's GpuAgent file");
    options.floor = "3f2c1ab";
    (void)refused(gp_git_sync(&options, mem, &state, &commit, &why), GP_E_CONFIG,
                  "no full commit id");
}

Test(sync, unreachable_is_stale_with_every_reason)
{
    const char *first = make_remote("one");
    enum gp_git_state state;
    const char *commit;
    bool moved;

    follow(0, "one");
    synced(GP_GIT_CURRENT, first);
    options.verified = first;
    sh("mv one away");
    follow(1, "never");
    synced(GP_GIT_STALE, first);
    cr_assert(strstr(why, in_place("one")) && strstr(why, in_place("never")), "%s", why);
    (void)refused(gp_git_moved(&options, first, &moved), GP_E_IO, in_place("never"));
    options.verified = NULL;
    (void)refused(gp_git_sync(&options, mem, &state, &commit, &why), GP_E_IO,
                  "no commit was ever verified");
    options.remote_count = 0;
    (void)refused(gp_git_sync(&options, mem, &state, &commit, &why), GP_E_CONFIG, "no git remote");
}

Test(sync, a_ref_that_is_not_there_is_told_with_what_is)
{
    const char *first = make_remote("one");

    follow(0, "one");
    options.verified = first;
    synced(GP_GIT_CURRENT, first);
    options.ref = "refs/heads/mian";
    synced(GP_GIT_STALE, first);
    cr_assert(strstr(why, "it has no ref refs/heads/mian; it has refs/heads/main") != NULL, "%s",
              why);
}

static const char *const silent_urls[] = {"ssh://git@127.0.0.1", "https://127.0.0.1"};
GP_ROWS(sync, a_silent_server_uses_up_its_own_share_only, silent_urls)
{
    const char *first = make_remote("one");
    uint64_t began;
    uint16_t port;
    int fd = silent(&port), status;

    remotes[0].url = gp_printf(mem, "%s:%u/x.git", silent_urls[*i], port);
    follow(1, "one");
    options.timeout_ms = 6000;
    began = now_ms();
    synced(GP_GIT_CURRENT, first);
    cr_assert(now_ms() - began < 20000, "%d ms", (int)(now_ms() - began));
    options.remote_count = 1;
    options.timeout_ms = 500;
    options.verified = first;
    began = now_ms();
    synced(GP_GIT_STALE, first);
    cr_assert(now_ms() - began >= 450 && now_ms() - began < 20000, "%d ms", (int)(now_ms() - began));
    cr_assert(strstr(why, "it did not answer within 0.5 s") != NULL, "%s", why);
    cr_assert(waitpid(-1, &status, WNOHANG) < 0, "a child was left behind");
    (void)close(fd);
}

/* ---- the mirror ---- */

/* Each breaks the repository that is kept, in a way that a disk or a person can. */
static const struct {
    const char *name, *script;
} damages[] = {
    {"no HEAD", "rm state/git/HEAD"},
    {"no config, no objects", "rm -r state/git/config state/git/objects"},
    {"objects gone",
     "rm -r state/git/objects && mkdir -p state/git/objects/pack state/git/objects/info"},
    {"objects emptied",
     "find state/git/objects -type f -exec chmod u+w {} + -exec truncate -s 0 {} +"},
    {"objects scribbled over", "find state/git/objects -type f | while read f; do chmod u+w $f; "
                               "s=$(stat -c %s $f); head -c $s /dev/zero | tr "
                               "'\\0' x > $f; done"},
    {"ref cut short", "printf abc > state/git/refs/gpupart/remote/0"},
    {"lock files left",
     "touch state/git/refs/gpupart/remote/0.lock state/git/config.lock state/git/HEAD.lock"},
};
GP_ROWS(sync, a_damaged_mirror_is_made_anew, damages)
{
    const char *first = make_remote("one"), *second;

    follow(0, "one");
    synced(GP_GIT_CURRENT, first);
    options.verified = first;
    sh("%s", damages[*i].script);
    synced(GP_GIT_CURRENT, first);
    sh("git -C state/git cat-file -p %s:west/a.yaml >/dev/null", first);
    second = commit_more("one");
    sh("%s", damages[*i].script);
    synced(GP_GIT_CURRENT, second);
    sh("git -C state/git cat-file -p %s:west/a.yaml >/dev/null", second);
}

Test(sync, one_damaged_file_of_the_declaration_is_found)
{
    const char *first = make_remote("one"),
               *blob = sh_text("git -C one rev-parse main:west/a.yaml");

    follow(0, "one");
    options.path = "west";
    synced(GP_GIT_CURRENT, first);
    options.verified = first;
    sh("cd state/git && (mkdir x && mv objects/pack/*.pack x/ && (cat x/*.pack | git "
       "unpack-objects -q); "
       "rm -rf x objects/pack/*) 2>/dev/null; f=objects/$(echo %s | sed 's,..,&/,'); chmod u+w $f; "
       ": > $f",
       blob);
    synced(GP_GIT_CURRENT, first);
    sh("git -C state/git cat-file -p %s:west/a.yaml >/dev/null", first);
}

/* What is no declaration, or too large for one, is not unpacked: it could not be, cut short as it is. */
static const struct {
    const char *name, *file, *make;
} not_unpacked[] = {
    {"no declaration", "west/disk.img", "head -c 100000 /dev/urandom"},
    {"hidden", "west/.old.yaml", "head -c 100000 /dev/urandom"},
    {"below a hidden folder", "west/.old/a.yaml", "head -c 100000 /dev/urandom"},
    {"past its limit", "west/big.yaml", "head -c 16777217 /dev/zero"},
};
GP_ROWS(sync, what_is_not_taken_is_not_unpacked, not_unpacked)
{
    const char *blob, *head;

    (void)make_remote("one");
    sh("git clone -q one work && cd work && mkdir -p $(dirname %s) && %s >%s && git add . && git commit -q -m big && "
       "git push -q origin HEAD:main",
       not_unpacked[*i].file, not_unpacked[*i].make, not_unpacked[*i].file);
    head = sh_text("git -C one rev-parse main");
    blob = sh_text("git -C one rev-parse main:%s", not_unpacked[*i].file);
    follow(0, "one");
    options.path = "west";
    synced(GP_GIT_CURRENT, head);
    options.verified = head;
    sh("cd state/git && mkdir x && mv objects/pack/*.pack x/ && (cat x/*.pack | git unpack-objects -q) && rm -rf x "
       "objects/pack/* && mv ../../one ../../gone && f=objects/$(echo %s | sed 's,..,&/,') && chmod u+w $f && "
       "truncate -s $(($(stat -c %%s $f) / 2)) $f && ! git cat-file blob %s >x 2>&1",
       blob, blob);
    synced(GP_GIT_STALE, head);
}

Test(sync, a_lost_mirror_and_no_remote_is_an_error_not_a_promise)
{
    const char *first = make_remote("one");
    enum gp_git_state state;
    const char *commit;

    follow(0, "never");
    options.verified = first;
    (void)refused(gp_git_sync(&options, mem, &state, &commit, &why), GP_E_IO, "is not whole");
}

/* Whoever may not write the mirror has a repository of his own, and knows what the mirror holds. */
static const struct {
    const char *name, *script;
    enum gp_git_state state;
    const char *why; /* how it ends, where that is neither the verified commit nor the head */
} borrowed[] = {
    {"the head as it was", "true", GP_GIT_CURRENT, NULL},
    {"no remote", "mv one away", GP_GIT_STALE, NULL},
    {"a mirror that lags", "git -C one update-ref refs/heads/main main~", GP_GIT_STALE, NULL},
    {"another history", "cd one.work && git commit -q --amend -m other && git push -q -f ../one main", GP_GIT_CURRENT,
     "the head at"},
    {"a mirror that is damaged", "chmod -R u+w state/git && find state/git/objects -type f -exec truncate -s 0 {} +", GP_GIT_CURRENT,
     NULL},
    {"no mirror", "rm -r state/git", GP_GIT_CURRENT, NULL},
};
GP_ROWS(sync, what_another_mirror_holds_counts, borrowed)
{
    const char *second, *commit, *before;
    enum gp_git_state state;

    (void)make_remote("one");
    second = commit_more("one");
    follow(0, "one");
    options.path = "west";
    synced(GP_GIT_CURRENT, second);
    options.verified = second;
    sh("%s", borrowed[*i].script);
    before = sh_text("ls -lR state | md5sum");
    options.borrow = options.dir;
    options.dir = in_place("own");
    if (borrowed[*i].why) {
        const char *line = refused(gp_git_sync(&options, mem, &state, &commit, &why), GP_E_REFUSED, borrowed[*i].why);

        cr_assert(strstr(line, "which no remote has") == NULL, "%s", line);
    } else {
        synced(borrowed[*i].state, second);
    }
    sh("git -C own cat-file -p %s:west/a.yaml >/dev/null", second);
    cr_assert(eq(str, (char *)sh_text("ls -lR state | md5sum"), (char *)before), "the mirror was written");
}

Test(sync, what_gpupart_did_not_make_is_never_removed)
{
    enum gp_git_state state;
    const char *commit;

    (void)make_remote("one");
    follow(0, "one");
    sh("mkdir state/git && echo precious > state/git/file");
    (void)refused(gp_git_sync(&options, mem, &state, &commit, &why), GP_E_CONFIG, "move it away");
    cr_assert(eq(str, (char *)sh_text("cat state/git/file"), "precious"));
    sh("rm -r state/git && git init -q --bare state/git");
    (void)refused(gp_git_sync(&options, mem, &state, &commit, &why), GP_E_CONFIG, "move it away");
    sh("git -C state/git rev-parse --git-dir >/dev/null && rm -r state/git && mkdir state/git");
    synced(GP_GIT_CURRENT, sh_text("git -C one rev-parse main"));
}

Test(sync, repositories_of_other_users_are_read)
{
    const char *first = make_remote("one");

    if (getuid() != 0)
        cr_skip("SKIP: needs root to give a repository away");
    follow(0, "one");
    sh("chown -R 65534 one");
    synced(GP_GIT_CURRENT, first);
    sh("chown -R 65534 state");
    options.verified = first;
    synced(GP_GIT_CURRENT, first);
}

Test(sync, configuration_of_a_user_changes_nothing)
{
    const char *first = make_remote("one");

    follow(0, "one");
    sh("mkdir home && git config -f home/.gitconfig url.%s/other.insteadOf %s/one", place, place);
    (void)setenv("HOME", in_place("home"), 1);
    (void)unsetenv("GIT_CONFIG_GLOBAL");
    synced(GP_GIT_CURRENT, first);
}
