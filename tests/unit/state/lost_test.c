/* The newest verified commit is the anchor against a rewritten history: a host that had one and lost it knows so. */
#include "scratch.h"

TestSuite(state_lost, .init = scratch_begin, .fini = scratch_end);

static const char first[] = "0123456789012345678901234567890123456789";

static const struct {
    const char *name;
    const char *verified; /* the file, as somebody left it; NULL: not there */
    const char *applied;  /* the commit by which something was applied; NULL: nothing was */
    const char *begun;    /* the commit of a set that is not done */
    const char *lost;     /* what is told; NULL: nothing is lost */
} rows[] = {
    {"never verified", NULL, NULL, NULL, NULL},
    {"applied from a working tree", NULL, "", "", NULL},
    {"verified", "{\"formatVersion\": 1, \"verified\": {\"newest\": {\"commit\": \"0123456789012345678901234567890123456789\"}}}",
     "c", "c", NULL},
    {"empty", "", NULL, NULL, "verified.json is corrupt (line 1"},
    {"another object", "{\"formatVersion\": 1, \"applied\": {}}", "c", NULL, "it has no object 'verified'"},
    {"no commit id", "{\"formatVersion\": 1, \"verified\": {\"newest\": {\"commit\": \"0123\"}}}", NULL, NULL,
     "'commit' is not a full commit id"},
    {"too long", "{\"formatVersion\": 1, \"verified\": {\"newest\": {\"commit\": \"01234567890123456789012345678901234567890\"}}}",
     NULL, NULL, "'commit' is not a full commit id"},
    {"with a tail", "{\"formatVersion\": 1, \"verified\": {\"newest\": {\"commit\": \"0123456789012345678901234567890123456789x\"}}}",
     NULL, NULL, "'commit' is not a full commit id"},
    {"in capitals", "{\"formatVersion\": 1, \"verified\": {\"newest\": {\"commit\": \"A123456789012345678901234567890123456789\"}}}",
     NULL, NULL, "'commit' is not a full commit id"},
    {"no entry", "{\"formatVersion\": 1, \"verified\": {}}", NULL, NULL, NULL},
    {"no entry, and applied", "{\"formatVersion\": 1, \"verified\": {}}", "c7", NULL, "applied.json tells of commit c7"},
    {"gone, and applied", NULL, "c7", NULL, "applied.json tells of commit c7"},
    {"gone, and begun", NULL, NULL, "c7", "a set of a commit was begun"},
};

static void tells(const struct gp_state *state, size_t row)
{
    const char *lost = gp_state_verified_lost(state);
    const bool right = lost && rows[row].lost ? strstr(lost, rows[row].lost) != NULL : lost == rows[row].lost;
    const bool both = lost && gp_state_verified(state);

    cr_assert(right, "%s: %s", rows[row].name, lost ? lost : "not lost");
    cr_assert(zero(int, both), "%s: lost, and there", rows[row].name);
}

GP_ROWS(state_lost, what_is_known_and_what_is_lost, rows)
{
    gp_cleanup(gp_state_close_p) struct gp_state *state = opened(true);
    const char *warning;

    if (rows[*i].applied)
        ok(gp_state_set_applied(state, "gpu/slot3", "none", *rows[*i].applied ? rows[*i].applied : NULL, NULL));
    if (rows[*i].begun)
        ok(gp_state_write_record(state, &(struct gp_record){.set = "a", .commit = *rows[*i].begun ? rows[*i].begun : NULL}));
    gp_state_close(gp_steal(state));
    if (rows[*i].verified)
        write_scratch("verified.json", rows[*i].verified);
    /* Told by whoever looks, by the first pass, and by each one after it. */
    for (int pass = 0; pass < 4; pass++) {
        ok(gp_state_open(scratch, pass > 0, mem, &state, &warning));
        if (pass < 2 || !exists_scratch("verified.json.corrupt"))
            tells(state, *i);
        else
            cr_assert(strstr(gp_state_verified_lost(state), "kept aside") != NULL, "%s", rows[*i].name);
        cr_assert(warning == NULL || strstr(warning, ": no head is believed"), "%s", warning);
        gp_state_close(gp_steal(state));
    }
    /* Until somebody says which it is; what was kept aside may lie there. */
    state = opened(true);
    ok(gp_state_set_verified(state, first));
    cr_assert(gp_state_verified_lost(state) == NULL);
    gp_state_close(gp_steal(state));
    state = opened(true);
    cr_assert(gp_state_verified_lost(state) == NULL);
    cr_assert(eq(str, (char *)gp_state_verified(state), (char *)first));
}
