/* Stand-ins: for what is known by its form, wherever it stands, and for nothing that only looks like it. */
#include "rows.h"

#include "cleanup.h"
#include "redact.h"
#include "text.h"

static const struct {
    const char *name, *text, *want;
} rows[] = {
    {"nothing", "sys/bus/pci/devices/0000:08:00.4", "sys/bus/pci/devices/0000:08:00.4"},
    {"a known UUID", "<uuid>11111111-2222-3333-4444-555555555555</uuid>", "<uuid>00000000-0000-4000-8000-000000000001</uuid>"},
    {"in capitals", "AAAAAAAA-2222-3333-4444-555555555555", "00000000-0000-4000-8000-000000000002"},
    {"in a path", "devices/cccccccc-2222-3333-4444-555555555555/x", "devices/00000000-0000-4000-8000-000000000003/x"},
    {"twice", "cccccccc-2222-3333-4444-555555555555 cccccccc-2222-3333-4444-555555555555",
     "00000000-0000-4000-8000-000000000003 00000000-0000-4000-8000-000000000003"},
    {"longer than a UUID", "cccccccc-2222-3333-4444-5555555555555", "cccccccc-2222-3333-4444-5555555555555"},
    {"the machine id", "host=\"5f0c1d2e3b4a59687786958493a2b1c0\"", "host=\"00000000000000000000000000000001\""},
    {"a serial number", "serial 132022.", "serial SERIAL-1."},
    {"part of a number", "1320221", "1320221"},
    {"a MAC address", "52:54:00:6B:3c:58,52:54:00:6b:3C:58", "02:00:00:00:00:01,02:00:00:00:00:01"},
    {"an address", "at 10.11.12.13:80, 10.11.12.14.", "at 192.0.2.1:80, 192.0.2.2."},
    {"versions", "550.90.07 1.2.3.4.5 10.11.12.256", "550.90.07 1.2.3.4.5 10.11.12.256"},
    {"a VM's name is none here", "pci", "pci"},
};

GP_ROWS(redact, by_its_form, rows)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct gp_vm vms[] = {{.uuid = "aaaaaaaa-2222-3333-4444-555555555555", .name = "pc-10"},
                          {.uuid = "11111111-2222-3333-4444-555555555555", .name = "pci"},
                          {.uuid = "11111111-2222-3333-4444-555555555555", .name = "pc-9"}};
    struct gp_gpu gpu = {.id = "slot3", .serial = "132022"};
    const struct gp_have have = {.machine_id = "5f0c1d2e3b4a59687786958493a2b1c0",
                                 .gpus = &gpu,
                                 .gpu_count = 1,
                                 .vms = vms,
                                 .vm_count = sizeof vms / sizeof *vms};
    struct gp_redact *redact = gp_redact_new(mem, &have, "kvm-a");

    cr_assert(eq(str, (char *)gp_redact_text(redact, rows[*i].text), (char *)rows[*i].want), "%s", rows[*i].name);
    /* Names keep their order, and later ones follow. */
    cr_assert(eq(str, (char *)gp_redact_vm(redact, "pc-10"), "vm-2"));
    cr_assert(eq(str, (char *)gp_redact_vm(redact, "pc-9"), "vm-1"));
    cr_assert(eq(str, (char *)gp_redact_known(redact, "pci"), "vm-3"));
    cr_assert(eq(str, (char *)gp_redact_known(redact, "kvm-a"), "host-1"));
    cr_assert(eq(str, (char *)gp_redact_known(redact, "pool"), "pool"));
    cr_assert(eq(str, (char *)gp_redact_vm(redact, "new"), "vm-4"));
    cr_assert(eq(str, (char *)gp_redact_set(redact, "slot3"), "slot3"));
    cr_assert(eq(str, (char *)gp_redact_set(redact, "pc-9"), "vm-1"));
    cr_assert(eq(str, (char *)gp_redact_identity(redact, "10de:25b6 10de:157e 0/1 serial 132022"),
                 "10de:25b6 10de:157e 0/1 serial SERIAL-1"));
    cr_assert(eq(str, (char *)gp_redact_identity(redact, "10de:25b6 10de:157e 0/1"), "10de:25b6 10de:157e 0/1"));
    cr_assert(eq(str, (char *)gp_redact_person(redact, "ada"), "user-1"));
    cr_assert(eq(str, (char *)gp_redact_commit(redact, "3f2c1ab09d04e779f31c2a4b7de0123456789abc"),
                 "0000000000000000000000000000000000000001"));
    cr_assert(eq(str, (char *)gp_redact_commit(redact, ""), ""));
}

/* Else an mdev that gpupart made would be somebody else's where the capture is read. */
Test(redact, a_derived_uuid_stays_derived)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    const char *machine = "5f0c1d2e3b4a59687786958493a2b1c0", *ours = gp_uuid5(mem, machine, "p/1");
    struct gp_partition partition = {.index = 1, .device = {.kind = GP_DEVICE_MDEV, .uuid = ours}};
    struct gp_gpu gpu = {.path = "p", .partitions = &partition, .partition_count = 1};
    const struct gp_have have = {.machine_id = machine, .gpus = &gpu, .gpu_count = 1};
    struct gp_redact *redact = gp_redact_new(mem, &have, "kvm-a");

    cr_assert(eq(str, (char *)gp_redact_text(redact, ours),
                 (char *)gp_uuid5(mem, gp_redact_text(redact, machine), "p/1")));
}
