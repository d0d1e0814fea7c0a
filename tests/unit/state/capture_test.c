/* What a capture has of a state directory: all that a plan is made from, and nothing else; with stand-ins the same as those in
 * the definitions beside it. */
#include "scratch.h"

#include "domain.h"
#include "redact.h"

TestSuite(state_capture, .init = scratch_begin, .fini = scratch_end);

#define MACHINE   "5f0c1d2e3b4a59687786958493a2b1c0"
#define COMMIT    "0123456789012345678901234567890123456789"
#define PAYROLL   "11111111-2222-3333-4444-555555555555"
#define ADA       "aaaaaaaa-2222-3333-4444-555555555555"
#define GONE      "eeeeeeee-2222-3333-4444-555555555555"
#define CARD      "10de:25b6 10de:157e 00:03.0/00.0 serial 1320222000103"
#define OTHER     "10de:25b6 10de:157e 00:05.0/00.0 serial 1320222000207"
#define DIGITS(n) "000000000000000000000000000000000000000" n

static void fill(struct gp_state *state)
{
    const struct gp_owed owed = {.vm = ADA, .name = "ada-pc", .until_us = UINT64_MAX};
    const struct gp_pause pause = {"vm/ada-pc", "lovelace", "ada-pc is in use", 1, UINT64_MAX};
    const struct gp_pause approval = {"gpu/slot3", "lovelace", "payroll agreed", 1, UINT64_MAX};
    const struct gp_difference drift = {.object = "vm/ada-pc", .key = "vm/" ADA, .path = "name", .rule = "GP-D808",
                                        .before = "ada-old", .after = "ada-pc", .reason = "ada renamed it"};
    enum gp_drift_news news;
    struct gp_difference *cleared;
    size_t count;
    uint64_t since;

    ok(gp_state_set_applied(state, "gpu/slot3", "partitioned 4 NVIDIA A2-4Q", COMMIT, CARD));
    ok(gp_state_set_applied(state, "gpu/slot5", "partitioned 2 NVIDIA A2-8Q", COMMIT, OTHER));
    ok(gp_state_set_applied(state, "vm/" PAYROLL, "slot3/0", COMMIT, "payroll"));
    ok(gp_state_set_applied(state, "vm/" GONE, "f715f63c-0d00-4007-9c5a-b07b0c6c05de", NULL, "ada-gone"));
    ok(gp_state_set_owed(state, &owed));
    ok(gp_state_set_owed_unit(state, "dcgm-exporter.service"));
    ok(gp_state_set_quarantined(state, "slot3/2", true));
    ok(gp_state_set_verified(state, COMMIT));
    ok(gp_state_set_pause(state, false, &pause));
    ok(gp_state_set_pause(state, true, &approval));
    ok(gp_state_tell_drift(state, mem, &drift, 1, 7, &news, &since, &cleared, &count));
    ok(gp_state_add_failure(state, "ada-pc", COMMIT, "ada-pc did not stop", 1));
    ok(gp_state_add_failure(state, "slot3", "", "payroll did not stop", 1));
}

/* The state directory, and what a capture in another folder has of it. */
static struct gp_state *captured(struct gp_redact *redact)
{
    const char *root = gp_printf(mem, "%s/capture", scratch);
    gp_cleanup(gp_state_close_p) struct gp_state *state = opened(true), *reader = NULL;
    struct gp_state *ret;

    fill(state);
    ok(gp_state_write_record(state, &(struct gp_record){.set = "slot3", .snapshot = gp_new(mem, struct gp_snapshot)}));
    ok(gp_state_add_history(state, "{\"user\": \"lovelace\"}"));
    reader = opened(false);
    ok(gp_state_capture(reader, root, redact));
    ok(gp_state_open(gp_state_of_capture(mem, root), false, mem, &ret, NULL));
    return ret;
}

Test(state_capture, all_that_a_plan_is_made_from_is_the_same_there)
{
    gp_cleanup(gp_state_close_p) struct gp_state *state = captured(NULL);
    const struct gp_memory *memory = gp_state_memory(state);
    const struct gp_difference drift = {.key = "vm/" ADA, .path = "name", .rule = "GP-D808"};
    struct gp_failure failure;
    struct gp_record *records;
    struct gp_strings history;
    struct gp_pause *pauses;
    size_t count;

    cr_assert(eq(sz, memory->applied_count, 4));
    cr_assert(eq(str, (char *)gp_memory_applied(memory, "gpu/slot3")->who, CARD));
    cr_assert(eq(sz, memory->owed_count, 1));
    cr_assert(eq(sz, memory->owed_units.count, 1));
    cr_assert(eq(sz, memory->quarantined.count, 1));
    cr_assert(eq(str, (char *)gp_state_verified(state), COMMIT));
    cr_assert(eq(u64, gp_state_drift_since_us(state, &drift), 7));
    ok(gp_state_pauses(state, false, mem, &pauses, &count));
    cr_assert(eq(sz, count, 1));
    ok(gp_state_pauses(state, true, mem, &pauses, &count));
    cr_assert(eq(sz, count, 1));
    cr_assert(gp_state_failure(state, mem, "ada-pc", &failure));
    cr_assert(eq(str, (char *)failure.reason, "ada-pc did not stop"));
    /* The way back is the host's alone, as what became of it all is. */
    ok(gp_state_records(state, mem, &records, &count));
    cr_assert(zero(sz, count));
    ok(gp_state_history(state, mem, &history));
    cr_assert(zero(sz, history.count));
    for (const char *const *file = (const char *const[]){"applied", "owed", "quarantined", "verified", "drift", "pauses",
                                                         "approvals", "failures", NULL};
         *file; file++) {
        gp_cleanup(gp_free_p) char *a = read_scratch(gp_printf(mem, "%s.json", *file));
        gp_cleanup(gp_free_p) char *b = read_scratch(gp_printf(mem, "capture/state/%s.json", *file));

        cr_assert(a && b && strcmp(a, b) == 0, "%s is another there: %s", *file, b ? b : "it is not there");
    }
}

Test(state_capture, what_holds_nothing_is_no_file)
{
    const char *root = gp_printf(mem, "%s/capture", scratch);
    gp_cleanup(gp_state_close_p) struct gp_state *state = opened(true);

    ok(gp_state_set_quarantined(state, "slot3/2", true));
    ok(gp_state_set_quarantined(state, "slot3/2", false));
    ok(gp_state_capture(state, root, NULL));
    cr_assert(exists_scratch("quarantined.json") && exists_scratch("capture/state"));
    cr_assert(exists_scratch("capture/state/quarantined.json") == false);
}

/* The names that a capture must not hold, as they are in it without stand-ins. */
static const char *const names[] = {"payroll", "ada", "lovelace", "132022", "0123456789", "11111111-", "aaaaaaaa-",
                                    "eeeeeeee-", "f715f63c"};

static bool is_anywhere(const char *name)
{
    static const char *const files[] = {"applied", "owed",   "quarantined", "verified",
                                        "drift",   "pauses", "approvals",   "failures"};
    bool found = false;

    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        gp_cleanup(gp_free_p) char *text = read_scratch(gp_printf(mem, "capture/state/%s.json", files[i]));

        found = found || (text && strstr(text, name));
    }
    return found;
}

static struct gp_redact *redact_of_host(void)
{
    static struct gp_vm vms[] = {{.uuid = ADA, .name = "ada-pc"}, {.uuid = PAYROLL, .name = "payroll"}};
    static struct gp_gpu gpu = {.id = "slot3", .serial = "1320222000103"};
    static const struct gp_have have = {
        .machine_id = MACHINE, .gpus = &gpu, .gpu_count = 1, .vms = vms, .vm_count = 2};

    return gp_redact_new(mem, &have, "kvm-a");
}

Test(state_capture, names_are_looked_for_where_they_are)
{
    gp_state_close(captured(NULL));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        cr_assert(is_anywhere(names[i]), "%s", names[i]);
}

Test(state_capture, stand_ins_are_those_of_the_definitions)
{
    static const char xml[] = "<domain type='kvm'><name>payroll</name><uuid>" PAYROLL "</uuid></domain>";
    struct gp_redact *redact = redact_of_host();
    const char *outline = NULL;
    gp_cleanup(gp_state_close_p) struct gp_state *state = NULL;
    const struct gp_memory *memory;
    const struct gp_applied *payroll, *gone;
    struct gp_failure failure;
    struct gp_pause *pauses;
    size_t count;

    ok(gp_domain_outline(mem, xml, redact, &outline));
    state = captured(redact);
    memory = gp_state_memory(state);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        cr_assert(is_anywhere(names[i]) == false, "%s is in it", names[i]);
    payroll = gp_memory_applied(memory, "vm/00000000-0000-4000-8000-000000000001");
    cr_assert(payroll && strstr(outline, "<uuid>00000000-0000-4000-8000-000000000001</uuid>"), "%s", outline);
    cr_assert(strstr(outline, gp_printf(mem, "<name>%s</name>", payroll->who)) != NULL, "%s", outline);
    cr_assert(eq(str, (char *)payroll->value, "slot3/0"));
    cr_assert(eq(str, (char *)payroll->commit, DIGITS("1")));
    cr_assert(eq(str, (char *)gp_state_verified(state), DIGITS("1")));
    /* A card is known by its serial number, also one that is gone. */
    cr_assert(eq(str, (char *)gp_memory_applied(memory, "gpu/slot3")->who, "10de:25b6 10de:157e 00:03.0/00.0 serial SERIAL-1"));
    cr_assert(eq(str, (char *)gp_memory_applied(memory, "gpu/slot5")->who, "10de:25b6 10de:157e 00:05.0/00.0 serial SERIAL-2"));
    gone = gp_memory_applied(memory, "vm/00000000-0000-4000-8000-000000000003");
    cr_assert(gone && strcmp(gone->who, "vm-3") == 0 && !gone->commit);
    cr_assert(eq(str, (char *)gone->value, (char *)gp_redact_text(redact, "f715f63c-0d00-4007-9c5a-b07b0c6c05de")));
    cr_assert(eq(str, (char *)memory->owed[0].vm, "00000000-0000-4000-8000-000000000002"));
    cr_assert(eq(str, (char *)memory->owed[0].name, "vm-1"));
    cr_assert(eq(str, (char *)memory->owed_units.items[0], "dcgm-exporter.service"));
    ok(gp_state_pauses(state, false, mem, &pauses, &count));
    cr_assert(eq(str, (char *)pauses[0].object, "vm/vm-1"));
    cr_assert(eq(str, (char *)pauses[0].user, "user-1"));
    ok(gp_state_pauses(state, true, mem, &pauses, &count));
    cr_assert(eq(str, (char *)pauses[0].object, "gpu/slot3"));
    cr_assert(eq(str, (char *)pauses[0].user, "user-1"));
    cr_assert(eq(u64, gp_state_drift_since_us(state, &(struct gp_difference){.key = gp_printf(mem, "vm/%s", memory->owed[0].vm),
                                                                             .path = "name",
                                                                             .rule = "GP-D808"}),
                 7));
    /* What a set is called: a VM, or a GPU. What is of no commit stays so. */
    cr_assert(gp_state_failure(state, mem, "vm-1", &failure));
    cr_assert(eq(str, (char *)failure.commit, DIGITS("1")));
    cr_assert(gp_state_failure(state, mem, "slot3", &failure));
    cr_assert(eq(str, (char *)failure.commit, ""));
}
