/* Whose commits are taken, with keys and signatures that git and ssh-keygen made. */
#include "place.h"

TestSuite(signature, .init = place_begin, .fini = place_end, .timeout = 60);

/* PLACE/tree with a commit signed by kim's key, which allowed lists; eve's key is in no list. */
static void make_signed(void)
{
    if (system("command -v ssh-keygen >/dev/null 2>&1") != 0)
        cr_skip("SKIP: no ssh-keygen here");
    sh("ssh-keygen -q -t ed25519 -N '' -f kim && ssh-keygen -q -t ed25519 -N '' -f eve && "
       "printf 'kim@example.org namespaces=\"git\" %%s\\n' \"$(cut -d' ' -f1,2 kim.pub)\" > "
       "allowed && "
       "git init -q -b main tree && cd tree && git config gpg.format ssh && git config "
       "user.signingKey %s/kim && "
       "echo 'a: 1' > a.yaml && git add . && git commit -q -S -m first",
       place);
}

static struct gp_error *check(const char **ret_signer)
{
    return gp_git_check_signature(in_place("tree/.git"), sh_text("git -C tree rev-parse HEAD"),
                                  in_place("allowed"), mem, ret_signer);
}

Test(signature, of_an_allowed_signer_is_taken)
{
    const char *signer = NULL;

    make_signed();
    ok(check(&signer));
    cr_assert(eq(str, (char *)signer, "kim@example.org"));
}

static const struct {
    const char *name, *script, *words;
} rows[] = {
    {"unsigned", "cd tree && git commit -q --allow-empty -m more", "GP-E401: commit"},
    {"by another",
     "cd tree && git config user.signingKey ../eve && git commit -q -S --allow-empty -m more",
     "GP-E402: commit"},
    {"with another's name in the list",
     "sed -i \"s|ssh-ed25519 .*|$(cut -d' ' -f1,2 eve.pub)|\" allowed", "GP-E402: commit"},
    {"for another purpose", "sed -i 's/\"git\"/\"file\"/' allowed", "GP-E402: "},
    {"of a key that has expired",
     "sed -i 's/namespaces/valid-before=\"20200101\",namespaces/' allowed", "GP-E402: "},
    {"moved to another commit",
     "cd tree && git cat-file commit HEAD | sed 's/^first$/other/' > ../c && "
     "git update-ref HEAD $(git hash-object -t commit -w ../c)",
     "does not fit"},
    {"that is no signature",
     "cd tree && git cat-file commit HEAD | sed '/^ [A-Za-z0-9+\\/=]*$/s/[A-Z]/A/g' > ../c && "
     "git update-ref HEAD $(git hash-object -t commit -w ../c)",
     "GP-E402: commit"},
    {"of another kind",
     "cd tree && git cat-file commit HEAD | sed 's/SSH SIGNATURE/PGP SIGNATURE/' > ../c && "
     "git update-ref HEAD $(git hash-object -t commit -w ../c)",
     "not ssh's"},
    {"by nobody, since the list is empty", ": > allowed", "GP-E402: commit"},
};
GP_ROWS(signature, refused, rows)
{
    const char *signer = "untouched";

    make_signed();
    ok(check(&signer));
    signer = "untouched";
    sh("%s", rows[*i].script);
    (void)refused(check(&signer), GP_E_REFUSED, rows[*i].words);
    cr_assert(eq(str, (char *)signer, "untouched"), "%s", rows[*i].name);
}

Test(signature, an_unsigned_commit_is_told)
{
    const char *signer;

    make_signed();
    sh("cd tree && git commit -q --allow-empty -m more");
    said(check(&signer), GP_E_REFUSED, "GP-E401: commit COMMIT is not signed, and trust.mode is ssh");
}

Test(signature, an_unknown_signer_is_told)
{
    const char *signer;

    make_signed();
    sh("cd tree && git config user.signingKey ../eve && git commit -q -S --allow-empty -m more");
    said(check(&signer), GP_E_REFUSED, "GP-E402: commit COMMIT is signed by a key that PLACE/allowed does not list (No principal matched.)");
}

Test(signature, a_list_that_is_not_there_is_the_hosts_mistake)
{
    const char *signer;

    make_signed();
    sh("rm allowed");
    (void)refused(check(&signer), GP_E_CONFIG, "allowed cannot be read");
}
