#include "bases.h"
#include "mock.h"

#include "cleanup.h"
#include "rows.h"
#include "text.h"

#include <string.h>

#define OTHER  "7a1f0e7e-7a2b-4c11-9b57-0c2f1a1d9e11"
#define NOBODY "7a1f0e7e-7a2b-4c11-9b57-0c2f1a1d9eff"
#define REST   "<devices><graphics type='vnc' passwd='secret'/></devices></domain>"

static const struct gp_device none;

static enum gp_power power_of(struct gp_virt *virt, const char *uuid)
{
    gp_cleanup(gp_error_free_p) struct gp_error *err = NULL;
    bool running = false;

    err = gp_virt_running(virt, uuid, &running);
    cr_assert(err == NULL, "%s", gp_error_line(err));
    return running ? GP_POWER_RUNNING : GP_POWER_OFF;
}

static struct gp_vm look(struct gp_arena *mem, struct gp_virt *virt, const char *uuid)
{
    gp_cleanup(gp_error_free_p) struct gp_error *err = NULL;
    struct gp_have have = {.machine_id = HOST};
    struct gp_vm *vm;

    err = gp_virt_observe(virt, mem, &have);
    cr_assert(err == NULL, "%s", gp_error_line(err));
    vm = gp_have_vm(&have, uuid);
    cr_assert(vm != NULL);
    return *vm;
}

/* ---- edits ---- */

static enum gp_errc edit(struct gp_virt *virt, struct gp_edit edit)
{
    gp_cleanup(gp_error_free_p) struct gp_error *err = NULL;

    err = gp_virt_edit(virt, &edit);
    return err ? err->code : GP_E_COUNT;
}

/* Off or running: what is edited is what the next start takes. */
static const char *const states[] = {MOCK_HEAD("desk", UUID, MOCK_OFF) REST,
                                     MOCK_HEAD("desk", UUID, MOCK_RUNNING) REST};

GP_ROWS(change, edits_are_kept, states)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    gp_cleanup(gp_virt_close_p) struct gp_virt *virt = mock_open(states[*i]);
    struct gp_vm vm;

    for (unsigned twice = 0; twice < 2; twice++)
        cr_assert(eq(int, (int)edit(virt, edit_of(GP_EDIT_ATTACH, none, devices[0])), GP_E_COUNT));
    vm = look(mem, virt, UUID);
    cr_assert(vm.mark_fits && vm.persistent_count == 1 && vm.persistent_devs[0].ours);
    cr_assert(gp_device_eq(vm.persistent_devs[0].device, devices[0]));
    cr_assert(eq(sz, vm.live_count, (size_t)0));

    for (unsigned twice = 0; twice < 2; twice++)
        cr_assert(
            eq(int, (int)edit(virt, edit_of(GP_EDIT_REBIND, devices[0], devices[2])), GP_E_COUNT));
    vm = look(mem, virt, UUID);
    cr_assert(vm.persistent_count == 1 && vm.persistent_devs[0].ours);
    cr_assert(gp_device_eq(vm.persistent_devs[0].device, devices[2]));
    cr_assert(gp_device_eq(vm.mark->device, devices[2]));

    for (unsigned twice = 0; twice < 2; twice++)
        cr_assert(eq(int, (int)edit(virt, edit_of(GP_EDIT_DETACH, devices[2], none)), GP_E_COUNT));
    vm = look(mem, virt, UUID);
    cr_assert(vm.persistent_count == 0 && vm.mark == NULL);
}

Test(change, edits_that_cannot_be)
{
    gp_cleanup(gp_virt_close_p) struct gp_virt *virt = mock_open(
        MOCK_HEAD("desk", UUID, MOCK_OFF)
            REST MOCK_HEAD("brief", OTHER, MOCK_RUNNING) "<test:transient>1</test:transient>" REST);
    struct gp_edit attach = edit_of(GP_EDIT_ATTACH, none, devices[0]);

    cr_assert(
        eq(int, (int)edit(virt, edit_of(GP_EDIT_REBIND, devices[0], devices[1])), GP_E_CHANGED));
    attach.uuid = NOBODY;
    cr_assert(eq(int, (int)edit(virt, attach), GP_E_GONE));
    attach.uuid = OTHER;
    cr_assert(eq(int, (int)edit(virt, attach), GP_E_UNSUPPORTED));
}

/* ---- power ---- */

Test(change, starts_and_is_started)
{
    gp_cleanup(gp_virt_close_p) struct gp_virt *virt =
        mock_open(MOCK_HEAD("desk", UUID, MOCK_OFF) REST);

    cr_assert(eq(int, power_of(virt, UUID), GP_POWER_OFF));
    for (unsigned twice = 0; twice < 2; twice++) {
        gp_cleanup(gp_error_free_p) struct gp_error *err = gp_virt_start(virt, UUID, 5000);

        cr_assert(err == NULL, "%s", gp_error_line(err));
        cr_assert(eq(int, power_of(virt, UUID), GP_POWER_RUNNING));
    }
}

Test(change, starts_nobody)
{
    gp_cleanup(gp_virt_close_p) struct gp_virt *virt =
        mock_open(MOCK_HEAD("desk", UUID, MOCK_OFF) REST);
    gp_cleanup(gp_error_free_p) struct gp_error *err = gp_virt_start(virt, NOBODY, 5000);

    cr_assert(err && err->code == GP_E_GONE);
}

static const struct {
    const char *name;
    struct gp_stop_policy policy;
} policies[] = {
    {"agent, then ACPI", {.timeout_ms = 10000, .method = {GP_STOP_AGENT, GP_STOP_ACPI}}},
    {"agent only", {.timeout_ms = 10000, .method = {GP_STOP_AGENT}}},
    {"ACPI only", {.timeout_ms = 10000, .method = {GP_STOP_ACPI}, .force = true}},
    {"no method given", {.timeout_ms = 10000}},
};

/* The mock has neither method: it is asked without one. */
GP_ROWS(change, stops_what_runs, policies)
{
    gp_cleanup(gp_virt_close_p) struct gp_virt *virt = mock_shared();
    struct gp_virt_stop stops[] = {
        {UUID, "desk", policies[*i].policy},
        {OTHER, "off", policies[*i].policy},
        {NOBODY, "nobody", policies[*i].policy},
    };
    struct gp_error *results[3];
    bool reached[3];

    mock_add(MOCK_HEAD("desk", UUID, MOCK_RUNNING) REST, MOCK_RUNNING);
    mock_add(MOCK_HEAD("off", OTHER, MOCK_OFF) REST, MOCK_OFF);
    gp_virt_stop(virt, stops, 3, NULL, NULL, results, reached);
    cr_assert(results[0] == NULL, "%s: %s", policies[*i].name, gp_error_line(results[0]));
    cr_assert(results[1] == NULL, "%s: %s", policies[*i].name, gp_error_line(results[1]));
    cr_assert(results[2] && results[2]->code == GP_E_GONE, "%s", policies[*i].name);
    cr_assert(reached[0] && !reached[1] && !reached[2], "%s", policies[*i].name);
    cr_assert(eq(int, power_of(virt, UUID), GP_POWER_OFF));
    gp_error_free(results[2]);
}

Test(change, a_paused_guest_is_not_asked)
{
    gp_cleanup(gp_virt_close_p) struct gp_virt *virt = mock_shared();
    struct gp_virt_stop stop = {UUID, "desk", {.timeout_ms = 10000, .force = true}};
    gp_cleanup(gp_free_p) char *line = NULL;
    struct gp_error *result;
    bool reached = true;

    mock_add(MOCK_HEAD("desk", UUID, MOCK_PAUSED) REST, MOCK_PAUSED);
    gp_virt_stop(virt, &stop, 1, NULL, NULL, &result, &reached);
    cr_assert(result && result->code == GP_E_BUSY);
    cr_assert(not(reached));
    line = gp_error_line(result);
    cr_assert(
        eq(str, line, "vm desk was not stopped: is paused, and cannot answer a request to stop"));
    gp_error_free(result);
}

static bool at_once(void *data)
{
    (void)data;
    return true;
}

Test(change, a_wait_can_be_ended)
{
    gp_cleanup(gp_virt_close_p) struct gp_virt *virt = mock_shared();
    struct gp_virt_stop stop = {UUID, "desk", {.timeout_ms = 600000}};
    struct gp_error *result;

    mock_add(MOCK_HEAD("desk", UUID, MOCK_RUNNING) REST, MOCK_RUNNING);
    gp_virt_stop(virt, &stop, 1, at_once, NULL, &result, NULL);
    cr_assert(result && result->code == GP_E_BUSY, "%s", result ? result->message : "stopped");
    gp_error_free(result);
    cr_assert(eq(int, power_of(virt, UUID), GP_POWER_RUNNING));
}

Test(change, read_only_changes_nothing)
{
    struct gp_virt_stop stop = {UUID, "desk", {.timeout_ms = 1000}};
    struct gp_edit attach = edit_of(GP_EDIT_ATTACH, none, devices[0]);
    gp_cleanup(gp_virt_close_p) struct gp_virt *virt = NULL;
    struct gp_error *err = gp_virt_open("test:///default", true, 5000, &virt), *result;

    cr_assert(err == NULL, "%s", gp_error_line(err));
    cr_assert(eq(int, (int)edit(virt, attach), GP_E_BUG));
    gp_virt_stop(virt, &stop, 1, NULL, NULL, &result, NULL);
    cr_assert(result && result->code == GP_E_BUG);
    gp_error_free(result);
    err = gp_virt_start(virt, UUID, 1000);
    cr_assert(err && err->code == GP_E_BUG);
    gp_error_free(err);
}
